"""docs/cli.md is the manual of the parser that there is: every command and option is in it, and nothing else is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from unexpire.cli.main import COMMANDS, main
from unexpire.cli.options import source_options

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S))
CONTEXT = click.Context(main, info_name="unexpire")


def options(command: click.Command) -> set[str]:
    """Every way to write an option of the command; hidden ones, and --help, which all have, apart."""
    found = {
        word
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden
        for word in (*parameter.opts, *parameter.secondary_opts)
    }
    return found - {"-h", "--help"}


@click.command()
@source_options
def _source(**_options: object) -> None:
    """What `[SOURCE]` stands for."""


SOURCE = options(_source)


def _commands() -> Iterator[tuple[str, click.Command]]:
    for name in COMMANDS:
        command = main.get_command(CONTEXT, name)
        assert command is not None
        yield name, command


EVERY = list(_commands())


def told(section: str) -> set[str]:
    """The options of a section's table: its first column, `-v`, `--verbose` in one cell."""
    rows = re.findall(r"^\| (`-.*?) \|", section.replace("\\|", "/"), re.M)
    return {word for row in rows for word in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row)}


def test_every_command_has_a_section_and_a_line() -> None:
    written = [name.removeprefix("unexpire ") for name in SECTIONS if name.startswith("unexpire ")]
    assert written == list(COMMANDS)
    assert re.findall(r"^\| \[([\w-]+)\]\(#unexpire-", TEXT, re.M) == list(COMMANDS)


def test_the_options_of_the_source_are_those_that_commands_share() -> None:
    assert told(SECTIONS["Which source is meant"]) == SOURCE


@pytest.mark.parametrize(("name", "command"), EVERY, ids=list(COMMANDS))
def test_every_option_is_in_its_table_and_nothing_else(name: str, command: click.Command) -> None:
    section = SECTIONS[f"unexpire {name}"]
    usage = re.findall(r"^    .*\n", section, re.M)[0]
    shared = SOURCE if "[SOURCE]" in usage else set()
    assert shared <= options(command)
    assert told(section) | shared == options(command)


@pytest.mark.parametrize(("name", "command"), EVERY, ids=list(COMMANDS))
def test_a_section_has_a_usage_an_example_and_exit_codes(name: str, command: click.Command) -> None:
    section = SECTIONS[f"unexpire {name}"]
    assert section.startswith((f"\n    unexpire {name} ", f"\n    unexpire {name}\n"))
    assert f"$ unexpire {name}" in section or f'"$(unexpire {name}' in section
    assert "\nExit codes: " in section
    if isinstance(command, click.Group):
        for under in command.list_commands(CONTEXT):
            assert f"unexpire {name} {under}" in section


def _lines() -> Iterator[str]:
    """Every command line of ours in the examples and in `code`, as it would be typed."""
    for block in re.findall(r"^```console\n(.*?)^```", TEXT, re.M | re.S):
        for line in re.findall(r"^\$ (.*)$", block, re.M):
            yield from re.findall(r"unexpire (?:[^'\"|;&)]|'[^']*')+", line)
    prose = re.sub(r"^```.*?^```", "", TEXT, flags=re.M | re.S)
    yield from re.findall(r"`(unexpire [^`…]+)`", prose)


@pytest.mark.parametrize("line", sorted(set(_lines())))
def test_a_line_of_the_manual_parses(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line)[1:]
    if words in (["--version"], []):
        return
    command = main.get_command(CONTEXT, words[0])
    assert command is not None, f"there is no command {words[0]}"
    command.make_context(words[0], words[1:], parent=CONTEXT, resilient_parsing=words[1:] == [])
