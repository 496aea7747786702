"""What the agent keeps: one source each, how it is asked, and what people are told of it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..credentials import format_timestamp
from ..errors import InteractionRequired, UnexpireError
from ..providers.chain import choose
from ..refresher import Backoff, Refresher
from ..settings.environment import Environment
from .endpoint import Held
from .order import policy_for
from .serving import Following, at_once
from .sessions import login_file, session_store, states_of

if TYPE_CHECKING:
    from ..providers.base import Provider
    from ..providers.resolve import RoleRequest

__all__ = ["Asked", "Kept", "Snapshots"]


# With many identities in one outage, each of them comes once in this time.
_LONGEST_BACKOFF = timedelta(seconds=30)


class Snapshots:
    """The settings as they are now: variables of the agent's start, files as they stand, parsed once for all profiles."""

    def __init__(self, start: Environment) -> None:
        self._start = start
        self._base = start
        self._states = self._look()

    def environment(self) -> Environment:
        """A snapshot to resolve or to fetch with."""
        base = self._base
        base.settings()  # in here, so that all that come after share it
        return base.anew()

    def changed(self) -> bool:
        """Whether a settings file has changed since this was last asked; from then on `environment` has the new ones."""
        states = self._look()
        if states == self._states:
            return False
        self._states = states
        self._base = Environment.of(self._start.variables, cwd=self._start.cwd, clock=self._start.clock)
        return True

    def _look(self) -> list[tuple[str, str]]:
        return states_of([self._start.config_path, self._start.credentials_path])


@dataclass(frozen=True, slots=True)
class Asked:
    """A source as it is asked for: a profile (None: the chain without a flag), or a role assumed with it."""

    profile: str | None = None
    role: RoleRequest | None = None

    @property
    def name(self) -> str:
        base = self.profile or "default"
        return base if self.role is None else f"{self.role.role_arn.rpartition('/')[2]} by {base}"

    @property
    def key(self) -> str:
        """The name, made unique: two roles of one name may be of two accounts."""
        if self.role is None:
            return self.name
        return f"{self.name} {hashlib.sha256(repr(self.role).encode()).hexdigest()[:16]}"

    def goes_by(self, name: str) -> bool:
        """Whether somebody who types this name means this source: its profile's, or its role's."""
        role = self.role.role_arn.rpartition("/")[2] if self.role is not None else None
        return name in (self.profile or "default", role, self.name)

    @property
    def path(self) -> str:
        """The path on the loopback endpoint."""
        return f"/credentials/{quote(self.key, safe='')}"

    def resolve(self, environment: Environment) -> Provider:
        from ..providers.resolve import provider_for

        return provider_for(environment, profile=self.profile, role=self.role)


class Kept:
    """One source of the agent's, with its refresher. `pinned`: named when the agent was started, so kept unasked."""

    def __init__(
        self,
        asked: Asked,
        snapshots: Snapshots,
        pool: ThreadPoolExecutor,
        *,
        clock: Callable[[], datetime],
        pinned: bool,
        on_stale: Callable[[], None],
    ) -> None:
        self.asked, self.pinned = asked, pinned
        self.last_asked = time.monotonic()
        self._snapshots, self._clock = snapshots, clock
        environment = snapshots.environment()
        self.source = Following(snapshots.environment, asked.resolve)
        self.identity = self.source.identity
        policy = policy_for(self.source)
        store = session_store(environment, policy=policy)
        backoff = Backoff(longest=_LONGEST_BACKOFF)
        self.refresher = Refresher(
            self.source, policy=policy, clock=clock, store=store, background=at_once, backoff=backoff
        )
        self.held = Held(self.refresher, clock=clock, pool=pool, on_stale=on_stale)
        self._session_file = store.sessions / store.name_of(self.identity)
        self._login_file = _login_file(environment, asked)
        self._login_state = self._look_at_login()

    @property
    def name(self) -> str:
        return self.asked.name

    @property
    def renewable(self) -> bool:
        return self.source.renewable

    @property
    def waits_for(self) -> InteractionRequired | None:
        """What a human has to do before this can go on."""
        error = self.refresher.error
        return error if isinstance(error, InteractionRequired) else None

    def login_appeared(self) -> bool:
        """Whether it waits for a human, and a login, or the session itself, has been left in a cache since this was last asked."""
        if self.waits_for is None:
            return False
        state = self._look_at_login()
        changed, self._login_state = state != self._login_state, state
        return changed

    def _look_at_login(self) -> object:
        return states_of([self._session_file, *([self._login_file] if self._login_file is not None else [])])

    def status(self, next_look: datetime | None) -> dict[str, Any]:
        """For people and for JSON; nothing in it is secret."""
        standing = self.refresher.standing()
        held = self.refresher.peek()
        error = standing.last_error
        waits = self.waits_for
        return {
            "name": self.asked.name,
            "profile": self.asked.profile,
            "role_arn": self.asked.role.role_arn if self.asked.role else None,
            "method": self.source.method,
            "source": standing.description,
            "renews_itself": self.source.renewable,
            "access_key_id": held.access_key_id if held else None,
            "account": held.account if held else None,
            "issued_at": _text(held.issued_at if held else None),
            "expires_at": _text(standing.ends_at),
            "usable_until": _text(standing.advertised_end),
            "renewal_due": _text(standing.renewal_due),
            "next_look": _text(next_look),
            "renewals": standing.renewals,
            "attempts": standing.attempts,
            "failures": self.source.failures,
            "failures_in_a_row": standing.failures,
            "error": None if error is None else _sentence(error),
            "waits_for": None if waits is None else (waits.hint or str(waits)),
        }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else format_timestamp(moment)


def _sentence(error: UnexpireError) -> str:
    return f"{error}; try: {error.hint}" if error.hint else str(error)


def _login_file(environment: Environment, asked: Asked) -> Path | None:
    """The file that the login of the first source in the chain would leave."""
    winner = choose(environment, asked.profile).winner
    return login_file(winner.base if winner is not None else None, environment)


def role_of(document: Mapping[str, Any] | None) -> RoleRequest | None:
    """The role of a request over the socket. Raises TypeError or ValueError for what is none."""
    if document is None:
        return None
    from ..providers.resolve import RoleRequest

    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
    }
    role = RoleRequest(**fields)
    if not isinstance(role.role_arn, str):
        raise TypeError("role_arn")
    return role
