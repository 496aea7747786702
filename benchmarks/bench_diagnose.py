"""`unexpire diagnose` against one `aws sts get-caller-identity`, and against the classic script: identity, assume-role, identity, with jq.

All of them ask the same lab. Every round starts each program once, in turn, so that whatever else the machine does hits all of them
alike; a ratio is the median of the rounds' own ratios.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from unexpire.lab import Lab

ROUNDS = 15
MOST_OF_ONE_CALL = 0.8
TIMES_FASTER_THAN_THE_SCRIPT = 5.0

# As people have it in their wikis; jq where there is one, else the same with the AWS CLI's own --query.
_SCRIPT = """
set -euo pipefail
aws sts get-caller-identity >/dev/null
creds=$(aws sts assume-role --role-arn "$ROLE" --role-session-name debug --output json)
export AWS_ACCESS_KEY_ID=$(pick AccessKeyId) AWS_SECRET_ACCESS_KEY=$(pick SecretAccessKey) AWS_SESSION_TOKEN=$(pick SessionToken)
aws sts get-caller-identity >/dev/null
"""
_WITH_JQ = """pick() { jq -r ".Credentials.$1" <<<"$creds"; }"""
_WITHOUT_JQ = """pick() { grep -o "\\"$1\\": \\"[^\\"]*" <<<"$creds" | cut -d'"' -f4; }"""


@dataclass(frozen=True)
class Row:
    """One comparison: what `diagnose` takes, what the other takes (milliseconds), and the ratio that counts with its reach."""

    name: str
    ours_ms: float
    theirs_ms: float
    ratio: float
    reach: float
    at_most: bool

    @property
    def reached(self) -> bool:
        return self.ratio <= self.reach if self.at_most else self.ratio >= self.reach


def measure(rounds: int = ROUNDS, say: Callable[[str], None] = lambda _: None) -> list[Row]:
    """Time all three on a profile with a long-term key, and `diagnose` of the role against the script, which assumes it."""
    aws = _aws()
    if aws is None:
        say("there is no AWS CLI to compare with")
        return []
    say(
        "jq is here" if shutil.which("jq") else "there is no jq here: grep and cut stand in for it, which start as fast"
    )
    with Lab() as lab, tempfile.TemporaryDirectory() as folder:
        path = f"{Path(aws).parent}{os.pathsep}{os.environ['PATH']}"
        environment = lab.environment(Path(folder)) | {
            "PATH": path,
            "AWS_PROFILE": "static",
            "ROLE": lab.role_arn("Deploy"),
        }
        lab.make_home(Path(folder))
        # The AWS CLI of version 1 before 1.29 does not know AWS_ENDPOINT_URL; those that do need nothing else.
        script = (_WITH_JQ if shutil.which("jq") else _WITHOUT_JQ) + _SCRIPT
        unexpire = [sys.executable, "-m", "unexpire", "diagnose"]
        programs = {
            "diagnose": unexpire,
            "one call": [aws, "sts", "get-caller-identity"],
            "diagnose a role": [*unexpire, "--profile", "role"],
            "script": ["bash", "-c", script],
        }
        times: dict[str, list[float]] = {name: [] for name in programs}
        for number in range(rounds + 1):
            for name, command in programs.items():
                taken = _time(command, environment)
                if number:  # the first round fills the caches of the file system
                    times[name].append(taken)
    return [
        _row(
            "diagnose / one aws sts get-caller-identity", times["diagnose"], times["one call"], MOST_OF_ONE_CALL, True
        ),
        _row(
            "the classic script / diagnose of the same role",
            times["diagnose a role"],
            times["script"],
            TIMES_FASTER_THAN_THE_SCRIPT,
            False,
        ),
    ]


def _row(name: str, ours: list[float], theirs: list[float], reach: float, at_most: bool) -> Row:
    ratios = [a / b if at_most else b / a for a, b in zip(ours, theirs, strict=True)]
    return Row(
        name,
        statistics.median(ours) * 1000,
        statistics.median(theirs) * 1000,
        statistics.median(ratios),
        reach,
        at_most,
    )


def _aws() -> str | None:
    beside = Path(sys.executable).with_name("aws")
    return str(beside) if beside.exists() else shutil.which("aws")


def _time(command: list[str], environment: dict[str, str]) -> float:
    begun = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    taken = time.perf_counter() - begun
    if done.returncode != 0:
        raise RuntimeError(f"{command[:3]} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-400:]}")
    return taken


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    rows = measure(rounds, say=print)
    for row in rows:
        sign = "<=" if row.at_most else ">="
        verdict = "reached" if row.reached else "not reached"
        print(
            f"{row.name:<50} {row.ours_ms:7.0f} ms against {row.theirs_ms:7.0f} ms: "
            f"{row.ratio:5.2f}  (reach {sign} {row.reach}: {verdict})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
