"""env, sync, forget and prompt, as a person types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from fastlane_desk import COMMAND, Desk, eventually

from unexpire.settings.files import read_aws_file

ROLE = ("credential-process", "--profile", "role")


def test_env_makes_a_shell_work(desk: Desk) -> None:
    script = f'eval "$({" ".join(COMMAND)} env --profile role 2>warning)"; {sys.executable} -c "$WHO"; env'
    who = "import botocore.session as s; print(s.Session().create_client('sts').get_caller_identity()['Arn'])"
    left = {"AWS_PROFILE": "nope", "AWS_SECURITY_TOKEN": "old", "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"}
    done = subprocess.run(
        ["bash", "-c", script],
        env=desk.environment | left | {"WHO": who},
        cwd=desk.home,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert ":assumed-role/Deploy/" in done.stdout
    assert "AWS_SECURITY_TOKEN=" not in done.stdout
    assert "AWS_CREDENTIAL_EXPIRATION=" not in done.stdout
    warning = (desk.home / "warning").read_text()
    assert "nothing renews it" in warning
    assert "unexpire run --profile role" in warning
    desk.shows_no_secret(warning)


def test_env_says_the_true_end_when_asked(desk: Desk) -> None:
    found = json.loads(desk.run("env", "--profile", "role", "--format", "json", "--expiration").stdout)
    entry = desk.cache.find(found["AWS_ACCESS_KEY_ID"])
    assert entry is not None
    assert entry.credentials.expiration is not None
    assert found["AWS_CREDENTIAL_EXPIRATION"] == entry.credentials.expiration.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_env_copies_no_long_term_key(desk: Desk) -> None:
    found = desk.run("env", "--profile", "static")
    assert (found.returncode, found.stdout) == (10, "")
    assert "AWS_PROFILE=static" in found.stderr


def test_env_brings_the_profile_s_region(desk: Desk) -> None:
    del desk.environment["AWS_REGION"], desk.environment["AWS_DEFAULT_REGION"]
    desk.config.write_text(desk.config.read_text().replace("region = us-east-1", "region = eu-central-1"))
    found = json.loads(desk.run("env", "--profile", "role", "--format", "json").stdout)
    assert found["AWS_REGION"] == found["AWS_DEFAULT_REGION"] == "eu-central-1"


def test_env_for_github_masks_and_writes_the_file(desk: Desk) -> None:
    file = desk.home / "github-env"
    file.write_text("BEFORE=1\n")
    desk.environment["GITHUB_ENV"] = str(file)
    found = desk.run("env", "--profile", "role", "--format", "github-actions")
    assert found.returncode == 0
    lines = file.read_text().splitlines()
    assert lines[0] == "BEFORE=1"
    values = dict(line.split("=", 1) for line in lines)
    assert found.stdout.splitlines() == [
        f"::add-mask::{values['AWS_SECRET_ACCESS_KEY']}",
        f"::add-mask::{values['AWS_SESSION_TOKEN']}",
    ]
    del desk.environment["GITHUB_ENV"]
    assert desk.run("env", "--profile", "role", "--format", "github-actions").returncode == 10


def test_prompt_says_what_is_left_and_nothing_where_there_is_nothing(desk: Desk) -> None:
    assert desk.run("prompt", "--profile", "role").stdout == ""
    desk.run(*ROLE)
    for _ in range(2):
        said = desk.run("prompt", "--profile", "role")
        assert said.stdout in ("role 49m\n", "role 50m\n")
        assert said.stderr == ""
    assert desk.run("prompt", "--profile", "role", "--color", "bash").stdout.startswith("\001\033[32m\002role ")
    assert desk.run("prompt", "--profile", "nope").stdout == ""
    assert desk.run("prompt", "--nonsense").returncode == 2


def test_prompt_follows_the_environment(desk: Desk) -> None:
    desk.environment["AWS_PROFILE"] = "role"
    desk.run("credential-process")
    assert desk.run("prompt").stdout.startswith("role ")


def test_forget_one_and_all(desk: Desk) -> None:
    for profile in ("role", "external", "sso"):
        assert desk.run("credential-process", "--profile", profile).returncode == 0
    assert desk.run("forget", "role").stdout == "forgot 1 session\n"
    assert sorted(entry.label or "" for entry in desk.cache.entries()) == ["external", "sso"]
    stranger = desk.cache.sessions / "notes.txt"
    stranger.write_text("mine")
    assert desk.run("forget", "--all").stdout == "forgot 2 sessions\n"
    assert [path.name for path in desk.cache.sessions.iterdir() if not path.name.endswith("lock")] == ["notes.txt"]
    assert desk.run("forget", "role").stdout == "nothing was kept\n"
    assert desk.run("forget").returncode == 2
    desk.run(*ROLE)
    assert desk.assumed() == 3


def test_forget_finds_the_session_of_a_profile_that_is_gone(desk: Desk) -> None:
    desk.run(*ROLE)
    desk.config.write_text("")
    assert desk.run("forget", "role").stdout == "forgot 1 session\n"
    assert list(desk.cache.entries()) == []


def test_sync_writes_one_section_and_nothing_else(desk: Desk) -> None:
    file = desk.home / ".aws" / "credentials"
    before = file.read_bytes()
    done = desk.run("sync", "role", "--to", "old-tool")
    assert (done.returncode, done.stderr) == (0, "")
    desk.shows_no_secret(done.stdout)
    assert file.read_bytes().startswith(before)
    key = read_aws_file(file).sections["old-tool"].get("aws_access_key_id")
    assert desk.cache.find(key.value if key else "") is not None


def test_sync_refuses_what_would_be_lost_or_never_read(desk: Desk) -> None:
    file = desk.home / ".aws" / "credentials"
    before = file.read_bytes()
    assert "long-term" in desk.run("sync", "role", "--to", "static").stderr
    assert "prefer" in desk.run("sync", "role", "--to", "mfa").stderr
    assert "own copy" in desk.run("sync", "role", "--to", "role").stderr
    assert desk.run("sync", "static", "--to", "copied").returncode != 0
    assert file.read_bytes() == before


def test_sync_watches_until_it_is_told_to_stop(desk: Desk) -> None:
    file = desk.home / ".aws" / "credentials"
    process = desk.start("sync", "role", "--to", "old-tool", "--watch")
    eventually(lambda: "[old-tool]" in file.read_text())
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err == ""
    assert out.count("[old-tool]") == 1
    assert os.stat(file).st_mode & 0o777 == 0o600
