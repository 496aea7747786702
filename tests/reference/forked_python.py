"""Run Python programs one after another, each in a fork of this process, which has imported boto3 once for all of them.

A program a process, as people run it, without half a second of imports each. A line of JSON on standard input is a job: `text`,
`environment`, `folder`, and `output`, the file that gets what it prints; the answer is a line with its exit code.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any, NoReturn

import boto3  # noqa: F401 - this import is what the forks share


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(json.loads(line))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _run(job: dict[str, Any]) -> NoReturn:
    output = os.open(job["output"], os.O_WRONLY | os.O_CREAT, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    code = 0
    try:
        exec(compile(job["text"], "<example>", "exec"), {"__name__": "__main__"})
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
