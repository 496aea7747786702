"""IMDSv2 on loopback, for programs that know no other credential endpoint.

Wire format: "Use IMDSv2" in the EC2 User Guide. IMDS has no secret of its own: whoever reaches it may ask. So on Linux the kernel
is asked which user opened the connection, and only this user and root get a token; elsewhere any local user
could, which `run --imds` says. Tokens are signed and carry their own end: they survive a restart of ours, because Rust keeps one
for six hours.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import re
import secrets
import sys
import weakref
from collections.abc import Awaitable
from datetime import datetime, timedelta

from .connection_owner import connection_owner
from .endpoint import Held, answer, error_response, json_response, refusal_response
from .guard import Refusal, check_origin, path_of
from .server import Request, Response

__all__ = ["ImdsEndpoint", "ImdsTokens"]

_TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
_LONGEST_TTL_S = 21_600
_CREDENTIALS = "/latest/meta-data/iam/security-credentials"
_EXTENDED = "/latest/meta-data/iam/security-credentials-extended"


class ImdsTokens:
    """Issues and checks session tokens: the end, a nonce, and an HMAC-SHA256 of both."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            raise ValueError("the signing secret needs at least 32 bytes")
        self._secret = secret

    def issue(self, ttl_s: int, now: datetime) -> str:
        end = int((now + timedelta(seconds=ttl_s)).timestamp())
        payload = f"{end:x}.{secrets.token_urlsafe(12)}"
        return f"{payload}.{self._sign(payload)}"

    def accepts(self, token: str, now: datetime) -> bool:
        payload, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._sign(payload).encode(), signature.encode("latin-1", "replace")):
            return False
        end = payload.partition(".")[0]
        return re.fullmatch(r"[0-9a-f]{1,12}", end) is not None and int(end, 16) > now.timestamp()

    def _sign(self, payload: str) -> str:
        digest = hmac.new(self._secret, b"imds-token:" + payload.encode("latin-1", "replace"), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class ImdsEndpoint:
    """Handler of the paths that SDKs ask for on their way to credentials. `role` is the one role name it knows."""

    def __init__(self, port: int, held: Held, tokens: ImdsTokens, *, role: str, region: str | None) -> None:
        self._port = port
        self._held = held
        self._tokens = tokens
        self._role = role
        self._region = region
        self._owners: weakref.WeakKeyDictionary[asyncio.BaseTransport, int | None] = weakref.WeakKeyDictionary()

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        refusal = check_origin(request, self._port) or self._check_user(request)
        if refusal is not None:
            return refusal_response(refusal)
        path = path_of(request)
        if path == "/latest/api/token":
            return self._token(request)
        given = request.all("x-aws-ec2-metadata-token")
        if len(given) != 1 or not self._tokens.accepts(given[0], self._held.clock()):
            # 401 and nothing else: after a 403, 404 or 405 Go and JavaScript would go on without a token
            return error_response(401, "Unauthorized", "missing or invalid metadata token")
        if request.method != "GET":
            return refusal_response(Refusal(405, "MethodNotAllowed", "only GET"))
        return self._metadata(path)

    def _check_user(self, request: Request) -> Refusal | None:
        if not sys.platform.startswith("linux") or self._owner(request) in (0, os.getuid()):
            return None
        return Refusal(401, "Unauthorized", "this endpoint belongs to another user")

    def _owner(self, request: Request) -> int | None:
        """Asked of the kernel once a connection: its table is as long as there are connections."""
        if request.peer is None or request.transport is None:
            return None
        if request.transport not in self._owners:
            self._owners[request.transport] = connection_owner(request.peer, self._port)
        return self._owners[request.transport]

    def _token(self, request: Request) -> Response:
        if request.method != "PUT":
            return error_response(405, "MethodNotAllowed", "only PUT")
        ttl = request.all(_TTL_HEADER.lower())
        if len(ttl) != 1 or not re.fullmatch(r"[0-9]{1,5}", ttl[0], re.ASCII) or not 1 <= int(ttl[0]) <= _LONGEST_TTL_S:
            return error_response(400, "BadRequest", f"{_TTL_HEADER} must be 1 to {_LONGEST_TTL_S}")
        token = self._tokens.issue(int(ttl[0]), self._held.clock())
        return Response(200, token.encode(), "text/plain", ((_TTL_HEADER, ttl[0]),))

    def _metadata(self, path: str) -> Response | Awaitable[Response]:
        if path in (_CREDENTIALS, _CREDENTIALS + "/", _EXTENDED, _EXTENDED + "/"):
            # no line end: botocore and object_store would take it for a part of the name
            return Response(200, self._role.encode(), "text/plain")
        if path in (f"{_CREDENTIALS}/{self._role}", f"{_EXTENDED}/{self._role}"):
            return answer(self._held)
        if path == "/latest/meta-data/iam/info":
            return self._info()
        if self._region is not None:
            if path == "/latest/meta-data/placement/region":
                return Response(200, self._region.encode(), "text/plain")
            if path == "/latest/meta-data/placement/availability-zone":
                return Response(200, f"{self._region}a".encode(), "text/plain")
            if path == "/latest/dynamic/instance-identity/document":
                return json_response(200, {"region": self._region, "availabilityZone": f"{self._region}a"})
        return Response(404, b"", "text/plain")

    async def _info(self) -> Response:
        response = await answer(self._held)
        if response.status != 200:
            return response
        held = await self._held.credentials()
        return json_response(
            200,
            {
                "Code": "Success",
                "LastUpdated": (held.issued_at or self._held.clock()).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "InstanceProfileArn": f"arn:aws:iam::{held.account or '000000000000'}:instance-profile/{self._role}",
                "InstanceProfileId": "AIPAUNEXPIRE00000000",
            },
        )
