"""AssumeRole: a role of a profile or one given by hand, signed by any other provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..credentials import Credentials
from ..errors import InteractionRequired, Rejected, UnexpireError
from ..settings.environment import Environment
from ..settings.profile import Profile
from . import aws
from .base import Prompt, Provider
from .identity import identity_of, session_name_for

__all__ = ["AssumeRoleProvider", "RoleRequest"]


@dataclass(frozen=True, slots=True)
class RoleRequest:
    """What AssumeRole is asked for (STS API reference, AssumeRole). `duration_s` None: the hour that STS gives by default."""

    role_arn: str
    session_name: str | None = None
    duration_s: int | None = None
    external_id: str | None = None
    mfa_serial: str | None = None
    region: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    transitive_tags: tuple[str, ...] = ()
    source_identity: str | None = None
    policy: str | None = None
    policy_arns: tuple[str, ...] = ()

    def parameters(self, session_name: str) -> dict[str, Any]:
        """The arguments of the call, but for the MFA code."""
        asked: dict[str, Any] = {"RoleArn": self.role_arn, "RoleSessionName": self.session_name or session_name}
        if self.duration_s is not None:
            asked["DurationSeconds"] = self.duration_s
        if self.external_id:
            asked["ExternalId"] = self.external_id
        if self.tags:
            asked["Tags"] = [{"Key": key, "Value": value} for key, value in self.tags.items()]
        if self.transitive_tags:
            asked["TransitiveTagKeys"] = list(self.transitive_tags)
        if self.source_identity:
            asked["SourceIdentity"] = self.source_identity
        if self.policy:
            asked["Policy"] = self.policy
        if self.policy_arns:
            asked["PolicyArns"] = [{"arn": arn} for arn in self.policy_arns]
        return asked

    def identity_parts(self) -> dict[str, str | None]:
        return {
            "role": self.role_arn,
            "name": self.session_name,
            "duration": str(self.duration_s) if self.duration_s else None,
            "external": self.external_id,
            "mfa": self.mfa_serial,
            "region": self.region,
            "tags": repr(sorted(self.tags.items())) if self.tags else None,
            "transitive": ",".join(self.transitive_tags),
            "source-identity": self.source_identity,
            "policy": self.policy,
            "policies": ",".join(self.policy_arns),
        }


@dataclass(frozen=True)
class AssumeRoleProvider:
    """One AssumeRole, signed by `source`. A source that is a role itself makes it a chain, which AWS limits to an hour."""

    environment: Environment
    source: Provider
    request: RoleRequest
    profile: Profile | None = None
    where: str | None = None
    prompt: Prompt | None = None

    method = "assume-role"

    @property
    def identity(self) -> str:
        parts = {**self.request.identity_parts(), "source": self.source.identity}
        return identity_of(self.method, self.environment, parts)

    @property
    def renewable(self) -> bool:
        """A role renews itself from keys that do not end, and from whatever renews itself; not where a code must be typed."""
        return not self.interactive and (self.source.renewable or _lasting(self.source))

    @property
    def interactive(self) -> bool:
        return self.request.mfa_serial is not None or self.source.interactive

    def describe(self) -> str:
        name = self.request.role_arn.rpartition("/")[2]
        of = f" of profile {self.profile.name}" if self.profile is not None else ""
        return f"role {name}{of}" + (f" ({self.where})" if self.where else f", signed by {self.source.describe()}")

    def fetch(self) -> Credentials:
        """A new session of the role. Raises Rejected (finding ``source-expired``) where the source is over, Denied where AWS says no."""
        source = self.source.fetch()
        asked = self.request.parameters(session_name_for(self.environment))
        if self.request.mfa_serial:
            asked["SerialNumber"] = self.request.mfa_serial
            asked["TokenCode"] = self._code(self.request.mfa_serial)
        now = self.environment.now()
        try:
            region = self.request.region
            with aws.calling("sts", self.environment, profile=self.profile, credentials=source, region=region) as sts:
                answer = sts.assume_role(**asked)
            return aws.session_of(answer, now)
        except Exception as error:
            raise self._explained(error, source) from error

    def _code(self, serial: str) -> str:
        if self.prompt is None:
            raise InteractionRequired(
                f"{self.describe()} needs an MFA code of {serial}",
                interaction="mfa",
                where=self.where,
                finding="mfa-required",
                hint=f"unexpire fix --profile {self.profile.name}" if self.profile is not None else "unexpire fix",
            )
        return self.prompt.mfa_code(serial)

    def _explained(self, error: Exception, source: Credentials) -> UnexpireError:
        problem = aws.translate(
            error,
            doing=f"AssumeRole of {self.request.role_arn}",
            now=self.environment.now(),
            where=self.where,
            expired="source-expired",
            denied="assume-role-denied",
        )
        over = source.expiration is not None and source.expiration <= self.environment.now()
        if isinstance(problem, Rejected) and problem.finding == "key-rejected" and over:
            # AWS forgets sessions that are long over: then it says "invalid" of what is expired.
            problem.finding = "source-expired"
        if (
            isinstance(problem, Rejected)
            and problem.finding == "key-rejected"
            and source.access_key_id.startswith("ASIA")
        ):
            problem.finding = "source-expired" if source.session_token else "missing-session-token"
        if problem.hint == "unexpire fix" and self.profile is not None:
            problem.hint += f" --profile {self.profile.name}"
        return problem


def _lasting(source: Provider) -> bool:
    candidate = getattr(source, "candidate", None)
    return candidate is not None and candidate.static and not candidate.has_token
