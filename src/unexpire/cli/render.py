"""The wording that the commands share: a diagnosis in five lines, a plan, a note. 80 columns; colour only on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import click

from ..diagnosis.snapshot import EXPIRED_CODES
from ..diagnosis.spoken import ago, clock_time, span_short
from ..findings import CODES, Action, Diagnosis, Evidence, Finding, Severity, Verdict

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
        if not (says_cause and _of_text(root)):  # the headline ends in what the text means
            yield from row("why", CODES[root.code].meaning if says_cause else root.summary)
        yield from _place(root, headline + origin)
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
    if d.verdict in _FINE and (root is None or root.code == "ends-too-soon"):
        return _healthy(d, root), root is not None
    if root is None:
        return f"{d.verdict.value}: {code or 'no more is known'}", False
    if d.verdict is Verdict.EXPIRED and root.code in _SESSION_CAUSES and not _of_text(root):
        return f"{code if code in EXPIRED_CODES else 'expired'}: {_ended(d, root)}", False
    name = root.code if code is None or code in root.summary else code
    return f"{name}: {root.summary}", True


_FINE = (Verdict.WORKS, Verdict.EXPIRING, Verdict.UNKNOWN)


def _of_text(root: Finding) -> bool:
    """The text tells of it: the end of the credentials at hand is another matter."""
    return any(item.what == "in the text" for item in root.evidence)


def _ended(d: Diagnosis, root: Finding) -> str:
    now = d.seen_at
    if d.expires_at is None:
        return "this session is over (nothing here tells since when)"
    lasted = f", it lasted {span_short(d.expires_at - d.issued_at)}" if d.issued_at is not None else ""
    if d.expires_at > now:
        return f"AWS ended this session before its time, which was {clock_time(d.expires_at, now)}"
    if root.code == "frozen-expiration" and d.identity.get("arn"):
        return f"AWS_CREDENTIAL_EXPIRATION says that this ended {ago(d.expires_at, now)}, and SDKs believe it"
    return f"this session ended {ago(d.expires_at, now)} ({clock_time(d.expires_at, now)}{lasted})"


def _healthy(d: Diagnosis, root: Finding | None) -> str:
    now = d.seen_at
    asked = bool(d.environment.get("asked_aws"))
    works = "works" if asked else "AWS was not asked"
    if d.verdict is Verdict.UNKNOWN:
        renews = d.source is not None and d.source["renews_itself"]
        said = "AWS was not asked, and nothing here speaks against " + (
            "this source, which renews itself" if renews else "these credentials"
        )
    elif d.expires_at is None:
        said = (
            f"{works}, and does not end" if d.forecast.ended_by is None else f"{works}; nothing here tells when it ends"
        )
    else:
        lasts = f", it lasts {span_short(d.expires_at - d.issued_at)}" if d.issued_at is not None else ""
        until = f"until {clock_time(d.expires_at, now)} ({ago(d.expires_at, now)}{lasts})"
        said = f"works {until}" if asked else f"AWS was not asked; this lasts {until}"
        said += ", then renews itself" if d.forecast.renews_itself else ", and nothing renews it"
    return f"{said}; {root.summary}" if root is not None else said


def _place(root: Finding, said: str) -> Iterable[str]:
    """The file:line or variable that the root cause stands in, unless it was named already."""
    if root.code in _SESSION_CAUSES and not _of_text(root):
        return  # the keys stand where `from` says; what else was looked at is for --verbose
    for item in root.evidence:
        where = item.where
        if where and where not in said and where not in root.summary and "://" not in where and where[:1] in "~/.A":
            yield from row("where", where)
            return


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
    behind = next((item for item in d.shadowed if item["hidden"]), None)
    if behind is not None:
        where = behind["where"]
        named = behind["description"] + (f" ({where})" if where not in behind["description"] else "")
        said += f"; it hides {named}, which renews itself"
    return said


def _remedy_rows(root: Finding) -> Iterable[str]:
    if root.remedy is None:
        return
    told = root.remedy.action in (Action.EDIT, Action.HUMAN) and root.remedy.summary not in (
        root.summary,
        CODES[root.code].meaning,
    )
    if told or not root.remedy.now:
        yield from row("do", root.remedy.summary)
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
