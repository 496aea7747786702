"""One identity kept fresh: renewed ahead of need, once, by one of all who ask; what is held survives a failed renewal.

FRESH: answer. STALE: answer, and renew in the background. EXPIRED: wait for the one renewal in flight, or fail with the reason. A
failure is not repeated before its backoff is over, whoever asks, so an outage costs one call per interval and not one per request.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from .credentials import Credentials
from .errors import InteractionRequired, RefreshFailed, StoreError, UnexpireError
from .freshness import DEFAULT_POLICY, Freshness, RefreshPolicy
from .providers.base import Provider

__all__ = ["Backoff", "Refresher", "SessionStore", "Standing"]


class SessionStore(Protocol):
    """Where sessions are kept between processes. `lock` makes the renewal of one identity single-flight among all of them."""

    def load(self, identity: str) -> Credentials | None: ...
    def save(self, identity: str, credentials: Credentials) -> None: ...
    def forget(self, identity: str) -> None: ...
    def lock(self, identity: str) -> AbstractContextManager[None]: ...


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to leave a failing source alone: doubled from `first` to `longest`, less up to a quarter of jitter.

    Never more than a tenth of what is left of the held session's life, so that a short one still gets several attempts.
    """

    first: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(minutes=1)
    jitter: Callable[[], float] = random.random

    def after(self, failures: int, life_left: timedelta | None) -> timedelta:
        """The pause after so many failures in a row."""
        pause = min(self.first * (2 ** min(failures - 1, 10)), self.longest)
        if life_left is not None and life_left > timedelta(0):
            pause = min(pause, max(life_left / 10, timedelta(seconds=0.5)))
        return timedelta(seconds=pause.total_seconds() * (1 - 0.25 * self.jitter()))


@dataclass(frozen=True, slots=True)
class Standing:
    """How a refresher stands, for status and metrics. Nothing in it is secret."""

    identity: str
    description: str
    held: bool
    ends_at: datetime | None
    advertised_end: datetime | None
    renewal_due: datetime | None
    next_attempt: datetime | None
    renewals: int
    failures: int
    attempts: int
    last_error: UnexpireError | None
    last_renewed: datetime | None


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _in_background(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="unexpire-renewal", daemon=True).start()


class Refresher:
    """Keeps one provider's credentials fresh. Thread-safe; every set it gives is one immutable value, never torn.

    store       sessions shared with other processes, and the lock that makes a renewal single-flight among them.
    background  how a renewal ahead of need is started; by default on a daemon thread.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        policy: RefreshPolicy = DEFAULT_POLICY,
        clock: Callable[[], datetime] = _utc_now,
        store: SessionStore | None = None,
        backoff: Backoff | None = None,
        background: Callable[[Callable[[], None]], None] = _in_background,
    ) -> None:
        self.provider = provider
        self.policy = policy
        self._clock = clock
        self._store = store
        self._backoff = backoff if backoff is not None else Backoff()
        self._background = background
        # `_flight` is held while the source is asked, `_state` only for moments: a hung source blocks nobody who has a usable set.
        self._flight = threading.Lock()
        self._state = threading.Lock()
        self._held: Credentials | None = None
        self._rejected: set[str] = set()
        self._renewing = False
        self._error: UnexpireError | None = None
        self._failures = 0
        self._renewals = 0
        self._attempts = 0
        self._not_before: datetime | None = None
        self._failed_at: datetime | None = None
        self._last_renewed: datetime | None = None

    @property
    def identity(self) -> str:
        return self.provider.identity

    def peek(self) -> Credentials | None:
        """What is held, without asking or waiting for anybody; it may be past its end."""
        return self._held

    def current(self) -> Credentials:
        """Credentials that are usable now, never expired ones; else raises UnexpireError, the reason of the last failure."""
        held = self._held
        if held is not None:
            freshness = self.policy.freshness(held, self._clock())
            if freshness is Freshness.FRESH:
                return held
            if freshness is Freshness.STALE:
                self._renew_ahead()
                return held
        return self._renewed(None)

    def renew(self, rejected: Credentials | None = None) -> Credentials:
        """A set other than `rejected`, which AWS refused before its time: fetched once for all who held it. Without one, a new set.

        Raises UnexpireError where the source gives none; what is held stays.
        """
        held = self._held
        if rejected is not None and held is not None and held.access_key_id != rejected.access_key_id:
            return self.current()
        if rejected is not None:
            with self._state:
                self._rejected.add(rejected.access_key_id)
        return self._renewed(rejected or held, forced=True)

    def renew_ahead(self) -> bool:
        """Renew in the background if it is due and no renewal is under way; True if one was started. For keepers."""
        held = self._held
        if held is None or self.policy.freshness(held, self._clock()) is not Freshness.FRESH:
            return self._renew_ahead()
        return False

    def standing(self) -> Standing:
        """How it stands now."""
        with self._state:
            held = self._held
            return Standing(
                identity=self.provider.identity,
                description=self.provider.describe(),
                held=held is not None,
                ends_at=held.expiration if held is not None else None,
                advertised_end=self.policy.advertised_end(held) if held is not None else None,
                renewal_due=self.policy.renewal_due(held) if held is not None else None,
                next_attempt=self._not_before,
                renewals=self._renewals,
                failures=self._failures,
                attempts=self._attempts,
                last_error=self._error,
                last_renewed=self._last_renewed,
            )

    snapshot = standing

    # --- renewing

    def _renew_ahead(self) -> bool:
        with self._state:
            if self._renewing or self._waiting_out(self._clock()):
                return False
            self._renewing = True
        self._background(self._renew_quietly)
        return True

    def _renew_quietly(self) -> None:
        """The background renewal: its failure is noted, and what is held stays."""
        try:
            with self._flight:
                held = self._held
                if held is None or self.policy.freshness(held, self._clock()) is not Freshness.FRESH:
                    with contextlib.suppress(UnexpireError):
                        self._fetch()
        finally:
            with self._state:
                self._renewing = False

    def _renewed(self, stale: Credentials | None, *, forced: bool = False) -> Credentials:
        """Wait for the renewal in flight; if what it left is no good, be the next one."""
        with self._flight:
            held = self._held
            if held is not None and (not forced or stale is None or held.access_key_id != stale.access_key_id):
                freshness = self.policy.freshness(held, self._clock())
                if freshness is not Freshness.EXPIRED and held.access_key_id not in self._rejected:
                    return held
            with self._state:
                if self._error is not None and self._waiting_out(self._clock()) and not self._may_ask(forced):
                    raise self._error
            return self._fetch()

    def _may_ask(self, forced: bool) -> bool:
        """A forced renewal goes through one backoff only if the failure before it was not this very attempt's."""
        return forced and self._failures == 0

    def _waiting_out(self, now: datetime) -> bool:
        """Whether the backoff still runs. A clock that was set back does not stretch it."""
        if self._not_before is None or self._failed_at is None:
            return False
        return self._failed_at <= now < self._not_before

    def _fetch(self) -> Credentials:
        """Lock, re-read, renew, publish. Called with `_flight` held."""
        try:
            with self._locked():
                found = self._from_store()
                if found is None:
                    found = self._ask()
                    self._publish(found)
        except UnexpireError as error:
            self._note_failure(error)
            raise
        return self._take(found)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if self._store is None:
            yield
            return
        try:
            held = self._store.lock(self.provider.identity)
            held.__enter__()
        except StoreError:
            # A cache that cannot be locked (read-only home, full disk) must not keep a job from its credentials.
            yield
            return
        try:
            yield
        finally:
            held.__exit__(None, None, None)

    def _from_store(self) -> Credentials | None:
        """What another process renewed in the meantime, if it is fresh and not one that AWS refused."""
        if self._store is None:
            return None
        try:
            found = self._store.load(self.provider.identity)
        except StoreError:
            return None
        if found is None or found.access_key_id in self._rejected:
            return None
        freshness = self.policy.freshness(found, self._clock())
        held = self._held
        better = held is None or held.access_key_id != found.access_key_id
        usable = freshness is Freshness.FRESH or (freshness is Freshness.STALE and held is None)
        return found if better and usable else None

    def _ask(self) -> Credentials:
        with self._state:
            self._attempts += 1
        try:
            found = self.provider.fetch()
        except UnexpireError:
            raise
        except Exception as error:
            # A provider's own fault must not end a keeper of many.
            raise RefreshFailed(
                f"{self.provider.describe()} failed ({type(error).__name__})",
                retryable=True,
                finding="endpoint-unreachable",
            ) from error
        now = self._clock()
        if found.expiration is not None and found.issued_at is None and self.provider.renewable:
            found = found.issued(now.replace(microsecond=0))
        if self.policy.freshness(found, now) is Freshness.EXPIRED:
            raise RefreshFailed(
                f"{self.provider.describe()} gives a session that is over, or nearly",
                retryable=True,
                finding="expired-session" if not self.provider.renewable else "metadata-stale",
                hint="unexpire diagnose",
            )
        if found.access_key_id in self._rejected:
            raise RefreshFailed(
                f"{self.provider.describe()} gives the session again that AWS refused",
                retryable=True,
                finding="expired-session",
                hint="unexpire diagnose",
            )
        return found

    def _publish(self, found: Credentials) -> None:
        if self._store is not None:
            with contextlib.suppress(StoreError):
                self._store.save(self.provider.identity, found)

    def _take(self, found: Credentials) -> Credentials:
        with self._state:
            self._held = found
            self._error = None
            self._failures = 0
            self._not_before = self._failed_at = None
            self._renewals += 1
            self._last_renewed = self._clock()
        return found

    def _note_failure(self, error: UnexpireError) -> None:
        now = self._clock()
        with self._state:
            held = self._held
            self._error = error
            self._failures += 1
            end = self.policy.advertised_end(held) if held is not None else None
            left = max(end - now, timedelta(0)) if end is not None else None
            failures = self._failures
            if isinstance(error, InteractionRequired) or (isinstance(error, RefreshFailed) and not error.retryable):
                # Only a human can change this answer: look again now and then, not often.
                failures += 3
            self._failed_at = now
            self._not_before = now + self._backoff.after(failures, left)
