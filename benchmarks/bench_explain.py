"""`unexpire explain`: a name against a bare interpreter, and a log that holds no error against the clock.

Every round starts each program once, in turn, so that whatever else the machine does hits all of them alike; a ratio is the median
of the rounds' own ratios. The log is made of lines that match nothing; its speed is the best of a few passes over 200 MB in memory,
beside how fast the same pass only counts its lines. Run it by hand, or let run.py call `measure`.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 40
REACH = 3.0
"""`explain NAME` into a pipe takes at most this many times what `python -c pass` takes."""
SPEED_MB_S = 100.0
LOG_MB = 200


@dataclass(frozen=True)
class Row:
    """One figure; `better` says which way it counts."""

    name: str
    value: float
    unit: str
    target: float | None = None
    better: str = "lower"

    @property
    def reached(self) -> bool | None:
        if self.target is None:
            return None
        return self.value <= self.target if self.better == "lower" else self.value >= self.target


def measure(rounds: int = ROUNDS, megabytes: int = LOG_MB) -> list[Row]:
    """Both measurements."""
    return [*start_up(rounds), *log(megabytes)]


def start_up(rounds: int = ROUNDS) -> list[Row]:
    """`explain ExpiredToken` into a pipe, and a text through the whole command, in bare interpreters' start-up times."""
    text = "An error occurred (ExpiredToken) when calling the GetObject operation: The provided token has expired."
    programs: dict[str, tuple[list[str], bytes]] = {
        "python -c pass": ([sys.executable, "-c", "pass"], b""),
        "explain NAME": ([sys.executable, "-m", "unexpire", "explain", "ExpiredToken"], b""),
        "explain - (one line)": ([sys.executable, "-m", "unexpire", "explain", "-"], text.encode()),
    }
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, (command, given) in programs.items():
            started = time.perf_counter()
            subprocess.run(
                command, input=given, stdout=subprocess.PIPE, check=True, env=os.environ | {"PYTHONUTF8": "1"}
            )
            times[name].append(time.perf_counter() - started)
    bare = times["python -c pass"]
    rows = []
    for name in list(programs)[1:]:
        ratio = statistics.median(each / base for each, base in zip(times[name], bare, strict=True))
        rows.append(Row(name, ratio, "x python -c pass", REACH if name == "explain NAME" else None))
    return rows


def log(megabytes: int = LOG_MB, passes: int = 3) -> list[Row]:
    """MB/s over a log without any error, on one core."""
    from unexpire.reference.scan import scan

    data = _lines(b"items")

    def reader(data: bytes, megabytes: int) -> Callable[[int], bytes]:
        left, at = megabytes * 1_000_000, 0

        def read(size: int) -> bytes:
            nonlocal left, at
            piece = data[at : at + min(size, left)]
            left -= len(piece)
            at = (at + len(piece)) % len(data)
            return piece

        return read

    best, count = 0.0, 0.0
    for _ in range(passes):
        started = time.process_time()  # of this process alone: what one core does, whoever else wants it
        found = scan(reader(data, megabytes))
        best = max(best, megabytes / (time.process_time() - started))
        assert not found
        started = time.process_time()
        read = reader(data, megabytes)
        while piece := read(1 << 20):
            piece.count(b"\n")
        count = max(count, megabytes / (time.process_time() - started))
    started = time.process_time()
    found = scan(reader(_lines(b"token"), megabytes // 10))
    suspect = megabytes / 10 / (time.process_time() - started)
    assert not found
    return [
        Row("log without errors", best, "MB/s", SPEED_MB_S, "higher"),
        Row("every line speaks of a token", suspect, "MB/s"),
        Row("the same, lines only counted", count, "MB/s"),
    ]


def _lines(subject: bytes) -> bytes:
    dice = random.Random(7)
    levels = (b"INFO", b"INFO", b"INFO", b"DEBUG", b"WARN")
    return b"".join(
        b"2026-10-10T10:%02d:%02d.%06dZ %s worker-%d handled request id=%x path=/api/v1/%b/%d status=200 in %d ms\n"
        % (
            dice.randrange(60),
            dice.randrange(60),
            dice.randrange(10**6),
            dice.choice(levels),
            dice.randrange(40),
            dice.getrandbits(64),
            subject,
            dice.randrange(9999),
            dice.randrange(999),
        )
        for _ in range(60_000)
    )


def main() -> None:
    for row in measure():
        verdict = {True: "reached", False: "MISSED", None: ""}[row.reached]
        target = f"(target {row.target:g})" if row.target is not None else ""
        print(f"{row.name:<30} {row.value:8.2f} {row.unit:<18} {target} {verdict}")


if __name__ == "__main__":
    main()
