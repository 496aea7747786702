"""The only place that judges time: is a set of credentials fresh, due for renewal, or past its end?

Everything is a pure function of (end, lifetime, now). The windows follow what the SDKs do with an answer, see
`docs/architecture.md`, "Windows".
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from .credentials import Credentials

__all__ = ["DEFAULT_POLICY", "Freshness", "RefreshPolicy", "remaining"]


class Freshness(enum.Enum):
    """What to do with a set of credentials that is held."""

    FRESH = "fresh"
    """Hand it out."""
    STALE = "stale"
    """Hand it out, and renew in the background, once."""
    EXPIRED = "expired"
    """Never hand it out: wait for the renewal in flight, or fail."""


def remaining(expiration: datetime | None, now: datetime) -> timedelta | None:
    """Life left, never negative; None where there is no end or none is known."""
    return None if expiration is None else max(expiration - now, timedelta(0))


_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class RefreshPolicy:
    """When to renew and what to advertise, as shares of a session's lifetime.

    margin      advertised end = true end - margin, because Rust, C++, PHP and Go's process provider sign with a set until the very
                second it is advertised to end. 10 min for sessions of an hour and more, 1 min for 15-minute ones, between them
                in proportion; below 15 min a fifteenth of the lifetime, but no less than 5 s where half the lifetime has room for
                them: an SDK whose one question timed out after a second or two goes on signing with what it has.
    stale_at    40 min before the end for sessions of an hour, so that what is handed out is advertised for more than the 25 and
                15 min below which SDKs refetch at every call (or, for IMDS, invent a later end); never more than two thirds of
                the lifetime, so that a 15-minute session is renewed after 5, and never more than an hour before the end.
    """

    longest_margin: timedelta = 10 * _MINUTE
    longest_stale_window: timedelta = 40 * _MINUTE
    stale_share: float = 2 / 3

    def margin(self, lifetime: timedelta) -> timedelta:
        """How long before the true end a set is no longer handed out."""
        quarter, hour = 15 * _MINUTE, 60 * _MINUTE
        if lifetime <= quarter:
            return min(max(lifetime / 15, min(5 * _SECOND, lifetime / 2 - 5 * _SECOND)), self.longest_margin)
        share = min((lifetime - quarter) / (hour - quarter), 1.0)
        return min(_MINUTE + share * 9 * _MINUTE, self.longest_margin)

    def stale_window(self, lifetime: timedelta) -> timedelta:
        """How long before the true end a renewal is due."""
        return min(self.longest_stale_window, lifetime * self.stale_share)

    def advertised_end(self, credentials: Credentials) -> datetime | None:
        """The end to tell a program, in whole seconds; None where the keys have none."""
        if credentials.expiration is None:
            return None
        return (credentials.expiration - self.margin(lifetime_of(credentials))).replace(microsecond=0)

    def usable_until(self, credentials: Credentials) -> datetime | None:
        """When it is handed out no longer: shortly before the end that is told, None where the keys have none.

        Two seconds for the way to the program, less for what lives for less than 18 seconds: botocore fails, and Java keeps for
        minutes, what has ended by the time that they look at it.
        """
        end, room = self.advertised_end(credentials), lifetime_of(credentials) / 4 - 2.5 * _SECOND
        return end - max(min(2 * _SECOND, room), 0 * _SECOND) if end is not None else None

    def renewal_due(self, credentials: Credentials) -> datetime | None:
        """The moment from which the set is STALE; None where the keys have no end."""
        if credentials.expiration is None:
            return None
        return credentials.expiration - self.stale_window(lifetime_of(credentials))

    def freshness(self, credentials: Credentials, now: datetime) -> Freshness:
        """FRESH, STALE or EXPIRED at `now`. Keys without an end are always FRESH."""
        end, due = self.usable_until(credentials), self.renewal_due(credentials)
        if end is None or due is None:
            return Freshness.FRESH
        if now >= end:
            return Freshness.EXPIRED
        return Freshness.STALE if now >= due else Freshness.FRESH


_ASSUMED_LIFETIME = timedelta(hours=1)


def lifetime_of(credentials: Credentials) -> timedelta:
    """End minus issue; an hour, STS's default, where the issue is not known. Zero where the source handed out a dead set."""
    if credentials.expiration is None or credentials.issued_at is None:
        return _ASSUMED_LIFETIME
    return max(credentials.expiration - credentials.issued_at, timedelta(0))


DEFAULT_POLICY = RefreshPolicy()
