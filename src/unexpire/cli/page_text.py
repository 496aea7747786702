"""A page of the reference as lines of text: plain for a pipe, painted for a terminal. One layout for both.

It reads the subset of Markdown that pages are written in (`reference/page.py`): paragraphs, lists, numbered steps, tables, fences,
`### ` heads, and `code`, **bold** and *emphasis* in a line. Words are wrapped; code never is, so that it can be copied. It imports
nothing: a library for Markdown or for wrapping would cost more than all the rest of `explain NAME`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..reference.page import Page

    Paint = Callable[[str, str], str]
    """(style, text) -> what is printed. Styles: `title`, `head`, `sub`, `bold`, `em`, `code`, `label`, `dim`, and `` for running text."""

__all__ = ["WIDTH", "page_lines"]

WIDTH = 80
"""Columns of a pipe, whose reader nobody knows: an editor, a mail, a pager in a small window."""
_INDENT = "  "
_COMMAND_INDENT = "    "
"""Of commands within a step."""


def page_lines(shown: Page, width: int = WIDTH, paint: Paint | None = None) -> Iterator[str]:
    """The whole page, top to bottom. The first line says it all. Only code and addresses may be wider than `width` columns."""
    layout = _Layout(width, paint)
    yield from layout.wrapped(f"{shown.name}: {shown.title}", "", _INDENT, style="title")
    yield ""
    yield from layout.wrapped(
        f"**Do new credentials help?** {shown.renewing.capitalize()}. {shown.renewing_why}", _INDENT
    )
    yield ""
    for service in shown.services:
        status = f" ({' or '.join(map(str, service.statuses))})" if service.statuses else ""
        yield from layout.wrapped(f"**{service.name}{status}:** {service.message}", _INDENT, _INDENT * 2)
    if len(shown.names) > 1:
        yield from layout.wrapped(f"*Also known as* {', '.join(shown.names[1:])}", _INDENT, _INDENT * 2)
    for heading, text in shown.sections.items():
        yield ""
        yield layout.paint("head", heading.upper())
        yield ""
        if heading == "Causes":
            yield from _ranking(shown, layout)
        yield from layout.section(text)
    yield ""
    yield layout.paint("head", "SOURCES")
    yield ""
    for source in shown.sources:
        yield from layout.wrapped(f"- {source.title} ({source.date})", _INDENT, _INDENT * 2)
        yield _INDENT * 2 + layout.paint("dim", source.where)


def _ranking(shown: Page, layout: _Layout) -> Iterator[str]:
    """Causes stand in groups on the page; which of them is likeliest, over all groups, is in its header."""
    titles: dict[str, str] = {}
    for cause in shown.causes:
        titles.setdefault(cause.label, cause.title)
    if len(shown.causes_ranked) > 2:
        yield from layout.wrapped("*Likeliest first:*", _INDENT)
        for rank, label in enumerate(shown.causes_ranked, 1):
            yield from layout.wrapped(f"{rank}. {titles[label]}", _INDENT, _INDENT + "   ")
        yield ""


class _Layout:
    """How wide lines may be, and how styles are shown."""

    def __init__(self, width: int, paint: Paint | None) -> None:
        self.width = max(width, 40)
        self.plain = paint is None
        self.paint: Paint = paint or (lambda style, text: text)

    def section(self, markdown: str) -> Iterator[str]:
        """The blocks of one section. One blank line at most between two of them, and none at the end."""
        gap = False
        for block in _blocks(markdown):
            if block[0] == "gap":
                gap = True
                continue
            if gap:
                yield ""
            gap = False
            yield from self._block(*block)

    def _block(self, kind: str, indent: int, lead: str, lines: list[str]) -> Iterator[str]:
        margin = _INDENT + " " * indent
        if kind == "code":
            yield from self._code(margin, lead, lines)
        elif kind == "table":
            yield from self._table(lines)
        elif kind == "sub":
            yield _INDENT + self.paint("sub", lines[0])
        else:
            text, tell, how = " ".join(lines).partition("*Tell:*")
            hanging = margin + " " * len(lead)
            yield from self.wrapped(_label_last(text.strip()), margin + lead, hanging)
            if tell:
                yield from self.wrapped(f"*Tell:* {how.strip()}", hanging)

    def _code(self, margin: str, info: str, lines: list[str]) -> Iterator[str]:
        language, _, about = info.partition(" ")
        if language == "text":
            yield margin + self.paint("label", _counter(about) + ":")
            margin += _INDENT
            for line in lines:
                found = line.replace("\t", "    ").rstrip()
                yield from self.wrapped(
                    found.strip(), margin + found[: len(found) - len(found.lstrip())], margin + "  ", marks=False
                )
            return
        if language == "sh":
            margin += _COMMAND_INDENT
        else:
            reason = about.partition("not-run=")[2]
            yield margin + self.paint("label", f"{language.capitalize()}{f' ({reason})' if reason else ''}:")
            yield ""
            margin += _INDENT
        for line in lines:
            yield (margin + self.paint(language, line)) if line else ""

    def _table(self, lines: list[str]) -> Iterator[str]:
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
        rows = [row for row in rows if not all(cell and not cell.strip("-:") for cell in row)]
        widths = [max(len(_bare(row[column])) for row in rows) for column in range(len(rows[0]))]
        room = self.width - len(_INDENT) - 2 * (len(widths) - 1)
        while sum(widths) > room and max(widths) > 8:
            widths[widths.index(max(widths))] -= 1
        for number, row in enumerate(rows):
            cells = [
                list(_wrap(_words(text, self.plain), "", "", width)) for text, width in zip(row, widths, strict=True)
            ]
            for line in range(max(map(len, cells))):
                shown = ""
                for cell, width in zip(cells, widths, strict=True):
                    pieces = cell[line] if line < len(cell) else []
                    shown += self._painted(pieces, "sub" if number == 0 else "")
                    shown += " " * (width - sum(len(text) for _, text in pieces) + 2)
                yield (_INDENT + shown).rstrip()
            if number == 0:
                yield _INDENT + self.paint("dim", "  ".join("-" * width for width in widths))

    def wrapped(
        self, text: str, first: str, rest: str | None = None, *, style: str = "", marks: bool = True
    ) -> Iterator[str]:
        """The text in lines, `first` before the first of them and `rest` before the others; without `marks`, not a letter is changed."""
        if marks:
            words = _words(text, self.plain)
        else:
            room = self.width - len(rest if rest is not None else first)
            words = [[("", part)] for word in text.split() for part in _cut(word, room)]
        for number, pieces in enumerate(_wrap(words, first, rest if rest is not None else first, self.width)):
            yield (first if number == 0 else rest if rest is not None else first) + self._painted(pieces, style)

    def _painted(self, pieces: list[tuple[str, str]], style: str) -> str:
        return "".join(self.paint(own or style, text) for own, text in pieces)


def _blocks(markdown: str) -> Iterator[tuple[str, int, str, list[str]]]:
    """(kind, indent, lead, lines): `gap`, `sub`, `code` (lead: the fence's info), `table`, `text` (lead: `- `, `1. ` or none)."""
    open_block: tuple[str, int, str, list[str]] | None = None
    fence: tuple[int, str, list[str]] | None = None
    for line in markdown.splitlines():
        bare = line.lstrip(" ")
        indent = len(line) - len(bare)
        if fence is not None:
            if bare.rstrip() == "```":
                yield "code", fence[0], fence[1], fence[2]
                fence = None
            else:
                fence[2].append(line[fence[0] :] if not line[: fence[0]].strip() else line)
            continue
        lead = _lead(bare)
        kind = "table" if bare.startswith("|") else "text"
        goes_on = open_block is not None and bare and not lead and not bare.startswith(("```", "### "))
        if open_block is not None and not (goes_on and open_block[0] == kind):
            yield open_block
            open_block = None
        if not bare:
            yield "gap", 0, "", []
        elif bare.startswith("```"):
            fence = (indent, bare[3:].strip(), [])
        elif bare.startswith("### "):
            yield "sub", 0, "", [bare[4:].strip()]
        elif open_block is not None:
            open_block[3].append(bare)
        else:
            open_block = (kind, indent, lead, [bare[len(lead) :]])
    if open_block is not None:
        yield open_block


def _lead(bare: str) -> str:
    """The mark of a list's item, with its blank: `- `, `12. `, or nothing."""
    if bare.startswith("- "):
        return "- "
    number, dot, _ = bare.partition(". ")
    return number + dot if dot and number.isdigit() else ""


def _label_last(text: str) -> str:
    """A cause's label, which pages write between its title and its words, put behind the title in brackets."""
    title, found, rest = text.partition(".** `")
    label, closed, words = rest.partition("`")
    if not (text.startswith("**") and found and closed and label.replace("_", "").isalnum()):
        return text
    return f"{title}.** [{label}] {words.strip()}".rstrip()


def _counter(about: str) -> str:
    """`TOOL`, and on a counter-example where it leads: `TOOL -> PAGE`."""
    tool, arrow, page = about.partition(" -> ")
    return f"{tool} (no AWS credential error)" if page == "none" else f"{tool} (see {page})" if arrow else tool


def _spans(text: str) -> Iterator[tuple[str, str]]:
    """The text in pieces of one style each; the marks are taken off."""
    for number, piece in enumerate(text.split("`")):
        if number % 2:
            yield "code", piece
            continue
        for strong, bold in enumerate(piece.split("**")):
            for leaning, part in enumerate(bold.split("*")):
                yield "bold" if strong % 2 else "em" if leaning % 2 else "", part


def _words(text: str, ticks: bool) -> list[list[tuple[str, str]]]:
    """Words, each in pieces of one style; with `ticks`, code keeps its marks, because nothing else would show it."""
    found: list[list[tuple[str, str]]] = []
    glued = False
    for style, span in _spans(text):
        for number, part in enumerate((f"`{span}`" if style == "code" and ticks else span).split(" ")):
            glued = glued and number == 0
            if part:
                if glued:
                    found[-1].append((style, part))
                else:
                    found.append([(style, part)])
                glued = True
    return found


def _wrap(words: list[list[tuple[str, str]]], first: str, rest: str, width: int) -> Iterator[list[tuple[str, str]]]:
    """Lines of pieces. A word that is too long for any line stands on one of its own."""
    line: list[tuple[str, str]] = []
    used = len(first)
    for word in words:
        length = sum(len(text) for _, text in word)
        if line and used + 1 + length > width:
            yield line
            line, used = [], len(rest)
        if line:
            blank = line[-1][0] if line[-1][0] == word[0][0] else ""
            line.append((blank, " "))
            used += 1
        line += word
        used += length
    if line:
        yield line


def _cut(word: str, room: int) -> Iterator[str]:
    """A word of an error's text (an XML document, a path) in parts that fit, cut behind a sign that ends something if there is one."""
    while len(word) > room:
        end = max(word.rfind(sign, room // 2, room) for sign in ">/&,:") + 1 or room
        yield word[:end]
        word = word[end:]
    yield word


def _bare(text: str) -> str:
    return text.replace("**", "").replace("*", "")
