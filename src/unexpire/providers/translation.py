"""The boundary where errors of botocore, of AWS and of the network become ours, once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from ..credentials import shown_key, without_user
from ..errors import ConfigurationError, Denied, RefreshFailed, Rejected, Unavailable, UnexpireError
from .tls import distrust

__all__ = ["clock_offset", "shown_message", "translate"]

_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_UNKNOWN_KEY = frozenset(
    {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "InvalidToken", "AuthFailure"}
)
_SIGNATURE = frozenset({"SignatureDoesNotMatch", "InvalidSignatureException"})
_CLOCK = frozenset({"RequestTimeTooSkewed", "RequestInTheFuture"})
_CLOCK_WORDS = ("Signature expired", "Signature not yet current", "too large", "not yet valid")
_THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
    }
)


def clock_offset(response: Mapping[str, Any], now: datetime) -> timedelta | None:
    """AWS's clock minus this machine's, from the Date header (RFC 9110, 6.6.1); None where the answer has none."""
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        said = parsedate_to_datetime(headers["date"])
    except (KeyError, TypeError, ValueError):
        return None
    if said.tzinfo is None:
        said = said.replace(tzinfo=UTC)
    # The header has whole seconds: half of one is the best guess of the rest.
    offset = said + timedelta(milliseconds=500) - now
    return timedelta(seconds=round(offset.total_seconds()))


def translate(
    error: BaseException,
    *,
    doing: str,
    now: datetime,
    where: str | None = None,
    expired: str = "source-expired",
    denied: str = "access-denied",
) -> UnexpireError:
    """Our error for one of botocore's or the operating system's, while `doing` an operation.

    `expired` and `denied` are the findings that an ended session and a refusal stand for in this operation.
    """
    from botocore import exceptions as theirs

    if isinstance(error, UnexpireError):
        return error
    if isinstance(error, theirs.ClientError):
        return _of_answer(error.response, doing, now, where, expired, denied)
    ours = _of_botocore(error, doing, where)
    ours.__cause__ = error
    return ours


_UNREADABLE = frozenset({"IncompleteSignature", "IncompleteSignatureException"})
"""The Authorization header cannot be read: the key id in it is none."""
_CREDENTIAL = re.compile(r"[^\s'\",=]+(?=/\d{8}/[\w-]+/[\w-]+/aws4_request)|(?<=Credential=)[^\s,]+(?=,|\s|$)")


def shown_message(message: str) -> str:
    """AWS repeats the Authorization header that it cannot read: with a secret in it, where somebody has put that in the key id's place."""
    return _CREDENTIAL.sub(lambda found: shown_key(found[0]), message)


def _of_answer(
    response: Mapping[str, Any], doing: str, now: datetime, where: str | None, expired: str, denied: str
) -> UnexpireError:
    said = response.get("Error", {})
    code, message = str(said.get("Code", "")), shown_message(str(said.get("Message") or said.get("message") or ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
    offset = clock_offset(response, now)
    text = f"{doing}: {code}: {message}" if message else f"{doing}: {code}"
    ours = _by_code(code, message, status, text, where, expired, denied, offset)
    ours.clock_offset = offset  # type: ignore[attr-defined]
    return ours


def _by_code(
    code: str,
    message: str,
    status: int,
    text: str,
    where: str | None,
    expired: str,
    denied: str,
    offset: timedelta | None,
) -> UnexpireError:
    skewed = offset is not None and abs(offset) > timedelta(minutes=5)
    if code in _CLOCK or (code in _SIGNATURE and any(words in message for words in _CLOCK_WORDS)):
        return Rejected(text, aws_code=code, where=where, finding="clock-skew", hint="sudo chronyc makestep")
    if skewed and code in ("RequestExpired", "AuthFailure"):
        return Rejected(text, aws_code=code, where=where, finding="clock-skew", hint="sudo chronyc makestep")
    if code in _UNREADABLE:
        return Rejected(text, aws_code=code, where=where, finding="key-rejected", hint="enter the key pair again")
    if code in _SIGNATURE:
        return Rejected(text, aws_code=code, where=where, finding="wrong-secret", hint="enter the key pair again")
    if code in _EXPIRED:
        return Rejected(text, aws_code=code, where=where, finding=expired, hint="unexpire fix")
    if code in _UNKNOWN_KEY:
        finding = "region-not-enabled" if "not allowed" in message or "not enabled" in message else "key-rejected"
        return Rejected(text, aws_code=code, where=where, finding=finding, hint="unexpire diagnose")
    if code in ("RegionDisabledException", "OptInRequired"):
        return Denied(
            text, aws_code=code, where=where, finding="region-not-enabled", hint="enable the Region, or use another"
        )
    if code in ("ValidationError", "ValidationException"):
        return Denied(text, aws_code=code, where=where, finding=_limit(message), hint="duration_seconds = 3600")
    if code in _THROTTLED or status == 429:
        return RefreshFailed(text, retryable=True, aws_code=code, where=where, finding="throttled")
    if status >= 500 or code in ("IDPCommunicationError", "InternalFailure", "ServiceUnavailable"):
        return RefreshFailed(
            f"{text or status} (HTTP {status})",
            retryable=True,
            aws_code=code,
            where=where,
            finding="endpoint-unreachable",
        )
    if "MultiFactorAuthentication" in message:
        return Denied(
            text, aws_code=code, where=where, finding="mfa-required", hint="type the code that the device shows now"
        )
    if not code or code.isdigit():
        # A status without a code of AWS: a proxy's page, a load balancer, something that is no AWS.
        return RefreshFailed(
            f"{text}: the answer is not AWS's (HTTP {status})",
            retryable=status in (408, 425),
            where=where,
            finding="endpoint-unreachable",
        )
    return Denied(text, aws_code=code, where=where, finding=denied)


def _limit(message: str) -> str:
    if "role chaining" in message:
        return "role-chain-limit"
    if "MaxSessionDuration" in message or "less than or equal to" in message:
        return "duration-over-role-max"
    if "greater than or equal to" in message:
        return "duration-too-short"
    return "config-invalid"


def _of_botocore(error: BaseException, doing: str, where: str | None) -> UnexpireError:
    """By class, from the particular to the general. Their texts are used only where they cannot hold a secret."""
    from botocore import exceptions as theirs

    name = type(error).__name__
    if isinstance(error, theirs.SSLError | theirs.ProxyConnectionError):
        found = distrust(error)
        if found is not None:
            whose = "the proxy" if isinstance(error, theirs.ProxyConnectionError) else _endpoint(error)
            return RefreshFailed(
                f"{doing}: {whose}: {found.why}",
                retryable=False,
                where=where,
                finding="endpoint-unreachable",
                hint=found.hint,
            )
    if isinstance(error, theirs.ProxyConnectionError):
        return _unreachable(f"{doing}: the proxy does not answer", where)
    if isinstance(error, theirs.SSLError):
        return _unreachable(f"{doing}: the TLS handshake with {_endpoint(error)} failed", where)
    if isinstance(error, theirs.ConnectTimeoutError | theirs.ReadTimeoutError):
        return _unreachable(f"{doing}: {_endpoint(error)} did not answer in time", where)
    if isinstance(error, theirs.EndpointConnectionError):
        return _unreachable(f"{doing}: {_endpoint(error)} cannot be connected to", where)
    if isinstance(error, theirs.HTTPClientError | theirs.ConnectionError):
        return _unreachable(f"{doing}: the connection broke ({name})", where)
    if isinstance(error, theirs.ParamValidationError):
        report = str(error)
        finding = "duration-too-short" if "DurationSeconds" in report and "min value" in report else "config-invalid"
        field = (
            "DurationSeconds is below 900, the least that AWS gives"
            if "DurationSeconds" in report
            else "a parameter is invalid"
        )
        return ConfigurationError(f"{doing}: {field}", where=where, finding=finding, hint="unexpire diagnose")
    if name == "ResponseParserError" or isinstance(
        error, theirs.UnknownEndpointError | KeyError | TypeError | AttributeError
    ):
        # botocore's parsers fail in their own ways on HTML, on half an answer and on JSON of somebody else.
        return RefreshFailed(
            f"{doing}: the endpoint answers something that is not AWS's protocol",
            retryable=True,
            where=where,
            finding="endpoint-unreachable",
        )
    if isinstance(error, theirs.NoCredentialsError):
        return Unavailable(f"{doing}: no credentials", where=where, finding="no-credentials")
    if isinstance(error, theirs.InvalidRegionError | theirs.NoRegionError):
        return ConfigurationError(
            f"{doing}: the Region is missing or is none", where=where, hint="export AWS_REGION=us-east-1"
        )
    if isinstance(error, ValueError) and ("endpoint" in str(error).lower() or "URL" in str(error)):
        return ConfigurationError(f"{doing}: the endpoint URL is none", where=where, hint="echo $AWS_ENDPOINT_URL")
    if isinstance(error, OSError):
        words = (error.strerror or name).lower()
        return _unreachable(f"{doing}: {words}", where)
    return RefreshFailed(f"{doing} failed ({name})", retryable=False, where=where, finding="endpoint-unreachable")


def _endpoint(error: BaseException) -> str:
    url = getattr(error, "kwargs", {}).get("endpoint_url") or "the endpoint"
    return without_user(str(url).split("?", 1)[0])


def _unreachable(message: str, where: str | None) -> RefreshFailed:
    return RefreshFailed(message, retryable=True, where=where, finding="endpoint-unreachable", hint="unexpire diagnose")
