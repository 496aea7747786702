"""The wording that the commands share: a diagnosis in five lines, a plan, a note. 80 columns; colour only on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import click

from ..diagnosis.snapshot import EXPIRED_CODES
from ..diagnosis.spoken import ago, clock_time, span_short
from ..findings import CODES, Diagnosis, Evidence, Finding, Severity, Verdict

__all__ = ["diagnosis_lines", "row", "rows"]

WIDTH = 80
_LABEL = 9
_MARKS = {
    Verdict.WORKS: ("✓", "green"),
    Verdict.EXPIRING: ("!", "yellow"),
    Verdict.UNKNOWN: ("?", "yellow"),
}

_SESSION_CAUSES = frozenset({"static-session", "shadowed-source", "expired-session", "frozen-expiration"})


def diagnosis_lines(diagnosis: Diagnosis, *, verbose: bool = False) -> Iterable[str]:
    """The answer as lines; the first one alone says what is the matter."""
    mark, colour = _MARKS.get(diagnosis.verdict, ("✗", "red"))
    if diagnosis.root_cause is not None and diagnosis.verdict is Verdict.WORKS:
        mark, colour = "!", "yellow"
    headline, says_cause = _headline(diagnosis)
    first, *rest = textwrap.wrap(headline, WIDTH - 2, subsequent_indent="", break_on_hyphens=False)
    yield click.style(f"{mark} {first}", fg=colour, bold=True)
    for line in rest:
        yield click.style(f"  {line}", fg=colour, bold=True)
    who = _who(diagnosis)
    if who:
        yield from row("who", who)
    origin = _origin(diagnosis)
    if origin:
        yield from row("from", origin)
    root = diagnosis.root_cause
    if root is not None:
        yield from row("why", CODES[root.code].meaning if says_cause else root.summary)
        yield from _remedy_rows(root)
    yield from _forecast_rows(diagnosis)
    for finding in diagnosis.findings:
        if finding is root or (
            finding.weight is Severity.NOTE and finding.code == "static-session" and root is not None
        ):
            continue
        yield from row("also" if finding.weight is not Severity.NOTE else "note", finding.summary)
        if verbose and finding.remedy is not None:
            yield from rows("", finding.remedy.now)
    if verbose:
        yield from _evidence_rows(diagnosis)
    if root is not None:
        yield from row("more", f"unexpire explain {root.code}", command=True)


def _headline(d: Diagnosis) -> tuple[str, bool]:
    """The first line, and whether it already tells the root cause in its own words."""
    root = d.root_cause
    code = d.error.get("code") if d.error else None
    if root is None or root.code == "ends-too-soon":
        return _healthy(d, root), root is not None
    if d.verdict is Verdict.EXPIRED and root.code in _SESSION_CAUSES:
        return f"{code if code in EXPIRED_CODES else 'expired'}: {_ended(d)}", False
    return f"{code or root.code}: {root.summary}", True


def _ended(d: Diagnosis) -> str:
    now = d.seen_at
    if d.expires_at is None:
        return "this session is over (nothing here tells since when)"
    lasted = f", it lasted {span_short(d.expires_at - d.issued_at)}" if d.issued_at is not None else ""
    if d.expires_at > now:
        return "AWS ended this session before its time"
    return f"this session ended {ago(d.expires_at, now)} ({clock_time(d.expires_at, now)}{lasted})"


def _healthy(d: Diagnosis, root: Finding | None) -> str:
    now = d.seen_at
    if d.verdict is Verdict.UNKNOWN:
        said = "not asked: nothing here tells when these credentials end"
    elif d.expires_at is None:
        said = "works, and does not end" if d.forecast.ended_by is None else "works; nothing here tells when it ends"
    else:
        lasts = f", it lasts {span_short(d.expires_at - d.issued_at)}" if d.issued_at is not None else ""
        said = f"works until {clock_time(d.expires_at, now)} ({ago(d.expires_at, now)}{lasts})"
        said += ", then renews itself" if d.forecast.renews_itself else ", and nothing renews it"
    return f"{said}; {root.summary}" if root is not None else said


def _who(d: Diagnosis) -> str:
    """The identity that AWS named, else what the key itself says."""
    arn, account = d.identity.get("arn"), d.identity.get("account")
    name = arn.split(":", 5)[-1] if arn else None
    key = d.identity.get("access_key_id")
    kind = d.identity.get("kind")
    if name:
        return f"{name} in account {account}"
    if key:
        return f"{kind} key {key}" + (f" of account {account}" if account else "")
    return ""


def _origin(d: Diagnosis) -> str:
    if d.source is None:
        return ""
    said = f"{d.source['description']}"
    where = d.source["where"]
    if where and where not in said:
        said += f" ({where})"
    if d.source.get("assumes"):
        said = f"{d.source['assumes']}, assumed with {said}"
    if d.source["renews_itself"]:
        return said
    behind = [item for item in d.shadowed if item["renews_itself"]] or list(d.shadowed)
    if behind:
        verb = ", which renews itself" if behind[0]["renews_itself"] else ""
        more = f" and {len(d.shadowed) - 1} more" if len(d.shadowed) > 1 else ""
        where = behind[0]["where"]
        named = behind[0]["description"] + (f" ({where})" if where not in behind[0]["description"] else "")
        said += f"; it hides {named}{more}{verb}"
    return said


def _remedy_rows(root: Finding) -> Iterable[str]:
    if root.remedy is None:
        return
    if not root.remedy.now:
        yield from row("now", root.remedy.summary)
    yield from rows("now", root.remedy.now)
    yield from rows("never", root.remedy.never)


def _forecast_rows(d: Diagnosis) -> Iterable[str]:
    f = d.forecast
    if f.until is None:
        return
    if f.lasts:
        yield from row("lasts", f"yes, until {clock_time(f.until, d.seen_at)} and beyond")
    elif d.verdict in (Verdict.WORKS, Verdict.EXPIRING, Verdict.UNKNOWN):
        end = f"no, only until {clock_time(f.ends_at, d.seen_at)}" if f.ends_at is not None else "that cannot be told"
        yield from row("lasts", end)


def _evidence_rows(d: Diagnosis) -> Iterable[str]:
    for finding in d.findings:
        for item in finding.evidence:
            yield from row("seen", _evidence(item))
    if d.clock_offset_s is not None:
        yield from row("clock", f"{d.clock_offset_s:+.0f} s against AWS")


def _evidence(item: Evidence) -> str:
    return f"{item.what}: {item.value}" + (f" ({item.where})" if item.where else "")


def rows(label: str, lines: Iterable[str]) -> Iterable[str]:
    """Lines to type: the label stands before the first."""
    for line in lines:
        yield from row(label, line, command=True)
        label = ""


def row(label: str, text: str, *, command: bool = False) -> Iterable[str]:
    """``label  text``, wrapped with a hanging indent; what can be typed is never broken."""
    head = click.style(f"  {label:<{_LABEL - 2}}", dim=True)
    if command:
        yield head + click.style(text, fg="cyan")
        return
    lines = textwrap.wrap(text, WIDTH - _LABEL, break_on_hyphens=False, break_long_words=False) or [""]
    yield head + lines[0]
    for line in lines[1:]:
        yield " " * _LABEL + line
