"""IAM Identity Center: role credentials for a login token, the token's renewal, and the login itself (device authorization, RFC 8628)."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..credentials import Credentials, format_timestamp
from ..errors import (
    ConfigurationError,
    Denied,
    InteractionRequired,
    RefreshFailed,
    Rejected,
    StoreError,
    UnexpireError,
)
from ..settings.environment import Environment
from ..stores import atomic, aws_caches
from ..stores.aws_caches import SsoToken
from . import aws
from .base import Prompt
from .candidate import Candidate
from .identity import identity_of

__all__ = ["SsoProvider", "log_in"]

_AHEAD = timedelta(minutes=15)
"""A token with less left is renewed, as botocore does (botocore/tokens.py, `_REFRESH_WINDOW`)."""
_LOGIN_TAKES_S = 660.0
"""Seconds to wait for the login that another process has asked for: a device code lives 10 minutes, and some are lost on the way."""
_SCOPES = ("sso:account:access",)
_CLIENT_NAME = "unexpire"


@dataclass(frozen=True)
class SsoProvider:
    """A role of an account, for the SSO login of a profile; a login that is over is renewed where its token allows."""

    environment: Environment
    candidate: Candidate
    prompt: Prompt | None = None
    sleep: Callable[[float], None] = time.sleep

    method = "sso"
    renewable = True
    interactive = False

    @property
    def identity(self) -> str:
        names = ("sso_session", "sso_start_url", "sso_account_id", "sso_role_name")
        return identity_of(self.method, self.environment, {name: self.candidate.value(name) for name in names})

    def describe(self) -> str:
        return self.candidate.description

    def fetch(self) -> Credentials:
        """Role credentials from the portal. Where only a login helps it asks for one; without a prompt, raises InteractionRequired."""
        if self.candidate.problem is not None:
            raise self.candidate.problem
        before = self._read()
        try:
            return self._role_credentials(self.token())
        except InteractionRequired:
            if self.prompt is None:
                raise
        return self._role_credentials(self._logged_in(self.prompt, before))

    def _role_credentials(self, token: SsoToken) -> Credentials:
        now = self.environment.now()
        try:
            with aws.calling("sso", self.environment, region=self._region) as portal:
                answer = portal.get_role_credentials(
                    roleName=self._setting("sso_role_name"),
                    accountId=self._setting("sso_account_id"),
                    accessToken=token.access_token,
                )
            given = answer["roleCredentials"]
            return Credentials(
                given["accessKeyId"],
                given["secretAccessKey"],
                given["sessionToken"],
                expiration=aws.moment(given["expiration"]),
                issued_at=now.replace(microsecond=0),
                account_id=self.candidate.value("sso_account_id"),
            )
        except Exception as error:
            raise self._explained(error) from error

    def token(self) -> SsoToken:
        """A login token that is usable now, renewed under a lock that all of this machine's unexpire processes share."""
        held = self._read()
        now = self.environment.now()
        if held is not None and held.expires_at - now > _AHEAD:
            return held
        if held is None:
            raise self._login_needed("sso-token-missing", f"nobody has logged in to {self._name} on this machine")
        if held.refresh_token is None or not self.candidate.value("sso_session"):
            return self._as_it_is(held, now)
        try:
            with atomic.lock(held.path):
                again = self._read() or held
                if again.expires_at - now > _AHEAD:
                    return again
                return self._renewed(again, now)
        except StoreError as error:
            # Without the lock no renewal: it would use up a refresh token that every other tool needs.
            if held.expires_at > now:
                return held
            raise RefreshFailed(
                f"the SSO login of {self._name} cannot be renewed: {error.message}",
                retryable=True,
                where=self._where(held),
                finding="sso-login-needed",
                hint=error.hint,
            ) from error

    def _logged_in(self, prompt: Prompt, before: SsoToken | None) -> SsoToken:
        """Asked once: of all processes that need this login one asks, the others wait for what comes of it."""
        with atomic.lock(aws_caches.token_path(self._home, self._name), timeout_s=_LOGIN_TAKES_S):
            after = self._read()
            if after is not None and after.expires_at > self.environment.now() and after != before:
                return after
            return _begin_login(self, prompt)

    def _as_it_is(self, held: SsoToken, now: datetime) -> SsoToken:
        if held.expires_at > now:
            return held
        ended = f"the SSO login of {self._name} ended at {format_timestamp(held.expires_at)}"
        if not self.candidate.value("sso_session"):
            raise self._login_needed("sso-legacy-config", f"{ended}, and without an sso-session nothing renews it")
        raise self._login_needed("sso-login-needed", f"{ended}, and it has no refresh token")

    def _renewed(self, held: SsoToken, now: datetime) -> SsoToken:
        """A new token for the refresh token, which is used up by that; a failure is no matter while the old one lives."""
        if held.registration_expires_at is not None and held.registration_expires_at <= now:
            if held.expires_at > now:
                return held
            raise self._login_needed(
                "sso-registration-expired",
                f"the registration of the SSO client ended at {format_timestamp(held.registration_expires_at)}",
            )
        try:
            answer = aws.client("sso-oidc", self.environment, region=self._region).create_token(
                grantType="refresh_token",
                clientId=held.client_id or "",
                clientSecret=held.client_secret or "",
                refreshToken=held.refresh_token or "",
            )
            fresh = dataclasses.replace(
                held,
                access_token=answer["accessToken"],
                expires_at=(now + timedelta(seconds=answer["expiresIn"])).replace(microsecond=0),
                refresh_token=answer.get("refreshToken", held.refresh_token),
            )
        except Exception as error:
            again = self._read()
            if again is not None and again != held and again.expires_at > now:
                return again  # a tool that does not know our lock was quicker, and used the refresh token up
            if held.expires_at > now:
                return held
            problem = aws.translate(error, doing="renewal of the SSO login", now=now, where=self._where(held))
            if isinstance(problem, RefreshFailed) and (problem.retryable or problem.finding == "endpoint-unreachable"):
                raise problem from error
            raise self._login_needed(
                "sso-login-needed", f"the SSO login of {self._name} is over: {_code(error)}"
            ) from error
        with contextlib.suppress(StoreError):
            # A disk that is full now does not make the token bad; the login that is needed later is another matter.
            aws_caches.write_sso_token(fresh)
        return fresh

    def _read(self) -> SsoToken | None:
        return aws_caches.read_sso_token(self._home, self._name)

    @property
    def _home(self) -> Path:
        if self.environment.home is None:
            raise ConfigurationError("there is no home folder, where SSO tokens are kept", hint="export HOME=…")
        return self.environment.home

    @property
    def _name(self) -> str:
        return self.candidate.value("sso_session") or self._setting("sso_start_url")

    @property
    def _region(self) -> str | None:
        return self.candidate.value("sso_region")

    def _setting(self, name: str) -> str:
        value = self.candidate.value(name)
        if not value:
            raise ConfigurationError(
                f"{self.candidate.description} has no {name}",
                where=str(self.candidate.origin),
                hint="aws configure sso",
            )
        return value

    def _where(self, held: SsoToken) -> str:
        return str(self.environment.origin_of(held.path))

    def _login_needed(self, finding: str, message: str) -> InteractionRequired:
        return InteractionRequired(
            message,
            interaction="sso-login",
            where=str(self.candidate.origin),
            finding=finding,
            hint=f"aws sso login --profile {self.candidate.profile}",
        )

    def _explained(self, error: Exception) -> UnexpireError:
        code = _code(error)
        if code == "UnauthorizedException":
            # The token was revoked, or its portal session ended, whatever expiresAt still promises.
            return self._login_needed(
                "sso-login-needed", f"the SSO portal does not accept the login of {self._name} any more"
            )
        role, account = self.candidate.value("sso_role_name"), self.candidate.value("sso_account_id")
        if code in ("ForbiddenException", "ResourceNotFoundException"):
            return Denied(
                f"this SSO user has no role {role} in account {account}",
                aws_code=code,
                where=str(self.candidate.origin),
                finding="sso-role-not-assigned",
                hint="aws sso list-account-roles",
            )
        return aws.translate(
            error, doing=f"GetRoleCredentials of {role}", now=self.environment.now(), where=str(self.candidate.origin)
        )


def _code(error: BaseException) -> str:
    response: dict[str, Any] = getattr(error, "response", {}) or {}
    return str(response.get("Error", {}).get("Code", type(error).__name__))


def log_in(
    environment: Environment, candidate: Candidate, prompt: Prompt, *, sleep: Callable[[float], None] = time.sleep
) -> SsoToken:
    """Have a human approve a login in the browser, and keep its token where every SDK reads it.

    Device authorization grant of sso-oidc. Raises InteractionRequired where it was not approved in time, Denied where it was refused.
    """
    provider = SsoProvider(environment, candidate, sleep=sleep)
    with atomic.lock(aws_caches.token_path(provider._home, provider._name), timeout_s=_LOGIN_TAKES_S):
        return _begin_login(provider, prompt)


def _begin_login(provider: SsoProvider, prompt: Prompt) -> SsoToken:
    """The login itself, with the token's lock held."""
    environment = provider.environment
    try:
        return _Login(environment, provider, prompt, provider.sleep).run()
    except UnexpireError:
        raise
    except Exception as error:
        where = str(provider.candidate.origin)
        raise aws.translate(error, doing="SSO login", now=environment.now(), where=where) from error


@dataclass
class _Login:
    environment: Environment
    provider: SsoProvider
    prompt: Prompt
    sleep: Callable[[float], None]

    def run(self) -> SsoToken:
        provider = self.provider
        held = provider._read()
        oidc = aws.client("sso-oidc", self.environment, region=provider._region)
        registered = self._registration(oidc, held)
        start_url = provider._setting("sso_start_url")
        begun = oidc.start_device_authorization(
            clientId=registered["clientId"], clientSecret=registered["clientSecret"], startUrl=start_url
        )
        self.prompt.open_login(begun.get("verificationUriComplete") or begun["verificationUri"], begun["userCode"])
        answer = self._wait(oidc, registered, begun)
        now = self.environment.now()
        token = SsoToken(
            aws_caches.token_path(provider._home, provider._name),
            answer["accessToken"],
            (now + timedelta(seconds=answer["expiresIn"])).replace(microsecond=0),
            start_url=start_url,
            region=provider._region,
            client_id=registered["clientId"],
            client_secret=registered["clientSecret"],
            registration_expires_at=registered["expires"],
            refresh_token=answer.get("refreshToken") if provider.candidate.value("sso_session") else None,
        )
        aws_caches.write_sso_token(token)
        return token

    def _registration(self, oidc: Any, held: SsoToken | None) -> dict[str, Any]:
        """A client registration that is still good, else a new one."""
        now = self.environment.now()
        if (
            held is not None
            and held.client_id
            and held.client_secret
            and held.registration_expires_at is not None
            and held.registration_expires_at - now > timedelta(hours=1)
            and self.provider.candidate.value("sso_session")
        ):
            return {
                "clientId": held.client_id,
                "clientSecret": held.client_secret,
                "expires": held.registration_expires_at,
            }
        asked: dict[str, Any] = {"clientName": _CLIENT_NAME, "clientType": "public"}
        if self.provider.candidate.value("sso_session"):
            # Only a client that asks for scopes is given refresh tokens; the older configuration never had them.
            asked["scopes"] = list(_SCOPES)
        answer = oidc.register_client(**asked)
        expires = datetime.fromtimestamp(int(answer["clientSecretExpiresAt"]), UTC)
        return {"clientId": answer["clientId"], "clientSecret": answer["clientSecret"], "expires": expires}

    def _wait(self, oidc: Any, registered: dict[str, Any], begun: dict[str, Any]) -> dict[str, Any]:
        interval = float(begun.get("interval") or 5)
        waited = 0.0
        while waited <= float(begun["expiresIn"]):
            try:
                answer: dict[str, Any] = oidc.create_token(
                    grantType="urn:ietf:params:oauth:grant-type:device_code",
                    clientId=registered["clientId"],
                    clientSecret=registered["clientSecret"],
                    deviceCode=begun["deviceCode"],
                )
                return answer
            except Exception as error:
                code = _code(error)
                if code == "SlowDownException":
                    interval += 5  # RFC 8628, 3.5
                elif code == "AccessDeniedException":
                    raise Rejected(
                        "the login was refused in the browser", aws_code=code, finding="sso-login-needed"
                    ) from error
                elif code == "ExpiredTokenException":
                    break
                elif code != "AuthorizationPendingException":
                    raise
            self.sleep(interval)
            waited += interval
        raise self.provider._login_needed("sso-login-needed", "the login was not approved in time")
