"""Where the user wants sessions kept, and which files a session was read from."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..credentials import Credentials, KeyKind
from ..errors import InteractionRequired, RefreshFailed, Rejected, StoreError, UnexpireError
from ..freshness import DEFAULT_POLICY, Freshness, RefreshPolicy
from ..providers.base import Prompt
from ..providers.candidate import Candidate
from ..providers.chain import predict
from ..settings.environment import Environment
from ..settings.preferences import preferences, preferences_path
from ..stores import session_files
from ..stores.session_cache import KeyringSessions, MemorySessions, SessionCache
from . import agent_protocol

if TYPE_CHECKING:
    from ..providers.base import Provider
    from ..providers.resolve import RoleRequest
    from ..refresher import Refresher

__all__ = [
    "OnWait",
    "follow_login",
    "leave_way",
    "login_file",
    "newest_session",
    "not_here",
    "patient_refresher",
    "refuse_dead",
    "session_store",
    "states_of",
    "watched",
]

OnWait = Callable[[UnexpireError], None]
"""Told of the failure that is waited out, once."""

_OF_THE_WAY = (
    "AWS_CA_BUNDLE", "AWS_CONTAINER_CREDENTIALS_", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_", "AWS_ENDPOINT_URL",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_REGION", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_USE_", "REQUESTS_CA_BUNDLE",
)  # fmt: skip

States = list[tuple[str, str]]
"""(path, `session_files.state_of`) of the files that an answer depends on."""


def session_store(environment: Environment, *, policy: RefreshPolicy = DEFAULT_POLICY) -> SessionCache:
    """The store that the user's setting ``cache`` asks for; in memory where there is no home. Raises ConfigurationError.

    One for all commands and the agent, so that they share their sessions and meet at the same locks.
    """
    home = str(environment.home) if environment.home is not None else ""
    folder = session_files.folder(environment.variables, home)
    if folder is None:
        return MemorySessions(Path(), policy=policy, clock=environment.clock)
    kinds = {"file": SessionCache, "keyring": KeyringSessions, "memory": MemorySessions}
    kind = kinds[preferences(environment).cache]
    clock = environment.clock
    return kind(Path(folder), policy=policy, clock=clock, surroundings=lambda: _way_to_aws(environment))


def _way_to_aws(environment: Environment) -> str:
    """A digest of what decides whether AWS is reached: an outage of one proxy, endpoint or Region is none of another."""
    names = [name for name in environment.variables if name.lower().endswith("_proxy") or name.startswith(_OF_THE_WAY)]
    way = [(name, environment.variables[name]) for name in sorted(names)]
    return hashlib.sha256(repr((way, watched(environment))).encode("utf-8", "surrogateescape")).hexdigest()


def watched(environment: Environment) -> States:
    """The state of every settings file, to be taken before the first of them is read: what changes later is then noticed."""
    mine = preferences_path(environment)
    return states_of([environment.config_path, environment.credentials_path, *([mine] if mine else [])])


def states_of(paths: Iterable[Path]) -> States:
    """The state of each file."""
    return [(str(path), session_files.state_of(str(path))) for path in paths]


def login_file(candidate: Candidate | None, environment: Environment) -> Path | None:
    """The file that a login by browser left, for a source that lives by one; `aws sso logout` removes it.

    The names are botocore's (`botocore.utils.SSOTokenLoader`, `botocore.credentials.LoginProvider`).
    """
    if candidate is None or environment.home is None:
        return None
    if candidate.method == "sso":
        started_by = candidate.value("sso_session") or candidate.value("sso_start_url") or ""
        name = hashlib.sha1(started_by.encode(), usedforsecurity=False).hexdigest()
        return environment.home / ".aws" / "sso" / "cache" / f"{name}.json"
    if candidate.method == "login":
        name = hashlib.sha256((candidate.value("login_session") or "").encode()).hexdigest()
        folder = environment.variables.get("AWS_LOGIN_CACHE_DIRECTORY")
        return (
            environment.expand(folder) if folder else environment.home / ".aws" / "login" / "cache"
        ) / f"{name}.json"
    return None


def follow_login(environment: Environment, store: SessionCache, provider: Provider, profile: str | None) -> States:
    """The state of the login by browser that a session comes of, if of one; where that was removed, so is the session that is kept."""
    if provider.method not in ("sso", "login"):
        return []
    file = login_file(predict(environment, profile).winner, environment)
    if file is None:
        return []
    if not os.path.exists(file):
        store.forget(provider.identity)
    return states_of([file])


def newest_session(
    environment: Environment,
    *,
    profile: str | None,
    role: RoleRequest | None,
    prompt: Prompt | None,
    on_wait: OnWait | None = None,
) -> Credentials:
    """A set to copy: one that has most of its life ahead, as a copy is not renewed. Raises UnexpireError.

    A session that is due for a renewal is renewed first; where that fails for a cause that may pass, or for want of a human, the
    old one has to do. Where nothing usable is held, an outage is waited out (``outage-wait``).
    """
    from ..providers.resolve import provider_for

    states = watched(environment)
    store = session_store(environment)
    provider = provider_for(environment, profile=profile, role=role, prompt=prompt)
    states += follow_login(environment, store, provider, profile)
    kept, offered = store.load(provider.identity), None
    if kept is None or DEFAULT_POLICY.freshness(kept, environment.now()) is Freshness.EXPIRED:
        home = str(environment.home) if environment.home is not None else None
        ask = agent_protocol.ask_for_credentials
        offered = ask(environment.variables, home, profile=profile, role=role, identity=provider.identity)
    freshness = DEFAULT_POLICY.freshness(offered, environment.now()) if offered is not None else Freshness.EXPIRED
    if offered is not None and freshness is Freshness.FRESH:
        return offered
    usable = offered if freshness is Freshness.STALE else None
    refresher = patient_refresher(
        provider, environment, store, background=_here, on_wait=on_wait, patient=usable is None
    )
    try:
        refresher.current()  # which renews here and now what is due; its second answer is what came of that
        held = refresher.current()
    except UnexpireError as error:
        if usable is None or not _may_do(error):
            raise
        return usable
    refuse_dead(environment, held, profile)
    refused = refresher.error
    if refused is not None and not _may_do(refused):
        raise refused
    leave_way(environment, store, provider, profile, role, held, states)
    return held


def leave_way(
    environment: Environment,
    store: SessionCache,
    provider: Provider,
    profile: str | None,
    role: RoleRequest | None,
    held: Credentials,
    states: States,
) -> None:
    """Leave the way to a profile's session, and its name, for `credential-process`, `prompt` and `status`, as the first would.

    `states` were taken before the first settings file was read.
    """
    if role is not None or not store.on_disk or not store.keeps(held):
        return
    key = session_files.key_of(["--profile", profile] if profile is not None else [], environment.variables)
    lane = store.lanes / session_files.name_of(key)
    if session_files.read_lane(str(lane), key) == store.name_of(provider.identity):
        return
    with contextlib.suppress(StoreError):
        store.publish(key, provider.identity, profile or environment.profile_name.value, states)


def _may_do(error: UnexpireError) -> bool:
    """Whether a session that ends before long is an answer all the same, where no new one is to be had for this reason."""
    return isinstance(error, InteractionRequired) or (isinstance(error, RefreshFailed) and error.retryable)


def patient_refresher(
    provider: Provider,
    environment: Environment,
    store: SessionCache,
    *,
    policy: RefreshPolicy = DEFAULT_POLICY,
    background: Callable[[Callable[[], None]], None] | None = None,
    on_wait: OnWait | None = None,
    patient: bool = True,
) -> Refresher:
    """A refresher for a command that needs one set before it goes on: it waits an outage out as the user's ``outage-wait`` says."""
    from ..refresher import Refresher

    told: list[UnexpireError] = []

    def wait(seconds: float) -> None:
        if on_wait is not None and not told and refresher.error is not None:
            told.append(refresher.error)
            on_wait(refresher.error)
        time.sleep(seconds)

    refresher = Refresher(
        provider,
        policy=policy,
        clock=environment.clock,
        store=store,
        background=background or not_here,
        patience=preferences(environment).outage_wait if patient else None,
        wait=wait,
    )
    return refresher


def refuse_dead(environment: Environment, credentials: Credentials, profile: str | None) -> None:
    """Raise Rejected for a session that AWS no longer accepts, where nothing but AWS can tell: a copy whose end nobody knows.

    Only an answer counts. Without a network nobody knows better than the copy itself.
    """
    if credentials.kind is not KeyKind.TEMPORARY or credentials.expiration is not None:
        return
    from ..providers.aws import caller_identity

    name = profile or environment.profile_name.value
    found = caller_identity(environment, credentials, profile=environment.settings().profiles.get(name))
    if isinstance(found.error, Rejected):
        command = "fix" if found.error.hint == "unexpire fix" else "diagnose"
        found.error.hint = f"unexpire {command} --profile {name}" if profile is not None else f"unexpire {command}"
        raise found.error


def not_here(_work: Callable[[], None]) -> None:
    """The background of a process that ends at once: a renewal there would be cut short, so it is somebody else's."""


def _here(work: Callable[[], None]) -> None:
    """The background of a command that has nothing else to do: the work is done while it waits."""
    work()
