"""Access key ids, secrets and tokens that look like AWS's own, with the account inside the key id as AWS encodes it."""

from __future__ import annotations

import base64
import secrets
import threading

__all__ = ["Vault", "access_key_id", "unique_id"]

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def access_key_id(account: str, prefix: str) -> str:
    """``AKIA…`` or ``ASIA…``, 20 characters; `unexpire.credentials.account_id_of_key` reads the account back."""
    head = (1 << 47) | (int(account) << 7) | secrets.randbelow(128)
    return prefix + base64.b32encode(head.to_bytes(6, "big") + secrets.token_bytes(4)).decode()


def unique_id(prefix: str) -> str:
    """``AIDA…`` (user), ``AROA…`` (role): 21 characters (IAM user guide, "Understanding unique ID prefixes")."""
    return prefix + "".join(secrets.choice(_BASE32) for _ in range(17))


class Vault:
    """Makes every secret of the lab, and remembers them all: a test searches what a program wrote for any of them."""

    def __init__(self) -> None:
        self._issued: set[str] = set()
        self._lock = threading.Lock()

    def keep(self, secret: str) -> str:
        with self._lock:
            self._issued.add(secret)
        return secret

    def secret_key(self) -> str:
        """Forty characters, as AWS's secret access keys have."""
        return self.keep(base64.b64encode(secrets.token_bytes(30)).decode())

    def session_token(self) -> str:
        return self.keep("IQoJb3JpZ2luX2VjE" + base64.b64encode(secrets.token_bytes(270)).decode())

    def opaque(self, prefix: str, size: int = 48) -> str:
        """SSO access and refresh tokens, client secrets, device codes, metadata tokens."""
        return self.keep(prefix + secrets.token_urlsafe(size))

    def issued(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self._issued)
