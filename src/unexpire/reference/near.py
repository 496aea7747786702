"""A name that nobody knows, and the names it may have been meant for."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["nearest"]


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
