"""Recognises the two sources that a human signs in to: IAM Identity Center (SSO) and ``aws login``."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shlex
from dataclasses import replace
from datetime import datetime

from ...errors import ConfigurationError, InteractionRequired
from ...settings.environment import Environment
from ...settings.files import Section, Sourced
from ...settings.profile import Profile, Settings
from ..candidate import Candidate, Standing
from ..timestamps import any_timestamp
from .ambient import refused
from .scope import Scope, block_problem, invalid, keys_of

__all__ = ["login", "sso"]


def sso(scope: Scope) -> Candidate | None:
    """`sso_role_name` and `sso_account_id`, with an sso-session or, the older way, with the portal's URL in the profile."""
    profile = scope.profile
    if "sso_role_name" not in profile and "sso_account_id" not in profile:
        return _sso_without_role(profile)
    keys = ("sso_role_name", "sso_account_id", "sso_start_url", "sso_region", "sso_session")
    used = keys_of(profile, *keys)
    where = profile.where_is("sso_role_name" if "sso_role_name" in profile else "sso_account_id")
    role, account = (used[key].value if key in used else "?" for key in ("sso_role_name", "sso_account_id"))
    candidate = Candidate(
        "sso",
        profile.name,
        where,
        f"SSO role {role} in account {account} of profile {profile.name} ({where})",
        renewable=True,
        settings=used,
    )
    if (problem := block_problem(profile, "sso_session")) is not None:
        return refused(candidate, problem)
    session: Section | None = None
    if "sso_session" in used:
        session = scope.settings.sso_sessions.get(used["sso_session"].value)
        if session is None:
            return refused(candidate, _no_such_session(scope.settings, profile, used["sso_session"]))
        if (problem := _contradiction(profile, session)) is not None:
            return refused(candidate, problem)
        candidate = replace(candidate, settings={**{key: v for key in keys if (v := session.get(key))}, **used})
    return _judge_sso(candidate, profile, session, keys[:4])


def _judge_sso(candidate: Candidate, profile: Profile, session: Section | None, required: tuple[str, ...]) -> Candidate:
    missing = [key for key in required if key not in profile and (session is None or key not in session)]
    if missing:
        message = f"profile {profile.name!r} uses SSO and has no {', '.join(missing)}"
        hint = f"aws configure sso --profile {shlex.quote(profile.name)}"
        return refused(candidate, ConfigurationError(message, where=str(candidate.origin), hint=hint))
    if session is not None and (lacks := [key for key in ("sso_start_url", "sso_region") if key not in session]):
        # botocore passes this, and fails when it asks for the token, which it does with the section's own keys only.
        message = f"[{session.name}] has no {', '.join(lacks)}"
        problem = ConfigurationError(
            message, where=str(session.origin), hint=f"move {lacks[0]} from the profile to [{session.name}]"
        )
        return replace(candidate, problem=problem)
    return candidate


def _sso_without_role(profile: Profile) -> Candidate | None:
    named = next((key for key in ("sso_session", "sso_start_url") if key in profile), None)
    if named is None:
        return None
    where = profile.where_is(named)
    candidate = Candidate("sso", profile.name, where, f"SSO of profile {profile.name} without a role ({where})")
    message = (
        f"profile {profile.name!r} has {named} and neither sso_account_id nor sso_role_name: it gives no credentials"
    )
    problem = ConfigurationError(
        message, where=str(where), hint=f"aws configure sso --profile {shlex.quote(profile.name)}"
    )
    return refused(candidate, problem, Standing.SKIPPED)


def _no_such_session(settings: Settings, profile: Profile, named: Sourced[str]) -> ConfigurationError:
    import difflib

    near = difflib.get_close_matches(named.value, settings.sso_sessions, n=1)
    hint = f"sso_session = {near[0]}" if near else f"add [sso-session {named.value}], or: aws configure sso-session"
    return invalid(f"sso_session {named.value!r} of profile {profile.name!r} does not exist", named, hint)


def _contradiction(profile: Profile, session: Section) -> ConfigurationError | None:
    """A key that stands in the profile and in its sso-session with another value, which botocore refuses."""
    for key in sorted(session.keys()):
        if key not in profile:
            continue
        mine, theirs = profile.get(key), session.get(key)
        same = mine.value == theirs.value if mine and theirs else _plain(profile, key) == _plain(session, key)
        if not same:
            where = profile.where_is(key)
            hint = f"remove {key} in {where}"
            return ConfigurationError(
                f"{key} contradicts [{session.name}] ({session.where(key)})", where=str(where), hint=hint
            )
    return None


def _plain(holder: Profile | Section, key: str) -> str | dict[str, str]:
    block, found = holder.nested(key), holder.get(key)
    return {name: each.value for name, each in block.items()} if block is not None else found.value if found else ""


_LOGIN_FIELDS = ("accessToken", "refreshToken", "dpopKey", "clientId")
_LOGIN_TOKEN_FIELDS = ("accessKeyId", "secretAccessKey", "sessionToken", "expiresAt", "accountId")


def login(scope: Scope) -> Candidate | None:
    """A session of ``aws login``: botocore signs its renewals through awscrt, and needs its cached token at once."""
    profile = scope.profile
    if "login_session" not in profile:
        return None
    named = profile.get("login_session")
    where = profile.where_is("login_session")
    candidate = Candidate(
        "login", profile.name, where, f"the `aws login` session of profile {profile.name} ({where})", renewable=True,
        settings={"login_session": named} if named else {},
    )  # fmt: skip
    if not _has_crt(scope.environment):
        message = "a profile of `aws login` needs awscrt, which is not installed here"
        hint = "pip install 'botocore[crt]'"
        return refused(candidate, ConfigurationError(message, where=str(where), hint=hint, finding="login-needed"))
    if named is None:
        problem = block_problem(profile, "login_session")
        return refused(candidate, problem) if problem else candidate
    try:
        end = _login_end(scope.environment, named.value)
    except (OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        shown = shlex.quote(profile.name)
        message = f"the `aws login` session of profile {profile.name!r} is not on this machine"
        missing = InteractionRequired(
            message, interaction="login", where=str(where), hint=f"aws login --profile {shown}", finding="login-needed"
        )
        missing.__cause__ = error
        return refused(candidate, missing)
    return replace(candidate, expiration=end, expiration_known_from="the cache of aws login")


def _has_crt(environment: Environment) -> bool:
    """botocore/compat.py: awscrt 0.28.4 or later, unless BOTO_DISABLE_CRT is true."""
    if environment.variables.get("BOTO_DISABLE_CRT", "false").lower() == "true" or not importlib.util.find_spec(
        "awscrt"
    ):
        return False
    from importlib.metadata import PackageNotFoundError, version

    try:
        return tuple(map(int, version("awscrt").split("."))) >= (0, 28, 4)
    except (PackageNotFoundError, ValueError):
        return False


def _login_end(environment: Environment, session: str) -> datetime:
    """The end of the cached session; raises where botocore cannot load it (`LoginCredentialFetcher.load_cached_credentials`)."""
    folder = environment.expand(environment.variables.get("AWS_LOGIN_CACHE_DIRECTORY", "~/.aws/login/cache"))
    name = hashlib.sha256(session.encode()).hexdigest()
    token = json.loads(environment.read_bytes(folder / f"{name}.json"))
    if any(field not in token for field in _LOGIN_FIELDS):
        raise KeyError("a field of the token is missing")
    if any(field not in token["accessToken"] for field in _LOGIN_TOKEN_FIELDS):
        raise KeyError("a field of the access token is missing")
    return any_timestamp(token["accessToken"]["expiresAt"])
