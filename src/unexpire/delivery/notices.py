"""A notice ahead of time, once, where something ends that cannot renew itself: the bell, the desktop, a command of the user's."""

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
from typing import TYPE_CHECKING

from ..credentials import Credentials
from ..errors import UnexpireError
from ..settings.environment import Environment

if TYPE_CHECKING:
    from .kept import Kept

__all__ = ["Notices", "notice_due"]

_AHEAD = timedelta(minutes=10)


def notice_due(credentials: Credentials, end: datetime, now: datetime) -> bool:
    """Ten minutes ahead of `end`, and never more than a quarter of the lifetime; not when it is over."""
    ahead = _AHEAD
    if credentials.expiration is not None and credentials.issued_at is not None:
        ahead = min(ahead, (credentials.expiration - credentials.issued_at) / 4)
    return end - ahead <= now < end


class Notices:
    """Gives one notice for each session that ends and has nothing after it."""

    def __init__(self, environment: Environment, *, give: Callable[[str, str], None] | None = None) -> None:
        self._environment = environment
        self._give = give or self._tell
        self._given: set[str] = set()

    def look(self, kept: Iterable[Kept], now: datetime) -> None:
        """Give the notices that are due."""
        for each in kept:
            if each.source.renewable and each.waits_for is None:
                continue
            held = each.refresher.peek()
            end = each.refresher.policy.advertised_end(held) if held is not None else None
            if held is None or end is None or held.access_key_id in self._given:
                continue
            if notice_due(held, end, now):
                self._given.add(held.access_key_id)
                minutes = max(int((end - now).total_seconds()) // 60, 1)
                waits = each.waits_for
                todo = f": {waits.hint}" if waits is not None and waits.hint else ""
                self._give(each.asked.name, f"AWS session of {each.asked.name} ends in {minutes} min{todo}")

    def _tell(self, name: str, text: str) -> None:
        if sys.stderr is not None and sys.stderr.isatty():
            sys.stderr.write("\a")
            sys.stderr.flush()
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


def _desktop(text: str) -> list[str] | None:
    if sys.platform == "darwin" and shutil.which("osascript"):
        quoted = text.replace("\\", "").replace('"', "'")
        return ["osascript", "-e", f'display notification "{quoted}" with title "unexpire"']
    if (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) and shutil.which("notify-send"):
        return ["notify-send", "--app-name=unexpire", "unexpire", text]
    return None
