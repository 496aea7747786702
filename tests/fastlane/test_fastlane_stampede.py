"""Many processes at once: one of them goes to AWS, one asks the human, and all of them get what it got."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys

import pytest
from fastlane_desk import COMMAND, Desk

ROLE = ("credential-process", "--profile", "role")
CROWD = 60


def test_a_cold_crowd_makes_one_call(desk: Desk) -> None:
    crowd = [desk.start(*ROLE) for _ in range(CROWD)]
    answers = [process.communicate(timeout=100) for process in crowd]
    assert {process.returncode for process in crowd} == {0}
    assert {err for _, err in answers} == {""}
    assert len({out for out, _ in answers}) == 1
    assert desk.assumed() == 1


def test_different_command_lines_of_one_session_share_it(desk: Desk) -> None:
    crowd = [desk.start(*ROLE) for _ in range(5)] + [
        desk.start("credential-process", "--profile=role") for _ in range(5)
    ]
    assert len({process.communicate(timeout=100)[0] for process in crowd}) == 1
    assert desk.assumed() == 1


def test_a_crowd_shares_one_failure(desk: Desk) -> None:
    desk.lab.outage(service="sts", mode="500")
    desk.waits_out(2)
    crowd = [desk.start(*ROLE) for _ in range(20)]
    answers = [process.communicate(timeout=100) for process in crowd]
    assert {process.returncode for process in crowd} == {9}
    assert {out for out, _ in answers} == {""}
    assert all(err.startswith("unexpire: ") for _, err in answers)
    calls = desk.assumed()
    # At 0, 0.5, 1 and 2 s: they wait for one of them, and not one after the other.
    assert 1 <= calls <= 5
    again = desk.run(*ROLE)
    assert again.returncode == 9
    assert "not tried again for another" in again.stderr
    assert desk.assumed() == calls


def test_a_denial_is_said_to_all_and_may_be_tried_again_at_once(desk: Desk) -> None:
    desk.config.write_text(desk.config.read_text().replace(desk.lab.role_arn("Deploy"), desk.lab.role_arn("Forbidden")))
    crowd = [desk.start(*ROLE) for _ in range(8)]
    answers = [process.communicate(timeout=100) for process in crowd]
    assert {process.returncode for process in crowd} == {6}
    assert len({err for _, err in answers}) == 1
    assert desk.assumed() == 1
    assert "not tried again" not in desk.run(*ROLE).stderr
    assert desk.assumed() == 2


def test_a_code_is_asked_for_once_by_one_process(desk: Desk) -> None:
    mfa = ("credential-process", "--profile", "mfa")
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    first = subprocess.Popen(
        [sys.executable, "-c", _WITH_TERMINAL, *COMMAND, *mfa],
        env=desk.environment,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(theirs)
    shown = _read_until(ours, "MFA code")
    others = [desk.start(*mfa) for _ in range(5)]
    # They may come before the code or after it: nobody else asks.
    os.write(ours, b"123456\n")
    out, err = first.communicate(timeout=100)
    assert (first.returncode, err) == (0, "")
    assert desk.lab.mfa_serial in shown
    assert {other.communicate(timeout=100)[0] for other in others} == {out}
    assert json.loads(out)["Version"] == 1
    assert desk.assumed() == 1
    os.close(ours)


def test_without_a_terminal_the_caller_is_told_what_to_do(desk: Desk) -> None:
    found = desk.run("credential-process", "--profile", "mfa")
    assert (found.returncode, found.stdout) == (7, "")
    assert "no terminal" in found.stderr


@pytest.mark.parametrize("setting", ["memory", "rubbish"])
def test_the_user_s_setting_decides_where_sessions_are_kept(desk: Desk, setting: str) -> None:
    folder = desk.home / ".config" / "unexpire"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(f'cache = "{setting}"\n')
    crowd = [desk.start(*ROLE) for _ in range(3)]
    answers = [process.communicate(timeout=100) for process in crowd]
    if setting == "rubbish":
        assert {process.returncode for process in crowd} == {10}
        assert all("config.toml:1" in err for _, err in answers)
        return
    assert {process.returncode for process in crowd} == {0}
    assert desk.assumed() == 3
    for path in desk.cache.folder.rglob("*"):
        assert not path.is_file() or "SecretAccessKey" not in path.read_text()


def test_the_keyring_holds_what_the_files_do_not(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> None:
    # A keyring library of our own: one file for a keyring, in the place where the real one is imported from.
    library = tmp_path_factory.mktemp("library") / "keyring"
    library.mkdir()
    (library / "errors.py").write_text(
        "class KeyringError(Exception): ...\nclass PasswordDeleteError(KeyringError): ...\n"
    )
    (library / "__init__.py").write_text(
        "import json, pathlib\n"
        "box = pathlib.Path(__file__).with_name('box')\n"
        "def _all(): return json.loads(box.read_text()) if box.exists() else {}\n"
        "def set_password(service, user, text): box.write_text(json.dumps(_all() | {user: text}))\n"
        "def get_password(service, user): return _all().get(user)\n"
        "def delete_password(service, user):\n    held = _all(); del held[user]; box.write_text(json.dumps(held))\n"
    )
    desk.environment["PYTHONPATH"] = str(library.parent)
    folder = desk.home / ".config" / "unexpire"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('cache = "keyring"\n')
    first, second = desk.run(*ROLE), desk.run(*ROLE)
    assert (first.returncode, first.stderr) == (0, "")
    assert second.stdout == first.stdout
    assert desk.assumed() == 1
    for path in desk.cache.folder.rglob("*"):
        if path.is_file():
            desk.shows_no_secret(path.read_text())
    assert desk.run("forget", "role").stdout == "forgot 1 session\n"
    assert json.loads((library / "box").read_text()) == {}


# Makes stdin the controlling terminal of a session of its own, and becomes the command.
_WITH_TERMINAL = "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


def _read_until(terminal: int, words: str) -> str:
    shown = ""
    while words not in shown:
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, f"never saw {words!r}: {shown!r}"
        shown += os.read(terminal, 1000).decode()
    return shown
