"""The page model: one credential error a page, read from `pages/NAME.md`, and the index that finds it without parsing.

**Names.** A page's *name* is its file's stem and its address (`/errors/aws/NAME/`). It is also found by every
*spelling* (how services and SDKs write the code) and every *alias* (finding codes, older names). Names, spellings and
aliases are unique over all pages, compared by `key()`; they are never taken away. `code` is what the text of an error
shows, and several pages may share it: `AccessDenied` means one thing from AssumeRole and another from a presigned
URL. One page at most has the code as its own name; that is where the bare code leads.

**File.** Front matter between two `---` lines: `key: value`, where a value is a text, a list parted by `, `, or lines
of `␣␣- cell | cell` (a strict subset that needs no parser of YAML). Then `## ` sections, those of `SECTIONS` in that
order, of which `OPTIONAL` may be missing.

- `title`: what the error says, as a phrase that follows "NAME: "
- `code`: the code as a text shows it
- `spellings`, `aliases`: lists; aliases hold at least the finding codes that the page explains
- `services`: lines: who answers | HTTP status (`400 or 403`, `-`) | message, with `…` for what varies
- `renewing`: `yes`, `no` or `sometimes` | one sentence: do new credentials help
- `causes`: labels of `LABELS`, likeliest first when the text says no more than the code; the same as in Causes
- `related`: names of pages
- `sources`: lines: date | what | where
- `since`: our version that had it first; `status`: `current` or `retired`

- *You see*: one fenced block a wording, ```` ```text TOOL ````. Each must lead to this page.
- *Causes*: `### ` groups of `GROUPS`, the likeliest group first; a cause is
  `- **What happened.** `label` words. *Tell:* how to tell it from the others.`
- *Diagnose*, *Fix*: numbered steps; commands in ```` ```sh ```` blocks, a command a line.
- *Code*: ```` ```bash world=W ```` and ```` ```python world=W ````, whole programs that run unchanged (they reach AWS, or the
  lab through AWS_ENDPOINT_URL). W is the world the tests set up around them. A comment `# -> TEXT` says what the output then
  holds. One that cannot run on a machine without network says why: ```` ```bash not-run=needs … ````.
  Lines of code have 90 columns at most (commands too, with `\\` at the end of a line): nothing wraps them anywhere.
- *Not this*: texts that look alike and do not lead here: ```` ```text TOOL -> PAGE ````, PAGE `none` when it is no
  AWS credential error.

**Index.** `pages/index.tsv` is committed, written by `tests/reference/republish.py`, and compared with the pages by a
test: a row a name, `key TAB page TAB name as written TAB title`, sorted. `find()` reads it and `load()` one page, so
that `explain CODE` parses one file of a hundred, and imports nothing that the interpreter has not loaded by itself
(no re, dataclasses, pathlib).
"""

from __future__ import annotations

import os

from .labels import LABELS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "GROUPS",
    "LABELS",
    "OPTIONAL",
    "SECTIONS",
    "Cause",
    "Example",
    "Page",
    "PageError",
    "Sample",
    "Service",
    "Source",
    "find",
    "index",
    "key",
    "load",
    "names",
    "parse",
    "render_index",
]

FOLDER = os.path.join(os.path.dirname(__file__), "pages")
SECTIONS = (
    "Meaning", "You see", "Causes", "Diagnose", "Fix", "Code", "Lifetimes", "Not this", "Related errors", "Provider",
)  # fmt: skip
OPTIONAL = ("Lifetimes", "Not this")
GROUPS = ("Identity", "Network", "Limits", "Clock", "Configuration")
FIELDS = (
    "title", "code", "spellings", "aliases", "provider", "services", "renewing", "causes", "related", "sources", "since", "status",
)  # fmt: skip


class PageError(ValueError):
    """A page file does not keep to the format; the message names file and line. Only an edited installation or a test meets it."""


class _Record:
    """A frozen value with named fields (dataclasses would cost more than the rest of `explain` together)."""

    __slots__: tuple[str, ...] = ()

    def __init__(self, *values: object) -> None:
        for name, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self.__slots__))


class Service(_Record):
    """Who answers with it, with which HTTP statuses (none on the client's side), in which words."""

    __slots__ = ("message", "name", "statuses")
    message: str
    name: str
    statuses: tuple[int, ...]


class Source(_Record):
    """Where a page's statements come from: `date` is when it was read or released (YYYY, YYYY-MM or YYYY-MM-DD)."""

    __slots__ = ("date", "title", "where")
    date: str
    title: str
    where: str


class Cause(_Record):
    """One cause: its group, label, what happened, more words, and how to tell it from the others."""

    __slots__ = ("group", "label", "tell", "text", "title")
    group: str
    label: str
    tell: str
    text: str
    title: str


class Sample(_Record):
    """One wording, as `tool` prints it; `leads_to` is set on counter-examples: the page it belongs to, or "none"."""

    __slots__ = ("leads_to", "text", "tool")
    leads_to: str | None
    text: str
    tool: str


class Example(_Record):
    """A program of the Code section. `world` is what the tests set up for it; with `reason` it cannot run offline."""

    __slots__ = ("expected", "language", "reason", "text", "world")
    expected: tuple[str, ...]
    language: str
    reason: str | None
    text: str
    world: str | None


class Page:
    """One error. Header fields are attributes; `sections` maps a section's heading to its Markdown, in the order of the file."""

    def __init__(self, name: str, head: dict[str, str | list[str]], body: str, first_line: int = 1) -> None:
        self.name = name
        for field in FIELDS:
            if field not in head:
                raise PageError(f"{name}.md: the front matter has no {field!r}")
        for field in head:
            if field not in FIELDS:
                raise PageError(f"{name}.md: the front matter has no field {field!r}")
        self.title = _text(name, head, "title")
        self.code = _text(name, head, "code")
        self.spellings = _list(name, head, "spellings")
        self.aliases = _list(name, head, "aliases")
        self.provider = _text(name, head, "provider")
        self.services = tuple(
            Service(message, who, _statuses(name, statuses))
            for who, statuses, message in _rows(name, head, "services", 3)
        )
        renewing, _, why = _text(name, head, "renewing").partition(" | ")
        if renewing not in ("yes", "no", "sometimes") or not why:
            raise PageError(f"{name}.md: renewing is `yes`, `no` or `sometimes`, then ` | ` and a sentence")
        self.renewing = renewing
        self.renewing_why = why
        self.causes_ranked = _list(name, head, "causes")
        """Labels, likeliest first, for a text that shows the code and no more."""
        self.related = _list(name, head, "related")
        self.sources = tuple(Source(*row) for row in _rows(name, head, "sources", 3))
        self.since = _text(name, head, "since")
        self.status = _text(name, head, "status")
        self.body = body
        self.sections = _sections(name, body, first_line)

    @property
    def names(self) -> tuple[str, ...]:
        """Everything this page is found by: its name, its spellings, its aliases, each once."""
        found: dict[str, str] = {}
        for name in (self.name, *self.spellings, *self.aliases):
            found.setdefault(key(name), name)
        return tuple(found.values())

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The wordings of *You see*."""
        return tuple(Sample(None, text, info[5:].strip()) for info, text in fences(self.sections["You see"]))

    @property
    def counter_examples(self) -> tuple[Sample, ...]:
        """The wordings of *Not this*, each with the page it belongs to."""
        found = []
        for info, text in fences(self.sections.get("Not this", "")):
            tool, arrow, page = info[5:].partition(" -> ")
            if not arrow:
                raise PageError(f"{self.name}.md: a counter-example says where it leads: ```text TOOL -> PAGE")
            found.append(Sample(page.strip(), text, tool.strip()))
        return tuple(found)

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The causes of all groups, in the order of the page (the order of likelihood is `causes_ranked`)."""
        return tuple(_causes(self.name, self.sections["Causes"]))

    @property
    def examples(self) -> tuple[Example, ...]:
        """The programs of *Code*."""
        return tuple(_example(self.name, info, text) for info, text in fences(self.sections["Code"]))

    @property
    def commands(self) -> tuple[str, ...]:
        """Every command line of *Diagnose* and *Fix*."""
        found = []
        for section in ("Diagnose", "Fix"):
            for info, text in fences(self.sections[section]):
                if info.split()[:1] == ["sh"]:
                    found += [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
        return tuple(found)


def key(name: str) -> str:
    """How names are compared: without case, and with `-` for spaces and underscores."""
    return "-".join(name.lower().replace("_", " ").split())


def index() -> dict[str, tuple[str, str, str]]:
    """Every name's `key()` with (page, the name as written, the page's title)."""
    with open(os.path.join(FOLDER, "index.tsv"), encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def find(name: str) -> str | None:
    """The page that a name, spelling or alias leads to, or None. Where none is written so, blanks and hyphens do not count:
    ``expired token`` is ExpiredToken."""
    known = index()
    found = known.get(key(name))
    if found is None:
        solid = key(name).replace("-", "")
        found = next((entry for written, entry in known.items() if written.replace("-", "") == solid), None)
    return found[0] if found else None


def names() -> tuple[str, ...]:
    """The names of all pages, sorted without regard to case."""
    return tuple(sorted((entry[:-3] for entry in os.listdir(FOLDER) if entry.endswith(".md")), key=key))


def load(name: str) -> Page:
    """Read the page of that *page name* (see `find` for any other name). Raises KeyError when there is none."""
    return parse(name, read(name))


def read(name: str) -> str:
    """The text of a page's file. Raises KeyError when there is none."""
    try:
        # A name goes into a path: only one that `names()` lists can.
        if key(name) != key(os.path.basename(name)):
            raise FileNotFoundError
        with open(os.path.join(FOLDER, name + ".md"), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        raise KeyError(name) from None


def parse(name: str, text: str) -> Page:
    """Build a page from the text of its file. Raises PageError with the line where the format is not kept."""
    lines = text.splitlines()
    if not lines or lines[0] != "---" or "---" not in lines[1:]:
        raise PageError(f"{name}.md:1: a page begins with front matter between two --- lines")
    end = lines.index("---", 1)
    head: dict[str, str | list[str]] = {}
    last = ""
    for number, line in enumerate(lines[1:end], 2):
        if line.startswith("  - "):
            value = head.get(last)
            if not isinstance(value, list):
                raise PageError(f"{name}.md:{number}: a list line below no `key:`")
            value.append(line[4:].strip())
            continue
        last, colon, rest = line.partition(":")
        if not colon or not last.isalpha() or last in head or (rest and not rest.startswith(" ")):
            raise PageError(f"{name}.md:{number}: not a `key: value` line, or the key again")
        head[last] = rest.strip() or []
    return Page(name, head, "\n".join(lines[end + 1 :]) + "\n", end + 2)


def render_index(pages: Iterable[Page]) -> str:
    """The text of `pages/index.tsv`. Raises PageError when two pages claim one name."""
    rows: dict[str, str] = {}
    owner: dict[str, str] = {}
    for page in pages:
        for name in page.names:
            folded = key(name)
            if folded in rows:
                raise PageError(f"{page.name}.md: the name {name!r} belongs to {owner[folded]}.md")
            owner[folded] = page.name
            rows[folded] = f"{folded}\t{page.name}\t{name}\t{page.title}\n"
    return "".join(rows[folded] for folded in sorted(rows))


def fences(markdown: str) -> Iterator[tuple[str, str]]:
    """The fenced blocks of a Markdown text: (info string, content), the indentation of the fence taken off."""
    info: str | None = None
    indent = 0
    content: list[str] = []
    for line in markdown.splitlines():
        bare = line.lstrip(" ")
        if info is None and bare.startswith("```"):
            info, indent, content = bare[3:].strip(), len(line) - len(bare), []
        elif info is not None and bare.rstrip() == "```":
            yield info, "\n".join(content)
            info = None
        elif info is not None:
            content.append(line[indent:] if not line[:indent].strip() else line)


def _text(name: str, head: dict[str, str | list[str]], field: str) -> str:
    value = head[field]
    if not isinstance(value, str):
        raise PageError(f"{name}.md: {field} is one line of text")
    return value


def _list(name: str, head: dict[str, str | list[str]], field: str) -> tuple[str, ...]:
    value = head[field]
    if isinstance(value, str):
        return tuple(item.strip() for item in value.split(",") if item.strip())
    return tuple(value)


def _rows(name: str, head: dict[str, str | list[str]], field: str, cells: int) -> Iterator[Sequence[str]]:
    value = head[field]
    for line in [value] if isinstance(value, str) else value:
        row = [cell.strip() for cell in line.split(" | ", cells - 1)]
        if len(row) != cells:
            raise PageError(f"{name}.md: a line of {field} has {cells} cells: {line!r}")
        yield row


def _statuses(name: str, written: str) -> tuple[int, ...]:
    found = [] if written == "-" else written.split(" or ")
    if not all(status.isdigit() and len(status) == 3 for status in found):
        raise PageError(f"{name}.md: {written!r} is no HTTP status: 403, `400 or 403`, or -")
    return tuple(map(int, found))


def _sections(name: str, body: str, first_line: int) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    fenced = False
    for number, line in enumerate(body.splitlines(), first_line):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        if line.startswith("## ") and not fenced:
            heading = line[3:].strip()
            if heading not in SECTIONS or heading in found:
                raise PageError(f"{name}.md:{number}: no such section, or again: {heading!r}")
            current = found.setdefault(heading, [])
        elif current is not None:
            current.append(line)
        elif line.strip():
            raise PageError(f"{name}.md:{number}: text above the first section")
    if list(found) != [section for section in SECTIONS if section in found or section not in OPTIONAL]:
        raise PageError(f"{name}.md: the sections are {', '.join(SECTIONS)}, in this order")
    return {heading: "\n".join(lines).strip("\n") + "\n" for heading, lines in found.items()}


def _causes(name: str, markdown: str) -> Iterator[Cause]:
    group = ""
    items: list[tuple[str, str]] = []
    for line in markdown.splitlines():
        if line.startswith("### "):
            group = line[4:].strip()
        elif line.startswith("- "):
            items.append((group, line[2:].strip()))
        elif line.startswith("  ") and items:
            items[-1] = (items[-1][0], items[-1][1] + " " + line.strip())
    for where, item in items:
        title, _, rest = item.removeprefix("**").partition("** `")
        label, closed, words = rest.partition("`")
        text, _, tell = words.partition("*Tell:*")
        if where not in GROUPS or label not in LABELS or not closed or not tell.strip():
            raise PageError(f"{name}.md: not a cause of the form - **What.** `label` words *Tell:* how: {item!r}")
        yield Cause(where, label, tell.strip(), text.strip(), title.rstrip("."))


def _example(name: str, info: str, text: str) -> Example:
    language, _, setting = info.partition(" ")
    what, _, value = setting.partition("=")
    if what not in ("world", "not-run") or not value:
        raise PageError(f"{name}.md: an example says world=W or not-run=REASON: {info!r}")
    expected = tuple(line.strip()[5:].strip() for line in text.splitlines() if line.strip().startswith("# -> "))
    runs = what == "world"
    return Example(expected, language, None if runs else value, text, value if runs else None)
