"""An OpenID Connect issuer of the lab's own: it signs web identity tokens, publishes its keys, and keeps a token file fresh.

The tokens are RS256 JWTs (RFC 7519), as Kubernetes and GitHub Actions issue them.
"""

from __future__ import annotations

import base64
import functools
import json
import os
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .clock import LabClock
from .keys import Vault
from .wire import Request, Response, json_response

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["Issuer", "TokenExpired", "TokenInvalid"]

PATH = "/_issuer"


class TokenExpired(Exception):
    """The token is past its `exp`; both moments in seconds since 1970."""

    def __init__(self, now: int, end: int) -> None:
        super().__init__("expired")
        self.now, self.end = now, end


class TokenInvalid(Exception):
    """Not a token of this issuer; the message is the sentence that STS answers."""


class Issuer:
    def __init__(self, clock: LabClock, vault: Vault) -> None:
        self._clock, self._vault = clock, vault
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._issued = 0
        self._files: dict[Path, tuple[timedelta, datetime]] = {}
        self._ages: list[tuple[int, timedelta]] = []
        self.url = ""

    def provider_arn(self, account: str) -> str:
        return f"arn:aws:iam::{account}:oidc-provider/{self.url.partition('://')[2]}"

    def token(
        self,
        subject: str = "system:serviceaccount:default:web",
        audience: str = "sts.amazonaws.com",
        life: timedelta = timedelta(hours=24),
    ) -> str:
        """A new token; `life` may be negative."""
        now = int(self._clock.now().timestamp())
        end = now + int(life.total_seconds())
        with self._lock:
            self._issued += 1
            number = self._issued
        issued = min(now, end)
        claims = {
            "iss": self.url,
            "sub": subject,
            "aud": audience,
            "iat": issued,
            "nbf": issued,
            "exp": end,
            "jti": str(number),
        }
        head = {"alg": "RS256", "typ": "JWT", "kid": "lab-1"}
        text = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
        return self._vault.keep(f"{text}.{_encode(self._sign(text.encode()))}")

    def write_token(self, path: Path, **claims: Any) -> None:
        """Write a fresh token where a program reads it: replaced in one step, as the kubelet does, readable by the owner only."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(self.token(**claims))
        os.replace(partial, path)

    def keep_fresh(self, path: Path, life: timedelta) -> None:
        """Write a token to `path` now, and a new one whenever `rotate` finds four fifths of its life gone, as the kubelet does."""
        with self._writing:
            self._write_and_note(path, life)

    def _write_and_note(self, path: Path, life: timedelta) -> None:
        self.write_token(path, life=life)
        self._files[path] = (life, self._clock.now() + life * 0.8)

    def rotate(self) -> bool:
        """Rewrite the token files that are due; whether there are any to look after. A file whose folder is gone is let go."""
        with self._writing:
            now = self._clock.now()
            for path, (life, when) in list(self._files.items()):
                if now < when:
                    continue
                try:
                    if not path.parent.is_dir():
                        raise FileNotFoundError(path.parent)
                    self._write_and_note(path, life)
                except OSError:
                    del self._files[path]
            return bool(self._files)

    def let_go(self, path: Path | None = None) -> None:
        """Stop rotating one file, or all: what they hold then expires."""
        with self._writing:
            self._files = {} if path is None else {p: rest for p, rest in self._files.items() if p != path}

    def read(self, token: str) -> dict[str, Any]:
        """The claims of a valid token; raises TokenExpired or TokenInvalid."""
        parts = token.split(".")
        try:
            claims = json.loads(_decode(parts[1]))
            signature = _decode(parts[2])
            issuer, end = str(claims["iss"]), int(claims["exp"])
        except (ValueError, IndexError, KeyError, TypeError):
            raise TokenInvalid("The web identity token that was passed is invalid or malformed.") from None
        if issuer != self.url:
            raise TokenInvalid(f"No OpenIDConnect provider found in your account for {issuer}")
        if not self._is_signed(f"{parts[0]}.{parts[1]}".encode(), signature):
            raise TokenInvalid("The web identity token provided could not be validated")
        number = int(claims.get("jti", 0))
        older = sum((by for last, by in self._ages if number <= last), timedelta(0))
        now = int((self._clock.now() + older).timestamp())
        if now >= end:
            raise TokenExpired(now, end)
        return dict(claims)

    def answer(self, request: Request) -> Response:
        """The discovery document and the public key (OpenID Connect Discovery 1.0, section 4; RFC 7517)."""
        path = request.path.removeprefix(PATH)
        if path == "/.well-known/openid-configuration":
            return json_response(
                200,
                {
                    "issuer": self.url,
                    "jwks_uri": f"{self.url}/keys.json",
                    "authorization_endpoint": "urn:kubernetes:programmatic_authorization",
                    "response_types_supported": ["id_token"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "claims_supported": ["sub", "iss", "aud", "exp"],
                },
            )
        if path == "/keys.json":
            numbers = self._private_key().public_key().public_numbers()
            modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
            exponent = numbers.e.to_bytes(3, "big")
            key = {
                "kty": "RSA",
                "alg": "RS256",
                "use": "sig",
                "kid": "lab-1",
                "n": _encode(modulus),
                "e": _encode(exponent),
            }
            return json_response(200, {"keys": [key]})
        return json_response(404, {"error": "not_found"}, outcome="NotFound")

    def _private_key(self) -> RSAPrivateKey:
        with self._lock:
            return _key_of_this_process()

    def _sign(self, text: bytes) -> bytes:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        return self._private_key().sign(text, padding.PKCS1v15(), hashes.SHA256())

    def _is_signed(self, text: bytes, signature: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        try:
            self._private_key().public_key().verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def age(self, by: timedelta) -> None:
        """Every token issued so far is older by this, as if time had passed for it alone."""
        with self._lock:
            self._ages.append((self._issued, by))


@functools.cache
def _key_of_this_process() -> RSAPrivateKey:
    """One key for all labs of a process: making one takes longer than starting a lab, and the issuer's URL tells labs apart."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
