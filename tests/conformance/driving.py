"""One client behind one door: started, driven call by call while its sessions end, counted by the lab."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from cases import Case, command, companion, variables, write_door
from install import Installed

from unexpire.lab import Lab

LIFETIME_S = 18
LIFETIMES = 8.5
OUTAGE_S = 3
"""Shorter than what is left of a session when its renewal comes due."""
VIRTUAL_HOURS = 12.5
VIRTUAL_STEP_S = 150
VIRTUAL_PACE_S = 1.25
"""120 times as fast as life: the keeper of `unexpire run` looks at the clock every ten real seconds at least, which is then every 20
minutes, and a renewal in the background has to have time for what it really takes."""
VIRTUAL_OUTAGE_S = 300
_PATIENCE_S = 90
_STARTING = threading.Semaphore(3)
"""Starting is what costs: more at once would only make all of them slow, and time-outs of a second matter here."""
_OUTAGES = ("503", "refuse", "throttle")


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
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.expect("ready")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._answers.put(line.strip())
        self._answers.put("gone")

    def expect(self, wanted: str) -> None:
        said = self._answers.get(timeout=_PATIENCE_S)
        if said != wanted:
            raise RuntimeError(said)

    def call(self) -> str:
        """One call; ``ok`` or what went wrong."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            return self._answers.get(timeout=_PATIENCE_S)
        except (OSError, queue.Empty) as error:
            return f"gone {type(error).__name__}"

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


def live(case: Case, there: Installed) -> Outcome:
    """Real time, short sessions, outages thrown in."""
    outcome = Outcome(case)
    with tempfile.TemporaryDirectory() as folder, Lab(timedelta(seconds=LIFETIME_S)) as lab:
        home = Path(folder)
        lab.make_home(home)
        _make_bucket(case.bucket, lab.url, lab.user_credentials.access_key_id, lab.user_credentials.secret_access_key)
        write_door(case, home)
        environment = variables(case, there, lab.environment(home), lab.url, home)
        with _beside(case, environment, home), _driven(case, lab.url, environment, home, outcome) as client:
            began = time.monotonic()
            until = began + LIFETIME_S * LIFETIMES
            outage_at = began + LIFETIME_S * 1.3
            while (now := time.monotonic()) < until and not outcome.complaints:
                if now >= outage_at and case.outages:
                    mode = _OUTAGES[outcome.outages % len(_OUTAGES)]
                    lab.outage("sts", mode, operation="AssumeRole", seconds=OUTAGE_S)  # type: ignore[arg-type]
                    outcome.outages += 1
                    outage_at += LIFETIME_S * 1.7
                _one_call(client, outcome)
                time.sleep(max(0.0, case.client.pace - (time.monotonic() - now)))
            outcome.lifetimes = int((time.monotonic() - began) / LIFETIME_S)
        outcome.expired = lab.count(outcome="expired")
        outcome.renewals = lab.count("sts", "AssumeRole", outcome="ok")
    return outcome


def virtual(case: Case, there: Installed) -> Outcome:
    """One-hour sessions on a clock that lab, unexpire and client share, moved on between the calls (libfaketime)."""
    outcome = Outcome(case)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        clock = home / "clock"
        _set(clock, 0)
        faked = {
            "LD_PRELOAD": there.faketime,
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
        }
        with _lab_process(home, faked) as url:
            write_door(case, home)
            lab_says = _lab(url, "")
            pointing = {
                "AWS_ENDPOINT_URL": url,
                "AWS_REGION": "us-east-1",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_EC2_METADATA_DISABLED": "true",
                "NO_PROXY": "127.0.0.1,localhost",
                "HOME": str(home),
                "AWS_CONFIG_FILE": str(home / ".aws" / "config"),
                "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws" / "credentials"),
            }
            environment = variables(case, there, pointing, url, home) | faked
            with _STARTING:
                _make_bucket_as(case.bucket, home, lab_says["user"]["access_key_id"], url, faked)
            with _driven(case, url, environment, home, outcome) as client:
                passed = 0
                for step in range(1, int(VIRTUAL_HOURS * 3600 / VIRTUAL_STEP_S) + 1):
                    if outcome.complaints:
                        break
                    now = time.monotonic()
                    if step % 29 == 0 and case.outages:
                        mode = _OUTAGES[outcome.outages % len(_OUTAGES)]
                        _lab(url, "outage", service="sts", mode=mode, operation="AssumeRole", seconds=VIRTUAL_OUTAGE_S)
                        outcome.outages += 1
                    _one_call(client, outcome)
                    passed = step * VIRTUAL_STEP_S
                    _set(clock, passed)
                    time.sleep(max(0.0, VIRTUAL_PACE_S - (time.monotonic() - now)))
                outcome.lifetimes = passed // 3600
            counted = _lab(url, "counts")
        outcome.expired = sum(row["count"] for row in counted if row["outcome"] in _EXPIRED)
        outcome.renewals = sum(
            row["count"] for row in counted if (row["operation"], row["outcome"]) == ("AssumeRole", "ok")
        )
    return outcome


_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")


def _one_call(client: Driven, outcome: Outcome) -> None:
    said = client.call()
    outcome.calls += 1
    if said != "ok":
        outcome.failed += 1
        if outcome.failed <= 3 or said.startswith("gone"):
            outcome.complaints.append(said)


def _warm_up(client: Driven) -> None:
    """First calls until one succeeds: SDKs give an endpoint one second to answer, which is short on a machine where everything starts.
    What the lab counts as expired counts all the same."""
    said = [client.call()]
    while said[-1] != "ok" and len(said) < 5 and not said[-1].startswith("gone"):
        time.sleep(1)
        said.append(client.call())
    if said[-1] != "ok":
        raise RuntimeError(said[-1])


@contextlib.contextmanager
def _driven(case: Case, url: str, environment: dict[str, str], home: Path, outcome: Outcome) -> Iterator[Driven]:
    errors = home / "client-errors"
    try:
        with _STARTING:
            client = Driven(command(case, url, home), environment, errors)
            _warm_up(client)
    except (RuntimeError, queue.Empty) as error:
        raise RuntimeError(f"did not start: {error} {_tail(errors)}") from None
    try:
        yield client
        code = client.finish()
        if code:
            outcome.complaints.append(f"exit code {code}: {_tail(errors)}")
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
            words, env=own, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
        try:
            waited = time.monotonic() + 30
            while "[door]" not in (home / ".aws" / "credentials").read_text():
                if process.poll() is not None or time.monotonic() > waited:
                    raise RuntimeError(f"sync did not write: {_tail(home / 'companion')}")
                time.sleep(0.1)
            yield
        finally:
            _end(process)


def _end(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """End a process and what it started; each was given a process group of its own."""
    for sign, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        if process.poll() is not None:
            return
        with contextlib.suppress(OSError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)


def _tail(path: Path) -> str:
    text = " ".join(path.read_text(errors="replace").split()) if path.exists() else ""
    return text[-300:]


# --- the lab in a process of its own


@contextlib.contextmanager
def _lab_process(home: Path, faked: dict[str, str]) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "XDG_"))}
    words = [sys.executable, "-m", "unexpire", "lab", "--lifetime", "1h", "--port", str(port), "--home", str(home)]
    with (home / "lab-says").open("w") as said:
        process = subprocess.Popen(
            words, env=kept | faked, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
        try:
            for _ in range(600):
                with contextlib.suppress(OSError):
                    _lab(url, "")
                    if "[expired]" in (home / ".aws" / "credentials").read_text():
                        break
                if process.poll() is not None:
                    raise RuntimeError(f"the lab did not start: {_tail(home / 'lab-says')}")
                time.sleep(0.1)
            yield url
        finally:
            _end(process)


def _lab(url: str, action: str, **arguments: Any) -> Any:
    """Ask the lab (``counts``, nothing) or tell it something."""
    body = json.dumps(arguments).encode() if arguments else None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(f"{url}/_lab/{action}", body), timeout=60) as answer:
        return json.load(answer)


def _set(clock: Path, seconds: int) -> None:
    """How far the faked clock is ahead of the real one; replaced in one step, as it is read with every look at the time."""
    partial = clock.with_suffix(".partial")
    partial.write_text(f"+{seconds}\n")
    partial.replace(clock)


def _make_bucket(name: str, url: str, key: str, secret: str) -> None:
    import botocore.session

    client = botocore.session.Session().create_client(
        "s3", region_name="us-east-1", endpoint_url=url, aws_access_key_id=key, aws_secret_access_key=secret
    )
    client.create_bucket(Bucket=name)


def _make_bucket_as(name: str, home: Path, key: str, url: str, faked: dict[str, str]) -> None:
    """The same, by a process on the faked clock, with the key that the lab wrote."""
    import configparser

    file = configparser.ConfigParser()
    file.read(home / ".aws" / "credentials")
    code = "import sys; sys.path.insert(0, sys.argv[1]); from driving import _make_bucket; _make_bucket(*sys.argv[2:])"
    secret = file["static"]["aws_secret_access_key"]  # of the lab's own user, good for nothing else
    words = [sys.executable, "-c", code, str(Path(__file__).parent), name, url, key, secret]
    subprocess.run(words, env={**os.environ, **faked}, check=True, timeout=120)
