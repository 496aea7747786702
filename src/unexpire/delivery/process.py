"""A credential process that has nothing ready: it fetches once for all that wait, and leaves the answer for the fast lane."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from ..credentials import Credentials
from ..errors import ConfigurationError, InteractionRequired, RefreshFailed, StoreError, UnexpireError
from ..freshness import DEFAULT_POLICY, Freshness, remaining
from ..providers.base import Prompt, Provider
from ..settings.environment import Environment
from ..settings.preferences import preferences
from ..stores import session_files
from ..stores.process_document import CHAIN_VARIABLE, chain_mark, chain_shown, document
from ..stores.session_cache import SessionCache
from . import agent_protocol, fast_lane
from .sessions import follow_login, not_here, refuse_dead, session_store, watched

if TYPE_CHECKING:
    from ..providers.resolve import RoleRequest
    from ..refresher import Refresher

__all__ = ["CredentialProcess", "label_of", "process_environment"]


def label_of(environment: Environment, profile: str | None, role: RoleRequest | None) -> str:
    """What a person calls it: the profile, or the role's name."""
    if role is not None:
        return role.role_arn.rsplit("/", 1)[-1]
    return profile or environment.profile_name.value


def process_environment(environment: Environment, profile: str | None) -> Environment:
    """`environment` with the mark that this profile is being answered for. Raises ConfigurationError where it already was.

    Every process below inherits the mark, through whatever stands between, and so notices that it would wait for itself. The mark
    has an @ before the profile; the provider that runs a profile's process puts the bare name beside it.
    """
    name = profile or environment.profile_name.value
    above = [each for each in environment.variables.get(CHAIN_VARIABLE, "").split(",") if each]
    bare = chain_mark(name, environment.config_path, environment.credentials_path)
    mark = f"@{bare}"
    if bare in above or mark in above:
        raise ConfigurationError(
            f"the credential process of profile {name} calls itself: {chain_shown((*above, mark))}",
            hint="let the process read another profile than the one it serves: unexpire setup PROFILE --as NAME",
            finding="process-cycle",
        )
    variables = {**environment.variables, CHAIN_VARIABLE: ",".join([*above, mark])}
    return Environment.of(variables, cwd=environment.cwd, clock=environment.clock)


class CredentialProcess:
    """One command line of `unexpire credential-process`: `arguments` are what follows the command's name, as the lane saw them."""

    def __init__(
        self,
        environment: Environment,
        arguments: Sequence[str],
        *,
        profile: str | None = None,
        role: RoleRequest | None = None,
        prompt: Prompt | None = None,
    ) -> None:
        self.environment = environment
        self.arguments = list(arguments)
        self.profile, self.role, self.prompt = profile, role, prompt
        # Before anything is read: a file that changes from here on is one that the answer does not know.
        self._states = watched(environment)
        self._attempt: str | None = None

    def answer(self) -> str:
        """The document, from the store or from the source; what is kept is left for the fast lane. Raises UnexpireError."""
        store = session_store(self.environment)
        provider = self._provider()
        self._states += follow_login(self.environment, store, provider, self.profile)
        held = store.load(provider.identity)
        judged = self._judged(held)
        if held is None or judged is Freshness.EXPIRED:
            held = self._from_agent(provider) or self._refresher(provider, store, self._patience()).current()
        elif judged is Freshness.STALE and store.on_disk:
            self._attempt = str(store.sessions / f"{store.name_of(provider.identity)}.attempt")
        refuse_dead(self.environment, held, self.profile)
        self._publish(store, provider, held)
        return document(held, now=self.environment.now())

    def start_renewal(self) -> None:
        """After the answer: start the one renewal that it is time for, in a process of its own. Forks, so no other thread may run."""
        if self._attempt and session_files.claim_renewal(self._attempt, self.environment.now().timestamp()):
            fast_lane.start_renewal(self.arguments)

    def leave_failure(self, error: UnexpireError, code: int, *, back_off: bool = False) -> None:
        """Tell those who wait for this process that it failed; after an outage, also when to try again: once a backoff for all."""
        hint = f"  try: {error.hint}\n" if error.hint else ""
        now = self.environment.now().timestamp()
        outage = back_off or (isinstance(error, RefreshFailed) and error.retryable)
        with contextlib.suppress(UnexpireError):  # nobody can be told then; the error itself is what counts
            store = session_store(self.environment)
            not_before = now + (store.failure_backoff(self._key) if outage else 0)
            message = f"unexpire: {error}\n{hint}"
            store.publish_failure(
                self._key, code=code, not_before=int(not_before), message=message, states=self._states
            )

    def renew(self) -> bool:
        """Renew what is kept, ahead of need, unless somebody else just has; True if it is fresh now. Asks nobody."""
        store = session_store(self.environment)
        provider = self._provider()
        refresher = self._refresher(provider, store)
        try:
            found = refresher.current()
            if self._judged(found) is Freshness.STALE:
                found = refresher.renew()
        except UnexpireError as error:
            self._postpone(store, provider, error)
            return False
        if self._judged(found) is not Freshness.FRESH:
            self._postpone(store, provider, None)
            return False
        return True

    def _postpone(self, store: SessionCache, provider: Provider, error: UnexpireError | None) -> None:
        """After a renewal in vain, leave the source alone for a while, and till the end where only a person can help.

        No person is there to be asked now: whoever comes first when the session has ended will ask.
        """
        held, now = store.load(provider.identity), self.environment.now()
        left = remaining(DEFAULT_POLICY.advertised_end(held), now) if held is not None else None
        if left is not None:
            waits = isinstance(error, InteractionRequired)
            pause = left if waits else min(timedelta(seconds=session_files.LONGEST_BACKOFF_S), left / 4)
            store.postpone(provider.identity, now + pause)

    def _judged(self, held: Credentials | None) -> Freshness:
        return Freshness.EXPIRED if held is None else DEFAULT_POLICY.freshness(held, self.environment.now())

    def _provider(self) -> Provider:
        from ..providers.resolve import provider_for

        return provider_for(self.environment, profile=self.profile, role=self.role, prompt=self.prompt)

    def _refresher(self, provider: Provider, store: SessionCache, patience: timedelta | None = None) -> Refresher:
        from ..refresher import Refresher

        clock = self.environment.clock
        return Refresher(provider, clock=clock, store=store, background=not_here, patience=patience)

    def _patience(self) -> timedelta:
        """How long an outage is waited out: Go, C++ and rclone ask for the next set only when the last one is over."""
        return preferences(self.environment).outage_wait

    def _from_agent(self, provider: Provider) -> Credentials | None:
        """The agent's set, where one runs: it has botocore loaded already, and may hold what is not kept on the disk."""
        home = str(self.environment.home) if self.environment.home is not None else None
        found = agent_protocol.ask_for_credentials(
            self.environment.variables, home, profile=self.profile, role=self.role, identity=provider.identity
        )
        return None if self._judged(found) is Freshness.EXPIRED else found

    def _publish(self, store: SessionCache, provider: Provider, credentials: Credentials) -> None:
        """Leave the way to the session for the lane; of what is not kept, the word that there is nothing to wait for."""
        label = label_of(self.environment, self.profile, self.role)
        identity = provider.identity if store.keeps(credentials) else None
        with contextlib.suppress(StoreError):  # a read-only home or a full disk: the answer itself is as good as ever
            store.publish(self._key, identity, label, self._states)

    @property
    def _key(self) -> str:
        return session_files.key_of(self.arguments, os.environ)
