"""What every store of sessions is to the rest of the house."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from ..backoff import Outage
from ..credentials import Credentials

__all__ = ["SessionStore"]


class SessionStore(Protocol):
    """Where sessions are kept between processes. `lock` makes the renewal of one identity single-flight among all of them.

    `save` takes a session in the place of an outage that was noted; with `renewable` False, a renewal ahead of need is not worth a
    process. `outage` gives what `note` was last told, if it still holds for the settings as they are now.
    """

    def load(self, identity: str) -> Credentials | None: ...
    def save(self, identity: str, credentials: Credentials, *, renewable: bool = True) -> None: ...
    def forget(self, identity: str) -> None: ...
    def lock(self, identity: str) -> AbstractContextManager[None]: ...
    def outage(self, identity: str) -> Outage | None: ...
    def note(self, identity: str, outage: Outage) -> None: ...
