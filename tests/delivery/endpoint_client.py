"""A source that is told what to hold, a door on a real socket, and a client that sends exactly what a test writes."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from unexpire.credentials import Credentials
from unexpire.delivery.endpoint import ContainerEndpoint, Held
from unexpire.delivery.guard import new_token
from unexpire.delivery.server import Limits, Request, ServerThread
from unexpire.errors import UnexpireError
from unexpire.freshness import DEFAULT_POLICY

NOW = datetime(2026, 11, 22, 20, 0, 0, tzinfo=UTC)
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def session(minutes: float = 60, *, number: int = 0) -> Credentials:
    return Credentials(
        f"ASIAQ3EGSAMPLE{number:06d}",
        f"{SECRET}{number:06d}",
        f"token-{number:06d}",
        NOW + timedelta(minutes=minutes),
        NOW,
        "111122223333",
    )


class FakeSource:
    """`peek` and `current` give what the test puts into `held`; `error` is what a renewal ends with."""

    policy = DEFAULT_POLICY

    def __init__(self, held: Credentials | None, *, error: UnexpireError | None = None) -> None:
        self.held = held
        self.error = error
        self.asked = 0

    def peek(self) -> Credentials | None:
        return self.held

    def current(self) -> Credentials:
        self.asked += 1
        if self.error is not None:
            raise self.error
        assert self.held is not None
        return self.held


class Door:
    """A running container endpoint with one path."""

    def __init__(self, port: int, token: str, source: FakeSource) -> None:
        self.port, self.token, self.source = port, token, source

    def send(self, raw: bytes, *, shutdown: bool = False) -> tuple[int, dict[str, str], bytes]:
        return exchange(self.port, raw, shutdown=shutdown)

    def get(
        self, *, path: str = "/credentials", token: str | None = None, **headers: str
    ) -> tuple[int, dict[str, object]]:
        given = {"Host": f"127.0.0.1:{self.port}", "Authorization": self.token if token is None else token}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value != "-")
        status, _, body = self.send(f"GET {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode("latin-1"))
        return status, json.loads(body) if body else {}


def exchange(port: int, raw: bytes, *, shutdown: bool = False) -> tuple[int, dict[str, str], bytes]:
    """Send bytes, read until the other end closes: status, headers (lower case), body. (0, {}, b'') for no answer at all."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(raw)
        if shutdown:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
    if not received:
        return 0, {}, b""
    head, _, body = received.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(status_line.split()[1]), headers, body


@contextlib.contextmanager
def door(
    source: FakeSource, *, limits: Limits | None = None, patience_s: float = 5.0, now: datetime = NOW
) -> Iterator[Door]:
    token = new_token()
    with ThreadPoolExecutor(4) as pool:
        held = Held(source, clock=lambda: now, pool=pool, patience_s=patience_s)
        endpoint: list[ContainerEndpoint] = []

        def handle(request: Request) -> object:
            return endpoint[0](request)

        with ServerThread(handle, limits=limits) as server:  # type: ignore[arg-type]
            endpoint.append(ContainerEndpoint(server.port, {"/credentials": (token, held)}))
            yield Door(server.port, token, source)
