"""restic: one backup that lasts as long as the client, fed a little with every call, so that it uploads under many sessions."""

from __future__ import annotations

import os
import random
import subprocess
import tempfile

from line_by_line import BUCKET, URL, serve

CHUNK = 3 << 20
command = [
    "restic",
    "--no-cache",
    "--repo",
    f"s3:{URL}/{BUCKET}/restic-{os.getpid()}",
    "--option",
    "s3.bucket-lookup=path",
]
variables = {**os.environ, "RESTIC_PASSWORD": "conformance", "RESTIC_PACK_SIZE": "4"}
subprocess.run([*command, "init"], env=variables, check=True, capture_output=True, stdin=subprocess.DEVNULL)
complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process that writes to it
backup = subprocess.Popen(
    [*command, "backup", "--stdin", "--quiet"],
    env=variables,
    stdin=subprocess.PIPE,
    stdout=complaints,
    stderr=complaints,
)


def said() -> str:
    complaints.seek(0)
    return complaints.read()


def call(_: int) -> None:
    assert backup.stdin is not None
    backup.stdin.write(random.randbytes(CHUNK))
    backup.stdin.flush()
    if backup.poll() is not None or "retrying" in said():
        raise RuntimeError(said())


serve(call)
assert backup.stdin is not None
backup.stdin.close()
if backup.wait(120):
    raise SystemExit(f"the backup ended with {backup.returncode}: {said()}")
