"""What `unexpire run` adds to the start of a command: with the session kept, with an agent, and with nothing kept yet.

Against the bare command, a bare interpreter that starts it, and the other tools that wrap a command, where they are on PATH. Every round starts
each once, in turn; a ratio is the median of the rounds' own ratios to the bare interpreter.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench_endpoint import agent

from unexpire.lab import Lab

ROUNDS = 15


@dataclass(frozen=True)
class Row:
    """One way to start `true`: median milliseconds, and how often a bare interpreter would have started in that time."""

    name: str
    median_ms: float
    ratio: float


def measure(rounds: int = ROUNDS) -> list[Row]:
    with Lab() as lab, tempfile.TemporaryDirectory() as folder:
        environment = lab.make_home(Path(folder)) | {"PATH": os.environ["PATH"]}
        elsewhere = environment | {"UNEXPIRE_AGENT_SOCKET": str(Path(folder, "another.sock"))}
        ours = [sys.executable, "-m", "unexpire", "run", "--profile", "role", "--", "true"]
        started = "import os; os.execvp('true', ['true'])"
        with agent(environment, ["role"]):
            programs = {
                "python -c pass": ([sys.executable, "-c", "pass"], elsewhere),
                "true": (["true"], elsewhere),
                "python, and exec of true": ([sys.executable, "-c", started], elsewhere),
                "unexpire run -- true, session kept": (ours, elsewhere),
                "unexpire run -- true, with an agent": (ours, environment),
                "unexpire run -- true, nothing kept (one AssumeRole)": (ours, elsewhere),
            } | {
                name: (command, elsewhere)
                for name, command in {
                    "aws-vault exec": ["aws-vault", "exec", "--no-session", "role", "--", "true"],
                    "aws-sso exec": ["aws-sso", "exec", "--profile", "role", "--", "true"],
                }.items()
                if shutil.which(command[0])
            }
            times: dict[str, list[float]] = {name: [] for name in programs}
            for _ in range(rounds):
                for name, (command, variables) in programs.items():
                    if "nothing kept" in name:
                        forget = [sys.executable, "-m", "unexpire", "forget", "--all"]
                        subprocess.run(forget, env=variables, stdout=subprocess.DEVNULL, check=True)
                    times[name].append(_time(command, variables))
    bare = times["python -c pass"]
    return [
        Row(
            name,
            statistics.median(taken) * 1000,
            statistics.median(each / base for each, base in zip(taken, bare, strict=True)),
        )
        for name, taken in times.items()
    ]


def _time(command: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    for row in measure():
        print(f"{row.name:56} {row.median_ms:8.1f} ms  {row.ratio:6.2f} ×")


if __name__ == "__main__":
    main()
