"""How a page looks on a terminal: the eight colours that every theme, dark or light, keeps readable, and nothing brighter."""

from __future__ import annotations

import re
import shutil

import click

__all__ = ["columns", "paint"]

WIDEST = 96
"""Columns of running text on a wide terminal: longer lines are hard to follow with the eye."""

_STYLES: dict[str, dict[str, object]] = {
    "title": {"bold": True, "fg": "red"},
    "head": {"bold": True, "fg": "magenta"},
    "sub": {"bold": True},
    "bold": {"bold": True},
    "em": {"italic": True},
    "code": {"fg": "cyan"},
    "sh": {"fg": "cyan"},
    "label": {"underline": True},
    "dim": {"dim": True},
}
_TOKEN = {
    "bash": r"(?P<comment>(?<!\S)\#.*)|(?P<string>\"(?:[^\"\\]|\\.)*\"|'[^']*')"
    r"|(?P<word>\b(?:if|then|elif|else|fi|for|in|do|done|while|case|esac|export|unset|read|echo|printf)\b(?!-))",
    "python": r"(?P<comment>\#.*)|(?P<string>f?(?:\"\"\"(?:[^\\]|\\.)*?(?:\"\"\"|$)|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'))"
    r"|(?P<word>\b(?:import|from|as|try|except|raise|if|elif|else|for|in|not|and|or|is|def|return|class|with|while|lambda|True|False|None)\b)",
}
_COLOURS: dict[str, dict[str, object]] = {"comment": {"dim": True}, "string": {"fg": "green"}, "word": {"bold": True}}


def columns() -> int:
    """How wide running text may be here."""
    return min(shutil.get_terminal_size().columns, WIDEST)


def paint(style: str, text: str) -> str:
    """The text in that style of `page_text`; the lines of examples (`bash`, `python`) with their own colours inside."""
    if style in _TOKEN:
        return re.sub(_TOKEN[style], _token, text)
    return click.style(text, **_STYLES[style]) if style in _STYLES and text.strip() else text  # type: ignore[arg-type]


def _token(found: re.Match[str]) -> str:
    return click.style(found[0], **_COLOURS[found.lastgroup or ""])  # type: ignore[arg-type]
