"""A program for test_stores_atomic: writes a file once for every step of the way, and dies of SIGKILL at that step.

    killed_writer.py FOLDER

For N = 1, 2, 3 … a child process starts `replace` (with a backup) on a fresh file and is killed at the Nth line that it executes in
the writer's own module, or in the standard library right below it. Prints a line `N STATE` each, until a child comes through alive.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

from unexpire.stores import atomic

OLD, NEW = b"old " * 5000, b"new " * 9000
WATCHED = (atomic.__file__, tempfile.__file__)


def killed_at(step: int, path: Path) -> bool:
    """Whether the child was killed; False once it comes to its end before that step."""
    child = os.fork()
    if child == 0:
        left = step

        def trace(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal left
            if frame.f_code.co_filename not in WATCHED:
                return None
            if event == "line":
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        atomic.replace(path, NEW, backup=True)
        sys.settrace(None)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def state_of(path: Path) -> str:
    content = path.read_bytes()
    backup = path.with_name(path.name + atomic.BACKUP_SUFFIX)
    backed = not backup.exists() or backup.read_bytes() == OLD
    name = "old" if content == OLD else "new" if content == NEW else "torn"
    return name if backed else "torn-backup"


def main(folder: Path) -> None:
    for step in range(1, 10_000):
        place = folder / str(step)
        place.mkdir()
        path = place / "credentials"
        path.write_bytes(OLD)
        path.chmod(0o640)
        killed = killed_at(step, path)
        mode = oct(path.stat().st_mode & 0o777)
        print(step, state_of(path), mode, "killed" if killed else "alive", flush=True)
        shutil.rmtree(place)
        if not killed:
            return


main(Path(sys.argv[1]))
