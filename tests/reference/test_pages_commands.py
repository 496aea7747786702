"""What a page tells people to type exists: our commands parse, and the AWS CLI's name real operations and parameters."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
from botocore import xform_name
from botocore.model import ServiceModel
from botocore.session import Session

from unexpire.cli.main import main
from unexpire.reference import page

# Words that end a simple command, as far as the pages use the shell.
_END = {"|", "||", "&&", ";", ">", ">>", "<", "2>", "2>&1", ">/dev/null", "&"}

# Commands of the AWS CLI that are not operations of a service.
_CUSTOM = {
    "configure", "login", "s3", "--version", "sso login", "sso logout", "eks get-token", "eks update-kubeconfig", "ecr get-login-password",
    "rds generate-db-auth-token", "codecommit credential-helper",
}  # fmt: skip
_GLOBAL = {
    "--region",
    "--profile",
    "--query",
    "--output",
    "--debug",
    "--endpoint-url",
    "--no-sign-request",
    "--cli-input-json",
}
_SERVICE = {"s3api": "s3"}


def _lines() -> Iterator[tuple[str, str]]:
    """Every command line of every page: of Diagnose and Fix, of the bash examples, and in `code` within the text."""
    for name in page.names():
        one = page.load(name)
        for command in one.commands:
            yield name, command
        for example in one.examples:
            if example.language == "bash":
                for line in example.text.replace("\\\n", " ").splitlines():
                    if line.strip().startswith(("aws ", "unexpire ")):
                        yield name, line.strip()
        for text in one.sections.values():
            prose = re.sub(r"```.*?```", "", text, flags=re.S)
            for code in re.findall(r"`(?:credential_process = )?(unexpire [^`]+)`", prose):
                yield name, code


def _words(line: str) -> list[str]:
    line = re.sub(r"\$\([^)]*\)", "VALUE", line)
    parser = shlex.shlex(line, posix=True, punctuation_chars=False)
    parser.whitespace_split, parser.commenters = True, ""
    try:
        words = list(parser)
    except ValueError:  # a quote that closes on the next line
        words = line.split()
    for position, word in enumerate(words):
        if word in _END or word.startswith((">", "2>", "<")):
            return words[:position]
    return words


def _parts(line: str, program: str) -> list[list[str]]:
    """The arguments of each call of `program` in a line such as `a | b && c`."""
    found = []
    for piece in re.split(r"\|\||&&|\||;", line):
        words = _words(piece.strip())
        if words[:1] == [program]:
            found.append(words[1:])
    return found


OURS = sorted({(tuple(words), name) for name, line in _lines() for words in _parts(line, "unexpire")})
THEIRS = sorted({(tuple(words), name) for name, line in _lines() for words in _parts(line, "aws")})


def test_the_pages_use_both_programs() -> None:
    assert len(OURS) > 100
    assert len(THEIRS) > 100


@pytest.mark.parametrize(
    ("words", "name"), OURS, ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_our_commands_parse(words: tuple[str, ...], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for word in words[1:]:
        if re.fullmatch(r"[\w-]+\.(log|xml|txt)", word):
            (tmp_path / word).touch()
    context = click.Context(main, info_name="unexpire")
    command = main.get_command(context, words[0])
    assert command is not None, f"{name}.md names a command that does not exist"
    command.make_context(words[0], list(words[1:]), parent=context)


@cache
def _model(service: str) -> ServiceModel:
    return Session().get_service_model(service)


@cache
def _services() -> frozenset[str]:
    return frozenset(Session().get_available_services())


@pytest.mark.parametrize(
    ("words", "name"), THEIRS, ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_commands_of_the_aws_cli_exist(words: tuple[str, ...], name: str) -> None:
    if words[0] in _CUSTOM or " ".join(words[:2]) in _CUSTOM:
        return
    service = _SERVICE.get(words[0], words[0])
    assert service in _services(), f"{name}.md: the AWS CLI has no command {words[0]}"
    model = _model(service)
    operations = {xform_name(operation, "-"): operation for operation in model.operation_names}
    if words[1] == "wait":
        return
    assert words[1] in operations, f"{name}.md: {words[0]} has no {words[1]}"
    shape = model.operation_model(operations[words[1]]).input_shape
    members = {f"--{xform_name(member, '-')}" for member in (shape.members if shape else {})}
    members |= {f"--no-{member[2:]}" for member in members}
    flags = {word for word in words[2:] if word.startswith("--")}
    # The CLI renames a few lists: `--activation` for what the model calls otherwise would show here.
    assert flags - members - _GLOBAL - _paging(words[1]) == set(), (
        f"{name}.md: parameters that {words[1]} does not have"
    )


def _paging(operation: str) -> set[str]:
    return (
        {"--max-items", "--page-size", "--starting-token"}
        if operation.startswith(("list", "describe", "get"))
        else set()
    )
