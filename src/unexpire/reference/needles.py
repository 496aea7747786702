"""What a text must hold for a pattern to match: most texts hold it for none of hundreds of patterns, and `in` is fast."""

from __future__ import annotations

import re

__all__ = ["needle"]

_ESCAPED = re.compile(r"\\([^\w\s])")
_SET = r"\[\^?\]?[^\]]*\]"
_TIMES = r"(?:[*?]|\{\d+(?:,\d*)?\})\??"
_GROUP = re.compile(rf"\((?:{_SET}|[^()\[])*\)")
_GAP = re.compile(rf"(?:\0|{_SET}|\\\w|[.^$])(?:{_TIMES}|\+\??)?|.{_TIMES}|\+\??")
_AWAY = 0xE000
"""Where escaped characters are kept (Unicode's private use area), so that none of them is taken for a sign of the expression."""
_BACK = {_AWAY + code: code for code in range(0x80)}


def needle(regex: str) -> str:
    """The longest run of characters that every match of `regex` holds as it stands; empty where that cannot be told.

    Nothing inside a group is looked at, and an expression with alternatives outside of one has none.
    """
    regex = _ESCAPED.sub(lambda found: chr(_AWAY + ord(found[1])), regex)
    groups = 1
    while groups:
        regex, groups = _GROUP.subn("\0", regex)
    if "|" in regex or "(" in regex:
        return ""
    return max(_GAP.split(regex), key=len).translate(_BACK)
