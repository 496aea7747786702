"""``unexpire env``: a session as variables, for one shell, a file, or a job of GitHub Actions."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..credentials import Credentials, KeyKind
from ..delivery import shell
from ..delivery.fast_lane import life
from ..errors import ConfigurationError
from ..freshness import remaining
from .ask import TerminalPrompt, say_waiting
from .options import role_request, source_options

if TYPE_CHECKING:
    from ..settings.environment import Environment

__all__ = ["env"]

_ALIASES = {"sh": "bash", "pwsh": "powershell", "github": "github-actions"}


@click.command()
@source_options
@click.option(
    "--format",
    "form",
    type=click.Choice([*(each.value for each in shell.Format), *_ALIASES]),
    help="Who reads the lines; by default the shell that this is called from.",
)
@click.option(
    "--expiration", is_flag=True, help="Also set AWS_CREDENTIAL_EXPIRATION (botocore raises an error at that moment)."
)
@click.option("-q", "--quiet", is_flag=True, help="Do not say on stderr when the copy ends.")
def env(
    profile: str | None,
    role_arn: str | None,
    session_name: str | None,
    duration: timedelta | None,
    external_id: str | None,
    form: str | None,
    expiration: bool,
    quiet: bool,
) -> int:
    """Print export lines for a shell: eval "$(unexpire env --profile NAME)".

    A copy: nothing renews it, and it ends with its session. Where a program is started, `unexpire run` gives it credentials that
    are renewed as long as it runs. Variables that would make programs use something else are unset.
    """
    from ..delivery.sessions import newest_session
    from ..settings.environment import Environment

    role = role_request(role_arn, session_name, duration, external_id)
    environment = Environment.current()
    reader = shell.Format(_ALIASES.get(form, form)) if form else shell.detect(environment.variables, _parent_name())
    credentials = newest_session(environment, profile=profile, role=role, prompt=TerminalPrompt(), on_wait=say_waiting)
    if credentials.kind is KeyKind.LONG_TERM:
        raise ConfigurationError(
            "these are long-term keys, which are not copied into variables",
            hint=f"export AWS_PROFILE={profile or environment.profile_name.value}",
        )
    variables = shell.variables_of(credentials, region=_region(environment, profile), with_end=expiration)
    if reader is shell.Format.GITHUB_ACTIONS:
        _to_github(environment, variables)
    else:
        click.echo(shell.export_lines(variables, reader), nl=False)
    if not quiet:
        _warn(environment, credentials, profile, role_arn)
    return 0


def _to_github(environment: Environment, variables: shell.Variables) -> None:
    """The secrets are masked before anything can print them; the variables hold from the job's next step on."""
    from ..stores import atomic

    named = environment.variables.get("GITHUB_ENV")
    if not named:
        raise ConfigurationError(
            "this is no step of a GitHub Actions job: it has no GITHUB_ENV", hint="unexpire env --format dotenv"
        )
    click.echo(shell.masks(variables), nl=False)
    file, lines = Path(named), shell.github_lines(variables, environment.variables).encode()
    try:
        before = file.read_bytes()
    except FileNotFoundError:
        if not file.parent.is_dir():
            raise ConfigurationError(
                f"the folder of {named} does not exist", where="GITHUB_ENV", hint="see what has set GITHUB_ENV"
            ) from None
        before = b""
    glue = b"" if not before or before.endswith(b"\n") else b"\n"  # a step may have left its last line open
    atomic.replace(file, before + glue + lines)


def _region(environment: Environment, profile: str | None) -> str | None:
    """The profile's Region, as the profile itself no longer counts for who has these variables; a Region that is set stays."""
    if environment.variables.get("AWS_REGION") or environment.variables.get("AWS_DEFAULT_REGION"):
        return None
    name = profile or environment.profile_name.value
    if name not in environment.settings().profiles:
        return None
    found = environment.settings().profile(name).get("region")
    return found.value if found else None


def _warn(environment: Environment, credentials: Credentials, profile: str | None, role_arn: str | None) -> None:
    left = remaining(credentials.expiration, environment.now())
    when = "at a time that its source does not tell"
    if credentials.expiration is not None and left is not None:
        when = f"at {credentials.expiration:%H:%M} UTC, in {life(int(left.total_seconds()))}"
    source = f"--role-arn {role_arn}" if role_arn else f"--profile {profile or environment.profile_name.value}"
    click.echo(f"unexpire: this is a copy: it ends {when}, and nothing renews it", err=True)
    click.echo(f"  what is renewed: unexpire run {source} -- COMMAND", err=True)


def _parent_name() -> str | None:
    """The name of the process that called this one; None where the system does not tell."""
    parent = os.getppid()
    with contextlib.suppress(OSError):
        return Path(f"/proc/{parent}/comm").read_text(encoding="utf-8")
    if sys.platform == "win32":
        return None
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        asked = ["ps", "-o", "comm=", "-p", str(parent)]
        return subprocess.run(asked, capture_output=True, text=True, timeout=2, check=False).stdout
    return None
