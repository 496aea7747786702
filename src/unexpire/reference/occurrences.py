"""Where in a text an error stands, how often, and at what times the text itself gives."""

from __future__ import annotations

import re

__all__ = ["TIME", "Lines"]

TIME = re.compile(
    r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?"
    r"|\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?: [+-]\d{4})?"
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
    r"|(?<=\b[IWEF])\d{4} \d\d:\d\d:\d\d(?:\.\d{1,6})?",
    re.ASCII,
)
"""The forms in which logs print a time: ISO 8601, Apache's, syslog's and klog's."""

_CONTINUED = re.compile(r"\s|at |Caused by|\.\.\. \d+ more|from |[│|^~]|\)|\}|\]|$|status code:|File \"")


class Lines:
    """The lines of a text, grouped into records: a line that continues the one before it belongs to its record."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()

    def occurrences(self, numbers: list[int]) -> tuple[int, str | None, str | None]:
        """(in how many records these lines stand, time of the first, time of the last); lines count from 1."""
        records = list(dict.fromkeys(self._record(number) for number in numbers))
        times = [time for time in map(self._time, (records[0], records[-1])) if time]
        return len(records), times[0] if times else None, times[-1] if times else None

    def _record(self, number: int) -> int:
        """The line that begins the record of this line; never more than 50 lines back."""
        at = min(number, len(self._lines))
        for _ in range(50):
            if at <= 1 or not self._continues(at):
                break
            at -= 1
        return max(at, 1)

    def _continues(self, number: int) -> bool:
        line = self._lines[number - 1]
        return TIME.search(line[:80]) is None and _CONTINUED.match(line) is not None

    def _time(self, number: int) -> str | None:
        if not 0 < number <= len(self._lines):
            return None
        match = TIME.search(self._lines[number - 1][:400])
        return match[0] if match else None
