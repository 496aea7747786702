"""`atomic`: the old content or the new, whatever happens; links, modes and owners stay; locks keep others out."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from unexpire.errors import StoreError
from unexpire.stores import atomic

posix = pytest.mark.skipif(os.name == "nt", reason="modes, links and signals of POSIX")


def others(folder: Path, *names: str) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name not in names)


@posix
def test_a_writer_killed_at_any_step_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    program = Path(__file__).with_name("killed_writer.py")
    done = subprocess.run([sys.executable, program, tmp_path], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert len(rows) > 40, "the writer has more steps than that"
    assert {row[1] for row in rows} == {"old", "new"}
    assert {row[2] for row in rows} == {"0o640"}
    assert rows[-1][1:] == ["new", "0o640", "alive"]
    states = [row[1] for row in rows]
    assert states == sorted(states, reverse=True), "once it is new it stays new"


@posix
def test_a_new_file_is_private_and_so_are_new_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    before = os.umask(0)
    try:
        atomic.replace(path, "text é")
    finally:
        os.umask(before)
    assert path.read_text(encoding="utf-8") == "text é"
    assert [oct(p.stat().st_mode & 0o777) for p in (path, path.parent, path.parent.parent)] == [
        "0o600",
        "0o700",
        "0o700",
    ]


@posix
def test_mode_stays_unless_another_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o644)
    atomic.replace(path, "new")
    assert path.stat().st_mode & 0o777 == 0o644
    atomic.replace(path, "newer", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600


@posix
@pytest.mark.parametrize("dangling", [False, True])
def test_a_symbolic_link_stays_one_and_its_target_is_replaced(tmp_path: Path, dangling: bool) -> None:
    target, link = tmp_path / "dotfiles" / "credentials", tmp_path / "credentials"
    target.parent.mkdir()
    if not dangling:
        target.write_text("old")
    link.symlink_to(Path("dotfiles") / "credentials")
    atomic.replace(link, "new", backup=True)
    assert link.is_symlink()
    assert target.read_text() == "new"
    backup = target.with_name("credentials" + atomic.BACKUP_SUFFIX)
    assert backup.exists() is not dangling
    assert others(tmp_path, "dotfiles", "credentials") == []


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_as_root_the_file_stays_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    os.chown(path, 12345, 23456)
    atomic.replace(path, "new")
    found = path.stat()
    assert (found.st_uid, found.st_gid) == (12345, 23456)


@posix
def test_the_backup_is_the_last_content_and_private(tmp_path: Path) -> None:
    path = tmp_path / "file"
    backup = tmp_path / ("file" + atomic.BACKUP_SUFFIX)
    atomic.replace(path, "one", backup=True)
    assert not backup.exists()
    path.chmod(0o644)
    atomic.replace(path, "two", backup=True)
    atomic.replace(path, "three", backup=True)
    assert backup.read_text() == "two"
    assert backup.stat().st_mode & 0o777 == 0o600


def test_nothing_is_left_beside_the_file_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="no space is left") as caught:
        atomic.replace(path, "new")
    assert caught.value.hint is not None
    assert path.read_text() == "old"
    assert others(tmp_path, "file") == []


_TRY_AS_NOBODY = """
import os, sys
from pathlib import Path
from unexpire.stores import atomic      # before it is nobody, who may not be able to read the installation
import filelock, tempfile
os.chdir(sys.argv[1])
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
from unexpire.errors import StoreError
for act in (lambda: atomic.replace(Path("credentials"), "new"), lambda: atomic.lock(Path("credentials")).__enter__()):
    try:
        act()
    except StoreError as error:
        print(error.message, "|", error.hint)
"""


@posix
def test_a_read_only_folder_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("old")
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    tmp_path.chmod(0o555)
    done = subprocess.run(
        [sys.executable, "-c", _TRY_AS_NOBODY, tmp_path], capture_output=True, text=True, cwd="/", timeout=30
    )
    tmp_path.chmod(0o755)
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stderr
    assert all("read-only for this user" in line and "writable" in line for line in lines)
    assert (tmp_path / "credentials").read_text() == "old"


def test_a_folder_that_is_a_file_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        atomic.replace(tmp_path / "file" / "below", "text")
    with pytest.raises(StoreError), atomic.lock(tmp_path / "file" / "below"):
        pass


@posix
def test_links_that_lead_in_a_circle_are_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(StoreError):
        atomic.replace(tmp_path / "a", "text")


def test_the_lock_keeps_threads_apart(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("0")

    def add() -> None:
        for _ in range(20):
            with atomic.lock(path):
                atomic.replace(path, str(int(path.read_text()) + 1))

    threads = [threading.Thread(target=add) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() == "100"


_ADD = """
import sys
from pathlib import Path
from unexpire.stores import atomic
path = Path(sys.argv[1])
for _ in range(20):
    with atomic.lock(path):
        atomic.replace(path, str(int(path.read_text()) + 1))
"""


@posix
def test_the_lock_keeps_processes_apart_through_different_links(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_text("0")
    link.symlink_to("file")
    children = [subprocess.Popen([sys.executable, "-c", _ADD, name]) for name in (path, link, path)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert path.read_text() == "60"


def test_a_lock_that_is_not_given_up_is_an_error_in_time(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with (
        atomic.lock(path),
        pytest.raises(StoreError, match="another process"),
        atomic.lock(path, timeout_s=0.05),
    ):
        pytest.fail("the lock was given twice")


def test_what_dead_writers_left_is_swept_and_young_files_are_not(tmp_path: Path) -> None:
    path = tmp_path / "file"
    old, young = tmp_path / ".file.dead.unexpire-tmp", tmp_path / ".file.busy.unexpire-tmp"
    foreign = tmp_path / ".other.dead.unexpire-tmp"
    for leftover in (old, young, foreign):
        leftover.write_text("aws_secret_access_key = …")
    past = time.time() - 3600
    for leftover in (old, foreign):
        os.utime(leftover, (past, past))
    with atomic.lock(path):
        pass
    assert not old.exists()
    assert young.exists()
    assert foreign.exists()


def test_remove_says_whether_it_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert atomic.remove(path) is False
    path.write_text("x")
    assert atomic.remove(path) is True
    assert not path.exists()
