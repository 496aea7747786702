"""What a text that the user gave (a log, an error, a presigned URL) says, in the words of the diagnosis."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Presigned", "SeenError"]


@dataclass(frozen=True, slots=True)
class Presigned:
    """The public facts of a presigned URL: when it was signed, until when it is good, and by which key."""

    signed_at: datetime | None
    """Known of Signature Version 4 only."""
    ends_at: datetime
    access_key_id: str
    has_session_token: bool


@dataclass(frozen=True, slots=True)
class SeenError:
    """One error found in the text. `causes` are the reference's root-cause labels, likeliest first; `page` names its page."""

    code: str | None
    message: str | None = None
    operation: str | None = None
    service: str | None = None
    causes: tuple[str, ...] = ()
    page: str | None = None
    access_key_id: str | None = None
    expired_at: datetime | None = None
    presigned: Presigned | None = None
    finding: str | None = None
    """The code of the finding that the text alone stands for."""
    about: str | None = None
    """What the text's page says of it in a phrase, where the finding is only the nearest one there is."""
    when: str | None = None
    """When it was seen last, as the text prints it."""
    count: int = 1
