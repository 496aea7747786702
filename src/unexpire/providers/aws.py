"""The one place where botocore is used to talk to AWS, and where its errors become ours.

Everything a client needs is taken from the snapshot `Environment` and handed over explicitly: endpoint, Region, proxies, certificates. A
client never looks at this process's variables or files, because what is looked at may be another process's.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..credentials import Credentials, without_user
from ..errors import UnexpireError
from ..settings.environment import Environment
from ..settings.profile import Profile
from .translation import clock_offset, shown_message, translate
from .way import UnusableWay, Way, endpoint_of, endpoint_url, region_of, way_to

if TYPE_CHECKING:
    from botocore.session import Session

__all__ = [
    "Identity",
    "UnusableWay",
    "caller_identity",
    "calling",
    "client",
    "endpoint_of",
    "endpoint_url",
    "region_of",
    "translate",
    "way_to",
]


# What is asked here is in every botocore there is: to see whether a service exists, a loader lists the folders of all 400.
_KNOWN = frozenset({"sts", "sso", "sso-oidc"})


@functools.cache
def _loader() -> Any:
    from botocore.loaders import Loader

    class OfFewServices(Loader):  # type: ignore[misc,unused-ignore]
        """The loader, spared the list of all services where it is asked for one of ours. Used under `_creating` only."""

        asked = ""

        def load_service_model(self, service_name: str, type_name: str, api_version: Any = None) -> Any:
            self.asked = service_name
            return super().load_service_model(service_name, type_name, api_version)

        def list_available_services(self, type_name: str) -> Any:
            return [self.asked] if self.asked in _KNOWN else super().list_available_services(type_name)

    return OfFewServices()


def bare_session(overrides: Mapping[str, Any] | None = None) -> Session:
    """A botocore session that reads no variable and no file of this process, but for `overrides` (name -> value)."""
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES as VARIABLES
    from botocore.session import Session

    plain = {name: (None, None, entry[2], entry[3]) for name, entry in VARIABLES.items()}
    plain["config_file"] = plain["credentials_file"] = (None, None, "", None)
    for name, value in (overrides or {}).items():
        plain[name] = (None, None, value, None)
    session = Session(session_vars=plain)
    session.register_component("data_loader", _loader())
    return session


class _Client:
    """A client, and the object that it takes its keys from whenever it signs; there are some in it only during a call."""

    def __init__(self, way: Way, *, signs: bool, timeout_s: float = 10.0, attempts: int = 1) -> None:
        from botocore import UNSIGNED
        from botocore.config import Config

        config = Config(
            connect_timeout=min(5.0, timeout_s),
            read_timeout=timeout_s,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            signature_version=None if signs else UNSIGNED,  # type: ignore[arg-type,unused-ignore]
            **way.config(),
        )
        self.kind = (way, signs)
        with _creating:
            session = _session_for(way.sts_regional_endpoints)
            if signs:
                session.set_credentials("", "")  # new ones for each client, which are then its own
                self._keys: Any = session.get_credentials()
            self.calls: Any = session.create_client(
                way.service,  # type: ignore[call-overload,unused-ignore]
                endpoint_url=way.endpoint,
                config=config,
                verify=way.bundle if way.bundle is not None else True,
            )

    def sign_with(self, credentials: Credentials | None) -> None:
        """None: with nothing any more."""
        if self.kind[1]:
            keys = self._keys
            keys.access_key = credentials.access_key_id if credentials is not None else ""
            keys.secret_key = credentials.secret_access_key if credentials is not None else ""
            keys.token = credentials.session_token if credentials is not None else None


def client(
    service: str,
    environment: Environment,
    *,
    profile: Profile | None = None,
    credentials: Credentials | None = None,
    region: str | None = None,
    timeout_s: float = 10.0,
    attempts: int = 1,
) -> Any:
    """A botocore client for `service` as `environment` and `profile` would have it; without credentials it signs nothing.

    `attempts` counts the first one: whoever renews decides about the next attempt himself, so the default is one.
    """
    way = Way.of(service, environment, profile, region)
    made = _Client(way, signs=credentials is not None, timeout_s=timeout_s, attempts=attempts)
    made.sign_with(credentials)
    return made.calls


@contextlib.contextmanager
def calling(
    service: str,
    environment: Environment,
    *,
    profile: Profile | None = None,
    credentials: Credentials | None = None,
    region: str | None = None,
) -> Iterator[Any]:
    """What `client` gives, for this block and this thread alone: one that is there already, if there is one that fits.

    Making one takes four times as long as a call. What is used again is what the settings lead to; keys are only lent, so that
    no call can be signed with another's and none outlive theirs.
    """
    way = Way.of(service, environment, profile, region)
    found = _spares.take((way, credentials is not None), environment.now())
    one = found if found is not None else _Client(way, signs=credentials is not None)
    one.sign_with(credentials)
    try:
        yield one.calls
    finally:
        one.sign_with(None)
        _spares.put(one, environment.now())


class _Spares:
    """Clients between two calls.

    Each goes to one caller at a time, with its connection, so it is known how long that has been idle. A network that has dropped
    an idle connection does not tell, and a server may be closing it as the next request leaves: either would cost a renewal that
    makes one attempt. So only those are used again that were used a moment ago, by a keeper that renews many.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: list[tuple[_Client, datetime, float]] = []

    def take(self, kind: tuple[Way, bool], now: datetime) -> _Client | None:
        with self._lock:
            places = range(len(self._left) - 1, -1, -1)  # the one that was used last
            place = next((place for place in places if self._left[place][0].kind == kind), None)
            if place is None:
                return None
            found, left_at, left_at_s = self._left.pop(place)
        # Both clocks: the one may be set, the other stands still while a machine sleeps.
        awake = time.monotonic() - left_at_s <= _CONNECTION_IDLE.total_seconds()
        if not (awake and timedelta(0) <= now - left_at <= _CONNECTION_IDLE):
            found.calls.close()  # its connections; the next call makes another
        return found

    def put(self, one: _Client, now: datetime) -> None:
        with self._lock:
            self._left.append((one, now, time.monotonic()))
            oldest = self._left.pop(0)[0] if len(self._left) > _SPARES else None
        if oldest is not None:
            oldest.calls.close()


_CONNECTION_IDLE = timedelta(seconds=2)
"""Servers that close idle connections do it after five seconds and more (Node.js and Apache have the shortest default)."""
_SPARES = 32
_spares = _Spares()

# One session serves all: making one reads 250 kB of JSON. Its `create_client` is not thread-safe (boto3 guide, "Multithreading").
_creating = threading.Lock()


@functools.cache
def _session_for(sts_regional_endpoints: str | None) -> Session:
    return bare_session({"sts_regional_endpoints": sts_regional_endpoints} if sts_regional_endpoints else None)


def _after_fork() -> None:
    """In a forked child: connections are the parent's, and a thread that was making a client is not here, to give back the lock."""
    global _creating, _spares
    _spares = _Spares()
    if _creating.locked():
        _session_for.cache_clear()
        _loader.cache_clear()
        _creating = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_after_fork)


@dataclass(frozen=True, slots=True)
class Identity:
    """The answer to GetCallerIdentity: who, or an error in AWS's own words; and by how much AWS's clock is ahead of ours."""

    arn: str | None = None
    account: str | None = None
    user_id: str | None = None
    error: UnexpireError | None = None
    aws_code: str | None = None
    message: str | None = None
    clock_offset: timedelta | None = None
    """AWS's clock minus this machine's, from the answer's Date header."""
    endpoint: str | None = None


def caller_identity(
    environment: Environment,
    credentials: Credentials | None,
    *,
    profile: Profile | None = None,
    region: str | None = None,
) -> Identity:
    """Ask STS who these credentials are. Never raises for what AWS or the network answer.

    Without credentials nobody is asked about: the refusal still tells AWS's clock.
    """
    endpoint = None
    try:
        with calling("sts", environment, profile=profile, credentials=credentials, region=region) as sts:
            endpoint = without_user(sts.meta.endpoint_url)
            answer = sts.get_caller_identity()
    except Exception as error:
        problem = translate(error, doing="GetCallerIdentity", now=environment.now(), expired="expired-session")
        response: Mapping[str, Any] = getattr(error, "response", {}) or {}
        said = response.get("Error", {})
        return Identity(
            error=problem,
            aws_code=said.get("Code"),
            message=shown_message(said.get("Message") or "") or None,
            clock_offset=clock_offset(response, environment.now()),
            endpoint=endpoint,
        )
    return Identity(
        arn=answer["Arn"],
        account=answer["Account"],
        user_id=answer["UserId"],
        clock_offset=clock_offset(answer, environment.now()),
        endpoint=endpoint,
    )


def session_of(answer: Mapping[str, Any], asked_at: datetime) -> Credentials:
    """The session that STS gave, whatever the operation."""
    given = answer["Credentials"]
    return Credentials(
        given["AccessKeyId"],
        given["SecretAccessKey"],
        given["SessionToken"],
        expiration=moment(given["Expiration"]),
        issued_at=asked_at.replace(microsecond=0),
        account_id=answer.get("AssumedRoleUser", {}).get("Arn", "::::").split(":")[4] or None,
    )


def moment(value: Any) -> datetime:
    """An aware UTC datetime out of what botocore parsed: a datetime, or milliseconds since 1970 (the SSO portal)."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(microsecond=0)
    return datetime.fromtimestamp(int(value) // 1000, UTC)
