"""An agent that keeps 1,000 and 10,000 identities: what a session costs it, what holding them costs, and what renewing them costs.

Three things are measured on a real agent against the lab: processor time for a session (from the cold fill, in which it fetches every one), its
processor share while nothing is due, and its memory. A bare botocore client that makes the same AssumeRole call, in the same run, is what the
first is held against. Sessions of an hour are renewed 40 minutes before their end; the share of a keeper at work is computed from that:
idle share + identities / 20 min x processor time of a session. For the smaller number it is measured as well, with sessions so short that
renewals run all the time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bench_endpoint import agent

from unexpire.lab import Lab

CROWDS = (1_000, 10_000)
IDLE_S = 15.0
BUSY_LIFETIME = timedelta(seconds=120)
BUSY_S = 60.0
RENEWED_AFTER_S = 20 * 60


@dataclass(frozen=True)
class Row:
    """CPU times in seconds, memory in KiB an identity, shares of one processor."""

    identities: int
    filled_in_s: float
    cpu_per_session_s: float
    idle_share: float
    kib_per_identity: float

    @property
    def share(self) -> float:
        """Of one processor, with sessions of an hour."""
        return self.idle_share + self.identities / RENEWED_AFTER_S * self.cpu_per_session_s


@dataclass(frozen=True)
class Busy:
    """Renewals seen by the lab while the agent's processor time was measured, with short sessions."""

    identities: int
    renewals_per_s: float
    share: float
    expired: int


def measure(identities: int) -> Row:
    with Lab() as lab, tempfile.TemporaryDirectory() as folder:
        names, environment = _home(lab, Path(folder), identities)
        with agent(environment, []) as ask:
            pid = ask({"op": "ping"})["pid"]
            memory, cpu, start = _memory_kib(pid), _cpu_s(pid), time.perf_counter()
            _keep(ask, names)
            _until(lambda: lab.count("sts", "AssumeRole", outcome="ok") >= identities)
            filled, spent = time.perf_counter() - start, _cpu_s(pid) - cpu
            held = _memory_kib(pid) - memory
            time.sleep(3)
            cpu, start = _cpu_s(pid), time.perf_counter()
            time.sleep(IDLE_S)
            idle = (_cpu_s(pid) - cpu) / (time.perf_counter() - start)
            calls = lab.count("sts", "AssumeRole")
            if calls != identities:
                raise SystemExit(f"{calls} AssumeRole for {identities} identities")
    return Row(identities, filled, spent / identities, idle, held / identities)


def measure_busy(identities: int) -> Busy:
    with Lab(lifetime=BUSY_LIFETIME) as lab, tempfile.TemporaryDirectory() as folder:
        names, environment = _home(lab, Path(folder), identities)
        with agent(environment, []) as ask:
            pid = ask({"op": "ping"})["pid"]
            _keep(ask, names)
            _until(lambda: lab.count("sts", "AssumeRole", outcome="ok") >= identities)
            # a lifetime later the renewals are spread as the fill was
            time.sleep(BUSY_LIFETIME.total_seconds() * 2 / 3)
            before, cpu, start = lab.count("sts", "AssumeRole", outcome="ok"), _cpu_s(pid), time.perf_counter()
            time.sleep(BUSY_S)
            taken = time.perf_counter() - start
            share = (_cpu_s(pid) - cpu) / taken
            renewals = lab.count("sts", "AssumeRole", outcome="ok") - before
            return Busy(identities, renewals / taken, share, lab.count(outcome="expired"))


def botocore_cpu_s(calls: int = 300) -> float:
    """Processor time of one AssumeRole by a bare botocore client that is there already."""
    program = (
        "import sys, time, botocore.session\n"
        "client = botocore.session.Session(profile='static').create_client('sts')\n"
        "ask = lambda: client.assume_role(RoleArn=sys.argv[1], RoleSessionName='bare')\n"
        "ask(); start = time.process_time()\n"
        "for _ in range(int(sys.argv[2])): ask()\n"
        "print((time.process_time() - start) / int(sys.argv[2]))\n"
    )
    with Lab() as lab, tempfile.TemporaryDirectory() as folder:
        environment = lab.make_home(Path(folder)) | {"PATH": os.environ["PATH"]}
        command = [sys.executable, "-c", program, lab.role_arn("Deploy"), str(calls)]
        return float(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)


def _home(lab: Lab, folder: Path, identities: int) -> tuple[list[str], dict[str, str]]:
    environment = lab.make_home(folder) | {"PATH": os.environ["PATH"]}
    names = [f"fleet-{number:05}" for number in range(identities)]
    with (folder / ".aws" / "config").open("a") as config:
        for name in names:
            config.write(
                f"[profile {name}]\nrole_arn = {lab.role_arn('Deploy')}\nsource_profile = static\nrole_session_name = {name}\n"
            )
    return names, environment


def _keep(ask: Callable[[dict[str, str]], object], names: list[str]) -> None:
    for name in names:
        ask({"op": "keep", "profile": name})


def _until(done: Callable[[], bool], patience_s: float = 900) -> None:
    end = time.monotonic() + patience_s
    while not done():
        if time.monotonic() > end:
            raise SystemExit(f"not there after {patience_s:.0f} s")
        time.sleep(0.2)


def _cpu_s(pid: int) -> float:
    """User and system time so far (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])


def main() -> None:
    if not Path("/proc/self/stat").exists():
        print("left out: it reads /proc")
        return
    bare = botocore_cpu_s()
    print(f"a bare botocore client: {bare * 1000:.2f} ms of processor time an AssumeRole")
    for identities in CROWDS:
        row = measure(identities)
        print(
            f"{row.identities:6} identities: filled in {row.filled_in_s:.1f} s, {row.cpu_per_session_s * 1000:.2f} ms of processor time a"
            f" session ({row.cpu_per_session_s / bare:.2f} × botocore's), {row.kib_per_identity:.1f} KiB an identity, idle"
            f" {row.idle_share:.2%} of a processor; with sessions of an hour {row.share:.2%}"
        )
    busy = measure_busy(CROWDS[0])
    print(
        f"{busy.identities:6} identities with sessions of {BUSY_LIFETIME.total_seconds():.0f} s: {busy.renewals_per_s:.1f} renewals a second,"
        f" {busy.share:.2%} of a processor, {busy.expired} expired requests"
    )


if __name__ == "__main__":
    main()
