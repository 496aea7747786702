"""How long everything lives, from the tables of the pages' *Lifetimes*, drawn on one scale from seconds to years."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..page import Page
from .markup import plain

__all__ = ["TICKS", "Life", "Lives", "lives", "place"]

_UNITS = {
    "s": 1,
    "min": 60,
    "minutes": 60,
    "h": 3600,
    "day": 86_400,
    "days": 86_400,
    "year": 31_557_600,
    "years": 31_557_600,
}
_SPAN = re.compile(r"(?<![\d.])(\d+)(?:\s*(?:min|h|s)?\s*[–-]\s*(\d+))?\s*(s|min(?:utes)?|h|days?|years?)\b")
_MIXED = re.compile(r"(\d+)\s*(s|min|h|days?)\s*–\s*(\d+)\s*(h|days?|years?)\b")
TICKS = (
    (30, "30 s"),
    (300, "5 min"),
    (900, "15 min"),
    (3600, "1 h"),
    (43_200, "12 h"),
    (604_800, "7 d"),
    (7_776_000, "90 d"),
    (315_576_000, "10 y"),
)
_FIRST, _LAST = TICKS[0][0], TICKS[-1][0]


@dataclass(frozen=True, slots=True)
class Life:
    """One row of a table: what lives, in the page's words how long, and in seconds the least, the usual and the most it says."""

    what: str
    words: tuple[str, ...]
    least: int
    usual: int
    most: int


@dataclass(frozen=True, slots=True)
class Lives:
    """A page and what it says of lifetimes, the longest first."""

    page: Page
    rows: tuple[Life, ...]


def lives(pages: Iterable[Page]) -> list[Lives]:
    """The pages with lifetimes, the shortest-lived first."""
    found = [Lives(page, tuple(_rows(page.sections["Lifetimes"]))) for page in pages if "Lifetimes" in page.sections]
    return sorted((each for each in found if each.rows), key=lambda each: max(row.usual for row in each.rows))


def place(seconds: float) -> float:
    """Where a span stands on the scale, 0 to 1: logarithmic, since a code lives half a minute and a refresh token ten years."""
    clipped = min(max(seconds, _FIRST), _LAST)
    return math.log(clipped / _FIRST) / math.log(_LAST / _FIRST)


def _rows(section: str) -> Iterable[Life]:
    for line in section.splitlines():
        cells = [plain(cell.strip()) for cell in line.strip("| ").split(" | ")]
        if not line.startswith("|") or line.startswith("|---"):
            continue
        per_cell = [_seconds(cell) for cell in cells[1:]]
        spans = [span for spans in per_cell for span in spans]
        if spans:
            usual = next(spans for spans in per_cell if spans)[0]
            words = tuple(cell.strip(" |") for cell in cells[1:] if cell.strip(" |"))
            yield Life(cells[0], words, min(spans), usual, max(spans))


def _seconds(text: str) -> list[int]:
    found: list[int] = []
    text = re.sub(r"\(.*?\)", "", text)
    for low, low_unit, high, high_unit in _MIXED.findall(text):
        found += [int(low) * _UNITS[low_unit], int(high) * _UNITS[high_unit]]
    for low, high, unit in _SPAN.findall(_MIXED.sub("", text)):
        found += [int(each) * _UNITS[unit] for each in (low, high) if each]
    if not found and (bare := re.match(r"(\d{3,6})\b", text)):
        found.append(int(bare[1]))
    return found
