"""Sessions of ``aws login``, through botocore, which signs their renewals with awscrt."""

from __future__ import annotations

from dataclasses import dataclass

from ..credentials import Credentials, parse_timestamp
from ..errors import ConfigurationError, InteractionRequired, UnexpireError
from ..settings.environment import Environment
from . import aws
from .candidate import Candidate
from .identity import identity_of

__all__ = ["LoginProvider"]


@dataclass(frozen=True)
class LoginProvider:
    """The console sign-in of a profile; botocore keeps and rotates its token where every SDK finds it."""

    environment: Environment
    candidate: Candidate

    method = "login"
    renewable = True
    interactive = False

    @property
    def identity(self) -> str:
        return identity_of(self.method, self.environment, {"session": self.candidate.value("login_session")})

    def describe(self) -> str:
        return self.candidate.description

    def fetch(self) -> Credentials:
        """A session of at most 15 minutes. Raises InteractionRequired (finding ``login-needed``) where a human has to sign in again."""
        if self.candidate.problem is not None:
            raise self.candidate.problem
        profile = self.candidate.profile or "default"
        session = aws.bare_session(
            {
                "profile": profile,
                "config_file": str(self.environment.config_path),
                "credentials_file": str(self.environment.credentials_path),
                "region": aws.region_of(self.environment, self.environment.settings().profiles.get(profile)),
            }
        )
        now = self.environment.now()
        try:
            provider = session.get_component("credential_provider").get_provider("login")
            found = provider.load()
            frozen = found.get_frozen_credentials() if found is not None else None
        except Exception as error:
            raise self._explained(error) from error
        if found is None or frozen is None:
            raise ConfigurationError(
                f"profile {profile} has no `aws login` session",
                where=str(self.candidate.origin),
                finding="login-needed",
            )
        end = getattr(found, "expiry_time", None) or getattr(found, "_expiry_time", None)
        return Credentials(
            frozen.access_key,
            frozen.secret_key,
            frozen.token,
            expiration=parse_timestamp(end.isoformat()) if end is not None else None,
            issued_at=now.replace(microsecond=0),
            account_id=getattr(frozen, "account_id", None),
        )

    def _explained(self, error: Exception) -> UnexpireError:
        name = type(error).__name__
        if name.startswith("Login") or "login" in str(error).lower()[:60]:
            return InteractionRequired(
                f"the `aws login` session of profile {self.candidate.profile} is over or missing",
                interaction="login",
                where=str(self.candidate.origin),
                finding="login-needed",
                hint=f"aws login --profile {self.candidate.profile}",
            )
        return aws.translate(
            error,
            doing="renewal of the `aws login` session",
            now=self.environment.now(),
            where=str(self.candidate.origin),
            expired="login-needed",
        )
