"""Credentials as values: what they are, whose they are, when they end. Secrets never show in a representation."""

from __future__ import annotations

import base64
import enum
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

__all__ = [
    "Credentials",
    "KeyKind",
    "account_id_of_key",
    "format_timestamp",
    "kind_of_key",
    "names_zone",
    "parse_timestamp",
    "shown_key",
    "without_user",
]


class KeyKind(enum.StrEnum):
    """What the prefix of an access key id says (IAM user guide, "Understanding unique ID prefixes")."""

    LONG_TERM = "long-term"
    TEMPORARY = "temporary"
    UNKNOWN = "unknown"


def kind_of_key(access_key_id: str) -> KeyKind:
    """``AKIA`` is a user's long-term key, ``ASIA`` a session's temporary one; anything else is not AWS's own form."""
    prefix = access_key_id[:4]
    if prefix == "AKIA":
        return KeyKind.LONG_TERM
    if prefix == "ASIA":
        return KeyKind.TEMPORARY
    return KeyKind.UNKNOWN


def shown_key(access_key_id: str) -> str:
    """The id as it may be shown. What is not shaped as AWS's ids are may be a secret that was pasted in its place: four letters of it.

    Source: IAM API reference, "AccessKey": word characters, 128 at most; all that AWS gives out are capitals and digits.
    """
    return access_key_id if re.fullmatch(r"[A-Z0-9_]{0,128}", access_key_id) else f"{access_key_id[:4]}…"


def without_user(text: str) -> str:
    """A URL, or a text with URLs in it, without the user and password that may stand before a host."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)


def account_id_of_key(access_key_id: str) -> str | None:
    """The twelve-digit account that an access key id was issued in, or None for ids that do not carry it.

    The characters behind the prefix are base32; the account is bits 1 to 40 of the first 48 (published by Aidan Steele, "AWS
    Access Key ID formats", 2020; `sts get-access-key-info` answers the same online). Ids issued before 2019, whose fifth
    character comes before ``Q``, do not carry it.
    """
    body = access_key_id[4:]
    if access_key_id[:4] not in ("AKIA", "ASIA") or not re.fullmatch(r"[A-Z2-7]{12,}", body) or body[0] < "Q":
        return None
    first = int.from_bytes(base64.b32decode(body[:16].ljust(16, "A"))[:6], "big")
    account = (first & 0x7FFFFFFFFF80) >> 7
    return f"{account:012d}" if account < 10**12 else None


_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,]\d+)?\s*(Z|UTC|[+-]\d\d:?\d\d)?", re.ASCII | re.IGNORECASE
)


def parse_timestamp(text: str) -> datetime:
    """An aware UTC datetime from any spelling of a timestamp that AWS tools write; fractions of a second are dropped.

    ISO 8601 with ``Z``, an offset, or ``UTC`` as the AWS CLI's SSO cache has it. Without a zone it is UTC, which is what
    botocore assumes of its own caches. Raises ValueError for anything else.
    """
    match = _ISO.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not an ISO 8601 timestamp: {text[:40]!r}")
    *numbers, zone = match.groups()
    moment = datetime(*map(int, numbers), tzinfo=UTC)  # type: ignore[arg-type,misc]
    if zone and zone.upper() not in ("Z", "UTC"):
        sign = 1 if zone[0] == "+" else -1
        digits = zone[1:].replace(":", "")
        seconds = sign * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)
        moment = datetime.fromtimestamp(moment.timestamp() - seconds, UTC)
    return moment


def names_zone(text: str) -> bool:
    """Whether a timestamp that `parse_timestamp` takes says its zone itself."""
    match = _ISO.fullmatch(text.strip())
    return match is not None and match.group(7) is not None


def format_timestamp(moment: datetime) -> str:
    """``2026-11-22T20:50:00Z``: whole seconds, rounded down, and a literal Z, the one form that every SDK parses."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Credentials:
    """One immutable set of AWS keys: readers of a set never see the key of one session with the secret of another.

    `expiration` is aware UTC, or None where the keys do not end or their end is not known. `issued_at` is when this set came
    out of its source, where that is known: with `expiration` it gives the lifetime by which a renewal is planned.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expiration: datetime | None = None
    issued_at: datetime | None = None
    account_id: str | None = None

    def __post_init__(self) -> None:
        for name in ("expiration", "issued_at"):
            moment = getattr(self, name)
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"{name} needs a time zone")

    @property
    def kind(self) -> KeyKind:
        """Long-term or temporary: by the prefix, else by whether a session token comes with the key."""
        kind = kind_of_key(self.access_key_id)
        if kind is KeyKind.UNKNOWN:
            return KeyKind.TEMPORARY if self.session_token else KeyKind.LONG_TERM
        return kind

    @property
    def account(self) -> str | None:
        """The account id, as the source said or as the access key id carries it."""
        return self.account_id or account_id_of_key(self.access_key_id)

    def issued(self, moment: datetime | None) -> Credentials:
        """The same keys with the moment they were issued; None: not known."""
        return replace(self, issued_at=moment)

    def ending(self, expiration: datetime | None) -> Credentials:
        """The same keys with another end."""
        return replace(self, expiration=expiration)
