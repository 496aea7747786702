"""`env` and `sync` while AWS cannot be reached: a short outage is waited out, a long one told, what is held is used."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from fastlane_desk import Desk, seed

from unexpire.delivery.sessions import newest_session
from unexpire.settings.environment import Environment
from unexpire.settings.files import read_aws_file

Copy = Callable[[Desk], tuple[int, str, str]]
"""Makes a copy of profile `role`: the exit code, the key id that was copied (empty where none was), and standard error."""


def by_env(desk: Desk) -> tuple[int, str, str]:
    done = desk.run("env", "--profile", "role", "--format", "json", "-q")
    return done.returncode, json.loads(done.stdout)["AWS_ACCESS_KEY_ID"] if done.stdout else "", done.stderr


def by_sync(desk: Desk) -> tuple[int, str, str]:
    done = desk.run("sync", "role", "--to", "old-tool")
    section = read_aws_file(desk.home / ".aws" / "credentials").sections.get("old-tool")
    key = section.get("aws_access_key_id") if section else None
    return done.returncode, key.value if key else "", done.stderr


copies = pytest.mark.parametrize("copy", [by_env, by_sync])


@copies
def test_a_short_outage_is_waited_out_and_said_once(copy: Copy, desk: Desk) -> None:
    desk.lab.outage("sts", "503", operation="AssumeRole", times=2)
    code, key, said = copy(desk)
    assert code == 0, said
    assert desk.cache.find(key) is not None
    assert desk.assumed() == 3
    assert said.count("trying again") == said.count("\n") == 1


@copies
def test_an_outage_that_goes_on_is_told_and_costs_one_call_an_interval(copy: Copy, desk: Desk) -> None:
    desk.lab.outage("sts", "503", operation="AssumeRole")
    desk.waits_out(2)
    code, key, said = copy(desk)
    assert (code, key) == (9, "")
    assert said.splitlines()[-1].startswith(("unexpire: ", "  try: "))
    calls = desk.assumed()
    assert 2 <= calls <= 5, "at 0, 0.5, 1 and 2 s"
    code, key, said = copy(desk)
    assert (code, key) == (9, "")
    assert "trying again" not in said
    assert desk.assumed() - calls <= 1, "the outage is an established one: no second wait"


@copies
def test_an_outage_is_no_hindrance_while_a_session_is_good(copy: Copy, desk: Desk) -> None:
    seeded = seed(desk, lived=1800, left=1800)  # due for a renewal, and good for another 20 minutes
    desk.lab.outage("sts", "503", operation="AssumeRole")
    code, key, said = copy(desk)
    assert (code, key) == (0, seeded.access_key_id)
    assert "trying again" not in said
    desk.lab.clear_outages()
    (left,) = desk.cache.sessions.glob("*.outage")
    left.unlink()  # as if its pause were over
    assert copy(desk)[1] != seeded.access_key_id


def test_while_a_session_is_good_an_outage_costs_one_call_an_interval(desk: Desk) -> None:
    now = datetime.now(UTC)
    environment = Environment.of(desk.environment, clock=lambda: now)
    seeded = seed(desk, lived=1800, left=1800)
    desk.lab.outage("sts", "503", operation="AssumeRole")
    for _ in range(5):
        held = newest_session(environment, profile="role", role=None, prompt=None)
        assert held.access_key_id == seeded.access_key_id
    assert desk.assumed() == 1


@copies
def test_an_ended_session_is_never_copied(copy: Copy, desk: Desk) -> None:
    seeded = seed(desk, lived=3500, left=100)
    desk.lab.outage("sts", "503", operation="AssumeRole")
    desk.waits_out(0)
    code, key, _ = copy(desk)
    assert (code, key) == (9, "")
    desk.lab.clear_outages()
    desk.waits_out(15)
    code, key, _ = copy(desk)
    assert code == 0
    assert key != seeded.access_key_id


@copies
def test_a_refusal_is_told_at_once(copy: Copy, desk: Desk) -> None:
    desk.config.write_text(desk.config.read_text().replace(desk.lab.role_arn("Deploy"), desk.lab.role_arn("Forbidden")))
    code, key, said = copy(desk)
    assert (code, key) == (6, "")
    assert "trying again" not in said
    assert desk.assumed() == 1


def test_a_session_that_only_a_human_renews_is_copied_while_it_is_good(desk: Desk) -> None:
    """A script at night has nobody to type a code, and the session has twenty minutes."""
    seeded = seed(desk, lived=1800, left=1800, profile="mfa")
    done = desk.run("env", "--profile", "mfa", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["AWS_ACCESS_KEY_ID"] == seeded.access_key_id
    assert "in 29m" in done.stderr or "in 30m" in done.stderr
