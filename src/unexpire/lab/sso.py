"""IAM Identity Center's OIDC service, which issues tokens to programs, and the pages where a human approves.

Wire format: botocore's model of `sso-oidc`. Refresh tokens rotate: each works once.
"""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode

from .refusals import request_id
from .state import State
from .wire import Request, Response, json_response

__all__ = ["Client", "Device", "Sso", "SsoToken"]

_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
# RFC 6749 and 8628 words of each exception of the model
_WORDS = {
    "AuthorizationPendingException": "authorization_pending",
    "SlowDownException": "slow_down",
    "ExpiredTokenException": "expired_token",
    "InvalidGrantException": "invalid_grant",
    "InvalidClientException": "invalid_client",
    "InvalidRequestException": "invalid_request",
    "InvalidScopeException": "invalid_scope",
    "UnsupportedGrantTypeException": "unsupported_grant_type",
    "UnauthorizedClientException": "unauthorized_client",
    "AccessDeniedException": "access_denied",
}


class OidcRefused(Exception):
    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code, self.description, self.status = code, description, status

    def response(self) -> Response:
        document = {"error": _WORDS.get(self.code, "server_error"), "error_description": self.description}
        return json_response(
            self.status, document, outcome=self.code, x_amzn_ErrorType=self.code, x_amzn_RequestId=request_id()
        )


@dataclass
class SsoToken:
    """One login: the access token, and the refresh token that renews it, if the client asked for one."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    client_id: str
    expires_at: datetime
    portal_ends_at: datetime
    revoked: bool = False


@dataclass
class Client:
    client_id: str
    secret: str = field(repr=False)
    expires_at: datetime


@dataclass
class Device:
    """A login that waits for a human: RFC 8628."""

    code: str = field(repr=False)
    user_code: str
    client_id: str
    expires_at: datetime
    approved: bool = False
    denied: bool = False
    last_poll: datetime | None = None
    interval_s: int = 1


@dataclass
class _Authorization:
    """An authorization code with PKCE: RFC 7636."""

    client_id: str
    redirect_uri: str
    challenge: str
    expires_at: datetime


class Sso:
    """`auto_approve`: device logins need nobody at the approve page. `token_life` is of an access token, `portal_life` of the whole
    login: no refresh reaches beyond it."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.url = ""
        self.auto_approve = False
        self.token_life = timedelta(hours=1)
        self.portal_life = timedelta(hours=8)
        self.client_life = timedelta(days=90)
        self.interval_s = 1
        self.clients: dict[str, Client] = {}
        self.devices: dict[str, Device] = {}
        self.tokens: list[SsoToken] = []
        self._codes: dict[str, _Authorization] = {}

    @property
    def start_url(self) -> str:
        return f"{self.url}/_sso/start"

    def live_token(self, access: str) -> SsoToken | None:
        """The login that an access token stands for, while it does."""
        now = self._state.clock.now()
        with self._state.lock:
            for token in self.tokens:
                if secrets.compare_digest(token.access, access):
                    return None if token.revoked or now >= token.expires_at else token
        return None

    # OIDC
    def oidc(self, request: Request) -> Response:
        operations: dict[str, Callable[[dict[str, object]], Response]] = {
            "/client/register": self._register,
            "/device_authorization": self._start_device,
            "/token": self._token,
        }
        try:
            return operations[request.path](request.document)
        except OidcRefused as refused:
            return refused.response()

    def register_client(self) -> Client:
        now = self._state.clock.now()
        vault = self._state.vault
        client = Client(
            secrets.token_urlsafe(18), vault.opaque("eyJraWQiOiJrZXktMTU2NDAyODA5OSIs."), now + self.client_life
        )
        with self._state.lock:
            self.clients[client.client_id] = client
        return client

    def _register(self, document: dict[str, object]) -> Response:
        if not document.get("clientName") or document.get("clientType") != "public":
            raise OidcRefused("InvalidClientMetadataException", "Invalid client type")
        client = self.register_client()
        return json_response(
            200,
            {
                "clientId": client.client_id,
                "clientSecret": client.secret,
                "clientIdIssuedAt": int(self._state.clock.now().timestamp()),
                "clientSecretExpiresAt": int(client.expires_at.timestamp()),
                "authorizationEndpoint": f"{self.url}/authorize",
                "tokenEndpoint": f"{self.url}/token",
            },
        )

    def _client(self, document: dict[str, object]) -> Client:
        client = self.clients.get(str(document.get("clientId")))
        secret = str(document.get("clientSecret"))
        if (
            client is None
            or not secrets.compare_digest(client.secret, secret)
            or self._state.clock.now() >= client.expires_at
        ):
            raise OidcRefused("InvalidClientException", "Invalid client provided", 401)
        return client

    def _start_device(self, document: dict[str, object]) -> Response:
        client = self._client(document)
        if not document.get("startUrl"):
            raise OidcRefused("InvalidRequestException", "Missing required parameter: startUrl")
        letters = "BCDFGHJKLMNPQRSTVWXZ"
        raw = "".join(secrets.choice(letters) for _ in range(8))
        device = Device(
            code=self._state.vault.opaque("dc-"),
            user_code=f"{raw[:4]}-{raw[4:]}",
            client_id=client.client_id,
            expires_at=self._state.clock.now() + timedelta(minutes=10),
            approved=self.auto_approve,
            interval_s=self.interval_s,
        )
        with self._state.lock:
            self.devices[device.user_code] = device
        page = f"{self.url}/_sso/device"
        return json_response(
            200,
            {
                "deviceCode": device.code,
                "userCode": device.user_code,
                "verificationUri": page,
                "verificationUriComplete": f"{page}?user_code={quote(device.user_code)}",
                "expiresIn": 600,
                "interval": device.interval_s,
            },
        )

    def _token(self, document: dict[str, object]) -> Response:
        client, grant = self._client(document), document.get("grantType")
        with self._state.lock:
            if grant == _DEVICE_GRANT:
                return self._by_device(client, str(document.get("deviceCode")))
            if grant == "refresh_token":
                return self._by_refresh(client, str(document.get("refreshToken")))
            if grant == "authorization_code":
                return self._by_code(client, document)
        raise OidcRefused("UnsupportedGrantTypeException", "Unsupported grant type provided")

    def _by_device(self, client: Client, code: str) -> Response:
        device = next((d for d in self.devices.values() if d.code == code and d.client_id == client.client_id), None)
        now = self._state.clock.now()
        if device is None:
            raise OidcRefused("InvalidGrantException", "Invalid device code provided")
        if now >= device.expires_at:
            raise OidcRefused("ExpiredTokenException", "Device code has expired")
        if device.denied:
            raise OidcRefused("AccessDeniedException", "Access denied")
        if not device.approved:
            too_soon = device.last_poll is not None and now - device.last_poll < timedelta(
                seconds=device.interval_s * 0.5
            )
            device.last_poll = now
            if too_soon:
                raise OidcRefused("SlowDownException", "Polling too fast")
            raise OidcRefused("AuthorizationPendingException", "Authorization pending")
        del self.devices[device.user_code]
        return self._issued(self.issue_token(client))

    def _by_refresh(self, client: Client, refresh: str) -> Response:
        now = self._state.clock.now()
        old = next((t for t in self.tokens if t.refresh == refresh and t.client_id == client.client_id), None)
        if old is None or old.revoked or now >= old.portal_ends_at:
            raise OidcRefused("InvalidGrantException", "Invalid refresh token provided")
        old.refresh = None
        return self._issued(self.issue_token(client, portal_ends_at=old.portal_ends_at))

    def _by_code(self, client: Client, document: dict[str, object]) -> Response:
        found = self._codes.pop(str(document.get("code")), None)
        verifier = str(document.get("codeVerifier", ""))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if (
            found is None
            or found.client_id != client.client_id
            or found.redirect_uri != document.get("redirectUri")
            or found.challenge != challenge
            or self._state.clock.now() >= found.expires_at
        ):
            raise OidcRefused("InvalidGrantException", "Invalid grant provided")
        return self._issued(self.issue_token(client))

    def issue_token(self, client: Client, *, refresh: bool = True, portal_ends_at: datetime | None = None) -> SsoToken:
        """Log in without a human. `refresh` False: as the legacy configuration does, which never gets a refresh token."""
        now, vault = self._state.clock.now(), self._state.vault
        ends = portal_ends_at or now + self.portal_life
        token = SsoToken(
            access=vault.opaque("aoaAAAAAG"),
            refresh=vault.opaque("aorAAAAAG") if refresh else None,
            client_id=client.client_id,
            expires_at=min(now + self.token_life, ends),
            portal_ends_at=ends,
        )
        with self._state.lock:
            self.tokens.append(token)
        return token

    def _issued(self, token: SsoToken) -> Response:
        left = int((token.expires_at - self._state.clock.now()).total_seconds())
        document = {"accessToken": token.access, "tokenType": "Bearer", "expiresIn": max(left, 0)}
        if token.refresh:
            document["refreshToken"] = token.refresh
        return json_response(200, document)

    # what a human does
    def page(self, request: Request) -> Response:
        """The approve page: visiting the complete verification URL approves, as clicking "Allow" would."""
        code = request.form.get("user_code", "").upper()
        if not code:
            form = '<form method="get"><label>Code <input name="user_code" autofocus></label> <button>Allow</button></form>'
            return _page(200, "Authorize a request", form)
        if self.approve(code):
            return _page(200, "Request approved", f"<p>{html.escape(code)}: you may close this window.</p>")
        return _page(404, "No such request", f"<p>{html.escape(code)} is unknown or has expired.</p>")

    def approve(self, user_code: str | None = None, *, deny: bool = False) -> int:
        """Approve (or deny) one waiting device login, or all; how many."""
        now = self._state.clock.now()
        with self._state.lock:
            waiting = [
                d
                for d in self.devices.values()
                if user_code in (None, d.user_code) and not d.approved and now < d.expires_at
            ]
            for device in waiting:
                device.approved, device.denied = not deny, deny
        return len(waiting)

    def authorize(self, request: Request) -> Response:
        """The authorization endpoint: the lab's human always says yes, and is sent back with a code."""
        asked = request.arguments
        redirect = asked.get("redirect_uri", "")
        if asked.get("client_id") not in self.clients or not redirect.startswith("http://127.0.0.1"):
            return _page(400, "Invalid request", "<p>unknown client or redirect</p>")
        code = self._state.vault.opaque("ac-")
        end = self._state.clock.now() + timedelta(minutes=10)
        challenge = asked.get("code_challenge", "")
        self._codes[code] = _Authorization(asked["client_id"], redirect, challenge, end)
        back = f"{redirect}?{urlencode({'code': code, 'state': asked.get('state', '')})}"
        return Response(302, [("Location", back)])

    # controls
    def revoke(self, token: SsoToken | None = None) -> int:
        """Sign out one login, or all: access and refresh tokens are dead from now on, whatever a cache says."""
        with self._state.lock:
            found = self.tokens if token is None else [t for t in self.tokens if t is token]
            alive = [t for t in found if not t.revoked]
            for each in alive:
                each.revoked = True
        return len(alive)

    def expire_clients(self) -> None:
        with self._state.lock:
            for client in self.clients.values():
                client.expires_at = self._state.clock.now()

    def age(self, by: timedelta) -> None:
        with self._state.lock:
            for token in self.tokens:
                token.expires_at -= by
                token.portal_ends_at -= by
            for device in self.devices.values():
                device.expires_at -= by
            for client in self.clients.values():
                client.expires_at -= by


def _page(status: int, title: str, content: str) -> Response:
    text = f"<!DOCTYPE html><html lang=en><meta charset=utf-8><title>{title}</title><h1>{title}</h1>{content}</html>"
    return Response(status, [("Content-Type", "text/html; charset=utf-8")], text.encode())
