"""setup writes what was shown, undo gives back every byte, and programs get keys through it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import botocore.session
import pytest
from fastlane_desk import Desk
from hypothesis import given, settings
from hypothesis import strategies as st

from unexpire.delivery.setup import apply, command_line, planned, undone
from unexpire.errors import ConfigurationError
from unexpire.settings.environment import Environment

WHO = "import botocore.session as s; print(s.Session().create_client('sts').get_caller_identity()['Arn'])"
_NOISE = st.lists(
    st.sampled_from(
        ["# a comment", "", "[profile other]", "region = eu-west-1", "s3 =", "  max_concurrent_requests = 3", "\t"]
    ),
    max_size=6,
)


def caller(desk: Desk, profile: str) -> str:
    variables = {k: v for k, v in desk.environment.items() if not k.startswith("AWS_CONTAINER")} | {
        "AWS_PROFILE": profile
    }
    done = subprocess.run([sys.executable, "-c", WHO], env=variables, capture_output=True, text=True)
    desk.shows_no_secret(done.stderr)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_profile_beside_it(desk: Desk) -> None:
    before = desk.config.read_bytes()
    shown = desk.run("setup", "role", "--dry-run")
    assert desk.config.read_bytes() == before
    done = desk.run("setup", "role", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert shown.stdout in done.stdout
    assert desk.config.read_bytes().startswith(before)
    assert ":assumed-role/Deploy/" in caller(desk, "role-fresh")
    assert ":assumed-role/Deploy/" in caller(desk, "role-fresh")
    assert desk.assumed() == 1
    assert desk.run("setup", "role", "--undo", "--yes").returncode == 0
    assert desk.config.read_bytes() == before


@pytest.mark.parametrize("profile", ["role", "sso", "static"])
def test_in_place_under_the_old_name(desk: Desk, profile: str) -> None:
    credentials = desk.home / ".aws" / "credentials"
    before = desk.config.read_bytes(), credentials.read_bytes()
    who = caller(desk, profile)
    done = desk.run("setup", profile, "--in-place", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    desk.shows_no_secret(done.stdout)
    assert caller(desk, profile).rsplit("/", 1)[0] == who.rsplit("/", 1)[0]
    assert desk.lab.count(operation="GetCallerIdentity", outcome="ok") >= 2
    assert f"[profile {profile}-source]" in desk.config.read_text()
    assert desk.run("setup", profile, "--undo", "--yes").returncode == 0
    assert (desk.config.read_bytes(), credentials.read_bytes()) == before


def test_the_line_runs_without_quotes_or_a_shell(desk: Desk) -> None:
    line = command_line("role")
    assert not set(line) & set("\"'~$\\")
    done = subprocess.run(line.split(), env=desk.environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["Version"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("setup", "nope", "--yes"), "does not exist"),
        (("setup", "role", "--as", "sso", "--yes"), "exists"),
        (("setup", "role", "--undo", "--yes"), "nothing was set up"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_changes(desk: Desk, arguments: tuple[str, ...], words: str) -> None:
    before = desk.config.read_bytes()
    found = desk.run(*arguments)
    assert found.returncode == 10
    assert words in found.stderr
    assert desk.config.read_bytes() == before


def test_twice_is_once(desk: Desk) -> None:
    desk.run("setup", "role", "--in-place", "--yes")
    assert "already" in desk.run("setup", "role", "--in-place", "--yes").stderr


def test_without_a_terminal_nothing_is_done_unasked(desk: Desk) -> None:
    before = desk.config.read_bytes()
    found = desk.run("setup", "role")
    assert found.returncode == 2
    assert "--yes" in found.stderr
    assert desk.config.read_bytes() == before


@settings(max_examples=60, deadline=None)
@given(
    _NOISE,
    _NOISE,
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["p", "default", "a b"]),
)
def test_undo_restores_every_byte_whatever_came_in_between(
    above: list[str], below: list[str], newline: str, ended: bool, in_place: bool, profile: str
) -> None:
    header = "[default]" if profile == "default" else "[profile 'a b']" if profile == "a b" else "[profile   p ]"
    above = ["[profile first]", *above] if above else []
    below = ["[profile last]", *below] if below else []
    lines = [*above, header, "role_arn = arn:aws:iam::123456789012:role/R", "region = eu-west-1", *below]
    unique = [line for at, line in enumerate(lines) if line != "[profile other]" or at == lines.index(line)]
    text = newline.join(unique) + (newline if ended else "")
    home = Path(tempfile.mkdtemp())
    try:
        config = home / "config"
        config.write_bytes(text.encode())
        variables = {
            "AWS_CONFIG_FILE": str(config),
            "AWS_SHARED_CREDENTIALS_FILE": str(home / "none"),
            "HOME": str(home),
        }
        apply(planned(Environment.of(variables), profile, None if in_place else "new"))
        written = config.read_bytes()
        assert Environment.of(variables).settings().profile(profile if in_place else "new").get("credential_process")
        later = b"[profile later]" + newline.encode()
        config.write_bytes(written + later)
        apply(undone(Environment.of(variables), profile))
        assert config.read_bytes() == text.encode() + later
        config.write_bytes(written)
        apply(undone(Environment.of(variables), profile))
        assert config.read_bytes() == text.encode()
        with pytest.raises(ConfigurationError):
            undone(Environment.of(variables), profile)
    finally:
        shutil.rmtree(home)


def test_two_blocks_of_one_profile_are_taken_out_without_a_scratch(desk: Desk) -> None:
    """The second one moves the profile to a longer name in front of the first."""
    before = desk.config.read_bytes()
    assert desk.run("setup", "role", "--as", "x", "--yes").returncode == 0
    section = b"\n[profile after]\nregion = eu-west-1\n"
    desk.config.write_bytes(desk.config.read_bytes() + section)
    assert desk.run("setup", "role", "--in-place", "--yes").returncode == 0
    assert desk.run("setup", "role", "--undo", "--yes").returncode == 0
    assert desk.config.read_bytes() == before + section


@pytest.mark.parametrize("how", [("--as", "fresh"), ("--in-place",)])
def test_blocks_of_settings_go_with_the_name_that_programs_use(desk: Desk, how: tuple[str, ...]) -> None:
    text = desk.config.read_text()
    block = "[profile role]\ns3 =\n  addressing_style = path\n  payload_signing_enabled = true\n"
    desk.config.write_text(text.replace("[profile role]\n", block))
    assert desk.run("setup", "role", *how, "--yes").returncode == 0
    name = how[1] if len(how) > 1 else "role"
    used = botocore.session.Session(profile=name)
    used.set_config_variable("config_file", str(desk.config))
    assert used.get_scoped_config()["s3"] == {"addressing_style": "path", "payload_signing_enabled": "true"}


def test_a_profile_in_two_spellings_is_left_as_it_is(desk: Desk) -> None:
    desk.config.write_text(desk.config.read_text() + '\n[profile "role"]\nregion = eu-west-1\n')
    before = desk.config.read_bytes()
    done = desk.run("setup", "role", "--in-place", "--yes")
    assert done.returncode == 10
    assert "stands twice, in lines" in done.stderr
    assert desk.config.read_bytes() == before


def test_the_diff_shows_no_secret_whatever_the_setting_is_called(desk: Desk) -> None:
    lines = "credential_process = tool --password hunter2\naws_secret_acces_key = typo-of-it\naws_access_key_id = wJalrXUtnFEMI/K7MDENG\n"
    desk.config.write_text(desk.config.read_text() + f"\n[profile last]\n{lines}")
    for words in (("role", "--in-place"), ("last", "--in-place"), ("last", "--as", "other")):
        shown = desk.run("setup", *words, "--dry-run").stdout
        assert "credential-process --profile" in shown
        for secret in ("hunter2", "typo-of-it", "K7MDENG"):
            assert secret not in shown
