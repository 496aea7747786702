"""From what a tool printed to one plain line: the same words whatever box, colour, escape or wrapping they came in.

Every step is linear in the length of the text, and none raises: a text that makes no sense comes out as other text that makes none.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from dataclasses import dataclass

__all__ = ["MAX_LEVELS", "UTF_16_MARKS", "Flat", "decode", "flatten", "seems_cut", "unescape"]

MAX_LEVELS = 3
"""How often an escaped text is unescaped: JSON in JSON in a Ruby hash is the deepest that real logs were seen to hold."""

UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")

_ANSI = re.compile(r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
# Terraform draws │ ╷ ╵ round a diagnostic, rich and others draw whole boxes; zero-width characters come from chat tools.
_SIGNS = str.maketrans(
    dict.fromkeys("│╷╵┃║┆┊╎▏▌├┤╭╮╰╯┌┐└┘─━═╔╗╚╝\u00a0\u2028\u2029\ufeff", " ")
    | dict.fromkeys("\u200b\u200c\u200d\u2060", "")
    | {"‘": "'", "’": "'", "“": '"', "”": '"', "\u2010": "-", "\u2011": "-"}
)
# What a log collector, a mail client or a CI system puts before each line of a wrapped message.
_GUTTER = re.compile(
    r"\s*(?:[│|] |\d{4}-\d\d-\d\dT[\d:.]{8,18}Z (?=\s|\S)|[\w.-]{1,40} +\| |(?:> ?){1,4}|E {2,}|\|\s"
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S{1,80} \S{1,80}: )",
    re.ASCII,
)
_ESCAPES = {"n": "\n", "r": "\n", "t": " ", "f": " ", "b": " ", '"': '"', "'": "'", "\\": "\\", "/": "/", "`": "`"}
_ESCAPE = re.compile(r"""\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrtfb"'\\/`]))""")
_ENTITY = re.compile(r"&(?:lt|gt|quot|apos|amp|nbsp|#\d{1,5}|#x[0-9a-fA-F]{1,4});")


@dataclass(frozen=True, slots=True)
class Flat:
    """A text on one line. `lower` has the same length, so that an offset found in one is good in the other."""

    text: str
    lower: str
    starts: tuple[int, ...]
    """Where each line of the original begins in `text`."""

    def line_of(self, offset: int) -> int:
        """The number, from 1, of the original line that this offset came from."""
        return max(bisect_right(self.starts, offset), 1)

    def around(self, start: int, end: int) -> str:
        """`lower` from the beginning of the original line that `start` came from to the end of that of `end`."""
        after = bisect_right(self.starts, end)
        return self.lower[
            self.starts[self.line_of(start) - 1] : self.starts[after] if after < len(self.starts) else None
        ]


def decode(data: bytes) -> str:
    """Text from bytes of unknown origin: UTF-8, or UTF-16 where a byte order mark says so. Zero bytes, which no text has, are left out."""
    if data.startswith(UTF_16_MARKS):
        return data.decode("utf-16", errors="replace")
    return data.replace(b"\0", b"").decode("utf-8", errors="replace")


def unescape(text: str) -> str:
    """Undo JSON, shell and XML escapes, as often as they were put on top of each other but at most `MAX_LEVELS` times."""
    for _ in range(MAX_LEVELS):
        before = text
        if "\\" in text:
            text = _ESCAPE.sub(_plain, text)
        if "&" in text:
            text = _ENTITY.sub(lambda m: html.unescape(m[0]), text)
        if text == before:
            break
    return text


def _plain(match: re.Match[str]) -> str:
    digits = match[1] or match[2]
    return chr(int(digits, 16)) if digits else _ESCAPES[match[3]]


def flatten(text: str, *, cut: bool = False) -> Flat:
    """The text on one line, single-spaced, without colours, boxes, gutters and escapes.

    `cut`: the text was cut at a column, in the middle of words: a line as long as the longest goes on in the next one.
    """
    lines = text.splitlines()
    width = max(map(len, lines), default=0) if cut else -1
    pieces: list[str] = []
    starts: list[int] = []
    length = 0
    glued = True
    for line in lines:
        piece = _clean(line)
        if piece and not glued:
            pieces.append(" ")
            length += 1
        starts.append(length)
        if piece:
            pieces.append(piece)
            length += len(piece)
            glued = len(line) == width and not line.endswith(" ")
    flat = "".join(pieces)
    lower = flat.lower()
    if len(lower) != len(flat):  # a few letters (İ) grow when they are lowered: offsets matter more than they do
        lower = "".join(char if len(char.lower()) != 1 else char.lower() for char in flat)
    return Flat(flat, lower, tuple(starts))


_USUAL_WIDTHS = frozenset((72, 76, 78, 79, 80, 90, 100, 110, 120, 128, 132, 140, 160, 180, 200))


def seems_cut(text: str) -> bool:
    """Was this text cut at a column? Several lines are as long as the longest, or it is as long as a terminal is wide."""
    lengths = [len(line) for line in text.splitlines()]
    longest = max(lengths, default=0)
    return len(lengths) > 1 and longest >= 40 and (lengths.count(longest) > 1 or longest in _USUAL_WIDTHS)


def _clean(line: str) -> str:
    if "\\" in line or "&" in line:
        line = unescape(line)
        if "\n" in line:
            return " ".join(filter(None, map(_clean_one, line.splitlines())))
    return _clean_one(line)


def _clean_one(line: str) -> str:
    if "\x1b" in line:
        line = _ANSI.sub("", line)
    for _ in range(2):
        gutter = _GUTTER.match(line)
        if gutter is None or gutter.end() >= len(line):
            break
        line = line[gutter.end() :]
    if not line.isascii():
        line = line.translate(_SIGNS)
    return " ".join(line.split())
