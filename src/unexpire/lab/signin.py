"""The service behind `aws login`: it renews a console sign-in's short keys, against a refresh token that rotates.

Wire format: botocore's model of `signin`, operation CreateOAuth2Token; the proof of possession is RFC 9449 (DPoP).
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .state import Session, State
from .wire import Request, Response, json_response

__all__ = ["CLIENT_ID", "Login", "Signin"]

CLIENT_ID = "arn:aws:signin:::devtools/same-device"


@dataclass
class Login:
    refresh: str = field(repr=False)
    ends_at: datetime
    key_pem: str = field(repr=False)
    revoked: str | None = None
    """The error of the model that a refresh now meets: TOKEN_EXPIRED, USER_CREDENTIALS_CHANGED, INSUFFICIENT_PERMISSIONS."""


class Signin:
    """Keys live at most 15 minutes, a whole login 12 hours (AWS SDKs reference guide, "Login credentials provider")."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.key_life = timedelta(minutes=15)
        self.login_life = timedelta(hours=12)
        self.logins: list[Login] = []

    @property
    def session_name(self) -> str:
        return f"arn:aws:iam::{self._state.account}:user/alice"

    def log_in(self) -> tuple[Login, Session]:
        """What a person does in the browser."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ).decode()
        login = Login(
            self._state.vault.opaque("lab-login-"),
            self._state.clock.now() + self.login_life,
            self._state.vault.keep(pem),
        )
        with self._state.lock:
            self.logins.append(login)
        return login, self._session()

    def cached(self, login: Login, session: Session) -> dict[str, Any]:
        """The document that `aws login` keeps in ``~/.aws/login/cache``."""
        return {
            "accessToken": {
                "accessKeyId": session.access_key_id,
                "secretAccessKey": session.secret,
                "sessionToken": session.token,
                "accountId": session.account,
                "expiresAt": session.ends_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
            "tokenType": "aws_sigv4",
            "refreshToken": login.refresh,
            "idToken": "",
            "clientId": CLIENT_ID,
            "dpopKey": login.key_pem,
        }

    def answer(self, request: Request) -> Response:
        document = request.document
        if document.get("grantType") != "refresh_token":
            return _refused(400, "ValidationException", "INVALID_REQUEST", "Unsupported grant type")
        if not _has_proof(request.headers.get("dpop", "")):
            return _refused(400, "ValidationException", "INVALID_REQUEST", "Invalid DPoP proof")
        with self._state.lock:
            login = next((each for each in self.logins if each.refresh == document.get("refreshToken")), None)
            if login is None or login.revoked or self._state.clock.now() >= login.ends_at:
                error = (login.revoked if login else None) or "TOKEN_EXPIRED"
                status = 403 if error == "INSUFFICIENT_PERMISSIONS" else 401
                return _refused(status, "AccessDeniedException", error, "The refresh token is not valid.")
            login.refresh = self._state.vault.opaque("lab-login-")
        session = self._session()
        left = int((session.ends_at - self._state.clock.now()).total_seconds())
        answer = {
            "accessToken": {
                "accessKeyId": session.access_key_id,
                "secretAccessKey": session.secret,
                "sessionToken": session.token,
            },
            "tokenType": "aws_sigv4",
            "expiresIn": max(left, 1),
            "refreshToken": login.refresh,
        }
        return json_response(200, answer)

    def revoke(self, error: str = "TOKEN_EXPIRED") -> None:
        with self._state.lock:
            for login in self.logins:
                login.revoked = error

    def age(self, by: timedelta) -> None:
        with self._state.lock:
            for login in self.logins:
                login.ends_at -= by

    def _session(self) -> Session:
        alice = self._state.users["alice"]
        return self._state.issue("login", arn=alice.arn, user_id=alice.user_id, duration=self.key_life)


def _refused(status: int, code: str, error: str, message: str) -> Response:
    return json_response(status, {"error": error, "message": message}, outcome=code, x_amzn_ErrorType=code)


def _has_proof(header: str) -> bool:
    """Whether a DPoP header holds a JWT that the key inside it signed (ES256)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    def raw(text: str) -> bytes:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    try:
        head, payload, signature = header.split(".")
        jwk = json.loads(raw(head))["jwk"]
        x, y = (int.from_bytes(raw(jwk[name]), "big") for name in ("x", "y"))
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        r, s = (int.from_bytes(raw(signature)[part], "big") for part in (slice(0, 32), slice(32, 64)))
        key.verify(utils.encode_dss_signature(r, s), f"{head}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
    except (ValueError, KeyError, TypeError, InvalidSignature):
        return False
    return True
