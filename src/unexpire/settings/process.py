"""What /proc tells about another process of the same user."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConfigurationError

__all__ = ["Seen", "look_at"]


@dataclass(frozen=True, slots=True)
class Seen:
    variables: Mapping[str, str] = field(repr=False)
    cwd: Path
    uid: int


def look_at(pid: int, *, proc: Path = Path("/proc")) -> Seen:
    """What `pid` was started with, where it works and whose it is. Raises ConfigurationError, see `Environment.of_process`."""
    if not sys.platform.startswith("linux"):
        raise _refusal(
            pid, "another process's variables can be seen on Linux only", "run unexpire in the shell that starts it"
        )
    folder = proc / str(pid)
    try:
        owner = folder.stat().st_uid
        if owner != os.geteuid():
            raise _refusal(pid, f"process {pid} belongs to another user", f"sudo -u {_name_of(owner)} unexpire …")
        data = (folder / "environ").read_bytes()
        cwd = Path(os.readlink(folder / "cwd"))
        status = (folder / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError) as error:
        raise _refusal(pid, f"there is no process {pid}", "ps -u $USER") from error
    except PermissionError as error:
        raise _refusal(
            pid, f"process {pid} does not let its variables be read", "run unexpire beside it instead"
        ) from error
    if status.rpartition(b")")[2].split()[:1] == [b"Z"]:
        raise _refusal(pid, f"process {pid} has already ended", "ps -u $USER")
    return Seen(_variables(data), cwd, owner)


def _variables(data: bytes) -> dict[str, str]:
    """NUL-separated NAME=value; of a name that comes twice the first counts, as for getenv(3) and Python."""
    variables: dict[str, str] = {}
    for entry in data.split(b"\0"):
        name, equals, value = entry.partition(b"=")
        if equals:
            variables.setdefault(os.fsdecode(name), os.fsdecode(value))
    return variables


def _name_of(uid: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return f"'#{uid}'"


def _refusal(pid: int, message: str, hint: str) -> ConfigurationError:
    return ConfigurationError(message, where=f"--pid {pid}", hint=hint)
