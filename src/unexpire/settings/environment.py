"""One frozen look at everything a program's AWS settings come from: variables, home, working folder, files, clock."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from .files import FILE_LIMIT, AwsFile, Origin, Problem, Sourced, is_secret_name, read_aws_file

if TYPE_CHECKING:
    from .profile import Settings

__all__ = ["NO_PROFILE_CHOSEN", "Clock", "Environment", "unreadable", "utc_now"]

Clock = Callable[[], datetime]

NO_PROFILE_CHOSEN = Origin(note="no profile chosen")
"""The origin of the profile name where no variable names one; then the profile need not exist."""


def utc_now() -> datetime:
    """The clock of this machine, aware UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, eq=False)
class Environment:
    """What a process sees: its variables, home and working folder; its AWS files, read once, when first asked for.

    home    where ``~`` leads for that process: HOME, without it the user's entry in the password database (USERPROFILE on Windows);
            None where neither says.
    pid     None for this process, else the one that was looked at.
    """

    variables: Mapping[str, str] = field(repr=False)
    home: Path | None
    cwd: Path
    clock: Clock = field(default=utc_now, repr=False)
    pid: int | None = None

    @classmethod
    def of(
        cls,
        variables: Mapping[str, str],
        *,
        cwd: Path | None = None,
        clock: Clock = utc_now,
        pid: int | None = None,
        uid: int | None = None,
    ) -> Environment:
        """The environment that these variables make, in `cwd` (by default this process's), for user `uid` (by default this one)."""
        here = cwd if cwd is not None else _cwd()
        frozen = MappingProxyType(dict(variables))
        return cls(frozen, _home(frozen, here, uid), here, clock, pid)

    @classmethod
    def current(cls, *, clock: Clock = utc_now) -> Environment:
        """The environment of this process, as it is now."""
        return cls.of(os.environ, clock=clock)

    @classmethod
    def of_process(cls, pid: int, *, clock: Clock = utc_now) -> Environment:
        """The environment that process `pid` of the same user was started with, its home and its present working folder.

        Linux only, from /proc (proc(5)): the kernel keeps the variables a program started with, not what it changed later.
        Raises ConfigurationError where there is no such process, it is another user's, or the system is not Linux.
        """
        from .process import look_at

        seen = look_at(pid)
        return cls.of(seen.variables, cwd=seen.cwd, clock=clock, pid=pid, uid=seen.uid)

    def anew(self) -> Environment:
        """The same, with every file read again when it is asked for, but for the two AWS files if they are parsed already.

        For a process that serves many profiles: parsing ten thousand of them for each one takes minutes, and as much memory.
        """
        again = replace(self)
        parsed = self.__dict__.get("_settings")
        if parsed is not None:
            again.__dict__["_settings"] = parsed
        return again

    def get(self, name: str) -> Sourced[str] | None:
        """The variable `name`, which may be empty; None where it is not set."""
        value = self.variables.get(name)
        return None if value is None else Sourced(value, Origin(variable=name), is_secret_name(name))

    def now(self) -> datetime:
        """The time by this environment's clock, aware UTC."""
        return self.clock()

    @cached_property
    def profile_name(self) -> Sourced[str]:
        """The profile that is chosen without a flag. AWS_DEFAULT_PROFILE beats AWS_PROFILE, and an empty one is a name as well.

        Source: botocore/configprovider.py, `BOTOCORE_DEFAUT_SESSION_VARIABLES`.
        """
        for name in ("AWS_DEFAULT_PROFILE", "AWS_PROFILE"):
            chosen = self.get(name)
            if chosen is not None:
                return chosen
        return Sourced("default", NO_PROFILE_CHOSEN)

    @property
    def config_path(self) -> Path:
        """AWS_CONFIG_FILE, else ``~/.aws/config``."""
        return self.expand(self.variables.get("AWS_CONFIG_FILE", "~/.aws/config"))

    @property
    def credentials_path(self) -> Path:
        """AWS_SHARED_CREDENTIALS_FILE, else ``~/.aws/credentials``."""
        return self.expand(self.variables.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))

    def settings(self) -> Settings:
        """Both AWS files, parsed when first asked for and the same ever after. Never raises: a file's problems are part of it."""
        return self._settings

    @cached_property
    def _settings(self) -> Settings:
        from .profile import Settings

        return Settings.of(
            self._aws_file("AWS_CONFIG_FILE", self.config_path),
            self._aws_file("AWS_SHARED_CREDENTIALS_FILE", self.credentials_path),
        )

    def _aws_file(self, variable: str, path: Path) -> AwsFile:
        if self.variables.get(variable) == "":
            message = f"{variable} is empty: SDKs then read no such file, not the default one"
            problem = Problem(message, Origin(variable=variable), f"unset {variable}", fatal=False)
            return AwsFile(self.origin_of(path), problems=(problem,))
        return read_aws_file(path, self.home)

    def expand(self, path: str, *, variables: bool = True) -> Path:
        """`path` with ``$NAME``, ``~`` and a relative start resolved as in the process that this is the environment of.

        ``variables=False`` leaves ``$NAME`` alone, as botocore does for some paths. An empty path stays one: nothing is there.
        """
        if variables:
            path = _VARIABLE.sub(self._variable, path)
        if path.startswith("~"):
            path = self._expand_home(path)
        return self.cwd / path

    def _variable(self, found: re.Match[str]) -> str:
        name = next(filter(None, found.groups()), "").strip("{}")
        return self.variables.get(name, found[0])

    def _expand_home(self, path: str) -> str:
        user, separator, rest = path[1:].partition("/") if os.name != "nt" else _split_windows(path[1:])
        if not user:
            return path if self.home is None else os.path.join(self.home, rest)
        home = _home_of_user(user)
        return path if home is None else home.rstrip("/") + separator + rest

    def origin_of(self, path: Path, line: int | None = None) -> Origin:
        """An origin that writes this environment's home as ``~``."""
        return Origin(path=path, line=line, home=self.home)

    def read_bytes(self, path: Path, *, limit: int = FILE_LIMIT) -> bytes:
        """What `path` held when it was first asked for, now and ever after. Raises OSError, also for more than `limit` bytes."""
        held = self._files.get(path)
        if held is None:
            try:
                with path.open("rb") as file:
                    held = file.read(limit + 1)
                if len(held) > limit:
                    held = OSError(27, "larger than a file of this kind can be", str(path))
            except OSError as error:
                held = error
            except ValueError:
                held = FileNotFoundError(2, "No such file or directory", str(path))
            self._files[path] = held
        if isinstance(held, OSError):
            raise held
        return held

    @cached_property
    def _files(self) -> dict[Path, bytes | OSError]:
        return {}


# As os.path.expandvars has it: what is not set stays as written.
_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\})" + (r"|%([^%]+)%" if sys.platform == "win32" else ""), re.ASCII)


def _cwd() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:  # the folder this process started in was removed
        return Path(os.curdir)


def _home(variables: Mapping[str, str], cwd: Path, uid: int | None) -> Path | None:
    if sys.platform == "win32":
        drive, path = variables.get("HOMEDRIVE", ""), variables.get("HOMEPATH")
        home = variables.get("USERPROFILE") or (drive + path if path else None)
        return None if home is None else Path(home)
    named = variables.get("HOME")
    if named is not None:
        # An empty HOME leads to the root folder (posixpath.expanduser).
        return cwd / named if named else Path("/")
    try:
        import pwd

        return Path(pwd.getpwuid(os.getuid() if uid is None else uid).pw_dir)
    except (ImportError, KeyError):
        return None


def _home_of_user(name: str) -> str | None:
    try:
        import pwd

        return pwd.getpwnam(name).pw_dir  # type: ignore[attr-defined,unused-ignore]
    except (ImportError, KeyError):
        return None


def _split_windows(rest: str) -> tuple[str, str, str]:
    found = re.search(r"[\\/]", rest)
    return (rest, "", "") if found is None else (rest[: found.start()], found[0], rest[found.end() :])


def unreadable(what: str, error: OSError, origin: Origin, *, finding: str | None = None) -> ConfigurationError:
    """The error that says `what` cannot be read and why, without the path that `origin` already names."""
    reason = (error.strerror or type(error).__name__).lower()
    return ConfigurationError(
        f"{what} cannot be read: {reason}", where=str(origin), hint=f"ls -l {origin}", finding=finding
    )
