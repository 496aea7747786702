"""Who may ask for credentials on a loopback port, and who may not: pure functions of a request's head.

The listener is on 127.0.0.1, which keeps other machines out but neither other users of this one nor a web page in the user's own
browser. Against those: a random token compared in constant time, a Host that names this machine (a rebound DNS name does
not), and no header that only a browser or a proxy sends. The threats follow aws-sso-cli's `docs/ecs-threats.md`.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from .server import Request

__all__ = [
    "FORBIDDEN_HEADERS",
    "LINK_ADDRESSES",
    "LOOPBACK",
    "Refusal",
    "TokenTable",
    "check_origin",
    "check_peer_on_link",
    "new_token",
    "path_of",
]

# Headers that a browser or a proxy adds and no AWS SDK sends to a credential endpoint.
FORBIDDEN_HEADERS = (
    "origin",
    "referer",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "forwarded",
    "via",
    "sec-fetch-site",
    "sec-fetch-mode",
    "cookie",
)
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
LINK_ADDRESSES = ("169.254.170.2", "169.254.170.23")
"""Beside loopback, what SDKs ask over plain http: the addresses of ECS and of EKS Pod Identity ("Container credential provider" in
the AWS SDKs and Tools Reference Guide; botocore/utils.py, `ContainerMetadataFetcher`)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is turned away: HTTP status, a code and a sentence that give nothing away."""

    status: int
    code: str
    message: str


def new_token() -> str:
    """256 random bits that survive a header, a shell and a file: letters, digits, ``-`` and ``_``."""
    return secrets.token_urlsafe(32)


def check_origin(request: Request, port: int, names: Collection[str] = LOOPBACK) -> Refusal | None:
    """None where the request comes from a program that asked for one of `names`: on loopback, a program on this machine.

    The Host may come without the port, as the AWS CRT sends it. An absolute target (``GET http://…``) is a proxy request.
    """
    hosts = request.all("host")
    if len(hosts) != 1 or not _is_ours(hosts[0], port, names):
        return Refusal(403, "ForbiddenHost", "the Host header does not name this endpoint")
    for name in FORBIDDEN_HEADERS:
        if request.all(name):
            return Refusal(403, "ForbiddenOrigin", f"requests with the header {name} are refused")
    if not request.target.startswith("/"):
        return Refusal(400, "BadRequest", "the target must be a path")
    return None


def _is_ours(host: str, port: int, names: Collection[str]) -> bool:
    name, separator, given = host.lower().rpartition(":")
    if not separator or not re.fullmatch(r"[0-9]{1,5}", given, re.ASCII):
        return host.lower() in names
    return name in names and int(given) == port


def check_peer_on_link(request: Request) -> Refusal | None:
    """None where the other end is on the network of `LINK_ADDRESSES`, 169.254.170.0/24.

    Linux takes a packet for any of its addresses from any of its networks: the address that is listened on keeps nobody out.
    """
    peer = request.peer[0] if request.peer is not None else ""
    if peer.startswith("169.254.170."):
        return None
    return Refusal(403, "ForbiddenPeer", "only programs on the network of this address are answered")


def path_of(request: Request) -> str:
    """The path exactly as it was sent, but for repeated slashes at its start; ``%``, ``..`` and a query stay what they are.

    Some clients join an endpoint and a path with two slashes. Nothing else is tidied: a path not literally known is unknown.
    """
    return "/" + request.target.lstrip("/")


class TokenTable:
    """Paths and the token that opens each. An unknown path answers as a wrong token does, in the same time."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._tokens = {path: token.encode("ascii") for path, token in tokens.items()}
        self._nobody = secrets.token_bytes(32)

    def add(self, path: str, token: str) -> None:
        self._tokens[path] = token.encode("ascii")

    def remove(self, path: str) -> None:
        self._tokens.pop(path, None)

    def check(self, request: Request) -> Refusal | None:
        """None where path and token belong together and the method is GET."""
        given = request.all("authorization")
        expected = self._tokens.get(path_of(request), self._nobody)
        presented = given[0].encode("latin-1", "replace") if len(given) == 1 else b""
        if not hmac.compare_digest(presented, expected):
            return Refusal(401, "Unauthorized", "missing or wrong authorization token")
        if request.method != "GET":
            return Refusal(405, "MethodNotAllowed", "only GET")
        return None
