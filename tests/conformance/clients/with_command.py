"""A command that is started anew for every call, as the AWS CLI is: the words are this program's arguments."""

from __future__ import annotations

import subprocess
import sys

from line_by_line import serve


def call(_: int) -> None:
    done = subprocess.run(sys.argv[1:], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(done.stderr or done.stdout)


serve(call)
