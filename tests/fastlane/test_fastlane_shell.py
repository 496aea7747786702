"""Export lines give back exactly what went in: asked of the real shells where they are installed, else of their quoting rules."""

from __future__ import annotations

import json
import re
import shutil
import string
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unexpire.credentials import Credentials
from unexpire.delivery.shell import Format, detect, export_lines, github_lines, masks, variables_of
from unexpire.errors import ConfigurationError

CREDENTIALS = Credentials("ASIAEXAMPLEEXAMPLE00", "se/cr+et=" * 4, "to/ke+n==" * 30)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
NASTY = st.text(string.punctuation + " '\"\\\n\t$`%!^&|<>‘’‚‛é", max_size=30)
ANY = st.one_of(VALUES, NASTY)
SHELLS = {
    Format.BASH: ["bash", "-c", 'eval "$(cat)"; printf %s "$X"'],
    Format.ZSH: ["zsh", "-fc", 'eval "$(cat)"; printf %s "$X"'],
    Format.FISH: ["fish", "-Nc", "cat | source; printf %s $X"],
}


@pytest.mark.parametrize("form", SHELLS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=ANY)
def test_a_real_shell_reads_back_any_value(form: Format, value: str) -> None:
    command = SHELLS[form]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    # A shell's command substitution drops trailing line ends, of the program's output and so not of a quoted value.
    lines = export_lines({"X": value}, form)
    done = subprocess.run(command, input=lines.encode(), capture_output=True, check=True)
    assert done.stdout.decode() == value
    assert done.stderr == b""


@given(ANY)
def test_posix_words_hold_no_unquoted_character(value: str) -> None:
    lines = export_lines({"X": value}, Format.ZSH)
    assert "".join(_posix_words(lines.removeprefix("export X=").removesuffix("\n"))) == value


@given(ANY)
def test_fish_reads_back_any_value(value: str) -> None:
    lines = export_lines({"X": value}, Format.FISH)
    assert lines.count("\n") == 1  # `eval (…)` joins lines by blanks
    assert _fish(lines.removeprefix("set -gx X ").removesuffix(";\n")) == value


@given(ANY)
def test_powershell_reads_back_any_value(value: str) -> None:
    quoted = export_lines({"X": value}, Format.POWERSHELL).removeprefix("$Env:X = ").removesuffix("\n")
    assert quoted[0] == quoted[-1] == "'"
    inside = quoted[1:-1]
    # Within single quotes any of five characters ends the string unless another of them follows (PowerShell's tokenizer).
    assert re.sub("['‘’‚‛](['‘’‚‛])", r"\1", inside) == value
    assert not re.search("(?<!['‘’‚‛])(?:['‘’‚‛]{2})*['‘’‚‛](?!['‘’‚‛])", inside)


@given(ANY)
def test_cmd_reads_back_or_refuses(value: str) -> None:
    if re.search(r'["\r\n]', value):
        with pytest.raises(ConfigurationError):
            export_lines({"X": value}, Format.CMD)
        return
    line = export_lines({"X": value}, Format.CMD)
    assert line.replace("%%", "%") == f'set "X={value}"\n'


@given(ANY)
def test_dotenv_and_json_and_github_read_back_or_refuse(value: str) -> None:
    assert json.loads(export_lines({"X": value}, Format.JSON)) == {"X": value}
    for form in (Format.DOTENV, Format.GITHUB_ACTIONS):
        try:
            lines = export_lines({"X": value}, form)
        except ConfigurationError:
            assert re.search(r"['\\\r\n]", value)
            continue
        found = lines.removesuffix("\n").removeprefix("X=")
        quoted = form is Format.DOTENV and found[:1] == "'"
        assert (found[1:-1] if quoted else found) == value


@pytest.mark.parametrize("form", Format)
def test_no_format_carries_a_nul(form: Format) -> None:
    with pytest.raises(ConfigurationError):
        export_lines({"X": "a\0b"}, form)


def test_what_would_confuse_a_program_is_unset() -> None:
    leftovers = {
        "AWS_SECURITY_TOKEN": "old",
        "AWS_CREDENTIAL_EXPIRATION": "2020",
        "AWS_PROFILE": "x",
        "AWS_DEFAULT_PROFILE": "y",
    }
    lines = export_lines(variables_of(CREDENTIALS), Format.BASH)
    done = subprocess.run(
        ["bash", "-c", f"{lines}\nenv"], env=leftovers | {"PATH": "/usr/bin:/bin"}, capture_output=True, check=True
    )
    seen = dict(line.split("=", 1) for line in done.stdout.decode().splitlines())
    assert not leftovers.keys() & seen.keys()
    assert seen["AWS_SESSION_TOKEN"] == CREDENTIALS.session_token


def test_keys_without_a_token_take_an_old_token_away() -> None:
    assert variables_of(Credentials("AKIAEXAMPLE", "s"))["AWS_SESSION_TOKEN"] is None


def test_github_gets_masks_first_and_never_an_empty_token() -> None:
    variables = variables_of(CREDENTIALS)
    assert masks(variables).splitlines() == [
        f"::add-mask::{CREDENTIALS.secret_access_key}",
        f"::add-mask::{CREDENTIALS.session_token}",
    ]
    lines = github_lines(variables, {"AWS_SECURITY_TOKEN": "old", "AWS_PROFILE": "x"}).splitlines()
    assert f"AWS_SECURITY_TOKEN={CREDENTIALS.session_token}" in lines
    assert all(line.partition("=")[2] for line in lines)


@pytest.mark.parametrize(
    ("parent", "variables", "form"),
    [
        ("bash\n", {"SHELL": "/usr/bin/zsh"}, Format.BASH),
        ("-zsh", {}, Format.ZSH),
        ("/opt/homebrew/bin/fish", {"SHELL": "/bin/bash"}, Format.FISH),
        ("pwsh", {}, Format.POWERSHELL),
        (r"C:\Windows\System32\cmd.exe", {}, Format.CMD),
        ("make", {"SHELL": "/usr/bin/fish"}, Format.FISH),
        ("python3", {}, Format.BASH),
        (None, {"OS": "Windows_NT", "PSModulePath": "x"}, Format.POWERSHELL),
        (None, {"OS": "Windows_NT"}, Format.CMD),
    ],
)
def test_the_shell_that_asks_is_recognised(parent: str | None, variables: dict[str, str], form: Format) -> None:
    assert detect(variables, parent) is form


def _posix_words(text: str) -> list[str]:
    """A word of single-quoted parts and escaped quotes; anything else fails."""
    parts = re.findall(r"'([^']*)'|\\(')", text)
    assert "".join(f"'{quoted}'" if not escaped else f"\\{escaped}" for quoted, escaped in parts) == text
    return [quoted or escaped for quoted, escaped in parts]


def _fish(text: str) -> str:
    """fish(1), "Quotes": within single quotes only \\\\ and \\' are escapes; outside, \\n is a line end."""
    out, quoted, at = "", False, 0
    while at < len(text):
        two = text[at : at + 2]
        if quoted and two in ("\\\\", "\\'"):
            out, at = out + two[1], at + 2
        elif not quoted and two == "\\n":
            out, at = out + "\n", at + 2
        elif text[at] == "'":
            quoted, at = not quoted, at + 1
        else:
            assert quoted, f"outside quotes: {text[at:]!r}"
            out, at = out + text[at], at + 1
    assert not quoted
    return out
