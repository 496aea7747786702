"""The only writer of files: whoever reads one sees the old content or the new, never a part, whenever the writer is killed.

The new content goes to a temporary file in the same folder, is flushed to the disk, and takes the place of the old one in one
step (POSIX `rename`, Windows `MoveFileEx`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import StoreError

__all__ = ["BACKUP_SUFFIX", "lock", "private_folder", "remove", "replace", "sweep"]

BACKUP_SUFFIX = ".unexpire-backup"
_LOCK_SUFFIX = ".unexpire-lock"
_TEMPORARY_SUFFIX = ".unexpire-tmp"
_LEFTOVER_AFTER_S = 600.0


def replace(
    path: Path, content: str | bytes, *, mode: int | None = None, backup: bool = False, lasting: bool = True
) -> None:
    """Make `content` what the file holds. Raises StoreError, and the file still holds what it held.

    A symbolic link stays one: the file that it names is replaced. An existing file keeps its mode and, where we may, its owner;
    a new one is 0600, as everything here may hold a session; `mode` says otherwise. `backup` first puts the old content beside
    it, 0600, named like it plus ``.unexpire-backup``, in the place of an older backup. What need not be `lasting` is not flushed to
    the disk: after a power cut the file may be empty or gone, which a cache is read as anyway. Takes no lock: a caller that
    reads, changes and writes holds `lock(path)` around all three.
    """
    target = _target(path)
    data = content.encode() if isinstance(content, str) else content
    try:
        private_folder(target.parent)
        old = _stat(target)
        if backup and old is not None:
            _put(target.with_name(target.name + BACKUP_SUFFIX), target.read_bytes(), 0o600, None)
        kept = stat.S_IMODE(old.st_mode) if old is not None else 0o600
        _put(target, data, kept if mode is None else mode, old, lasting=lasting)
    except OSError as error:
        raise _explained(error, path, target) from error


def remove(path: Path) -> bool:
    """Remove a file, and the folder's entry for it only: True if it was there. Raises StoreError."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _explained(error, path, path) from error
    return True


def private_folder(path: Path) -> None:
    """Make the folder, and its parents, 0700 where they are new; one that exists is left as it is. Raises OSError."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        if path == path.parent:
            break
        path = path.parent
    for folder in reversed(missing):
        # mkdir(parents=True) would give the parents the default mode.
        folder.mkdir(mode=0o700, exist_ok=True)


@contextlib.contextmanager
def lock(path: Path, *, timeout_s: float = 30.0, sweeps: bool = True) -> Iterator[None]:
    """Hold the file alone among all threads and processes that also ask here. Raises StoreError after `timeout_s` seconds.

    The lock is a file beside the target of `path`, so that two links to one file share it; the system drops it when its holder
    dies. What writers of it that died left behind is removed; `sweeps=False` leaves that to `sweep`, for folders of thousands, which
    would be listed each time. Not reentrant.
    """
    import filelock  # 0.1 s of imports, which a reader of a cache never needs

    target = _target(path)
    try:
        private_folder(target.parent)
        held = filelock.FileLock(str(target) + _LOCK_SUFFIX, timeout=timeout_s, mode=0o600)
        held.acquire()
    except filelock.Timeout as error:
        raise StoreError(
            f"another process has been writing {path} for more than {timeout_s:.0f} s",
            hint=f"see who it is (fuser {target}{_LOCK_SUFFIX}), then try again",
        ) from error
    except (OSError, NotImplementedError) as error:
        raise _explained(error, path, target) from error
    try:
        if sweeps:
            _sweep(target.parent, f".{target.name}.")
        yield
    finally:
        held.release()


def _target(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def sweep(folder: Path) -> None:
    """Remove what writers that died left behind of any file in a folder that is ours alone."""
    _sweep(folder, ".")


def _put(target: Path, data: bytes, mode: int, like: os.stat_result | None, *, lasting: bool = True) -> None:
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=_TEMPORARY_SUFFIX)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if like is not None:
                _keep_owner(name, like)
            os.chmod(name, mode)  # after the owner: a change of owner clears bits of the mode
            if lasting:
                os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    if lasting:
        _sync_folder(target.parent)


def _keep_owner(name: str, like: os.stat_result) -> None:
    """As root for a user (`sudo unexpire fix`), the file stays the user's; where that is not ours to do, it becomes ours."""
    chown = getattr(os, "chown", None)
    mine = os.stat(name)
    if chown is not None and (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid):
        with contextlib.suppress(OSError):
            chown(name, like.st_uid, like.st_gid)


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a power cut. Windows cannot open folders, and some file systems refuse: no loss."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sweep(folder: Path, prefix: str) -> None:
    """Remove temporary files that killed writers left: they may hold a session. Young ones may still be somebody's."""
    oldest = time.time() - _LEFTOVER_AFTER_S
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and entry.name.endswith(_TEMPORARY_SUFFIX):
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < oldest:
                        os.unlink(entry.path)


def _explained(error: OSError | NotImplementedError, path: Path, target: Path) -> StoreError:
    folder = target.parent
    number = getattr(error, "errno", None)
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreError(
            f"cannot write {path}: {folder} is read-only for this user",
            hint=f"make {folder} writable, or point the AWS variable for this file to a folder that is",
        )
    if number == errno.EBUSY:
        return StoreError(
            f"cannot replace {path}: it is itself a mount point",
            hint=f"mount its folder ({folder}) instead of the one file",
        )
    if number in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(f"cannot write {path}: no space is left there", hint=f"df -h {folder}")
    if number == errno.ELOOP:
        return StoreError(f"cannot write {path}: its symbolic links lead in a circle", hint=f"ls -l {path}")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return StoreError(f"cannot write {path}: {reason}")
