"""The folder of one wrapped command: the token, and the files that it is pointed at, for as long as somebody serves them.

The process beside the command removes its folder when the command has ended. Where that process was killed and could not, the next
`run` does: it keeps a lock on the folder for as long as it lives, and the folder's name says which process is the command.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import UnexpireError
from .child import alive

__all__ = ["hold", "new_run_folder"]

_PREFIX = "unexpire-run-"


def new_run_folder(variables: Mapping[str, str]) -> Path:
    """A new folder, 0700, in memory where the system has such a place for this user: XDG_RUNTIME_DIR. Raises UnexpireError."""
    runtime = variables.get("XDG_RUNTIME_DIR", "")
    for base in (runtime if os.path.isabs(runtime) else None, None):
        with contextlib.suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=base))
            _remove_left_behind(folder.parent)
            return folder
    raise UnexpireError("no folder for temporary files can be written", hint="export TMPDIR=/a/writable/folder")


def hold(folder: Path) -> int:
    """A descriptor that keeps `folder` from being taken for one left behind while any process has it; -1 where there are no such locks."""
    try:
        import fcntl
    except ImportError:  # Windows: there this process outlives the command, and removes the folder itself
        return -1
    descriptor = -1
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if descriptor >= 0:
            os.close(descriptor)
        return -1
    return descriptor


def _remove_left_behind(base: Path) -> None:
    """Remove this user's folders that nobody serves and whose command has ended."""
    if os.name == "nt":
        return
    for folder in _whose_command_ended(base):
        held = hold(folder)
        if held < 0:
            continue
        if os.fstat(held).st_uid == os.geteuid():
            shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _whose_command_ended(base: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError), os.scandir(base) as entries:
        for entry in entries:
            pid = entry.name.removeprefix(_PREFIX).partition("-")[0]
            if entry.name.startswith(_PREFIX) and pid.isdecimal() and not alive(int(pid)):
                yield Path(entry.path)
