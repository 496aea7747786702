"""Static keys: do they fit together, are they over, what do they hide?"""

from __future__ import annotations

from collections.abc import Iterator

from ...credentials import KeyKind, format_timestamp
from ...findings import Action, Evidence, Finding, Remedy, Severity
from ...providers.candidate import Candidate
from .. import remedies
from ..snapshot import SIGNATURE_CODES, Snapshot, State
from ..spoken import ago, span_short

__all__ = ["check_session"]


def check_session(s: Snapshot) -> Iterator[Finding]:
    """Findings about the static keys that win the chain; nothing for a source that fetches."""
    winner = s.winner
    if winner is None or not winner.static or s.credentials is None or s.role_arn:
        return
    if s.state is State.UNREACHABLE:
        return
    misfit = _misfit(s, winner)
    if misfit is not None and s.state in (State.EXPIRED, State.REJECTED, State.DENIED):
        yield misfit
    elif s.state is State.EXPIRED:
        yield from _ended(s, winner)
    elif s.state is State.REJECTED:
        yield _rejected(s, winner)
    elif s.state is not State.MISSING and s.credentials.kind is KeyKind.TEMPORARY:
        yield from _alive(s, winner)


def _misfit(s: Snapshot, winner: Candidate) -> Finding | None:
    """A token that does not belong to the key, or none where one must be."""
    credentials = s.credentials
    assert credentials is not None
    if credentials.kind is KeyKind.LONG_TERM and credentials.session_token:
        return _leftover(s, winner, "a long-term key (AKIA) never has a session token")
    if credentials.kind is KeyKind.TEMPORARY and not credentials.session_token:
        return Finding(
            "missing-session-token",
            f"{credentials.access_key_id} is a temporary key (ASIA) and comes without its session token",
            (Evidence("access key id", credentials.access_key_id, str(winner.origin)),),
            _complete(s, winner),
            Severity.ERROR,
        )
    if s.token_of is not None:
        return _leftover(s, winner, f"it belongs to the key in {s.token_of}")
    both = s.environment.get("AWS_SECURITY_TOKEN"), s.environment.get("AWS_SESSION_TOKEN")
    if winner.method == "env" and both[0] and both[1] and both[0].value != both[1].value:
        return _leftover(
            s,
            winner,
            "AWS_SECURITY_TOKEN and AWS_SESSION_TOKEN differ, and the older name wins",
            ("AWS_SECURITY_TOKEN",),
        )
    return None


def _leftover(s: Snapshot, winner: Candidate, why: str, names: tuple[str, ...] = ()) -> Finding:
    assert s.credentials is not None
    if winner.method == "env":
        set_ones = names or remedies.variables_of(s, ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"))
        where, remedy = (
            " ".join(set_ones),
            remedies.for_variables(s, f"remove {' and '.join(set_ones)}", then=winner, names=set_ones),
        )
    else:
        token = winner.settings.get("aws_session_token")
        where = str(token.origin) if token is not None else str(winner.origin)
        remedy = remedies.remove_token(s, winner, winner)
    return Finding(
        "leftover-session-token",
        f"a session token of another session stands beside {s.credentials.access_key_id}: {why}",
        (
            Evidence("access key id", s.credentials.access_key_id, str(winner.origin)),
            Evidence("session token", "set", where),
        ),
        remedy,
        Severity.ERROR,
    )


def _complete(s: Snapshot, winner: Candidate) -> Remedy:
    if winner.method == "env":
        return remedies.by_human(
            "copy all three values of the session, the token as well",
            'export AWS_SESSION_TOKEN="…"',
            never=(f"unexpire run --profile NAME -- {s.command}",),
        )
    return remedies.copy_in_file(s, winner)


def _ended(s: Snapshot, winner: Candidate) -> Iterator[Finding]:
    """The keys are over: the root cause is what they hide, or that nothing renews them."""
    evidence = _end_evidence(s, winner)
    frozen = winner.method == "env" and s.environment.variables.get("AWS_CREDENTIAL_EXPIRATION")
    if s.hidden is not None and s.hidden.healthy:
        behind = s.hidden.candidate
        remedy = (
            remedies.for_variables(
                s, f"unset the copy, and {behind.description} is used", then=behind, names=remedies.variables_of(s)
            )
            if winner.method == "env"
            else remedies.uncover(s, winner, behind)
        )
        yield Finding(
            "shadowed-source",
            f"a dead copy of a session ({winner.origin}) hides {behind.description}, which renews itself",
            (*evidence, Evidence("hidden source", behind.description, str(behind.origin))),
            remedy,
            Severity.ERROR,
        )
        yield Finding("static-session", f"{winner.description} is a static copy", evidence, None, Severity.NOTE)
    elif frozen:
        yield _frozen(s, winner, evidence, frozen)
    elif winner.method in ("env", "shared-credentials-file", "config-file", "ec2-credentials-file", "boto-config"):
        yield Finding(
            "static-session",
            "a static copy of a session: nothing can renew it",
            evidence,
            _renewal(s, winner),
            Severity.ERROR,
        )
    else:
        yield Finding("expired-session", "the session is over", evidence, _renewal(s, winner), Severity.ERROR)
    if s.hidden is not None and not s.hidden.healthy:
        error = s.hidden.error or s.hidden.candidate.problem
        yield Finding(
            "shadowed-source",
            f"it also hides {s.hidden.candidate.description}, which does not work either: {error}",
            (Evidence("hidden source", s.hidden.candidate.description, str(s.hidden.candidate.origin)),),
            None,
            Severity.NOTE,
        )


def _frozen(s: Snapshot, winner: Candidate, evidence: tuple[Evidence, ...], frozen: str) -> Finding:
    told = (*evidence, Evidence("AWS_CREDENTIAL_EXPIRATION", frozen, "AWS_CREDENTIAL_EXPIRATION"))
    alive = s.answer is not None and s.answer.error is None
    if alive or (s.credentials is not None and not s.credentials.session_token):
        # AWS takes the keys, or would: it is the SDK that never sends them.
        return Finding(
            "frozen-expiration",
            "AWS_CREDENTIAL_EXPIRATION is over, so SDKs refuse keys that AWS still takes",
            told,
            remedies.for_variables(
                s, "remove AWS_CREDENTIAL_EXPIRATION", then=winner, names=("AWS_CREDENTIAL_EXPIRATION",)
            ),
            Severity.ERROR,
        )
    return Finding(
        "frozen-expiration",
        "AWS_CREDENTIAL_EXPIRATION is over, and the environment it stands in cannot give new keys",
        told,
        _renewal(s, winner),
        Severity.ERROR,
    )


def _renewal(s: Snapshot, winner: Candidate) -> Remedy:
    if winner.method != "env":
        return remedies.copy_in_file(s, winner)
    if s.likely is None:
        return remedies.for_variables(s, "take a new session from where these three values came from")
    source = s.likely.candidate
    name = source.profile or "default"
    remedy = remedies.for_variables(
        s, f"unset them and use profile {name} ({s.likely.why})", then=source, names=remedies.variables_of(s)
    )
    if s.environment.pid is not None:
        return remedy
    return Remedy(
        remedy.action,
        f"take a new session from profile {name} ({s.likely.why})",
        (f'eval "$(unexpire env {remedies.reference_of(source, s)})"',),
        remedy.never,
        {**remedy.parameters, "from": name},
    )


def _end_evidence(s: Snapshot, winner: Candidate) -> tuple[Evidence, ...]:
    assert s.credentials is not None
    found = [Evidence("access key id", s.credentials.access_key_id, str(winner.origin))]
    if s.end is not None:
        source = s.known_end.known_from if s.known_end else str(winner.origin)
        found.append(Evidence("ended", format_timestamp(s.end), source))
    if s.answer is not None and s.answer.aws_code:
        found.append(Evidence("answer of AWS", s.answer.aws_code, s.answer.endpoint))
    return tuple(found)


def _rejected(s: Snapshot, winner: Candidate) -> Finding:
    assert s.credentials is not None
    answer = s.answer
    code = (answer.aws_code if answer else None) or ""
    evidence = [Evidence("access key id", s.credentials.access_key_id, str(winner.origin))]
    if answer is not None:
        evidence.append(Evidence("answer of AWS", f"{code}: {answer.message}", answer.endpoint))
    if answer is not None and answer.error is not None and answer.error.finding in ("clock-skew", "region-not-enabled"):
        # Their own checks say it better.
        return Finding("key-rejected", f"AWS answers {code}", tuple(evidence), None, Severity.NOTE)
    if s.works_in_other_region:
        return Finding("key-rejected", f"AWS answers {code} in {s.region}", tuple(evidence), None, Severity.NOTE)
    if code in SIGNATURE_CODES:
        return Finding(
            "wrong-secret",
            f"the secret does not belong to {s.credentials.access_key_id}",
            tuple(evidence),
            remedies.by_human(
                "enter the key pair again: a secret with + or / is easily cut when it is pasted",
                f"aws configure --profile {winner.profile}" if winner.profile else "export AWS_SECRET_ACCESS_KEY=…",
            ),
            Severity.ERROR,
        )
    long_term = s.credentials.kind is KeyKind.LONG_TERM
    return Finding(
        "key-rejected",
        f"AWS does not know {s.credentials.access_key_id}, or it is inactive"
        if long_term
        else f"AWS does not know {s.credentials.access_key_id} with this token: revoked, long over, or of another partition",
        tuple(evidence),
        remedies.by_human(
            "look the key up, and make a new one where it is gone",
            "aws iam list-access-keys",
            f"aws configure --profile {winner.profile}" if winner.profile else "aws configure",
        )
        if long_term
        else _renewal(s, winner),
        Severity.ERROR,
    )


def _alive(s: Snapshot, winner: Candidate) -> Iterator[Finding]:
    """It works and nothing renews it: worth knowing, wrong with nothing."""
    end = (
        f"it ends {ago(s.end, s.true_now)}" + (f", it lasts {span_short(s.end - s.issued_at)}" if s.issued_at else "")
        if s.end is not None
        else "nothing here says when it ends"
    )
    yield Finding(
        "static-session",
        f"a static copy of a session, which nothing renews: {end}",
        _end_evidence(s, winner),
        Remedy(Action.HUMAN, "let a source that renews itself stand behind it", (), (_better_run(s),)),
        Severity.NOTE,
    )
    if s.hidden is not None:
        behind = s.hidden.candidate
        yield Finding(
            "shadowed-source",
            f"it hides {behind.description}, which renews itself",
            (Evidence("hidden source", behind.description, str(behind.origin)),),
            None,
            Severity.NOTE,
        )


def _better_run(s: Snapshot) -> str:
    if s.hidden is not None:
        return remedies.run_line(s.hidden.candidate, s)
    if s.likely is not None:
        return remedies.run_line(s.likely.candidate, s)
    return f"unexpire run --profile NAME -- {s.command}"
