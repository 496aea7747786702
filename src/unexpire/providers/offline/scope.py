"""What the recognisers of a profile's sources share."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ConfigurationError
from ...settings.environment import Environment
from ...settings.files import Sourced
from ...settings.profile import Profile, Settings

__all__ = ["Scope", "block_problem", "invalid", "keys_of"]


@dataclass(frozen=True, slots=True)
class Scope:
    """One profile in its environment. `variables`: whether AWS_WEB_IDENTITY_TOKEN_FILE and its kin count, which an explicitly
    chosen profile and a source profile exclude."""

    environment: Environment
    settings: Settings
    profile: Profile
    variables: bool


def keys_of(profile: Profile, *keys: str) -> dict[str, Sourced[str]]:
    found = {key: profile.get(key) for key in keys}
    return {key: value for key, value in found.items() if value is not None}


def block_problem(profile: Profile, key: str) -> ConfigurationError | None:
    """The problem of a key that is an indented block where one value belongs; botocore then fails on the type of it."""
    if profile.nested(key) is None:
        return None
    hint = f"write {key} = … on one line"
    return ConfigurationError(
        f"{key} of profile {profile.name!r} is an indented block", where=str(profile.where_is(key)), hint=hint
    )


def invalid(message: str, found: Sourced[str], hint: str, finding: str | None = None) -> ConfigurationError:
    return ConfigurationError(message, where=str(found.origin), hint=hint, finding=finding)
