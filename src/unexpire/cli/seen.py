"""From a text to the error it is about, in the words of the diagnosis: where the reference and the diagnosis meet."""

from __future__ import annotations

from ..diagnosis.seen import Presigned, SeenError
from ..reference.match import match_text

__all__ = ["seen_in"]


def seen_in(text: str) -> SeenError | None:
    """The error that tells most of a text; None where nothing in it is about AWS credentials, signatures, clocks or tokens."""
    found = next((match for match in match_text(text) if match.aws_auth), None)
    if found is None:
        return None
    url = found.url
    presigned = None
    if url is not None and url.signed_at is not None and url.ends_at is not None and url.access_key_id is not None:
        presigned = Presigned(url.signed_at, url.ends_at, url.access_key_id, url.has_session_token)
    return SeenError(
        code=found.code,
        message=found.message,
        operation=found.operation,
        service=found.service,
        causes=tuple(cause.label for cause in found.causes),
        page=found.page,
        access_key_id=found.access_key_id,
        presigned=presigned,
    )
