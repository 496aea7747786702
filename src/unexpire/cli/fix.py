"""``unexpire fix``: diagnose, show the plan, do it, diagnose again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from ..findings import Diagnosis
from .ask import TerminalPrompt, at_a_terminal
from .diagnose import current_environment, show
from .options import role_request, source_options
from .render import row, rows

if TYPE_CHECKING:
    from ..delivery.mending import Step
    from ..providers.resolve import RoleRequest

__all__ = ["fix"]


@click.command()
@source_options
@click.option("--from", "source", metavar="NAME", help="The profile whose session a static copy is to be renewed from.")
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
def fix(
    profile: str | None,
    role_arn: str | None,
    session_name: str | None,
    duration: timedelta | None,
    external_id: str | None,
    source: str | None,
    dry_run: bool,
    yes: bool,
) -> int:
    """Renew at the right source and write it where the program reads.

    Every file is kept byte for byte but for what is mended, replaced in one step, with one backup beside it.
    """
    from ..delivery.mending import plan

    role = role_request(role_arn, session_name, duration, external_id)
    before = _diagnose(profile, role)
    show(before)
    if before.root_cause is None:
        click.echo("Nothing to fix.")
        return int(before.exit)
    environment = current_environment()
    steps = plan(
        before, environment, prompt=TerminalPrompt(login_anywhere=True), source=source, role=role, profile=profile
    )
    doable = [step for step in steps if step.do is not None]
    _show(steps)
    if not doable:
        click.echo("Only you can do this: type the line above.", err=True)
        return int(before.exit)
    if dry_run:
        return int(before.exit)
    if not yes and not _agreed():
        return int(before.exit)
    for step in doable:
        assert step.do is not None
        click.echo(f"✓ {step.do()}")
    after = _diagnose(profile, role)
    show(after)
    return int(after.exit)


def _diagnose(profile: str | None, role: RoleRequest | None) -> Diagnosis:
    """A fresh look: nothing of an earlier one is kept."""
    from ..diagnosis.gather import gather
    from ..diagnosis.judge import judge

    return judge(gather(current_environment(), profile=profile, role=role))


def _show(steps: tuple[Step, ...]) -> None:
    click.echo("")
    for number, step in enumerate(steps, 1):
        for line in row(f"{number}.", step.summary):
            click.echo(line)
        for line in rows("", step.lines):
            click.echo(line)


def _agreed() -> bool:
    if not at_a_terminal():
        raise click.UsageError("there is no terminal to ask on: add --yes to do it, or --dry-run to look only")
    return click.confirm("Do it?", default=True)
