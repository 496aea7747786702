"""A small HTTP/1.1 server for loopback and Unix sockets: asyncio and h11, with every limit a stranger could push against.

It knows nothing of credentials: a handler turns a `Request` into a `Response`. It writes no log at all, so no token can end
up in one, and it never follows, redirects, decodes or normalises a path.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import h11

from .loopback import bind_loopback

__all__ = ["Handler", "Limits", "Request", "Response", "Server", "ServerThread"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its head only. Header names are lower case; values are as they came. `peer` is the other end's address."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    peer: tuple[str, int] | None = None
    transport: asyncio.BaseTransport | None = field(default=None, repr=False)

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order: a guard has to see that there are two."""
        return [value for key, value in self.headers if key == name]


@dataclass(frozen=True, slots=True)
class Response:
    """Status, body, and the headers beyond Content-Length, Cache-Control and the like, which the server adds."""

    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    close: bool = False
    chunks: AsyncIterator[bytes] | None = field(default=None, repr=False)
    """In place of `body`: sent piece by piece as they come, for as long as both sides live (server-sent events)."""


_MOST_UNREAD_B = 1_048_576
"""What a stream may pile up for a client that does not read."""

Handler = Callable[[Request], Response | Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and bytes a client may take. SDKs send a few hundred bytes at once and read the answer at once."""

    head_bytes: int = 16_384
    body_bytes: int = 4_096
    head_seconds: float = 5.0
    idle_seconds: float = 60.0
    handler_seconds: float = 30.0
    connections: int = 4_096


class _Connection(asyncio.Protocol):
    """One client: parses, asks the handler, answers, one request after the other."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._limits = server.limits
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=self._limits.head_bytes)
        self._transport: asyncio.Transport | None = None
        self._peer: tuple[str, int] | None = None
        self._head: h11.Request | None = None
        self._body_size = 0
        self._answering: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._in_head = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._peer = (str(peer[0]), int(peer[1])) if isinstance(peer, tuple) and len(peer) >= 2 else None
        if len(self._server.open) >= self._limits.connections:
            transport.abort()
            return
        self._server.open.add(self)
        self._arm(self._limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.open.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
        if self._answering is not None:
            self._answering.cancel()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _arm(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self.abort)

    def data_received(self, data: bytes) -> None:
        try:
            self._h11.receive_data(data)
        except h11.RemoteProtocolError:
            self._refuse(400)
            return
        if not self._in_head:
            # runs from the first byte of a request and is not moved by later ones: a drip of bytes does not help
            self._in_head = True
            self._arm(self._limits.head_seconds)
        self._advance()

    def eof_received(self) -> bool:
        with contextlib.suppress(h11.RemoteProtocolError):
            self._h11.receive_data(b"")
        return self._answering is not None

    def _advance(self) -> None:
        if self._answering is not None:
            return
        try:
            while True:
                event = self._h11.next_event()
                if isinstance(event, h11.Request):
                    # h11 limits only what is incomplete; a head that comes in one piece passes it whole
                    size = len(event.target) + sum(len(name) + len(value) for name, value in event.headers)
                    if size > self._limits.head_bytes:
                        self._refuse(431)
                        return
                    if any(name == b"transfer-encoding" for name, _ in event.headers):
                        self._refuse(411)  # no SDK sends a body here, least of all one of unknown length
                        return
                    self._head, self._body_size = event, 0
                elif isinstance(event, h11.Data):
                    self._body_size += len(event.data)
                    if self._body_size > self._limits.body_bytes:
                        self._refuse(413)
                        return
                elif isinstance(event, h11.EndOfMessage):
                    assert self._head is not None
                    self._answering = asyncio.get_running_loop().create_task(self._answer(self._head))
                    assert self._transport is not None
                    self._transport.pause_reading()
                    return
                elif event is h11.NEED_DATA:
                    if self._h11.they_are_waiting_for_100_continue:
                        self._refuse(417)
                    return
                else:  # PAUSED or ConnectionClosed
                    if isinstance(event, h11.ConnectionClosed) and self._transport is not None:
                        self._transport.close()
                    return
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint or 400)

    async def _answer(self, head: h11.Request) -> None:
        self._arm(self._limits.handler_seconds)
        request = Request(
            head.method.decode("ascii"),
            head.target.decode("ascii", "replace"),
            tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in head.headers),
            self._peer,
            self._transport,
        )
        try:
            answer = self._server.handler(request)
            response = answer if isinstance(answer, Response) else await answer
        except asyncio.CancelledError:
            raise
        except (
            Exception
        ):  # a defect must cost one request, not the server; its text could name anything, so it goes nowhere
            response = Response(500, b'{"Code":"InternalError","Message":"internal error"}')
        if response.chunks is not None and head.method != b"HEAD":
            await self._stream(response, response.chunks)
            return
        self._answering = None
        self._head = None
        self._send(response, with_body=head.method != b"HEAD")

    async def _stream(self, response: Response, chunks: AsyncIterator[bytes]) -> None:
        """Send what comes until nothing more does, the client is gone, or it no longer reads; then hang up."""
        transport = self._transport
        assert transport is not None
        if self._deadline is not None:
            self._deadline.cancel()
        try:
            head = h11.Response(status_code=response.status, headers=_headers(response, ("Connection", "close")))
            transport.write(self._h11.send(head) or b"")
            async for chunk in chunks:
                if transport.is_closing() or transport.get_write_buffer_size() > _MOST_UNREAD_B:
                    return
                transport.write(self._h11.send(h11.Data(data=chunk)) or b"")
            transport.write(self._h11.send(h11.EndOfMessage()) or b"")
            transport.close()
            self._arm(self._limits.head_seconds)
        except Exception:  # as above: what went wrong costs this client, and is told to nobody
            transport.abort()
        finally:
            if not transport.is_closing():
                transport.abort()

    def _send(self, response: Response, *, with_body: bool = True) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        headers = _headers(response, ("Content-Length", str(len(response.body))))
        if response.close:
            headers.append(("Connection", "close"))
        try:
            out = self._h11.send(h11.Response(status_code=response.status, headers=headers)) or b""
            if with_body:
                out += self._h11.send(h11.Data(data=response.body)) or b""
            out += self._h11.send(h11.EndOfMessage()) or b""
        except h11.LocalProtocolError:
            transport.abort()
            return
        transport.write(out)
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
            self._in_head = False
            self._arm(self._limits.idle_seconds)
            transport.resume_reading()
            asyncio.get_running_loop().call_soon(self._advance)
        else:
            transport.close()
            self._arm(self._limits.head_seconds)

    def _refuse(self, status: int) -> None:
        """Answer what could not even be read, and hang up."""
        if self._h11.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._send(Response(status, b'{"Code":"BadRequest","Message":"bad request"}', close=True))
        if self._transport is not None:
            self._transport.close()


def _headers(response: Response, *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [
        ("Content-Type", response.content_type),
        *more,
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        *response.headers,
    ]


class Server:
    """Serves `handler` on sockets that are bound already. All of it runs in one event loop."""

    def __init__(self, handler: Handler, sockets: Sequence[socket.socket], *, limits: Limits | None = None) -> None:
        self.handler = handler
        self.limits = limits or Limits()
        self.open: set[_Connection] = set()
        self._sockets = tuple(sockets)
        self._listening: list[asyncio.Server] = []

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        for listener in self._sockets:
            make: Any = loop.create_unix_server if listener.family != socket.AF_INET else loop.create_server
            self._listening.append(await make(lambda: _Connection(self), sock=listener, backlog=1024))

    async def stop(self) -> None:
        """Close the listeners and every connection, at once: what is lost is an answer that its client will ask for again."""
        for server in self._listening:
            server.close()
        for connection in list(self.open):
            connection.abort()
        self._listening.clear()


class ServerThread:
    """A `Server` in a thread and event loop of its own, for programs that are not asynchronous. A context manager."""

    def __init__(self, handler: Handler, *, port: int = 0, limits: Limits | None = None) -> None:
        self._socket = bind_loopback(port)
        self.port: int = self._socket.getsockname()[1]
        self._server = Server(handler, [self._socket], limits=limits)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="unexpire-server", daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._server.start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._server.stop())
        pending = asyncio.all_tasks(self._loop)
        for task in pending:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def __enter__(self) -> ServerThread:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._socket.close()
