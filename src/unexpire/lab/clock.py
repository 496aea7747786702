"""The lab's clock: what time AWS thinks it is, and how far a test has moved it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

__all__ = ["LabClock", "real_now"]


def real_now() -> datetime:
    """The clock of this machine, aware UTC."""
    return datetime.now(UTC)


class LabClock:
    """Three readings of one clock.

    now          the lab's time: sessions are issued and end by it, and the `Date` of every answer says it.
    signing_now  what signatures are judged by. An SDK signs with the machine's real clock, which no test can move, so time that a
                 test let pass (an injected clock, `advance`) is left out here; a wrong clock (`offset`) is not.
    url_now      what the life of a presigned URL is judged by: signed with the real clock, but ageing with the lab's.
    """

    def __init__(self, clock: Callable[[], datetime] = real_now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._real_start, self._start = real_now(), clock()
        self._offset = self._advanced = timedelta(0)

    def now(self) -> datetime:
        return self._clock() + self._offset + self._advanced

    def signing_now(self) -> datetime:
        return real_now() + self._offset

    def url_now(self) -> datetime:
        passed = (self._clock() - self._start) - (real_now() - self._real_start)
        return real_now() + self._offset + self._advanced + passed

    @property
    def offset(self) -> timedelta:
        """How far AWS's clock is ahead of its callers' (negative: behind)."""
        return self._offset

    def set_offset(self, offset: timedelta) -> None:
        self._offset = offset

    def advance(self, by: timedelta) -> None:
        """Let time pass without waiting for it."""
        with self._lock:
            self._advanced += by
