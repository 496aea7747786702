"""Times as other programs write them: in any form that botocore takes, which is any that dateutil takes."""

from __future__ import annotations

from datetime import UTC, datetime

from ..credentials import parse_timestamp

__all__ = ["NoZone", "any_timestamp", "zoned_timestamp"]


class NoZone(ValueError):
    """A time of some zone, and the text does not say which."""


def any_timestamp(text: str) -> datetime:
    """The time in UTC; without a zone it is UTC. Raises ValueError, OverflowError."""
    try:
        return parse_timestamp(text)
    except ValueError:
        moment = _parsed(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def zoned_timestamp(text: str) -> datetime:
    """The time in UTC, of a text that names its zone: botocore cannot compare any other with now. Raises NoZone, ValueError, OverflowError."""
    plain = text.strip()
    if plain.endswith(("Z", "z", "UTC")):
        return any_timestamp(plain)
    moment = _parsed(plain)
    if moment.tzinfo is None:
        raise NoZone(text)
    return moment.astimezone(UTC).replace(microsecond=0)


def _parsed(text: str) -> datetime:
    import warnings

    from dateutil.parser import parse  # type: ignore[import-untyped,unused-ignore]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        moment: datetime = parse(text)
    return moment
