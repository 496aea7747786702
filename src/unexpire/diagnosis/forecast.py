"""Will these credentials last until T, renewal included, and what ends them first?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["Limit", "last_session_end"]

# SDKs renew a role session up to this long before its end (botocore's advisory window): the last session that a dying source can
# still give is fetched then.
_AHEAD = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that ends what renews the credentials. `at` None: it has an end, and nobody here knows when."""

    by: str
    at: datetime | None


def last_session_end(
    now: datetime, lifetime: timedelta, source_end: datetime, *, held_until: datetime | None = None
) -> datetime:
    """When the last session ends that a source which itself ends at `source_end` can still give.

    A program holds a session until `held_until` (a new one of `lifetime` when None) and asks for the next one 15 minutes
    before the end, or half-way through shorter ones; while its source lives it gets it.
    """
    ahead = min(_AHEAD, lifetime / 2)
    end = held_until if held_until is not None else (now + lifetime if now < source_end else now)
    step = lifetime - ahead
    if step <= timedelta(0) or end - ahead >= source_end:
        return end
    # Renewals happen at end-ahead, end-ahead+step, …; count those that fall before the source's end.
    renewals = -((source_end - (end - ahead)) // -step)
    return end + renewals * step
