"""`credential-process` as SDKs call it: a process, its stdout, its stderr, its exit code."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastlane_desk import COMMAND, Desk, eventually, seed

from unexpire.credentials import parse_timestamp
from unexpire.stores.session_cache import SessionCache

ROLE = ("credential-process", "--profile", "role")


def test_the_document_is_what_the_pickiest_reader_wants(desk: Desk) -> None:
    first = desk.run(*ROLE)
    assert (first.returncode, first.stderr) == (0, "")
    found = json.loads(first.stdout)
    assert type(found["Version"]) is int
    assert found["Version"] == 1
    assert found["Expiration"] == parse_timestamp(found["Expiration"]).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert first.stdout.isascii()
    assert first.stdout.count("\n") == 1
    assert len(first.stdout) < 64_000
    # The keys work.
    identity = subprocess.run(
        [
            sys.executable,
            "-c",
            "import botocore.session as s; print(s.Session().create_client('sts').get_caller_identity()['Arn'])",
        ],
        env=desk.environment
        | {
            "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
            "AWS_SESSION_TOKEN": found["SessionToken"],
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert ":assumed-role/Deploy/" in identity.stdout


def test_the_advertised_end_is_ahead_of_the_true_one(desk: Desk) -> None:
    found = json.loads(desk.run(*ROLE).stdout)
    entry = desk.cache.find(found["AccessKeyId"])
    assert entry is not None
    assert entry.label == "role"
    assert entry.credentials.expiration is not None
    assert entry.credentials.expiration - parse_timestamp(found["Expiration"]) == timedelta(minutes=10)


def test_a_second_call_takes_the_same_session_and_imports_nothing(desk: Desk) -> None:
    first = desk.run(*ROLE)
    again = subprocess.run(
        [sys.executable, "-X", "importtime", *COMMAND[1:], *ROLE],
        env=desk.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert again.stdout == first.stdout
    assert desk.assumed() == 1
    imported = {line.rsplit("|", 1)[-1].strip() for line in again.stderr.splitlines()}
    ours = {name for name in imported if name.startswith("unexpire")}
    assert ours == {
        "unexpire",
        "unexpire.delivery",
        "unexpire.delivery.fast_lane",
        "unexpire.stores",
        "unexpire.stores.session_files",
    }
    bare = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "this"], env=desk.environment, capture_output=True, text=True
    )
    started = {line.rsplit("|", 1)[-1].strip() for line in bare.stderr.splitlines()}
    assert imported - ours - started <= {"__future__"}


def test_everything_kept_is_the_user_s_alone(desk: Desk) -> None:
    desk.run(*ROLE)
    folders = [desk.cache.folder, desk.cache.sessions, desk.cache.lanes]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    kept = [path for folder in folders for path in folder.iterdir() if path.is_file()]
    assert kept
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}
    for lane in desk.cache.lanes.iterdir():
        desk.shows_no_secret(lane.read_text())


def test_a_change_of_the_aws_files_is_noticed(desk: Desk) -> None:
    first = json.loads(desk.run(*ROLE).stdout)
    text = desk.config.read_text()
    desk.config.write_text(text.replace(desk.lab.role_arn("Deploy"), desk.lab.role_arn("Deep")))
    second = json.loads(desk.run(*ROLE).stdout)
    assert second["AccessKeyId"] != first["AccessKeyId"]
    assert desk.assumed() == 2
    desk.config.write_text(text)
    third = json.loads(desk.run(*ROLE).stdout)
    assert third == first  # the first role's session is still kept
    assert desk.assumed() == 2


def test_other_variables_are_another_question(desk: Desk) -> None:
    desk.run(*ROLE)
    assert desk.lane_of(*ROLE[1:]).exists()
    other = desk.home / "other"
    other.write_text("")
    desk.environment |= {"AWS_CONFIG_FILE": str(other)}
    found = desk.run(*ROLE)
    assert found.returncode == 10
    assert "role" in found.stderr


def test_a_fresh_session_goes_out_and_nothing_is_renewed(desk: Desk) -> None:
    seeded = seed(desk, lived=60, left=3540)
    assert json.loads(desk.run(*ROLE).stdout)["AccessKeyId"] == seeded.access_key_id
    assert not list(desk.cache.sessions.glob("*.attempt"))
    assert desk.assumed() == 0


def test_a_stale_session_goes_out_at_once_and_one_renewal_follows(desk: Desk) -> None:
    seeded = seed(desk, lived=1800, left=1800)
    callers = [desk.start(*ROLE) for _ in range(6)]
    answers = [caller.communicate(timeout=60) for caller in callers]
    assert {json.loads(out)["AccessKeyId"] for out, _ in answers} == {seeded.access_key_id}
    assert {err for _, err in answers} == {""}
    renewed = eventually(lambda: (a := json.loads(desk.run(*ROLE).stdout))["AccessKeyId"] != seeded.access_key_id and a)
    assert desk.assumed() == 1
    assert json.loads(desk.run(*ROLE).stdout) == renewed
    assert not list(desk.cache.sessions.glob("*.attempt"))


@pytest.mark.parametrize("lane", ["fast", "long"])
def test_the_renewal_keeps_nothing_of_the_caller_s_open(desk: Desk, lane: str) -> None:
    seed(desk, lived=1800, left=1800)
    if lane == "long":
        desk.lane_of(*ROLE[1:]).unlink()
    desk.lab.outage(service="sts", mode="hang")
    ours, theirs = os.pipe()
    done = subprocess.run(
        [*COMMAND, *ROLE], env=desk.environment, pass_fds=[theirs], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    os.close(theirs)
    (attempt,) = desk.cache.sessions.glob("*.attempt")
    begun = attempt.stat().st_mtime
    assert os.read(ours, 1) == b""
    # Nobody has noted the outcome of the renewal yet: it still hangs, and the pipe is closed all the same.
    assert attempt.stat().st_mtime == begun
    os.close(ours)
    desk.lab.clear_outages()


def test_a_failed_renewal_keeps_what_is_held_and_waits(desk: Desk) -> None:
    seeded = seed(desk, lived=1800, left=1800)
    desk.lab.outage(service="sts", mode="500")
    desk.run(*ROLE)
    asked = eventually(desk.assumed)
    attempt = eventually(
        lambda: [p for p in desk.cache.sessions.glob("*.attempt") if p.stat().st_mtime < time.time() - 0.9]
    )[0]
    # As if the backoff were long: on a slow machine the calls below would outlast a real one.
    os.utime(attempt, (time.time() + 600,) * 2)
    asked = desk.assumed()
    for _ in range(5):
        assert json.loads(desk.run(*ROLE).stdout)["AccessKeyId"] == seeded.access_key_id
    assert attempt.exists()
    assert desk.assumed() == asked


def test_an_expired_session_never_goes_out(desk: Desk) -> None:
    seeded = seed(desk, lived=3500, left=100)  # past what is advertised, and so past its use
    desk.lab.outage(service="sts", mode="500")
    desk.waits_out(0)
    failed = desk.run(*ROLE)
    assert failed.stdout == ""
    assert failed.returncode == 9
    desk.lab.clear_outages()
    desk.waits_out(15)
    desk.environment["AWS_EXECUTION_ENV"] = "other"
    desk.lane_of(*ROLE[1:]).with_suffix(".failed").unlink()
    assert json.loads(desk.run(*ROLE).stdout)["AccessKeyId"] != seeded.access_key_id


def test_a_short_outage_is_waited_out_where_nothing_is_held(desk: Desk) -> None:
    """Go, C++ and rclone ask at the very end of what they have, and end with the first failure."""
    desk.lab.outage("sts", "503", operation="AssumeRole", times=2)
    found = desk.run(*ROLE)
    assert (found.returncode, found.stderr) == (0, "")
    assert desk.assumed() == 3
    assert not list(desk.cache.sessions.glob("*.outage"))


def test_two_command_lines_wait_out_one_outage_together(desk: Desk) -> None:
    desk.lab.outage("sts", "503", operation="AssumeRole")
    desk.waits_out(2)
    both = [desk.start(*ROLE), desk.start("credential-process", "--profile=role")]
    assert {process.wait(100) for process in both} == {9}
    for process in both:
        process.communicate()
    assert 1 <= desk.assumed() <= 6, "at 0, 0.5, 1 and 2 s, whoever of them asks"
    (left,) = desk.cache.sessions.glob("*.outage")
    assert left.stat().st_mode & 0o777 == 0o600
    desk.shows_no_secret(left.read_text())


@pytest.mark.parametrize(
    "junk", [b"\0\xff" * 400, b"unexpire-session 1\n9999999999 9999999999\n{", b"unexpire-session 1\n" * 9]
)
def test_rubbish_in_the_cache_counts_for_nothing(desk: Desk, junk: bytes) -> None:
    desk.run(*ROLE)
    for file in [*desk.cache.sessions.iterdir(), *desk.cache.lanes.iterdir()]:
        file.write_bytes(junk)
    found = desk.run(*ROLE)
    assert (found.returncode, found.stderr) == (0, "")
    assert desk.assumed() == 2


def test_a_home_that_cannot_be_written_gives_an_answer_all_the_same(desk: Desk) -> None:
    if os.geteuid() == 0:
        desk.environment["UNEXPIRE_CACHE_DIR"] = "/proc/unexpire"
    else:
        desk.environment["UNEXPIRE_CACHE_DIR"] = str(desk.home / "closed")
        (desk.home / "closed").mkdir(mode=0o500)
    found = desk.run(*ROLE)
    assert (found.returncode, found.stderr) == (0, "")
    assert json.loads(found.stdout)["Version"] == 1


def test_long_term_keys_go_out_and_are_never_kept(desk: Desk) -> None:
    for _ in range(2):
        found = json.loads(desk.run("credential-process", "--profile", "static").stdout)
        assert found["AccessKeyId"].startswith("AKIA")
        assert "Expiration" not in found
    assert list(desk.cache.entries()) == []
    everything = b"".join(path.read_bytes() for path in desk.cache.folder.rglob("*") if path.is_file())
    assert desk.lab.user.secret.encode() not in everything


def test_a_session_of_unknown_end_is_asked_for_again(desk: Desk) -> None:
    found = json.loads(desk.run("credential-process", "--profile", "copy").stdout)
    end = parse_timestamp(found["Expiration"])
    assert timedelta(minutes=15) < end - datetime.now(UTC) <= timedelta(minutes=20)


def test_a_copy_that_has_ended_does_not_go_out(desk: Desk) -> None:
    found = desk.run("credential-process", "--profile", "expired")
    assert (found.returncode, found.stdout) == (3, "")
    assert "diagnose --profile expired" in found.stderr or "expired" in found.stderr
    assert desk.run("env", "--profile", "expired").returncode == 3
    desk.lab.outage(service="sts", mode="refuse")
    assert desk.run("credential-process", "--profile", "copy").returncode == 0


def test_a_role_without_any_profile(desk: Desk) -> None:
    desk.environment |= {
        "AWS_ACCESS_KEY_ID": desk.lab.user.access_key_id,
        "AWS_SECRET_ACCESS_KEY": desk.lab.user.secret,
    }
    asked = (
        "credential-process",
        "--role-arn",
        desk.lab.role_arn("Deploy"),
        "--session-name",
        "ci-42",
        "--duration",
        "15m",
    )
    first = desk.run(*asked)
    assert first.stderr == ""
    assert desk.run(*asked).stdout == first.stdout
    assert desk.assumed() == 1
    assert desk.lab.user.secret not in "".join(path.read_text() for path in desk.cache.lanes.iterdir())


@pytest.mark.parametrize("how", ["itself", "its source"])
def test_a_process_that_would_wait_for_itself_says_so(desk: Desk, how: str) -> None:
    command = f"{sys.executable} -m unexpire credential-process --profile loop"
    if how == "itself":
        desk.config.write_text(f"[profile loop]\ncredential_process = {command}\n")
    else:
        role = desk.lab.role_arn("Deploy")
        desk.config.write_text(
            f"[profile loop]\nrole_arn = {role}\nsource_profile = below\n[profile below]\ncredential_process = {command}\n"
        )
    found = desk.run("credential-process", "--profile", "loop")
    assert found.returncode == 10
    assert "itself" in found.stderr
    assert found.stdout == ""


def test_the_answer_to_nobody_is_no_error(desk: Desk) -> None:
    desk.run(*ROLE)
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen([*COMMAND, *ROLE], env=desk.environment, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert process.communicate(timeout=60)[1] == ""


def test_a_logout_takes_the_session_with_it(desk: Desk) -> None:
    sso = ("credential-process", "--profile", "sso")
    assert desk.run(*sso).returncode == 0
    assert desk.run(*sso).returncode == 0
    for token in (desk.home / ".aws" / "sso" / "cache").glob("*.json"):
        token.unlink()
    found = desk.run(*sso)
    assert found.returncode == 7
    assert found.stdout == ""


def test_the_end_of_a_kept_session_is_found_by_its_key(desk: Desk) -> None:
    desk.run(*ROLE)
    (entry,) = desk.cache.entries()
    assert desk.cache.find(entry.credentials.access_key_id) == entry
    assert desk.cache.find("ASIANOBODYSNOBODYS00") is None


def test_the_cache_folder_may_be_named(desk: Desk, tmp_path: Path) -> None:
    desk.environment["UNEXPIRE_CACHE_DIR"] = str(tmp_path / "deep" / "here")
    desk.run(*ROLE)
    assert len(list(SessionCache(tmp_path / "deep" / "here").entries())) == 1
    assert not (desk.home / ".cache").exists()
