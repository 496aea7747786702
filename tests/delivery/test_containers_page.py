"""docs/containers.md and docs/agent.md: every command of ours parses, and what is marked as tried is run as it stands."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click
import pytest
import yaml
from container_hosts import Host, what_is_missing

from unexpire.cli.main import main
from unexpire.delivery.agent_metrics import Metrics
from unexpire.lab import Lab

DOCS = Path(__file__).parents[2] / "docs"
_MISSING = what_is_missing()
_END = re.compile(r"\s(?:&&?|\|\|?|;|>|<)(?:\s|$)|[;)]")


def _blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)


def _lines(name: str) -> Iterator[str]:
    text = (DOCS / name).read_text(encoding="utf-8")
    for block in [*_blocks(name, "sh"), *re.findall(r"(?m)^    (unexpire .*)$", text)]:
        yield from block.replace("\\\n", " ").splitlines()
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    yield from (re.sub(r"\s+", " ", code) for code in re.findall(r"`((?:\w+ )?unexpire\s[^`]+)`", prose))
    yield from re.findall(r"credential_process = (.*?)(?:\\n'|$)", text, re.MULTILINE)
    for block in _blocks(name, "yaml"):
        for command in _commands(yaml.safe_load(block)):
            yield command if isinstance(command, str) else shlex.join(command)


def _commands(value: object) -> Iterator[str | list[str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "command":
                yield each
            else:
                yield from _commands(each)
    elif isinstance(value, list):
        for each in value:
            yield from _commands(each)


def _ours() -> list[tuple[str, ...]]:
    found = set()
    for name in ("containers.md", "agent.md"):
        for line in _lines(name):
            call = re.search(r"(?:^|[\s(])unexpire ([a-z].*)", line)
            if call is None or "network create" in line or line.startswith("printf "):
                continue
            typed, wraps, _ = call[1].partition(" -- ")
            words = [*shlex.split(_END.split(typed + " ")[0]), *(["--", "true"] if wraps else [])]
            found.add(tuple(re.sub(r"[\[\]]|\.\.\.", "", word) for word in words if word != "…"))
    return sorted(found)


@pytest.mark.parametrize("words", _ours(), ids=" ".join)
def test_our_commands_parse(words: tuple[str, ...]) -> None:
    context = click.Context(main, info_name="unexpire")
    command = main.get_command(context, words[0])
    assert command is not None
    with contextlib.suppress(click.MissingParameter):  # the text may name a command without what it is for
        command.make_context(words[0], list(words[1:]), parent=context)


def test_every_option_of_the_agent_is_told() -> None:
    context = click.Context(main, info_name="unexpire")
    command = main.get_command(context, "agent")
    assert command is not None
    text = "".join((DOCS / name).read_text(encoding="utf-8") for name in ("containers.md", "agent.md"))
    assert [
        option for each in command.params for option in each.opts if option[:2] == "--" and option not in text
    ] == []


def test_every_metric_is_told() -> None:
    shown = Metrics(list).response().body.decode()
    names = set(re.findall(r"^# TYPE (\w+)", shown, re.MULTILINE))
    text = (DOCS / "agent.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(unexpire_\w+)\{", text))
    assert told == {name for name in names if not name.endswith("_created")}


TRIED = re.findall(r"<!-- tried -->\n```sh\n(.*?)```", (DOCS / "containers.md").read_text(encoding="utf-8"), re.DOTALL)


def test_every_way_on_this_machine_is_tried() -> None:
    assert len(TRIED) == 4


@pytest.mark.skipif(_MISSING is not None, reason=_MISSING or "")
@pytest.mark.parametrize("block", TRIED, ids=["network", "beside", "address", "socket"])
def test_what_the_page_says_works_as_it_stands(block: str, tmp_path: Path) -> None:
    with Lab(lifetime=timedelta(hours=1)) as lab, Host() as machine, Host() as app:
        for host in (machine, app):
            host.reach(lab.port)
        machine.do("mount", "-t", "tmpfs", "tmpfs", "/run")
        machine.do("mkdir", "/run/netns")
        machine.do("ip", "netns", "attach", "app", str(app.process.pid))
        lab.make_home(tmp_path)
        config = tmp_path / ".aws" / "config"
        config.write_text(config.read_text().replace("[profile role]", "[profile prod]"))
        lab_only = {name: value for name, value in lab.environment().items() if name != "AWS_REGION"}
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        variables = {**lab_only, "HOME": str(tmp_path), "PATH": programs, "AWS_REGION": "eu-central-1"}
        said = tmp_path / "said"
        with said.open("w") as out:
            line = machine.line("bash", "-euo", "pipefail", "-c", block)
            running = subprocess.Popen(line, env=variables, stdout=out, stderr=out, start_new_session=True)
            try:
                code = running.wait(90)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(running.pid, signal.SIGKILL)
                running.wait()
        assert code == 0, said.read_text()
        assert ":assumed-role/Deploy/lab-role" in said.read_text()
        assert lab.count("sts", "AssumeRole") == 1
        assert lab.count(outcome="expired") == 0
