"""AssumeRoleWithWebIdentity: a token file that somebody else keeps writing (EKS, OIDC in CI), read anew each time."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..credentials import Credentials, format_timestamp
from ..errors import ConfigurationError, Rejected, UnexpireError
from ..settings.environment import Environment
from ..settings.profile import Profile
from . import aws
from .identity import identity_of, session_name_for

__all__ = ["WebIdentityProvider", "token_end"]

_LARGEST_TOKEN_B = 20_000
"""STS API reference, AssumeRoleWithWebIdentity: WebIdentityToken has at most 20,000 characters."""


def token_end(token: str) -> datetime | None:
    """The `exp` of a JWT (RFC 7519, 4.1.4), unverified; None for what is no JWT or has none."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (IndexError, ValueError, KeyError, TypeError, OverflowError):
        return None


@dataclass(frozen=True)
class WebIdentityProvider:
    """A role that is assumed with a token instead of keys."""

    environment: Environment
    role_arn: str
    token_file: str
    session_name: str | None = None
    duration_s: int | None = None
    profile: Profile | None = None
    where: str | None = None

    method = "assume-role-with-web-identity"
    renewable = True
    interactive = False

    @property
    def identity(self) -> str:
        parts = {"role": self.role_arn, "file": str(self.path), "name": self.session_name}
        return identity_of(self.method, self.environment, parts)

    @property
    def path(self) -> Path:
        """As it stands, with no ``~`` and no variables (botocore/utils.py, `FileWebIdentityTokenLoader`)."""
        return self.environment.cwd / self.token_file

    def describe(self) -> str:
        return f"role {self.role_arn.rpartition('/')[2]} by web identity" + (f" ({self.where})" if self.where else "")

    def fetch(self) -> Credentials:
        """A new session for the token that the file holds now."""
        token = self._token()
        now = self.environment.now()
        asked: dict[str, object] = {
            "RoleArn": self.role_arn,
            "RoleSessionName": self.session_name or session_name_for(self.environment),
            "WebIdentityToken": token,
        }
        if self.duration_s is not None:
            asked["DurationSeconds"] = self.duration_s
        try:
            with aws.calling("sts", self.environment, profile=self.profile) as sts:
                answer = sts.assume_role_with_web_identity(**asked)
            return aws.session_of(answer, now)
        except Exception as error:
            raise self._explained(error, token) from error

    def _token(self) -> str:
        shown = str(self.environment.origin_of(self.path))
        try:
            with self.path.open("rb") as file:
                content = file.read(_LARGEST_TOKEN_B + 1)
            token = content.decode("ascii").strip()
        except OSError as error:
            raise ConfigurationError(
                f"the web identity token file cannot be read: {(error.strerror or 'error').lower()}",
                where=shown,
                hint=f"ls -l {shown}",
                finding="web-identity-token-missing",
            ) from error
        except UnicodeDecodeError as error:
            raise ConfigurationError(
                "the web identity token file holds no token",
                where=shown,
                hint=f"file {shown}",
                finding="web-identity-token-missing",
            ) from error
        if not token or len(content) > _LARGEST_TOKEN_B:
            raise ConfigurationError(
                f"the web identity token file is {'empty' if not token else 'too large for a token'}",
                where=shown,
                hint=f"ls -l {shown}",
                finding="web-identity-token-missing",
            )
        return token

    def _explained(self, error: Exception, token: str) -> UnexpireError:
        shown = str(self.environment.origin_of(self.path))
        problem = aws.translate(
            error,
            doing="AssumeRoleWithWebIdentity",
            now=self.environment.now(),
            where=shown,
            expired="web-identity-token-expired",
            denied="assume-role-denied",
        )
        end = token_end(token)
        if getattr(problem, "aws_code", None) == "InvalidIdentityToken" and token.count(".") != 2:
            problem.message, problem.finding = (
                "the web identity token file holds no token",
                "web-identity-token-missing",
            )
            problem.hint = f"file {shown}"
        if isinstance(problem, Rejected) and problem.finding == "web-identity-token-expired" and end is not None:
            problem.message = (
                f"the web identity token ended at {format_timestamp(end)}, and nobody has written a new one"
            )
            problem.hint = "see what writes the file: a projected service account token, an OIDC step of the pipeline"
        return problem
