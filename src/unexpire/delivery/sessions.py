"""Where the user wants sessions kept, and which files a session was read from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..credentials import Credentials, KeyKind
from ..errors import RefreshFailed, Rejected
from ..freshness import DEFAULT_POLICY, Freshness, RefreshPolicy
from ..providers.base import Prompt
from ..providers.candidate import Candidate
from ..settings.environment import Environment
from ..settings.preferences import preferences, preferences_path
from ..stores import session_files
from ..stores.session_cache import KeyringSessions, MemorySessions, SessionCache
from . import agent_protocol

if TYPE_CHECKING:
    from ..providers.resolve import RoleRequest

__all__ = ["login_file", "newest_session", "not_here", "refuse_dead", "session_store", "states_of", "watched"]

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


def newest_session(
    environment: Environment, *, profile: str | None, role: RoleRequest | None, prompt: Prompt | None
) -> Credentials:
    """A set to copy: one that has most of its life ahead, as a copy is not renewed. Raises UnexpireError.

    A session that is due for a renewal is renewed first; where that fails for a cause that may pass, the old one has to do.
    """
    from ..providers.resolve import provider_for
    from ..refresher import Refresher

    store = session_store(environment)
    provider = provider_for(environment, profile=profile, role=role, prompt=prompt)
    refresher = Refresher(provider, clock=environment.clock, store=store, background=not_here)
    home = str(environment.home) if environment.home is not None else None
    if store.load(provider.identity) is None:
        asked = agent_protocol.ask_for_credentials(
            environment.variables, home, profile=profile, role=role, identity=provider.identity
        )
        if asked is not None and DEFAULT_POLICY.freshness(asked, environment.now()) is Freshness.FRESH:
            return asked
    held = refresher.current()
    refuse_dead(environment, held, profile)
    if DEFAULT_POLICY.freshness(held, environment.now()) is not Freshness.STALE:
        return held
    try:
        return refresher.renew()
    except RefreshFailed as error:
        if not error.retryable:
            raise
        return held


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
        found.error.hint = found.error.hint or f"unexpire diagnose --profile {name}"
        raise found.error


def not_here(_work: Callable[[], None]) -> None:
    """The background of a process that ends at once: a renewal there would be cut short, so it is somebody else's."""
