"""From identities to what the templates draw: bars, and lanes on a line of time, all in shares of the width."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..diagnosis.spoken import span_short
from ..freshness import remaining
from .record import Identity, Session

__all__ = ["SPANS", "Bar", "Lane", "Piece", "Tick", "TimeLine", "bar", "left_in_words", "time_line"]

SPANS = ((60, "1 min"), (900, "15 min"), (3600, "1 h"), (21_600, "6 h"), (86_400, "24 h"))
_PAST = 0.62
"""The share of the line that lies behind now: renewals that went well are what one comes to see."""
_STEPS = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)


@dataclass(frozen=True, slots=True)
class Bar:
    """What is left, in percent of the lifetime: the life, the margin at its end that is not handed out, the renewal ahead."""

    left: float
    margin: float
    renewal: float | None
    begins: int
    """Unix milliseconds, for the script that moves the bar between two looks."""
    ends: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of one session on the line: x and width in percent, and the life that is left where it begins and where it ends, in
    percent of that session's. `kind` is past, held or margin."""

    x: float
    width: float
    first: float
    last: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Lane:
    identity: Identity
    state: str
    pieces: tuple[Piece, ...]
    renewals: tuple[Tick, ...]
    ahead: Tick | None


@dataclass(frozen=True, slots=True)
class TimeLine:
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    now: float
    span: int


def bar(identity: Identity, now: datetime) -> Bar | None:
    """The bar of an identity; None where its session has no end that is known."""
    line = identity.line
    if line.expires_at is None or not line.held:
        return None
    begin = identity.sessions[-1].start if identity.sessions else now
    whole = max((line.expires_at - begin).total_seconds(), 1.0)

    def share(moment: datetime | None) -> float:
        return 0.0 if moment is None else min(max(100 * (line_end - moment).total_seconds() / whole, 0.0), 100.0)

    line_end = line.expires_at
    renewal = share(line.next_renewal) if line.next_renewal is not None and line.next_renewal > now else None
    return Bar(
        round(share(now), 2),
        round(share(line.usable_until), 2) if line.usable_until else 0.0,
        round(renewal, 2) if renewal is not None else None,
        round(begin.timestamp() * 1000),
        round(line.expires_at.timestamp() * 1000),
    )


def left_in_words(identity: Identity, now: datetime) -> str:
    """``34 min``, ``12 s``: until the end that programs are told; from then on ``kept back``, and at its own end ``ended``."""
    line = identity.line
    if not line.held:
        return "none held"
    if line.usable_until is None:
        return "end unknown" if line.temporary else "no end"
    left = remaining(line.usable_until, now)
    if left:
        return span_short(max(left, timedelta(seconds=1)))
    return "kept back" if line.kept_back(now) else "ended"


@dataclass(frozen=True, slots=True)
class _Window:
    begin: datetime
    seconds: int

    @property
    def end(self) -> datetime:
        return self.begin + timedelta(seconds=self.seconds)

    def x(self, moment: datetime) -> float:
        return round(100 * (moment - self.begin).total_seconds() / self.seconds, 2)


def time_line(identities: Iterable[Identity], now: datetime, span: int | None = None) -> TimeLine:
    """Lanes of everything that has sessions. `span` seconds from edge to edge; by default what shows the longest life whole."""
    shown = [identity for identity in identities if identity.sessions]
    seconds = span or _span(shown)
    window = _Window(now - timedelta(seconds=seconds * _PAST), seconds)
    lanes = tuple(_lane(identity, now, window) for identity in shown)
    return TimeLine(lanes, tuple(_ticks(window)), round(100 * _PAST, 2), seconds)


def _span(shown: list[Identity]) -> int:
    """What shows the longest life whole, and some of what was before it."""
    lives = [(identity.sessions[-1].end - identity.sessions[-1].start).total_seconds() for identity in shown]
    return round(min(max(2.6 * max(lives, default=3600), SPANS[0][0]), SPANS[-1][0]))


def _lane(identity: Identity, now: datetime, window: _Window) -> Lane:
    pieces: list[Piece] = []
    for session in identity.sessions:
        if session.until is not None or not remaining(session.end, now):
            pieces += _piece(session, session.start, session.until or session.end, "past", window)
            continue
        usable = min(max(identity.line.usable_until or session.end, session.start), session.end)
        pieces += _piece(session, session.start, min(now, session.end), "past", window)
        pieces += _piece(session, max(now, session.start), usable, "held", window)
        pieces += _piece(session, max(usable, now), session.end, "margin", window)
    renewed = (session.start for session in identity.sessions[1:] if window.begin <= session.start <= window.end)
    due = identity.line.next_renewal
    ahead = (
        Tick(window.x(due), f"next renewal {due:%H:%M:%S} UTC") if due is not None and now < due <= window.end else None
    )
    return Lane(
        identity,
        identity.state(now),
        tuple(pieces),
        tuple(Tick(window.x(moment), f"renewed {moment:%H:%M:%S} UTC") for moment in renewed),
        ahead,
    )


def _piece(session: Session, begin: datetime, end: datetime, kind: str, window: _Window) -> Iterator[Piece]:
    """The part from `begin` to `end`, as far as the window shows it."""
    begin, end = max(begin, window.begin), min(end, window.end)
    whole = max((session.end - session.start).total_seconds(), 1.0)

    def left(moment: datetime) -> float:
        return round(min(max(100 * (session.end - moment).total_seconds() / whole, 0.0), 100.0), 2)

    width = round(window.x(end) - window.x(begin), 2)
    if width > 0:
        title = f"{session.access_key_id}: {session.start:%H:%M:%S} to {session.end:%H:%M:%S} UTC"
        yield Piece(window.x(begin), width, left(begin), left(end), kind, title)


def _ticks(window: _Window) -> Iterator[Tick]:
    step = next((step for step in _STEPS if window.seconds / step <= 7), _STEPS[-1])
    first = window.begin.timestamp() // step * step + step
    pattern = "%H:%M" if step >= 60 else "%H:%M:%S"
    while first < window.end.timestamp():
        moment = datetime.fromtimestamp(first, window.begin.tzinfo)
        yield Tick(window.x(moment), moment.astimezone().strftime(pattern))
        first += step
