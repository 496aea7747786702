"""``unexpire web``: the dashboard, on loopback, for whoever has the link."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import click

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from ..web.dashboard import Dashboard

__all__ = ["web"]


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The loopback port; by default a free one.")
def web(port: int) -> int:
    """Show every session, what is left of it, its renewals, and what is wrong, in a browser.

    Prints a link that opens the dashboard once; press Enter for another. It looks on, renews nothing, and shows no secret. Ctrl-C ends it.
    """
    import asyncio

    from ..settings.environment import Environment
    from ..web.dashboard import Dashboard

    try:
        dashboard = Dashboard(Environment.current, port=port)
    except OSError as error:
        raise ConfigurationError(
            f"port {port} cannot be used: {error.strerror}", hint="unexpire web --port 0"
        ) from error

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C comes as KeyboardInterrupt there
                loop.add_signal_handler(number, dashboard.stop)
        click.echo(dashboard.guard.link())
        if sys.stdin.isatty():
            threading.Thread(target=_more_links, args=(dashboard,), daemon=True).start()
        await dashboard.serve()

    asyncio.run(main())
    # at once: a question to AWS that hangs in its thread is nothing to wait for
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _more_links(dashboard: Dashboard) -> None:
    for _ in sys.stdin:
        click.echo(dashboard.guard.link())
