"""Where a session of a Python SDK gets its keys: asked for once, renewed ahead, re-resolved at every renewal and in every worker."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ..credentials import Credentials
from ..errors import ConfigurationError, RefreshFailed, UnexpireError
from ..freshness import Freshness, RefreshPolicy
from ..providers.base import Around, Prompt, Provider
from ..providers.resolve import RoleRequest, provider_for
from ..refresher import Refresher
from ..settings.environment import Clock, Environment, utc_now
from ..settings.preferences import preferences
from .sessions import session_store

__all__ = ["Source", "SourceRequest"]

_KEYS_IN_FILES = frozenset({"shared-credentials-file", "config-file"})
# A call that is rejected was signed at most a few renewals ago, however slow it is.
_REMEMBERED = 8
# Margin and window are wide for programs that go on signing with what they were given, by windows of their own. Here every request
# asks: an outage of STS may last until shortly before the end, and renewing 20 minutes ahead costs half the calls of 40.
_POLICY = RefreshPolicy(longest_margin=timedelta(seconds=30), longest_stale_window=timedelta(minutes=20))
_FRUITLESS_PAUSE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """What was asked for: the profile (None: the one that the environment chooses), and a role to assume with it.

    This, never a key, is what a pickled session carries; the worker that unpickles it resolves it again in its own environment.
    """

    profile: str | None = None
    role: RoleRequest | None = None

    @classmethod
    def of(
        cls,
        profile: str | None,
        role_arn: str | None,
        role_session_name: str | None,
        duration: timedelta | None,
        external_id: str | None,
        mfa_serial: str | None,
    ) -> SourceRequest:
        """The arguments of the session makers. Raises ConfigurationError where they need a role and there is none."""
        details = {
            "session_name": role_session_name,
            "duration_s": None if duration is None else int(duration.total_seconds()),
            "external_id": external_id,
            "mfa_serial": mfa_serial,
        }
        asked = {name: value for name, value in details.items() if value is not None}
        if role_arn is None:
            if asked:
                raise ConfigurationError(f"{', '.join(asked)} without a role_arn", hint="pass role_arn=… as well")
            return cls(profile)
        return cls(profile, RoleRequest(role_arn, **asked))  # type: ignore[arg-type]

    def resolve(self, environment: Environment, prompt: Prompt | None = None) -> Provider:
        """The provider of it, offline. Raises what `provider_for` raises."""
        return provider_for(environment, profile=self.profile, role=self.role, prompt=prompt)


class _Following(Around):
    """A provider that looks at the settings anew whenever it fetches, so that a role is never signed for with keys that were
    replaced since; botocore keeps a static source for the life of the process."""

    def __init__(self, request: SourceRequest, environment: Callable[[], Environment], prompt: Prompt | None) -> None:
        self._request, self._environment, self._prompt = request, environment, prompt
        super().__init__(request.resolve(environment(), prompt))
        self.account: str | None = None
        """Where the session began, with whatever set it held first, also one that another process had fetched."""

    def fetch(self) -> Credentials:
        """What the source gives now; RefreshFailed where the settings have come to lead to another kind of source or account.

        A program that runs must not end up as somebody else because a file was edited, or is empty for a moment while it is.
        """
        provider = self._request.resolve(self._environment(), self._prompt)
        if provider.method != self.method and not {provider.method, self.method} <= _KEYS_IN_FILES:
            raise self._moved(f"now takes its keys from {provider.describe()}")
        fetched = provider.fetch()
        if not self.stays(fetched):
            raise self._moved(f"now leads to account {fetched.account}, not to {self.account}")
        self.provider, self.account = provider, fetched.account or self.account
        return fetched

    def stays(self, found: Credentials) -> bool:
        """Whether this set is not known to be of another account than the one the session began in."""
        return not self.account or found.account in (None, self.account)

    def _moved(self, what: str) -> RefreshFailed:
        return RefreshFailed(
            f"the profile of this session {what}", retryable=False, hint="start a new session to follow the settings"
        )


class Source:
    """Keys for one session: `current` for the next request, `renew` for one that AWS rejected. Safe for threads and for fork.

    Sessions are shared with the other processes of this user through the cache that the user's settings choose, so that a hundred
    workers of one role cost one AssumeRole.
    Every method raises UnexpireError where there is nothing usable, and nothing else.
    """

    def __init__(
        self,
        request: SourceRequest,
        *,
        clock: Clock = utc_now,
        prompt: Prompt | None = None,
    ) -> None:
        self.request = request
        self._clock, self._prompt = clock, prompt
        self._start(account=None)

    def _start(self, *, account: str | None) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._sent: OrderedDict[str, Credentials] = OrderedDict()
        self._fruitless: dict[str, datetime] = {}
        environment = Environment.current(clock=self._clock)
        self._files = (environment.config_path, environment.credentials_path)
        self._seen = _look_at(self._files)
        self._following = _Following(self.request, lambda: Environment.current(clock=self._clock), self._prompt)
        self._following.account = account
        self._refresher = self._new_refresher(environment)

    def _new_refresher(self, environment: Environment) -> Refresher:
        patience = preferences(environment).outage_wait
        store = session_store(environment)
        following = self._following
        return Refresher(
            following, policy=_POLICY, clock=self._clock, store=store, patience=patience, accepts=following.stays
        )

    @property
    def method(self) -> str:
        """botocore's name of the kind of source."""
        return str(self._following.method)

    def describe(self) -> str:
        return self._following.describe()

    def current(self) -> Credentials:
        """The set to sign the next request with: usable now, never one that is past its end."""
        self._notice()
        return self._remember(self._refresher.current())

    def ready(self) -> Credentials | None:
        """`current`, or None where that would have to wait for the source."""
        held = self._refresher.peek() if self._pid == os.getpid() else None
        if held is None or _POLICY.freshness(held, self._clock()) is Freshness.EXPIRED:
            return None
        return self.current()

    def renew(self, rejected: Credentials) -> Credentials:
        """Another set than `rejected`; however many threads ask for the same one, the source is asked once."""
        self._notice()
        return self._remember(self._refresher.renew(rejected))

    def sent(self, access_key_id: str) -> Credentials | None:
        """The set of ours, handed out lately, that has this access key id."""
        with self._lock:
            return self._sent.get(access_key_id)

    def fruitless(self, code: str) -> None:
        """AWS answered `code` to the renewed set as well: for a minute do not renew for that again.

        Otherwise a wrong clock, a Region that is not enabled, or a HEAD that S3 dislikes for a reason of its own would cost a call of
        STS with every request.
        """
        with self._lock:
            self._fruitless[code] = self._clock() + _FRUITLESS_PAUSE

    def worth_renewing_for(self, code: str) -> bool:
        """Whether a renewal for `code` was not found useless within the last minute."""
        with self._lock:
            until = self._fruitless.get(code)
        return until is None or self._clock() >= until

    def _remember(self, credentials: Credentials) -> Credentials:
        with self._lock:
            self._following.account = self._following.account or credentials.account
            self._sent[credentials.access_key_id] = credentials
            self._sent.move_to_end(credentials.access_key_id)
            while len(self._sent) > _REMEMBERED:
                self._sent.popitem(last=False)
        return credentials

    def _notice(self) -> None:
        """Start over in a forked child, whose locks may be held by threads that it does not have; take up rewritten files."""
        if self._pid != os.getpid():
            self._start(account=self._following.account)
        if self.method not in _KEYS_IN_FILES:
            return
        now = _look_at(self._files)
        with self._lock:
            changed, self._seen = now != self._seen, now
        if changed:
            # Half-written, or keys of another account: what is held stays, and the next change is noticed again.
            with contextlib.suppress(UnexpireError):
                fresh = self._new_refresher(Environment.current(clock=self._clock))
                fresh.current()
                self._refresher = fresh


def _look_at(files: tuple[Path, ...]) -> tuple[tuple[int, int, int] | None, ...]:
    """What tells a rewritten file from the same one, at the price of a stat each."""
    seen: list[tuple[int, int, int] | None] = []
    for path in files:
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            seen.append(None)
        else:
            seen.append((status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(seen)
