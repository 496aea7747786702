"""Every file of the site, by its path, with what makes its content."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from .. import page as pages_
from ..labels import LABELS
from ..page import GROUPS, Page, key
from . import indexes, lifetimes, markup, matching

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["address", "files"]

_STATIC = os.path.join(os.path.dirname(__file__), "static")
_RENEWING = {
    "yes": "New credentials help",
    "no": "New credentials do not help",
    "sometimes": "New credentials help sometimes",
}


def address(name: str) -> str:
    """Where a page lies below the site's root; with the file's name, because a folder opened from disk shows a list."""
    return f"errors/aws/{name}/index.html"


def files() -> Mapping[str, Callable[[], bytes]]:
    """Path below the site's root -> what gives its bytes. The same for every call, but for the version in the footer."""
    found: dict[str, Callable[[], bytes]] = {
        "index.html": functools.partial(_render, "home.html", "", shelves=_shelves),
        "404.html": functools.partial(_render, "404.html", ""),
        "errors/aws/index.html": functools.partial(_render, "all.html", "../../"),
        "by-service/index.html": functools.partial(_render, "by_service.html", "../", shelves=_shelves),
        "by-cause/index.html": functools.partial(_render, "by_cause.html", "../", causes=_causes),
        "by-lifetime/index.html": functools.partial(_render, "by_lifetime.html", "../", lives=_lives),
        "static/search.js": lambda: indexes.javascript("search", indexes.search_index(_pages())).encode(),
        "static/matching.js": lambda: indexes.javascript("matching", matching.tables()).encode(),
        "static/causes.js": lambda: indexes.javascript("causes", indexes.likeliest(_pages())).encode(),
        "static/code.css": lambda: markup.stylesheet().encode(),
    }
    for name in sorted(os.listdir(_STATIC)):
        found[f"static/{name}"] = functools.partial(_static, name)
    for name in pages_.names():
        found[address(name)] = functools.partial(_page, name)
    for alias, (name, _, _) in pages_.index().items():
        if alias != key(name):
            written = pages_.index()[alias][1]
            folder = written if written.isascii() and " " not in written else alias
            found[address(folder)] = functools.partial(_redirect, written, name)
    return found


@cache
def _pages() -> tuple[Page, ...]:
    return tuple(pages_.load(name) for name in pages_.names())


@cache
def _titles() -> dict[str, str]:
    return {page.name: page.title for page in _pages()}


@cache
def _shelves() -> list[indexes.Shelf]:
    return indexes.by_service(_pages())


@cache
def _causes() -> list[tuple[str, list[indexes.Shelf]]]:
    return indexes.by_cause(_pages())


@cache
def _lives() -> list[lifetimes.Lives]:
    return lifetimes.lives(_pages())


def _static(name: str) -> bytes:
    with open(os.path.join(_STATIC, name), "rb") as file:
        return file.read()


def _page(name: str) -> bytes:
    page = pages_.load(name)
    link = _links("../../../", name)
    groups = [(group, [cause for cause in page.causes if cause.group == group]) for group in GROUPS]
    return _render(
        "page.html",
        "../../../",
        page=page,
        md=lambda text: markup.markdown(text, link),
        inline=lambda text: markup.inline(text, link),
        groups=[(group, causes) for group, causes in groups if causes],
        renewing=_RENEWING[page.renewing],
        description=markup.plain(page.sections["Meaning"])[:240],
        related=[(other, _titles()[other]) for other in page.related],
        others=[other for other in page.names if other != page.name],
    )


def _redirect(alias: str, name: str) -> bytes:
    return _render("redirect.html", "../../../", alias=alias, name=name, title=_titles()[name])


def _links(root: str, here: str) -> Callable[[str], str | None]:
    """Names of pages as they are written in the text lead there; other spellings of common words do not."""

    def link(said: str) -> str | None:
        found = pages_.index().get(key(said))
        if found is None or found[1] != said or found[0] == here:
            return None
        return root + address(found[0])

    return link


def _render(template: str, root: str, **values: Any) -> bytes:
    """A template with what every page knows. Values that are functions of nothing are asked when the page is made."""
    from ... import __version__

    lazy = {name: value() if value in (_shelves, _causes, _lives) else value for name, value in values.items()}
    text = (
        _templates()
        .get_template(template)
        .render(root=root, version=__version__, pages=_pages(), count=len(_pages()), **lazy)
    )
    return text.encode()


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("unexpire.reference.site"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    found.globals.update(
        address=address, place=lifetimes.place, ticks=lifetimes.TICKS, labels=LABELS, slug=indexes.slug
    )
    return found
