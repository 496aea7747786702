"""The wording of `explain`: what a text shows in a screenful, and a code of AWS's own. (A page: `page_text`.)"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import click

from ..credentials import KeyKind, account_id_of_key, format_timestamp, kind_of_key
from ..freshness import remaining
from ..reference import page as pages
from ..reference.ranking import words
from ..reference.told import told

if TYPE_CHECKING:
    from ..reference.match import Match
    from ..reference.models import AwsError
    from ..reference.signed_urls import SignedUrl

__all__ = ["aws_lines", "match_lines", "other_lines"]

WIDTH = 80
_MOST_CAUSES = 4
_MOST_ALSO = 12


def match_lines(matches: list[Match], now: datetime, *, log: bool) -> Iterator[str]:
    """The answer first, then why it is likely, then what to look at; other errors of the same text in a line each."""
    best = matches[0]
    page = pages.load(best.page) if best.page else None
    yield from _headline(best, page, now)
    yield from _where(best, page, log)
    if best.url is not None:
        yield from _url(best.url, now)
    yield from _facts(best)
    yield from _causes(best, page)
    if best.look_at:
        yield from _row("look at", best.look_at[0])
        for more in best.look_at[1:]:
            yield from _row("", more)
    if page is not None:
        yield from _row("new keys", f"{page.renewing}: {page.renewing_why}")
    for number, other in enumerate(matches[1:]):
        if number == _MOST_ALSO:
            yield from _row("also", f"{len(matches) - 1 - number} more")
            break
        yield from _row("also", f"{other.code or other.message or other.ailment}{_count(other)}")
    if best.page or best.url is not None:
        yield from _row("more", f"unexpire explain {best.page or 'presigned-url-expired'}")


def _headline(best: Match, page: pages.Page | None, now: datetime) -> Iterator[str]:
    refused = best.ailment in ("signed-url-denied", "signed-url-bad")
    if best.url is not None and (best.ailment is None or refused):
        left = remaining(best.url.ends_at, now)
        text = f"HTTP {best.status} for a presigned URL" if refused else "a presigned URL"
        if best.url.ends_at is not None and left is not None:
            text += f" that {'ends in ' + words(left) if left else 'ended ' + words(now - best.url.ends_at) + ' ago'}"
    else:
        name = best.code or (page.name if page else None) or "an AWS credential error without a code"
        text = f"{name}: {page.title}" if page else f"{name}: {best.message or 'an AWS credential error'}"
    for number, line in enumerate(textwrap.wrap(text, WIDTH - 2, break_long_words=False)):
        yield click.style(line if not number else "  " + line, bold=True, fg="red")


def _where(best: Match, page: pages.Page | None, log: bool) -> Iterator[str]:
    if log and best.first_line is not None and (best.last_line != 1 or best.count > 1):
        text = (
            f"line {best.first_line}"
            if best.first_line == best.last_line
            else f"lines {best.first_line} to {best.last_line}"
        )
        if best.count > 1:
            text += f", {best.count} times"
        times = dict.fromkeys(time for time in (best.first_time, best.last_time) if time)
        yield from _row("seen", text + (", " + " to ".join(times) if times else ""))
    came = " ".join(filter(None, (best.service, best.operation)))
    status = f"HTTP {best.status}" if best.status else ""
    if came or status:
        yield from _row("from", ", ".join(filter(None, (came, status, best.host))))
    if best.message:
        yield from _row("says", _sentence(best.message, page))
    if best.code and not best.code_printed and best.ailment:
        yield from _row("", "the text does not print the code: this is the one that goes with the sentence")


def _sentence(message: str, page: pages.Page | None) -> str:
    """The service's own sentence, without what a log wrote behind it on the next line."""
    known = [service.message.rstrip(".") for service in page.services] if page else []
    found = [sentence for sentence in known if "…" not in sentence and message.startswith(sentence)]
    if not found:
        return message
    longest = max(found, key=len)
    return longest + ("." if message[len(longest) :].startswith(".") else "")


def _facts(best: Match) -> Iterator[str]:
    for time in best.times:
        yield from _row(time.what, format_timestamp(time.at))
    if best.access_key_id:
        kind = kind_of_key(best.access_key_id)
        account = account_id_of_key(best.access_key_id)
        text = {
            KeyKind.LONG_TERM: "a long-term key",
            KeyKind.TEMPORARY: "a temporary key: needs its session token",
        }.get(kind, "")
        yield from _row("key", f"{best.access_key_id}: {text}{f', account {account}' if account else ''}")


def _url(url: SignedUrl, now: datetime) -> Iterator[str]:
    yield from _row("URL", f"{url.scheme}, {url.host}{url.path}")
    if url.signed_at is not None:
        lifetime = f", for {words(url.lifetime)}" if url.lifetime is not None else ""
        yield from _row("signed", format_timestamp(url.signed_at) + lifetime)
    if url.ends_at is not None:
        left = remaining(url.ends_at, now)
        yield from _row(
            "ends",
            f"{format_timestamp(url.ends_at)}, {'in ' + words(left) if left else words(now - url.ends_at) + ' ago'}",
        )
    if url.signed_headers:
        yield from _row("headers", f"{', '.join(url.signed_headers)} must be sent as they were signed")
    if url.temporary:
        text = "a session signed it: it ends with that session at the latest, whatever it says itself"
        yield from _row("session", text if url.has_session_token else text + "; the session's token is missing from it")


def _causes(best: Match, page: pages.Page | None) -> Iterator[str]:
    if not best.causes:
        return
    yield ""
    shown = best.causes[:_MOST_CAUSES]
    sure = shown[0].why is not None
    head = "Likely causes" if len(shown) > 1 else "Likely cause"
    apart = "" if sure or len(shown) == 1 else " (the text alone does not tell them apart)"
    yield click.style(head, bold=True) + apart
    words_of = told((likely.label for likely in shown), page)
    for number, (likely, (title, tell)) in enumerate(zip(shown, words_of, strict=True), 1):
        yield from _item(f"{number}. ", title)
        if likely.why:
            yield from _item("   ", f"because {likely.why}")
        elif tell:
            yield from _item("   ", f"tell: {tell}")
    yield ""


def other_lines(match: Match | None, error: AwsError | None, named: Mapping[str, str]) -> Iterator[str]:
    """For a text that is none of ours: what it is instead, as far as that is known. `named`: pages whose codes it has, with titles."""
    if match is None:
        yield from textwrap.wrap(
            "Nothing in this text is an AWS credential, signature, clock or token error that unexpire knows.", WIDTH
        )
        yield from _row("try", "a longer part of the log: the reason often stands some lines above the last one")
        for page, title in named.items():
            yield from _row("named", f"{title}: unexpire explain {page}")
        return
    about = ""
    if match.about:
        about = f": {'' if match.about[:1].isupper() else 'it is about '}{match.about}"
    elif match.page:
        about = f": {pages.index()[pages.key(match.page)][2]}"
    yield from textwrap.wrap(f"Not an AWS credential error{about}.", WIDTH)
    if error is not None:
        yield ""
        yield from aws_lines(error)
    if match.page:
        yield from _row("more", f"unexpire explain {match.page}")


def aws_lines(error: AwsError) -> Iterator[str]:
    """A code of AWS's own, with every service's text where they differ."""
    source = "a common error of AWS APIs" if error.common else f"AWS's own text, from botocore {error.version}"
    yield click.style(f"{error.code}: not a credential error that unexpire has a page for", bold=True)
    yield from textwrap.wrap(f"{source}. {_retried(error)}", WIDTH)
    by_text: dict[str, list[str]] = {}
    for use in error.uses:
        status = f" {use.status}" if use.status else ""
        operations = (
            f" ({', '.join(use.operations)}{', …' if use.operation_count > len(use.operations) else ''})"
            if len(error.uses) < 4
            else ""
        )
        by_text.setdefault(use.text or "(no text)", []).append(f"{use.service}{status}{operations}".strip())
    for number, (text, services) in enumerate(sorted(by_text.items(), key=lambda item: -len(item[1]))):
        if number == 5:
            yield f"  … and {len(by_text) - 5} more wordings; --json has all"
            break
        yield ""
        if services != [""]:
            shown = ", ".join(services[:12]) + (f" and {len(services) - 12} more" if len(services) > 12 else "")
            yield from textwrap.wrap(shown, WIDTH)
        yield from textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")


def _retried(error: AwsError) -> str:
    """Whether SDKs send the request again; a name that many services share may be retried for a few of them only."""
    where = [use.service for use in error.uses if use.retryable or (use.status or 0) >= 500]
    if not error.retryable:
        return "SDKs do not retry it."
    if not where or len(where) == len(error.uses):
        return "SDKs retry it by themselves."
    named = ", ".join(where[:4]) + (f" and {len(where) - 4} more" if len(where) > 4 else "")
    return f"SDKs retry it by themselves where {named} {'says' if len(where) == 1 else 'say'} it, not elsewhere."


def _count(match: Match) -> str:
    where = f", line {match.first_line}" if match.first_line else ""
    return f"{where}, {match.count} times" if match.count > 1 else where


def _row(label: str, text: str) -> Iterator[str]:
    lead = f"  {label:<9} "
    first, *rest = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=" " * len(lead),
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [" " * len(lead)]
    yield (click.style(lead, dim=True) if label else lead) + first[len(lead) :]
    yield from rest


def _item(lead: str, text: str) -> Iterator[str]:
    yield from textwrap.wrap(
        text, WIDTH, initial_indent=f"  {lead}", subsequent_indent=" " * (2 + len(lead)), break_long_words=False
    )
