"""From the text of an error, in any tool's wording, to what it is: `match_text`.

A text is flattened (`normalise`), its codes (`formats`) and sentences (`sentences`) are found, what belongs together is joined
(`candidates`), and what tells most is the answer; the others follow it. All of it is a pure function of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ..credentials import format_timestamp
from ..findings import CODES
from .ailments import AILMENT_OF_CODE, AILMENTS
from .candidates import Candidate, as_expected, belongs, candidates, code_of
from .causes import rank
from .evidence import Evidence, Time, gather
from .foreign import false_friend_here, whose
from .models import COMMON
from .normalise import Flat, flatten, seems_cut
from .occurrences import Lines
from .pages_of import page_named, page_of
from .ranking import Likely, Shown
from .sentences import BARE, OTHER
from .services import operation_and_service, refused_headers, refused_url, status_of
from .signed_urls import SignedUrl, signed_urls

__all__ = ["LONGEST", "Match", "as_of", "match_text"]

LONGEST = 1_000_000
"""Characters of one text that are looked at as a whole; longer ones are logs, and `scan` reads those in blocks."""


@dataclass(frozen=True, slots=True)
class Match:
    """One error that a text shows. `aws_auth` false: it is none of AWS credentials, signatures, clocks or tokens, and `about` says
    what it is instead, if that is known."""

    code: str | None
    """As the service writes it; where the text lost it, the one the service gives with that sentence; None if there is none."""
    aws_auth: bool
    ailment: str | None
    """What is wrong, apart from its wording: a key of `ailments.AILMENTS`."""
    causes: tuple[Likely, ...] = ()
    """Likeliest first. A list of one: the text leaves no other. Empty where nothing can be said."""
    expiry_related: bool = False
    service: str | None = None
    operation: str | None = None
    host: str | None = None
    status: int | None = None
    message: str | None = None
    """The sentence by which it was recognised, as the text has it."""
    code_printed: bool = False
    """The text itself names the code."""
    times: tuple[Time, ...] = ()
    access_key_id: str | None = None
    url: SignedUrl | None = None
    page: str | None = None
    """The name of its page in the reference."""
    look_at: tuple[str, ...] = ()
    """What to look at to tell the causes apart, beyond the page."""
    about: str | None = None
    count: int = 1
    first_line: int | None = None
    last_line: int | None = None
    first_time: str | None = None
    """As the text prints it: a log's own zone is the reader's to know."""
    last_time: str | None = None
    tier: int = field(default=OTHER, repr=False)

    def as_json(self) -> dict[str, Any]:
        """A plain object, documented in `docs/cli.md`; never holds a secret."""
        return {
            "code": self.code,
            "aws_auth": self.aws_auth,
            "expiry_related": self.expiry_related,
            "page": self.page,
            "causes": [cause.as_json() for cause in self.causes],
            "service": self.service,
            "operation": self.operation,
            "host": self.host,
            "status": self.status,
            "message": self.message,
            "code_printed": self.code_printed,
            "times": [{"what": time.what, "at": format_timestamp(time.at)} for time in self.times],
            "access_key_id": self.access_key_id,
            "url": self.url.as_json() if self.url else None,
            "look_at": list(self.look_at),
            "about": self.about,
            "count": self.count,
            "first_line": self.first_line,
            "last_line": self.last_line,
            "first_time": self.first_time,
            "last_time": self.last_time,
        }

    def row(self) -> dict[str, Any]:
        """The short form of `explain --jsonl`."""
        return {
            "aws_auth": self.aws_auth,
            "code": self.code,
            "causes": [cause.label for cause in self.causes],
            "expiry_related": self.expiry_related,
        }


def as_of(match: Match, now: datetime) -> Match:
    """The match without the cause that its URL has ended, and that cause's page, where the URL lives still."""
    if match.url is None or match.url.ends_at is None or match.url.ends_at <= now:
        return match
    causes = tuple(cause for cause in match.causes if cause.label != "presigned_url_expired")
    page = page_named(match.code) if match.ailment == "signed-url-denied" else match.page
    return replace(match, causes=causes, page=page)


def match_text(text: str | Iterable[str], *, ours_only: bool = False) -> list[Match]:
    """Every distinct error of the text, the one that tells most first; what is no AWS credential error comes last, if at all.

    `ours_only`: leave that out, and do not spend time on what it is. Empty: nothing in it was recognised. Never raises, whatever
    the text holds.
    """
    whole = (text if isinstance(text, str) else "\n".join(text))[:LONGEST]
    own = _own_words(whole)
    if own is not None:
        return [own]
    flat = flatten(whole)
    found = candidates(flat)
    if seems_cut(whole):
        glued = flatten(whole, cut=True)
        again = candidates(glued)
        if _weight(again) > _weight(found):
            flat, found = glued, again
    if not any(candidate.tier > OTHER for candidate in found):
        found = [*_bare_status(flat), *found] if not any(c.printed for c in found) else found
        nothing = not found or found[0].tier == OTHER
        if ours_only and nothing and next(signed_urls(flat.text), None) is None:
            return []
    matches = _matches(whole, flat, found)
    return [match for match in matches if match.aws_auth] if ours_only else matches


def _own_words(text: str) -> Match | None:
    """A line of our own: ``CODE: meaning``, as `unexpire diagnose` prints it, with a finding's code."""
    name, colon, _ = text.strip(" \n\t✗✓!?").partition(":")
    if not colon or name not in CODES or len(text) > 2_000:
        return None
    return Match(name, True, None, page=page_named(name), code_printed=True, message=CODES[name].meaning)


def _weight(found: list[Candidate]) -> tuple[int, int]:
    """How much a reading of the text tells: words that were cut in two are found in one reading only."""
    known = [candidate for candidate in found if candidate.tier > OTHER]
    points = sum(
        2 * c.tier + (c.rule is not None) + (c.printed and c.code in AILMENTS[c.ailment or ""].codes) for c in known
    )
    return found[0].tier if found else 0, points


def _matches(whole: str, flat: Flat, found: list[Candidate]) -> list[Match]:
    seen = gather(flat)
    elsewhere = whose(flat.lower)
    groups: dict[tuple[str | None, str | None], list[Candidate]] = {}
    for candidate in found:
        groups.setdefault((candidate.ailment, candidate.code), []).append(candidate)
    lines = Lines(whole)
    matches: list[Match] = []
    for members in groups.values():
        if members[0].tier == OTHER and matches:
            break  # an error that is not of this kind is named only where none of this kind is
        members = [member for member in members if not as_expected(member, flat)] or members
        matches.append(_placed(_match(flat, members[0], seen, elsewhere), flat, members, lines))
    if matches and matches[0].aws_auth and matches[0].code is None:
        matches[0] = _with_sum(matches[0], flat.text)
    if not matches:
        matches = _nothing_named(flat, seen, elsewhere)
    return _distinct(match for match in matches if match.aws_auth) + [match for match in matches if not match.aws_auth]


_SUMS = re.compile(
    r"(?<![\w/])(?:NoCredentialProviders|CredentialsError|CredentialsProviderError|MissingCredentialsError|SdkClientException"
    r"|AmazonClientException|CredentialRetrievalError|NoValidCredentialSources)(?![\w/])"
)
"""Codes of a client's own, for whatever kept it from credentials: the reason inside is what tells, and has no code."""


def _with_sum(match: Match, text: str) -> Match:
    printed = _SUMS.search(text)
    return match if printed is None else replace(match, code=printed[0], code_printed=True)


def _distinct(matches: Iterable[Match]) -> list[Match]:
    """A summary ("no valid sources found") says nothing new beside its own reason, and one code needs no second entry."""
    kept: list[Match] = []
    for match in matches:
        if not any((match.code, match.ailment) == (other.code, other.ailment) for other in kept):
            kept.append(match)
    return kept


_FAMILIAR = frozenset(COMMON) | {
    "AccessDenied",
    "AccessDeniedException",
    "InvalidParameter",
    "ThrottlingException",
    "NoSuchBucket",
    "NoSuchKey",
}


_NOTHING_THERE = "HTTP 404 for a signed URL: AWS took the signature, and found nothing at the address"


def _nothing_named(flat: Flat, seen: Evidence, elsewhere: str | None) -> list[Match]:
    if seen.url is not None:
        if refused_url(flat.lower) == "404":
            return [Match(None, False, None, url=seen.url, about=_NOTHING_THERE)]
        url = seen.url
        return [Match(None, True, None, url=url, access_key_id=url.access_key_id, host=url.host, service=url.service)]
    if elsewhere:
        return [Match(None, False, None, about=elsewhere)]
    # A code of AWS's in running text, in no layout: it is named, and nothing is made of it.
    familiar = next((word for word in re.findall(r"\b[A-Z]\w{5,40}\b", flat.text) if word in _FAMILIAR), None)
    return [Match(familiar, False, None, page=page_named(familiar))] if familiar else []


_REFUSED_URL = {"403": "signed-url-denied", "400": "signed-url-bad"}
_REFUSED_HEADERS = {"403": "s3-head-denied", "400": "s3-head"}


def _bare_status(flat: Flat) -> list[Candidate]:
    """Nothing but a status, of a signed URL or from a host of AWS: an error of this kind is possible, and no more can be said."""
    for refused, ailments in ((refused_url, _REFUSED_URL), (refused_headers, _REFUSED_HEADERS)):
        status = refused(flat.lower)
        if status in ailments:
            return [Candidate(ailments[status], f"HTTP{status}", 0, 0, BARE, True)]
    if status_of(flat.text) not in (401, 403) or operation_and_service(flat.text)[2] is None:
        return []
    return [Candidate("denied-status", None, 0, 0, BARE, False)]


def _match(flat: Flat, best: Candidate, seen: Evidence, elsewhere: str | None) -> Match:
    operation, service, host = operation_and_service(flat.text, best.start)
    if best.mention and best.mention.operation:
        operation = best.mention.operation
    code = code_of(best, service, flat)
    status = best.mention.status if best.mention and best.mention.status else status_of(flat.text)
    if status is None and code and code.removeprefix("HTTP").isdigit():
        status = int(code.removeprefix("HTTP"))
    facts: dict[str, Any] = {
        "service": service,
        "operation": operation,
        "host": host,
        "status": status,
        "message": _sentence(flat.text, best) if best.rule else None,
        "code_printed": best.printed,
        "tier": best.tier,
    }
    friend = false_friend_here(code, service, operation) if code else None
    if best.ailment is None or friend:
        page = (
            None
            if elsewhere or (friend and code in AILMENT_OF_CODE)
            else page_named(best.rule.ailment.removeprefix("page:") if best.rule else code)
        )
        return Match(code, False, None, about=friend or elsewhere, page=page, **facts)
    if elsewhere and not elsewhere.startswith("TLS"):
        return Match(code, False, None, about=elsewhere, **facts)
    if not belongs(best, flat, service):
        return Match(code, False, None, **facts)
    ranking = rank(Shown(best.ailment, code, service, operation, status, seen))
    causes = ranking.done()
    return Match(
        code,
        True,
        best.ailment,
        causes,
        ranking.expiry,
        times=seen.times,
        access_key_id=seen.access_key_id or (seen.url.access_key_id if seen.url else None),
        url=seen.url,
        page=page_of(best.ailment, code, flat.lower),
        look_at=tuple(dict.fromkeys(ranking.look_at)),
        **facts,
    )


_ENDS = (" (Service: ", "</", '"', "\\", " at ", " status code: ", " - <", " Traceback", "{", "}", "\t", " from /")


def _sentence(text: str, best: Candidate) -> str:
    """The whole sentence round what was recognised: people search for it, and its rest holds numbers and names."""
    assert best.rule is not None
    match = best.rule.pattern.search(text.lower()[best.start : best.end + 1]) if best.start < best.end else None
    begin = best.start + (match.start() if match else 0)
    head = text[max(0, begin - 120) : begin]
    cut = (
        max(head.rfind(sign) + len(sign) for sign in (": ", ">", '"', "'", " - ", "(", ". ") if sign in head)
        if any(sign in head for sign in (": ", ">", '"', "'", " - ", "(", ". "))
        else 0
    )
    tail = text[best.end : best.end + 240]
    stops = [place for sign in _ENDS if (place := tail.find(sign)) >= 0]
    return (head[cut:] + text[begin : best.end] + tail[: min(stops, default=len(tail))]).strip()[:400]


def _placed(match: Match, flat: Flat, members: list[Candidate], lines: Lines) -> Match:
    numbers = sorted({flat.line_of(member.start) for member in members})
    count, first_time, last_time = lines.occurrences(numbers)
    return replace(
        match, count=count, first_line=numbers[0], last_line=numbers[-1], first_time=first_time, last_time=last_time
    )
