"""What a text shows besides code and sentence: times, keys, hosts, and the words that tell one cause from another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from ..credentials import parse_timestamp
from ..regions import OPT_IN_REGIONS
from .normalise import Flat
from .signed_urls import SignedUrl, signed_urls, stamp

__all__ = ["Evidence", "Time", "gather"]

_KEY = re.compile(r"\b(A(?:KIA|SIA|IDA|ROA)[A-Z0-9]{12,124})\b")
_SIGNATURE = re.compile(
    r"signature (expired|not yet current): ?(\d{8}t\d{6}z) is (?:now earlier|still later) than (\d{8}t\d{6}z)"
    r"(?: \((\d{8}t\d{6}z) [+-] (\d{1,4}) min)?"
)
_TOKEN = re.compile(r"current date/time ?(\d{9,11})\D{1,60}?expiration date/time ?(\d{9,11})")
_COGNITO = re.compile(r"token expired: ?(\d{9,11}) >= (\d{9,11})")
_SKEW = re.compile(r"<requesttime> ?([^<]{8,40})</requesttime>.{0,80}?<servertime> ?([^<]{8,40})</servertime>")
_URL_ENDED = re.compile(r"<expires> ?([^<]{6,40})</expires>.{0,80}?<servertime> ?([^<]{8,40})</servertime>")
_REGION = re.compile(
    r"\b(?:us|eu|ap|sa|ca|me|af|il|mx|cn)-(?:gov-)?(?:north|south|east|west|central|northeast|northwest|southeast|southwest)-\d\b"
)
_XML_DOCUMENT = re.compile(r"<error> ?<code>")
_SDK = re.compile(
    r"aws http error|traceback|operation error|\bat com\.|\bat \w+ \(|sdk|botocore|exception|operation:|request id:"
)
_LOGGED = re.compile(
    r"\berrors?\b|\bwarn|fail|resulted in a `|response code|response payload|body text|\.(?:cpp|go|py|rb|js):\w"
)  # a program's own words before S3's
_METADATA = re.compile(
    r"169\.254\.169\.254|169\.254\.170\.(?:2|23)\b|fd00:ec2|ec2imds|imds|instance metadata"
    r"|instance-?profile|container-role|iam-role|metadata service"
)
_UNREACHABLE = re.compile(
    r"connection refused|econnrefused|timed? ?out|etimedout|deadline exceeded|no route to host|ehostunreach|ehostdown"
    r"|enetunreach|unreachable|connection reset|canceled|max retries exceeded"
    r"|failed to connect(?! to s3 \()|host is down|socketerror|exceeded maximum number of attempts"
)
_RUNNING = re.compile(
    r"(?:sav(?:e|ing)|upload|persist(?:ing)?|writing|releas(?:e|ing)) (?:the )?(?:state|lock|remote state)|state lock"
    r"|still (?:creating|modifying|destroying)"
    r"|\breal\s+(?:1[5-9]|[2-9]\d|\d{3,})m[\d.,]+s\b"  # the shell's `time`, of a command of 15 minutes or more
    r"|after (?:\d+|an?|one) ?h(?:ou)?rs?\b|failed to (?:upload|save|persist) state|part ?number|errored\.tfstate"
)


_WORKSTATION = re.compile(
    r"(?<![\w.])/users/[\w.-]{1,60}/|/private/(?:tmp|var)\b|\b[c-z]:[/\\]+users[/\\]|/applications/\S{1,60}\.app/"
)


@dataclass(frozen=True, slots=True)
class Time:
    """A time that the text gives, and what it is of."""

    what: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """Facts of one text, found once and used by every rule that ranks causes."""

    lower: str
    times: tuple[Time, ...] = ()
    skew: timedelta | None = None
    """Client minus server, where the text gives both: negative when the client is behind."""
    window: timedelta | None = None
    token_age: timedelta | None = None
    """How long a token or URL was past its end."""
    access_key_id: str | None = None
    token_prefix: str | None = None
    url: SignedUrl | None = None
    region: str | None = None
    """One that has to be enabled, if the text names such a one; else the first."""
    xml_document: bool = False
    """The text is the body of S3's answer and nothing else: what a browser or curl shows."""
    metadata: bool = False
    unreachable: bool = False
    running: bool = False
    workstation: bool = False
    """Paths of macOS or Windows: not a machine of EC2 or ECS, most likely."""

    def says(self, pattern: str) -> bool:
        """Does the lowered text match?"""
        return re.search(pattern, self.lower) is not None


def gather(flat: Flat) -> Evidence:
    """Read the facts off a flat text. Never raises; what cannot be read is not there."""
    lower = flat.lower
    times: list[Time] = []
    skew = window = age = None
    match = _SIGNATURE.search(lower)
    if match is not None:
        signed, server = stamp(match[2]), stamp(match[4] or match[3])
        if signed and server:
            times += [Time("signed", signed), Time("server", server)]
            skew = signed - server
            window = timedelta(minutes=int(match[5])) if match[5] else None
    for pattern in (_TOKEN, _COGNITO):
        match = pattern.search(lower)
        if match is not None:
            now, end = (datetime.fromtimestamp(int(group), UTC) for group in match.groups())
            times += [Time("server", now), Time("token end", end)]
            age = now - end
            break
    match = _SKEW.search(lower)
    if match is not None:
        client, server = _when(match[1]), _when(match[2])
        if client and server:
            times += [Time("request", client), Time("server", server)]
            skew, window = client - server, timedelta(minutes=15)
    match = _URL_ENDED.search(lower)
    if match is not None:
        end_of_url, server = _when(match[1]), _when(match[2])
        if end_of_url and server:
            times += [Time("URL end", end_of_url), Time("server", server)]
            age = server - end_of_url
    key = _KEY.search(flat.text)
    token = re.search(r"<token-0> ?(\w{4})", lower)
    regions = [region[0] for region in islice(_REGION.finditer(lower), 200)]
    return Evidence(
        lower,
        tuple(times),
        skew,
        window,
        age,
        key[1] if key and key[1].startswith(("AKIA", "ASIA")) else None,
        flat.text[token.start(1) : token.end(1)] if token else None,
        next(signed_urls(flat.text), None),
        next((region for region in regions if region in OPT_IN_REGIONS), regions[0] if regions else None),
        _nothing_but_xml(lower),
        _METADATA.search(lower) is not None,
        _UNREACHABLE.search(lower) is not None,
        _RUNNING.search(lower) is not None,
        _WORKSTATION.search(lower) is not None,
    )


def _nothing_but_xml(lower: str) -> bool:
    document = _XML_DOCUMENT.search(lower)
    return (
        document is not None
        and _SDK.search(lower) is None
        and _LOGGED.search(lower[: document.start()][-2_000:]) is None
    )


def _when(text: str) -> datetime | None:
    compact = stamp(text)
    if compact is not None:
        return compact
    text = text.strip().upper()
    if text.isdigit() and len(text) <= 11:
        return datetime.fromtimestamp(int(text), UTC)
    try:
        return parse_timestamp(text)
    except ValueError:
        return None
