"""The twins for aiobotocore and aioboto3: the same sources and the same judgement, awaited.

A renewal runs in a worker thread, once for all tasks that wait for it, so that the event loop is never held up by STS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials

from ..credentials import Credentials
from ..errors import UnexpireError
from ..providers.base import Prompt
from .rejection import RejectionHandlers, _quietly, again, renewing
from .renewing import RenewingCredentials, RenewingProvider, fail, frozen, put_first, request_of
from .source import Source, SourceRequest
from .travelling import inner_session, let_travel, travels

if TYPE_CHECKING:
    import aioboto3

__all__ = ["aioboto3_session", "aiobotocore_session"]


def aiobotocore_session(
    profile_name: str | None = None,
    *,
    role_arn: str | None = None,
    role_session_name: str | None = None,
    duration: timedelta | None = None,
    external_id: str | None = None,
    mfa_serial: str | None = None,
    region_name: str | None = None,
    prompt: Prompt | None = None,
) -> AioSession:
    """An `aiobotocore.session.AioSession` with the arguments and the promises of `unexpire.boto3_session`."""
    request = SourceRequest.of(profile_name, role_arn, role_session_name, duration, external_id, mfa_serial)
    return session_of(Source(request, prompt=prompt), {} if region_name is None else {"region": region_name})


def aioboto3_session(
    profile_name: str | None = None,
    *,
    role_arn: str | None = None,
    role_session_name: str | None = None,
    duration: timedelta | None = None,
    external_id: str | None = None,
    mfa_serial: str | None = None,
    region_name: str | None = None,
    prompt: Prompt | None = None,
) -> aioboto3.Session:
    """An `aioboto3.Session` with the arguments and the promises of `unexpire.boto3_session`."""
    request = SourceRequest.of(profile_name, role_arn, role_session_name, duration, external_id, mfa_serial)
    source = Source(request, prompt=prompt)
    return _around(session_of(source, {} if region_name is None else {"region": region_name}))


class _InThread:
    """Runs what may block in a thread, once for all tasks that ask for the same while it runs."""

    def __init__(self) -> None:
        self._running: dict[Any, asyncio.Task[Credentials]] = {}

    async def once(self, key: Any, blocking: Callable[[], Credentials]) -> Credentials:
        # A session may be used from several event loops, one after the other or in several threads; a task belongs to one.
        key = (asyncio.get_running_loop(), key)
        task = self._running.get(key)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(blocking))
            self._running[key] = task
            task.add_done_callback(lambda done: self._done(key, done))
        # A caller that is cancelled does not take the renewal of the others with it.
        return await asyncio.shield(task)

    def _done(self, key: Any, task: asyncio.Task[Credentials]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen: its waiters have it, if any are left


class AioRenewingCredentials(RenewingCredentials):
    """`RenewingCredentials` as aiobotocore asks for them."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._thread = _InThread()

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:  # type: ignore[override]
        return frozen(await self._awaited())

    async def _awaited(self) -> Credentials:
        try:
            held = self._source.ready()
            return held if held is not None else await self._thread.once("current", self._source.current)
        except UnexpireError as error:
            fail(error)

    # First the wait, in a thread; what is then read does not have to.
    async def get_access_key(self) -> str:
        await self._awaited()
        return self.access_key

    async def get_secret_key(self) -> str:
        await self._awaited()
        return self.secret_key

    async def get_token(self) -> str | None:
        await self._awaited()
        return self.token

    async def get_account_id(self) -> str | None:
        await self._awaited()
        return self.account_id


class AioRenewingProvider(RenewingProvider):
    async def load(self) -> Any:  # type: ignore[override]
        return self.credentials


class AioRejectionHandlers(RejectionHandlers):
    """The same judgement; only the renewal is awaited."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._thread = _InThread()

    async def needs_retry(  # type: ignore[override]
        self, response: Any, operation: Any, request_dict: dict[str, Any], **_: Any
    ) -> int | None:
        with _quietly("renew"):
            rejected = self.judge(response, operation, request_dict)
            if rejected is not None:
                sent = rejected.sent
                fresh = await self._thread.once(sent.access_key_id, lambda: self._renew(sent))
                return again(rejected, fresh)
        return None

    def _renew(self, sent: Credentials) -> Credentials:
        with renewing():
            return self.source.renew(sent)


def install(session: Any, source: Source) -> None:
    """Make `source` the one from which `session`, an AioSession, takes its keys."""
    put_first(session, AioRenewingProvider(AioRenewingCredentials(source)), AioRejectionHandlers(source))


def session_of(source: Source, variables: Mapping[str, Any]) -> AioSession:
    """An aiobotocore session over a source that exists."""
    session = AioSession(profile=source.request.profile)
    for name, value in variables.items():
        session.set_config_variable(name, value)
    install(session, source)
    let_travel(session)
    return session


def _around(inner: Any) -> aioboto3.Session:
    import aioboto3

    session = aioboto3.Session(botocore_session=inner)
    let_travel(session)
    return session


def _reduced(session: Any) -> tuple[Any, ...]:
    """How a protected session is pickled."""
    inner = inner_session(session)
    rebuild = _rebuilt if inner is session else _rebuilt_around
    return rebuild, (request_of(inner), inner.instance_variables())


def _rebuilt(request: SourceRequest, variables: Mapping[str, Any]) -> AioSession:
    return session_of(Source(request), variables)


def _rebuilt_around(request: SourceRequest, variables: Mapping[str, Any]) -> aioboto3.Session:
    return _around(_rebuilt(request, variables))


travels("aiobotocore.session", "AioSession", _reduced)
travels("aioboto3.session", "Session", _reduced)
