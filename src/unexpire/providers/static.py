"""Keys that stand written somewhere: variables, the credentials file, the config file."""

from __future__ import annotations

from dataclasses import dataclass

from ..credentials import Credentials, KeyKind
from ..errors import ConfigurationError
from ..settings.environment import Environment
from .candidate import Candidate
from .ends import find_end
from .identity import identity_of

__all__ = ["StaticProvider"]


@dataclass(frozen=True)
class StaticProvider:
    """A pair of keys, with a token where it is a session's. Fetching it reads it anew from the snapshot; nothing renews it."""

    environment: Environment
    candidate: Candidate

    @property
    def method(self) -> str:
        return self.candidate.method

    @property
    def identity(self) -> str:
        where = {"key": self.candidate.value("aws_access_key_id"), "profile": self.candidate.profile}
        return identity_of(self.method, self.environment, where)

    @property
    def renewable(self) -> bool:
        return False

    @property
    def interactive(self) -> bool:
        return False

    def describe(self) -> str:
        return self.candidate.description

    def fetch(self) -> Credentials:
        """The keys as written, with their end where anything on this machine tells it; an end that is over is told as it is."""
        candidate = self.candidate
        key, secret = candidate.value("aws_access_key_id"), candidate.value("aws_secret_access_key")
        if candidate.problem is not None:
            raise candidate.problem
        if not key or not secret:
            raise ConfigurationError(
                f"{candidate.description} is half a pair", where=str(candidate.origin), finding="partial-credentials"
            )
        credentials = Credentials(
            key,
            secret,
            candidate.value("aws_session_token") or None,
            expiration=candidate.expiration,
            account_id=candidate.value("aws_account_id"),
        )
        if credentials.kind is KeyKind.LONG_TERM or credentials.expiration is not None:
            return credentials
        found = find_end(self.environment, key)
        if found is None:
            return credentials
        return Credentials(
            key, secret, credentials.session_token, found.expiration, found.issued_at, credentials.account_id
        )
