"""A session kept in the credentials file, for programs that read nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from ..credentials import Credentials
from ..errors import ConfigurationError
from ..freshness import DEFAULT_POLICY
from ..settings.environment import Environment
from ..stores import credentials_file

__all__ = ["SyncTarget", "sync_target"]

_LOOK_AGAIN = timedelta(seconds=30)


class SyncTarget:
    """The section `[profile]` of one credentials file. What writes it need not know more than `write`."""

    def __init__(self, path: Path, profile: str) -> None:
        self.path = path
        self.profile = profile
        self._backed_up = False

    def write(self, credentials: Credentials) -> bool:
        """Put the session in the section, every other byte kept; True if the file changed. Raises StoreError, and it did not.

        The first change leaves a backup beside the file, so that the backup is what the user wrote and not our last session. Long-term keys
        that stand in the section are not overwritten, and none are ever written.
        """
        changed = credentials_file.write_session(self.path, self.profile, credentials, backup=not self._backed_up)
        self._backed_up = self._backed_up or changed
        return changed


def sync_target(environment: Environment, source: str, to: str) -> SyncTarget:
    """The section `to` of the environment's credentials file. Raises ConfigurationError where its keys would never be read.

    Keys in that file come behind a role, web identity or SSO of the same profile (`botocore.credentials.create_credential_resolver`).
    """
    if source == to:
        raise ConfigurationError(
            f"profile {to} cannot hold its own copy", where="--to", hint=f"unexpire sync {source} --to {source}-static"
        )
    if not credentials_file.is_section_name(to):
        message = f"{to[:60]!r} cannot be the name of a profile"
        raise ConfigurationError(message, where="--to", hint=f"unexpire sync {source} --to {source}-static")
    found = environment.settings().profiles.get(to)
    before = ("role_arn", "web_identity_token_file", "sso_session", "sso_start_url", "sso_account_id")
    hidden_by = next((value for key in before if found is not None and (value := found.get(key))), None)
    if hidden_by is not None:
        raise ConfigurationError(
            f"profile {to} has settings that programs prefer to keys in the credentials file",
            where=str(hidden_by.origin),
            hint=f"unexpire sync {source} --to {to}-static",
        )
    return SyncTarget(environment.credentials_path, to)


def next_write(credentials: Credentials, now: datetime) -> timedelta:
    """How long to wait before the section is looked at again: until a renewal is due, 30 s at most, as a clock may jump."""
    due = DEFAULT_POLICY.renewal_due(credentials)
    if due is None:
        return _LOOK_AGAIN
    return max(min(due - now, _LOOK_AGAIN), timedelta(seconds=1))
