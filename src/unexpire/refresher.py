"""One identity kept fresh: renewed ahead of need, once, by one of all who ask; what is held survives a failed renewal.

FRESH: answer. STALE: answer, and renew in the background. EXPIRED: wait for the one renewal in flight, or fail with the reason. A
failure is not repeated before its backoff is over, whoever asks and in whichever process, so an outage costs one call per interval
and not one per request.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .backoff import Attempts, Backoff, Outage
from .credentials import Credentials
from .errors import RefreshFailed, StoreError, UnexpireError
from .freshness import DEFAULT_POLICY, Freshness, RefreshPolicy
from .providers.base import Provider
from .providers.worth import same, worthwhile
from .stores.base import SessionStore

__all__ = ["Backoff", "Outage", "Refresher", "SessionStore", "Standing"]


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
    patience    how long `current` tries again by itself where nothing usable is held and the failure may pass; by default it
                fails at once. Counted from the first attempt in vain, whoever's it was: once an outage has lasted that long, all fail
                at once. An attempt that has begun by then is waited for.
    wait        how the pauses in between are spent, in seconds.
    accepts     whether a set that another process left in the store may be taken; by default any.
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
        patience: timedelta | None = None,
        wait: Callable[[float], None] = time.sleep,
        accepts: Callable[[Credentials], bool] = lambda found: True,
    ) -> None:
        self.provider = provider
        self.policy = policy
        self._clock = clock
        self._store = store
        self._background = background
        self._patience, self._wait = patience, wait
        self._accepts = accepts
        self._tries = Attempts(backoff if backoff is not None else Backoff())
        self._held: Credentials | None = None
        self._rejected: set[str] = set()
        self._renewals = 0
        self._asked = 0
        self._last_renewed: datetime | None = None
        self._unlock()
        _all.add(self)

    def _unlock(self) -> None:
        """New locks: at the start, and in a forked child, where those of the parent may be held by threads that it does not have."""
        # `_flight` is held while the source is asked, `_state` only for moments: a hung source blocks nobody who has a usable set.
        self._flight = threading.Lock()
        self._state = threading.Lock()
        self._renewing = False

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
        return self._tries.error

    def try_again(self) -> None:
        """Wait no longer for the backoff to end: something has happened that may change the answer, a login for one."""
        with self._state:
            self._tries.anew()

    def pause(self, patience: timedelta) -> timedelta | None:
        """How long until the next attempt, for who has so much patience with an outage; None where the failure is the answer."""
        with self._state:
            return self._tries.pause(patience, self._clock())

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
                next_attempt=self._tries.not_before,
                renewals=self._renewals,
                failures=self._tries.failures,
                attempts=self._asked,
                last_error=self._tries.error,
                last_renewed=self._last_renewed,
            )

    snapshot = standing

    # --- renewing

    def _renew_ahead(self) -> bool:
        with self._state:
            if self._renewing or self._tries.waiting_out(self._clock()):
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
            while True:
                held = self._held
                other = held is not None and (stale is None or held.access_key_id != stale.access_key_id)
                if held is not None and (other or not forced) and not self._in_need(self._clock()):
                    return held
                try:
                    failure = self._not_yet() if patient or not forced else None
                    if failure is None:
                        return self._fetch(forced=forced, patient=patient)
                    found = self._from_store(None)  # another process may have had an answer since
                    if found is None:
                        raise failure
                    return self._take(found)
                except UnexpireError:
                    pause = None if forced or self._patience is None else self.pause(self._patience)
                    if pause is None:
                        raise
                self._wait(pause.total_seconds())

    def _not_yet(self) -> UnexpireError | None:
        """The last failure, if it is not time for the next attempt yet."""
        with self._state:
            return self._tries.error if self._tries.waiting_out(self._clock()) else None

    def _in_need(self, now: datetime) -> bool:
        """Whether nothing is held that can be used."""
        held = self._held
        if held is None or held.access_key_id in self._rejected:
            return True
        return self.policy.freshness(held, now) is Freshness.EXPIRED

    def _fresh(self, held: Credentials) -> bool:
        usable = held.access_key_id not in self._rejected
        return usable and self.policy.freshness(held, self._clock()) is Freshness.FRESH

    def _fetch(self, *, forced: bool = False, patient: bool = True) -> Credentials:
        """Lock, re-read, renew, publish. Called with `_flight` held.

        Another process's set will do, but for a forced renewal only one that was not there before this process waited, or that it
        had not seen: two who find the same set old renew it once. Another process's failure will do as well, for who keeps to the
        backoff.
        """
        known = self._stored() if forced and self._held is None else None
        with self._locked():
            found = self._from_store(known)
            if found is not None:
                return self._take(found)
            if not forced and self._held is not None and self._fresh(self._held):
                return self._held  # taken from the store by who asked in the meantime, without waiting for `_flight`
            if patient or not forced:
                self._mind_others()
            began = self._clock()
            try:
                found = self._ask()
            except UnexpireError as error:
                self._note_failure(error, began)
                raise
            if found is not self._held:
                self._publish(found)
        with self._state:
            self._renewals += 1
            self._last_renewed = self._clock()
        return self._take(found)

    def _mind_others(self) -> None:
        """Raise the failure that another process had a moment ago, if it is not time for the next attempt yet."""
        if self._store is None:
            return
        outage = None
        with contextlib.suppress(StoreError):
            outage = self._store.outage(self.provider.identity)
        if outage is None:
            return
        now = self._clock()
        with self._state:
            if self._tries.follow(outage, now=now, in_need=self._in_need(now)):
                raise outage.error

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
        if found is None or found.access_key_id in self._rejected or not self._accepts(found):
            return None
        if any(other is not None and other.access_key_id == found.access_key_id for other in (known, held)):
            return None
        now = self._clock()
        freshness = self.policy.freshness(found, now)
        return found if freshness is Freshness.FRESH or (freshness is Freshness.STALE and self._in_need(now)) else None

    def _ask(self) -> Credentials:
        with self._state:
            self._asked += 1
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
        held = self._held if self._held is not None and self._held.access_key_id not in self._rejected else None
        return worthwhile(found, held=held, provider=self.provider, policy=self.policy, now=self._clock())

    def _publish(self, found: Credentials) -> None:
        if self._store is not None:
            with contextlib.suppress(StoreError):
                self._store.save(self.provider.identity, found, renewable=self.provider.renewable)

    def _take(self, found: Credentials) -> Credentials:
        """Hold it. The same set again, from a source that has no other yet, makes the next attempt wait as a failure does."""
        now = self._clock()
        with self._state:
            unchanged = self._held is not None and same(self._held, found)
            self._held = found
            if unchanged:
                self._tries.unchanged(now, self._life_left(now))
            else:
                self._tries.succeeded()
        return found

    def _life_left(self, now: datetime) -> timedelta | None:
        end = self.policy.advertised_end(self._held) if self._held is not None else None
        return max(end - now, timedelta(0)) if end is not None else None

    def _note_failure(self, error: UnexpireError, began: datetime) -> None:
        """For this process and, where waiting may help, for the others. Called with the store's lock held."""
        now = self._clock()
        with self._state:
            in_need, left = self._in_need(now), self._life_left(now)
            outage = self._tries.failed(error, began=began, now=now, in_need=in_need, life_left=left)
        if outage is not None and self._store is not None:
            with contextlib.suppress(StoreError):
                self._store.note(self.provider.identity, outage)


_all: weakref.WeakSet[Refresher] = weakref.WeakSet()


def _after_fork() -> None:
    for each in _all:
        each._unlock()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_after_fork)
