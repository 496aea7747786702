"""What the lab has seen: every request by service, operation, identity and outcome. Tests assert on it."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from .refusals import extended

__all__ = ["EXPIRED_CODES", "Entry", "Ledger"]

EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
"""The outcomes that mean: this request was signed with a session that had ended."""


@dataclass(frozen=True)
class Entry:
    """One request. `outcome` is ``ok``, an error code, or ``outage:MODE`` for one that an outage swallowed."""

    at: datetime
    service: str
    operation: str
    key: str | None
    """The access key id that signed."""
    arn: str | None
    status: int
    outcome: str

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "at": extended(self.at)}


class Ledger:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)

    def reset(self) -> None:
        with self._lock:
            self._entries.clear()

    def entries(
        self,
        service: str | None = None,
        operation: str | None = None,
        identity: str | None = None,
        outcome: str | None = None,
    ) -> list[Entry]:
        """The requests that fit. `identity` is an access key id, an ARN, or a part of an ARN; `outcome` may be ``expired`` (any
        of EXPIRED_CODES) or ``error`` (anything but ok)."""
        with self._lock:
            entries = list(self._entries)
        return [
            entry
            for entry in entries
            if service in (None, entry.service)
            and operation in (None, entry.operation)
            and (identity is None or identity == entry.key or identity in (entry.arn or ""))
            and _fits(entry.outcome, outcome)
        ]

    def rows(self) -> list[dict[str, Any]]:
        """Counts by service, operation, identity and outcome, the most frequent first."""
        with self._lock:
            counted = Counter((e.service, e.operation, e.arn or e.key, e.outcome) for e in self._entries)
        names = ("service", "operation", "identity", "outcome")
        return [{**dict(zip(names, what, strict=True)), "count": count} for what, count in counted.most_common()]


def _fits(outcome: str, wanted: str | None) -> bool:
    if wanted == "expired":
        return outcome in EXPIRED_CODES
    if wanted == "error":
        return outcome != "ok"
    return wanted in (None, outcome)
