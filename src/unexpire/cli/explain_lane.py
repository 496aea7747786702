"""The fast lane of ``unexpire explain NAME`` into a pipe: a page as plain text, with nothing imported but the page model and its layout.

The full command takes over for everything else, and for a terminal, where a page is laid out and coloured.
"""

from __future__ import annotations

import sys

from ..reference import page
from .page_text import page_lines

__all__ = ["answer"]


def answer(arguments: list[str]) -> int | None:
    """Print the page of the one name given, and return 0; None when that is not all that was asked."""
    if len(arguments) != 1 or arguments[0].startswith("-") or len(arguments[0]) > 80:
        return None
    if sys.stdout is None or sys.stdout.isatty():
        return None
    try:
        name = page.find(arguments[0])
        if name is None:
            return None
        text = "\n".join(page_lines(page.load(name))) + "\n"
    except (OSError, KeyError):
        return None
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:  # nobody reads any more, or there is no room: the full command says so
        return None
    except (
        UnicodeEncodeError
    ):  # a pipe whose encoding is ASCII or a code page: every sign it cannot say becomes a question mark
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    return 0
