"""A dashboard in a thread of its own, and a visitor who speaks HTTP to it as a browser would, or as a stranger."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from unexpire.settings.environment import Environment
from unexpire.web.dashboard import Dashboard


class Visitor:
    """Keeps the cookie it was given, unless told otherwise."""

    def __init__(self, dashboard: Dashboard) -> None:
        self.dashboard = dashboard
        self.port = dashboard.port
        self.cookie: str | None = None

    def ask(
        self, path: str, *, method: str = "GET", cookie: bool = True, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers in lower case, body. Keyword names are header names with ``_`` for ``-``."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if cookie and self.cookie:
            given.setdefault("Cookie", self.cookie)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, headers=given)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
        finally:
            connection.close()

    def login(self) -> str:
        """Follow a new link; the whole Set-Cookie header."""
        link = urlsplit(self.dashboard.guard.link())
        status, headers, _ = self.ask(f"{link.path}?{link.query}")
        assert status == 200
        self.cookie = headers["set-cookie"].partition(";")[0]
        return headers["set-cookie"]

    @contextlib.contextmanager
    def events(self, path: str = "/events") -> Iterator[Iterator[dict[str, Any]]]:
        """The events of a stream as they come. That an earlier reader is gone is noticed in the dashboard's own time."""
        deadline = time.monotonic() + 30
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            connection.request("GET", path, headers={"Cookie": self.cookie or ""})
            answer = connection.getresponse()
            if answer.status == 200 or time.monotonic() > deadline:
                break
            connection.close()
            time.sleep(0.05)
        assert answer.status == 200
        assert answer.getheader("Content-Type") == "text/event-stream"
        try:
            yield (json.loads(line[6:]) for line in iter(answer.readline, b"") if line.startswith(b"data: "))
        finally:
            answer.close()
            connection.close()


@contextlib.contextmanager
def open_dashboard(environment: Callable[[], Environment]) -> Iterator[Visitor]:
    """A running dashboard that looks twenty times a second, and a visitor who has not logged in."""
    ready = threading.Event()
    held: list[tuple[Dashboard, asyncio.AbstractEventLoop]] = []

    async def main() -> None:
        dashboard = Dashboard(environment, every_s=0.05)
        held.append((dashboard, asyncio.get_running_loop()))
        ready.set()
        await dashboard.serve()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(10)
    dashboard, loop = held[0]
    try:
        yield Visitor(dashboard)
    finally:
        loop.call_soon_threadsafe(dashboard.stop)
        thread.join(20)
        assert not thread.is_alive()
