"""env, sync, forget and prompt, as a person types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from fastlane_desk import COMMAND, Desk, eventually

from unexpire.lab import Lab
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


def test_env_for_github_keeps_what_earlier_steps_wrote(desk: Desk) -> None:
    """Bytes that are no text, and a last line that was left open."""
    file = desk.home / "github-env"
    file.write_bytes(b"CAF=\xe9\nFOO=bar")
    desk.environment["GITHUB_ENV"] = str(file)
    assert desk.run("env", "--profile", "role", "--format", "github-actions").returncode == 0
    assert file.read_bytes().startswith(b"CAF=\xe9\nFOO=bar\nAWS_ACCESS_KEY_ID=ASIA")
    desk.environment["GITHUB_ENV"] = str(desk.home / "nowhere" / "github-env")
    done = desk.run("env", "--profile", "role", "--format", "github-actions")
    assert (done.returncode, (desk.home / "nowhere").exists()) == (10, False)


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


def test_sync_goes_on_when_nobody_reads_along_and_when_the_file_cannot_be_written_for_a_while(tmp_path: Path) -> None:
    file, aside = tmp_path / ".aws" / "credentials", tmp_path / ".aws" / "aside"

    def another(than: str) -> str | None:
        _, _, section = file.read_text().partition("[old-tool]")
        key = section.partition("aws_access_key_id = ")[2].partition("\n")[0]
        return key if key != than else None

    with Lab(lifetime=timedelta(seconds=6)) as lab:
        desk = Desk(lab, tmp_path, lab.make_home(tmp_path) | {"PATH": os.environ["PATH"]})
        process = desk.start("sync", "web-identity", "--to", "old-tool", "--watch")
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        first = eventually(lambda: another(""))
        second = eventually(lambda: another(first))
        file.rename(aside)
        file.mkdir()
        assert process.stderr.readline().endswith("; going on\n")
        file.rmdir()
        aside.rename(file)
        eventually(lambda: another(second))
        process.terminate()
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
        process.stderr.close()


def test_what_env_and_run_have_fetched_has_its_name_in_status_and_prompt(desk: Desk) -> None:
    assert desk.run("env", "--profile", "sso", "-q").returncode == 0
    assert desk.run("run", "--profile", "external", "--", "true").returncode == 0
    shown = json.loads(desk.run("status", "--json").stdout)["identities"]
    assert sorted(each["name"] for each in shown if each["known_from"] == "cache") == ["external", "sso"]
    assert desk.run("prompt", "--profile", "sso").stdout.startswith("sso ")
    assert desk.run("prompt", "--profile", "external").stdout.startswith("external ")


def test_a_logout_ends_what_came_of_the_login_for_every_command(desk: Desk) -> None:
    for words in (("env", "-q"), ("run", "--", "true"), ("credential-process",), ("prompt",)):
        desk.lab.sso_login(desk.home)
        command, *more = words
        assert desk.run("env", "--profile", "sso", "-q").returncode == 0
        for file in (desk.home / ".aws" / "sso" / "cache").iterdir():
            file.unlink()
        done = desk.run(command, "--profile", "sso", *more)
        assert (done.returncode, done.stdout) == (0 if command == "prompt" else 7, ""), words
        done = desk.run("credential-process", "--profile", "sso")
        assert (done.returncode, done.stdout) == (7, ""), f"after {words}"


def test_without_anybody_to_log_in_nobody_waits_for_a_login(desk: Desk) -> None:
    for file in (desk.home / ".aws" / "sso" / "cache").iterdir():
        file.unlink()
    for words in (("env", "--profile", "sso"), ("sync", "sso", "--to", "z"), ("run", "--profile", "sso", "--", "true")):
        done = desk.run(*words)
        assert (done.returncode, done.stdout) == (7, ""), done.stderr
        assert "neither a terminal nor a browser" in done.stderr


def test_names_that_no_file_can_hold_are_refused_by_name(desk: Desk) -> None:
    files = [desk.config, desk.home / ".aws" / "credentials"]
    before = [file.read_bytes() for file in files]
    for name in ("", " x", "a]b", "a\nb", "[default]"):
        for words in (("sync", "role", "--to", name), ("setup", "role", "--as", name, "--yes")):
            done = desk.run(*words)
            assert done.returncode == 10, words
            assert "cannot be the name of a profile" in done.stderr
    assert [file.read_bytes() for file in files] == before


def test_sync_says_where_nobody_keeps_a_copy(desk: Desk) -> None:
    done = desk.run("sync", "role", "--to", "z", "--stop")
    assert (done.returncode, done.stderr) == (1, "unexpire: no agent keeps [z]\n")
    assert desk.run("sync", "role", "--to", "z", "--stop", "--watch").returncode == 2


def test_a_dead_copy_is_refused_with_the_profile_to_fix(desk: Desk) -> None:
    done = desk.run("env", "--profile", "expired")
    assert (done.returncode, done.stdout) == (3, "")
    assert "unexpire fix --profile expired" in done.stderr


def test_setup_of_a_copy_says_that_nothing_renews_it(desk: Desk) -> None:
    done = desk.run("setup", "copy", "--dry-run")
    assert done.returncode == 0
    assert "nothing renews it (~/.aws/credentials:" in done.stderr
    for profile in ("role", "static", "process"):
        assert desk.run("setup", profile, "--dry-run").stderr == ""


def test_setup_twice_says_that_it_is_done(desk: Desk) -> None:
    assert desk.run("setup", "role", "--yes").returncode == 0
    before = desk.config.read_bytes()
    done = desk.run("setup", "role", "--yes")
    assert done.returncode == 10
    assert "set up already, as role-fresh" in done.stderr
    assert desk.config.read_bytes() == before
