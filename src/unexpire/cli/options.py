"""The options that several commands share: which source is meant, and how long something takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from ..providers.resolve import RoleRequest

__all__ = ["DURATION", "parse_duration", "role_request", "source_options"]

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(d|h|m(?:in)?|s(?:ec)?)?", re.IGNORECASE)
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "min": 60, "s": 1, "sec": 1}
_LONGEST = timedelta(days=3650)


def parse_duration(text: str) -> timedelta:
    """``6h``, ``90m``, ``1h30m``, ``2d``, ``45s``, or plain seconds. Raises ValueError for anything else, zero and over ten years."""
    rest, total = text.strip(), 0.0
    matches = list(_PART.finditer(rest))
    if not matches or "".join(m[0] for m in matches).replace(" ", "") != rest.replace(" ", ""):
        raise ValueError(f"{text!r} is not a duration: write 6h, 90m, 1h30m or 2d")
    for match in matches:
        total += float(match[1]) * _SECONDS[(match[2] or "s").lower()]
    if not 0 < total <= _LONGEST.total_seconds():
        raise ValueError(f"{text!r} is not a duration that can be waited for: more than nothing, ten years at most")
    return timedelta(seconds=total)


class _Duration(click.ParamType[timedelta]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = _Duration()

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--profile", metavar="NAME", help="The profile to use, as with the AWS CLI."),
    click.option(
        "--role-arn", metavar="ARN", help="A role to assume with the credentials at hand, without any profile."
    ),
    click.option("--session-name", metavar="NAME", help="RoleSessionName for --role-arn."),
    click.option("--duration", type=DURATION, help="How long a session of --role-arn is to last (15m to 12h)."),
    click.option("--external-id", metavar="ID", help="ExternalId for --role-arn."),
)


def source_options(function: F) -> F:
    """Add ``--profile``, ``--role-arn``, ``--session-name``, ``--duration`` and ``--external-id`` to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


_ARN = re.compile(r"arn:[a-z][a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,576}")


def role_request(
    role_arn: str | None, session_name: str | None, duration: timedelta | None, external_id: str | None
) -> RoleRequest | None:
    """The role that the options name; None where they name none. Raises ConfigurationError for what STS would refuse unread."""
    if role_arn is None:
        if session_name or duration or external_id:
            raise click.UsageError("--session-name, --duration and --external-id go with --role-arn")
        return None
    if not _ARN.fullmatch(role_arn):
        raise ConfigurationError(
            f"{role_arn[:120]!r} is not the ARN of a role",
            where="--role-arn",
            hint="--role-arn arn:aws:iam::123456789012:role/NAME",
        )
    if duration is not None and not timedelta(minutes=15) <= duration <= timedelta(hours=12):
        raise ConfigurationError(
            "a role session lasts 15 minutes to 12 hours (STS AssumeRole, DurationSeconds)",
            where="--duration",
            hint="--duration 1h",
            finding="duration-too-short" if duration < timedelta(minutes=15) else "duration-over-role-max",
        )
    from ..providers.resolve import RoleRequest

    return RoleRequest(
        role_arn=role_arn,
        session_name=session_name,
        duration_s=int(duration.total_seconds()) if duration is not None else None,
        external_id=external_id,
    )
