"""The clock of this machine against AWS's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from ...findings import Evidence, Finding, Severity
from .. import remedies
from ..snapshot import Snapshot, State
from ..spoken import span

__all__ = ["check_clock"]

# What AWS tolerates, by the messages of its refusals: "- 5 min." of most JSON services, "- 15 min." of STS and S3.
_STRICTEST = timedelta(minutes=5)
_LOOSEST = timedelta(minutes=15)
_WORTH_A_NOTE = timedelta(seconds=30)


def check_clock(s: Snapshot) -> Iterator[Finding]:
    """An error where AWS refused because of it, a warning beyond the strictest tolerance, a note below."""
    refused = any(
        error is not None and error.finding == "clock-skew"
        for error in (s.fetch_error, s.answer.error if s.answer else None)
    )
    offset = s.clock_offset
    if offset is None:
        if refused and s.fetch_error is None:
            seen = Evidence("answer of AWS", s.answer.aws_code or "" if s.answer else "", None)
            yield _finding("the clock of this machine is off: AWS refuses what it signs", (seen,), Severity.ERROR)
        return
    if abs(offset) < _WORTH_A_NOTE and not refused:
        return
    direction = "behind" if offset > timedelta(0) else "ahead of"
    evidence = (Evidence("offset", f"{offset.total_seconds():+.0f} s", "Date of AWS's answer"),)
    said = f"the clock of this machine is {span(offset)} {direction} AWS's"
    if refused or (abs(offset) >= _LOOSEST and s.state is not State.WORKS):
        yield _finding(said, evidence, Severity.ERROR)
    elif abs(offset) >= _STRICTEST:
        yield _finding(
            f"{said}: services that tolerate 5 minutes refuse it, and renewals come at the wrong time",
            evidence,
            Severity.WARNING,
        )
    else:
        yield _finding(f"{said}, within what AWS tolerates", evidence, Severity.NOTE)


def _finding(summary: str, evidence: tuple[Evidence, ...], severity: Severity) -> Finding:
    remedy = remedies.by_human("set the clock", "sudo chronyc makestep", "sudo timedatectl set-ntp true")
    return Finding("clock-skew", summary, evidence, remedy, severity)
