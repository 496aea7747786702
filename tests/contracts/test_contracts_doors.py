"""What every door promises, whichever it is; counted by the lab, which knows each session it ever gave."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
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


Enough = Callable[[list[Answer]], bool]


def watch(door: Door, lab: Lab, enough: Enough, pause: float = 0.02) -> list[Answer]:
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
        time.sleep(pause)
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
        lab.outage("sts", "503")
        stricken = watch(door, lab, lambda answers: len(answers) > 3 and not any(each.ok for each in answers[-3:]))
        failed = [answer for answer in stricken if not answer.ok]
        assert {answer.status for answer in failed} <= door.failures
        assert not any(answer.key or "ASIA" in answer.body for answer in failed)
        assert [answer.ok for answer in stricken] == sorted((answer.ok for answer in stricken), reverse=True), (
            "comes back"
        )
        if name in ("agent-endpoint", "agent-socket", "boto3-session"):
            return  # it comes back within its backoff: by a faster clock, in test_contracts_day
        lab.clear_outages()
        deadline = time.monotonic() + 90
        while not door.ask().ok:
            assert time.monotonic() < deadline, "does not come back"
            time.sleep(0.1)
        assert lab.count(outcome="expired") == 0


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("imds", "agent-endpoint")])
def test_an_outage_costs_a_call_an_interval_however_many_ask(name: str, tmp_path: Path, setenv: Setenv) -> None:
    with Lab(lifetime=timedelta(seconds=9)) as lab, opened(name, lab, tmp_path, setenv) as door:
        assert door.ask().ok
        lab.outage("sts", "503", operation="AssumeRole")
        lab.reset_counts()
        threads = 2 if isinstance(door, ProcessDoor) else 8
        with ThreadPoolExecutor(threads) as readers:
            asked = [
                reader.result()
                for reader in [readers.submit(watch, door, lab, for_seconds(7), 0.005) for _ in range(threads)]
            ]
        # due after three seconds, and then a try every half second at most, each of which is one call; a renewal in a process of
        # its own may be slow to start where the machine is busy
        deadline = time.monotonic() + 30
        while not lab.count("sts", "AssumeRole") and time.monotonic() < deadline:
            time.sleep(0.1)
        assert 1 <= lab.count("sts", "AssumeRole") <= 12
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
    with Lab(lifetime=timedelta(seconds=6)) as lab, opened(name, lab, tmp_path, setenv) as door:
        started = time.monotonic()
        count = 3 if isinstance(door, ProcessDoor) else 20
        with ThreadPoolExecutor(count) as readers:
            found = [
                reader.result() for reader in [readers.submit(watch, door, lab, keys(3), 0.05) for _ in range(count)]
            ]
        assert len({answer.key for each in found for answer in each if answer.ok}) >= 3
        # one renewal every two seconds is due; two at once would double it
        assert lab.count("sts", "AssumeRole") <= (time.monotonic() - started) / 2 + 2


@pytest.mark.parametrize("name", ["endpoint", "imds", "agent-endpoint"])
def test_twenty_processes_see_whole_sets_while_renewals_run(name: str, tmp_path: Path, setenv: Setenv) -> None:
    with Lab(lifetime=timedelta(seconds=9)) as lab, opened(name, lab, tmp_path, setenv) as door:
        given = door.client()
        assert given is not None
        script, words = given
        line = [sys.executable, "-c", script, *(word.format(count=25) if word == "{count}" else word for word in words)]
        processes = [subprocess.Popen(line, stdout=subprocess.PIPE, text=True) for _ in range(20)]
        outputs = [process.communicate(timeout=100)[0] for process in processes]
        answers = [json.loads(text) for output in outputs for text in output.splitlines()]
        assert len(answers) == 20 * 25
        for status, body in answers:
            if status == 503:  # so busy a machine that a renewal took six seconds: honest, and no key
                assert "ASIA" not in body
                continue
            assert status == 200
            document = json.loads(body)
            session = lab.state.sessions[document["AccessKeyId"]]
            assert (document["SecretAccessKey"], document["Token"]) == (session.secret, session.token)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "boto3-session"])
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
