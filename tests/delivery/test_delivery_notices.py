"""A notice ahead of time, once: what `run` and the agent say before a session ends that nothing renews."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pseudo_terminal import Terminal
from running_agent import Running, eventually

from unexpire.cli.ask import TerminalPrompt
from unexpire.credentials import Credentials
from unexpire.delivery.launch import prepare
from unexpire.delivery.serving import Serving
from unexpire.delivery.sessions import session_store
from unexpire.lab import Lab
from unexpire.providers.resolve import provider_for
from unexpire.settings.environment import Environment

pytestmark = pytest.mark.skipif(os.name == "nt", reason="exec")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


@dataclass
class Desk:
    """A home whose user wants to be told by a script, and the notes that it takes."""

    lab: Lab
    home: Path
    variables: dict[str, str]

    @property
    def notes(self) -> list[str]:
        file = self.home / "notes"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def given(self) -> list[Path]:
        """The marks of notices, which are there before the user's script runs."""
        return list((self.home / ".cache" / "unexpire" / "notices").glob("*"))

    def holds_copy(self, minutes: float) -> Credentials:
        """A static copy of a session in the variables, that ends before long."""
        copy = self.lab.issue_session("Deploy", seconds=minutes * 60)
        assert copy.session_token
        assert copy.expiration
        self.variables |= {
            "AWS_ACCESS_KEY_ID": copy.access_key_id,
            "AWS_SECRET_ACCESS_KEY": copy.secret_access_key,
            "AWS_SESSION_TOKEN": copy.session_token,
            "AWS_CREDENTIAL_EXPIRATION": copy.expiration.isoformat(),
        }
        return copy

    def keeps(self, profile: str, minutes: float) -> Credentials:
        """A session in the cache, of an hour, with so much left."""
        now = datetime.now(UTC)
        held = self.lab.issue_session("Secure", seconds=minutes * 60)
        kept = Credentials(
            held.access_key_id,
            held.secret_access_key,
            held.session_token,
            now + timedelta(minutes=minutes),
            now - timedelta(minutes=60 - minutes),
        )
        environment = Environment.of(self.variables)
        session_store(environment).save(provider_for(environment, profile=profile).identity, kept)
        return kept

    def line(self, *words: str, command: str) -> list[str]:
        return [sys.executable, "-m", "unexpire", "run", *words, "--", "sh", "-c", command]

    def until_noted(self, more: str = "") -> str:
        """A command that ends some time after the first note was taken."""
        notes = shlex.quote(str(self.home / "notes"))
        return f"{more}i=0; until [ -s {notes} ] || [ $i = 300 ]; do sleep 0.1; i=$((i+1)); done; sleep 0.5"


@pytest.fixture
def desk(lab: Lab, tmp_path: Path) -> Desk:
    script = tmp_path / "note.sh"
    script.write_text(f'#!/bin/sh\necho "$1|$UNEXPIRE_NOTICE" >> {shlex.quote(str(tmp_path / "notes"))}\n')
    script.chmod(0o755)
    (tmp_path / "settings.toml").write_text(f"on-expiring = \"{script} '%s'\"\n")
    (tmp_path / "r").mkdir()
    more = {
        "PATH": os.environ["PATH"],
        "UNEXPIRE_CONFIG": str(tmp_path / "settings.toml"),
        "XDG_RUNTIME_DIR": str(tmp_path / "r"),
    }
    return Desk(lab, tmp_path, lab.make_home(tmp_path) | more)


def test_a_long_run_is_told_before_its_copy_ends(desk: Desk) -> None:
    desk.holds_copy(8)
    done = subprocess.run(
        desk.line(command=desk.until_noted()), env=desk.variables, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1, "the warning at the start, and no word on the command's screen after it"
    (note,) = desk.notes
    assert note.startswith("default|AWS session of default ends in ")


@contextlib.contextmanager
def served(desk: Desk, profile: str | None, times: list[datetime]) -> Iterator[Callable[[], object]]:
    """What serves a command, at the last of `times`; gives what makes it do all that is due."""
    environment = Environment.of(desk.variables)
    launch = prepare(["true"], profile=profile, role=None, imds=False, prompt=TerminalPrompt(), environment=environment)
    serving = Serving(launch.order, lambda: environment, 1, clock=lambda: times[-1])
    serving.keeper.start = lambda: None  # type: ignore[method-assign]
    with serving:
        yield serving.keeper.run_due


def test_not_before_its_time_and_not_twice(desk: Desk) -> None:
    end = desk.holds_copy(60).expiration
    times = [datetime.now(UTC)]
    assert end
    with served(desk, None, times) as look:
        for minutes in (60, 30, 12, 9, 5, 2):
            times.append(end - timedelta(minutes=minutes))
            look()
        assert eventually(lambda: desk.notes)
    assert re.fullmatch(r"default\|AWS session of default ends in [78] min", "".join(desk.notes)), desk.notes


def test_a_renewal_that_aws_refuses_by_now_is_told(desk: Desk) -> None:
    """The role's trust was taken away while the command runs: nothing renews this session any more."""
    config = desk.home / ".aws" / "config"
    config.write_text(config.read_text().replace(desk.lab.role_arn("Deploy"), desk.lab.role_arn("Forbidden")))
    end = desk.keeps("role", 50).expiration
    times = [datetime.now(UTC)]
    assert end
    with served(desk, "role", times) as look:
        for minutes in (50, 30, 25, 19, 15, 11):  # handed out until ten minutes before the end
            times.append(end - timedelta(minutes=minutes))
            look()
        assert eventually(lambda: desk.notes)
    assert re.fullmatch(r"role\|AWS session of role ends in [89] min.*", "".join(desk.notes)), desk.notes


def test_an_outage_that_may_pass_is_no_such_news(desk: Desk) -> None:
    end = desk.keeps("role", 50).expiration
    times = [datetime.now(UTC)]
    assert end
    desk.lab.outage("sts", "503", operation="AssumeRole")
    with served(desk, "role", times) as look:
        for minutes in (50, 30, 25, 19, 15, 11):
            times.append(end - timedelta(minutes=minutes))
            look()
    assert desk.lab.count("sts", "AssumeRole", outcome="error") > 2
    desk.lab.clear_outages()
    assert not desk.given


def test_a_session_that_takes_a_code_says_what_to_do(desk: Desk) -> None:
    desk.keeps("mfa", 8)
    line = desk.line("--profile", "mfa", command=desk.until_noted())
    done = subprocess.run(line, env=desk.variables, capture_output=True, text=True, timeout=60, start_new_session=True)
    assert done.returncode == 0, done.stderr
    (note,) = desk.notes
    assert note.startswith("mfa|AWS session of mfa ends in ")


def test_a_session_that_renews_itself_is_no_news(desk: Desk) -> None:
    desk.keeps("role", 15)
    line = desk.line("--profile", "role", command="sleep 2")
    assert subprocess.run(line, env=desk.variables, capture_output=True, text=True, timeout=60).returncode == 0
    assert not desk.given


def test_one_notice_however_many_commands_run_and_with_an_agent(desk: Desk) -> None:
    desk.holds_copy(8)
    agent = Running.__new__(Running)
    agent.lab, agent.home, agent.variables = desk.lab, desk.home, desk.variables
    agent.start()
    try:
        line = desk.line(command=desk.until_noted())
        crowd = [subprocess.Popen(line, env=desk.variables, stderr=subprocess.DEVNULL) for _ in range(3)]
        assert [process.wait(60) for process in crowd] == [0, 0, 0]
        assert eventually(lambda: agent.status("default").get("access_key_id"))
        agent.stop()
        agent.start()  # which has forgotten what it said
        agent.ask(op="keep", profile=None)
        assert eventually(lambda: agent.status("default").get("access_key_id"))
        line = desk.line(command="sleep 2")
        assert subprocess.run(line, env=desk.variables, stderr=subprocess.DEVNULL, timeout=60).returncode == 0
    finally:
        agent.stop()
    assert len(desk.notes) == 1


def test_on_a_terminal_there_is_the_bell_and_not_one_letter(desk: Desk) -> None:
    """The command may have drawn the whole screen. Its own terminal is rung, though the script was run by somebody else."""
    desk.holds_copy(8)
    for _ in range(2):
        terminal = Terminal(desk.line(command=desk.until_noted("echo drawn; ") + "; sleep 1.5"), desk.variables)
        terminal.until("drawn")
        assert terminal.end() == 0
        _, _, after = terminal.seen.partition(b"drawn\r\n")
        assert after == b"\a"
    assert len(desk.notes) == len(desk.given) == 1
