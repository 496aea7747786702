"""One client behind one door: started, driven call by call while its sessions end, counted by the lab."""

from __future__ import annotations

import contextlib
import functools
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import botocore.session
from cases import Case, command, companion, variables, write_door
from install import Installed

from unexpire.freshness import DEFAULT_POLICY
from unexpire.lab import Lab

LIFETIME_S = 18
LIFETIMES = 8.5
OUTAGE_S = 3
"""Shorter than what is left of a session when its renewal comes due."""
VIRTUAL_LIFETIME_S = 3600
VIRTUAL_HOURS = 12
VIRTUAL_STEP_S = 150
VIRTUAL_PACE_S = 1.0
"""150 times as fast as life: the keeper of `unexpire run` looks at the clock every ten real seconds at least, which is then every 25
minutes, and a session of an hour is renewed in the 30 minutes before its advertised end."""
VIRTUAL_OUTAGE_S = 300
_BREATH_S = 0.5
"""So much longer a step lasts at most where far more programs want to run than there are cores: what happens behind a call takes longer
there too, and no SDK's time-out of a second is meant to meet a step of the clock."""
_PATIENCE_S = 90
_STARTS = 3
_STARTING = threading.Semaphore(2)
"""Starting is what costs: more at once would only make all of them slow, and time-outs of a second matter here."""
_OUTAGES = ("503", "refuse", "throttle")
_ONE_CLIENT = threading.Lock()
_RUNNING: set[subprocess.Popen[str]] = set()


@dataclass
class Outcome:
    """What the lab counted for a case. `skipped` says why it was not run."""

    case: Case
    lifetimes: int = 0
    calls: int = 0
    failed: int = 0
    expired: int = 0
    renewals: int = 0
    outages: int = 0
    skipped: str = ""
    complaints: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return bool(self.skipped) or (not self.expired and not self.failed and not self.complaints and self.calls > 0)


class Driven:
    """A client program and its answers, each awaited for as long as there is patience."""

    def __init__(self, words: list[str], environment: dict[str, str], errors: Path) -> None:
        self._errors = errors.open("w")
        self.process = subprocess.Popen(
            words,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,
        )
        _RUNNING.add(self.process)
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._answers.put(line.strip())
        self._answers.put("gone")

    def warm_up(self) -> None:
        """First calls until one succeeds: SDKs give an endpoint one second to answer, which is short on a machine where everything
        starts. What the lab counts as expired counts all the same. Raises RuntimeError."""
        said = self._answer()
        if said != "ready":
            raise RuntimeError(said)
        for pause in (1, 1, 1, 1, 0):
            said = self.call()
            if said == "ok":
                return
            if said.startswith("gone"):
                break
            time.sleep(pause)
        raise RuntimeError(said)

    def _answer(self) -> str:
        try:
            return self._answers.get(timeout=_PATIENCE_S)
        except queue.Empty:
            return f"gone: silent for {_PATIENCE_S} s"

    def call(self) -> str:
        """One call; ``ok`` or what went wrong."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except OSError as error:
            return f"gone: {type(error).__name__}"
        return self._answer()

    def finish(self) -> int:
        """Let it end by itself; its exit code."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            return self.process.wait(120)
        finally:
            self.kill()

    def kill(self) -> None:
        _end(self.process)
        self._errors.close()
        if self.process.stdout is not None:
            self.process.stdout.close()


@dataclass
class _Stage:
    """A lab, a client that was started before it, and what became of them."""

    case: Case
    outcome: Outcome
    lab: Lab
    client: Driven
    clock: Path | None
    met: str = ""
    """When the session was issued whose end has met an outage."""

    def call(self) -> None:
        said = self.client.call()
        self.outcome.calls += 1
        if said != "ok":
            self.outcome.failed += 1
            if self.outcome.failed <= 3 or said.startswith("gone"):
                self.outcome.complaints.append(f"{said} ({self._since_renewal()})")

    def _since_renewal(self) -> str:
        """Whether there was a session to be had when a call failed, for who looks for the reason."""
        renewed = self.lab.requests(service="sts", operation="AssumeRole", outcome="ok")[-2:]
        ages = ", ".join(f"{(self.lab.now() - entry.at).total_seconds():.1f}" for entry in renewed)
        return f"the last sessions were issued {ages} s before"

    def fail_sts(self, seconds: int) -> None:
        mode = _OUTAGES[self.outcome.outages % len(_OUTAGES)]
        self.lab.outage("sts", mode, operation="AssumeRole", seconds=seconds)  # type: ignore[arg-type]
        self.outcome.outages += 1

    def end_is_due(self, within_s: float) -> bool:
        """Whether a client that asks late will do so by then, in an outage. True once for each session."""
        if not self.case.asks_late:
            return False
        last = self.lab.requests(service="sts", operation="AssumeRole", outcome="ok")[-1]
        lifetime = timedelta(seconds=LIFETIME_S)
        end = last.at + lifetime - DEFAULT_POLICY.margin(lifetime)
        if self.met == str(last.at) or self.lab.now() + timedelta(seconds=within_s) < end:
            return False
        self.met = str(last.at)
        return True


def run(case: Case, there: Installed) -> Outcome:
    """Put the case on and count. What breaks is a complaint of the outcome."""
    outcome = Outcome(case)
    try:
        with _staged(case, there, outcome) as stage:
            (_virtual if case.virtual else _live)(stage)
            code = stage.client.finish()
            if code:
                raise RuntimeError(f"exit code {code}")
    except Exception as error:  # a case that breaks is a result, and the others go on
        outcome.complaints.append(f"{type(error).__name__}: {error}")
    return outcome


def _live(stage: _Stage) -> None:
    """Real time, short sessions, outages thrown in."""
    case, outcome = stage.case, stage.outcome
    began = time.monotonic()
    outage_at = began + LIFETIME_S * 1.3
    while (now := time.monotonic()) < began + LIFETIME_S * LIFETIMES and not outcome.complaints:
        time_for_one = now >= outage_at
        if time_for_one or stage.end_is_due(case.pace):
            stage.fail_sts(OUTAGE_S)
        if time_for_one:
            outage_at += LIFETIME_S * 1.7
        stage.call()
        time.sleep(max(0.0, case.pace - (time.monotonic() - now)))
    outcome.lifetimes = int((time.monotonic() - began) / LIFETIME_S)


def _virtual(stage: _Stage) -> None:
    """One-hour sessions on a clock that lab, unexpire and client share, moved on between the calls (libfaketime)."""
    assert stage.clock is not None
    passed = 0
    for step in range(1, int(VIRTUAL_HOURS * 3600 / VIRTUAL_STEP_S) + 1):
        if stage.outcome.complaints:
            break
        now = time.monotonic()
        if stage.case.outages and step % 29 == 0:
            stage.fail_sts(VIRTUAL_OUTAGE_S)
            if stage.case.door == "process":  # a client that waits for its process keeps the clock from moving on
                threading.Timer(OUTAGE_S, stage.lab.clear_outages).start()
        stage.call()
        passed = step * VIRTUAL_STEP_S
        stage.lab.set_clock_offset(passed)
        _set(stage.clock, passed)
        time.sleep(max(0.0, VIRTUAL_PACE_S - (time.monotonic() - now)))
        _breathe()
    stage.outcome.lifetimes = passed // VIRTUAL_LIFETIME_S


def _breathe() -> None:
    """Wait, but not for long, while the machine has more to do than it can."""
    until = time.monotonic() + _BREATH_S
    with open("/proc/loadavg") as load:
        while time.monotonic() < until and int(load.read().split()[3].split("/")[0]) > 6 * (os.cpu_count() or 1):
            time.sleep(0.2)
            load.seek(0)


@contextlib.contextmanager
def _staged(case: Case, there: Installed, outcome: Outcome) -> Iterator[_Stage]:
    """A lab with a home, and the client behind its door; counts when it is over, however it ends."""
    lifetime_s = VIRTUAL_LIFETIME_S if case.virtual else LIFETIME_S
    with contextlib.ExitStack() as stack:
        with _STARTING:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            stack.callback(_end_renewals, home)
            lab = stack.enter_context(Lab(timedelta(seconds=lifetime_s)))
            stack.callback(_count, lab, outcome)
            lab.make_home(home)
            _make_bucket(case.bucket, lab)
            write_door(case, home)
            own = {"XDG_RUNTIME_DIR": str(home)}  # what a killed process leaves goes with the home
            environment = variables(case, there, lab.environment(home), lab.url, home) | own
            clock = home / "clock" if case.virtual else None
            if clock is not None:
                _set(clock, 0)
                environment |= {
                    "LD_PRELOAD": there.faketime,
                    "FAKETIME_TIMESTAMP_FILE": str(clock),
                    "FAKETIME_NO_CACHE": "1",
                }
            stack.enter_context(_beside(case, environment, home))
            client = stack.enter_context(_driven(case, lab.url, environment, home))
        yield _Stage(case, outcome, lab, client, clock)


def _count(lab: Lab, outcome: Outcome) -> None:
    outcome.expired = lab.count(outcome="expired")
    outcome.renewals = lab.count("sts", "AssumeRole", outcome="ok")


@contextlib.contextmanager
def _driven(case: Case, url: str, environment: dict[str, str], home: Path) -> Iterator[Driven]:
    errors = home / "client-errors"
    for left in reversed(range(_STARTS)):
        client = Driven(command(case, url, home), environment, errors)
        try:
            client.warm_up()
            break
        except RuntimeError as error:
            client.kill()
            if not left:
                raise RuntimeError(f"did not start: {error} {_tail(errors)}") from None
            time.sleep(3)
    try:
        yield client
    except RuntimeError as error:
        raise RuntimeError(f"{error} {_tail(errors)}") from None
    finally:
        client.kill()


@contextlib.contextmanager
def _beside(case: Case, environment: dict[str, str], home: Path) -> Iterator[None]:
    words = companion(case)
    if words is None:
        yield
        return
    with (home / "companion").open("w") as said:
        own = {name: value for name, value in environment.items() if name != "AWS_PROFILE"}
        process = subprocess.Popen(
            words, env=own, stdin=subprocess.DEVNULL, stdout=said, stderr=said, text=True, start_new_session=True
        )
        _RUNNING.add(process)
        try:
            waited = time.monotonic() + 60
            while "[door]" not in (home / ".aws" / "credentials").read_text():
                if process.poll() is not None or time.monotonic() > waited:
                    raise RuntimeError(f"sync did not write: {_tail(home / 'companion')}")
                time.sleep(0.1)
            yield
        finally:
            _end(process)


def end_all() -> None:
    """For a run that is broken off: nothing that it started goes on."""
    for process in list(_RUNNING):
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGTERM)


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and what it started; each was given a process group of its own."""
    _RUNNING.discard(process)
    for sign, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        if process.poll() is not None:
            return
        with contextlib.suppress(OSError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)


def _end_renewals(home: Path) -> None:
    """A renewal goes on by itself, detached, when whoever began it is gone, and would write into a home that is being removed."""
    patience = time.monotonic() + 5
    while (left := _processes_of(home)) and time.monotonic() < patience:
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _processes_of(home: Path) -> list[int]:
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"HOME={home}".encode() in environ.read_bytes().split(b"\0"):
                found.append(int(environ.parent.name))
    return found


def _tail(path: Path) -> str:
    text = " ".join(path.read_text(errors="replace").split()) if path.exists() else ""
    return text[-300:]


def _set(clock: Path, seconds: int) -> None:
    """How far the faked clock is ahead of the real one; replaced in one step, as it is read with every look at the time."""
    partial = clock.with_suffix(".partial")
    partial.write_text(f"+{seconds}\n")
    partial.replace(clock)


@functools.cache
def _botocore() -> botocore.session.Session:
    """One for all: what it knows of S3 is large."""
    return botocore.session.Session()


def _make_bucket(name: str, lab: Lab) -> None:
    key = lab.user_credentials
    with _ONE_CLIENT:
        client = _botocore().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=lab.url,
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
        )
    client.create_bucket(Bucket=name)
