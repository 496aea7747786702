"""Sessions of ``aws login``, through botocore, which signs their renewals with awscrt."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from ..credentials import Credentials, parse_timestamp
from ..errors import ConfigurationError, InteractionRequired, RefreshFailed, StoreError, UnexpireError
from ..settings.environment import Environment
from ..stores import atomic, aws_caches
from . import aws
from .candidate import Candidate
from .ends import login_folder
from .identity import identity_of

__all__ = ["LoginProvider"]

_LONGEST = timedelta(minutes=15)
"""The longest session of a console sign-in (signin service model, `expiresIn`: at most 900)."""


@dataclass(frozen=True)
class LoginProvider:
    """The console sign-in of a profile. Its refresh token rotates and every SDK shares it: renewed under a lock, after a second look."""

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
        folder = self._folder()
        session = self.candidate.value("login_session") or ""
        now = self.environment.now()
        try:
            with atomic.lock(aws_caches.login_path(folder, session)):
                found = self._fetcher(session, folder).refresh_credentials()
            end = parse_timestamp(str(found["expiry_time"]))
        except StoreError as error:
            raise RefreshFailed(
                f"the `aws login` session of profile {self._profile} cannot be renewed: {error.message}",
                retryable=True,
                where=str(self.candidate.origin),
                finding="login-needed",
                hint=error.hint,
            ) from error
        except ConfigurationError:
            raise
        except Exception as error:
            raise self._explained(error) from error
        return Credentials(
            found["access_key"],
            found["secret_key"],
            found["token"],
            expiration=end,
            issued_at=min(now.replace(microsecond=0), end - _LONGEST),
            account_id=found.get("account_id"),
        )

    @property
    def _profile(self) -> str:
        return self.candidate.profile or "default"

    def _folder(self) -> Path:
        folder = login_folder(self.environment)
        if folder is None and self.environment.home is not None:
            folder = self.environment.home / ".aws" / "login" / "cache"
        if folder is None:
            raise ConfigurationError(
                "there is no home folder, where `aws login` sessions are kept", hint="export HOME=…"
            )
        return folder

    def _fetcher(self, session: str, folder: Path) -> Any:
        from botocore import credentials, utils

        fetcher: Any = getattr(credentials, "LoginCredentialFetcher", None)
        if fetcher is None:
            raise ConfigurationError(
                "the installed botocore does not know `aws login`",
                where=str(self.candidate.origin),
                hint="pip install -U 'botocore[crt]'",
                finding="login-needed",
            )
        loader: Any = utils.LoginTokenLoader
        return fetcher(
            session_name=session,
            token_loader=loader(cache=_Cache(folder)),
            client_creator=self._client,
            time_fetcher=self.environment.now,
        )

    def _client(self, service: str, *, region_name: str | None = None, **_: Any) -> Any:
        profile = self.environment.settings().profiles.get(self._profile)
        return aws.client(service, self.environment, profile=profile, region=region_name)

    def _explained(self, error: Exception) -> UnexpireError:
        name = type(error).__name__
        if name == "LoginInsufficientPermissions":
            message = "AWS does not allow this sign-in to be renewed (signin:CreateOAuth2Token)"
        elif name.startswith("Login"):
            message = f"the `aws login` session of profile {self._profile} is over or missing"
        elif isinstance(error, KeyError | TypeError | AttributeError):
            message = f"the cache of the `aws login` session of profile {self._profile} is damaged"
        else:
            return aws.translate(
                error,
                doing="renewal of the `aws login` session",
                now=self.environment.now(),
                where=str(self.candidate.origin),
                expired="login-needed",
            )
        return InteractionRequired(
            message,
            interaction="login",
            where=str(self.candidate.origin),
            finding="login-needed",
            hint=f"aws login --profile {self._profile}",
        )


class _Cache(MutableMapping[str, Any]):
    """The folder of `aws login` as botocore's cache: the same files, written whole and looked up in the snapshot's home."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, key: str) -> Any:
        found = aws_caches.read_document(self._folder / f"{key}.json")
        if found is None:
            raise KeyError(key)
        return found

    def __setitem__(self, key: str, value: Any) -> None:
        aws_caches.write_document(self._folder / f"{key}.json", value)

    def __delitem__(self, key: str) -> None:
        raise NotImplementedError

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0
