"""What one wrapped command is served from: its source, kept fresh ahead of need, behind its endpoint."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..credentials import Credentials
from ..errors import RefreshFailed, UnexpireError
from ..freshness import DEFAULT_POLICY, Freshness
from ..keeper import Keeper
from ..providers.base import Around, Prompt, Provider
from .agent_protocol import ask_for_credentials
from .endpoint import ContainerEndpoint, Held
from .guard import path_of
from .imds_endpoint import ImdsEndpoint, ImdsTokens
from .notices import Notices, notice_from, ring
from .order import PATH, Order, policy_for
from .process import label_of
from .server import Request, Response

if TYPE_CHECKING:
    from ..backoff import Outage
    from ..refresher import Refresher, SessionStore
    from ..settings.environment import Environment

__all__ = ["Following", "Seeded", "Serving", "at_once", "keep_fresh"]

_NAME = "command"
_READ_AGAIN = timedelta(minutes=5)
_LOOK_AGAIN = timedelta(seconds=15)


class Following(Around):
    """A provider that reads the settings anew whenever it fetches: a role is not signed for with keys that were replaced since.

    `resolve` gives the provider for an environment. `stay` keeps to the account it began in: a command that runs must not end up in
    another one because somebody edited a file.
    """

    def __init__(
        self, environment: Callable[[], Environment], resolve: Callable[[Environment], Provider], *, stay: bool = False
    ) -> None:
        self._environment, self._resolve, self._stay = environment, resolve, stay
        self._account: str | None = None
        self.failures = 0
        self._follow()

    def _follow(self) -> None:
        super().__init__(self._resolve(self._environment()))
        self._renewable = self.provider.renewable

    @property
    def renewable(self) -> bool:
        """Asked for every second by an agent, of every identity, while a chain of roles walks down to its keys to tell."""
        return self._renewable

    def begin_in(self, account: str | None) -> None:
        self._account = account

    def fetch(self) -> Credentials:
        """What the source gives now. Raises RefreshFailed where it has come to lead to another account."""
        try:
            self._follow()
            fetched = self.provider.fetch()
        except UnexpireError:
            self.failures += 1
            raise
        if not self.stays(fetched):
            raise RefreshFailed(
                f"{self.describe()} now leads to account {fetched.account}, the command was started in {self._account}",
                retryable=False,
                hint="start the command anew to change accounts",
            )
        self._account = fetched.account or self._account
        return fetched

    def stays(self, found: Credentials) -> bool:
        """Whether this set may be taken: with `stay`, not one that is known to be of another account."""
        return not (self._stay and self._account) or found.account in (None, self._account)


class Seeded:
    """A session store that begins with one set, for keys that the store behind it does not keep. Implements `SessionStore`."""

    def __init__(self, store: SessionStore, identity: str, seed: Credentials) -> None:
        self._store, self._identity, self._seed = store, identity, seed

    def load(self, identity: str) -> Credentials | None:
        """The stored set, or the seed where that is the one that ends later or the only one."""
        stored = self._store.load(identity)
        if identity != self._identity:
            return stored
        if stored is None or stored.expiration is None or self._seed.expiration is None:
            return stored or self._seed
        return stored if stored.expiration >= self._seed.expiration else self._seed

    def save(self, identity: str, credentials: Credentials, *, renewable: bool = True) -> None:
        self._store.save(identity, credentials, renewable=renewable)
        if identity == self._identity:
            self._seed = credentials

    def forget(self, identity: str) -> None:
        self._store.forget(identity)

    def lock(self, identity: str) -> AbstractContextManager[None]:
        return self._store.lock(identity)

    def outage(self, identity: str) -> Outage | None:
        return self._store.outage(identity)

    def note(self, identity: str, outage: Outage) -> None:
        self._store.note(identity, outage)


def keep_fresh(refresher: Refresher, clock: Callable[[], datetime]) -> datetime | None:
    """Renew if that is due, waiting for it; the moment to come again.

    What a `Keeper` calls, with a refresher whose `background` is `at_once`. A failure is no error here: the refresher keeps what it
    holds, and knows when the next attempt may be. Keys whose end nobody knows are read again every few minutes: somebody may have
    rotated them.
    """
    held = refresher.peek()
    if held is not None and held.expiration is None:
        with contextlib.suppress(UnexpireError):
            refresher.renew()
        return clock() + _READ_AGAIN
    refresher.renew_ahead()
    standing, now = refresher.standing(), clock()
    if standing.next_attempt is not None and standing.next_attempt > now:
        return standing.next_attempt
    due = standing.renewal_due
    if due is None:
        return now + (_READ_AGAIN if standing.held else _LOOK_AGAIN)
    return due if due > now else now + _LOOK_AGAIN


def at_once(work: Callable[[], None]) -> None:
    """Do the work in the thread that asks: a keeper's own. For `Refresher(background=…)`."""
    work()


class Serving:
    """The handler of one command's endpoint, and the keeper behind it. A context manager: inside, renewals run."""

    def __init__(
        self,
        order: Order,
        environment: Callable[[], Environment],
        port: int,
        *,
        clock: Callable[[], datetime],
        prompt: Prompt | None = None,
    ) -> None:
        from ..refresher import Backoff, Refresher
        from .sessions import session_store

        self._clock = clock
        self.source = Following(environment, lambda env: _resolve(order, env, prompt), stay=True)
        self.source.begin_in(order.held.account)
        began = environment()
        self.name = label_of(began, order.profile, order.role)
        store = Seeded(session_store(began), self.source.identity, order.held)
        policy = policy_for(self.source)
        self.refresher = Refresher(
            self.source,
            policy=policy,
            clock=clock,
            store=store,
            background=at_once,
            backoff=Backoff(longest=_LOOK_AGAIN),
            accepts=self.source.stays,
        )
        terminal = order.terminal
        self._notices = Notices(began, bell=None if terminal is None else lambda: ring(terminal))
        self.keeper = Keeper(clock=clock, workers=2)
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="unexpire-waiting")
        held = Held(self.refresher, clock=clock, pool=self._pool, on_stale=lambda: self.keeper.poke(_NAME))
        self._container = ContainerEndpoint(port, {PATH: (order.token, held)})
        self._imds: ImdsEndpoint | None = None
        if order.imds_secret is not None:
            tokens = ImdsTokens(order.imds_secret.encode())
            self._imds = ImdsEndpoint(port, held, tokens, role="unexpire", region=order.region)

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        if self._imds is not None and path_of(request).startswith("/latest/"):
            return self._imds(request)
        return self._container(request)

    def __enter__(self) -> Serving:
        self.keeper.add(_NAME, self._keep_fresh)
        self.keeper.add("notice", self._give_notice)
        self.keeper.start()
        return self

    @property
    def renewable(self) -> bool:
        return self.source.renewable

    def _keep_fresh(self) -> datetime | None:
        following = keep_fresh(self.refresher, self._clock)
        self.keeper.poke("notice")  # it may be the word that nothing renews this
        return following

    def _give_notice(self) -> datetime:
        """Give the notice of a session that ends and has nothing after it, if it is due; the moment to look again."""
        now = self._clock()
        self._notices.look([self], now)
        held = self.refresher.peek()
        end = self.refresher.policy.advertised_end(held) if held is not None else None
        due = notice_from(held, end) if held is not None and end is not None else None
        return now + _READ_AGAIN if due is None or due <= now else min(due, now + _READ_AGAIN)

    def __exit__(self, *_: object) -> None:
        self.keeper.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _resolve(order: Order, environment: Environment, prompt: Prompt | None) -> Provider:
    from ..providers.resolve import provider_for

    provider = provider_for(environment, profile=order.profile, role=order.role, prompt=prompt)
    return _AgentFirst(provider, order, environment) if order.use_agent else provider


class _AgentFirst(Around):
    """A provider that asks the agent, where one runs, before it goes to the source itself."""

    def __init__(self, provider: Provider, order: Order, environment: Environment) -> None:
        super().__init__(provider)
        self.order, self.environment = order, environment

    def fetch(self) -> Credentials:
        """The agent's set where it is a better one than a renewal would replace, else the source's."""
        home = str(self.environment.home) if self.environment.home is not None else None
        given = ask_for_credentials(
            self.environment.variables,
            home,
            profile=self.order.profile,
            role=self.order.role,
            identity=self.identity,
            wait=False,
        )
        if given is not None and DEFAULT_POLICY.freshness(given, self.environment.now()) is Freshness.FRESH:
            return given
        return self.provider.fetch()
