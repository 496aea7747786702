"""From facts to the answer: every check, one root cause, the forecast, the verdict. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ..credentials import KeyKind
from ..findings import CODES, Diagnosis, Exit, Finding, Forecast, Severity, Verdict
from ..providers.candidate import Candidate
from .checks import CHECKS, check_ending, check_text, last_resort
from .forecast import last_session_end
from .snapshot import Snapshot, State

__all__ = ["forecast", "judge"]

# Which of several errors is the cause of the others: settings before the clock, the clock before the keys, what is specific
# before what is general. A code that is not named here comes last, in the order of the checks.
_PRECEDENCE = (
    "profile-not-found",
    "source-profile-loop",
    "process-cycle",
    "config-invalid",
    "presigned-url-expired",
    "presigned-session-ended",
    "clock-skew",
    "region-not-enabled",
    "partial-credentials",
    "missing-session-token",
    "leftover-session-token",
    "process-no-expiration",
    "shadowed-source",
    "frozen-expiration",
    "sso-registration-expired",
    "sso-legacy-config",
    "sso-token-missing",
    "sso-login-needed",
    "source-expired",
    "static-session",
    "expired-session",
)
_EXPIRING = timedelta(minutes=15)


def judge(snapshot: Snapshot) -> Diagnosis:
    """The diagnosis of a snapshot."""
    found = [finding for check in CHECKS for finding in check(snapshot)]
    outlook = forecast(snapshot)
    told = tuple(check_text(snapshot, tuple(found)))
    found += [*told, *check_ending(snapshot, outlook)]
    root = _root_cause(found, told)
    if root is None and snapshot.state not in (State.WORKS, State.UNKNOWN):
        root = last_resort(snapshot)
        found.append(root)
    ordered = sorted(found, key=lambda f: (f is not root, list(Severity).index(f.weight)))
    return Diagnosis(
        verdict=_verdict(snapshot, outlook, root if root in told or snapshot.state is State.UNKNOWN else None),
        root_cause=root,
        findings=tuple(ordered),
        forecast=outlook,
        seen_at=snapshot.true_now,
        identity=_identity(snapshot),
        source=_described(snapshot.winner, snapshot) if snapshot.winner is not None else None,
        shadowed=tuple(_described(candidate, snapshot) for candidate in _shadowed(snapshot)),
        expires_at=snapshot.end,
        issued_at=snapshot.issued_at,
        expiry_known_from=snapshot.known_end.known_from if snapshot.known_end is not None else None,
        clock_offset_s=snapshot.clock_offset.total_seconds() if snapshot.clock_offset is not None else None,
        environment=_surroundings(snapshot),
        error=_error(snapshot),
    )


def _root_cause(found: list[Finding], told: tuple[Finding, ...]) -> Finding | None:
    """What the text tells is the trouble that was asked about, where the environment does not explain it."""
    errors = [finding for finding in (*told, *found) if finding.weight is Severity.ERROR]
    order = {code: index for index, code in enumerate(_PRECEDENCE)}
    of_text = [finding for finding in told if finding.weight is Severity.ERROR]
    return min(of_text or errors, key=lambda finding: order.get(finding.code, len(order)), default=None)


_VERDICT_OF = {
    Exit.EXPIRED: Verdict.EXPIRED,
    Exit.REJECTED: Verdict.REJECTED,
    Exit.NEEDS_HUMAN: Verdict.EXPIRED,
    Exit.NO_CREDENTIALS: Verdict.MISSING,
    Exit.CLOCK: Verdict.REJECTED,
    Exit.NETWORK: Verdict.UNREACHABLE,
    Exit.CONFIGURATION: Verdict.MISSING,
}
_DENIALS = frozenset(
    {
        "access-denied",
        "assume-role-denied",
        "sso-role-not-assigned",
        "role-chain-limit",
        "duration-over-role-max",
        "duration-too-short",
        "region-not-enabled",
    }
)
_ABSENT = frozenset({"mfa-required", "sso-token-missing"})


def _verdict(s: Snapshot, outlook: Forecast, told: Finding | None) -> Verdict:
    """By what was answered; where the root cause is what a text tells, or nobody was asked, by that."""
    if told is not None:
        if told.code in _DENIALS:
            return Verdict.DENIED
        return Verdict.MISSING if told.code in _ABSENT else _VERDICT_OF[CODES[told.code].exit]
    match s.state:
        case State.WORKS:
            soon = s.end is not None and s.end - s.true_now < _EXPIRING and not outlook.renews_itself
            return Verdict.EXPIRING if soon else Verdict.WORKS
        case State.UNKNOWN:
            return Verdict.UNKNOWN
        case State.EXPIRED:
            return Verdict.EXPIRED
        case State.REJECTED:
            return Verdict.REJECTED
        case State.DENIED:
            return Verdict.DENIED
        case State.UNREACHABLE:
            return Verdict.UNREACHABLE
        case State.MISSING:
            return Verdict.MISSING


def forecast(s: Snapshot) -> Forecast:
    """What ends the credentials first, and whether that comes before `until`."""
    by, at, renews = _limit(s)
    if s.state not in (State.WORKS, State.UNKNOWN):
        ended_at = at if at is not None and at <= s.true_now else s.true_now
        return Forecast(s.until, None if s.until is None else False, ended_at, by or "session", renews)
    lasts = None if s.until is None else _lasts(by, at, s.until)
    return Forecast(s.until, lasts, at, by, renews)


def _lasts(by: str | None, at: datetime | None, until: datetime) -> bool | None:
    if by is None:
        return True
    return None if at is None else at >= until


def _limit(s: Snapshot) -> tuple[str | None, datetime | None, bool]:
    """(what ends them first, when, whether something renews them until then)."""
    winner = s.winner
    if winner is None:
        return None, None, False
    if s.role_arn and s.winner is not None and s.winner.method != "assume-role":
        return _role_by_hand(s, winner)
    if winner.static:
        held = s.credentials
        if held is not None and held.kind is KeyKind.LONG_TERM and not held.session_token and s.end is None:
            return None, None, True
        return "static-copy", s.end, False
    if winner.interactive:
        return "mfa", s.end, False
    return _fetched(s, winner)


def _role_by_hand(s: Snapshot, source: Candidate) -> tuple[str | None, datetime | None, bool]:
    if source.static and source.has_token:
        return "source-session", _with_source(s, source.expiration), False
    return _fetched(s, source)


def _fetched(s: Snapshot, winner: Candidate) -> tuple[str | None, datetime | None, bool]:
    base = winner.base
    if base.static:
        if not base.has_token:
            return None, None, True
        return "source-session", _with_source(s, base.expiration), False
    if base.method == "sso":
        token = s.token
        if token is None or token.refreshable:
            at = token.registration_expires_at if token is not None else None
            return ("sso-portal-session", at, True) if at is not None else (None, None, True)
        return "sso-portal-session", _with_source(s, token.expires_at), True
    if base.method == "assume-role-with-web-identity":
        token = s.token
        if token is not None and token.expires_at is not None and not token.refreshable:
            return "web-identity-token", _with_source(s, token.expires_at), True
        return None, None, True
    if base.method == "custom-process" and s.credentials is not None and s.credentials.expiration is None:
        if s.credentials.kind is KeyKind.TEMPORARY or s.credentials.session_token:
            return "process", s.end, False
        return None, None, True
    if base.method == "login":
        return "login-session", s.token.expires_at if s.token is not None else None, True
    return None, None, True


def _with_source(s: Snapshot, source_end: datetime | None) -> datetime | None:
    """When the last session ends that a source which ends itself can still give."""
    if source_end is None:
        return None
    now = s.true_now
    lifetime = s.end - (s.issued_at or now) if s.end is not None else timedelta(hours=1)
    if lifetime <= timedelta(0):
        return source_end
    return last_session_end(now, lifetime, source_end, held_until=s.end)


def _identity(s: Snapshot) -> Mapping[str, str | None]:
    answer, credentials = s.answer, s.credentials
    return {
        "arn": answer.arn if answer is not None else None,
        "account": (answer.account if answer is not None else None)
        or (credentials.account if credentials is not None else None),
        "user_id": answer.user_id if answer is not None else None,
        "access_key_id": credentials.access_key_id if credentials is not None else None,
        "kind": credentials.kind.value if credentials is not None else None,
    }


def _shadowed(s: Snapshot) -> tuple[Candidate, ...]:
    """The metadata service, which ends every chain, is worth naming only where it is known to be there."""
    return tuple(c for c in s.prediction.shadowed if c.probed or s.platform == "ec2")


def _described(candidate: Candidate, s: Snapshot) -> Mapping[str, Any]:
    renews = candidate.renewable
    if candidate is s.winner and candidate.method == "custom-process" and s.credentials is not None:
        renews = s.credentials.expiration is not None
    return {
        "method": candidate.method,
        "profile": candidate.profile,
        "where": str(candidate.origin),
        "description": candidate.description,
        "renews_itself": renews,
        "role_arn": candidate.value("role_arn"),
        "assumes": s.role_arn if candidate is s.winner else None,
        "hidden": s.hidden is not None and s.hidden.healthy and candidate is s.hidden.candidate,
    }


def _surroundings(s: Snapshot) -> Mapping[str, Any]:
    reach = s.reach
    return {
        "platform": s.platform,
        "region": s.region,
        "pid": s.environment.pid,
        "asked_aws": s.answer is not None,
        "endpoint": s.answer.endpoint if s.answer is not None else None,
        "reach": None
        if reach is None
        else {"stage": reach.stage.value, "detail": reach.detail, "address": reach.address, "proxy": reach.proxy},
    }


def _error(s: Snapshot) -> Mapping[str, str | None] | None:
    if s.seen is not None and (s.seen.code or s.seen.message):
        return {
            "code": s.seen.code,
            "message": s.seen.message,
            "operation": s.seen.operation,
            "service": s.seen.service,
        }
    if s.fetch_error is not None:
        return {
            "code": getattr(s.fetch_error, "aws_code", None),
            "message": s.fetch_error.message,
            "operation": None,
            "service": None,
        }
    if s.answer is not None and s.answer.error is not None:
        return {
            "code": s.answer.aws_code,
            "message": s.answer.message,
            "operation": "GetCallerIdentity",
            "service": "sts",
        }
    return None
