"""From a profile, or a role given by hand, to the provider that fetches for it: the one ladder.

A rung loads its provider: whoever has a role to assume does not wait for the HTTP client of the metadata services.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..credentials import Credentials
from ..errors import ConfigurationError, Unavailable
from ..settings.environment import Environment
from .assume_role import AssumeRoleProvider, RoleRequest
from .base import Prompt, Provider
from .candidate import Candidate
from .chain import choose

__all__ = ["RoleRequest", "provider_for", "provider_of"]

_STATIC = frozenset({"env", "shared-credentials-file", "config-file", "ec2-credentials-file", "boto-config"})


def provider_for(
    environment: Environment,
    *,
    profile: str | None = None,
    role: RoleRequest | None = None,
    prompt: Prompt | None = None,
) -> Provider:
    """The provider that botocore's chain would use, or the role of `role` signed by it.

    `profile` counts as with ``--profile``. Without a `prompt`, what needs a human raises InteractionRequired when it is fetched.
    Raises ConfigurationError for settings that end the chain, Unavailable where nothing gives credentials.
    """
    prediction = choose(environment, profile)
    if prediction.error is not None:
        raise prediction.error
    if prediction.winner is None:
        chosen = prediction.profile_name
        raise Unavailable(
            f"no source in the chain has credentials (profile {chosen.value})",
            where=str(chosen.origin),
            hint="unexpire diagnose",
            finding="no-credentials",
        )
    provider = provider_of(environment, prediction.winner, prompt)
    if role is None:
        return provider
    return AssumeRoleProvider(environment, provider, role, prediction.profile, None, prompt)


def provider_of(environment: Environment, candidate: Candidate, prompt: Prompt | None = None) -> Provider:
    """The provider of one candidate, with those of its sources."""
    method = candidate.method
    if method in _STATIC:
        from .static import StaticProvider

        return StaticProvider(environment, candidate)
    if method == "assume-role":
        return _role(environment, candidate, prompt)
    if method == "assume-role-with-web-identity":
        return _web_identity(environment, candidate)
    if method == "sso":
        from .sso import SsoProvider

        return SsoProvider(environment, candidate, prompt)
    if method == "custom-process":
        from .process import ProcessProvider

        return ProcessProvider(environment, candidate)
    if method == "login":
        from .login import LoginProvider

        return LoginProvider(environment, candidate)
    if method == "container-role":
        from .container import ContainerProvider

        return ContainerProvider(environment, candidate)
    if method == "iam-role":
        from .imds import ImdsProvider

        chosen = environment.settings().profiles.get(environment.profile_name.value)
        return ImdsProvider(environment, candidate, chosen)
    raise candidate.problem or ConfigurationError(
        f"{candidate.description} gives no credentials", where=str(candidate.origin)
    )


def _role(environment: Environment, candidate: Candidate, prompt: Prompt | None) -> Provider:
    if candidate.source is None:
        return _Broken(environment, candidate)
    profile = environment.settings().profiles.get(candidate.profile or "")
    request = RoleRequest(
        role_arn=candidate.value("role_arn") or "",
        session_name=candidate.value("role_session_name"),
        duration_s=_seconds(candidate.value("duration_seconds")),
        external_id=candidate.value("external_id"),
        mfa_serial=candidate.value("mfa_serial"),
    )
    source = provider_of(environment, candidate.source, prompt)
    return AssumeRoleProvider(environment, source, request, profile, str(candidate.origin), prompt)


def _web_identity(environment: Environment, candidate: Candidate) -> Provider:
    profile = environment.settings().profiles.get(candidate.profile or environment.profile_name.value)
    from .web_identity import WebIdentityProvider

    return WebIdentityProvider(
        environment,
        candidate.value("role_arn") or "",
        candidate.value("web_identity_token_file") or "",
        session_name=candidate.value("role_session_name"),
        profile=profile,
        where=str(candidate.origin),
    )


def _seconds(text: str | None) -> int | None:
    """botocore drops what is no number, and STS then gives its hour."""
    try:
        return int(text) if text else None
    except ValueError:
        return None


@dataclass(frozen=True)
class _Broken:
    """A source that cannot be built: fetching it says why."""

    environment: Environment
    candidate: Candidate

    renewable = False
    interactive = False

    @property
    def method(self) -> str:
        return self.candidate.method

    @property
    def identity(self) -> str:
        return f"broken-{self.candidate.method}"

    def describe(self) -> str:
        return self.candidate.description

    def fetch(self) -> Credentials:
        raise self.candidate.problem or Unavailable(
            f"{self.candidate.description} has no source", where=str(self.candidate.origin)
        )
