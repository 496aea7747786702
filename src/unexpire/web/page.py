"""The dashboard's HTML: the whole page, and the parts of it that change."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..diagnosis.spoken import clock_time
from ..findings import Diagnosis
from ..reference.page import find
from ..reference.site.files import address
from .doctor import CheckUp
from .drawing import SPANS, bar, left_in_words, time_line
from .record import Identity

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["Page", "Shown"]

_STATIC = os.path.join(os.path.dirname(__file__), "static")
_MOVING = re.compile(r"(?<= data-left>)[^<]*|(?<= data-life width=\")[^\"]*")
_PARTS = ("summary", "identities", "timeline", "findings", "agent")


@dataclass(frozen=True, slots=True)
class Shown:
    """What one drawing of the page shows."""

    identities: Sequence[Identity]
    check: CheckUp
    profiles: Sequence[str]
    agent: Mapping[str, object] | None
    now: datetime
    span: int | None


class Page:
    """Renders; knows no state."""

    def __init__(self) -> None:
        self._templates = _templates()
        self._files = {f"/static/{name}": functools.partial(_read, name) for name in sorted(os.listdir(_STATIC))}

    def whole(self, shown: Shown) -> str:
        """The page as a browser first gets it, complete without a script."""
        now_ms = round(shown.now.timestamp() * 1000)
        return self._render(
            "dashboard.html", parts=self.parts(shown), profiles=shown.profiles, now_ms=now_ms, span=shown.span
        )

    def parts(self, shown: Shown) -> dict[str, str]:
        """The parts by name."""
        values = {"shown": shown, "now": shown.now, "line": time_line(shown.identities, shown.now, shown.span)}
        return {name: self._render(f"part_{name}.html", **values) for name in _PARTS}

    @staticmethod
    def still(part: str) -> str:
        """A part without what the script moves by itself: only when this changes is there news."""
        return _MOVING.sub("", part)

    def answer(self, profile: str | None, diagnosis: Diagnosis) -> str:
        """What AWS said of a profile."""
        return self._render("answer.html", profile=profile, diagnosis=diagnosis, now=diagnosis.seen_at)

    def opened(self) -> str:
        """After the link: on to the page."""
        return self._render("opened.html")

    def closed(self) -> str:
        """Without cookie and link."""
        return self._render("closed.html")

    def static(self, path: str) -> Callable[[], bytes] | None:
        """What gives a file of the dashboard's own."""
        return self._files.get(path)

    def _render(self, template: str, **values: Any) -> str:
        return self._templates.get_template(template).render(**values)


def _read(name: str) -> bytes:
    with open(os.path.join(_STATIC, name), "rb") as file:
        return file.read()


def _page_of(code: str) -> str | None:
    name = find(code)
    return f"/reference/{address(name)}" if name is not None else None


def _state_of(identity: Identity, now: datetime) -> str:
    return identity.state(now)


def _kept_back(identity: Identity, now: datetime) -> bool:
    return identity.state(now) == "over" and identity.line.kept_back(now)


def _moment(moment: datetime, now: datetime) -> str:
    """A time of day where this runs, which is where it is read; with the day where that is not today."""
    here, today = moment.astimezone(), now.astimezone()
    near = abs(here - today) < timedelta(hours=2)
    return here.strftime(("" if here.date() == today.date() else "%a %d %b ") + ("%H:%M:%S" if near else "%H:%M"))


def _words(text: str) -> Markup:
    """A sentence of a finding: its first letter large, what stands between backticks as code."""
    from markupsafe import Markup, escape

    pieces = (text[:1].upper() + text[1:]).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if at % 2 else escape(piece) for at, piece in enumerate(pieces)
    )


def _short(name: str) -> str:
    """An identity that nobody named is known by a digest; eight digits of it tell it from the others."""
    return re.sub(r"(?<=-[0-9a-f]{8})[0-9a-f]{24}$", "…", name)


def _next_of(identities: Sequence[Identity], now: datetime) -> datetime | None:
    times = [each.line.next_renewal for each in identities if each.line.next_renewal is not None]
    return min((time for time in times if time > now), default=None)


@functools.cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("unexpire.web"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    found.filters.update(state=_state_of, kept_back=_kept_back, moment=_moment, words=_words, short=_short)
    found.globals.update(
        next_of=_next_of,
        bar=bar,
        left=left_in_words,
        spans=SPANS,
        page_of=_page_of,
        clock_time=clock_time,
    )
    return found
