"""Presigned URLs, read offline: who signed them, when, until when, and whether a session's token is in them.

So are Bedrock's short-term API keys, which are such a URL in base64.

The parameters are those of AWS Signature Version 4 (IAM user guide, "Authenticating requests: query parameters"), of S3's older
query string authentication (Version 2), and of CloudFront's signed URLs.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ..credentials import KeyKind, format_timestamp, kind_of_key

__all__ = ["LONGEST_S", "SignedUrl", "read_bedrock_key", "read_url", "signed_urls"]

LONGEST_S = 604_800
"""Seven days: the longest that Signature Version 4 lets a URL live."""

_URL = re.compile(r"https?://[^\s\"'<>`\\|]{8,8000}", re.IGNORECASE)
_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class SignedUrl:
    """What a signed URL says of itself. The signature and the session token are not kept."""

    host: str
    path: str
    scheme: str
    """``SigV4``, ``SigV2`` or ``CloudFront``."""
    access_key_id: str | None = None
    region: str | None = None
    service: str | None = None
    signed_at: datetime | None = None
    lifetime: timedelta | None = None
    ends_at: datetime | None = None
    has_session_token: bool = False
    signed_headers: tuple[str, ...] = ()

    @property
    def temporary(self) -> bool:
        """Signed by a session, which may end before the URL does."""
        return self.has_session_token or kind_of_key(self.access_key_id or "") is KeyKind.TEMPORARY

    def as_json(self) -> dict[str, Any]:
        return {
            "host": self.host,
            "path": self.path,
            "scheme": self.scheme,
            "access_key_id": self.access_key_id,
            "region": self.region,
            "service": self.service,
            "signed_at": format_timestamp(self.signed_at) if self.signed_at else None,
            "lifetime_s": int(self.lifetime.total_seconds()) if self.lifetime is not None else None,
            "ends_at": format_timestamp(self.ends_at) if self.ends_at else None,
            "has_session_token": self.has_session_token,
            "signed_headers": list(self.signed_headers),
        }


def signed_urls(text: str) -> Iterator[SignedUrl]:
    """Every signed URL in a flat text. Unsigned ones, and ones that cannot be read, are passed over."""
    for match in _URL.finditer(text):
        lowered = match[0].lower()
        if "signature=" in lowered or "x-amz-" in lowered:
            url = read_url(match[0].rstrip(".,;:)]}"))
            if url is not None:
                yield url


def read_url(url: str) -> SignedUrl | None:
    """The facts of one URL, or None when it carries no signature of a kind that AWS knows."""
    try:
        parts = urlsplit(url.replace("&amp;", "&"))
        query = {name.lower(): value for name, value in parse_qsl(parts.query, keep_blank_values=True)}
        host = parts.hostname or ""
    except ValueError:
        return None
    if "x-amz-signature" in query or "x-amz-credential" in query:
        return _version_4(host, parts.path, query)
    if "awsaccesskeyid" in query and "signature" in query:
        end = _epoch(query.get("expires"))
        key = query["awsaccesskeyid"]
        return SignedUrl(
            host, parts.path, "SigV2", key, ends_at=end, service="s3", has_session_token="x-amz-security-token" in query
        )
    if "key-pair-id" in query and "signature" in query:
        return SignedUrl(
            host,
            parts.path,
            "CloudFront",
            query["key-pair-id"],
            ends_at=_epoch(query.get("expires")),
            service="cloudfront",
        )
    return None


_KEY_OF_BEDROCK = "bedrock-api-key-"


def read_bedrock_key(key: str) -> SignedUrl | None:
    """What a short-term API key of Bedrock says of itself; None for a long-term one, or what is none.

    Format: aws-bedrock-token-generator 1.1.0, token_generator.py (`AUTH_PREFIX`, then base64 of the URL without its scheme).
    """
    if not key.startswith(_KEY_OF_BEDROCK):
        return None
    try:
        url = base64.b64decode(key.removeprefix(_KEY_OF_BEDROCK), validate=True).decode("ascii")
    except ValueError:
        return None
    return read_url(f"https://{url}")


def _version_4(host: str, path: str, query: dict[str, str]) -> SignedUrl:
    key, region, service = None, None, None
    scope = query.get("x-amz-credential", "").split("/")
    if len(scope) == 5:
        key, region, service = scope[0], scope[2], scope[3]
    elif scope[0]:
        key = scope[0]
    signed_at = stamp(query.get("x-amz-date", ""))
    seconds = query.get("x-amz-expires", "")
    lifetime = (
        timedelta(seconds=int(seconds)) if seconds.isascii() and seconds.isdigit() and len(seconds) < 10 else None
    )
    ends_at = None
    if signed_at is not None and lifetime is not None:
        try:
            ends_at = signed_at + lifetime
        except OverflowError:
            ends_at = None
    headers = tuple(filter(None, query.get("x-amz-signedheaders", "").split(";")))
    return SignedUrl(
        host,
        path,
        "SigV4",
        key,
        region,
        service,
        signed_at,
        lifetime,
        ends_at,
        bool(query.get("x-amz-security-token")),
        headers,
    )


def stamp(text: str) -> datetime | None:
    """The time in AWS's compact form, ``20250131T235959Z``; None when it is none."""
    match = _STAMP.search(text.upper())
    if match is None:
        return None
    try:
        year, month, day, hour, minute, second = (int(group) for group in match.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def _epoch(text: str | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(text or ""), UTC)
    except (ValueError, OverflowError, OSError):
        return None
