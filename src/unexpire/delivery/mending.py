"""From a diagnosis to deeds: which of its remedies can be done here, what each will change, and doing it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..credentials import Credentials, format_timestamp
from ..errors import ConfigurationError, StoreError
from ..findings import Action, Diagnosis, Remedy
from ..providers.ends import own_cache
from ..providers.resolve import provider_for
from ..stores import credentials_file
from .sessions import refuse_dead

if TYPE_CHECKING:
    from ..providers.base import Prompt
    from ..providers.resolve import RoleRequest
    from ..settings.environment import Environment

__all__ = ["Step", "plan"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: what it changes in words, and the deed, which returns what it did. A step without one is a human's."""

    summary: str
    lines: tuple[str, ...] = ()
    do: Callable[[], str] | None = None


def plan(
    diagnosis: Diagnosis,
    environment: Environment,
    *,
    prompt: Prompt,
    source: str | None = None,
    role: RoleRequest | None = None,
    profile: str | None = None,
) -> tuple[Step, ...]:
    """The steps that end the trouble, in order; empty where there is none. `source`: the profile to renew a static copy from."""
    root = diagnosis.root_cause
    if root is None or root.remedy is None:
        return ()
    remedy = root.remedy
    chosen = remedy.parameters.get("profile", "default")
    match remedy.action:
        case Action.RENEW:
            return (_renewal(remedy, environment, prompt, source or remedy.parameters.get("from"), chosen),)
        case Action.UNCOVER:
            return (_uncovering(remedy, environment, chosen),)
        case Action.REMOVE_TOKEN:
            return (_removal(remedy, environment, chosen),)
        case Action.SSO_LOGIN:
            return (Step(f"log in to SSO with profile {chosen}", do=lambda: _sso_login(environment, chosen, prompt)),)
        case Action.MFA:
            return (
                Step(
                    f"ask for an MFA code and keep the session of profile {chosen} until it ends",
                    do=lambda: _with_code(environment, profile or chosen, role, prompt),
                ),
            )
        case _:
            return (Step(remedy.summary, remedy.now),)


def _renewal(remedy: Remedy, environment: Environment, prompt: Prompt, source: str | None, profile: str) -> Step:
    path = _file(remedy, environment)
    shown = environment.origin_of(path)
    if source is None:
        names = _sources(environment)
        return Step(
            f"renew profile {profile} in {shown}: name the profile that its keys came from",
            tuple(f"unexpire fix --profile {profile} --from {name}" for name in names) or remedy.now,
        )
    environment.settings().profile(source)
    return Step(
        f"renew profile {profile} in {shown} from profile {source}, keeping every other line",
        do=lambda: _write(environment, path, remedy, source, prompt),
    )


def _write(environment: Environment, path: Path, remedy: Remedy, source: str, prompt: Prompt) -> str:
    profile = remedy.parameters["profile"]
    if source == profile:
        raise ConfigurationError(
            f"profile {profile} cannot be its own source: it holds the dead copy",
            where="--from",
            hint=f"unexpire fix --profile {profile} --from ANOTHER",
        )
    provider = provider_for(environment, profile=source, prompt=prompt)
    fresh = provider.fetch()
    refuse_dead(environment, fresh, source)
    if not fresh.session_token:
        raise ConfigurationError(
            f"profile {source} gives long-term keys, which are never copied",
            where=str(environment.settings().profile(source).where),
            hint="name a profile that assumes a role or uses SSO",
        )
    credentials_file.write_session(path, _section(remedy), fresh, backup=True)
    _remember(environment, provider.identity, fresh)
    what = (
        "a new session"
        if provider.renewable or provider.interactive
        else f"the session of profile {source}, a copy itself,"
    )
    return f"wrote {what} to profile {profile}, which {_ends(fresh)}"


def _remember(environment: Environment, identity: str, fresh: Credentials) -> None:
    """Keep it among our sessions as well: that tells a later diagnosis when the copy ends and where it came from."""
    cache = own_cache(environment)
    if cache is not None:
        with contextlib.suppress(StoreError):
            cache.save(identity, fresh)


def _ends(credentials: Credentials) -> str:
    if credentials.expiration is None:
        return "does not say when it ends"
    return f"ends at {format_timestamp(credentials.expiration)}"


def _uncovering(remedy: Remedy, environment: Environment, profile: str) -> Step:
    path = _file(remedy, environment)

    def do() -> str:
        credentials_file.edit(path, _section(remedy), {}, remove=_KEYS, backup=True)
        return f"removed the dead keys of profile {profile}"

    return Step(f"remove the dead keys of profile {profile} from {environment.origin_of(path)}", do=do)


_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token")


def _removal(remedy: Remedy, environment: Environment, profile: str) -> Step:
    path = _file(remedy, environment)

    def do() -> str:
        credentials_file.remove_token(path, _section(remedy), backup=True)
        return f"removed the session token of profile {profile}"

    return Step(f"remove the session token of profile {profile} from {environment.origin_of(path)}", do=do)


def _sso_login(environment: Environment, profile: str, prompt: Prompt) -> str:
    from ..providers.chain import predict
    from ..providers.sso import log_in

    winner = predict(environment, profile).winner
    if winner is None or winner.base.method != "sso":
        raise ConfigurationError(
            f"profile {profile} does not use SSO", where=str(environment.settings().profile(profile).where)
        )
    token = log_in(environment, winner.base, prompt)
    return f"logged in until {format_timestamp(token.expires_at)}"


def _with_code(environment: Environment, profile: str, role: RoleRequest | None, prompt: Prompt) -> str:
    provider = provider_for(environment, profile=None if role is not None else profile, role=role, prompt=prompt)
    fresh = provider.fetch()
    if own_cache(environment) is None:
        raise ConfigurationError("there is no home folder to keep the session in", hint="export HOME=…")
    _remember(environment, provider.identity, fresh)
    return f"kept a session that {_ends(fresh)}; unexpire run and credential-process use it"


def _section(remedy: Remedy) -> str:
    return remedy.parameters.get("section") or remedy.parameters.get("profile", "default")


def _file(remedy: Remedy, environment: Environment) -> Path:
    named = remedy.parameters.get("file")
    return Path(named) if named else environment.credentials_path


def _sources(environment: Environment) -> list[str]:
    """Profiles that could be the source of a copy: those that give sessions."""
    from ..providers.chain import predict

    found = []
    for name in environment.settings().profiles:
        winner = predict(environment, name).winner
        if (
            winner is not None
            and not winner.static
            and winner.profile == name
            and (winner.renewable or winner.interactive)
        ):
            found.append(name)
    return found[:8]
