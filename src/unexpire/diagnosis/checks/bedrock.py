"""The API key that SDKs send to Bedrock where one is set, whatever credentials there are."""

from __future__ import annotations

from collections.abc import Iterator

from ...findings import Evidence, Finding, Severity
from .. import remedies
from ..snapshot import BedrockKey, Snapshot
from ..spoken import ago, clock_time

__all__ = ["CODE", "bedrock_key", "check_bedrock"]

CODE = "bedrock-api-key"
_VARIABLE = "AWS_BEARER_TOKEN_BEDROCK"


def check_bedrock(s: Snapshot) -> Iterator[Finding]:
    """Worth a word beside any credentials: SDKs prefer it (botocore/handlers.py, `_should_prefer_bearer_auth`)."""
    if s.bedrock is None or (s.seen is not None and s.seen.finding == CODE):
        return  # `check_text` says it
    over = s.bedrock.ends_at is not None and s.bedrock.ends_at <= s.true_now
    yield bedrock_key(s, s.bedrock, Severity.WARNING if over else Severity.NOTE)


def bedrock_key(s: Snapshot, key: BedrockKey, severity: Severity, *seen: Evidence) -> Finding:
    """What stands in the variable, with `seen` before what it says of itself."""
    kind = "short-term" if key.signed_by is not None else "long-term"
    evidence = [*seen, Evidence(_VARIABLE, f"a {kind} API key", _VARIABLE)]
    if key.signed_by is not None:
        evidence.append(Evidence("signed by", key.signed_by, _VARIABLE))
    now, end = s.true_now, key.ends_at
    if end is not None and end <= now:
        summary = (
            f"the Bedrock API key in {_VARIABLE} ended {ago(end, now)}, and SDKs send it in place of any credentials"
        )
    elif end is not None:
        until = clock_time(end, now)
        summary = (
            f"Bedrock goes by the API key in {_VARIABLE} until {until}, not by these credentials; nothing renews it"
        )
    else:
        summary = f"Bedrock goes by the {kind} API key in {_VARIABLE}, not by these credentials"
    remedy = remedies.for_variables(s, "take it out of the environment: SDKs then sign", names=(_VARIABLE,))
    return Finding(CODE, summary, tuple(evidence), remedy, severity)
