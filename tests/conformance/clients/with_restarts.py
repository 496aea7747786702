"""A client program that is started anew for every call, so that it reads its files again; its words are this program's arguments."""

from __future__ import annotations

import subprocess
import sys

from line_by_line import serve


def call(_: int) -> None:
    done = subprocess.run(sys.argv[1:], capture_output=True, text=True, timeout=120, input="\n")
    if done.returncode or done.stdout.split() != ["ready", "ok"]:
        raise RuntimeError(done.stdout + done.stderr)


serve(call)
