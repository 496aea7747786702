"""The agent: one process that keeps many profiles fresh and hands them out, on loopback and on a Unix socket of the user's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from .. import __version__
from ..credentials import format_timestamp
from ..errors import ConfigurationError, ProfileNotFound, RefreshFailed, StoreError, UnexpireError
from ..keeper import Keeper
from ..settings.environment import Environment
from ..settings.preferences import preferences
from ..stores import atomic, session_files
from ..stores.process_document import fields
from . import agent_protocol
from .agent_access import Access, Tokens, listener
from .agent_metrics import Metrics
from .agent_sync import Copies
from .endpoint import ContainerEndpoint, json_response, refusal_response
from .guard import check_origin, path_of
from .kept import Asked, Kept, Snapshots, role_of
from .news import News
from .notices import Notices
from .server import Request, Response, Server
from .serving import keep_fresh

__all__ = ["Agent"]

_TICK_S = 1.0
_FORGET_AFTER_S = 12 * 3600.0
_PATIENCE_S = 9.0
_SAY = Callable[[str], None]
T = TypeVar("T")


class Agent:
    """Keeps the profiles that were named, and any other that is asked for, until nobody has asked for it for twelve hours.

    `say` gets what a person should read. Runs in one event loop (`serve`), with a few threads that talk to AWS. Raises
    ConfigurationError where `access` cannot be had.
    """

    def __init__(
        self,
        environment: Environment,
        profiles: Sequence[str] = (),
        *,
        access: Access = Access(),  # noqa: B008 - it is frozen
        say: _SAY = lambda text: None,
        workers: int = 8,
        notices: Notices | None = None,
    ) -> None:
        home = str(environment.home) if environment.home is not None else None
        path = agent_protocol.socket_path(environment.variables, home)
        if path is None:
            raise ConfigurationError(
                "there is no place for the agent's socket: no home, or its path is over 100 bytes",
                where="UNEXPIRE_AGENT_SOCKET",
                hint="export UNEXPIRE_AGENT_SOCKET=/a/short/path/agent.sock",
            )
        self.socket_path = Path(path)
        self._clock = environment.clock
        self._news = News(say)
        self._snapshots = Snapshots(environment)
        self._keeper = Keeper(clock=self._clock, workers=workers)
        # Two pools: in an outage every thread of the first may be waiting for AWS, and then above all people want to look.
        self._pool = ThreadPoolExecutor(16, thread_name_prefix="unexpire-waiting")
        self._looking = ThreadPoolExecutor(2, thread_name_prefix="unexpire-looking")
        self._kept: dict[Asked, Kept] = {}
        self._pinned = [Asked(profile) for profile in profiles]
        self._only = frozenset(self._pinned) if access.only else None
        self._notices = notices or Notices(environment)
        self._metrics = Metrics(self._statuses)
        self._started = self._clock()
        self._stop = asyncio.Event()
        self._publishes = access.token_folder is not None
        folder = access.token_folder or self.socket_path.parent / "tokens"
        self._tokens = Tokens(self._own_file("agent-secret"), folder, access.token_group)
        copies = None if access.only else self._own_file("agent-copies.json")
        self._copies = Copies(copies, self._snapshots.environment, self._clock)
        self._listener = listener(None, access.port)
        self.port: int = self._listener.getsockname()[1]
        self._address = access.address
        self._on_link = None if access.address is None else listener(access.address, self.port)
        self._endpoint = ContainerEndpoint(self.port, {})

    # --- running

    async def serve(self) -> None:
        """Until `stop`. Raises UnexpireError where another agent runs, or there is no place for the socket."""
        unix, bound = self._bind()
        try:
            self._tokens.load()
            self._pinned += [Asked(profile) for profile, _ in self._copies.pairs if Asked(profile) not in self._pinned]
            for asked in self._pinned:
                self._keep_or_say(asked)
            self._keeper.start()
            servers = [Server(self._http, [self._listener])]
            if self._on_link is not None:
                servers.append(Server(self._http_on_link, [self._on_link]))
            lines = await asyncio.start_unix_server(self._line, sock=unix, limit=agent_protocol.LARGEST_LINE_B)
            for server in servers:
                await server.start()
            also = f" and http://{self._address}:{self.port}" if self._address is not None else ""
            self._news.say(f"listening on {self.socket_path} and http://127.0.0.1:{self.port}{also}")
            if self._publishes:
                self._publish()
            ticking = asyncio.create_task(self._tick())
            await self._stop.wait()
            ticking.cancel()
            lines.close()
            for server in servers:
                await server.stop()
        finally:
            self._keeper.stop()
            for pool in (self._pool, self._looking):
                pool.shutdown(wait=False, cancel_futures=True)
            self._unbind(bound)
            unix.close()

    def stop(self) -> None:
        """End `serve`. A renewal under way is given up: what it would have brought is fetched again by whoever needs it."""
        self._stop.set()

    def _bind(self) -> tuple[socket.socket, os.stat_result]:
        """The listening socket, and what file stands for it."""
        try:
            atomic.private_folder(self.socket_path.parent)
            with atomic.lock(self.socket_path):
                running = agent_protocol.ask(str(self.socket_path), {"op": "ping"}, timeout_s=3)
                if running is not None:
                    raise UnexpireError(
                        f"an agent is running already (process {running[1].get('pid')})", hint="unexpire status"
                    )
                with contextlib.suppress(FileNotFoundError):
                    self.socket_path.unlink()
                listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                before = os.umask(0o177)
                try:
                    listener.bind(str(self.socket_path))
                finally:
                    os.umask(before)
                listener.listen(512)
                listener.setblocking(False)
                return listener, self.socket_path.stat()
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise StoreError(f"the agent's socket cannot be made: {reason}", where=str(self.socket_path)) from error

    def _unbind(self, bound: os.stat_result) -> None:
        """Remove the socket's file, unless it is another agent's: one that took this one for dead while it was stopped."""
        with contextlib.suppress(OSError, StoreError), atomic.lock(self.socket_path):
            now = self.socket_path.stat()
            if os.path.samestat(bound, now) and bound.st_mtime_ns == now.st_mtime_ns:  # numbers of files are used again
                self.socket_path.unlink()

    def _own_file(self, name: str) -> Path | None:
        """A file of the agent's in the folder of our cache; None without a home."""
        environment = self._snapshots.environment()
        home = str(environment.home) if environment.home is not None else None
        folder = session_files.folder(environment.variables, home)
        return Path(folder) / name if folder is not None else None

    def _write_copies(self) -> None:
        kept = {profile: self._kept.get(Asked(profile)) for profile, _ in list(self._copies.pairs)}
        held = [(profile, each.refresher.peek()) for profile, each in kept.items() if each is not None]
        self._copies.write([(profile, keys) for profile, keys in held if keys is not None])

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            try:
                await self._look_after_all()
            except Exception as error:
                # the copies, the settings and the notices of everybody hang on the next round, whatever went wrong in this one
                self._news.trouble("agent", f"a round of its work failed: {type(error).__name__}")

    async def _look_after_all(self) -> None:
        if self._snapshots.changed():
            await self._in_pool(self._follow_settings)
        if self._copies.pairs:
            await self._in_pool(self._write_copies)
        # This is all that an agent of ten thousand does while nothing is due: one pass, that makes no object for any of them.
        concerned = [
            kept
            for kept in list(self._kept.values())
            if kept.refresher.error is not None or not kept.source.renewable or kept.asked.name in self._news
        ]
        self._look_after_logins(concerned)
        self._forget_the_unasked()
        self._notices.look(concerned, self._clock())
        self._news.of(concerned, self._copies.problems)

    # --- what is kept

    def keep(self, asked: Asked, *, pinned: bool = False) -> Kept:
        """Keep it from now on. Raises UnexpireError where the settings do not lead to a source."""
        kept = self._kept.get(asked)
        if kept is None:
            kept = Kept(
                asked,
                self._snapshots,
                self._pool,
                clock=self._clock,
                pinned=pinned,
                on_stale=lambda: self._keeper.poke(_key(asked)),
            )
            self._put(asked, kept)
        kept.last_asked = time.monotonic()
        return kept

    def _put(self, asked: Asked, kept: Kept) -> None:
        self._kept[asked] = kept
        self._keeper.add(_key(asked), lambda: keep_fresh(kept.refresher, self._clock))
        self._endpoint.open(asked.path, self._tokens.of(asked.path), kept.held)

    def _drop(self, asked: Asked) -> None:
        self._kept.pop(asked, None)
        self._keeper.remove(_key(asked))
        self._endpoint.close(asked.path)

    def _keep_or_say(self, asked: Asked) -> None:
        try:
            self.keep(asked, pinned=True)
        except UnexpireError as error:
            self._news.trouble(asked.name, f"{error}; it is kept as soon as the settings say how")

    def _follow_settings(self) -> None:
        """Take up what has changed in the AWS files: new sources, other sources, and those that are gone."""
        for asked, kept in list(self._kept.items()):
            try:
                identity = asked.resolve(self._snapshots.environment()).identity
            except ProfileNotFound as error:
                self._drop(asked)
                self._news.trouble(asked.name, str(error))
                continue
            except UnexpireError as error:
                # half-written or broken for the moment: what is held stays good
                self._news.trouble(asked.name, f"{error}; keeping what is held")
                continue
            if identity != kept.identity:
                self._drop(asked)
                self._keep_or_say(asked)
                self._news.say(f"{asked.name}: its settings changed")
            else:
                kept.refresher.try_again()
        for asked in self._pinned:
            if asked not in self._kept:
                self._keep_or_say(asked)

    def _look_after_logins(self, concerned: list[Kept]) -> None:
        for kept in concerned:
            if kept.login_appeared():
                kept.refresher.try_again()
                self._keeper.poke(_key(kept.asked))

    def _forget_the_unasked(self) -> None:
        now = time.monotonic()
        for kept in list(self._kept.values()):
            if not kept.pinned and now - kept.last_asked > _FORGET_AFTER_S:
                self._drop(kept.asked)

    def _forget(self, name: str | None) -> int:
        """Fetch anew what is held of this profile, or of the roles of this name, or everything; how many sessions that were."""
        concerned = [kept for kept in self._kept.values() if name is None or kept.asked.goes_by(name)]
        for kept in concerned:
            self._drop(kept.asked)
            with contextlib.suppress(UnexpireError):  # said when it is asked for
                self.keep(kept.asked, pinned=kept.pinned)
        return sum(kept.refresher.peek() is not None for kept in concerned)

    # --- what people are told

    def _statuses(self) -> list[dict[str, Any]]:
        return [kept.status(self._keeper.due(_key(asked))) for asked, kept in list(self._kept.items())]

    def status(self) -> dict[str, Any]:
        """What `unexpire status --json` shows: the agent, and every source with its life, its next renewal and its last error."""
        return {
            "pid": os.getpid(),
            "version": __version__,
            "started_at": format_timestamp(self._started),
            "now": format_timestamp(self._clock()),
            "endpoint": f"http://127.0.0.1:{self.port}",
            "copies": [{"profile": profile, "to": to} for profile, to in sorted(self._copies.pairs)],
            "identities": self._statuses(),
        }

    # --- on loopback

    def _http(self, request: Request) -> Response | Awaitable[Response]:
        path = path_of(request)
        if path not in ("/health", "/metrics"):
            return self._metrics.timed("endpoint", self._endpoint(request))
        refusal = check_origin(request, self.port)
        if refusal is not None:
            return refusal_response(refusal)
        if path == "/metrics":
            return self._in_pool(self._metrics.response)
        return json_response(200, {"status": "ok", "kept": len(self._kept), "version": __version__})

    def _in_pool(self, work: Callable[[], T]) -> Awaitable[T]:
        """For what looks at every identity: with thousands, the programs that ask for their keys would wait for it."""
        return asyncio.get_running_loop().run_in_executor(self._looking, work)

    def _http_on_link(self, request: Request) -> Response | Awaitable[Response]:
        return self._metrics.timed("link", self._endpoint.on_link(request))

    # --- on the Unix socket

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            connection = writer.get_extra_info("socket")
            # asyncio hands out a wrapper without getsockopt's buffer form on some versions: ask by descriptor
            with socket.socket(fileno=os.dup(connection.fileno())) as same:
                user = agent_protocol.peer_user(same)
            if user not in (None, os.geteuid()):
                return
            line = await asyncio.wait_for(reader.readline(), 5.0)
            status, document = await self._answer(line)
            self._metrics.count("socket", status)
            writer.write(f"{status} {json.dumps(document, separators=(',', ':'))}\n".encode())
            await asyncio.wait_for(writer.drain(), 10.0)
        except (TimeoutError, ValueError, OSError):
            pass
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> tuple[int, dict[str, Any]]:
        try:
            request = json.loads(line)
            operation = request["op"]
            asked = Asked(_name(request.get("profile")), role_of(request.get("role")))
            hash(asked)  # a role whose fields are not what they should be
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return 400, {"message": "not a request of unexpire's"}
        if operation == "ping":
            return 200, {"pid": os.getpid(), "version": __version__}
        if operation == "status":
            return 200, await self._in_pool(self.status)
        if operation not in ("credentials", "keep", "endpoint", "sync", "forget"):
            return 400, {"message": f"unknown operation {str(operation)[:40]!r}"}
        if self._only is not None and (asked not in self._only or operation in ("sync", "forget")):
            return 403, {"message": f"this agent gives the sessions that it was started for, and not {asked.name}"}
        if self._snapshots.changed():
            await self._in_pool(self._follow_settings)
        if operation == "forget":
            return 200, {"forgotten": self._forget(asked.profile)}
        try:
            kept = self.keep(asked)
            if operation == "credentials":
                return await self._credentials(kept, request)
            if operation == "sync":
                return 200, self._copy(kept, asked, _name(request.get("to")), stop=request.get("stop") is True)
            return 200, self._where(asked) if operation == "endpoint" else {"kept": asked.name}
        except ProfileNotFound as error:
            return 404, _said(error)
        except RefreshFailed as error:
            return 503 if error.retryable else 403, _said(error)
        except UnexpireError as error:
            return 403, _said(error)

    async def _credentials(self, kept: Kept, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if request.get("identity") not in (None, kept.source.identity):
            return 409, {"message": "by the agent's settings this is another identity"}
        if request.get("wait") is False and kept.held.usable() is None:
            return 503, {"message": "nothing usable is held"}
        try:
            credentials = await kept.held.credentials(_PATIENCE_S)
        except RefreshFailed as error:
            again = kept.refresher.pause(preferences(self._snapshots.environment()).outage_wait)
            if again is None or not error.retryable:
                raise
            return 503, {**_said(error), "again_in_s": again.total_seconds()}
        if request.get("form") == "process":
            return 200, fields(credentials, now=self._clock(), policy=kept.refresher.policy)
        return 200, agent_protocol.document_of(credentials, kept.asked.name)

    def _copy(self, kept: Kept, asked: Asked, to: str | None, *, stop: bool) -> dict[str, Any]:
        if asked.profile is None or to is None:
            raise ConfigurationError("a copy goes from one profile to another")
        if stop:
            return {"stopped": self._copies.remove(to)}
        self._copies.add(asked.profile, to)
        kept.pinned = True
        return {"kept": asked.name, "to": to}

    def _where(self, asked: Asked) -> dict[str, Any]:
        """The address of a source. Its token goes into a file, so that a container can be given the file."""
        file = self._tokens.write(asked.key, asked.path)
        return {"url": f"http://{self._address or '127.0.0.1'}:{self.port}{asked.path}", "token_file": str(file)}

    def _publish(self) -> None:
        for asked in self._pinned:
            where = self._where(asked)
            self._news.say(f"{asked.name}: AWS_CONTAINER_CREDENTIALS_FULL_URI={where['url']}")
            self._news.say(f"{asked.name}: AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE={where['token_file']}")


def _said(error: UnexpireError) -> dict[str, Any]:
    return {"message": str(error), "hint": error.hint, "finding": error.finding}


def _key(asked: Asked) -> str:
    return f"{asked.name}\0{hash(str(asked))}"


def _name(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("profile")
    return value
