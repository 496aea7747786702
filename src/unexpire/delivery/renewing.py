"""A botocore session whose keys come from a `Source`: they are renewed ahead, and once more where AWS rejects them all the same.

Through botocore's public doors: a provider at the head of the chain, a `Credentials` of our own, events. Of botocore's internals
one is touched, `Session._credentials`, and only where a session has already loaded what it is to forget;
`tests/delivery/test_boto3_internals.py` fails when it goes away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import botocore.session
from botocore.credentials import CredentialProvider, ReadOnlyCredentials
from botocore.credentials import Credentials as BotocoreCredentials
from botocore.exceptions import CredentialRetrievalError

from ..credentials import Credentials
from ..errors import ConfigurationError, UnexpireError
from .rejection import RejectionHandlers, register
from .source import Source, SourceRequest

__all__ = ["RenewingBotocoreSession", "RenewingCredentials", "botocore_session", "fail", "frozen", "install"]

_ONE_READING_S = 60.0


def frozen(credentials: Credentials) -> ReadOnlyCredentials:
    """The same set in botocore's own immutable form."""
    return ReadOnlyCredentials(
        credentials.access_key_id, credentials.secret_access_key, credentials.session_token, credentials.account
    )


def fail(error: UnexpireError) -> NoReturn:
    """Raise what programs that use botocore catch; ours is its cause."""
    hint = f"; try: {error.hint}" if error.hint else ""
    raise CredentialRetrievalError(provider="unexpire", error_msg=f"{error}{hint}") from error


@dataclass(slots=True)
class _Reading:
    """One thread's way through the attributes of one set."""

    credentials: Credentials
    until: float
    parts: set[str] = field(default_factory=set)


class RenewingCredentials(BotocoreCredentials):
    """What botocore holds for the life of a client, and asks for a frozen set with every request.

    Programs that copy key, secret and token attribute by attribute must not mix two sets: a thread that reads the attributes one
    after the other, within a minute, gets all of them of one set; reading one of them again begins with the set of then.
    Raises CredentialRetrievalError where the source has nothing usable.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._reading = threading.local()

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return frozen(self._current())

    def _current(self) -> Credentials:
        try:
            return self._source.current()
        except UnexpireError as error:
            fail(error)

    def _part(self, name: str) -> Any:
        reading = getattr(self._reading, "held", None)
        if reading is None or name in reading.parts or time.monotonic() >= reading.until:
            reading = self._reading.held = _Reading(self._current(), time.monotonic() + _ONE_READING_S)
        reading.parts.add(name)
        return getattr(reading.credentials, name)

    # botocore declares these as attributes; they are read here, and cannot be set.
    @property
    def access_key(self) -> str:  # type: ignore[override]
        return str(self._part("access_key_id"))

    @property
    def secret_key(self) -> str:  # type: ignore[override]
        return str(self._part("secret_access_key"))

    @property
    def token(self) -> str | None:  # type: ignore[override]
        token: str | None = self._part("session_token")
        return token

    @property
    def account_id(self) -> str | None:
        account: str | None = self._part("account")
        return account

    @property
    def method(self) -> str:  # type: ignore[override]
        return self._source.method

    def get_deferred_property(self, property_name: str) -> Any:
        return lambda: getattr(self, property_name, None)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._source.describe()}>"

    def __copy__(self) -> RenewingCredentials:
        return self

    def __deepcopy__(self, memo: Any) -> RenewingCredentials:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _credentials_for, (type(self), self._source.request)


def _credentials_for(kind: type[RenewingCredentials], request: SourceRequest) -> RenewingCredentials:
    return kind(Source(request))


class RenewingProvider(CredentialProvider):
    """The head of the chain: `load` gives our credentials without asking anybody for anything."""

    METHOD = CANONICAL_NAME = "unexpire"

    def __init__(self, credentials: BotocoreCredentials) -> None:
        super().__init__()
        self.credentials = credentials

    def load(self) -> BotocoreCredentials:
        return self.credentials


class RenewingBotocoreSession(botocore.session.Session):
    """A `botocore.session.Session` that can be pickled: the request for its source travels, its keys do not."""

    def __reduce__(self) -> tuple[Any, ...]:
        return botocore_session, (request_of(self), self.instance_variables())


def botocore_session(request: SourceRequest, variables: Mapping[str, Any]) -> RenewingBotocoreSession:
    """A new session for `request`; `variables` as `Session.instance_variables` has them (profile, region …)."""
    session = RenewingBotocoreSession(profile=request.profile)
    for name, value in variables.items():
        session.set_config_variable(name, value)
    install(session, Source(request))
    return session


def install(session: Any, source: Source) -> None:
    """Make `source` the one from which `session`, a botocore session of the plain kind, takes its keys."""
    put_first(session, RenewingProvider(RenewingCredentials(source)), RejectionHandlers(source))


def put_first(session: Any, provider: Any, handlers: Any) -> None:
    """Put `provider` before all others, hook in the handlers, and forget what the session loaded before."""
    session.get_component("credential_provider").providers.insert(0, provider)
    register(session.get_component("event_emitter"), handlers)
    if loaded(session) is not None:
        session._credentials = provider.credentials


def loaded(session: Any) -> Any:
    """The credentials that a session has loaded or was given; None where it has none yet."""
    try:
        return session._credentials
    except AttributeError:
        raise ConfigurationError(
            f"this botocore ({botocore.__version__}) does not show what a session has already loaded",
            hint="protect sessions before their first use, or report it to unexpire",
        ) from None


def is_protected(session: Any) -> bool:
    """Whether `install` has been here."""
    providers = session.get_component("credential_provider").providers
    return bool(providers) and isinstance(providers[0], RenewingProvider)


def request_of(session: Any) -> SourceRequest:
    """What a protected session was asked for."""
    request: SourceRequest = session.get_component("credential_provider").providers[0].credentials._source.request
    return request
