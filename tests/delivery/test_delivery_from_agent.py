"""`credential-process --from-agent`: what a program gets that was given nothing but the agent's socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from running_agent import Running, eventually

from unexpire.credentials import parse_timestamp
from unexpire.lab import Lab

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Unix sockets")


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(lifetime=timedelta(hours=1)) as running:
        yield running


@pytest.fixture
def agent(lab: Lab, tmp_path: Path) -> Iterator[Running]:
    lab.reset_counts()
    lab.clear_outages()
    running = Running(lab, tmp_path, "role")
    yield running
    running.stop()


def ask(agent: Running, *words: str, before: tuple[str, ...] = (), **more: str) -> subprocess.CompletedProcess[str]:
    """From a place without a home and without settings: all there is is the socket."""
    line = [sys.executable, *before, "-m", "unexpire", "credential-process", *words, "--from-agent"]
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(agent.home / "nowhere"),
        "AWS_CONFIG_FILE": "/nowhere/config",
        "UNEXPIRE_AGENT_SOCKET": agent.path,
        **more,
    }
    return subprocess.run(line, env=variables, cwd="/", capture_output=True, text=True, timeout=60)


def test_it_imports_nothing_and_gives_what_an_sdk_wants(agent: Running) -> None:
    done = ask(agent, "--profile", "role", before=("-X", "importtime"))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert type(found["Version"]) is int
    status, held = agent.credentials("role")
    assert status == 200
    assert {name: found[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")} == {
        name: held[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")
    }
    assert parse_timestamp(held["Expiration"]) - parse_timestamp(found["Expiration"]) == timedelta(minutes=10)
    assert done.stdout.count("\n") == 1
    imported = {row.rsplit("|", 1)[-1].strip() for row in done.stderr.splitlines()}
    assert {name for name in imported if name.startswith("unexpire")} == {
        "unexpire",
        "unexpire.delivery",
        "unexpire.delivery.agent_protocol",
        "unexpire.delivery.fast_lane",
        "unexpire.stores",
        "unexpire.stores.session_files",
    }
    assert not {"json", "socket", "click", "botocore", "rich", "enum", "re"} & imported - bare(agent)


def bare(agent: Running) -> set[str]:
    """What an interpreter imports by itself: here `site` may, for the environment that the tests run in."""
    line = [sys.executable, "-X", "importtime", "-c", "pass"]
    done = subprocess.run(line, env=agent.variables, capture_output=True, text=True)
    return {row.rsplit("|", 1)[-1].strip() for row in done.stderr.splitlines()}


def test_the_long_way_says_the_same(agent: Running) -> None:
    """Options that the lane leaves to the full command, and the two spellings of an option."""
    lane = ask(agent, "--profile", "role").stdout
    assert ask(agent, "--profile=role").stdout == lane
    assert ask(agent, "--from-agent", "--profile", "role").stdout == lane
    by_role = ask(agent, "--profile", "static", "--role-arn", agent.lab.role_arn("Deploy"))
    assert by_role.stdout.startswith('{"Version":1,'), by_role.stderr


def test_a_crowd_that_finds_nothing_makes_one_call(agent: Running) -> None:
    line = [sys.executable, "-m", "unexpire", "credential-process", "--profile", "external", "--from-agent"]
    crowd = [subprocess.Popen(line, env=agent.variables, stdout=subprocess.PIPE) for _ in range(20)]
    assert len({process.communicate(timeout=60)[0] for process in crowd}) == 1
    assert {process.returncode for process in crowd} == {0}
    assert agent.lab.count("sts", "AssumeRole") == 2, "one for role, one for external"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--profile", "rolle"), 10, "did you mean role"),
        (("--profile", 'ro"le'), 10, "does not exist"),
        (("--profile", "ro\\le"), 10, "does not exist"),
        (("--profile", "rôle"), 10, "does not exist"),
        (("--profile", "mfa"), 7, "MFA"),
        (("--profile",), 10, "does not exist"),  # as a parser has it, the name of a profile follows
        (("--nonsense",), 2, "No such option"),
    ],
)
def test_what_the_agent_does_not_give_it_says(words: tuple[str, ...], code: int, said: str, agent: Running) -> None:
    done = ask(agent, *words, PYTHONUTF8="1")
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_without_an_agent_it_says_where_it_looked(agent: Running, tmp_path: Path) -> None:
    done = ask(agent, "--profile", "role", UNEXPIRE_AGENT_SOCKET=str(tmp_path / "none.sock"))
    assert (done.returncode, done.stdout) == (10, "")
    assert "none.sock" in done.stderr
    agent.stop()
    assert ask(agent, "--profile", "role").returncode == 10


def test_it_notices_that_the_agent_asks_itself(agent: Running) -> None:
    line = f"{sys.executable} -m unexpire credential-process --profile own --from-agent"
    config = agent.home / ".aws" / "config"
    config.write_text(f"{config.read_text()}\n[profile own]\ncredential_process = {line}\n")
    assert eventually(lambda: agent.ask(op="keep", profile="own"))
    done = ask(agent, "--profile", "own")
    assert (done.returncode, done.stdout) == (10, "")
    assert "starts itself" in done.stderr


def test_a_short_outage_is_waited_out_and_a_long_one_told(agent: Running) -> None:
    assert eventually(lambda: agent.status("role").get("access_key_id"))
    agent.lab.outage("sts", "503", operation="AssumeRole", times=2)
    done = ask(agent, "--profile", "external")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["AccessKeyId"].startswith("ASIA")
    settings = agent.home / ".config" / "unexpire"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "config.toml").write_text("outage-wait = 1\n")
    agent.lab.outage("sts", "503")
    done = ask(agent, "--profile", "web-identity")
    assert (done.returncode, done.stdout) == (9, "")
    assert "503" in done.stderr
