"""Signature Version 4, verified: the service's side of the signing process.

Source: "Create a signed AWS API request" (IAM user guide), "Authenticating Requests: Using Query Parameters" and "Transferring
Payload in Multiple Chunks" (S3 API reference). Version 2's query form is here too, because botocore still presigns S3 URLs with it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from .wire import Request

__all__ = ["Claim", "Malformed", "Verdict", "chunks_are_signed", "read_claim", "verify"]

_ALGORITHM = "AWS4-HMAC-SHA256"
_EMPTY = hashlib.sha256(b"").hexdigest()
MAX_URL_LIFE_S = 604_800


class Malformed(Exception):
    """The request says that it is signed, and not how. `presigned`: in its query string."""

    def __init__(self, message: str, *, presigned: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.presigned = presigned


@dataclass(frozen=True)
class Claim:
    """Who a request says signed it, and how."""

    access_key_id: str
    region: str
    service: str
    date: str
    signed_headers: tuple[str, ...]
    signature: str
    time: datetime
    token: str | None
    expires_s: int | None = None
    """A presigned URL's own life; None for a signature in the header."""
    version: int = 4

    @property
    def presigned(self) -> bool:
        return self.expires_s is not None

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


@dataclass(frozen=True)
class Verdict:
    """Whether the signature is right, and what had to be signed, which S3 tells a caller who got it wrong."""

    right: bool
    string_to_sign: str = ""
    canonical_request: str = ""


def read_claim(request: Request) -> Claim | None:
    """The claim of a request, None for one that is not signed at all; raises Malformed."""
    arguments = request.arguments
    if "X-Amz-Algorithm" in arguments or "X-Amz-Signature" in arguments:
        return _from_query(request)
    if "AWSAccessKeyId" in arguments and "Signature" in arguments:
        return _from_v2_query(request)
    header = request.headers.get("authorization")
    if header is None:
        return None
    return _from_header(request, header)


def _from_header(request: Request, header: str) -> Claim:
    algorithm, _, rest = header.strip().partition(" ")
    if algorithm != _ALGORITHM:
        raise Malformed(
            f"'{header}' not a valid key=value pair (missing equal-sign) in Authorization header: '{header}'."
        )
    parts: dict[str, str] = {}
    for piece in rest.split(","):
        name, equals, value = piece.strip().partition("=")
        if not equals or " " in name:
            raise Malformed(
                f"'{piece.strip()}' not a valid key=value pair (missing equal-sign) in Authorization header: '{header}'."
            )
        parts[name] = value
    missing = [name for name in ("Credential", "Signature", "SignedHeaders") if name not in parts]
    date = request.headers.get("x-amz-date") or request.headers.get("date")
    if missing or not date:
        sentences = [f"Authorization header requires '{name}' parameter." for name in missing]
        if not date:
            sentences.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        raise Malformed(f"{' '.join(sentences)} Authorization={header}")
    key, day, region, service = _credential(parts["Credential"])
    return Claim(
        access_key_id=key,
        region=region,
        service=service,
        date=day,
        signed_headers=tuple(parts["SignedHeaders"].lower().split(";")),
        signature=parts["Signature"],
        time=_moment(date),
        token=request.headers.get("x-amz-security-token"),
    )


def _from_query(request: Request) -> Claim:
    arguments = request.arguments
    wanted = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature")
    needed = [*wanted, "X-Amz-Expires"] if "X-Amz-Expires" in arguments else list(wanted)
    if any(name not in arguments for name in needed) or arguments["X-Amz-Algorithm"] != _ALGORITHM:
        raise Malformed(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
            "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
            presigned=True,
        )
    key, day, region, service = _credential(arguments["X-Amz-Credential"], presigned=True)
    expires = arguments.get("X-Amz-Expires", "900")  # the general limit of a query signature where no life is given
    if not expires.lstrip("-").isdigit():
        raise Malformed("X-Amz-Expires should be a number", presigned=True)
    if int(expires) < 0:
        raise Malformed("X-Amz-Expires must be non-negative", presigned=True)
    if int(expires) > MAX_URL_LIFE_S:
        raise Malformed(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            "604800 seconds",
            presigned=True,
        )
    return Claim(
        access_key_id=key,
        region=region,
        service=service,
        date=day,
        signed_headers=tuple(arguments["X-Amz-SignedHeaders"].lower().split(";")),
        signature=arguments["X-Amz-Signature"],
        time=_moment(arguments["X-Amz-Date"], presigned=True),
        token=arguments.get("X-Amz-Security-Token") or request.headers.get("x-amz-security-token"),
        expires_s=int(expires),
    )


def _from_v2_query(request: Request) -> Claim:
    arguments = request.arguments
    expires = arguments.get("Expires", "")
    if not expires.isdigit():
        raise Malformed("Invalid date (should be seconds since epoch): " + expires, presigned=True)
    end = datetime.fromtimestamp(int(expires), UTC)
    return Claim(
        access_key_id=arguments["AWSAccessKeyId"],
        region="us-east-1",
        service="s3",
        date="",
        signed_headers=(),
        signature=arguments["Signature"],
        time=end,
        token=arguments.get("x-amz-security-token"),
        expires_s=0,
        version=2,
    )


def _credential(text: str, *, presigned: bool = False) -> tuple[str, str, str, str]:
    parts = text.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request":
        raise Malformed(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got "
            f"'{text}'",
            presigned=presigned,
        )
    if not parts[0]:
        raise Malformed("a non-empty Access Key (AKID) must be provided in the credential.", presigned=presigned)
    return parts[0], parts[1], parts[2], parts[3]


def _moment(text: str, *, presigned: bool = False) -> datetime:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            return parsedate_to_datetime(text).astimezone(UTC)
        except ValueError:
            raise Malformed(
                f"Date must be in ISO-8601 'basic format'. Got '{text}'. See http://en.wikipedia.org/wiki/ISO_8601",
                presigned=presigned,
            ) from None


def verify(request: Request, claim: Claim, secret: str) -> Verdict:
    """Whether `secret` signed the request as it arrived."""
    if claim.version == 2:
        return _verify_v2(request, claim, secret)
    verdict = Verdict(False)
    for path in _canonical_paths(request, claim):
        verdict = _verify_with(request, claim, secret, path)
        if verdict.right:
            break
    return verdict


def _verify_with(request: Request, claim: Claim, secret: str, path: str) -> Verdict:
    headers = "".join(f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in claim.signed_headers)
    canonical = "\n".join(
        (
            request.method,
            path,
            _canonical_query(request),
            headers,
            ";".join(claim.signed_headers),
            _payload_hash(request, claim),
        )
    )
    stamp = claim.time.strftime("%Y%m%dT%H%M%SZ")
    string_to_sign = "\n".join((_ALGORITHM, stamp, claim.scope, hashlib.sha256(canonical.encode()).hexdigest()))
    expected = hmac.new(_signing_key(claim, secret), string_to_sign.encode(), hashlib.sha256).hexdigest()
    return Verdict(hmac.compare_digest(expected, claim.signature), string_to_sign, canonical)


def _signing_key(claim: Claim, secret: str) -> bytes:
    key = ("AWS4" + secret).encode()
    for part in (claim.date, claim.region, claim.service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _canonical_paths(request: Request, claim: Claim) -> list[str]:
    """S3 signs the path as it is sent; everyone else normalises it and encodes it a second time."""
    path = request.path or "/"
    if claim.service == "s3":
        return list(dict.fromkeys((path, quote(unquote(path), safe="/-_.~"))))
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment and segment != ".":
            segments.append(segment)
    tidy = "/" + "/".join(segments) + ("/" if segments and path.endswith("/") else "")
    return list(dict.fromkeys(quote(each, safe="/-_.~") for each in (tidy, path)))


def _canonical_query(request: Request) -> str:
    pairs = [
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in request.parameters
        if name != "X-Amz-Signature"
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _payload_hash(request: Request, claim: Claim) -> str:
    stated = request.headers.get("x-amz-content-sha256")
    if stated is not None:
        return stated
    if claim.presigned and claim.service == "s3":
        return request.arguments.get("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
    return hashlib.sha256(request.body).hexdigest()


_CHUNK = re.compile(rb"([0-9a-fA-F]+);chunk-signature=([0-9a-f]{64})\r\n")


def chunks_are_signed(request: Request, claim: Claim, secret: str) -> bool:
    """Whether every chunk of a STREAMING-AWS4-HMAC-SHA256-PAYLOAD body carries its right signature, up to the last, empty one."""
    key, previous, position = _signing_key(claim, secret), claim.signature, 0
    stamp = claim.time.strftime("%Y%m%dT%H%M%SZ")
    while found := _CHUNK.match(request.body, position):
        size = int(found[1], 16)
        data = request.body[found.end() : found.end() + size]
        text = "\n".join(
            (f"{_ALGORITHM}-PAYLOAD", stamp, claim.scope, previous, _EMPTY, hashlib.sha256(data).hexdigest())
        )
        previous = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(previous, found[2].decode()):
            return False
        if size == 0:
            return True
        position = found.end() + size + 2
    return False


_V2_SUBRESOURCES = frozenset({
    "accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "inventory", "lifecycle", "location", "logging",
    "metrics", "notification", "object-lock", "partNumber", "policy", "replication", "requestPayment",
    "response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language",
    "response-content-type", "response-expires", "restore", "select", "select-type", "storageClass", "tagging", "torrent",
    "uploadId", "uploads", "versionId", "versioning", "versions", "website",
})  # fmt: skip


def _verify_v2(request: Request, claim: Claim, secret: str) -> Verdict:
    """ "Signing and authenticating REST requests" (S3, Signature Version 2), the form for query strings."""
    amazon = {n: v for n, v in request.headers.items() if n.startswith("x-amz-")}
    amazon.update({n.lower(): v for n, v in request.parameters if n.lower().startswith("x-amz-")})
    extra = sorted((n, v) for n, v in request.parameters if n in _V2_SUBRESOURCES)
    resource = request.path + ("?" if extra else "") + "&".join(f"{n}={v}" if v else n for n, v in extra)
    lines = [
        request.method,
        request.headers.get("content-md5", ""),
        request.headers.get("content-type", ""),
        request.arguments["Expires"],
        *(f"{name}:{value.strip()}" for name, value in sorted(amazon.items())),
        resource,
    ]
    text = "\n".join(lines)
    expected = base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
    return Verdict(hmac.compare_digest(expected, claim.signature), text)
