"""``unexpire sync``: keep a session in the credentials file."""

from __future__ import annotations

import contextlib
import signal
import threading
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING

import click

from ..credentials import Credentials
from ..errors import RefreshFailed, StoreError, UnexpireError
from .ask import TerminalPrompt, say_waiting, tell

if TYPE_CHECKING:
    from ..delivery.sync import SyncTarget
    from ..refresher import Refresher
    from ..settings.environment import Environment

__all__ = ["sync"]

_AFTER_A_FAILURE = timedelta(seconds=15)
_SHORTEST_PAUSE = timedelta(seconds=0.5)


@click.command()
@click.argument("profile")
@click.option("--to", required=True, metavar="NAME", help="The profile that the programs use.")
@click.option("--watch/--once", help="Keep it fresh until interrupted, or write it once (the default).")
@click.option("--stop", is_flag=True, help="The agent keeps it fresh no longer.")
def sync(profile: str, to: str, watch: bool, stop: bool) -> int:
    """Write PROFILE's session to another profile of the credentials file, for programs that read nothing else.

    Every other byte of the file stays, and the file is replaced in one step. An agent, where one runs, keeps it fresh from then on;
    without one, --watch does. A program that reads the file only once at its start still ends up with an old session: `unexpire run`
    serves those.
    """
    from ..delivery.sessions import newest_session, session_store
    from ..delivery.sync import sync_target
    from ..providers.resolve import provider_for
    from ..refresher import Refresher
    from ..settings.environment import Environment

    environment = Environment.current()
    target = sync_target(environment, profile, to)
    if stop:
        if watch:
            raise click.UsageError("--watch and --stop exclude each other")
        stopped = _agent(environment, profile, to, stop=True)
        click.echo(
            f"the agent keeps [{to}] no longer" if stopped else f"unexpire: no agent keeps [{to}]", err=not stopped
        )
        return 0 if stopped else 1
    if not watch:
        credentials = newest_session(
            environment, profile=profile, role=None, prompt=TerminalPrompt(), on_wait=say_waiting
        )
        target.write(credentials)
        _say(environment, target, credentials)
        if _agent(environment, profile, to):
            click.echo("the agent keeps it fresh")
        return 0
    provider = provider_for(environment, profile=profile, prompt=TerminalPrompt())
    store = session_store(environment)
    return _watch(environment, Refresher(provider, clock=environment.clock, store=store), target)


def _agent(environment: Environment, profile: str, to: str, *, stop: bool = False) -> bool:
    """Ask the agent to keep this copy fresh; False where none runs or it will not."""
    from ..delivery import agent_protocol

    home = str(environment.home) if environment.home is not None else None
    path = agent_protocol.socket_path(environment.variables, home)
    answer = agent_protocol.ask(path, {"op": "sync", "profile": profile, "to": to, "stop": stop})
    return answer is not None and answer[0] == 200


def _watch(environment: Environment, refresher: Refresher, target: SyncTarget) -> int:
    """Until SIGTERM or SIGINT. What may pass, an outage, a full disk, is said once, and outlived for as long as what stands in the file is
    good."""
    from ..delivery.sync import next_write

    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    said: str | None = None
    began = False

    def go_on(error: UnexpireError) -> None:
        nonlocal said
        if str(error) != said:
            said = str(error)
            tell(f"{said}; going on")

    while not stop.is_set():
        pause = _AFTER_A_FAILURE
        try:
            credentials = refresher.current()  # which renews in the background when it is time
            if target.write(credentials):
                with contextlib.suppress(OSError):  # nobody reads along any more; the programs still read the file
                    _say(environment, target, credentials)
            pause, said, began = next_write(credentials, environment.now()), None, True
        except RefreshFailed as error:
            if not error.retryable:
                raise
            go_on(error)
            following = refresher.standing().next_attempt
            if following is not None:
                pause = min(max(following - environment.now(), _SHORTEST_PAUSE), _AFTER_A_FAILURE)
        except StoreError as error:
            if not began:
                raise
            go_on(error)
        stop.wait(pause.total_seconds())
    return 0


def _say(environment: Environment, target: SyncTarget, credentials: Credentials) -> None:
    end = f"until {credentials.expiration:%H:%M} UTC" if credentials.expiration else "its end is not known"
    click.echo(f"[{target.profile}] in {environment.origin_of(target.path)}: {credentials.access_key_id}, {end}")
