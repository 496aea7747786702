"""Recognises a role to assume, with everything that signs for it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace

from ...errors import ConfigurationError, UnexpireError
from ...settings.environment import Environment
from ...settings.files import Sourced
from ...settings.profile import Profile
from ..candidate import Candidate, Standing
from .ambient import container, environment_keys, instance_metadata, refused
from .profile import profile_sources
from .scope import Scope, block_problem, invalid, keys_of

__all__ = ["assume_role"]


def assume_role(scope: Scope) -> Candidate | None:
    """The role of the profile, with everything that signs for it."""
    profile = scope.profile
    if not profile.assumes_role:
        return _role_without_arn(profile)
    candidate = _role(profile)
    try:
        chain = scope.settings.role_chain(profile.name)
    except ConfigurationError as error:
        return refused(candidate, error)
    last = chain.hops[-1]
    source = (
        _base_profile(scope, last, chain.base)
        if isinstance(chain.base, Profile)
        else _named_source(scope, last, chain.base)
    )
    for hop in reversed(chain.hops):
        source = _signed(_role(hop), source)
    return source


def _role_without_arn(profile: Profile) -> Candidate | None:
    """`source_profile` and its like, which without a role say nothing to anybody."""
    if "web_identity_token_file" in profile:
        return None
    named = next((key for key in ("source_profile", "credential_source", "mfa_serial") if key in profile), None)
    if named is None:
        return None
    where = profile.where_is(named)
    candidate = Candidate(
        "assume-role", profile.name, where, f"a role of profile {profile.name} that has no ARN ({where})"
    )
    message = f"profile {profile.name!r} has {named} and no role_arn, without which it does nothing"
    problem = ConfigurationError(
        message, where=str(where), hint="add role_arn = arn:aws:iam::ACCOUNT:role/NAME below it"
    )
    return refused(candidate, problem, Standing.SKIPPED)


_ROLE_KEYS = (
    "role_arn",
    "role_session_name",
    "external_id",
    "mfa_serial",
    "duration_seconds",
    "source_profile",
    "credential_source",
)
_ROLE_ARN = re.compile(r"arn:[\w-]+:iam::\d{12}:role/\S+")


def _role(profile: Profile) -> Candidate:
    used = keys_of(profile, *_ROLE_KEYS)
    where = profile.where_is("role_arn")
    named = used["role_arn"].value.rpartition("/")[2] if "role_arn" in used else "?"
    return Candidate(
        "assume-role",
        profile.name,
        where,
        f"role {named} of profile {profile.name} ({where})",
        interactive="mfa_serial" in profile,
        settings=used,
        problem=block_problem(profile, "role_arn") or _role_problem(used),
    )


def _role_problem(used: dict[str, Sourced[str]]) -> ConfigurationError | None:
    """What AWS will refuse. The limits of DurationSeconds: STS API reference, AssumeRole."""
    arn, duration = used.get("role_arn"), used.get("duration_seconds")
    if arn is not None and not _ROLE_ARN.fullmatch(arn.value):
        return invalid("role_arn is not the ARN of a role", arn, "role_arn = arn:aws:iam::ACCOUNT:role/NAME")
    if duration is None:
        return None
    try:
        seconds = int(duration.value)
    except ValueError:
        return invalid(
            "duration_seconds is not a number: SDKs then ask for an hour", duration, "duration_seconds = 3600"
        )
    if seconds < 900:
        return invalid(
            "duration_seconds is below 900, the least that AWS gives",
            duration,
            "duration_seconds = 3600",
            "duration-too-short",
        )
    if seconds > 43200:
        return invalid(
            "duration_seconds is above 43200, the most that AWS gives",
            duration,
            "duration_seconds = 3600",
            "duration-over-role-max",
        )
    return None


def _signed(role: Candidate, source: Candidate) -> Candidate:
    """The role with its source; one that fails makes it fail."""
    settled = replace(
        role,
        source=source,
        renewable=not role.interactive and (source.renewable or (source.static and not source.has_token)),
        interactive=role.interactive or source.interactive,
    )
    if source.standing is Standing.USABLE:
        return settled
    assert source.problem is not None
    return refused(settled, source.problem)


def _base_profile(scope: Scope, hop: Profile, base: Profile) -> Candidate:
    """The first source of a source profile; there the environment does not count."""
    skipped: UnexpireError | None = None
    for found in profile_sources(replace(scope, profile=base, variables=False)):
        if found.standing is not Standing.SKIPPED:
            return found
        skipped = skipped or found.problem
    where = hop.where_is("source_profile")
    problem = skipped or ConfigurationError(
        f"source_profile {base.name!r} of profile {hop.name!r} has no credentials",
        where=str(where),
        hint=f"aws configure --profile {shlex.quote(base.name)}",
        finding="no-credentials",
    )
    return refused(Candidate("none", base.name, base.where, f"nothing in profile {base.name}"), problem)


def _named_source(scope: Scope, hop: Profile, named: Sourced[str]) -> Candidate:
    recognise: Callable[[Environment], Candidate | None] = {
        "Environment": environment_keys,
        "EcsContainer": container,
        "Ec2InstanceMetadata": instance_metadata,
    }[named.value]
    found = recognise(scope.environment)
    if found is not None and found.standing is not Standing.SKIPPED:
        return found
    problem = (found.problem if found else None) or invalid(
        f"credential_source {named.value!r} of profile {hop.name!r} has no credentials here",
        named,
        "use source_profile = NAME instead, or set what it reads",
        "no-credentials",
    )
    return refused(Candidate("none", None, named.origin, f"nothing in {named.value}"), problem)
