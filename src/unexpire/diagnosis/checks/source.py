"""Sources that fetch: the one that wins could not deliver; why, and what to type."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...errors import InteractionRequired
from ...findings import CODES, Action, Evidence, Finding, Remedy, Severity
from ...providers.candidate import Candidate
from .. import remedies
from ..snapshot import Snapshot

__all__ = ["check_source"]


def check_source(s: Snapshot) -> Iterator[Finding]:
    """One finding for what the winner answered instead of credentials, named as the provider named it."""
    error = s.fetch_error
    if error is None:
        return
    code = _code_of(s)
    winner = s.winner
    evidence = [Evidence("source", winner.description, str(winner.origin))] if winner is not None else []
    aws_code = getattr(error, "aws_code", None)
    if aws_code:
        evidence.append(Evidence("answer of AWS", aws_code, error.where))
    elif error.where:
        evidence.append(Evidence("seen", error.message, error.where))
    remedy = _REMEDIES[code](s, winner) if code in _REMEDIES else None
    if remedy is None:
        remedy = remedies.by_human(CODES[code].meaning, *((error.hint,) if error.hint else ()))
    yield Finding(code, error.message, tuple(evidence), remedy, Severity.ERROR)


def _code_of(s: Snapshot) -> str:
    error = s.fetch_error
    assert error is not None
    code = error.finding if error.finding in CODES else None
    if isinstance(error, InteractionRequired) and code is None:
        code = {"mfa": "mfa-required", "sso-login": "sso-login-needed", "login": "login-needed"}[error.interaction]
    if code is None:
        code = (
            "no-credentials"
            if s.winner is None
            else "endpoint-unreachable"
            if getattr(error, "retryable", False)
            else "access-denied"
        )
    if code == "metadata-unreachable" and not _metadata_expected(s):
        # The chain ends at the metadata service on every machine; that it is not there is no news where nothing points to it.
        return "no-credentials"
    return code


def _metadata_expected(s: Snapshot) -> bool:
    winner = s.winner
    return (
        s.platform in ("ec2", "cloudshell")
        or (winner is not None and winner.method != "iam-role")
        or bool(s.environment.variables.get("AWS_EC2_METADATA_SERVICE_ENDPOINT"))
        or bool(s.environment.variables.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"))
    )


_Maker = Callable[[Snapshot, "Candidate | None"], "Remedy | None"]


def _profile(candidate: Candidate | None) -> str:
    return (candidate.profile if candidate is not None else None) or "default"


def _sso_legacy(s: Snapshot, winner: Candidate | None) -> Remedy:
    again = remedies.login(s, winner)
    return Remedy(
        again.action,
        "log in again now; an [sso-session] section lets the token renew itself from then on",
        again.now,
        (f"aws configure sso --profile {_profile(winner)}", *again.never),
        again.parameters,
    )


def _source_expired(s: Snapshot, winner: Candidate | None) -> Remedy:
    base = winner.base if winner is not None else None
    if base is None or base is winner:
        return remedies.by_human("renew the session that signs for the role")
    if base.method == "env":
        return remedies.for_variables(s, "renew the session in the environment, which signs for the role")
    if base.method == "sso":
        return remedies.login(s, base)
    if base.static:
        return remedies.copy_in_file(s, base)
    return remedies.by_human(f"renew {base.description}", f"unexpire fix {remedies.reference_of(base, s)}".strip())


def _duration(line: str) -> _Maker:
    def make(s: Snapshot, winner: Candidate | None) -> Remedy:
        setting = winner.settings.get("duration_seconds") if winner is not None else None
        where = f" in {setting.origin}" if setting is not None else ""
        return remedies.edit_line(f"ask for less{where}", line, never=(remedies.run_line(winner, s),))

    return make


def _assignments(s: Snapshot, winner: Candidate | None) -> Remedy:
    role = winner.value("sso_role_name") if winner is not None else None
    account = winner.value("sso_account_id") if winner is not None else None
    return remedies.edit_line(
        f"correct sso_role_name and sso_account_id, or have {role} in {account} assigned to your user",
        f"aws configure sso --profile {_profile(winner)}",
    )


_REMEDIES: dict[str, _Maker] = {
    "source-expired": _source_expired,
    "expired-session": _source_expired,
    "sso-login-needed": lambda s, c: remedies.login(s, _sso_of(c)),
    "sso-token-missing": lambda s, c: remedies.login(s, _sso_of(c)),
    "sso-registration-expired": lambda s, c: remedies.login(s, _sso_of(c)),
    "sso-legacy-config": lambda s, c: _sso_legacy(s, _sso_of(c)),
    "login-needed": lambda s, c: remedies.login(s, c.base if c is not None else None, action=Action.LOGIN),
    "mfa-required": lambda s, c: Remedy(
        Action.MFA,
        "type an MFA code",
        (f"unexpire fix {remedies.reference_of(c, s)}".strip(),),
        (remedies.run_line(c, s),),
        {"profile": _profile(c)},
    ),
    "role-chain-limit": _duration("duration_seconds = 3600"),
    "duration-over-role-max": _duration("duration_seconds = 3600"),
    "duration-too-short": _duration("duration_seconds = 3600"),
    "sso-role-not-assigned": _assignments,
}


def _sso_of(candidate: Candidate | None) -> Candidate | None:
    return candidate.base if candidate is not None else None
