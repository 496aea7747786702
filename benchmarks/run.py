"""Run every benchmark of this folder, one after the other: each prints its own table of ratios, paired in one run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Each `bench_*.py`, or those whose names are given; the worst exit code."""
    wanted = sys.argv[1:]
    worst = 0
    for script in sorted(Path(__file__).parent.glob("bench_*.py")):
        name = script.stem.removeprefix("bench_")
        if wanted and name not in wanted:
            continue
        print(f"\n== {name} ({script.name})", flush=True)
        worst = max(worst, subprocess.run([sys.executable, str(script)], check=False).returncode)
    return worst


sys.exit(main())
