"""Where programs reach the agent's endpoint, the tokens that open its paths, and the files in which they are given them."""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import hmac
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ..errors import ConfigurationError, StoreError
from ..stores import atomic
from .guard import LINK_ADDRESSES
from .loopback import bind, bind_loopback

__all__ = ["Access", "Tokens", "listener"]


@dataclass(frozen=True, slots=True)
class Access:
    """How an agent is reached, as its command line says it; by default on loopback only, by its own user's programs.

    `address`: one of `LINK_ADDRESSES`, to be asked there as well, at the same port. `token_folder` gets a token file for each named
    profile, readable for `token_group`. `only`: the named profiles and no other, and no copies, for whoever has the socket.
    """

    port: int = 0
    address: str | None = None
    token_folder: Path | None = None
    token_group: str | None = None
    only: bool = False

    def words(self) -> list[str]:
        """The options that say this, for a service that starts the agent."""
        folder = None if self.token_folder is None else str(self.token_folder.absolute())
        valued = {"port": self.port, "listen": self.address, "token-dir": folder, "token-group": self.token_group}
        words = [word for name, value in valued.items() if value for word in (f"--{name}", str(value))]
        return [*words, *(["--only"] if self.only else [])]


def listener(address: str | None, port: int) -> socket.socket:
    """A listening socket on loopback, or on `address`, one of `LINK_ADDRESSES`. Raises ConfigurationError."""
    if address is not None and address not in LINK_ADDRESSES:
        raise ConfigurationError(
            f"SDKs ask plain http only of loopback and of {' and '.join(LINK_ADDRESSES)}, not of {address}",
            where="--listen",
            hint=f"--listen {LINK_ADDRESSES[0]}",
        )
    try:
        return bind_loopback(port) if address is None else bind(address, port)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        where = "--port" if address is None or error.errno == errno.EADDRINUSE else "--listen"
        hint = (
            "--port 0, which takes a free one" if where == "--port" else "docs/containers.md says which network has it"
        )
        message = f"{address or '127.0.0.1'}:{port} cannot be listened on: {reason}"
        raise ConfigurationError(message, where=where, hint=hint) from error


class Tokens:
    """A token for each path, so that a program that has one cannot ask for another.

    All are derived from one secret, which is kept in `secret_file` (None: for this process only), so that tokens stay good through a
    restart. Each is written to a file of its own in `folder`, 0600, or 0640 and of `group` (a name or a number), for programs that
    run as another user, as those in a container do.
    """

    def __init__(self, secret_file: Path | None, folder: Path, group: str | None = None) -> None:
        self._secret_file, self._folder = secret_file, folder
        self._group = None if group is None else _group_id(group)
        self._secret = b""

    def load(self) -> None:
        """Take up the secret, or make one. Raises StoreError."""
        if self._secret_file is None:
            self._secret = os.urandom(32)
            return
        with atomic.lock(self._secret_file):
            with contextlib.suppress(OSError):
                self._secret = self._secret_file.read_bytes()
            if len(self._secret) < 32:
                self._secret = os.urandom(32)
                atomic.replace(self._secret_file, self._secret, mode=0o600)

    def of(self, path: str) -> str:
        """The token of a path: letters, digits, ``-`` and ``_``."""
        digest = hmac.new(self._secret, b"path:" + path.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def write(self, key: str, path: str) -> Path:
        """Put the token of `path` into a file named `key`, without a line end, as SDKs send the file as it is. Raises StoreError."""
        file = self._folder / quote(key, safe="")
        made = not self._folder.is_dir()
        # a file that others may read already is replaced as it is: it must not be unreadable to them for a moment
        atomic.replace(file, self.of(path), mode=0o600 if self._group is None else None)
        if self._group is not None:
            try:
                if made:
                    _give(self._folder, self._group, 0o750)
                _give(file, self._group, 0o640)
            except OSError as error:
                raise StoreError(
                    f"{file} cannot be given to group {self._group}: {(error.strerror or 'refused').lower()}",
                    where="--token-group",
                    hint="name a group that you are in (id -G)",
                ) from error
        return file


def _group_id(group: str) -> int:
    if group.isascii() and group.isdecimal():
        return int(group)
    import grp

    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigurationError(f"there is no group {group!r} here", where="--token-group", hint="id -G") from None


def _give(path: Path, group: int, mode: int) -> None:
    os.chown(path, -1, group)
    os.chmod(path, mode)  # after the owner: a change of owner clears bits of the mode
