"""A name that nobody knows, the names it may have been meant for, the pages about a topic, and those whose codes a text names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

__all__ = ["named_in", "nearest", "on_topic"]

_CODE = re.compile(r"\b[A-Z][a-z]+(?:[A-Z]+[a-z]*)+\b")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def nearest(name: str, known: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """The known names that come nearest to a mistyped one, likeliest first; none that is far off.

    Case, hyphens, and the endings ``Exception`` and ``Error`` do not count: nobody remembers which code has which.
    """
    import difflib

    spelled: dict[str, str] = {}
    for candidate in known:
        spelled.setdefault(_bare(candidate), candidate)
    bare = _bare(name)
    found = difflib.get_close_matches(bare, spelled, n=most, cutoff=0.72)
    if len(bare) >= 5 and len(found) < most:
        found += [key for key in sorted(spelled, key=len) if bare in key and key not in found][: most - len(found)]
    return tuple(spelled[key] for key in found)


def _bare(name: str) -> str:
    key = name.lower().replace("-", "").replace("_", "").replace(" ", "")
    for ending in ("exception", "error", "fault"):
        if len(key) > len(ending) + 3:
            key = key.removesuffix(ending)
    return key


def on_topic(topic: str, index: Mapping[str, tuple[str, str, str]], most: int = 8) -> dict[str, str]:
    """The pages about a topic, with their titles: those whose names and title hold every word of it, in whatever form.

    `index` as `page.index` gives it. A page that has the words in its names comes before one whose title alone has them.
    """
    asked = [word.lower() for word in _WORD.findall(topic)]
    names: dict[str, set[str]] = {}
    titles: dict[str, str] = {}
    for page, written, title in index.values():
        names.setdefault(page, set()).update(word.lower() for word in _WORD.findall(written))
        titles[page] = title
    ranked: list[tuple[int, str]] = []
    for page, words in names.items():
        every = words | {word.lower() for word in _WORD.findall(titles[page])}
        if asked and all(any(_same(word, other) for other in every) for word in asked):
            ranked.append((-sum(any(_same(word, other) for other in words) for word in asked), page))
    return {page: titles[page] for _, page in sorted(ranked)[:most]}


def named_in(text: str, index: Mapping[str, tuple[str, str, str]], most: int = 8) -> dict[str, str]:
    """The pages whose codes stand in a text, as those are written, with their titles: ``failed: InvalidGrantException``.

    Only codes of more than one word: `Unauthorized` is nobody's own.
    """
    pages: dict[str, str] = {}
    for found in _CODE.finditer(text):
        page, written, title = index.get(found[0].lower(), ("", "", ""))
        if written == found[0] and len(pages) < most:
            pages[page] = title
    return pages


def _same(asked: str, word: str) -> bool:
    """One word in two forms: ``chaining`` and ``chain``, ``token`` and ``tokens``."""
    return asked == word or (min(len(asked), len(word)) >= 4 and (asked.startswith(word) or word.startswith(asked)))
