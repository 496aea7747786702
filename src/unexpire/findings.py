"""What a diagnosis says: every finding code with its severity and exit code, and the values that carry evidence and remedy.

This is the only place that defines a finding code. Each has a page of the same name in the reference; a test joins the two.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from .credentials import format_timestamp

__all__ = [
    "CODES",
    "SCHEMA",
    "Action",
    "Code",
    "Diagnosis",
    "Evidence",
    "Exit",
    "Finding",
    "Forecast",
    "Remedy",
    "Severity",
    "Verdict",
]

SCHEMA = 1
"""Version of the JSON report. Fields may be added within a version; one that is removed or changes its meaning raises it."""


class Exit(enum.IntEnum):
    """What the caller of a command learns from its exit code; `docs/cli.md` has the table that people read."""

    FINE = 0
    FAILED = 1
    USAGE = 2
    EXPIRED = 3
    WILL_NOT_LAST = 4
    NO_CREDENTIALS = 5
    REJECTED = 6
    NEEDS_HUMAN = 7
    CLOCK = 8
    NETWORK = 9
    CONFIGURATION = 10


class Verdict(enum.StrEnum):
    """What AWS would say to the next call."""

    WORKS = "works"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    REJECTED = "rejected"
    DENIED = "denied"
    MISSING = "missing"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    """Only where AWS was not asked (``--offline``) and nothing here tells when the credentials end."""


class Severity(enum.StrEnum):
    """`error`: calls fail because of it. `warning`: they will, or it hides something. `note`: worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Code:
    """A finding code: what it means in one line, how bad it is by default, and the exit code where it is the root cause."""

    meaning: str
    exit: Exit
    severity: Severity = Severity.ERROR


def _codes() -> dict[str, Code]:
    e, w = Exit, Severity.WARNING
    return {
        # the session
        "expired-session": Code(
            "the session is past its end, and nothing more is known about where it came from", e.EXPIRED
        ),
        "static-session": Code("a static copy of a session: nothing can renew it", e.EXPIRED),
        "leftover-session-token": Code(
            "a session token left over from another session stands beside these keys", e.REJECTED
        ),
        "missing-session-token": Code("a temporary key without its session token", e.NO_CREDENTIALS),
        "partial-credentials": Code("one half of a key pair is missing", e.NO_CREDENTIALS),
        "no-credentials": Code("no source in the chain has credentials", e.NO_CREDENTIALS),
        "key-rejected": Code("AWS does not know this access key id, or it is inactive", e.REJECTED),
        "wrong-secret": Code("the secret does not belong to this access key id", e.REJECTED),
        "shadowed-source": Code("a source that wins the chain hides another one that would renew itself", e.EXPIRED, w),
        "frozen-expiration": Code(
            "AWS_CREDENTIAL_EXPIRATION promises a renewal that the environment cannot give", e.EXPIRED, w
        ),
        "bedrock-api-key": Code(
            "SDKs send Bedrock the API key in AWS_BEARER_TOKEN_BEDROCK, and nothing renews that", e.EXPIRED, w
        ),
        "access-denied": Code("AWS knows these credentials and does not allow the call", e.REJECTED),
        # configuration
        "profile-not-found": Code("the profile that is asked for does not exist", e.CONFIGURATION),
        "config-invalid": Code("a setting cannot be used as it stands", e.CONFIGURATION),
        "source-profile-loop": Code("source_profile leads back to where it came from", e.CONFIGURATION),
        # roles
        "source-expired": Code("the source that would assume the role is past its own end", e.EXPIRED),
        "assume-role-denied": Code("AWS does not allow this identity to assume the role", e.REJECTED),
        "role-chain-limit": Code("a role assumed by a role lasts one hour at most", e.CONFIGURATION),
        "duration-over-role-max": Code("the duration asked for is over the role's maximum", e.CONFIGURATION),
        "duration-too-short": Code(
            "the duration makes SDKs fetch new credentials at every call, or is below AWS's minimum", e.CONFIGURATION, w
        ),
        "mfa-required": Code("the role asks for an MFA code, which only a human can give", e.NEEDS_HUMAN),
        # IAM Identity Center
        "sso-login-needed": Code("the SSO session is over", e.NEEDS_HUMAN),
        "sso-token-missing": Code("nobody has logged in to this SSO session on this machine", e.NEEDS_HUMAN),
        "sso-legacy-config": Code("an SSO profile without sso_session cannot renew its token", e.NEEDS_HUMAN, w),
        "sso-registration-expired": Code(
            "the registration of the SSO client is over: the refresh token cannot be used", e.NEEDS_HUMAN
        ),
        "sso-role-not-assigned": Code("the SSO user has no such role in this account", e.REJECTED),
        # web identity
        "web-identity-token-expired": Code(
            "the web identity token is past its end, and nobody has written a new one", e.EXPIRED
        ),
        "web-identity-token-missing": Code("the web identity token file cannot be read", e.CONFIGURATION),
        # credential_process
        "process-failed": Code("the credential process ended with an error", e.CONFIGURATION),
        "process-bad-output": Code(
            "the credential process printed something that is not its protocol", e.CONFIGURATION
        ),
        "process-no-expiration": Code(
            "the credential process gives no Expiration: SDKs will never ask it again", e.EXPIRED, w
        ),
        "process-cycle": Code("the credential process calls itself", e.CONFIGURATION),
        # aws login
        "login-needed": Code("the `aws login` session is missing or over", e.NEEDS_HUMAN),
        # metadata services
        "metadata-unreachable": Code("the instance metadata service does not answer", e.NETWORK),
        "metadata-stale": Code("the metadata service hands out credentials that are past their end", e.EXPIRED),
        "container-refused": Code("the container credential endpoint refuses or cannot be used", e.CONFIGURATION),
        # clock and network
        "clock-skew": Code("the clock of this machine is off by more than AWS tolerates", e.CLOCK, w),
        "endpoint-unreachable": Code("the endpoint cannot be reached", e.NETWORK),
        "region-not-enabled": Code(
            "the Region is not enabled for this account, or STS is not active in it", e.CONFIGURATION
        ),
        "throttled": Code("AWS limits the rate of these calls", e.NETWORK),
        # presigned URLs
        "presigned-url-expired": Code("the presigned URL is past its own end", e.EXPIRED),
        "presigned-session-ended": Code("the session that signed the URL ended before the URL did", e.EXPIRED),
        # the forecast
        "ends-too-soon": Code("these credentials end before the time that was asked for", e.WILL_NOT_LAST, w),
    }


CODES: Mapping[str, Code] = MappingProxyType(_codes())


class Action(enum.StrEnum):
    """What `fix` does for a remedy; a remedy is data, so that a diagnosis never renews anything itself."""

    RENEW = "renew"
    """Fetch a new session from the source named in `parameters` and write it where the old one stood."""
    UNCOVER = "uncover"
    """Remove the dead static keys named in `parameters` from a file, so that the source behind them is used."""
    REMOVE_TOKEN = "remove-token"  # noqa: S105 - a name
    SSO_LOGIN = "sso-login"
    LOGIN = "login"
    MFA = "mfa"
    UNSET = "unset"
    """Variables of the calling shell: only a human (or `eval`) can."""
    EDIT = "edit"
    """A line of a configuration file that a human has to decide on."""
    HUMAN = "human"
    """Outside this machine: a permission, a clock, a network."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was seen: what, its value (never a secret), and where it stands (file:line, variable, answer of AWS)."""

    what: str
    value: str
    where: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {"what": self.what, "value": self.value, "where": self.where}


@dataclass(frozen=True, slots=True)
class Remedy:
    """What ends the trouble: in words, as lines that can be typed now, and as the line that keeps it from coming back."""

    action: Action
    summary: str
    now: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "action": self.action.value,
            "summary": self.summary,
            "now": list(self.now),
            "never": list(self.never),
            "parameters": dict(self.parameters),
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found. `code` is a key of `CODES`."""

    code: str
    summary: str
    evidence: tuple[Evidence, ...] = ()
    remedy: Remedy | None = None
    severity: Severity | None = None

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"unknown finding code {self.code!r}")

    @property
    def weight(self) -> Severity:
        """The severity of this finding here, by default that of its code."""
        return self.severity or CODES[self.code].severity

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "severity": self.weight.value,
            "summary": self.summary,
            "evidence": [item.as_json() for item in self.evidence],
            "remedy": self.remedy.as_json() if self.remedy else None,
        }


@dataclass(frozen=True, slots=True)
class Forecast:
    """Will these credentials last until `until`, renewal included? `ends_at` None: nothing known ends them."""

    until: datetime | None
    lasts: bool | None
    ends_at: datetime | None
    ended_by: str | None
    """What ends them first: session, role-chain, sso-portal-session, mfa, web-identity-token, static-copy, login-session."""
    renews_itself: bool

    def as_json(self) -> dict[str, Any]:
        return {
            "until": format_timestamp(self.until) if self.until else None,
            "lasts": self.lasts,
            "ends_at": format_timestamp(self.ends_at) if self.ends_at else None,
            "ended_by": self.ended_by,
            "renews_itself": self.renews_itself,
        }


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The whole answer. `root_cause` is one of `findings`, the one whose remedy ends the trouble; None in a healthy set-up."""

    verdict: Verdict
    root_cause: Finding | None
    findings: tuple[Finding, ...]
    forecast: Forecast
    seen_at: datetime
    """When it was made, by AWS's clock where that is known."""
    identity: Mapping[str, str | None]
    """arn, account, user_id, key (the access key id), kind (long-term, temporary)."""
    source: Mapping[str, Any] | None
    """method (botocore's name), profile, where (file:line or variable), description, renews_itself."""
    shadowed: tuple[Mapping[str, Any], ...] = ()
    expires_at: datetime | None = None
    issued_at: datetime | None = None
    expiry_known_from: str | None = None
    clock_offset_s: float | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    """Where this runs (ec2, ecs, eks, lambda, codebuild, github-actions …) and how the endpoint was reached."""
    error: Mapping[str, str | None] | None = None
    """code, message, operation and service of the answer of AWS that was seen, or of the text that was given."""

    @property
    def exit(self) -> Exit:
        """The exit code: that of the root cause, else that of the verdict."""
        if self.root_cause is not None:
            return CODES[self.root_cause.code].exit
        if self.verdict in (Verdict.WORKS, Verdict.EXPIRING, Verdict.UNKNOWN):
            return Exit.WILL_NOT_LAST if self.forecast.lasts is False else Exit.FINE
        return {
            Verdict.EXPIRED: Exit.EXPIRED,
            Verdict.REJECTED: Exit.REJECTED,
            Verdict.DENIED: Exit.REJECTED,
            Verdict.MISSING: Exit.NO_CREDENTIALS,
            Verdict.UNREACHABLE: Exit.NETWORK,
        }[self.verdict]

    def as_json(self) -> dict[str, Any]:
        """The report of `--json`, documented in `docs/cli.md`."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict.value,
            "root_cause": self.root_cause.code if self.root_cause else None,
            "identity": dict(self.identity),
            "source": dict(self.source) if self.source else None,
            "issued_at": format_timestamp(self.issued_at) if self.issued_at else None,
            "expires_at": format_timestamp(self.expires_at) if self.expires_at else None,
            "expiry_known_from": self.expiry_known_from,
            "shadowed": [dict(item) for item in self.shadowed],
            "findings": [finding.as_json() for finding in self.findings],
            "seen_at": format_timestamp(self.seen_at),
            "forecast": self.forecast.as_json(),
            "clock_offset_s": self.clock_offset_s,
            "environment": dict(self.environment),
            "error": dict(self.error) if self.error else None,
        }
