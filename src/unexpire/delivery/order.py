"""What one wrapped command is to be served: told to the process that serves it, so it must load without a server."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..credentials import Credentials
from ..freshness import DEFAULT_POLICY, RefreshPolicy

if TYPE_CHECKING:
    from ..providers.base import Provider
    from ..providers.resolve import RoleRequest

__all__ = ["PATH", "Order", "policy_for"]

PATH = "/credentials"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be served: the source as the user named it, the set that is held already, and the keys to the doors.

    `terminal` is where the command's errors are read, by its name (``/dev/pts/3``); None where that is none.
    Goes from one process of ours to another through a pipe, as `to_bytes`: it holds secrets.
    """

    profile: str | None
    role: RoleRequest | None
    held: Credentials = field(repr=False)
    token: str = field(repr=False)
    imds_secret: str | None = field(default=None, repr=False)
    region: str | None = None
    use_agent: bool = True
    terminal: str | None = None

    def to_bytes(self) -> bytes:
        def plain(value: object) -> object:
            if isinstance(value, datetime):
                return {"at": value.isoformat()}
            return dict(value) if hasattr(value, "keys") else list(value)  # type: ignore[call-overload]

        document = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        for name in ("role", "held"):
            value = document[name]
            document[name] = None if value is None else _fields_of(value)
        return json.dumps(document, default=plain).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Order:
        from ..providers.resolve import RoleRequest

        document: dict[str, Any] = json.loads(data)
        held: dict[str, Any] = {
            name: datetime.fromisoformat(value["at"]).astimezone(UTC) if isinstance(value, dict) else value
            for name, value in document["held"].items()
        }
        role = document["role"]
        if role is not None:
            role = {name: tuple(value) if isinstance(value, list) else value for name, value in role.items()}
            role = RoleRequest(**role)
        return cls(**{**document, "held": Credentials(**held), "role": role})


def _fields_of(value: Any) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}


def policy_for(provider: Provider) -> RefreshPolicy:
    """What nothing can renew is handed out until a minute before its end; there is no next set that anybody could have instead."""
    return DEFAULT_POLICY if provider.renewable else RefreshPolicy(longest_margin=timedelta(minutes=1))
