"""How the last failure that may pass lies on the disk, for the other processes that want the same session. Holds no secret."""

from __future__ import annotations

import json
from datetime import datetime

from ..backoff import Outage
from ..errors import RefreshFailed

__all__ = ["outage_text", "parse_outage"]

_FORM = "unexpire-outage 1\n"
_OF_ERRORS = ("where", "hint", "finding", "aws_code")


def outage_text(identity: str, surroundings: str, outage: Outage) -> str:
    """The content of the file; `surroundings` is a digest of the settings that the failure may come of."""
    error, needed = outage.error, outage.in_need_since
    document = {
        "identity": identity,
        "surroundings": surroundings,
        "asked_at": outage.asked_at.isoformat(),
        "not_before": outage.not_before.isoformat(),
        "failures": outage.failures,
        "urgent": outage.urgent,
        "in_need_since": needed.isoformat() if needed else None,
        "message": error.message,
        "error": {name: getattr(error, name) for name in _OF_ERRORS},
    }
    return f"{_FORM}{json.dumps(document)}\n"


def parse_outage(content: str | None, identity: str, surroundings: str) -> Outage | None:
    """What such a file says, if it is whole, about this identity, and from the same settings."""
    if content is None or not content.startswith(_FORM):
        return None
    try:
        found = json.loads(content[len(_FORM) :])
        if (found["identity"], found["surroundings"]) != (identity, surroundings):
            return None
        error = RefreshFailed(
            str(found["message"]), retryable=True, **{name: found["error"][name] for name in _OF_ERRORS}
        )
        needed = found["in_need_since"]
        since = _moment(needed) if needed else None
        asked_at, not_before = _moment(found["asked_at"]), _moment(found["not_before"])
        return Outage(error, asked_at, not_before, int(found["failures"]), int(found["urgent"]), since)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment
