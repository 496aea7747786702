"""A terminal for one command, and what it showed."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import time


class Terminal:
    """A shell-less terminal: one command on a pseudo-terminal of its own."""

    def __init__(self, line: list[str], env: dict[str, str]) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execvpe(line[0], line, env)
        self.seen = b""

    def until(self, text: str, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while text.encode() not in self.seen:
            assert time.monotonic() < deadline, f"no {text!r} in {self.seen!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    self.seen += os.read(self.master, 4096)

    def type(self, text: bytes) -> None:
        os.write(self.master, text)

    def end(self) -> int:
        with contextlib.suppress(OSError):
            while data := os.read(self.master, 4096):
                self.seen += data
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.master)
        return code
