"""Which sessions' notices have been given, so that of all processes which hold one session a single one gives its notice. No secret."""

from __future__ import annotations

import contextlib
import os
from datetime import datetime, timedelta
from pathlib import Path

from . import atomic, session_files

__all__ = ["first_to_give"]

_KEPT = timedelta(days=3)
"""Longer than any session lasts that somebody is to be told of: 36 hours (STS GetSessionToken)."""


def first_to_give(folder: Path | None, access_key_id: str, now: datetime) -> bool:
    """Whether nobody has given the notice of this session yet; from now on somebody has. True where nothing can be written."""
    if folder is None:
        return True
    marks = folder / "notices"
    try:
        atomic.private_folder(marks)
        _prune(marks, now)
        os.close(os.open(marks / session_files.name_of(access_key_id), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    except OSError:  # a read-only home: one notice too many is better than none
        return True
    return True


def _prune(marks: Path, now: datetime) -> None:
    for path in marks.iterdir():
        with contextlib.suppress(OSError):
            if now.timestamp() - path.stat().st_mtime > _KEPT.total_seconds():
                path.unlink()
