"""`unexpire fix`, the real command: what it mends, what it leaves as it was, and that it ends green or says what only a human can do."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from scenario_stage import Stage, run_command, run_here

from unexpire.lab import Lab

pytestmark = pytest.mark.skipif(os.name != "posix", reason="terminals, signals and modes of POSIX")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


def stage(lab: Lab, home: Path, /, **scenario: Any) -> Stage:
    return Stage(lab, home, scenario)


def credentials_of(home: Path) -> bytes:
    return (home / ".aws" / "credentials").read_bytes()


def backups(home: Path) -> list[Path]:
    return sorted((home / ".aws").glob("*backup*"))


def no_secret(lab: Lab, *texts: str) -> None:
    assert not [secret for secret in lab.secrets() if any(secret in text for text in texts)]


COPY = """
# keys of the night
[nightly]  ; the cron job reads this
aws_access_key_id     = {{dead.key}}
# in between
aws_secret_access_key={{dead.secret}}
aws_session_token = {{dead.token}}
region = eu-west-1

[after]
aws_access_key_id = AKIAQQQQQQQQQQQQQQQQ
aws_secret_access_key = left/as+it/is
"""


def test_a_copy_is_renewed_where_it_stands(lab: Lab, tmp_path: Path) -> None:
    here = stage(lab, tmp_path, sessions={"dead": {"seconds": -60}}, credentials=COPY)
    real = tmp_path / "elsewhere"
    (tmp_path / ".aws/credentials").rename(real)
    real.chmod(0o640)
    (tmp_path / ".aws/credentials").symlink_to(real)
    before = credentials_of(tmp_path).decode()
    dead = here.sessions["dead"]

    dry = run_command(here, "fix", "--profile", "nightly", "--from", "role", "--dry-run")
    assert (dry.returncode, credentials_of(tmp_path).decode(), backups(tmp_path)) == (3, before, [])
    assert "renew profile nightly in ~/.aws/credentials from profile role" in " ".join(dry.stdout.split())

    done = run_command(here, "fix", "--profile", "nightly", "--from", "role", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "works until" in done.stdout
    after = credentials_of(tmp_path).decode()
    values = (dead.access_key_id, dead.secret_access_key, dead.session_token or "")
    assert not [value for value in values if value in after]
    assert _without_keys(after, "nightly") == _without_keys(before, "nightly")
    assert (tmp_path / ".aws/credentials").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    kept = list(tmp_path.glob("*backup*")) + backups(tmp_path)
    assert [path.read_text() for path in kept] == [before]
    assert stat.S_IMODE(kept[0].stat().st_mode) == 0o600
    no_secret(lab, dry.stdout, dry.stderr, done.stdout, done.stderr)

    again = run_command(here, "fix", "--profile", "nightly", "--from", "role", "--yes")
    assert (again.returncode, credentials_of(tmp_path).decode()) == (0, after)
    assert "Nothing to fix" in again.stdout
    # The origin is proven from now on: nobody has to name it.
    lab.end_all_sessions()
    lab.advance(0)
    proven = run_command(here, "fix", "--profile", "nightly", "--yes")
    assert proven.returncode == 0, proven.stdout + proven.stderr


def _without_keys(text: str, section: str) -> list[str]:
    """Every line but those that hold a key of the section."""
    lines, inside = [], False
    for line in text.splitlines(keepends=True):
        if line.startswith("["):
            inside = line.startswith(f"[{section}]")
        if inside and re.match(r"aws_(access_key_id|secret_access_key|session_token)\b", line):
            line = re.sub(r"=\s*.*", "=", line)
        lines.append(line)
    return lines


def test_the_only_profile_of_the_account_is_taken(lab: Lab, tmp_path: Path) -> None:
    here = stage(
        lab,
        tmp_path,
        home="empty",
        sessions={"dead": {"seconds": -60}},
        credentials=COPY + "\n[static]\naws_access_key_id = {{user.key}}\naws_secret_access_key = {{user.secret}}\n",
        config="[profile role]\nrole_arn = {{role:Deploy}}\nsource_profile = static\n",
    )
    done = run_command(here, "fix", "--profile", "nightly", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "from profile role" in done.stdout


def test_where_several_could_be_it_nobody_guesses(lab: Lab, tmp_path: Path) -> None:
    here = stage(lab, tmp_path, sessions={"dead": {"seconds": -60}}, credentials=COPY)
    before = credentials_of(tmp_path)
    done = run_command(here, "fix", "--profile", "nightly", "--yes")
    assert (done.returncode, credentials_of(tmp_path)) == (3, before)
    assert "unexpire fix --profile nightly --from role" in done.stdout


def test_long_term_keys_are_never_copied(lab: Lab, tmp_path: Path) -> None:
    here = stage(lab, tmp_path, sessions={"dead": {"seconds": -60}}, credentials=COPY)
    before = credentials_of(tmp_path)
    done = run_command(here, "fix", "--profile", "nightly", "--from", "static", "--yes")
    assert (done.returncode, credentials_of(tmp_path)) == (10, before)
    assert "never copied" in done.stderr


@pytest.mark.parametrize(("source", "words"), [("nightly", "cannot be its own source"), ("expired", "expired")])
def test_a_dead_copy_is_no_source(lab: Lab, tmp_path: Path, source: str, words: str) -> None:
    here = stage(lab, tmp_path, sessions={"dead": {"seconds": -60}}, credentials=COPY)
    before = credentials_of(tmp_path)
    done = run_command(here, "fix", "--profile", "nightly", "--from", source, "--yes")
    assert done.returncode != 0
    assert words in done.stderr
    assert "wrote" not in done.stdout
    assert credentials_of(tmp_path) == before


def test_a_copy_in_the_config_file(lab: Lab, tmp_path: Path) -> None:
    config = """
[profile "two words"]
aws_access_key_id = {{dead.key}}
aws_secret_access_key = {{dead.secret}}
aws_session_token = {{dead.token}}
"""
    here = stage(lab, tmp_path, sessions={"dead": {"seconds": -60}}, config=config)
    done = run_command(here, "fix", "--profile", "two words", "--from", "role", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert '[profile "two words"]' in (tmp_path / ".aws/config").read_text()


def test_a_source_is_uncovered(lab: Lab, tmp_path: Path) -> None:
    keys = COPY.replace("[nightly]  ; the cron job reads this", "[process]")
    here = stage(lab, tmp_path, sessions={"dead": {"seconds": -60}}, credentials=keys)
    done = run_command(here, "fix", "--profile", "process", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# in between" in credentials_of(tmp_path).decode()
    assert here.sessions["dead"].access_key_id not in credentials_of(tmp_path).decode()
    no_secret(lab, done.stdout, done.stderr)


def test_a_leftover_token_is_removed(lab: Lab, tmp_path: Path) -> None:
    keys = "[default]\naws_access_key_id = {{user.key}}\naws_secret_access_key = {{user.secret}}\naws_session_token = {{dead.token}}\n# end"
    here = stage(lab, tmp_path, home="empty", sessions={"dead": {"seconds": -60}}, credentials=keys)
    before = credentials_of(tmp_path).decode()
    done = run_command(here, "fix", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    gone = f"aws_session_token = {here.sessions['dead'].session_token}\n"
    assert credentials_of(tmp_path).decode() == before.replace(gone, "")


def test_a_leftover_token_of_what_signs_for_a_role(lab: Lab, tmp_path: Path) -> None:
    keys = "\n[left]\naws_access_key_id = {{user.key}}\naws_secret_access_key = {{user.secret}}\naws_session_token = {{dead.token}}\n"
    config = "\n[profile mine]\nrole_arn = {{role:Deploy}}\nsource_profile = left\n"
    here = stage(lab, tmp_path, sessions={"dead": {"seconds": -60}}, credentials=keys, config=config)
    done = run_command(here, "fix", "--profile", "mine", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_sso_login_that_every_sdk_sees(lab: Lab, tmp_path: Path) -> None:
    here = stage(lab, tmp_path)
    lab.set_auto_approve()
    lab.revoke_sso()
    done = run_command(here, "fix", "--profile", "sso", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    token = json.loads((tmp_path / here.fill("{{sso:lab}}")).read_text())
    assert set(token) == {
        "startUrl",
        "region",
        "accessToken",
        "expiresAt",
        "clientId",
        "clientSecret",
        "registrationExpiresAt",
        "refreshToken",
    }
    asked = "import boto3; print(boto3.Session(profile_name='sso').client('sts').get_caller_identity()['Arn'])"
    theirs = subprocess.run(
        [sys.executable, "-c", asked], env=here.variables, capture_output=True, text=True, check=False
    )
    assert "AWSReservedSSO" in theirs.stdout, theirs.stderr
    no_secret(lab, done.stdout, done.stderr)


def test_an_sso_login_that_was_refused(lab: Lab, tmp_path: Path) -> None:
    here = stage(lab, tmp_path)
    lab.revoke_sso()
    before = (tmp_path / here.fill("{{sso:lab}}")).read_bytes()
    running = subprocess.Popen(
        [sys.executable, "-m", "unexpire", "fix", "--profile", "sso", "--yes"],
        env=here.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not lab.approve_device(deny=True) and time.monotonic() < deadline:
        time.sleep(0.05)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 7, out + err
    assert "refused" in err
    assert (tmp_path / here.fill("{{sso:lab}}")).read_bytes() == before


def on_a_terminal(
    here: Stage, *arguments: str, answers: dict[str, str], interrupt_at: str | None = None
) -> tuple[int, str]:
    """The command on a terminal of its own: what is typed when a text appears; (exit code, what was shown)."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(here.home)
        os.execve(sys.executable, [sys.executable, "-m", "unexpire", *arguments], here.variables)
    shown, waiting, deadline = "", dict(answers), time.monotonic() + 60
    interrupting = False
    try:
        while time.monotonic() < deadline:
            if not select.select([terminal], [], [], 1)[0]:
                if interrupting:
                    # readline loses one that comes between its last look and its wait; whoever sits there presses it again
                    os.write(terminal, b"\x03")
                continue
            try:
                piece = os.read(terminal, 4096)
            except OSError:
                break
            if not piece:
                break
            shown += piece.decode("utf-8", "replace")
            for sign in [sign for sign in waiting if sign in shown]:
                os.write(terminal, waiting.pop(sign).encode())
            if interrupt_at is not None and interrupt_at in shown:
                os.write(terminal, b"\x03")
                interrupt_at, interrupting = None, True
    finally:
        os.close(terminal)
        if time.monotonic() >= deadline:
            os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), shown


def test_an_mfa_code_is_asked_for_once_and_the_session_is_kept(lab: Lab, tmp_path: Path) -> None:
    here = stage(lab, tmp_path)
    code, shown = on_a_terminal(here, "fix", "--profile", "mfa", answers={"Do it?": "y\n", "MFA code for": "123456\n"})
    assert code == 0, shown
    assert "works until" in shown
    no_secret(lab, shown.replace("\r", ""))
    for command in (["credential-process", "--profile", "mfa"], ["diagnose", "--profile", "mfa"]):
        later = run_command(here, *command)
        assert later.returncode == 0, later.stdout + later.stderr
    ran = run_command(here, "run", "--profile", "mfa", "--", sys.executable, "-c", "print('ran')")
    assert (ran.returncode, ran.stdout) == (0, "ran\n"), ran.stderr


def test_an_mfa_code_that_is_wrong(lab: Lab, tmp_path: Path) -> None:
    here = stage(lab, tmp_path)
    code, shown = on_a_terminal(here, "fix", "--profile", "mfa", "--yes", answers={"MFA code for": "000000\n"})
    assert code == 7, shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("moment", ["Do it?", "MFA code for"])
def test_ctrl_c_at_a_question(lab: Lab, tmp_path: Path, moment: str) -> None:
    here = stage(lab, tmp_path)
    answers = {} if moment == "Do it?" else {"Do it?": "y\n"}
    code, shown = on_a_terminal(here, "fix", "--profile", "mfa", answers=answers, interrupt_at=moment)
    assert code == 130, shown
    assert "Traceback" not in shown
    assert "interrupted" in shown


def test_without_a_terminal_nothing_is_done_unasked(lab: Lab, tmp_path: Path) -> None:
    here = stage(lab, tmp_path, sessions={"dead": {"seconds": -60}}, credentials=COPY)
    before = credentials_of(tmp_path)
    done = run_command(here, "fix", "--profile", "nightly", "--from", "role", start_new_session=True)
    assert (done.returncode, credentials_of(tmp_path)) == (2, before)
    assert "--yes" in done.stderr


def test_variables_are_told_and_eval_does_it(lab: Lab, tmp_path: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
    here = stage(
        lab,
        tmp_path,
        sessions={"dead": {"seconds": -60}},
        env={name: f"{{{{dead.{part}}}}}" for name, part in keys.items()} | {"AWS_PROFILE": "role"},
    )
    done = run_command(here, "fix", "--yes")
    assert done.returncode == 3
    assert "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN" in done.stdout
    unexpire = f"{shlex.quote(sys.executable)} -m unexpire"
    for line in (
        "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN",
        f'eval "$({unexpire} env --profile role)"',
    ):
        script = f"{line}\n{unexpire} diagnose\n"
        shell = subprocess.run(
            ["bash", "-c", script], env=here.variables, capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert shell.returncode == 0, shell.stdout + shell.stderr
        no_secret(lab, shell.stdout, shell.stderr)


def test_a_healthy_set_up_has_nothing_to_fix(lab: Lab, tmp_path: Path) -> None:
    here = stage(lab, tmp_path)
    code, out, _ = run_here(here, "fix", "--profile", "role", "--yes")
    assert code == 0
    assert "Nothing to fix" in out


def test_a_file_that_cannot_be_written(lab: Lab, tmp_path: Path) -> None:
    """What root may not do either: put a lock beside a file in a folder that is gone read-only is nothing to root, a folder in the
    place of the lock is."""
    here = stage(lab, tmp_path, sessions={"dead": {"seconds": -60}}, credentials=COPY)
    before = credentials_of(tmp_path)
    (tmp_path / ".aws" / "credentials.unexpire-lock").mkdir()
    done = run_command(here, "fix", "--profile", "nightly", "--from", "role", "--yes")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("unexpire: ")
    assert credentials_of(tmp_path) == before


def test_killed_at_any_moment_the_file_is_old_or_new(lab: Lab, tmp_path: Path) -> None:
    """The real command, killed at moments spread over its whole run."""
    here = stage(lab, tmp_path, sessions={"dead": {"seconds": -60}}, credentials=COPY)
    old = credentials_of(tmp_path).decode()
    dead = here.sessions["dead"]
    command = [sys.executable, "-m", "unexpire", "fix", "--profile", "nightly", "--from", "role", "--yes"]
    begun = time.monotonic()
    assert subprocess.run(command, env=here.variables, capture_output=True, check=False).returncode == 0
    whole = time.monotonic() - begun
    seen: set[bool] = set()
    step = 0
    # 14 moments, and later ones where this machine has become slower since it was timed
    while step < 14 or (True not in seen and step < 200):
        step += 1
        (tmp_path / ".aws/credentials").write_text(old)
        running = subprocess.Popen(command, env=here.variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            # The first half is the start of the interpreter: nothing happens there.
            running.wait(whole * (0.35 + 0.05 * step))
        except subprocess.TimeoutExpired:
            running.kill()
        running.wait()
        now = credentials_of(tmp_path).decode()
        new = dead.access_key_id not in now
        seen.add(new)
        if new:
            assert _without_keys(now, "nightly") == _without_keys(old, "nightly")
            assert run_here(here, "diagnose", "--profile", "nightly")[0] == 0
        else:
            assert now == old
    assert True in seen


def test_one_of_many_writers_at_a_time(lab: Lab, tmp_path: Path) -> None:
    """Three profiles of one file, fixed at once: none loses what another wrote."""
    sections = "".join(COPY.replace("nightly", f"n{i}").replace("[after]", f"[after{i}]") for i in range(3))
    here = stage(lab, tmp_path, sessions={"dead": {"seconds": -60}}, credentials=sections)
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "unexpire", "fix", "--profile", f"n{i}", "--from", "role", "--yes"],
            env=here.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for i in range(3)
    ]
    shown = [run.communicate(timeout=90)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], shown
    assert here.sessions["dead"].access_key_id not in credentials_of(tmp_path).decode()


def test_the_end_of_what_was_written_is_known(lab: Lab, tmp_path: Path) -> None:
    here = stage(lab, tmp_path, sessions={"dead": {"seconds": -60}}, credentials=COPY)
    assert run_here(here, "fix", "--profile", "nightly", "--from", "role", "--yes")[0] == 0
    _, out, _ = run_here(here, "diagnose", "--profile", "nightly", "--json")
    end = datetime.fromisoformat(json.loads(out)["expires_at"])
    assert timedelta(minutes=50) < end - datetime.now(UTC) <= timedelta(hours=1)
