"""A text that was given: an error, a log, a presigned URL, joined with what the environment shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...credentials import format_timestamp
from ...findings import CODES, Action, Evidence, Exit, Finding, Remedy, Severity
from ...providers.candidate import Candidate
from .. import remedies
from ..seen import Presigned
from ..snapshot import EXPIRED_CODES, Snapshot, State
from ..spoken import ago, span
from .bedrock import CODE, bedrock_key

__all__ = ["check_text"]

_OF_A_URL = frozenset({"presigned-url-expired", "presigned-session-ended"})


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
    code = seen.finding
    if s.seen_source is not None and s.seen_source is not s.winner and code in ("expired-session", "source-expired"):
        yield _of_source(s, s.seen_source)
        return
    if code is None or _environment_explains(s, code, others):
        return
    source = _source(s, code)
    words = ": ".join(filter(None, (seen.code, seen.message)))
    evidence = [Evidence("in the text", words or code, seen.operation or seen.service)]
    if code == CODE and s.bedrock is not None:
        yield bedrock_key(s, s.bedrock, Severity.ERROR, *evidence)
        return
    if seen.when:
        evidence.append(Evidence("last seen", seen.when, f"{seen.count} times" if seen.count > 1 else None))
    if seen.access_key_id:
        evidence.append(Evidence("access key id", seen.access_key_id, "in the text"))
    if source is not None:
        evidence.append(Evidence("it must have been", source.description, str(source.origin)))
    yield Finding(code, _summary(s, code, source), tuple(evidence), _remedy(s, code, source), Severity.ERROR)


def _source(s: Snapshot, code: str) -> Candidate | None:
    """Which of the user's sources it must have been: the one at hand where it is of that kind, else the only one of the kind."""
    if s.seen_source is not None:
        return s.seen_source
    if s.seen is not None and s.seen.about is not None:
        return None  # the finding is only the nearest one
    fits = _KINDS.get(code)
    if fits is None:
        return None
    if s.winner is not None and fits(s.winner):
        return s.winner
    those = [candidate for candidate in s.known if fits(candidate)]
    return those[0] if len(those) == 1 else None


_KINDS: dict[str, Callable[[Candidate], bool]] = {
    "source-expired": lambda c: c.method == "assume-role" and c.base.has_token,
    "assume-role-denied": lambda c: c.method in ("assume-role", "assume-role-with-web-identity"),
    "role-chain-limit": lambda c: (
        c.method == "assume-role" and c.source is not None and c.source.method == "assume-role"
    ),
    "duration-over-role-max": lambda c: c.value("duration_seconds") is not None,
    "duration-too-short": lambda c: c.value("duration_seconds") is not None,
    "mfa-required": lambda c: c.interactive,
    "sso-login-needed": lambda c: c.base.method == "sso",
    "sso-token-missing": lambda c: c.base.method == "sso",
    "sso-legacy-config": lambda c: c.base.method == "sso" and not c.base.value("sso_session"),
    "sso-registration-expired": lambda c: c.base.method == "sso",
    "sso-role-not-assigned": lambda c: c.method == "sso",
    "web-identity-token-expired": lambda c: c.base.method == "assume-role-with-web-identity",
    "web-identity-token-missing": lambda c: c.base.method == "assume-role-with-web-identity",
    "process-failed": lambda c: c.base.method == "custom-process",
    "process-bad-output": lambda c: c.base.method == "custom-process",
    "login-needed": lambda c: c.base.method == "login",
    "metadata-unreachable": lambda c: c.base.method == "iam-role",
    "container-refused": lambda c: c.base.method == "container-role",
}


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


def _environment_explains(s: Snapshot, code: str, others: tuple[Finding, ...]) -> bool:
    """Whether the environment's own root cause is of the same kind, so that the text adds a witness and nothing more."""
    if code in _OF_A_URL or s.state in (State.WORKS, State.UNKNOWN):
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


_LOGINS = frozenset(
    {"sso-login-needed", "sso-token-missing", "sso-legacy-config", "sso-registration-expired", "login-needed"}
)
_SESSIONS = frozenset({"static-session", "shadowed-source", "frozen-expiration", "source-expired", "metadata-stale"})
_MORE_PRECISE = {
    "expired-session": _LOGINS
    | _SESSIONS
    | {
        "mfa-required",
        "web-identity-token-expired",
        "process-no-expiration",
        "process-bad-output",
        "leftover-session-token",
    },
    "source-expired": _LOGINS | _SESSIONS | {"mfa-required", "web-identity-token-expired", "leftover-session-token"},
    "key-rejected": _SESSIONS
    | {
        "missing-session-token",
        "leftover-session-token",
        "region-not-enabled",
        "wrong-secret",
        "config-invalid",
        "clock-skew",
    },
    "wrong-secret": frozenset({"config-invalid", "clock-skew"}),
    "missing-session-token": frozenset({"key-rejected", "leftover-session-token"}),
    "no-credentials": _LOGINS
    | {"partial-credentials", "profile-not-found", "config-invalid", "metadata-unreachable", "container-refused"},
    "metadata-unreachable": _LOGINS | {"no-credentials", "profile-not-found", "config-invalid", "partial-credentials"},
    "sso-login-needed": _LOGINS,
    "region-not-enabled": frozenset({"config-invalid"}),
    "config-invalid": frozenset({"partial-credentials", "no-credentials"}) | _LOGINS,
}


def _presigned(s: Snapshot, url: Presigned) -> Finding | None:
    now = s.true_now
    evidence = [Evidence("good until", format_timestamp(url.ends_at)), Evidence("access key id", url.access_key_id)]
    after = ""
    if url.signed_at is not None:
        evidence.insert(0, Evidence("signed", format_timestamp(url.signed_at), "X-Amz-Date"))
        after = f", {span(url.ends_at - url.signed_at)} after it was signed"
    run = (f"unexpire run --profile NAME -- {s.command}",)
    if url.ends_at <= now:
        return Finding(
            "presigned-url-expired",
            f"the URL ended {ago(url.ends_at, now)}{after}",
            tuple(evidence),
            remedies.by_human("sign a new one", "aws s3 presign s3://BUCKET/KEY --expires-in 3600"),
            Severity.ERROR,
        )
    own = s.credentials.access_key_id if s.credentials is not None else None
    ended = s.seen is not None and (
        s.seen.code in EXPIRED_CODES
        or (s.seen.expired_at is not None and s.seen.expired_at <= now)
        or (own == url.access_key_id and s.state is State.EXPIRED)
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


def _summary(s: Snapshot, code: str, source: Candidate | None) -> str:
    seen = s.seen
    assert seen is not None
    what = f"{seen.operation or seen.service or 'the call'} failed with {seen.code or 'this error'}"
    if seen.about is not None:
        return f"{what}: {seen.about}"
    if source is not None:
        what += f"; it must have been {source.description}"
    elif s.state is State.WORKS and CODES[code].exit is Exit.EXPIRED:
        what += "; the credentials found here work now, so the program had others, or older ones"
    return f"{what}: {CODES[code].meaning}"


def _remedy(s: Snapshot, code: str, source: Candidate | None) -> Remedy:
    page = s.seen.page if s.seen is not None and s.seen.page else code
    explain = f"unexpire explain {page}"
    if s.seen is not None and s.seen.about is not None and code != "expired-session":
        return remedies.by_human(CODES[code].meaning, explain)
    if code in _SIGN_IN:
        action = Action.LOGIN if code == "login-needed" else Action.SSO_LOGIN
        if source is not None:
            return remedies.login(s, source.base, action=action)
        line = "aws login" if action is Action.LOGIN else "aws sso login --profile NAME"
        return remedies.by_human("log in again", line, explain)
    if code == "source-expired" and source is not None and source.base.static and source.base.method != "env":
        return remedies.copy_in_file(s, source.base)
    if code == "mfa-required" and source is not None:
        return remedies.by_human("type an MFA code", f"unexpire fix {remedies.reference_of(source, s)}".rstrip())
    if CODES[code].exit is Exit.EXPIRED and s.state is State.WORKS:
        run = remedies.run_line(s.winner, s)
        return remedies.by_human(
            "start the program again, and let it ask for credentials instead of holding a copy", run, never=(run,)
        )
    if source is not None and source.profile:
        return remedies.by_human(
            CODES[code].meaning, f"unexpire diagnose {remedies.reference_of(source, s)}".rstrip(), explain
        )
    return remedies.by_human(CODES[code].meaning, explain)


_SIGN_IN = frozenset(
    {"sso-login-needed", "sso-token-missing", "sso-registration-expired", "sso-legacy-config", "login-needed"}
)
