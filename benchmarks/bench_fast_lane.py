"""The fast lane against a bare interpreter, and against the other tools that answer as a credential process.

Every round starts each program once, in turn, so that whatever else the machine does hits all of them alike; a ratio is the median
of the rounds' own ratios. Run it by hand, or let run.py call `measure`.
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
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench_endpoint import agent

from unexpire.lab import Lab

ROUNDS = 40
REACH = 1.6


@dataclass(frozen=True)
class Row:
    """One program: its median in milliseconds, and how often the bare interpreter would have started in that time."""

    name: str
    median_ms: float
    ratio: float
    target: float | None = None

    @property
    def reached(self) -> bool | None:
        return None if self.target is None else self.ratio <= self.target


def measure(rounds: int = ROUNDS, say: Callable[[str], None] = lambda _: None) -> list[Row]:
    """Time every program that is here, on a session that is kept already; each must answer with a document."""
    with ExitStack() as stack:
        lab, folder = stack.enter_context(Lab()), stack.enter_context(tempfile.TemporaryDirectory())
        environment = lab.make_home(Path(folder)) | {"PATH": os.environ["PATH"]}
        stack.enter_context(agent(environment, ["role"]))
        programs = _programs()
        for name, command in list(programs.items()):
            first = subprocess.run(command, env=environment, capture_output=True)
            if first.returncode != 0:
                say(f"{name}: left out, it ends with {first.returncode} here")
                del programs[name]
        times: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(rounds):
            for name, command in programs.items():
                # The tools of other languages are measured on few rounds: they take a second each.
                if name.startswith("aws ") and len(times[name]) >= max(rounds // 8, 3):
                    times[name].append(times[name][-1])
                    continue
                times[name].append(_time(command, environment))
    bare = times["python -c pass"]
    rows = []
    for name, taken in times.items():
        ratio = statistics.median(each / base for each, base in zip(taken, bare, strict=True))
        ours = "unexpire" in name
        rows.append(Row(name, statistics.median(taken) * 1000, ratio, REACH if ours else None))
    return rows


def _programs() -> dict[str, list[str]]:
    python = sys.executable
    asked = ["credential-process", "--profile", "role"]
    programs = {
        "python -c pass": [python, "-c", "pass"],
        "python -m unexpire credential-process": [python, "-m", "unexpire", *asked],
        "python -m unexpire credential-process --from-agent": [python, "-m", "unexpire", *asked, "--from-agent"],
        "python -m unexpire prompt": [python, "-m", "unexpire", "prompt", "--profile", "role"],
    }
    script = Path(python).with_name("unexpire")
    if script.exists():
        wrapper = " (its wrapper imports re)" if "import re" in script.read_text(errors="replace") else ""
        programs[f"unexpire credential-process{wrapper}"] = [str(script), *asked]
    # On a profile with keys in the file, which costs it no call: the older ones know no AWS_ENDPOINT_URL, and keep nothing here.
    for number, aws in enumerate(
        dict.fromkeys(filter(None, (_beside(python, "aws"), "/usr/bin/aws", shutil.which("aws")))), 1
    ):
        if os.access(aws, os.X_OK):
            command = [aws, "configure", "export-credentials", "--profile", "copy"]
            programs[f"aws configure export-credentials #{number} ({aws})"] = command
    for name, command in {
        "aws-vault": ["aws-vault", "export", "--format=json", "role"],
        "granted": ["granted", "credential-process", "--profile", "role"],
        "aws-sso": ["aws-sso", "process", "--profile", "role"],
    }.items():
        if shutil.which(name):
            programs[name] = command
    return programs


def _beside(python: str, name: str) -> str | None:
    path = Path(python).with_name(name)
    return str(path) if path.exists() else None


def _time(command: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


@dataclass(frozen=True)
class Stampede:
    """`processes` started at once with nothing kept: how long until all had an answer, and how many calls AWS saw."""

    processes: int
    seconds: float
    assume_role_calls: int
    answers: int


def stampede(processes: int = 200) -> Stampede:
    """Start so many credential processes at once on a cold cache."""
    command = [sys.executable, "-m", "unexpire", "credential-process", "--profile", "role"]
    with Lab() as lab, tempfile.TemporaryDirectory() as folder:
        environment = lab.make_home(Path(folder)) | {"PATH": os.environ["PATH"]}
        start = time.perf_counter()
        crowd = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) for _ in range(processes)]
        answers = {process.communicate()[0] for process in crowd}
        seconds = time.perf_counter() - start
        return Stampede(processes, seconds, lab.count(operation="AssumeRole"), len(answers))


def main() -> None:
    for row in measure(say=print):
        mark = {None: "", True: f"  ≤ {row.target}", False: f"  over {row.target}"}[row.reached]
        print(f"{row.name:64.64} {row.median_ms:8.1f} ms  {row.ratio:6.2f} ×{mark}")
    seen = stampede()
    print(
        f"{seen.processes} at once on a cold cache: {seen.seconds:.1f} s, "
        f"{seen.assume_role_calls} AssumeRole, {seen.answers} different answer"
    )


if __name__ == "__main__":
    main()
