"""How long a source that failed is left alone, and what is remembered of it. Throttles attempts, never validity.

Everything is a pure function of moments that are passed in: whoever asks has the clock, the lock and the source.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .errors import InteractionRequired, RefreshFailed, UnexpireError

__all__ = ["Attempts", "Backoff", "Outage"]

_NOTHING = timedelta(0)
# Failures that may pass, though not within seconds: who waits for an answer is told at once.
_NOT_SOON = frozenset({"clock-skew", "process-bad-output"})


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to leave a failing source alone: doubled from `first` to `longest`, less up to a quarter of jitter.

    Never more than a tenth of what is left of the held session's life, so that a short one still gets several attempts. Where
    nothing usable is held, every program of this identity stands still: for the first `urgent_for` of that the pauses are
    those of `urgently`. Most outages are over by then, and SDKs ask for a credential process's next answer only at the end of the
    last one.
    """

    first: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(minutes=1)
    urgent_first: timedelta = timedelta(seconds=0.5)
    urgent_longest: timedelta = timedelta(seconds=4)
    urgent_for: timedelta = timedelta(seconds=15)
    jitter: Callable[[], float] = random.random

    def after(self, failures: int, life_left: timedelta | None) -> timedelta:
        """The pause after so many failures in a row."""
        pause = min(self.first * (2 ** min(failures - 1, 10)), self.longest)
        if life_left is not None and life_left > _NOTHING:
            pause = min(pause, max(life_left / 10, timedelta(seconds=0.5)))
        return self._shortened(pause)

    def urgently(self, needed_for: timedelta) -> timedelta | None:
        """The pause where nothing usable has been held for `needed_for`: as long again, so about eight attempts in 15 s.

        None after that: the outage is an established one, and `after` applies.
        """
        if needed_for + self.urgent_first > self.urgent_for:
            return None
        pause = min(max(needed_for, self.urgent_first), self.urgent_longest, self.urgent_for - needed_for)
        return self._shortened(pause)

    def _shortened(self, pause: timedelta) -> timedelta:
        return timedelta(seconds=pause.total_seconds() * (1 - 0.25 * self.jitter()))


@dataclass(frozen=True, slots=True)
class Outage:
    """A failure that may pass, as one process leaves it for the others, so that they do not each try for themselves.

    asked_at       when the source was last asked in vain.
    not_before     when it may be asked again.
    failures       how many in a row, `urgent` of them in a hurry.
    in_need_since  when the first attempt began that found nothing usable held; None where something is.
    """

    error: RefreshFailed
    asked_at: datetime
    not_before: datetime
    failures: int = 1
    urgent: int = 0
    in_need_since: datetime | None = None


class Attempts:
    """What is known of the last attempts at one source, and when the next may be. Its owner keeps threads apart."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self.error: UnexpireError | None = None
        self.failures = 0
        self._urgent = 0
        self._unchanged = 0
        # The source was asked in vain at `_asked_at`, and is left alone until `not_before`.
        self.not_before: datetime | None = None
        self._asked_at: datetime | None = None
        self._in_need_since: datetime | None = None

    def waiting_out(self, now: datetime) -> bool:
        """Whether the source is to be left alone. A clock that was set back does not stretch that."""
        if self.not_before is None or self._asked_at is None:
            return False
        return self._asked_at <= now < self.not_before

    def pause(self, patience: timedelta, now: datetime) -> timedelta | None:
        """How long until the next attempt, if that is within `patience` of the beginning of the need; None: waiting is no use."""
        if self.not_before is None or self._in_need_since is None or self.not_before > self._in_need_since + patience:
            return None
        return self.not_before - now if self.waiting_out(now) else _NOTHING

    def anew(self) -> None:
        """Wait no longer: something has happened that may change the answer."""
        self.not_before = self._asked_at = None

    def succeeded(self) -> None:
        self.error = None
        self.failures = self._urgent = self._unchanged = 0
        self.not_before = self._asked_at = self._in_need_since = None

    def unchanged(self, now: datetime, life_left: timedelta | None) -> None:
        """The source has no other set yet: the next attempt waits as after a failure."""
        times = self._unchanged + 1
        self.succeeded()
        self._unchanged = times
        self._leave_alone(now, self._backoff.after(times, life_left))

    def failed(
        self, error: UnexpireError, *, began: datetime, now: datetime, in_need: bool, life_left: timedelta | None
    ) -> Outage | None:
        """Note a failure; what other processes need to know of it, None where only this one's question was wrong.

        `in_need`: nothing usable is held. Not retried: what only a human can change; it is looked at now and then, not often.
        """
        may_pass = isinstance(error, RefreshFailed) and error.retryable
        if not in_need or not may_pass or error.finding in _NOT_SOON:
            self._in_need_since = None
        elif self._in_need_since is None or self._long_ago(self._asked_at, began):
            self._in_need_since = began
        self.error = error
        self.failures += 1
        pause = None
        if self._in_need_since is not None and error.finding != "throttled":
            pause = self._backoff.urgently(max(now - self._in_need_since, _NOTHING))
        if pause is not None:
            self._urgent += 1
        else:
            permanent = isinstance(error, InteractionRequired) or (isinstance(error, RefreshFailed) and not may_pass)
            steps = max(self.failures - self._urgent, 1) + (3 if permanent else 0)
            pause = self._backoff.after(steps, life_left)
        self._leave_alone(now, pause)
        if not isinstance(error, RefreshFailed) or not may_pass:
            return None
        return Outage(error, now, now + pause, self.failures, self._urgent, self._in_need_since)

    def follow(self, outage: Outage, *, now: datetime, in_need: bool) -> bool:
        """Go on from another process's failure; True if the source is to be left alone for it.

        What is too long ago, or from before a jump of the clock, counts for nothing, and nobody is kept waiting longer than by a
        failure of his own.
        """
        if self._long_ago(outage.asked_at, now):
            return False
        if outage.failures > self.failures:
            self.failures, self._urgent = outage.failures, outage.urgent
        self._asked_at, self._in_need_since = outage.asked_at, None
        longest = self._backoff.longest
        if in_need:
            since = self._in_need_since = min(outage.in_need_since or now, now)
            if now - since < self._backoff.urgent_for and outage.error.finding != "throttled":
                longest = self._backoff.urgent_longest
        self.not_before = min(outage.not_before, outage.asked_at + longest)
        if not self.waiting_out(now):
            return False
        self.error = outage.error
        return True

    def _leave_alone(self, now: datetime, pause: timedelta) -> None:
        self._asked_at = now
        self.not_before = now + pause

    def _long_ago(self, moment: datetime | None, now: datetime) -> bool:
        """Whether an attempt at `moment` says nothing about the outage of `now`."""
        return moment is None or not _NOTHING <= now - moment <= 2 * self._backoff.longest
