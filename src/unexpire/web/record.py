"""What has been seen of sessions since the dashboard began: who had which session from when to when."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..delivery.overview import Line, Overview
from ..freshness import remaining
from ..stores.aws_caches import CachedEnd

__all__ = ["Identity", "Record", "Session"]

_KEPT_AFTER_END = timedelta(minutes=15)
"""How long a session that has ended and is gone from its store stays in sight."""
_MOST_SESSIONS = 500


@dataclass(frozen=True, slots=True)
class Session:
    """One session of an identity: `until` is when another took its place, else it goes on to `end`."""

    access_key_id: str
    start: datetime
    end: datetime
    until: datetime | None = None


@dataclass(slots=True)
class Identity:
    """One identity as it was last seen, with its sessions in order. `gone`: its store no longer has it."""

    line: Line
    sessions: list[Session] = field(default_factory=list)
    gone: bool = False
    first_seen: datetime | None = None

    @property
    def id(self) -> str:
        """A name for the page's anchors that says nothing and does not change."""
        return "i" + hashlib.sha256(f"{self.line.name}\0{self.line.known_from}".encode()).hexdigest()[:10]

    @property
    def renewals(self) -> int:
        """How often a session took another's place while one looked."""
        return max(len(self.sessions) - 1, 0)

    def state(self, now: datetime) -> str:
        """``waits`` (for a human), ``none``, ``over``, ``endless``, ``unknown``, ``due`` (less than a sixth is left) or ``fresh``."""
        line = self.line
        if line.waits_for:
            return "waits"
        if not line.held:
            return "none"
        if line.usable_until is None:
            return "unknown" if line.temporary else "endless"
        left = remaining(line.usable_until, now)
        if not left:
            return "over"
        return "due" if line.lifetime and left < line.lifetime / 6 and not line.renews_itself else "fresh"


class Record:
    """Takes in one look after the other; the caller keeps it to one thread at a time."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Identity] = {}
        self._keys: frozenset[str] = frozenset()
        self.agent: dict[str, object] | None = None

    def look(
        self, seen: Overview, foreign: Iterable[CachedEnd], now: datetime, home: str | None = None
    ) -> list[Identity]:
        """Everything that is known, what has just gone included. Each keeps its place, so that nothing jumps while one looks."""
        self.agent = seen.agent
        ours = {line.access_key_id for line in seen.lines}
        lines = [*seen.lines, *(_of_aws_cache(end, now, home) for end in foreign if end.access_key_id not in ours)]
        lines = [line for line in lines if line.known_from != "aws" or remaining(line.expires_at, now)]
        lines = [line for line in lines if not self._just_renewed(line)]
        self._keys = frozenset(line.access_key_id for line in seen.lines if line.access_key_id)
        current = [self._take(line, now) for line in sorted(lines, key=_place)]
        for identity in self._known.values():
            identity.gone = all(identity is not each for each in current)
        for key, identity in list(self._known.items()):
            if identity.gone and (not identity.sessions or now - identity.sessions[-1].end > _KEPT_AFTER_END):
                del self._known[key]
        return list(self._known.values())

    def _just_renewed(self, line: Line) -> bool:
        """A session that lies in the cache for the first time may be one that the agent fetched after it was asked: wait a look."""
        return self.agent is not None and line.known_from == "cache" and line.access_key_id not in self._keys

    def _take(self, line: Line, now: datetime) -> Identity:
        identity = self._known.setdefault((line.name, line.known_from), Identity(line, first_seen=now))
        identity.line, identity.gone = line, False
        if line.access_key_id is None or line.expires_at is None:
            return identity
        last = identity.sessions[-1] if identity.sessions else None
        if last is None or (last.access_key_id, last.end) != (line.access_key_id, line.expires_at):
            start = line.expires_at - line.lifetime if line.lifetime else now
            if last is not None and last.until is None:
                identity.sessions[-1] = dataclasses.replace(last, until=min(max(start, last.start), last.end))
            identity.sessions.append(Session(line.access_key_id, start, line.expires_at))
            del identity.sessions[:-_MOST_SESSIONS]
        return identity


_ORDER = ("environment", "agent", "cache", "aws")


def _place(line: Line) -> tuple[int, str]:
    """The agent knows the order in which it was told; folders have none."""
    return _ORDER.index(line.known_from), "" if line.known_from == "agent" else line.name


def _of_aws_cache(end: CachedEnd, now: datetime, home: str | None) -> Line:
    path = str(end.path)
    shown = "~" + path[len(home) :] if home and path.startswith(home.rstrip("/") + "/") else path
    kind = {"cli": "AWS CLI", "boto": "boto", "login": "aws login"}.get(end.path.parent.parent.name, "AWS")
    return Line(
        f"{kind} cache, account {end.account_id}" if end.account_id else f"{kind} cache, {end.access_key_id}",
        f"kept by the {kind} in {shown}" if kind != "aws login" else f"kept by aws login in {shown}",
        "aws",
        held=True,
        left=remaining(end.expiration, now),
        expires_at=end.expiration,
        usable_until=end.expiration,
        access_key_id=end.access_key_id,
    )
