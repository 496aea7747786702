"""`unexpire status`, and `unexpire` alone: every session that is known here, and what is left of it."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..delivery.overview import Line, Overview

__all__ = ["status"]

_BAR = 20
_WATCH_EVERY_S = 1.0


@click.command()
@click.option("--watch", is_flag=True, help="Show it live until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def status(watch: bool = False, as_json: bool = False) -> int:
    """Show every known session: what is left of it, where it comes from, and when it is renewed.

    From the agent where one runs, and from the sessions that are kept on this machine. Asks AWS nothing.
    """
    if as_json:
        from ..delivery.overview import overview
        from ..settings.environment import Environment

        click.echo(json.dumps(overview(Environment.current()).as_json(), indent=2))
        return 0
    from rich.console import Console

    console = Console(highlight=False)
    if not watch or not console.is_terminal:
        console.print(_look())
        return 0
    from rich.live import Live

    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(_look(), refresh=True)
            time.sleep(_WATCH_EVERY_S)


def _look() -> RenderableType:
    from ..delivery.overview import overview
    from ..settings.environment import Environment

    environment = Environment.current()
    return _table(overview(environment), environment.now())


def _table(seen: Overview, now: datetime) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    for _ in range(4):
        table.add_column(overflow="fold")
    for line in seen.lines:
        style = _style(line)
        table.add_row(
            Text(line.name, style="bold"),
            Text(_bar(line), style=style),
            Text(_left(line, now), style=style),
            Text(_what(line)),
        )
    parts: list[RenderableType] = (
        [table] if seen.lines else [Text("no session is known here: unexpire run, or unexpire fix")]
    )
    agent = (
        f"agent: process {seen.agent['pid']}, {seen.agent['endpoint']}"
        if seen.agent
        else "no agent runs (unexpire agent)"
    )
    parts.append(Text(agent, style="dim"))
    return Group(*parts)


def _share(line: Line) -> float | None:
    """What is left, as a share of the lifetime; None where the session has no end, or none is known."""
    if line.usable_until is None or line.left is None:
        return None
    whole = line.lifetime or timedelta(hours=1)
    return max(0.0, min(line.left / whole, 1.0)) if whole else 0.0


def _bar(line: Line) -> str:
    share = _share(line)
    if share is None:
        return "─" * _BAR if line.held else "·" * _BAR
    full = round(share * _BAR)
    return "█" * full + "░" * (_BAR - full)


def _style(line: Line) -> str:
    share = _share(line)
    if not line.held or share == 0:
        return "red"
    return "yellow" if line.waits_for or line.error or (share is not None and share < 0.15) else "green"


def _left(line: Line, now: datetime) -> str:
    if not line.held:
        return "none"
    if line.left is None:
        return "no end" if not line.temporary else "end unknown"
    seconds = int(line.left.total_seconds())
    if seconds <= 0:
        return "kept back" if line.kept_back(now) else "ended"
    hours, rest = divmod(seconds, 3600)
    return f"{hours} h {rest // 60:02d}" if hours else f"{rest // 60} min" if rest >= 60 else f"{rest} s"


def _what(line: Line) -> str:
    if line.waits_for:
        return f"waits for you: {line.waits_for}"
    if line.error:
        return line.error
    if line.next_renewal is not None:
        return f"{line.source}; renewed at {_clock(line.next_renewal)}"
    return line.source


def _clock(moment: datetime) -> str:
    return moment.astimezone().strftime("%H:%M:%S")
