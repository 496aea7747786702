"""Settings: what botocore refuses, what stops the chain, and what works today and hurts tomorrow."""

from __future__ import annotations

from collections.abc import Iterator

from ...credentials import KeyKind
from ...errors import ProfileNotFound
from ...findings import CODES, Evidence, Finding, Severity
from ...providers.candidate import Candidate, Standing
from .. import remedies
from ..snapshot import Snapshot, State

__all__ = ["check_configuration"]

# botocore renews 15 minutes before the end (botocore/credentials.py, `_advisory_refresh_timeout`): a session that never has
# more left than that is renewed at every signing.
_LIVELY_SECONDS = 1800


def check_configuration(s: Snapshot) -> Iterator[Finding]:
    """Errors that end the chain, then oddities that are worth a line."""
    yield from _refused(s)
    if s.prediction.error is None and s.winner is None and s.fetch_error is None and s.credentials is None:
        yield _nothing(s)
    for problem in s.environment.settings().problems:
        if not problem.fatal and s.prediction.error is None:
            yield Finding(
                "config-invalid",
                problem.message,
                (Evidence("setting", problem.message, str(problem.origin)),),
                remedies.edit_line(problem.hint, problem.hint) if problem.hint else None,
                Severity.NOTE,
            )
    if s.winner is not None and s.fetch_error is None:
        yield from _tomorrow(s, s.winner)


def _refused(s: Snapshot) -> Iterator[Finding]:
    error = s.prediction.error
    if error is None:
        return
    code = error.finding if error.finding in CODES else "config-invalid"
    assert code is not None
    nearest = f": {error.hint}" if isinstance(error, ProfileNotFound) and error.nearest else ""
    yield Finding(
        code,
        error.message + nearest,
        (Evidence("setting", error.message, error.where),) if error.where else (),
        remedies.edit_line(error.hint, error.hint) if error.hint else None,
        Severity.ERROR,
    )


def _nothing(s: Snapshot) -> Finding:
    """No source at all; half a source is named as such."""
    half = next((c for c in s.prediction.incomplete if c.problem is not None and c.standing is Standing.SKIPPED), None)
    if half is not None and half.problem is not None:
        code = half.problem.finding if half.problem.finding in CODES else "no-credentials"
        assert code is not None
        return Finding(
            code,
            half.problem.message,
            (Evidence("incomplete source", half.description, str(half.origin)),),
            remedies.edit_line(half.problem.hint, half.problem.hint) if half.problem.hint else None,
            Severity.ERROR,
        )
    name = s.prediction.profile_name
    named = f"profile {name.value}" if s.prediction.profile is not None else "no profile"
    others = tuple(sorted(s.environment.settings().profiles))
    now = f"unexpire diagnose --profile {others[0]}" if others else "aws configure"
    return Finding(
        "no-credentials",
        f"no source in the chain has credentials ({named} has none)",
        (Evidence("looked at", "environment, profile, container and instance metadata", str(name.origin)),),
        remedies.edit_line("choose a profile that has credentials" if others else "set up credentials", now),
        Severity.ERROR,
    )


def _tomorrow(s: Snapshot, winner: Candidate) -> Iterator[Finding]:
    """What works now and will hurt: each a warning or a note, never a root cause of today's trouble."""
    for candidate in _with_sources(winner):
        duration = candidate.value("duration_seconds")
        if duration and duration.isdigit() and 900 <= int(duration) < _LIVELY_SECONDS:
            yield Finding(
                "duration-too-short",
                f"duration_seconds = {duration}: SDKs that renew 15 minutes ahead call AssumeRole at every request",
                (Evidence("duration_seconds", duration, str(candidate.settings["duration_seconds"].origin)),),
                remedies.edit_line("ask for an hour", "duration_seconds = 3600"),
                Severity.WARNING,
            )
        if candidate.method == "sso" and not candidate.value("sso_session"):
            yield Finding(
                "sso-legacy-config",
                f"{candidate.description} has no sso_session: its token cannot renew itself",
                (Evidence("sso_start_url", candidate.value("sso_start_url") or "", str(candidate.origin)),),
                remedies.edit_line("move it to an [sso-session]", f"aws configure sso --profile {candidate.profile}"),
                Severity.NOTE,
            )
    if (
        winner.method == "custom-process"
        and s.credentials is not None
        and s.credentials.expiration is None
        and (s.credentials.session_token or s.credentials.kind is KeyKind.TEMPORARY)
    ):
        dead = s.state in (State.EXPIRED, State.REJECTED)
        yield Finding(
            "process-no-expiration",
            "the process gives a session without Expiration: SDKs keep the first one for ever",
            (Evidence("credential_process", "prints no Expiration", str(winner.origin)),),
            remedies.edit_line(
                'have it print "Expiration", or let unexpire stand in for it',
                f"unexpire setup {winner.profile or 'default'}",
                never=(remedies.run_line(winner, s),),
            ),
            Severity.ERROR if dead else Severity.WARNING,
        )


def _with_sources(candidate: Candidate) -> Iterator[Candidate]:
    current: Candidate | None = candidate
    while current is not None:
        yield current
        current = current.source
