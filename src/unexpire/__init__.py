"""AWS credentials that do not run out under you.

Importing this package loads neither botocore nor a server: each public name below is imported when it is first used.
"""

from __future__ import annotations

# Importing `typing` for its constant would take longer than all that the fast lane does; type checkers know the name.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from .credentials import Credentials
    from .delivery.aio import aioboto3_session, aiobotocore_session
    from .delivery.boto3 import boto3_session, protect
    from .errors import (
        ConfigurationError,
        Denied,
        InteractionRequired,
        ProfileNotFound,
        RefreshFailed,
        Rejected,
        StoreError,
        Unavailable,
        UnexpireError,
    )
    from .freshness import Freshness, RefreshPolicy
    from .reference.answer import explain

__all__ = [
    "ConfigurationError",
    "Credentials",
    "Denied",
    "Freshness",
    "InteractionRequired",
    "ProfileNotFound",
    "RefreshFailed",
    "RefreshPolicy",
    "Rejected",
    "StoreError",
    "Unavailable",
    "UnexpireError",
    "__version__",
    "aioboto3_session",
    "aiobotocore_session",
    "boto3_session",
    "explain",
    "protect",
]

__version__ = "0.1.0"

_HOME_OF = (
    {
        "Credentials": "credentials",
        "Freshness": "freshness",
        "RefreshPolicy": "freshness",
        "aioboto3_session": "delivery.aio",
        "aiobotocore_session": "delivery.aio",
        "boto3_session": "delivery.boto3",
        "protect": "delivery.boto3",
        "explain": "reference.answer",
    }
    | {name: "errors" for name in __all__ if name.endswith(("Error", "Failed", "Required", "NotFound"))}
    | dict.fromkeys(("Unavailable", "Denied", "Rejected"), "errors")
)


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
