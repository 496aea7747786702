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


_SHORTEST_USEFUL = timedelta(seconds=5)
"""A set with less life left is no use to a request that is about to be signed, unless its whole life is that short (the lab's)."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _in_background(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="unexpire-renewal", daemon=True).start()


def _same(one: Credentials, other: Credentials) -> bool:
    """The same keys with the same end; when they are taken to have begun does not matter."""
    return one.issued(None) == other.issued(None)


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
        self._unchanged = 0
        self._renewals = 0
        self._attempts = 0
        # The source was asked in vain at `_asked_at`, and is left alone until `_not_before`.
        self._not_before: datetime | None = None
        self._asked_at: datetime | None = None
        self._last_renewed: datetime | None = None

    @property
    def identity(self) -> str:
        return self.provider.identity

    def peek(self) -> Credentials | None:
        """What is held, without asking or waiting for anybody; it may be past its end."""
        return self._held

    def current(self) -> Credentials:
        """Credentials that are usable now, never expired ones; else raises UnexpireError, the reason of the last failure."""
        held = self._held if self._held is not None else self._shared()
        if held is not None:
            freshness = self.policy.freshness(held, self._clock())
            if freshness is Freshness.FRESH:
                return held
            if freshness is Freshness.STALE:
                self._renew_ahead()
                return held
        return self._renewed(None)

    def renew(self, rejected: Credentials | None = None) -> Credentials:
        """A set other than `rejected`, which AWS refused before its time: fetched once for all who held it.

        Without one, what the source gives now, also where a failure has just been noted: somebody asks who knows that it is
        worth it. Raises UnexpireError where the source gives none; what is held stays.
        """
        held = self._held
        if rejected is None:
            return self._renewed(held, forced=True)
        if held is not None and held.access_key_id != rejected.access_key_id:
            return self.current()
        with self._state:
            self._rejected.add(rejected.access_key_id)
        return self._renewed(rejected, forced=True, patient=True)

    def renew_ahead(self) -> bool:
        """Renew in the background if it is due and no renewal is under way; True if one was started. For keepers."""
        held = self._held
        if held is None or self.policy.freshness(held, self._clock()) is not Freshness.FRESH:
            return self._renew_ahead()
        return False

    @property
    def error(self) -> UnexpireError | None:
        """What the last attempt failed with; None where it did not. For who looks at thousands: `standing` describes as well."""
        return self._error

    def try_again(self) -> None:
        """Wait no longer for the backoff to end: something has happened that may change the answer, a login for one."""
        with self._state:
            self._not_before = self._failed_at = None

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

    def _renewed(self, stale: Credentials | None, *, forced: bool = False, patient: bool = False) -> Credentials:
        """Wait for the renewal in flight; if what it left is no good, be the next one.

        `stale` is what the caller knows already; `forced` wants another one even while that lives; `patient` keeps to the backoff.
        """
        with self._flight:
            held = self._held
            if held is not None and (not forced or stale is None or held.access_key_id != stale.access_key_id):
                freshness = self.policy.freshness(held, self._clock())
                if freshness is not Freshness.EXPIRED and held.access_key_id not in self._rejected:
                    return held
            with self._state:
                if self._error is not None and self._waiting_out(self._clock()) and (patient or not forced):
                    raise self._error
            return self._fetch(forced)

    def _waiting_out(self, now: datetime) -> bool:
        """Whether the source is to be left alone. A clock that was set back does not stretch that."""
        if self._not_before is None or self._asked_at is None:
            return False
        return self._asked_at <= now < self._not_before

    def _fetch(self, forced: bool = False) -> Credentials:
        """Lock, re-read, renew, publish. Called with `_flight` held.

        Another process's set will do, but for a forced renewal only one that was not there before this process waited.
        """
        known = self._stored() if forced else None
        try:
            with self._locked():
                found = self._from_store(known)
                if found is not None:
                    return self._take(found)
                found = self._ask()
                if found is not self._held:
                    self._publish(found)
        except UnexpireError as error:
            self._note_failure(error)
            raise
        with self._state:
            self._renewals += 1
            self._last_renewed = self._clock()
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

    def _shared(self) -> Credentials | None:
        """The first look: what another process holds, without waiting for its lock."""
        found = self._from_store(None)
        return self._take(found) if found is not None else None

    def _stored(self) -> Credentials | None:
        if self._store is None:
            return None
        with contextlib.suppress(StoreError):
            return self._store.load(self.provider.identity)
        return None

    def _from_store(self, known: Credentials | None) -> Credentials | None:
        """What another process renewed in the meantime, if it is usable, not `known`, and not one that AWS refused."""
        found, held = self._stored(), self._held
        if found is None or found.access_key_id in self._rejected:
            return None
        if any(other is not None and other.access_key_id == found.access_key_id for other in (known, held)):
            return None
        now = self._clock()
        freshness = self.policy.freshness(found, now)
        needy = held is None or self.policy.freshness(held, now) is Freshness.EXPIRED
        return found if freshness is Freshness.FRESH or (freshness is Freshness.STALE and needy) else None

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
        if found.access_key_id in self._rejected:
            raise RefreshFailed(
                f"{self.provider.describe()} gives the session again that AWS refused",
                retryable=self.provider.renewable,
                finding="expired-session",
                hint="unexpire diagnose",
            )
        return self._usable(found, self._clock())

    def _usable(self, found: Credentials, now: datetime) -> Credentials:
        """`found`, or what is held where that is as good; raises RefreshFailed for a set that is over or no use any more.

        A source may have nothing better than a set that is old already: a process with a cache, a static copy, the metadata service,
        which gives the next set as late as 5 minutes before the end (EC2 user guide, "Instance metadata and user data": "Retrieve
        security credentials"). Such a set is taken to begin now, so that it goes out, with a margin that fits what is left of it.
        """
        end, held = found.expiration, self._held
        if end is None:
            return found
        if held is not None and held.expiration is not None and held.access_key_id not in self._rejected:
            usable = self.policy.freshness(held, now) is not Freshness.EXPIRED
            if usable and (_same(found, held) or end < held.expiration):
                return held
        if found.issued_at is None and self.provider.renewable:
            found = found.issued(now.replace(microsecond=0))
        if self.policy.freshness(found, now) is not Freshness.EXPIRED:
            return found
        if end - now >= _SHORTEST_USEFUL:
            return found.issued(now)
        raise RefreshFailed(
            f"{self.provider.describe()} gives a session that is over, or nearly",
            retryable=self.provider.renewable,
            finding=self._finding_of_dead_sets(),
            hint="unexpire diagnose",
        )

    def _finding_of_dead_sets(self) -> str:
        if not self.provider.renewable:
            return "static-session"
        if self.provider.method in ("iam-role", "container-role"):
            return "metadata-stale"
        if self.provider.method == "custom-process":
            return "process-bad-output"
        # AWS itself ends no session in the moment it gives it: then the two clocks differ.
        return "clock-skew"

    def _publish(self, found: Credentials) -> None:
        if self._store is not None:
            with contextlib.suppress(StoreError):
                self._store.save(self.provider.identity, found)

    def _take(self, found: Credentials) -> Credentials:
        """Hold it. The same set again, from a source that has no other yet, makes the next attempt wait as a failure does."""
        now = self._clock()
        with self._state:
            same = self._held is not None and _same(self._held, found)
            self._unchanged = self._unchanged + 1 if same else 0
            self._held = found
            self._error = None
            self._failures = 0
            self._not_before = self._asked_at = None
            if same:
                self._pause(now, self._unchanged)
        return found

    def _pause(self, now: datetime, times: int) -> None:
        end = self.policy.advertised_end(self._held) if self._held is not None else None
        left = max(end - now, timedelta(0)) if end is not None else None
        self._asked_at = now
        self._not_before = now + self._backoff.after(times, left)

    def _note_failure(self, error: UnexpireError) -> None:
        now = self._clock()
        with self._state:
            self._error = error
            self._failures += 1
            failures = self._failures
            if isinstance(error, InteractionRequired) or (isinstance(error, RefreshFailed) and not error.retryable):
                # Only a human can change this answer: look again now and then, not often.
                failures += 3
            self._pause(now, failures)
