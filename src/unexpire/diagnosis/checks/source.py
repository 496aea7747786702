"""Sources that fetch: the one that wins could not deliver; why, and what to type."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator

from ...credentials import KeyKind, kind_of_key
from ...errors import InteractionRequired, UnexpireError
from ...findings import CODES, Action, Evidence, Finding, Remedy, Severity
from ...providers.aws import UnusableWay
from ...providers.candidate import Candidate
from ...providers.imds import TURNED_OFF
from .. import remedies
from ..snapshot import SIGNATURE_CODES, Snapshot, State
from .network import OF_THE_WAY

__all__ = ["check_source", "last_resort"]


def check_source(s: Snapshot) -> Iterator[Finding]:
    """What the winner answered instead of credentials, named as the provider named it; or what is wrong with those it gave."""
    error = s.fetch_error
    if error is None:
        if s.frozen and s.winner is not None and (not s.winner.static or s.role_arn):
            yield _frozen(s, s.winner.base)
        elif s.winner is not None and (not s.winner.static or s.role_arn):
            yield from _given(s, s.winner)
        return
    code = _code_of(s)
    if code in OF_THE_WAY or isinstance(error, UnusableWay):
        return  # the network's own check says it better
    if code == "clock-skew" and s.clock_offset is not None:
        return
    winner = s.winner
    evidence = [Evidence("source", winner.description, str(winner.origin))] if winner is not None else []
    if winner is not None and winner.base is not winner and code in _OF_THE_BASE:
        base = winner.base
        evidence.insert(0, Evidence("what signs", base.access_key_id or base.description, str(base.origin)))
    aws_code = getattr(error, "aws_code", None)
    if aws_code:
        evidence.append(Evidence("answer of AWS", aws_code, error.where))
    elif error.where:
        evidence.append(Evidence("seen", error.message, error.where))
    if not evidence:
        evidence.append(Evidence("seen", error.message, None))
    remedy = _REMEDIES[code](s, winner) if code in _REMEDIES else None
    yield Finding(code, _summary(s, code), tuple(evidence), remedy or _by_hint(error, code), Severity.ERROR)


def last_resort(s: Snapshot) -> Finding:
    """Whatever it was, it is no good: the finding where no check has a better one."""
    error = s.fetch_error or (s.answer.error if s.answer is not None else None)
    code = {
        State.EXPIRED: "expired-session",
        State.REJECTED: "key-rejected",
        State.DENIED: "access-denied",
        State.UNREACHABLE: "endpoint-unreachable",
    }.get(s.state, "no-credentials")
    if error is not None and error.finding in CODES:
        code = error.finding or code
    where = (error.where if error is not None else None) or (str(s.winner.origin) if s.winner is not None else None)
    said = error.message if error is not None else CODES[code].meaning
    remedy = _by_hint(error, code) if error is not None else remedies.by_human(CODES[code].meaning)
    return Finding(code, said, (Evidence("seen", said, where),), remedy, Severity.ERROR)


_OF_THE_BASE = frozenset(
    {"source-expired", "key-rejected", "wrong-secret", "missing-session-token", "leftover-session-token"}
)


def _summary(s: Snapshot, code: str) -> str:
    error, base = s.fetch_error, s.winner.base if s.winner is not None else None
    assert error is not None
    if base is None or base.access_key_id is None:
        return error.message
    if code == "source-expired" and base.static and s.winner is not None:
        role = s.role_arn or s.winner.description
        return f"the session that signs for {role} is over: {base.description}"
    if code == "leftover-session-token":
        return f"a session token of another session stands beside {base.access_key_id}, which signs for the role"
    if code == "missing-session-token":
        return f"{base.access_key_id}, which signs for the role, is a temporary key (ASIA) and comes without its session token"
    return error.message


def _by_hint(error: UnexpireError, code: str) -> Remedy:
    told = remedies.correction(error)
    if error.hint and told.now and told.now[0] == error.hint:
        return remedies.by_human(CODES[code].meaning, *told.now)
    return remedies.by_human(error.hint or CODES[code].meaning, *told.now)


def _frozen(s: Snapshot, base: Candidate) -> Finding:
    end = s.environment.variables.get("AWS_CREDENTIAL_EXPIRATION", "")
    return Finding(
        "frozen-expiration",
        "AWS_CREDENTIAL_EXPIRATION is over, and the environment it stands in cannot give new keys",
        (Evidence("AWS_CREDENTIAL_EXPIRATION", end, "AWS_CREDENTIAL_EXPIRATION"),),
        remedies.for_variables(s, "renew the session in the environment", names=remedies.variables_of(s)),
        Severity.ERROR,
    )


def _given(s: Snapshot, winner: Candidate) -> Iterator[Finding]:
    """The source delivered, and AWS does not take what it gave."""
    held, answer, base = s.credentials, s.answer, winner.base
    if held is None or s.state not in (State.EXPIRED, State.REJECTED):
        return
    said = answer.aws_code if answer is not None else None
    evidence = (
        Evidence("access key id", held.access_key_id, str(winner.origin)),
        Evidence("answer of AWS", said or "none", answer.endpoint if answer is not None else None),
    )
    what = winner.description
    if answer is not None and answer.error is not None and answer.error.finding in ("clock-skew", "region-not-enabled"):
        return
    if winner.method == "custom-process" and held.expiration is None and held.session_token and not s.misfit:
        return  # check_configuration: process-no-expiration
    if s.misfit and held.kind is KeyKind.LONG_TERM:
        code, summary = "leftover-session-token", f"{what} gives a long-term key together with a session token"
    elif s.misfit:
        code, summary = "missing-session-token", f"{what} gives a temporary key without its session token"
    elif s.state is State.EXPIRED and base.method in ("container-role", "iam-role") and base is winner:
        code, summary = "metadata-stale", f"{what} hands out credentials that are over"
    elif s.state is State.EXPIRED and winner.method == "custom-process":
        code, summary = "process-bad-output", f"{what} hands out a session that is over, with an Expiration that is not"
    elif s.state is State.EXPIRED:
        code, summary = "expired-session", f"{what} gave a session that AWS calls over"
    elif said in SIGNATURE_CODES:
        code, summary = "wrong-secret", f"{what} gives {held.access_key_id} with a secret that is not its own"
    else:
        code, summary = "key-rejected", f"AWS does not know {held.access_key_id}, which {what} gives"
    yield Finding(code, summary, evidence, _at_the_source(s, winner), Severity.ERROR)


def _at_the_source(s: Snapshot, winner: Candidate) -> Remedy:
    profile = shlex.quote(_profile(winner))
    if winner.method == "custom-process":
        return remedies.by_human(
            "correct what the process prints", f"aws configure get credential_process --profile {profile}"
        )
    if winner.method == "container-role":
        return remedies.by_human("look at what serves the endpoint", "echo $AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if winner.method == "iam-role":
        return remedies.by_human(
            "look at the clock, then at the health of the instance", "aws ec2 describe-instance-status"
        )
    return remedies.by_human("fetch a new session", "unexpire forget --all", f"unexpire diagnose --profile {profile}")


def _code_of(s: Snapshot) -> str:
    error = s.fetch_error
    assert error is not None
    code = error.finding if error.finding in CODES else None
    base = s.winner.base if s.winner is not None else None
    if code in ("key-rejected", "source-expired") and base is not None and base.static and base.access_key_id:
        # AWS says "invalid" of a key that comes with somebody else's token, and "expired" where that token is.
        long_term = kind_of_key(base.access_key_id) is KeyKind.LONG_TERM
        if long_term and base.has_token:
            return "leftover-session-token"
        if not long_term and not base.has_token:
            return "missing-session-token"
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


def _duration(summary: str) -> _Maker:
    def make(s: Snapshot, winner: Candidate | None) -> Remedy:
        if s.role_arn:
            line = f"unexpire diagnose --role-arn {shlex.quote(s.role_arn)} --duration 1h"
            return remedies.edit_line(f"{summary}: --duration 1h", line, never=(remedies.run_line(winner, s),))
        setting = next(
            (c.settings["duration_seconds"] for c in _chain(winner) if "duration_seconds" in c.settings), None
        )
        place = remedies.editor(str(setting.origin)) if setting is not None else None
        return remedies.edit_line(
            f"{summary}: duration_seconds = 3600", *((place,) if place else ()), never=(remedies.run_line(winner, s),)
        )

    return make


def _chain(candidate: Candidate | None) -> Iterator[Candidate]:
    while candidate is not None:
        yield candidate
        candidate = candidate.source


def _keys(s: Snapshot, winner: Candidate | None) -> Remedy:
    """A long-term key that AWS does not know, or with a wrong secret, which signs for a role."""
    base = winner.base if winner is not None else None
    if base is None or base.method == "env":
        return remedies.by_human("set a key that AWS knows", "export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…")
    return remedies.by_human("enter the key pair again", f"aws configure --profile {shlex.quote(_profile(base))}")


def _token_left(s: Snapshot, winner: Candidate | None) -> Remedy:
    base = winner.base if winner is not None else None
    if base is None or base.method == "env":
        names = remedies.variables_of(s, ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"))
        return remedies.for_variables(s, f"remove {' and '.join(names)}", then=winner, names=names)
    return remedies.remove_token(s, base, winner)


def _token_missing(s: Snapshot, winner: Candidate | None) -> Remedy:
    base = winner.base if winner is not None else None
    if base is None or base.method == "env":
        return remedies.by_human("copy all three values of the session", 'export AWS_SESSION_TOKEN="…"')
    return remedies.copy_in_file(s, base)


def _no_role(s: Snapshot, winner: Candidate | None) -> Remedy:
    arn = s.role_arn or (winner.value("role_arn") if winner is not None else None) or "NAME"
    name = arn.rpartition("/")[2]
    return remedies.by_human(
        f"have the trust policy of {name} name this identity (with its ExternalId or MFA condition), and allow it sts:AssumeRole",
        f"aws iam get-role --role-name {shlex.quote(name)}",
    )


def _process(s: Snapshot, winner: Candidate | None) -> Remedy:
    profile = shlex.quote(_profile(winner.base if winner is not None else None))
    return remedies.by_human(
        "run the command of the profile by hand and see what it prints",
        f"aws configure get credential_process --profile {profile}",
    )


def _metadata(s: Snapshot, winner: Candidate | None) -> Remedy:
    endpoint = s.fetch_error.where if s.fetch_error is not None and s.fetch_error.where else "http://169.254.169.254"
    ttl = "X-aws-ec2-metadata-token-ttl-seconds: 60"
    if s.fetch_error is not None and s.fetch_error.hint == TURNED_OFF:
        return remedies.by_human(
            "turn the service on for this instance, or keep a proxy out of the way",
            "aws ec2 modify-instance-metadata-options --http-endpoint enabled --instance-id ID",
            "export NO_PROXY=169.254.169.254",
        )
    return remedies.by_human(
        "see whether the service answers; in a container on EC2, raise the hop limit of the instance to 2",
        f"curl -sS -m 2 -o /dev/null -w '%{{http_code}}' -X PUT -H '{ttl}' {endpoint}/latest/api/token",
        "aws ec2 modify-instance-metadata-options --http-put-response-hop-limit 2 --instance-id ID",
    )


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
    "role-chain-limit": _duration("ask for an hour, which every role gives"),
    "duration-over-role-max": _duration("ask for an hour, which every role gives"),
    "duration-too-short": _duration("ask for an hour"),
    "sso-role-not-assigned": _assignments,
    "key-rejected": _keys,
    "wrong-secret": _keys,
    "leftover-session-token": _token_left,
    "missing-session-token": _token_missing,
    "assume-role-denied": _no_role,
    "process-failed": _process,
    "process-bad-output": _process,
    "metadata-unreachable": _metadata,
    "metadata-stale": lambda s, c: _at_the_source(s, c) if c is not None else None,
}


def _sso_of(candidate: Candidate | None) -> Candidate | None:
    return candidate.base if candidate is not None else None
