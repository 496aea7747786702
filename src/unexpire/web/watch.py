"""What the dashboard knows: sessions, looked at every second, and findings, as often as they are cheap enough for."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ..delivery.overview import overview
from ..delivery.sessions import States, watched
from ..errors import UnexpireError
from ..stores import aws_caches
from . import doctor
from .record import Identity, Record

if TYPE_CHECKING:
    from ..settings.environment import Environment

__all__ = ["Watch"]

_CHECK_UP_EVERY_S = 15.0
_LEISURE = 20
"""A check-up that takes a second is made every twenty: with thousands of profiles it is the settings that cost."""


class Watch:
    """Looks with `look` and `check_up`, each from one thread at a time; what they found is then in its attributes.

    `environment` gives the settings as they are now. They are parsed anew only when their files have changed.
    """

    def __init__(self, environment: Callable[[], Environment]) -> None:
        self._environment = environment
        self._states: States = []
        self._base = environment()
        self._record = Record()
        self._not_before = float("-inf")
        self._changed = True
        self.now: datetime = self._base.now()
        self.identities: Sequence[Identity] = ()
        self.check: doctor.CheckUp = doctor.CheckUp((), 0, 0)
        self.profiles: tuple[str, ...] = ()
        self.agent: dict[str, object] | None = None

    def environment(self) -> Environment:
        """A snapshot of its own for whoever looks closer."""
        return self._base.anew()

    def look(self) -> None:
        """See what sessions there are. Raises UnexpireError."""
        states = watched(self._base)
        if states != self._states:
            self._states, self._base, self._changed = states, self._environment(), True
            with contextlib.suppress(UnexpireError):
                self._base.settings()  # parsed here, once, for every snapshot that is taken of it
        environment = self.environment()
        home = environment.home
        foreign = list(aws_caches.ends(home)) if home is not None else []
        self.now = environment.now()
        with contextlib.suppress(UnexpireError):
            self.profiles = tuple(environment.settings().profiles)[: doctor.MOST_PROFILES]
        seen = overview(environment)
        self.identities = self._record.look(seen, foreign, self.now, str(home) if home is not None else None)
        self.agent = seen.agent

    def check_up(self) -> None:
        """Diagnose the profiles, where the settings have changed or enough time has passed."""
        begun = time.monotonic()
        if begun < self._not_before and not self._changed:
            return
        self._changed = False
        self.check = doctor.look(self.environment())
        ended = time.monotonic()
        self._not_before = ended + max(_CHECK_UP_EVERY_S, _LEISURE * (ended - begun))
