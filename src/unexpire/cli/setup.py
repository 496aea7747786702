"""``unexpire setup``: write the line that makes every SDK and tool ask unexpire."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

import click

from ..credentials import shown_key
from ..settings.files import is_secret_name
from .ask import at_a_terminal

if TYPE_CHECKING:
    from ..delivery.setup import Change
    from ..settings.environment import Environment

__all__ = ["setup"]


@click.command()
@click.argument("profile")
@click.option("--as", "name", metavar="NAME", help="The profile that programs are to use; by default PROFILE-fresh.")
@click.option("--in-place", is_flag=True, help="Programs go on using PROFILE; its settings move to PROFILE-source.")
@click.option("--undo", is_flag=True, help="Take out again what was set up for PROFILE.")
@click.option("--dry-run", is_flag=True, help="Show the change and do nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do it without asking.")
def setup(profile: str, name: str | None, in_place: bool, undo: bool, dry_run: bool, yes: bool) -> int:
    """Make every SDK and tool get PROFILE's credentials from unexpire: shared, renewed ahead, never expired.

    Adds a profile whose credential_process asks unexpire for PROFILE, to the AWS configuration file, and changes no other byte of it.
    """
    from ..delivery.setup import apply, planned, undone
    from ..settings.environment import Environment

    if name is not None and in_place:
        raise click.UsageError("--as and --in-place exclude each other")
    environment = Environment.current()
    user = profile if in_place else f"{profile}-fresh" if name is None else name
    changes = undone(environment, profile) if undo else planned(environment, profile, None if in_place else user)
    for change in changes:
        _show(environment, change)
    refusal = environment.settings().refusal
    if refusal is not None:
        click.echo(f"unexpire: SDKs refuse this file as it stands: {refusal.message} ({refusal.origin})", err=True)
    if not undo:
        _warn_of_copy(environment, profile)
    if dry_run:
        return 0
    if not yes:
        if not at_a_terminal():
            raise click.UsageError("there is no terminal to ask on: add --yes to do it, or --dry-run to look only")
        if not click.confirm("Write this?", default=True):
            return 0
    apply(changes)
    click.echo("undone" if undo else f"done: AWS_PROFILE={user}")
    return 0


def _warn_of_copy(environment: Environment, profile: str) -> None:
    """A static copy of a session ends, whoever passes it on."""
    from ..providers.chain import predict

    winner = predict(environment, profile).winner
    if winner is not None and winner.static and winner.has_token:
        click.echo(
            f"unexpire: profile {profile} holds a copy of a session: nothing renews it ({winner.origin})", err=True
        )
        click.echo("  try: the profile that it was copied from, or unexpire fix when it has ended", err=True)


_SETTING = re.compile(r"([-+ ]?\s*)([^\s=:#;\[]+)(\s*[=:]\s*)(.+)", re.DOTALL)


def _hidden(line: str) -> str:
    """A line of a diff, without the value where that may be a secret, or may hold one; what unexpire itself adds holds none."""
    found = _SETTING.fullmatch(line)
    if found is not None and found[2] == "aws_access_key_id":
        return line.replace(found[4].strip(), shown_key(found[4].strip()))
    if found is None or not is_secret_name(found[2]) or (found[1].startswith("+") and found[2] == "credential_process"):
        return line
    return f"{found[1]}{found[2]}{found[3]}***" + ("\n" if line.endswith("\n") else "")


def _show(environment: Environment, change: Change) -> None:
    """A unified diff without secrets: the lines around a change may hold some."""
    name = str(environment.origin_of(change.path))
    before = (change.before or "").splitlines(keepends=True)
    after = (change.after or "").splitlines(keepends=True)
    old, new = (name if text is not None else "/dev/null" for text in (change.before, change.after))
    for line in difflib.unified_diff(before, after, old, new, n=2):
        hidden = _hidden(line)
        click.echo(hidden if hidden.endswith("\n") else f"{hidden}\n\\ No newline at end of file\n", nl=False)
