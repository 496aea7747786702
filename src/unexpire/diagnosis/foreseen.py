"""What fetching from a source would certainly end with, told without asking it: by its settings, by the ends that stand written."""

from __future__ import annotations

from ..credentials import KeyKind, format_timestamp, kind_of_key
from ..errors import InteractionRequired, RefreshFailed, UnexpireError
from ..providers.candidate import Candidate
from .snapshot import KnownEnd, Token

__all__ = ["foreseen"]


def foreseen(winner: Candidate, token: Token | None, base_end: KnownEnd | None, *, over: bool) -> UnexpireError | None:
    """The error that the source cannot but give; None where only asking tells.

    `token` is the login or the web identity token behind it, `base_end` the known end of a static copy that signs for it, and `over`
    whether that end is past.
    """
    current: Candidate | None = winner
    while current is not None:
        if current.problem is not None and not _harmless(current):
            return current.problem
        current = current.source
    if winner.interactive:
        asking = next(c for c in _chain(winner) if c.value("mfa_serial"))
        return InteractionRequired(
            f"{asking.description} needs an MFA code of {asking.value('mfa_serial')}",
            interaction="mfa",
            where=str(asking.origin),
            finding="mfa-required",
        )
    base = winner.base
    if base.static:
        return _of_keys(base, base_end, over=over)
    if base.method == "sso" and token is not None:
        return _of_login(base, token, over=over)
    if base.method == "assume-role-with-web-identity" and token is not None and over and token.expires_at is not None:
        return RefreshFailed(
            f"the web identity token ended at {format_timestamp(token.expires_at)}, and nobody has written a new one",
            retryable=False,
            where=token.where,
            finding="web-identity-token-expired",
        )
    return None


def _chain(candidate: Candidate) -> list[Candidate]:
    found = [candidate]
    while found[-1].source is not None:
        found.append(found[-1].source)
    return found


def _harmless(candidate: Candidate) -> bool:
    """A duration that is no number: SDKs drop it, and get the hour that STS gives by default."""
    duration = candidate.value("duration_seconds")
    return (
        candidate.method == "assume-role"
        and duration is not None
        and not duration.strip().lstrip("-").isdigit()
        and candidate.problem is not None
        and candidate.problem.where == str(candidate.settings["duration_seconds"].origin)
    )


def _of_keys(base: Candidate, end: KnownEnd | None, *, over: bool) -> UnexpireError | None:
    where, key = str(base.origin), base.access_key_id or ""
    kind = kind_of_key(key)
    finding = None
    if kind is KeyKind.LONG_TERM and base.has_token:
        finding, message = "leftover-session-token", f"a session token stands beside {key}, a long-term key"
    elif kind is KeyKind.TEMPORARY and not base.has_token:
        finding, message = (
            "missing-session-token",
            f"{key} is a temporary key (ASIA) and comes without its session token",
        )
    elif over and end is not None:
        finding, message = "source-expired", f"the session that signs ended at {format_timestamp(end.expiration)}"
    return None if finding is None else RefreshFailed(message, retryable=False, where=where, finding=finding)


def _of_login(base: Candidate, token: Token, *, over: bool) -> UnexpireError | None:
    name = base.value("sso_session") or base.value("sso_start_url") or "SSO"
    finding = None
    if not token.exists:
        finding, message = "sso-token-missing", f"nobody has logged in to {name} on this machine"
    elif over and token.expires_at is not None:
        ended = f"the SSO login of {name} ended at {format_timestamp(token.expires_at)}"
        if not base.value("sso_session"):
            finding, message = "sso-legacy-config", f"{ended}, and without an sso-session nothing renews it"
        elif not token.refreshable:
            finding, message = "sso-login-needed", f"{ended}, and it has no refresh token"
        elif token.registration_over:
            finding, message = "sso-registration-expired", f"{ended}, and so did the registration of the SSO client"
    if finding is None:
        return None
    return InteractionRequired(message, interaction="sso-login", where=str(base.origin), finding=finding)
