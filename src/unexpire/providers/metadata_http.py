"""Small requests to the two metadata services, which speak plain HTTP on the machine itself: no proxy, no redirect, a short patience."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["Reply", "ask"]

_LARGEST_B = 256 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers (names in lower case) and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def may_pass(self) -> bool:
        """Whether the same question may be answered later."""
        return self.status >= 500 or self.status == 429

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


def ask(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 1.0,
    attempts: int = 1,
) -> Reply:
    """One request, repeated while the connection fails, `attempts` times in all. Raises OSError or http.client.HTTPException."""
    while True:
        attempts -= 1
        try:
            return _once(url, method, headers or {}, timeout_s)
        except (OSError, http.client.HTTPException):
            if attempts <= 0:
                raise


def _once(url: str, method: str, headers: Mapping[str, str], timeout_s: float) -> Reply:
    parts = urlsplit(url)
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=timeout_s, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, path, headers=dict(headers))
        answer = connection.getresponse()
        body = answer.read(_LARGEST_B)
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)
    finally:
        connection.close()
