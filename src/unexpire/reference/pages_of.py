"""Which page explains a match: the code's own, unless several ailments share the code."""

from __future__ import annotations

from functools import cache

from .ailments import AILMENTS, FAMILY
from .page import index, key

__all__ = ["page_of"]

# (ailment, its likeliest cause or "") -> names of pages, the best first. Names that no page has yet are passed over.
_PAGES: dict[tuple[str, str], tuple[str, ...]] = {
    ("session-expired", "presigned_session_expired"): ("presigned-session-ended",),
    ("session-expired", "web_identity_token_expired"): ("web-identity-token-expired",),
    ("web-identity-expired", ""): ("web-identity-token-expired",),
    ("pod-identity-expired", ""): ("pod-identity-token-expired",),
    ("device-code-expired", ""): ("device-code-expired",),
    ("presigned-expired", ""): ("presigned-url-expired",),
}


@cache
def _index() -> dict[str, tuple[str, str, str]]:
    try:
        return index()
    except OSError:
        return {}


def page_of(ailment: str, code: str | None, first_cause: str | None) -> str | None:
    """The name of the page, or None where there is none (yet)."""
    wanted = [*_PAGES.get((ailment, first_cause or ""), ()), *_PAGES.get((ailment, ""), ())]
    declared = AILMENTS[ailment].page
    wanted += [name for name in (declared, code, ailment) if name]
    if first_cause in FAMILY:
        wanted.append("expired-session")
    for name in wanted:
        found = _index().get(key(name))
        if found is not None:
            return found[0]
    return None
