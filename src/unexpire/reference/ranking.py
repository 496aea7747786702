"""A ranked list of causes that evidence reorders, each move with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from .evidence import Evidence

__all__ = ["Likely", "Ranking", "Shown", "words"]


@dataclass(frozen=True, slots=True)
class Likely:
    """A cause by its label (`page.LABELS`), and what in the text speaks for it, if anything does."""

    label: str
    why: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {"label": self.label, "why": self.why}


class Ranking:
    """A list of causes that rules reorder. `first` and `after` keep the rest in their order."""

    def __init__(self, labels: tuple[str, ...], expiry: bool) -> None:
        self.labels = list(labels)
        self.why: dict[str, str] = {}
        self.expiry = expiry
        self.look_at: list[str] = []

    def first(self, label: str, why: str) -> None:
        """What the text shows makes this the likeliest."""
        self._put(label, 0, why)

    def second(self, label: str, why: str | None = None) -> None:
        """Worth a look right after the likeliest."""
        if self.labels[:1] != [label]:
            self._put(label, 1, why)

    def _put(self, label: str, place: int, why: str | None) -> None:
        if label in self.labels:
            self.labels.remove(label)
        self.labels.insert(place, label)
        if why:
            self.why[label] = why

    def look(self, *what: str) -> None:
        self.look_at += what

    def done(self) -> tuple[Likely, ...]:
        return tuple(Likely(label, self.why.get(label)) for label in self.labels)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the text names, as far as it does."""

    ailment: str
    code: str | None
    service: str | None
    operation: str | None
    status: int | None
    seen: Evidence


def words(span: timedelta) -> str:
    """A span as people say it: ``3 h 05 min``, ``2 d 4 h``, ``45 s``."""
    seconds = abs(int(span.total_seconds()))
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {left:02d} s" if minutes else f"{left} s"
