"""``unexpire sync``: keep a session in the credentials file."""

from __future__ import annotations

import signal
import threading
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING

import click

from ..credentials import Credentials
from ..errors import RefreshFailed
from .ask import TerminalPrompt

if TYPE_CHECKING:
    from ..delivery.sync import SyncTarget
    from ..refresher import Refresher
    from ..settings.environment import Environment

__all__ = ["sync"]

_AFTER_A_FAILURE = timedelta(seconds=15)


@click.command()
@click.argument("profile")
@click.option("--to", required=True, metavar="NAME", help="The profile that the programs use.")
@click.option("--watch/--once", help="Keep it fresh until interrupted, or write it once (the default).")
def sync(profile: str, to: str, watch: bool) -> int:
    """Write PROFILE's session to another profile of the credentials file, for programs that read nothing else.

    Every other byte of the file stays, and the file is replaced in one step. With --watch it is renewed ahead of its end; a program
    that reads the file only once at its start still ends up with an old session: `unexpire run` serves those.
    """
    from ..delivery.sessions import newest_session, session_store
    from ..delivery.sync import sync_target
    from ..providers.resolve import provider_for
    from ..refresher import Refresher
    from ..settings.environment import Environment

    environment = Environment.current()
    target = sync_target(environment, profile, to)
    if not watch:
        credentials = newest_session(environment, profile=profile, role=None, prompt=TerminalPrompt())
        target.write(credentials)
        _say(environment, target, credentials)
        return 0
    provider = provider_for(environment, profile=profile, prompt=TerminalPrompt())
    store = session_store(environment)
    return _watch(environment, Refresher(provider, clock=environment.clock, store=store), target)


def _watch(environment: Environment, refresher: Refresher, target: SyncTarget) -> int:
    """Until SIGTERM or SIGINT. An outage is said once, and outlived for as long as what stands in the file is good."""
    from ..delivery.sync import next_write

    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    said: str | None = None
    while not stop.is_set():
        pause = _AFTER_A_FAILURE
        try:
            credentials = refresher.current()  # which renews in the background when it is time
            if target.write(credentials):
                _say(environment, target, credentials)
            pause, said = next_write(credentials, environment.now()), None
        except RefreshFailed as error:
            if not error.retryable:
                raise
            if str(error) != said:
                said = str(error)
                click.echo(f"unexpire: {said}; going on", err=True)
        stop.wait(pause.total_seconds())
    return 0


def _say(environment: Environment, target: SyncTarget, credentials: Credentials) -> None:
    end = f"until {credentials.expiration:%H:%M} UTC" if credentials.expiration else "its end is not known"
    click.echo(f"[{target.profile}] in {environment.origin_of(target.path)}: {credentials.access_key_id}, {end}")
