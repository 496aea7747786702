"""The table of `sentences.txt`: sentences that tell an ailment, read once a process."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache

from .needles import needle

__all__ = ["BARE", "CLIENT", "CONTAINER", "GENERIC", "OTHER", "SPECIFIC", "Rule", "sentences"]

SPECIFIC, CLIENT, GENERIC, CONTAINER, BARE, OTHER = 6, 5, 4, 3, 2, 1
"""How much a mention tells: a service's own verdict; a client's precise one; a client that found nothing; a tool's summary of
that; a bare status or a waiter; anything else. Where a text holds several errors, the one that tells most is the answer."""

_TIERS = {
    "specific": SPECIFIC,
    "client": CLIENT,
    "generic": GENERIC,
    "container": CONTAINER,
    "bare": BARE,
    "other": OTHER,
}
_TABLE = os.path.join(os.path.dirname(__file__), "sentences.txt")


@dataclass(frozen=True, slots=True)
class Rule:
    """One sentence. `json_code` is what services with a JSON protocol give instead of `code`."""

    ailment: str
    tier: int
    code: str | None
    json_code: str | None
    regex: str
    needle: str
    """A piece of every text that `regex` matches."""

    @property
    def pattern(self) -> re.Pattern[str]:
        """Compiled when the first text has its needle: compiling all of them takes longer than all else that `explain TEXT` does."""
        return _compiled(self.regex)


@cache
def _compiled(regex: str) -> re.Pattern[str]:
    return re.compile(regex)


@cache
def sentences() -> tuple[Rule, ...]:
    """The rules in the order of the file, which is also the order of the pages' subjects."""
    with open(_TABLE, encoding="utf-8") as file:
        text = re.sub(r"\\\n\s*", "", file.read())
    return tuple(_rule(line) for line in text.splitlines() if line and not line.startswith("#"))


def _rule(line: str) -> Rule:
    ailment, tier, codes, pattern = line.split(" | ", 3)
    code, _, json_code = codes.partition("/")
    return Rule(ailment, _TIERS[tier], None if code == "-" else code, json_code or None, pattern, needle(pattern))
