"""Runs a program to its end, and ends it with everything that it started: a helper that starts itself would fill the machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

__all__ = ["StartsItself", "run"]

_LOOK_EVERY_S = 0.25
_DEEPEST = 4
"""So many programs of the same command line, each started by the one before, are no accident: a shell's own copies are fewer."""
_LAST_WORDS_S = 1.0


class StartsItself(Exception):
    """The program started itself again, and that one again."""


def run(
    words: Sequence[str], variables: Mapping[str, str], cwd: Path, timeout_s: float, *, most_b: int
) -> subprocess.CompletedProcess[bytes]:
    """As `subprocess.run`, but a program that prints more than `most_b` bytes, takes longer or starts itself is ended with all of its own. Of
    its standard error, on which it may be as verbose as it likes, the end is kept.

    A child that a program leaves behind when it ends is not waited for. Raises OSError, ValueError, TimeoutExpired and StartsItself.
    """
    process = subprocess.Popen(
        words, env=dict(variables), cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    printed, said = bytearray(), bytearray()
    readers = [
        threading.Thread(target=_drain, args=(process.stdout, printed, most_b, process.kill), daemon=True),
        threading.Thread(target=_drain, args=(process.stderr, said, most_b, said.clear), daemon=True),
    ]
    try:
        for reader in readers:
            reader.start()
        _wait(process, timeout_s)
    except BaseException:
        _end(process)
        raise
    for reader in readers:
        # A child of the child may hold the pipes open; what came until its parent's end is all that counts.
        reader.join(_LAST_WORDS_S)
    return subprocess.CompletedProcess(words, process.returncode, bytes(printed), bytes(said))


def _wait(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        left = deadline - time.monotonic()
        try:
            process.wait(max(min(_LOOK_EVERY_S, left), 0.001))
            return
        except subprocess.TimeoutExpired:
            if time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(process.args, timeout_s) from None
            if _nests(process.pid):
                raise StartsItself from None


def _drain(pipe: IO[bytes], kept: bytearray, most_b: int, too_much: Callable[[], None]) -> None:
    with pipe:
        while chunk := os.read(pipe.fileno(), 65536):
            if len(kept) > most_b:
                too_much()
            if len(kept) <= most_b:
                kept += chunk


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop all of it before ending any of it: what is stopped starts nothing new, and loses no parent by which it is found."""
    stopped: set[int] = set()
    if sys.platform == "linux":
        while new := {process.pid, *_below(process.pid)} - stopped:
            for pid in new:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGSTOP)
            stopped |= new
    for pid in stopped - {process.pid}:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _nests(root: int) -> bool:
    """Whether a line of descent holds the same command line again and again (proc(5))."""
    if sys.platform != "linux":
        return False
    line, depth = _command_of(root), 0
    level = [root]
    while level and line:
        depth += any(_command_of(pid) == line for pid in level)
        if depth >= _DEEPEST:
            return True
        level = [child for pid in level for child in _children(pid)]
    return False


def _below(pid: int) -> list[int]:
    found, level = [], [pid]
    while level:
        level = [child for each in level for child in _children(each)]
        found += level
    return found


def _children(pid: int) -> list[int]:
    """Every thread's: a program with several threads starts children from any of them."""
    found: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    return found


def _command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
