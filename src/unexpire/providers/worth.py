"""Whether what a source gave is worth taking: alive, and no worse than what is held."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..credentials import Credentials
from ..errors import RefreshFailed
from ..freshness import Freshness, RefreshPolicy
from .base import Provider

__all__ = ["same", "worthwhile"]

_SHORTEST_USEFUL = timedelta(seconds=5)
"""A set with less life left is no use to a request that is about to be signed, unless its whole life is that short (the lab's)."""


def same(one: Credentials, other: Credentials) -> bool:
    """The same keys with the same end; when they are taken to have begun does not matter."""
    return one.issued(None) == other.issued(None)


def worthwhile(
    found: Credentials, *, held: Credentials | None, provider: Provider, policy: RefreshPolicy, now: datetime
) -> Credentials:
    """`found`, or `held` where that is as good; raises RefreshFailed for a set that is over or no use any more.

    A source may have nothing better than a set that is old already: a process with a cache, a static copy, the metadata service,
    which gives the next set as late as 5 minutes before the end (EC2 user guide, "Instance metadata and user data": "Retrieve
    security credentials"). Such a set is taken to begin now, so that it goes out, with a margin that fits what is left of it.
    """
    end = found.expiration
    if end is None:
        return found
    usable = held is not None and policy.freshness(held, now) is not Freshness.EXPIRED
    if held is not None and held.expiration is not None and usable and (same(found, held) or end < held.expiration):
        return held
    if found.issued_at is None and provider.renewable:
        found = found.issued(now.replace(microsecond=0))
    if policy.freshness(found, now) is not Freshness.EXPIRED:
        return found
    if end - now >= _SHORTEST_USEFUL:
        return found.issued(now)
    raise RefreshFailed(
        f"{provider.describe()} gives a session that is over, or nearly",
        retryable=provider.renewable,
        finding=_finding_of_dead_sets(provider),
        hint="unexpire diagnose",
    )


def _finding_of_dead_sets(provider: Provider) -> str:
    if not provider.renewable:
        return "static-session"
    if provider.method in ("iam-role", "container-role"):
        return "metadata-stale"
    if provider.method == "custom-process":
        return "process-bad-output"
    # AWS itself ends no session in the moment it gives it: then the two clocks differ.
    return "clock-skew"
