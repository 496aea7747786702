"""What every door promises, whichever it is; counted by the lab, which knows each session it ever gave."""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from contract_crowd import read_by_many
from contract_doors import NAMES, Answer, Door, ProcessDoor, opened

from unexpire.lab import Lab

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")

Setenv = Callable[[str, str], None]


@pytest.fixture
def setenv(monkeypatch: pytest.MonkeyPatch) -> Setenv:
    return monkeypatch.setenv


def check_alive(answer: Answer, lab: Lab, before: datetime) -> None:
    """The set is one whole session of the lab's that was alive when it was asked for, and its end is told honestly."""
    session = lab.state.sessions[answer.key]
    assert (answer.secret, answer.token) == (session.secret, session.token), "torn"
    assert session.ends_at > before, "expired"
    if answer.expiration is not None:
        assert answer.expiration <= session.ends_at, "promises more than there is"
        assert answer.expiration > before - timedelta(seconds=1), "told to be over"


def check_one_at_a_time(lab: Lab, known: Collection[str]) -> None:
    """No renewal came upon another one: each was due, which it is after a fifth of a lifetime at the earliest, or never."""
    issued = sorted(session.issued_at for key, session in lab.state.sessions.items() if key not in known)
    assert issued
    assert all(later - earlier > timedelta(seconds=0.5) for earlier, later in itertools.pairwise(issued))


Enough = Callable[[list[Answer]], bool]


def watch(door: Door, lab: Lab, enough: Enough, pause: float | None = None) -> list[Answer]:
    """Ask again and again until there is enough, however busy the machine is; every set that comes must be good."""
    answers: list[Answer] = []
    deadline = time.monotonic() + 90
    while not enough(answers):
        assert time.monotonic() < deadline, f"never saw enough in {len(answers)} answers"
        before = datetime.now(UTC)
        answer = door.ask()
        if answer.ok:
            check_alive(answer, lab, before)
        answers.append(answer)
        time.sleep(door.pause if pause is None else pause)
    return answers


def keys(count: int) -> Enough:
    return lambda answers: len({answer.key for answer in answers if answer.ok}) >= count


def for_seconds(seconds: float) -> Enough:
    end = time.monotonic() + seconds
    return lambda answers: time.monotonic() > end


@pytest.mark.parametrize("name", NAMES)
def test_through_lifetimes_and_an_outage_no_answer_is_ever_expired(name: str, tmp_path: Path, setenv: Setenv) -> None:
    with Lab(lifetime=timedelta(seconds=4)) as lab, opened(name, lab, tmp_path, setenv) as door:
        watch(door, lab, keys(3))
        lab.outage("sts", "503", operation="AssumeRole")
        if door.failures:
            stricken = watch(door, lab, lambda answers: len(answers) > 3 and not any(each.ok for each in answers[-3:]))
            failed = [answer for answer in stricken if not answer.ok]
            assert {answer.status for answer in failed} <= door.failures
            assert not any(answer.key or "ASIA" in answer.body for answer in failed)
            came = [answer.ok for answer in stricken]
            assert came == sorted(came, reverse=True), "comes back"
        else:
            last = door.ask().key
            while lab.state.sessions[last].ends_at > datetime.now(UTC):
                time.sleep(0.1)
        old = set(lab.state.sessions)
        lab.clear_outages()
        deadline = time.monotonic() + 90
        while (answer := door.ask()).key in {"", *old}:
            assert time.monotonic() < deadline, "does not come back"
            time.sleep(0.1)
        assert answer.ok
        assert lab.count(outcome="expired") == 0


@pytest.mark.parametrize("name", NAMES)
def test_an_outage_costs_a_call_an_interval_however_many_ask(name: str, tmp_path: Path, setenv: Setenv) -> None:
    with Lab(lifetime=timedelta(seconds=4.5)) as lab, opened(name, lab, tmp_path, setenv) as door:
        assert door.ask().ok
        lab.outage("sts", "503", operation="AssumeRole")
        lab.reset_counts()
        threads = 2 if isinstance(door, ProcessDoor) else 4
        began = time.monotonic()
        with ThreadPoolExecutor(threads) as readers:
            asking = [readers.submit(watch, door, lab, for_seconds(3), 0.01) for _ in range(threads)]
            asked = [reader.result() for reader in asking] if door.failures else []
        # due after a second and a half; a renewal in a process of its own may be slow to start where the machine is busy
        deadline = time.monotonic() + 30
        while not lab.count("sts", "AssumeRole") and time.monotonic() < deadline:
            door.ask()
            time.sleep(0.1)
        # an attempt every half second at most, less a quarter of jitter, each of which is one call
        assert 1 <= lab.count("sts", "AssumeRole") <= (time.monotonic() - began) / 0.37 + 1
        if asked:
            assert sum(len(answers) for answers in asked) > (4 if isinstance(door, ProcessDoor) else 60)


@pytest.mark.parametrize("name", NAMES)
def test_a_cold_start_of_many_at_once_is_one_call(name: str, tmp_path: Path, setenv: Setenv) -> None:
    with Lab(lifetime=timedelta(hours=1)) as lab:
        lab.outage("sts", "slow", operation="AssumeRole", delay_s=0.7, times=1)
        with opened(name, lab, tmp_path, setenv) as door, ThreadPoolExecutor(20) as clients:
            barrier = threading.Barrier(20)

            def client() -> Answer:
                barrier.wait(30)
                answer = door.ask()
                while answer.status == 503:  # not kept waiting longer than an SDK would be
                    answer = door.ask()
                return answer

            answers = [each.result() for each in [clients.submit(client) for _ in range(20)]]
        assert {answer.key for answer in answers if answer.ok} == {answers[0].key}
        assert all(answer.ok for answer in answers)
        assert lab.count("sts", "AssumeRole") == 1


@pytest.mark.parametrize("name", NAMES)
def test_twenty_threads_see_whole_sets_while_renewals_run(name: str, tmp_path: Path, setenv: Setenv) -> None:
    with Lab(lifetime=timedelta(seconds=4.5)) as lab, opened(name, lab, tmp_path, setenv) as door:
        known = set(lab.state.sessions)
        pause = max(door.pause, 0.05)
        with ThreadPoolExecutor(20) as readers:
            reading = [readers.submit(watch, door, lab, keys(3), pause) for _ in range(20)]
            found = [reader.result() for reader in reading]
        assert len({answer.key for each in found for answer in each if answer.ok}) >= 3
        check_one_at_a_time(lab, known)


@pytest.mark.parametrize("name", NAMES)
def test_twenty_processes_see_whole_sets_while_renewals_run(name: str, tmp_path: Path, setenv: Setenv) -> None:
    with Lab(lifetime=timedelta(seconds=4.5)) as lab, opened(name, lab, tmp_path, setenv) as door:
        known = set(lab.state.sessions)
        kind, words = door.crowd()
        pause = 4.0 / door.times  # for longer than a renewal takes to be due twice
        answers = read_by_many(kind, words, tmp_path / "read", door.variables, times=door.times, pause=pause)
        assert len(answers) == 20 * door.times
        sets = [answer for answer in answers if not isinstance(answer, str)]
        for key, secret, token in sets:
            session = lab.state.sessions[key]
            assert (secret, token) == (session.secret, session.token), "torn"
        for text in answers:  # so busy a machine that a renewal took three seconds: honest, and no key
            assert not isinstance(text, str) or "ASIA" not in text
        assert len({key for key, _, _ in sets}) >= 2
        check_one_at_a_time(lab, known)


WITH_AN_END = [name for name in NAMES if name not in ("boto3-session", "aiobotocore", "credentials-file")]


@pytest.mark.parametrize("name", WITH_AN_END)
def test_the_end_that_is_told_is_earlier_than_the_true_one_and_in_the_form_that_all_parse(
    name: str, tmp_path: Path, setenv: Setenv
) -> None:
    with Lab(lifetime=timedelta(hours=1)) as lab, opened(name, lab, tmp_path, setenv) as door:
        answer = door.ask()
        true_end = lab.state.sessions[answer.key].ends_at
        assert answer.expiration
        if name == "agent-socket":  # between programs of ours the true end is told: the client advertises its own
            assert answer.expiration == true_end.replace(microsecond=0)
        else:
            assert timedelta(minutes=9, seconds=58) <= true_end - answer.expiration <= timedelta(minutes=10, seconds=2)
            assert json.loads(answer.body)["Expiration"].endswith("Z")
            assert "." not in json.loads(answer.body)["Expiration"]
            assert len(answer.body) < 10_000
