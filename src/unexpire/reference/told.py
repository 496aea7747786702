"""What likely causes are called, and how to tell each: in the words of the error's page, or in general where it has none."""

from __future__ import annotations

from collections.abc import Iterable

from .labels import LABELS, TELLS
from .page import Cause, Page

__all__ = ["told"]


def told(labels: Iterable[str], page: Page | None) -> list[tuple[str, str | None]]:
    """For each label, what happened, and how to tell that it did (None: nothing is known of it)."""
    known: dict[str, Cause] = {}
    for cause in page.causes if page else ():
        known.setdefault(cause.label, cause)
    return [
        (known[label].title, known[label].tell)
        if label in known
        else (LABELS.get(label, label)[:1].upper() + LABELS.get(label, label)[1:], TELLS.get(label))
        for label in labels
    ]
