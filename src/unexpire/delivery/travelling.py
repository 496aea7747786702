"""Sessions that can be pickled: what travels is what was asked for, never a key, and the worker finds the keys for itself."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import botocore.session

from .renewing import RenewingBotocoreSession

__all__ = ["inner_session", "let_travel", "travels"]

Reduce = Callable[[Any], tuple[Any, ...]]

_WAYS: dict[tuple[str, str], Reduce] = {}


def travels(module: str, name: str, reduce: Reduce) -> None:
    """Sessions of this class are pickled by `reduce`, which gives what `__reduce__` does. The class is not imported for it."""
    _WAYS[module, name] = reduce


def let_travel(session: Any) -> None:
    """Give the session the class that can be pickled, where it is of a plain class; a user's own class keeps its ways."""
    if type(session) is botocore.session.Session:
        session.__class__ = RenewingBotocoreSession
        return
    for (module, name), reduce in _WAYS.items():
        plain = getattr(sys.modules.get(module), name, None)
        if plain is not None and type(session) is plain:
            session.__class__ = type(name, (plain,), {"__reduce__": reduce, "__module__": module})


def inner_session(session: Any) -> Any:
    """The botocore session inside of a boto3 or aioboto3 one, `_session`: the only way to it; checked by the tests."""
    inner = session if isinstance(session, botocore.session.Session) else getattr(session, "_session", None)
    if not isinstance(inner, botocore.session.Session):
        raise TypeError(f"not a session of boto3, botocore, aiobotocore or aioboto3: {type(session).__name__}")
    return inner
