"""A notice ahead of time, once, where something ends that cannot renew itself: the bell, the desktop, a command of the user's.

On a terminal nothing but the bell, ever: the screen belongs to the program that runs there, which may have drawn all of it.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..credentials import Credentials
from ..errors import RefreshFailed, UnexpireError
from ..settings.environment import Environment
from ..stores import notice_marks, session_files

if TYPE_CHECKING:
    from ..refresher import Refresher

__all__ = ["Notices", "Watched", "notice_from", "ring"]

_AHEAD = timedelta(minutes=10)


class Watched(Protocol):
    """A session under somebody's eyes: what a person calls it, whether its source can renew it, and who holds it."""

    @property
    def name(self) -> str: ...
    @property
    def renewable(self) -> bool: ...
    @property
    def refresher(self) -> Refresher: ...


def notice_from(credentials: Credentials, end: datetime) -> datetime:
    """When the notice of a session is due: ten minutes ahead of `end`, and never more than a quarter of the lifetime."""
    ahead = _AHEAD
    if credentials.expiration is not None and credentials.issued_at is not None:
        ahead = min(ahead, (credentials.expiration - credentials.issued_at) / 4)
    return end - ahead


class Notices:
    """Gives one notice for each session that ends and has nothing after it: one for all processes that hold the session.

    `bell` rings at the terminal that this process looks after; every such terminal is rung once.
    """

    def __init__(self, environment: Environment, *, bell: Callable[[], None] | None = None) -> None:
        self._environment = environment
        self._bell = bell or _ring_here
        self._given: set[str] = set()

    def look(self, watched: Iterable[Watched], now: datetime) -> None:
        """Give the notices that are due."""
        for each in watched:
            stuck = _stuck(each.refresher.error)
            if each.renewable and stuck is None:
                continue
            held = each.refresher.peek()
            end = each.refresher.policy.advertised_end(held) if held is not None else None
            if held is None or end is None or held.access_key_id in self._given:
                continue
            if notice_from(held, end) <= now < end:
                self._given.add(held.access_key_id)
                minutes = max(int((end - now).total_seconds()) // 60, 1)
                todo = f": {stuck.hint}" if stuck is not None and stuck.hint else ""
                self._tell(held, each.name, f"AWS session of {each.name} ends in {minutes} min{todo}", now)

    def _tell(self, held: Credentials, name: str, text: str, now: datetime) -> None:
        self._bell()
        home = str(self._environment.home) if self._environment.home is not None else ""
        folder = session_files.folder(self._environment.variables, home)
        if not notice_marks.first_to_give(Path(folder) if folder is not None else None, held.access_key_id, now):
            return
        for command in (self._users(name), _desktop(text)):
            if command is not None:
                self._run(command, name, text)

    def _users(self, name: str) -> list[str] | None:
        from ..settings.preferences import preferences

        with contextlib.suppress(UnexpireError, ValueError):
            again = Environment.of(self._environment.variables, cwd=self._environment.cwd)
            line = preferences(again).on_expiring
            # split first, then filled in: a profile's name is never a piece of a command line
            return [word.replace("%s", name) for word in shlex.split(line)] if line else None
        return None

    def _run(self, command: list[str], name: str, text: str) -> None:
        variables = {**self._environment.variables, "UNEXPIRE_PROFILE": name, "UNEXPIRE_NOTICE": text}
        nothing = subprocess.DEVNULL

        def run() -> None:
            with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
                subprocess.run(
                    command,
                    env=variables,
                    stdin=nothing,
                    stdout=nothing,
                    stderr=nothing,
                    start_new_session=True,
                    timeout=60,
                    check=False,
                )

        threading.Thread(target=run, name="unexpire-notice", daemon=True).start()


def _stuck(error: UnexpireError | None) -> UnexpireError | None:
    """What keeps a source from being renewed, if that does not pass by itself: a person is waited for, or AWS refuses."""
    passes = error is None or (isinstance(error, RefreshFailed) and error.retryable)
    return None if passes else error


def _ring_here() -> None:
    if sys.stderr is not None and sys.stderr.isatty():
        sys.stderr.write("\a")
        sys.stderr.flush()


def ring(terminal: str) -> None:
    """Ring the bell of a terminal by its name, one that this process has not open: it would never seem closed to its owner."""
    nowait, not_mine = getattr(os, "O_NONBLOCK", 0), getattr(os, "O_NOCTTY", 0)
    with contextlib.suppress(OSError):
        screen = os.open(terminal, os.O_WRONLY | nowait | not_mine)
        try:
            if os.isatty(screen):
                os.write(screen, b"\a")
        finally:
            os.close(screen)


def _desktop(text: str) -> list[str] | None:
    if sys.platform == "darwin" and shutil.which("osascript"):
        quoted = text.replace("\\", "").replace('"', "'")
        return ["osascript", "-e", f'display notification "{quoted}" with title "unexpire"']
    if (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) and shutil.which("notify-send"):
        return ["notify-send", "--app-name=unexpire", "unexpire", text]
    return None
