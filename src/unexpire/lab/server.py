"""The socket side: HTTP/1.1 on loopback, one thread, many connections.

asyncio, because a thousand idle keep-alive connections then cost a thousand small objects and no thread, and because an answer that
hangs or comes late needs no thread either. h11 reads and writes HTTP. What takes long (moto) runs in a small pool.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import h11

from .wire import Request, Response

__all__ = ["Broken", "Server"]

_MAX_HEAD = 256 * 1024  # session tokens travel in headers and query strings, and tests send absurd ones


class Broken(Exception):
    """The connection ends here: after `sent` raw bytes, or without an answer."""

    def __init__(self, sent: bytes = b"") -> None:
        super().__init__("broken on purpose")
        self.sent = sent


Handler = Callable[[Request], Awaitable[Response]]


class Server:
    """Serves `handle` on 127.0.0.1 until `stop`; `port` 0 takes a free one."""

    def __init__(self, handle: Handler, port: int = 0) -> None:
        self._handle = handle
        self._socket = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port: int = self._socket.getsockname()[1]
        self.pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="unexpire-lab")
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._open: set[_Connection] = set()
        self._thread = threading.Thread(target=self._run, name="unexpire-lab", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self.pool.shutdown(wait=True, cancel_futures=True)
        self._socket.close()

    def every(self, seconds: float, work: Callable[[], bool]) -> None:
        """Do `work` again and again on the server's thread, for as long as it says so."""

        def again() -> None:
            if work():
                self._loop.call_later(seconds, again)

        self._loop.call_soon_threadsafe(again)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        listening = self._loop.run_until_complete(
            self._loop.create_server(lambda: _Connection(self._handle, self._open), sock=self._socket, backlog=1024)
        )
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._end(listening))
            self._loop.close()

    async def _end(self, listening: asyncio.Server) -> None:
        """Leave no socket open: connections that are only just being accepted get a moment to become ours to close."""
        listening.close()
        for _ in range(8):
            await asyncio.sleep(0)
        left = asyncio.all_tasks(self._loop) - {asyncio.current_task()}
        for connection in list(self._open):
            connection.abort()
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    """One client: requests one after another, answered in order."""

    def __init__(self, handle: Handler, register: set[_Connection]) -> None:
        self._handle = handle
        self._register = register
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD)
        self._transport: asyncio.Transport | None = None
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._register.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._register.discard(self)
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        self._advance()

    def _advance(self) -> None:
        """Take what has arrived, up to a whole request; the rest waits until that one is answered."""
        if self._task is not None:
            return
        try:
            while True:
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    if self._http.they_are_waiting_for_100_continue:
                        self._write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
                    return
                if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    return
                if isinstance(event, h11.Request):
                    self._head, self._body = event, bytearray()
                elif isinstance(event, h11.Data):
                    self._body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    assert self._head is not None
                    self._task = asyncio.get_running_loop().create_task(
                        self._answer(_request(self._head, bytes(self._body)))
                    )
                    return
        except h11.RemoteProtocolError as error:
            text = str(error).encode()
            self._write(
                b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)
            )
            self._close()

    async def _answer(self, request: Request) -> None:
        try:
            response = await self._handle(request)
        except Broken as broken:
            self._write(broken.sent)
            self._close()
            return
        try:
            self._send(request, response)
        except h11.LocalProtocolError:
            self.abort()
            return
        self._task = None
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._advance()
        else:
            self._close()

    def _send(self, request: Request, response: Response) -> None:
        headers: list[tuple[str, str]] = list(response.headers)
        named = {name.lower() for name, _ in headers}
        if "content-length" not in named and response.status not in (204, 304):
            headers.append(("Content-Length", str(len(response.body))))
        encoded = [(name.encode("latin-1"), value.encode("utf-8")) for name, value in headers]
        parts = [self._http.send(h11.Response(status_code=response.status, headers=encoded))]
        if request.method != "HEAD" and response.body and response.status not in (204, 304):
            parts.append(self._http.send(h11.Data(data=response.body)))
        parts.append(self._http.send(h11.EndOfMessage()))
        self._write(b"".join(part for part in parts if part))

    def _write(self, data: bytes | None) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _request(head: h11.Request, body: bytes) -> Request:
    headers: dict[str, str] = {}
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("utf-8", "surrogateescape")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    path, _, query = head.target.decode("latin-1").partition("?")
    if "://" in path[:8]:  # an absolute target, as clients send through a proxy
        path = "/" + path.split("/", 3)[3] if path.count("/") >= 3 else "/"
    return Request(head.method.decode("latin-1"), path, query, headers, body)


def truncated(response: Response) -> bytes:
    """The first half of an answer, announced as the whole."""
    whole = response.body or b"{}"
    head = "".join(f"{name}: {value}\r\n" for name, value in response.headers if name.lower() != "content-length")
    start = f"HTTP/1.1 {response.status} X\r\n{head}Content-Length: {len(whole)}\r\n\r\n"
    return start.encode("utf-8") + whole[: len(whole) // 2]


def in_pool(server: Server, work: Callable[..., Response], *arguments: Any) -> Awaitable[Response]:
    """Run what blocks outside the loop."""
    return asyncio.get_running_loop().run_in_executor(server.pool, work, *arguments)
