"""Every other error code of AWS, in AWS's own words: from the service models of the installed botocore, indexed once and cached.

botocore is read, not imported: its models are files (`botocore/data/SERVICE/VERSION/service-2.json[.gz]`). Building the index takes
a second or two; a caller that has a place for it hands in `load` and `save`, and later look-ups take milliseconds.
"""

from __future__ import annotations

import gzip
import html
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

__all__ = ["COMMON", "AwsError", "AwsUse", "codes", "index", "look_up", "version"]

SCHEMA = 1

# botocore/retries/standard.py: what the SDK retries whatever the model says.
_THROTTLED = frozenset(
    """
    Throttling ThrottlingException ThrottledException RequestThrottledException TooManyRequestsException SlowDown
    ProvisionedThroughputExceededException TransactionInProgressException RequestLimitExceeded BandwidthLimitExceeded
    LimitExceededException RequestThrottled PriorRequestNotComplete EC2ThrottledException
    """.split()  # noqa: SIM905 - a table of words reads better than one of quotes
)
_TRANSIENT = frozenset({"RequestTimeout", "RequestTimeoutException"})

# Codes of the service's front door, which no model lists; the words are ours. Source: "Common errors" in each service's API reference,
# EC2's "Error codes for the Amazon EC2 API", S3's "List of error codes".
COMMON: dict[str, tuple[int, str]] = {
    "InternalFailure": (500, "The service failed for a reason of its own. Retry; if it stays, it is AWS's to mend."),
    "InternalError": (500, "The service failed for a reason of its own. Retry; if it stays, it is AWS's to mend."),
    "ServiceUnavailable": (503, "The service cannot answer just now. Retry with a growing delay."),
    "Throttling": (400, "Too many requests in too short a time. Retry with a growing delay."),
    "RequestLimitExceeded": (503, "EC2 limits how often its API may be called for this account and Region."),
    "SlowDown": (503, "S3 asks for fewer requests to this prefix. Retry with a growing delay."),
    "InvalidAction": (400, "The service has no such operation, or not in this API version."),
    "InvalidParameterCombination": (400, "Parameters that do not go together."),
    "InvalidParameterValue": (400, "A value that is out of range or of the wrong form."),
    "InvalidQueryParameter": (400, "The query string does not keep to AWS's form."),
    "MalformedQueryString": (404, "The query string has a syntax error."),
    "MissingAction": (400, "The request names no operation."),
    "MissingParameter": (400, "A parameter that is required is missing."),
    "ValidationError": (400, "The input does not keep to the limits of the service."),
    "UnauthorizedOperation": (403, "The credentials are good; the policies do not allow this EC2 operation."),
    "DryRunOperation": (412, "A dry run that would have succeeded."),
    "MethodNotAllowed": (405, "The HTTP method is not allowed on this S3 resource."),
    "PermanentRedirect": (301, "The S3 bucket is reached through another endpoint, that of its own Region."),
    "TemporaryRedirect": (307, "S3 sends the request to another address while DNS catches up."),
    "RequestTimeout": (400, "S3 waited for data that did not come."),
}


@dataclass(frozen=True, slots=True)
class AwsUse:
    """One service's use of a code."""

    service: str
    name: str
    """The shape's name in the model, which SDKs make a class of."""
    status: int | None
    retryable: bool
    text: str
    operations: tuple[str, ...]
    """At most `_OPERATIONS` of them."""
    operation_count: int


@dataclass(frozen=True, slots=True)
class AwsError:
    """A code, with every service that uses it. `common`: no model lists it, the words are ours."""

    code: str
    uses: tuple[AwsUse, ...]
    common: bool
    version: str

    @property
    def retryable(self) -> bool:
        """Do SDKs retry it by themselves?"""
        return (
            self.code in _THROTTLED
            or self.code in _TRANSIENT
            or any(use.retryable or (use.status or 0) >= 500 for use in self.uses)
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "source": "unexpire" if self.common else f"botocore {self.version}",
            "retryable": self.retryable,
            "uses": [
                {
                    "service": use.service,
                    "name": use.name,
                    "status": use.status,
                    "text": use.text,
                    "operations": list(use.operations),
                    "operation_count": use.operation_count,
                }
                for use in self.uses
            ],
        }


Index = dict[str, list[list[Any]]]
_OPERATIONS = 6
_TAG = re.compile(r"<[^>]{0,200}>")


def index(
    *, load: Callable[[str], bytes | None] | None = None, save: Callable[[str, bytes], None] | None = None
) -> tuple[Index, str]:
    """({code: uses}, botocore's version). Empty, with an empty version, where no botocore is installed.

    `load(name)` gives what `save(name, data)` kept under that name, or None; the name changes with botocore.
    """
    folder = _folder()
    if folder is None:
        return {}, ""
    number = version()
    name = f"aws-errors-{SCHEMA}-{re.sub(r'[^0-9A-Za-z.]', '_', number)}.json"
    if load is not None:
        held = load(name)
        if held is not None:
            try:
                found: Index = json.loads(held)
                return found, number
            except ValueError:
                pass  # a cut-off file of a full disk: built again, and replaced
    built = _build(os.path.join(folder, "data"))
    if save is not None:
        save(name, json.dumps(built, separators=(",", ":")).encode())
    return built, number


def look_up(code: str, found: Index, number: str) -> AwsError | None:
    """The code in any case; None where AWS has no such code, as far as these models go."""
    folded = {name.lower(): name for name in (*COMMON, *found)}
    name = folded.get(code.lower())
    if name is None:
        return None
    if name in found:
        return AwsError(name, tuple(_use(row) for row in found[name]), False, number)
    status, text = COMMON[name]
    return AwsError(name, (AwsUse("", name, status, False, text, (), 0),), True, number)


def codes(found: Index) -> tuple[str, ...]:
    """Every code that `look_up` knows."""
    return tuple(sorted({*COMMON, *found}))


def version() -> str:
    """The installed botocore's version, read from its source: importing it would take longer than the look-up."""
    folder = _folder()
    if folder is None:
        return ""
    try:
        with open(os.path.join(folder, "__init__.py"), encoding="utf-8") as file:
            match = re.search(r"^__version__ = ['\"]([^'\"]+)['\"]", file.read(), re.MULTILINE)
    except OSError:
        return ""
    return match[1] if match else ""


def _folder() -> str | None:
    from importlib.util import find_spec

    spec = find_spec("botocore")
    return os.path.dirname(spec.origin) if spec is not None and spec.origin else None


def _use(row: list[Any]) -> AwsUse:
    service, name, status, retryable, text, operations, count = row
    return AwsUse(service, name, status, retryable, text, tuple(operations), count)


def _build(data: str) -> Index:
    found: Index = {}
    for service, model in _models(data):
        shapes = model.get("shapes", {})
        raised: dict[str, list[str]] = {}
        for operation, definition in model.get("operations", {}).items():
            for error in definition.get("errors", ()):
                raised.setdefault(error.get("shape", ""), []).append(operation)
        for name, shape in shapes.items():
            if not shape.get("exception") and name not in raised:
                continue
            trait = shape.get("error", {})
            code = trait.get("code", name)
            operations = raised.get(name, [])
            row = [
                service,
                name,
                trait.get("httpStatusCode"),
                "retryable" in shape,
                _plain(shape.get("documentation", "")),
            ]
            found.setdefault(code, []).append([*row, operations[:_OPERATIONS], len(operations)])
    return found


def _models(data: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for service in sorted(os.listdir(data)):
        folder = os.path.join(data, service)
        if not os.path.isdir(folder):
            continue
        for date in sorted(os.listdir(folder), reverse=True):
            model = _read(os.path.join(folder, date, "service-2.json"))
            if model is not None:
                yield service, model
                break


def _read(path: str) -> dict[str, Any] | None:
    try:
        if os.path.exists(path + ".gz"):
            with gzip.open(path + ".gz") as packed:
                return cast("dict[str, Any]", json.load(packed))
        with open(path, encoding="utf-8") as file:
            return cast("dict[str, Any]", json.load(file))
    except (OSError, ValueError, EOFError):
        return None


def _plain(documentation: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", documentation)).split()).replace(" .", ".").replace(" ,", ",")[:600]
