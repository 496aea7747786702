"""A name that nobody knows, the names it may have been meant for, the pages about a topic, and those whose codes a text names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

__all__ = ["named_in", "nearest", "on_topic", "respelt"]

_CODE = re.compile(r"\b[A-Z][a-z]+(?:[A-Z]+[a-z]*)+\b")
_FEW, _SOME = 3, 5
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def nearest(name: str, known: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """The known names that come nearest to a mistyped one, likeliest first; none that is far off.

    Those of the same words in another order come first. Case, hyphens, and the endings ``Exception`` and ``Error`` do not
    count: nobody remembers which code has which.
    """
    import difflib

    spelled: dict[str, str] = {}
    for candidate in known:
        spelled.setdefault(_bare(candidate), candidate)
    bare, words = _bare(name), sorted(_words(name))
    found = [key for key, written in spelled.items() if sorted(_words(written)) == words]
    found += [key for key in difflib.get_close_matches(bare, spelled, n=most, cutoff=0.72) if key not in found]
    if len(bare) >= 5 and len(found) < most:
        found += [key for key in sorted(spelled, key=len) if bare in key and key not in found]
    return tuple(spelled[key] for key in found[:most])


def _bare(name: str) -> str:
    key = name.lower().replace("-", "").replace("_", "").replace(" ", "")
    for ending in ("exception", "error", "fault"):
        if len(key) > len(ending) + 3:
            key = key.removesuffix(ending)
    return key


def on_topic(
    topic: str, index: Mapping[str, tuple[str, str, str]], text_of: Callable[[str], str], most: int = 8
) -> dict[str, str]:
    """The pages about a topic, with their titles: those whose names and title hold every word of it, in whatever form.

    `index` as `page.index` gives it. A page that has the words in its names comes before one whose title alone has them, and
    one with little else in its name before a longer one. Where that makes few, those follow that speak of it most, by what
    `text_of(page)` gives.
    """
    asked = _words(topic)
    if not asked:
        return {}
    names: dict[str, list[list[str]]] = {}
    titles: dict[str, str] = {}
    for page, written, title in index.values():
        names.setdefault(page, []).append(_words(written))
        titles[page] = title
    ranked: list[tuple[int, int, str]] = []
    for page, spellings in names.items():
        words = [word for each in spellings for word in each]
        if _has(asked, words + _words(titles[page])):
            besides = min(sum(not _in(word, asked) for word in each) for each in spellings)
            ranked.append((-sum(_in(word, words) for word in asked), besides, page))
    found = [page for *_, page in sorted(ranked)]
    if len(found) < _FEW:
        spoken: list[tuple[int, str]] = []
        for page in names.keys() - set(found):
            words = _words(text_of(page))
            runs = zip(*(words[place:] for place in range(len(asked))), strict=False)
            times = sum(all(map(_same, asked, run)) for run in runs)
            if times:
                spoken.append((-times, page))
        found = [*found, *(page for _, page in sorted(spoken))][:_SOME]
    return {page: titles[page] for page in found[:most]}


def respelt(topic: str, index: Mapping[str, tuple[str, str, str]]) -> str:
    """The topic with each word that stands in no name or title as the one that is spelt nearest to it."""
    import difflib

    known = {word for _, written, title in index.values() for word in (*_words(written), *_words(title))}
    return " ".join(
        word if _in(word, known) else next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.8)), word)
        for word in _words(topic)
    )


def _has(asked: list[str], words: list[str]) -> bool:
    return all(_in(word, words) for word in asked)


def _in(word: str, words: Iterable[str]) -> bool:
    return any(_same(word, other) for other in words)


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


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
