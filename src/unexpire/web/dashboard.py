"""The dashboard's server: one page, kept up to date by server-sent events, and the reference beside it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from ..delivery.loopback import bind_loopback
from ..delivery.server import Limits, Request, Response, Server
from ..errors import UnexpireError
from ..reference.site import files
from . import doctor
from .guard import Guard
from .page import Page, Shown
from .watch import Watch

if TYPE_CHECKING:
    from ..settings.environment import Environment

__all__ = ["Dashboard"]

_LOOK_EVERY_S = 1.0
_MOST_STREAMS = 32
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_SAFETY = (
    ("Content-Security-Policy", _POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Dashboard:
    """Looks at what there is once a second, and shows it to whoever came with the link. Renews nothing, and shows no secret.

    It looks every `every_s` seconds. `environment` is asked for anew when a settings file has changed. Runs in one event loop
    (`serve`).
    """

    def __init__(
        self, environment: Callable[[], Environment], *, port: int = 0, every_s: float = _LOOK_EVERY_S
    ) -> None:
        self._every_s = every_s
        self._listener = bind_loopback(port)
        self.port: int = self._listener.getsockname()[1]
        self.guard = Guard(self.port)
        self._watch = Watch(environment)
        self._page = Page()
        self._reference = dict(files())
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="unexpire-web")
        self._looked = asyncio.Event()
        self._stop = asyncio.Event()
        self._streams = 0

    async def serve(self) -> None:
        """Until `stop`."""
        server = Server(self._handle, [self._listener], limits=Limits(connections=256))
        with contextlib.suppress(UnexpireError, OSError):  # what cannot be read now may be readable in a second
            await self._look()
        await server.start()
        working = [asyncio.create_task(self._keep_looking()), asyncio.create_task(self._keep_checking())]
        try:
            await self._stop.wait()
        finally:
            for task in working:
                task.cancel()
            await server.stop()
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._listener.close()

    def stop(self) -> None:
        """End `serve`."""
        self._stop.set()

    # --- looking

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            with contextlib.suppress(Exception):  # a look that fails, for whatever reason, must not be the last one
                await self._look()

    async def _look(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._pool, self._watch.look)
        looked, self._looked = self._looked, asyncio.Event()
        looked.set()

    async def _keep_checking(self) -> None:
        while True:
            with contextlib.suppress(Exception):
                await asyncio.get_running_loop().run_in_executor(self._pool, self._watch.check_up)
            await asyncio.sleep(self._every_s)

    # --- answering

    async def _handle(self, request: Request) -> Response:
        refusal = self.guard.check_origin(request)
        if refusal is not None:
            return _answer(refusal.status, refusal.message + "\n", "text/plain")
        path = urlsplit(request.target).path
        if path == "/login":
            return self._login(request)
        if not self.guard.admits(request):
            return _answer(401, self._page.closed())
        if request.method == "POST":
            return await self._ask(request) if path == "/ask" else _answer(404, "no such thing\n", "text/plain")
        if request.method not in ("GET", "HEAD"):
            return _answer(405, "only GET and POST\n", "text/plain")
        if path == "/":
            return _answer(200, self._page.whole(self._shown(_span_of(request))))
        if path == "/events":
            return self._stream(_span_of(request))
        return await self._file(unquote(path))

    def _login(self, request: Request) -> Response:
        cookie = self.guard.login(request)
        if cookie is None:
            return _answer(401, self._page.closed())
        # A page that leads on, not a redirect: after a link followed from elsewhere, a Strict cookie is not sent along a redirect.
        return _answer(200, self._page.opened(), headers=(("Set-Cookie", cookie),))

    async def _file(self, path: str) -> Response:
        name = path.removeprefix("/reference/")
        if path == "/reference" or name.endswith("/") or name == "":
            name = f"{name.removeprefix('/reference')}index.html" if name != "/reference" else "index.html"
        make = self._page.static(path) or (self._reference.get(name) if path.startswith("/reference") else None)
        if make is None:
            return _answer(404, "no such page\n", "text/plain")
        body = await asyncio.get_running_loop().run_in_executor(self._pool, make)
        kind = _TYPES.get((path if "." in path.rpartition("/")[2] else name).rpartition(".")[2], "text/plain")
        return _answer(200, body, kind)

    async def _ask(self, request: Request) -> Response:
        """The full diagnosis of one profile, which asks its source and AWS."""
        given = parse_qs(urlsplit(request.target).query).get("profile", [])
        profile = given[0] if given else None
        if profile is not None and profile not in self._watch.profiles:
            return _answer(404, "no such profile\n", "text/plain")
        work = functools.partial(doctor.ask_aws, self._watch.environment(), profile)
        try:
            diagnosis = await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except UnexpireError as error:
            return _answer(502, f"{error}\n", "text/plain")
        return _answer(200, self._page.answer(profile, diagnosis))

    # --- events

    def _shown(self, span: int | None) -> Shown:
        seen = self._watch
        return Shown(seen.identities, seen.check, seen.profiles, seen.agent, seen.now, span)

    def _stream(self, span: int | None) -> Response:
        if self._streams >= _MOST_STREAMS:
            return _answer(503, "too many pages are open\n", "text/plain")
        return Response(200, content_type="text/event-stream", headers=_SAFETY, chunks=self._events(span))

    async def _events(self, span: int | None) -> AsyncIterator[bytes]:
        """The parts of the page that changed, as JSON, once a second at most; a comment where none did, so that a dead end shows."""
        self._streams += 1
        try:
            yield b"retry: 2000\n\n"
            sent: dict[str, str] = {}
            while True:
                parts = self._page.parts(self._shown(span))
                still = {name: self._page.still(text) for name, text in parts.items()}
                changed = {name: text for name, text in parts.items() if sent.get(name) != still[name]}
                sent = still
                now = round(self._watch.now.timestamp() * 1000)
                yield (
                    f"data: {json.dumps({'now': now, 'parts': changed})}\n\n".encode()
                    if changed
                    else b": still here\n\n"
                )
                await self._looked.wait()
        finally:
            self._streams -= 1


def _span_of(request: Request) -> int | None:
    given = parse_qs(urlsplit(request.target).query).get("span", [""])[0]
    return min(max(int(given), 30), 7 * 86_400) if given.isascii() and given.isdigit() and len(given) < 8 else None


def _answer(
    status: int, body: str | bytes, kind: str = "text/html", headers: tuple[tuple[str, str], ...] = ()
) -> Response:
    content = body.encode() if isinstance(body, str) else body
    return Response(status, content, f"{kind}; charset=utf-8", (*_SAFETY, *headers))
