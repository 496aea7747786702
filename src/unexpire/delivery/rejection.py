"""What to do when AWS rejects a request that was signed with keys of ours: renew once, and send the same request re-signed.

botocore never does it: no credential error is among the codes that it retries. This rides on its public events, in the order in
which they come for one call:

before-call      the body is still the caller's own object: remember where it starts
request-created  the signer has run: remember which of our sets signed
needs-retry      the answer is there: if it says expired, renew, and ask for a retry at once
before-sign      the retry is about to be signed: put the body back to where it started

Source: botocore/endpoint.py, `Endpoint._send_request`; botocore/hooks.py, `_PrefixTrie` (handlers of the more specific name run
first, so ours see what botocore's own have done).
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..credentials import Credentials
from . import bedrock_keys
from .source import Source

__all__ = ["Rejected", "RejectionHandlers", "register"]

logger = logging.getLogger(__name__)

EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
"""The session has ended. EC2 says RequestExpired; TokenRefreshRequired is S3's old word for it."""
UNKNOWN_CODES = frozenset({"InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException"})
"""The key is not known: so AWS calls sessions that ended long ago, and long-term keys that were rotated away."""

_KEY = "unexpire"
_SIGNED_WITH = re.compile(r"(?:\bCredential=|^AWS )([^/:,\s]+)")
_PLAIN = (bytes, bytearray, str, dict)


@dataclass(slots=True)
class _Call:
    """One call of an operation, over all its attempts. Lives in botocore's request context."""

    body: Any = field(default=None, repr=False)
    start: int | None = 0
    """Where in `body` the request begins; None where it cannot be sent twice."""
    sent: Credentials | None = None
    rejected: Credentials | None = None
    """The set for which this call was sent again."""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """AWS rejected `sent`, a set of ours, with `code`, and the request can be sent again."""

    sent: Credentials
    code: str
    call: _Call


class Events(Protocol):
    """The part of botocore's event emitter that is used here."""

    def register(self, event_name: str, handler: Any) -> None: ...
    def register_last(self, event_name: str, handler: Any) -> None: ...


class _Renewing(threading.local):
    """Whether this thread is inside a renewal: the calls that it makes itself must not start another."""

    active = False


_renewing = _Renewing()


@contextlib.contextmanager
def renewing() -> Iterator[None]:
    before, _renewing.active = _renewing.active, True
    try:
        yield
    finally:
        _renewing.active = before


class RejectionHandlers:
    """The four handlers. None of them ever raises: an exception would take the place of what AWS really said."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def note_body(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        with _quietly("look at the body"):
            body = params.get("body")
            context[_KEY] = _Call(body, _start_of(body))

    def note_signature(self, request: Any, **_: Any) -> None:
        with _quietly("look at the signature"):
            call = request.context.get(_KEY)
            if not isinstance(call, _Call) or _renewing.active:
                return
            signing = request.context.get("signing") or {}
            # Keys that the caller gave for this one request, and the sessions of S3 Express, are not ours to renew.
            foreign = signing.get("request_credentials") or signing.get("identity_cache") is not None
            key = None if foreign else _signed_with(request.headers.get("Authorization"))
            call.sent = None if key is None else self.source.sent(key)

    def rewind(self, request: Any, **_: Any) -> None:
        with _quietly("rewind the body"):
            call = request.context.get(_KEY)
            # botocore has just rewound it to its very beginning, which is not where every caller's request begins.
            if isinstance(call, _Call) and call.rejected is not None and call.start:
                call.body.seek(call.start)

    def judge(self, response: Any, operation: Any, request_dict: dict[str, Any]) -> Rejected | None:
        """What AWS said about our keys, if it said something that a renewal may mend."""
        call = request_dict["context"].get(_KEY)
        if response is None or not isinstance(call, _Call) or call.sent is None or _renewing.active:
            return None
        code = _code(response, operation)
        if code is None:
            return None
        if call.rejected is not None:
            if call.sent is not call.rejected:
                self.source.fruitless(call.code)
            return None
        if call.start is None or not self.source.worth_renewing_for(code):
            return None
        return Rejected(call.sent, code, call)

    def needs_retry(self, response: Any, operation: Any, request_dict: dict[str, Any], **_: Any) -> int | None:
        with _quietly("renew"):
            rejected = self.judge(response, operation, request_dict)
            if rejected is not None:
                with renewing():
                    fresh = self.source.renew(rejected.sent)
                return again(rejected, fresh)
        return None


def again(rejected: Rejected, fresh: Credentials) -> int | None:
    """The seconds after which botocore is to try again: none, if there is another set to try with."""
    if fresh.access_key_id == rejected.sent.access_key_id:
        return None
    rejected.call.rejected, rejected.call.code = rejected.sent, rejected.code
    logger.info("AWS answered %s; sending the request again with renewed credentials", rejected.code)
    return 0


def register(events: Events, handlers: Any) -> None:
    """Hook the handlers into a session's events. Clients copy those when they are made, so only later clients are served."""
    events.register("before-call", handlers.note_body)
    events.register_last("request-created", handlers.note_signature)
    events.register("needs-retry", handlers.needs_retry)
    events.register("before-sign", handlers.rewind)
    for event in bedrock_keys.SIGNERS:
        events.register(event, bedrock_keys.sign_instead)


@contextlib.contextmanager
def _quietly(what: str) -> Iterator[None]:
    try:
        yield
    except Exception:  # whatever it is, the caller is to see AWS's answer
        logger.debug("could not %s", what, exc_info=True)


def _signed_with(header: object) -> str | None:
    """The access key id in an Authorization header: ``AWS4-HMAC-SHA256 Credential=ID/…`` and S3's old ``AWS ID:…``."""
    text = header.decode("latin-1") if isinstance(header, bytes) else header
    found = _SIGNED_WITH.search(text) if isinstance(text, str) else None
    return None if found is None else found[1]


def _code(response: Any, operation: Any) -> str | None:
    """The error code, if it may mean that the session has ended. ``400`` for a HEAD of S3 without one, whose answer has no body."""
    http, parsed = response
    code = parsed.get("Error", {}).get("Code")
    if code in EXPIRED_CODES or code in UNKNOWN_CODES:
        return str(code)
    if operation.http.get("method") == "HEAD" and http.status_code == 400 and code in ("400", "BadRequest", None, ""):
        return "400"
    return None


def _start_of(body: Any) -> int | None:
    """Where the body begins, 0 for what has no position, None for what cannot be read twice."""
    if body is None or isinstance(body, _PLAIN):
        return 0
    try:
        if not getattr(body, "seekable", lambda: True)():
            return None
        position = body.tell()
        if inspect.isawaitable(position):
            position.close()  # type: ignore[attr-defined]
            return None
        return int(position) if hasattr(body, "seek") else None
    except Exception:  # any object may be a body, and fail in any way
        return None
