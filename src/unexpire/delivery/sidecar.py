"""The process beside a wrapped command: it renews and serves until the command ends, then removes what it left and ends too.

Started by `child.start_detached` (see `launch`) as ``python -P -m unexpire.delivery.sidecar SOCKET WATCH PID FOLDER``, with the `Order` on its
standard input. SOCKET is the descriptor of the listening socket, made before the command was, so that the command never finds it
closed; WATCH one that becomes readable when process PID ends (Linux), or -1.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import select
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..settings.environment import Environment, utc_now
from .child import alive
from .order import Order
from .server import Server
from .serving import Serving

__all__ = ["main", "raise_descriptor_limit"]

_LOOK_EVERY_S = 0.5


def main(arguments: list[str]) -> None:
    listener, watch, pid = (int(word) for word in arguments[:3])
    folder = Path(arguments[3])
    _ignore_signals()
    try:
        order = Order.from_bytes(_read_all(0))
        asyncio.run(_serve(order, listener, watch, pid))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        # at once: a renewal that hangs in its thread is nothing to wait for
        os._exit(0)


def _ignore_signals() -> None:
    """A supervisor that stops a service signals all its processes: the command may still need credentials while it ends."""
    for name in (
        "SIGINT",
        "SIGTERM",
        "SIGHUP",
        "SIGQUIT",
        "SIGTSTP",
        "SIGTTOU",
        "SIGTTIN",
        "SIGUSR1",
        "SIGUSR2",
        "SIGPIPE",
    ):
        number = getattr(signal, name, None)
        if number is not None:
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_IGN)


def _read_all(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as pipe:
        data = pipe.read()
    os.open(
        os.devnull, os.O_RDONLY
    )  # takes the number that is free now, so that nothing else ever becomes standard input
    return data


async def _serve(order: Order, listener: int, watch: int, pid: int) -> None:
    raise_descriptor_limit()
    bound = socket.socket(fileno=listener)
    variables, cwd = dict(os.environ), Path.cwd() if _has_cwd() else Path("/")
    environment: Callable[[], Environment] = lambda: Environment.of(variables, cwd=cwd)  # noqa: E731 - read anew each time
    with Serving(order, environment, bound.getsockname()[1], clock=utc_now) as serving:
        server = Server(serving, [bound])
        await server.start()
        await _until_ended(watch, pid)
        await server.stop()


def _has_cwd() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


def raise_descriptor_limit() -> None:
    """A client is a descriptor; the usual soft limit, 1,024, is for programs that use select(2)."""
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _until_ended(watch: int, pid: int) -> None:
    """Until `pid` has ended, whether or not its parent has taken note of that yet."""
    loop = asyncio.get_running_loop()
    if watch >= 0:
        ended = asyncio.Event()
        loop.add_reader(watch, ended.set)
        await ended.wait()
    elif hasattr(select, "kqueue"):
        done: asyncio.Future[None] = loop.create_future()
        tell = functools.partial(loop.call_soon_threadsafe, done.set_result, None)
        threading.Thread(target=_wait_with_kqueue, args=(pid, tell), daemon=True).start()
        await done
    else:
        while alive(pid):
            await asyncio.sleep(_LOOK_EVERY_S)


def _wait_with_kqueue(pid: int, tell: Callable[[], object]) -> None:
    """kqueue(2) of macOS and the BSDs; a process that is gone already cannot be watched, which is an answer as well."""
    module: Any = select
    with contextlib.suppress(OSError):
        event = module.kevent(pid, module.KQ_FILTER_PROC, module.KQ_EV_ADD | module.KQ_EV_ONESHOT, module.KQ_NOTE_EXIT)
        module.kqueue().control([event], 1)
    tell()


if __name__ == "__main__":
    main(sys.argv[1:])
