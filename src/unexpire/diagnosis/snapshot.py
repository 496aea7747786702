"""The facts of one diagnosis, as values. `gather` collects them; the checks only read them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..credentials import Credentials, KeyKind
from ..errors import Denied, InteractionRequired, RefreshFailed, UnexpireError
from ..providers.aws import Identity, UnusableWay
from ..providers.candidate import Candidate, Prediction
from ..settings.environment import Environment
from .reach import Reach
from .seen import SeenError

__all__ = [
    "EXPIRED_CODES",
    "REJECTED_CODES",
    "SIGNATURE_CODES",
    "BedrockKey",
    "Hidden",
    "KnownEnd",
    "Likely",
    "Snapshot",
    "State",
    "Token",
]

EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
"""Codes by which AWS says that the session that signed is over."""
REJECTED_CODES = frozenset(
    {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "InvalidToken", "AuthFailure"}
)
"""Codes by which AWS says that it does not know the key or the token. It says so of long-dead sessions, too."""
SIGNATURE_CODES = frozenset({"SignatureDoesNotMatch", "InvalidSignatureException"})


class State(enum.StrEnum):
    """What is known of the credentials at hand."""

    WORKS = "works"
    EXPIRED = "expired"
    REJECTED = "rejected"
    DENIED = "denied"
    UNREACHABLE = "unreachable"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class KnownEnd:
    """When a set of credentials ends, and who says so. `issued_at` where it is known as well."""

    expiration: datetime
    known_from: str
    issued_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A cached SSO token, or a web identity token: when it ends and what could renew it. Never the token itself."""

    where: str
    exists: bool
    problem: str | None = None
    expires_at: datetime | None = None
    refreshable: bool = False
    registration_expires_at: datetime | None = None
    registration_over: bool = False


@dataclass(frozen=True, slots=True)
class BedrockKey:
    """The API key in AWS_BEARER_TOKEN_BEDROCK, which SDKs send to Bedrock in place of a signature. Never the key itself.

    `signed_by` is the access key id of a short-term key's session, which it does not outlive; None for a long-term key.
    """

    ends_at: datetime | None = None
    signed_by: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Hidden:
    """A source behind the winner that would renew itself; `error` what it answered when it was asked, None when it delivered."""

    candidate: Candidate
    asked: bool
    error: UnexpireError | None = None

    @property
    def healthy(self) -> bool:
        """It delivered; where it was not asked, nothing says that it would not."""
        return self.error is None and (self.asked or self.candidate.problem is None)


@dataclass(frozen=True, slots=True)
class Likely:
    """The profile that a static copy most likely came from; `certain` when a cache entry proves it."""

    candidate: Candidate
    why: str
    certain: bool


@dataclass(frozen=True)
class Snapshot:
    """Everything a diagnosis looks at. Times are aware UTC; `now` is this machine's clock, `true_now` AWS's where it is known."""

    environment: Environment
    now: datetime
    prediction: Prediction
    online: bool
    command: str = "CMD"
    role_arn: str | None = None
    credentials: Credentials | None = None
    fetch_error: UnexpireError | None = None
    answer: Identity | None = None
    known_end: KnownEnd | None = None
    hidden: Hidden | None = None
    likely: Likely | None = None
    token_of: str | None = None
    """Where the session token of the winner stands beside the key that it belongs to."""
    token: Token | None = None
    bedrock: BedrockKey | None = None
    platform: str | None = None
    reach: Reach | None = None
    region: str | None = None
    works_in_other_region: str | None = None
    seen: SeenError | None = None
    seen_source: Candidate | None = None
    """The source here whose key the text names."""
    known: tuple[Candidate, ...] = ()
    """What each profile gives; looked up only where a text has to be joined with them."""
    until: datetime | None = None
    clock_offset: timedelta | None = None
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def winner(self) -> Candidate | None:
        return self.prediction.winner

    @property
    def true_now(self) -> datetime:
        """The time by AWS's clock, which is what ends a session."""
        return self.now + self.clock_offset if self.clock_offset is not None else self.now

    @property
    def end(self) -> datetime | None:
        """When the credentials at hand end, where anything says so."""
        if self.credentials is not None and self.credentials.expiration is not None:
            return self.credentials.expiration
        return self.known_end.expiration if self.known_end is not None else None

    @property
    def issued_at(self) -> datetime | None:
        if self.credentials is not None and self.credentials.issued_at is not None:
            return self.credentials.issued_at
        return self.known_end.issued_at if self.known_end is not None else None

    @property
    def past_end(self) -> bool:
        """Whether the known end is over by AWS's clock."""
        return self.end is not None and self.end <= self.true_now

    @property
    def misfit(self) -> bool:
        """A token beside a long-term key, or none beside a temporary one: AWS refuses that whatever else is right."""
        held = self.credentials
        if held is None:
            return False
        if held.kind is KeyKind.LONG_TERM:
            return bool(held.session_token) and held.access_key_id.startswith("AKIA")
        return not held.session_token

    @property
    def frozen(self) -> bool:
        """AWS_CREDENTIAL_EXPIRATION is past: SDKs take the keys for over, whatever AWS would say, and the variable never changes."""
        base = self.winner.base if self.winner is not None else None
        return base is not None and base.method == "env" and base.expiration is not None and base.expiration <= self.now

    @property
    def state(self) -> State:
        """Works, expired, rejected …: by what AWS answered, without an answer by the known end."""
        if self.fetch_error is not None:
            return _state_of(self.fetch_error)
        if self.frozen:
            return State.EXPIRED
        if self.credentials is None:
            return State.MISSING if self.online or self.winner is None else State.UNKNOWN
        if self.answer is None:
            if self.misfit:
                return State.REJECTED
            return State.EXPIRED if self.past_end else State.UNKNOWN if self.end is None else State.WORKS
        if self.answer.error is None:
            return State.WORKS
        code = self.answer.aws_code or ""
        if code in EXPIRED_CODES or (self.past_end and code in REJECTED_CODES):
            return State.EXPIRED
        return _state_of(self.answer.error)


def _state_of(error: UnexpireError) -> State:
    code = getattr(error, "aws_code", None) or ""
    if code in EXPIRED_CODES or error.finding in _EXPIRED_FINDINGS or getattr(error, "session_over", False):
        return State.EXPIRED
    if isinstance(error, UnusableWay):
        return State.UNREACHABLE
    if error.finding in REJECTED_FINDINGS:
        return State.REJECTED
    if isinstance(error, Denied):
        return State.DENIED
    if isinstance(error, InteractionRequired):
        return State.MISSING
    if isinstance(error, RefreshFailed) and error.finding in _UNREACHABLE_FINDINGS:
        return State.UNREACHABLE
    if code in REJECTED_CODES or code in SIGNATURE_CODES:
        return State.REJECTED
    if isinstance(error, RefreshFailed) and error.retryable:
        return State.UNREACHABLE
    return State.REJECTED if code else State.MISSING


_EXPIRED_FINDINGS = frozenset(
    {
        "expired-session",
        "source-expired",
        "sso-login-needed",
        "sso-legacy-config",
        "sso-registration-expired",
        "web-identity-token-expired",
        "metadata-stale",
    }
)
REJECTED_FINDINGS = frozenset({"leftover-session-token", "missing-session-token", "key-rejected", "wrong-secret"})
_UNREACHABLE_FINDINGS = frozenset({"endpoint-unreachable", "metadata-unreachable", "throttled"})
