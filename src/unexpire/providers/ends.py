"""The end of a session that does not say it itself: found by its access key id in the caches on this machine, never guessed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..settings.environment import Environment
from ..settings.files import Origin
from ..stores import aws_caches, session_files
from ..stores.session_cache import SessionCache

__all__ = ["FoundEnd", "find_end", "login_folder", "own_cache"]


@dataclass(frozen=True, slots=True)
class FoundEnd:
    """An end, the cache entry that tells it, and when the session was issued where that is kept too."""

    expiration: datetime
    origin: Origin
    path: Path
    issued_at: datetime | None = None


def find_end(environment: Environment, access_key_id: str) -> FoundEnd | None:
    """Look the key up in the caches of the AWS CLI, of `aws login`, of boto and in ours; None where no one knows it."""
    own = own_cache(environment)
    entry = own.find(access_key_id) if own is not None else None
    if entry is not None and entry.credentials.expiration is not None and own is not None:
        path = own.sessions / entry.name
        return FoundEnd(
            entry.credentials.expiration, environment.origin_of(path), path, issued_at=entry.credentials.issued_at
        )
    if environment.home is None:
        return None
    for held in aws_caches.ends(environment.home, login_folder(environment)):
        if held.access_key_id == access_key_id:
            return FoundEnd(held.expiration, environment.origin_of(held.path), held.path)
    return None


def login_folder(environment: Environment) -> Path | None:
    """AWS_LOGIN_CACHE_DIRECTORY, where it is set (botocore/utils.py, `get_login_token_cache_directory`)."""
    named = environment.variables.get("AWS_LOGIN_CACHE_DIRECTORY")
    return environment.expand(named) if named else None


def own_cache(environment: Environment) -> SessionCache | None:
    """Our own sessions of the user that this environment is of; None without a home."""
    home = str(environment.home) if environment.home is not None else None
    folder = session_files.folder(environment.variables, home) if home is not None else None
    return SessionCache(Path(folder), clock=environment.clock) if folder is not None else None
