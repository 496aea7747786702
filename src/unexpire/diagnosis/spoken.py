"""Durations and moments as a person says them; the exact values stand in the report's own fields."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["ago", "clock_time", "span", "span_short"]

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def span(duration: timedelta) -> str:
    """``14 minutes``, ``1 hour 5 minutes``, ``3 days``: at most two units, nothing below a hundredth of the whole."""
    seconds = _rounded(duration)
    for index, (size, name) in enumerate(_UNITS):
        count, rest = divmod(seconds, size)
        if count:
            words = _count(count, name)
            if index + 1 < len(_UNITS) and count < 10 and name != "minute":
                smaller, smaller_name = _UNITS[index + 1]
                if rest // smaller:
                    words += f" {_count(rest // smaller, smaller_name)}"
            return words
    return "0 seconds"


def _rounded(duration: timedelta) -> int:
    """Whole seconds; from ten minutes on whole minutes, so that a session of 3599 seconds is one of an hour."""
    seconds = round(abs(duration).total_seconds())
    return seconds if seconds < 600 else round(seconds / 60) * 60


def span_short(duration: timedelta) -> str:
    """``1 h``, ``15 min``, ``20 s``, ``1 h 30 min``."""
    seconds = _rounded(duration)
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {left} s" if left and minutes < 10 else f"{minutes} min"
    return f"{left} s"


def ago(moment: datetime, now: datetime) -> str:
    """``14 minutes ago``, ``in 3 hours``."""
    if abs(now - moment) < timedelta(seconds=1):
        return "just now"
    return f"{span(now - moment)} ago" if moment <= now else f"in {span(moment - now)}"


def clock_time(moment: datetime, now: datetime) -> str:
    """``20:41 UTC`` today, ``2026-11-21 20:41 UTC`` on another day."""
    moment = moment.astimezone(UTC)
    form = "%H:%M UTC" if moment.date() == now.astimezone(UTC).date() else "%Y-%m-%d %H:%M UTC"
    return moment.strftime(form)


def _count(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"
