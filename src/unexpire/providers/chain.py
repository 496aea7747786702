"""What botocore's credential chain would pick, predicted offline: its order, its oddities, and what makes it fail.

Source: botocore/credentials.py, `create_credential_resolver`; botocore's own resolver is the oracle in the tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import ConfigurationError, UnexpireError
from ..settings.environment import NO_PROFILE_CHOSEN, Environment
from ..settings.files import Origin, Sourced
from ..settings.profile import Profile, Settings
from .candidate import Candidate, Prediction, Standing
from .offline.ambient import (
    boto_config,
    container,
    ec2_credentials_file,
    environment_keys,
    instance_metadata,
    is_endpoint,
)
from .offline.profile import profile_sources
from .offline.roles import assume_role
from .offline.scope import Scope, block_problem

__all__ = ["Candidate", "Prediction", "Standing", "choose", "predict"]


def predict(environment: Environment, profile: str | None = None) -> Prediction:
    """Say what botocore's chain does here; `profile` as with ``--profile`` or ``Session(profile_name=…)``.

    Offline: reads the AWS files and what they name, starts no process, asks no endpoint. Never raises for what a user configured:
    where botocore would, `Prediction.error` says why. The instance metadata service, which nobody can tell offline, wins last,
    with `probed` False.
    """
    return _predicted(environment, profile, to_the_end=True)


def choose(environment: Environment, profile: str | None = None) -> Prediction:
    """`predict`, no further than to the source that decides: for who wants its `winner` or `error`, and wants it often."""
    return _predicted(environment, profile, to_the_end=False)


def _predicted(environment: Environment, profile: str | None, *, to_the_end: bool) -> Prediction:
    settings = environment.settings()
    explicit = profile is not None
    chosen = Sourced(profile, Origin(note="--profile")) if profile is not None else environment.profile_name
    named = settings.profiles.get(chosen.value or "default", Profile(chosen.value or "default"))
    keys = environment_keys(environment)
    first = () if explicit or keys is None else (keys,)
    rest: Iterable[Candidate] = _behind_the_environment(Scope(environment, settings, named, variables=not explicit))
    if to_the_end:
        rest = tuple(rest)

    error = _start_error(environment, settings, chosen)
    winner: Candidate | None = None
    if error is None:
        winner, error = _walk(first)
    if winner is None and error is None:
        # Whatever comes now reads both files, and fails with them.
        refusal = settings.refusal
        winner, error = (None, refusal.error()) if refusal is not None else _walk(rest)
    found = (*first, *rest) if to_the_end else ()
    return Prediction(
        profile_name=chosen,
        profile=settings.profiles.get(named.name),
        winner=winner,
        shadowed=tuple(each for each in found if each.standing is Standing.USABLE and each is not winner),
        incomplete=tuple(each for each in found if each.standing is not Standing.USABLE),
        error=error,
        ignored=(keys,) if explicit and keys is not None else (),
        explicit=explicit,
    )


def _behind_the_environment(scope: Scope) -> Iterator[Candidate]:
    role = assume_role(scope)
    if role is not None:
        yield role
    yield from profile_sources(scope)
    for recognise in (ec2_credentials_file, boto_config, container, instance_metadata):
        found = recognise(scope.environment)
        if found is not None:
            yield found


def _walk(candidates: Iterable[Candidate]) -> tuple[Candidate | None, UnexpireError | None]:
    for candidate in candidates:
        if candidate.standing is Standing.FATAL:
            return None, candidate.problem
        if candidate.standing is Standing.USABLE:
            return candidate, None
    return None, None


# What botocore looks up before it builds the chain, each in a variable and then in the profile.
_METADATA_SETTINGS = (
    ("AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout"),
    ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "metadata_service_num_attempts"),
    ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint"),
    ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode"),
    ("AWS_IMDS_USE_IPV6", "imds_use_ipv6"),
    ("AWS_EC2_METADATA_V1_DISABLED", "ec2_metadata_v1_disabled"),
)


def _start_error(environment: Environment, settings: Settings, chosen: Sourced[str]) -> UnexpireError | None:
    """What ends the chain before its first source: a file botocore refuses, an unknown profile, a metadata setting that is no such.

    All of it comes from looking up the settings of the instance metadata service, so where variables give every one of those,
    botocore starts in spite of an unknown profile.
    """
    mode_is_set = False
    for variable, key in _METADATA_SETTINGS:
        if key == "imds_use_ipv6" and mode_is_set:
            continue
        found = environment.get(variable)
        if found is None:
            if settings.refusal is not None:
                return settings.refusal.error()
            if chosen.origin != NO_PROFILE_CHOSEN and chosen.value not in settings.profiles:
                return settings.not_found(chosen.value, chosen.origin)
            profile = settings.profiles.get(chosen.value, Profile(chosen.value))
            error = block_problem(profile, key) if key in _MUST_BE_PLAIN else None
            if error is not None:
                return error
            found = profile.get(key)
        if found is not None:
            mode_is_set = mode_is_set or key == "ec2_metadata_service_endpoint_mode"
            error = _metadata_error(key, found)
            if error is not None:
                return error
    return None


_MUST_BE_PLAIN = frozenset(key for _, key in _METADATA_SETTINGS[:4])


def _metadata_error(key: str, found: Sourced[str]) -> ConfigurationError | None:
    if key in ("metadata_service_timeout", "metadata_service_num_attempts"):
        try:
            int(found.value)
        except ValueError:
            return ConfigurationError(f"{key} is not a whole number", where=str(found.origin), hint=_unset(found, "1"))
    elif key == "ec2_metadata_service_endpoint_mode" and found.value.lower() not in ("ipv4", "ipv6"):
        return ConfigurationError(
            f"{key} is neither ipv4 nor ipv6", where=str(found.origin), hint=_unset(found, "ipv4")
        )
    elif key == "ec2_metadata_service_endpoint" and found.value and not is_endpoint(found.value):
        hint = _unset(found, "http://169.254.169.254")
        return ConfigurationError(f"{key} is not a URL", where=str(found.origin), hint=hint)
    return None


def _unset(found: Sourced[str], right: str) -> str:
    variable = found.origin.variable
    return f"unset {variable}" if variable else f"write {right} there, or remove the line"
