"""The container credential endpoint: what every AWS SDK reads from ``AWS_CONTAINER_CREDENTIALS_FULL_URI``.

Wire format: "Container credential provider" in the AWS SDKs and Tools Reference Guide. SDKs differ in what they need of it: the
CRT reads at most 10,000 bytes, JavaScript and Rust parse no zone but a literal ``Z``, botocore fails without `Token` or
`Expiration`, .NET wants `Code`, error bodies are read in both spellings. The answers here satisfy all of them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Protocol

from ..credentials import Credentials, format_timestamp
from ..errors import ConfigurationError, InteractionRequired, RefreshFailed, Unavailable, UnexpireError
from ..freshness import Freshness, RefreshPolicy
from .guard import LINK_ADDRESSES, Refusal, TokenTable, check_origin, check_peer_on_link, path_of
from .server import Request, Response

__all__ = ["ContainerEndpoint", "Held", "Source", "credentials_document", "error_response", "refusal_response"]

# What a set without an end is advertised for: not an end, but the moment by which an SDK is to ask again. Above the 25 minutes
# below which an SDK asks at every call or invents an end of its own.
_ASK_AGAIN = timedelta(minutes=30)
# JavaScript and Java hang up after one second; most clients retry a 503.
_PATIENCE_S = 0.8
_LARGEST_BODY = 10_000


class Source(Protocol):
    """What a door needs of a `Refresher`: what it holds now, and what it can get."""

    policy: RefreshPolicy

    def peek(self) -> Credentials | None:
        """What is held, without waiting; it may be past its end."""

    def current(self) -> Credentials:
        """A set that is usable now, waiting for the renewal in flight where there is none; else raises UnexpireError."""


def credentials_document(credentials: Credentials, policy: RefreshPolicy, now: datetime) -> dict[str, str]:
    """The fields of a 200, for the container endpoint and for IMDS. `Token` is empty, never missing: botocore needs the key."""
    end = policy.advertised_end(credentials)
    document = {
        "Code": "Success",
        "LastUpdated": format_timestamp(credentials.issued_at or now),
        "Type": "AWS-HMAC",
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token or "",
        "Expiration": format_timestamp(end if end is not None else now + _ASK_AGAIN),
    }
    if credentials.account:
        document["AccountId"] = credentials.account
    return document


def json_response(status: int, document: Mapping[str, object], headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response(status, json.dumps(document, separators=(",", ":")).encode(), headers=headers)


def error_response(status: int, code: str, message: str) -> Response:
    """An error in both spellings: Go, Java and Rust read ``code`` and ``message``, JavaScript ``Code`` and ``Message``."""
    retry = (("Retry-After", "1"),) if status == 503 else ()
    return json_response(status, {"Code": code, "Message": message, "code": code, "message": message}, retry)


def refusal_response(refusal: Refusal) -> Response:
    headers = (("Allow", "GET"),) if refusal.status == 405 else ()
    body = {"Code": refusal.code, "Message": refusal.message, "code": refusal.code, "message": refusal.message}
    return json_response(refusal.status, body, headers)


def failure_response(error: UnexpireError) -> Response:
    """503 where waiting may help, so that SDKs try again; 403 where it does not, so that they say why at once."""
    permanent = isinstance(error, ConfigurationError | InteractionRequired | Unavailable) or (
        isinstance(error, RefreshFailed) and not error.retryable
    )
    hint = f"; try: {error.hint}" if error.hint else ""
    text = f"unexpire: {error}{hint}".encode("ascii", "replace").decode()[:2000]
    code = "CredentialsDenied" if permanent else "CredentialsUnavailable"
    return error_response(403 if permanent else 503, code, text)


class Held:
    """Asks one `Source` for many clients at once, without ever blocking the event loop.

    FRESH and STALE are answered from memory, and `on_stale` is told to renew. Only where nothing usable is held does a client
    wait, all of them for the same call in one thread, and not longer than an SDK would.
    """

    def __init__(
        self,
        source: Source,
        *,
        clock: Callable[[], datetime],
        pool: ThreadPoolExecutor,
        on_stale: Callable[[], None] | None = None,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self.source = source
        self.clock = clock
        self._pool = pool
        self._on_stale = on_stale
        self._patience_s = patience_s
        self._asking: asyncio.Future[Credentials] | None = None
        self._told_at = -1.0

    async def credentials(self, patience_s: float | None = None) -> Credentials:
        """A usable set, or UnexpireError (retryable where the wait was cut short)."""
        held = self.usable()
        if held is not None:
            return held
        if self._asking is None:
            self._asking = asyncio.get_running_loop().run_in_executor(self._pool, self.source.current)
            self._asking.add_done_callback(self._asked)
        try:
            fetched = await asyncio.wait_for(asyncio.shield(self._asking), patience_s or self._patience_s)
        except TimeoutError:
            raise RefreshFailed("the renewal is still under way", retryable=True) from None
        if self.source.policy.freshness(fetched, self.clock()) is Freshness.EXPIRED:
            raise RefreshFailed("the source gave a session that is already past its end", retryable=True)
        return fetched

    def usable(self) -> Credentials | None:
        """What is held, where it can be used: asks and waits for nobody."""
        held = self.source.peek()
        if held is None:
            return None
        freshness = self.source.policy.freshness(held, self.clock())
        if freshness is Freshness.STALE:
            self._tell_stale()
        return held if freshness is not Freshness.EXPIRED else None

    def _tell_stale(self) -> None:
        """At most once a second: in an outage every request finds the set stale."""
        now = asyncio.get_running_loop().time()
        if self._on_stale is not None and now >= self._told_at + 1.0:
            self._told_at = now
            self._on_stale()

    def _asked(self, future: asyncio.Future[Credentials]) -> None:
        self._asking = None
        if not future.cancelled():
            future.exception()  # seen by whoever waited; nobody may have


class ContainerEndpoint:
    """Handler of ``GET /credentials…``: each path has its token and its source."""

    def __init__(self, port: int, doors: Mapping[str, tuple[str, Held]]) -> None:
        self._port = port
        self._doors: dict[str, Held] = {}
        self._tokens = TokenTable({})
        for path, (token, held) in doors.items():
            self.open(path, token, held)

    def open(self, path: str, token: str, held: Held) -> None:
        """Serve `held` at `path` from now on."""
        self._doors[path] = held
        self._tokens.add(path, token)

    def close(self, path: str) -> None:
        """Serve `path` no longer."""
        self._tokens.remove(path)
        self._doors.pop(path, None)

    def __call__(self, request: Request) -> Response | Awaitable[Response]:
        return self._answer(request, check_origin(request, self._port))

    def on_link(self, request: Request) -> Response | Awaitable[Response]:
        """The same for a listener on one of `LINK_ADDRESSES`, which the programs of a network of containers may ask."""
        refusal = check_peer_on_link(request) or check_origin(request, self._port, LINK_ADDRESSES)
        return self._answer(request, refusal)

    def _answer(self, request: Request, refusal: Refusal | None) -> Response | Awaitable[Response]:
        refusal = refusal or self._tokens.check(request)
        if refusal is not None:
            return refusal_response(refusal)
        return answer(self._doors[path_of(request)])


async def answer(held: Held) -> Response:
    """The 200 of one source, or its error."""
    try:
        credentials = await held.credentials()
    except UnexpireError as error:
        return failure_response(error)
    response = json_response(200, credentials_document(credentials, held.source.policy, held.clock()))
    if len(response.body) >= _LARGEST_BODY:
        # the CRT would cut it off and fail with a parse error that names nothing
        return error_response(500, "CredentialsTooLarge", "the session token is too large for the AWS CRT")
    return response
