"""`unexpire run -- CMD`: the command gets an endpoint that never hands out an expired session, instead of keys."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from .options import role_request, source_options

if TYPE_CHECKING:
    from ..delivery.launch import Launch

__all__ = ["run"]


@click.command(context_settings={"allow_interspersed_args": False, "help_option_names": ["-h", "--help"]})
@source_options
@click.option(
    "--imds/--no-imds",
    default=False,
    help="Also serve the EC2 metadata service (IMDSv2), for programs that know no other.",
)
@click.option("--agent/--no-agent", default=True, help="Use the agent where one runs (the default).")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    profile: str | None,
    role_arn: str | None,
    session_name: str | None,
    duration: timedelta | None,
    external_id: str | None,
    imds: bool,
    agent: bool,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND with credentials that are renewed for as long as it runs.

    Its AWS SDK reads them from a loopback endpoint; no key stands in its environment. Signals, terminal and exit code are the
    command's own. Write -- before the command.
    """
    from ..delivery.child import CommandNotRun
    from ..delivery.launch import prepare
    from .ask import TerminalPrompt, say_waiting

    role = role_request(role_arn, session_name, duration, external_id)
    try:
        launch = prepare(
            command,
            profile=profile,
            role=role,
            imds=imds,
            prompt=TerminalPrompt(),
            use_agent=agent,
            on_wait=say_waiting,
        )
        for warning in launch.warnings:
            click.echo(f"unexpire: {warning}", err=True)
        sys.exit(_go(launch))
    except CommandNotRun as error:
        click.echo(f"unexpire: {error}", err=True)
        if error.hint:
            click.echo(f"  try: {error.hint}", err=True)
        sys.exit(error.exit_code)


def _go(launch: Launch) -> int:
    if os.name != "nt":
        launch.become()
    return launch.run_and_wait()
