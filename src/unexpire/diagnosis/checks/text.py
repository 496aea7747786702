"""A text that was given: an error, a log, a presigned URL, joined with what the environment shows."""

from __future__ import annotations

from collections.abc import Iterator

from ...credentials import format_timestamp
from ...findings import CODES, Evidence, Finding, Remedy, Severity
from ...providers.candidate import Candidate
from .. import remedies
from ..seen import Presigned
from ..snapshot import EXPIRED_CODES, Snapshot, State
from ..spoken import ago, span

__all__ = ["check_text"]

# What a root cause that the reference tells from a text is called here.
_CODE_OF_CAUSE = {
    "expired_static_copy": "expired-session",
    "expired_mid_run": "expired-session",
    "refresher_stale": "expired-session",
    "sso_login_required": "sso-login-needed",
    "sso_cache_mismatch": "sso-token-missing",
    "login_required": "login-needed",
    "web_identity_token_expired": "web-identity-token-expired",
    "oidc_provider_config": "config-invalid",
    "clock_skew": "clock-skew",
    "request_delayed": "clock-skew",
    "presigned_url_expired": "presigned-url-expired",
    "presigned_session_expired": "presigned-session-ended",
    "bad_access_key": "key-rejected",
    "bad_secret_key": "wrong-secret",
    "missing_session_token": "missing-session-token",
    "stale_session_token": "leftover-session-token",
    "no_credentials": "no-credentials",
    "config_incomplete": "config-invalid",
    "metadata_unreachable": "metadata-unreachable",
    "wrong_region_or_partition": "region-not-enabled",
    "duration_limit": "duration-over-role-max",
    "trust_policy": "assume-role-denied",
    "permission_denied": "access-denied",
    "mfa_failed": "mfa-required",
    "idp_unreachable": "endpoint-unreachable",
    "signing_or_proxy": "wrong-secret",
}
_NEVER_BY_ENVIRONMENT = frozenset({"presigned-url-expired", "presigned-session-ended"})


def check_text(s: Snapshot, others: tuple[Finding, ...]) -> Iterator[Finding]:
    """What the text says, unless the environment already shows the same trouble more precisely."""
    seen = s.seen
    if seen is None:
        return
    if seen.presigned is not None:
        url = _presigned(s, seen.presigned)
        if url is not None:
            yield url
            return
    code = _code_of(s)
    if s.seen_source is not None and s.seen_source is not s.winner and code == "expired-session":
        yield _of_source(s, s.seen_source)
        return
    if code is None or _environment_explains(s, code, others):
        return
    evidence = [
        Evidence("in the text", ": ".join(filter(None, (seen.code, seen.message))), seen.operation or seen.service)
    ]
    if seen.access_key_id:
        evidence.append(Evidence("access key id", seen.access_key_id, "in the text"))
    yield Finding(code, _summary(s, code), tuple(evidence), _remedy(s, code), Severity.ERROR)


def _of_source(s: Snapshot, source: Candidate) -> Finding:
    """The text names a key, and the key stands here: it was this source."""
    seen = s.seen
    assert seen is not None
    evidence = (
        Evidence("in the text", seen.code or "", seen.operation or seen.service),
        Evidence("access key id", source.access_key_id or "", str(source.origin)),
    )
    remedy = (
        remedies.for_variables(s, "take the dead copy out of the environment", names=remedies.variables_of(s))
        if source.method == "env"
        else remedies.copy_in_file(s, source)
    )
    return Finding(
        "static-session", f"it was {source.description}, which nothing renews", evidence, remedy, Severity.ERROR
    )


def _code_of(s: Snapshot) -> str | None:
    seen = s.seen
    assert seen is not None
    message = seen.message or ""
    if "role chaining" in message:
        return "role-chain-limit"
    if seen.code in EXPIRED_CODES and seen.operation in ("AssumeRole", "AssumeRoot"):
        return "source-expired"
    if seen.code == "ProfileNotFound":
        return "profile-not-found"
    if seen.code == "PartialCredentials":
        return "partial-credentials"
    for cause in seen.causes:
        code = _CODE_OF_CAUSE.get(cause)
        if code in CODES:
            return code
    return "expired-session" if seen.code in EXPIRED_CODES else None


def _environment_explains(s: Snapshot, code: str, others: tuple[Finding, ...]) -> bool:
    """Whether the environment's own root cause is of the same kind, so that the text adds a witness and nothing more."""
    if code in _NEVER_BY_ENVIRONMENT or s.state in (State.WORKS, State.UNKNOWN):
        return False
    seen = s.seen
    own = s.credentials.access_key_id if s.credentials is not None else None
    if seen is not None and seen.access_key_id and own and seen.access_key_id != own:
        return False
    same_exit = CODES[code].exit
    return any(
        f.weight is Severity.ERROR and (CODES[f.code].exit == same_exit or f.code in _MORE_PRECISE.get(code, ()))
        for f in others
    )


_MORE_PRECISE = {
    "expired-session": frozenset(
        {"sso-login-needed", "sso-legacy-config", "source-expired", "shadowed-source", "metadata-stale"}
    ),
    "source-expired": frozenset({"sso-login-needed", "sso-legacy-config", "static-session", "shadowed-source"}),
    "key-rejected": frozenset(
        {"missing-session-token", "leftover-session-token", "region-not-enabled", "static-session", "shadowed-source"}
    ),
    "missing-session-token": frozenset({"key-rejected", "leftover-session-token"}),
    "no-credentials": frozenset(
        {"partial-credentials", "profile-not-found", "sso-token-missing", "sso-login-needed", "config-invalid"}
    ),
}


def _presigned(s: Snapshot, url: Presigned) -> Finding | None:
    now = s.true_now
    evidence = [
        Evidence("signed", format_timestamp(url.signed_at), "X-Amz-Date"),
        Evidence("good until", format_timestamp(url.ends_at), "X-Amz-Expires"),
        Evidence("access key id", url.access_key_id, "X-Amz-Credential"),
    ]
    run = (f"unexpire run --profile NAME -- {s.command}",)
    if url.ends_at <= now:
        return Finding(
            "presigned-url-expired",
            f"the URL ended {ago(url.ends_at, now)}, {span(url.ends_at - url.signed_at)} after it was signed",
            tuple(evidence),
            remedies.by_human("sign a new one", "aws s3 presign s3://BUCKET/KEY --expires-in 3600"),
            Severity.ERROR,
        )
    ended = s.seen is not None and (
        s.seen.code in EXPIRED_CODES or (s.seen.expired_at is not None and s.seen.expired_at <= now)
    )
    if ended:
        return Finding(
            "presigned-session-ended",
            "the session that signed the URL is over: a URL ends with the session, whatever X-Amz-Expires says",
            tuple(evidence),
            remedies.by_human(
                "sign it again, from a session that lasts longer, or late", "aws s3 presign s3://BUCKET/KEY", never=run
            ),
            Severity.ERROR,
        )
    if (
        url.has_session_token
        and s.seen is not None
        and s.seen.expired_at is not None
        and s.seen.expired_at < url.ends_at
    ):
        return Finding(
            "presigned-session-ended",
            f"the URL will end with its session {ago(s.seen.expired_at, now)}, before its own end {ago(url.ends_at, now)}",
            tuple(evidence),
            None,
            Severity.WARNING,
        )
    return None


def _summary(s: Snapshot, code: str) -> str:
    seen = s.seen
    assert seen is not None
    what = f"{seen.operation or seen.service or 'the call'} failed with {seen.code or 'this error'}"
    if s.state is State.WORKS:
        what += "; the credentials found here work now, so the program had others, or older ones"
    return f"{what}: {CODES[code].meaning}"


def _remedy(s: Snapshot, code: str) -> Remedy:
    page = s.seen.page if s.seen is not None and s.seen.page else code
    if CODES[code].exit.name == "EXPIRED" and s.state is State.WORKS:
        return remedies.by_human(
            "start the program again, and let it ask for credentials instead of holding a copy",
            remedies.run_line(s.winner, s),
            never=(remedies.run_line(s.winner, s),),
        )
    return remedies.by_human(CODES[code].meaning, f"unexpire explain {page}")
