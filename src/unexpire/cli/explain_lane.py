"""The fast lane of ``unexpire explain NAME`` into a pipe: a page as plain text, with nothing imported but the page model.

The full command takes over for everything else, and for a terminal, where a page is laid out and coloured.
"""

from __future__ import annotations

import sys

from ..reference import page

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["answer", "page_lines"]


def answer(arguments: list[str]) -> int | None:
    """Print the page of the one name given, and return 0; None when that is not all that was asked."""
    if len(arguments) != 1 or arguments[0].startswith("-") or len(arguments[0]) > 80 or sys.stdout.isatty():
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
    except BrokenPipeError:
        return None
    except (
        UnicodeEncodeError
    ):  # a pipe whose encoding is ASCII or a code page: every sign it cannot say becomes a question mark
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    return 0


def page_lines(shown: page.Page) -> Iterator[str]:
    """The page as lines of plain text. The first one says it all."""
    yield f"{shown.name}: {shown.title}"
    yield ""
    yield f"Do new credentials help?  {shown.renewing}: {shown.renewing_why}"
    if len(shown.names) > 1:
        yield f"Also known as  {', '.join(shown.names[1:])}"
    for service in shown.services:
        status = f" ({'/'.join(map(str, service.statuses))})" if service.statuses else ""
        yield f"  {service.name}{status}: {service.message}"
    for heading, text in shown.sections.items():
        yield ""
        yield heading.upper()
        yield from text.strip("\n").replace("**", "").replace("*Tell:*", "Tell:").splitlines()
    yield ""
    yield f"Sources: {'; '.join(source.where for source in shown.sources)}"
