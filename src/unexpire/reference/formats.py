"""Where tools print the code of an AWS error: one pattern a layout, over the flat text of `normalise`.

Sources of the layouts: botocore/exceptions.py (`ClientError.MSG_TEMPLATE`) and boto 2's before it; smithy-go and aws-sdk-go's
awserr; aws-sdk-java's AmazonServiceException and v2's AwsErrorDetails; aws-sdk-js's request.js; Smithy's protocol tests for the
`x-amzn-errortype` header and `__type`; aws-sdk-php's WrappedHttpHandler; aws-sdk-ruby's DynamicErrors; aws-sdk-cpp's
AWSErrorMarshaller; smithy-rs's ErrorMetadata.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .ailments import AILMENT_OF_CODE
from .needles import needle

__all__ = ["CANONICAL", "PLAIN_WORDS", "Mention", "canonical", "mentions"]

_CODE = r"(?P<code>[A-Za-z][A-Za-z0-9]{2,79}(?:\.[A-Za-z][A-Za-z0-9]{1,79}){0,3})"
_SHAPE = rf"(?:[\w.]{{1,120}}#)?{_CODE}"  # `__type` and the header may put a namespace before the name

# (layout, pattern): the group `code` is what the text names; `op` and `status` where the layout has them.
_LAYOUTS: tuple[tuple[str, str], ...] = (
    (
        "aws-cli",
        (
            r"\b(?:An|A client) error (?:occurred )?\((?P<code>[\w.:-]{2,80})\)(?: occurred)?(?: on request \([^()]{0,80}\))?"
            r"(?: on table \([^()]{0,260}\))?(?: when calling the (?P<op>\w{2,80}) operation)?"
        ),
    ),
    (
        "go",
        rf"\bStatusCode: (?P<status>\d{{3}}), RequestID: [^,]{{0,120}},(?: HostID: [^,]{{0,200}},)? (?:api error )?{_CODE}:(?= |$)",
    ),
    ("go", rf"\bapi error {_CODE}: "),
    ("java", rf"\bStatus Code: (?P<status>\d{{3}})[;,] Error Code: {_CODE}"),
    ("java", rf"\bError Code: {_CODE}"),
    ("dotnet", rf"\bwith Error Code {_CODE} and Http Status Code"),
    ("php", rf"(?<![\w.]){_CODE} \((?:client|server)\)"),
    ("ruby", rf"\bA(?:ws|WS)::\w{{1,60}}::Errors::{_CODE}"),
    ("cpp", rf"\bException ?[Nn]ame: ?{_CODE}"),
    ("rust", rf'\bcode: Some\( ?"{_CODE}",? ?\)'),
    ("xml", rf"<(?:\w{{1,10}}:)?Code> ?{_CODE} ?</"),
    ("xml", r"<(?P<code>[A-Z][A-Za-z]{4,70}Exception)(?: xmlns=[^>]{0,120})?>"),
    ("json", rf"""['"]?__type['"]? ?(?:[:=]|=>) ?u?['"]?{_SHAPE}"""),
    ("header", rf"""(?i:\bx-amzn-error-?type)['"]? ?(?:[:=]|=>) ?\[?['"]?{_SHAPE}"""),
    (
        "json",
        (
            r"""['"](?:[Cc]ode|[Ee]rrorCode|error_code|aws_error_code|errorType|[Nn]ame)['"] ?(?::|=>) ?"""
            rf"""u?['"]{_SHAPE}['"]"""
        ),
    ),
    (
        "json",
        rf"""(?<![\w'"])(?:[Cc]ode|[Ee]rror[Cc]ode|error_code|awsErrorCode|errorType|name) ?[:=] ?['"]{_CODE}['"]""",
    ),
    (
        "log",
        (
            r"""(?<![\w'"])(?:[Ee]rror ?[Cc]ode|error_code|errorCode|aws_error_code|code) ?[:=] ?"""
            r"""(?P<code>[A-Z][a-z]+[A-Z]\w{2,70})(?![\w"'])"""
        ),
    ),
)
_COMPILED = tuple((name, needle(pattern), re.compile(pattern)) for name, pattern in _LAYOUTS)
_GO_V1_TAIL = re.compile(r"\bstatus code: (\d{3})(?:, request id|, host id)")
_CODE_COLON = re.compile(r"(?<![\w.:/])[A-Z][A-Za-z0-9]{2,79}(?=: )")
_HUMP = re.compile(r"[a-z0-9][A-Z]")  # `AccessDenied: User: …`: the code is the one that looks like one
_CLASSES = (
    ("dotnet", re.compile(r"\bAmazon\.\w{1,60}\.(?:Model\.)?(?P<code>[A-Z]\w{3,70}Exception)\b")),
    (
        "java",
        re.compile(
            r"\b(?:com\.amazonaws|software\.amazon\.awssdk)\.(?:[a-z]\w{0,40}\.){0,8}(?P<code>[A-Z]\w{3,70}Exception)\b"
        ),
    ),
)
_WORD = re.compile(r"(?<![\w$])[A-Z][A-Za-z0-9]{4,70}(?![\w(]|\.\w+\()")
_NOT_CODES = frozenset(
    (
        "Error",
        "Exception",
        "Sender",
        "Receiver",
        "Client",
        "Server",
        "None",
        "null",
        "String",
        "Unknown",
        "UnknownError",
        "ClientError",
        "Message",
        "Some",
        "client",
        "server",
        "HostID",
        "RequestID",
        "StatusCode",
    )
)

PLAIN_WORDS = frozenset(
    (
        "InvalidToken",
        "UnauthorizedException",
        "ForbiddenException",
        "NotAuthorizedException",
        "InvalidClientException",
        "AuthFailure",
        "UnauthorizedClientException",
        "InvalidSignature",
        "InvalidSignatureException",
        "NoCredentials",
        "InvalidConfig",
        "PendingVerification",
        "ProfileNotFound",
        "RequestExpired",
        "TokenRefreshRequired",
        "ResourceNotReady",
        "InvalidGrantException",
        "CredentialsError",
        "MissingCredentialsError",
        "InvalidSecurity",
        "NotSignedUp",
        "RegionDisabled",
        "InvalidSecurityException",
        "Unauthorized",
    )
)
"""Codes that other systems use as well: as a word in running text they prove nothing, in an error's layout they do."""

CANONICAL = {
    f"{code}Exception": code
    for code in (
        "InvalidIdentityToken",
        "IDPCommunicationError",
        "IDPRejectedClaim",
        "PackedPolicyTooLarge",
        "MalformedPolicyDocument",
        "InvalidSecurity",
    )
} | {
    "NoCredentialsError": "NoCredentials",
    "PartialCredentialsError": "PartialCredentials",
    "InvalidConfigError": "InvalidConfig",
    "InvalidAccessKeyID": "InvalidAccessKeyId",
}
"""Class names of SDKs that differ from the code on the wire (models of STS and SNS), and botocore's own."""


@dataclass(frozen=True, slots=True)
class Mention:
    """One place where the text names a code. `structured`: in a layout that only error texts have."""

    code: str
    start: int
    layout: str
    structured: bool
    operation: str | None = None
    status: int | None = None


def mentions(text: str) -> list[Mention]:
    """Every code that the text names, in the order in which they stand; a code is as the service writes it."""
    found: dict[int, Mention] = {}
    for mention in _all(text):
        held = found.get(mention.start)
        if held is None or (mention.structured, mention.status or 0) > (held.structured, held.status or 0):
            found[mention.start] = mention
    return [found[start] for start in sorted(found)]


def _all(text: str) -> Iterator[Mention]:
    for layout, piece, pattern in _COMPILED:
        if piece not in text:
            continue
        for match in pattern.finditer(text):
            groups = match.groupdict()
            code = canonical(groups["code"])
            if code not in _NOT_CODES:
                status = groups.get("status")
                yield Mention(
                    code, match.start("code"), layout, True, groups.get("op"), int(status) if status else None
                )
    yield from _go_v1(text)
    for layout, pattern in _CLASSES:
        for match in pattern.finditer(text):
            code = canonical(match["code"])
            if code in AILMENT_OF_CODE:
                yield Mention(code, match.start("code"), layout, True)
    for match in _WORD.finditer(text):
        code = canonical(match[0])
        if code in AILMENT_OF_CODE and (
            code not in PLAIN_WORDS or _looks_like_a_code(text, match.start(), match.end())
        ):
            yield Mention(code, match.start(), "word", code not in PLAIN_WORDS)


def _go_v1(text: str) -> Iterator[Mention]:
    """aws-sdk-go prints ``Code: message`` and, after it, the status: the code is looked for backwards from there."""
    for match in _GO_V1_TAIL.finditer(text):
        before = text[max(0, match.start() - 600) : match.start()]
        codes = [m for m in _CODE_COLON.finditer(before) if m[0] not in _NOT_CODES]
        if codes:
            known = [m for m in codes if canonical(m[0]) in AILMENT_OF_CODE]
            best = (known or [m for m in codes if _HUMP.search(m[0])] or codes)[-1]
            start = match.start() - len(before) + best.start()
            yield Mention(canonical(best[0]), start, "go", True, None, int(match[1]))


def _looks_like_a_code(text: str, start: int, end: int) -> bool:
    """For codes that are also words of other systems: in brackets, before a colon or a dash and a sentence, or alone."""
    if text[end : end + 3].startswith((": ", " - ")) or text[start - 1 : start] + text[end : end + 1] in (
        "()",
        "[]",
        '""',
        "''",
    ):
        return True
    if text[start:end].endswith("Exception") and text[end : end + 1] == " " and text[end + 1 : end + 2].isupper():
        return True  # aws-sdk-cpp's logs: the code, a blank, the sentence
    if text.startswith(" Traceback (most recent call last)", end):
        return True  # IPython's first line
    return len(text) < end - start + 8


def canonical(code: str) -> str:
    """The wire code for a class or prefixed spelling: ``IDPCommunicationErrorException`` is ``IDPCommunicationError`` there."""
    if "." in code:
        head, _, tail = code.rpartition(".")
        if head.lower().startswith(("client", "com", "aws", "sender")) and tail in AILMENT_OF_CODE:
            code = tail
    return CANONICAL.get(code, code)
