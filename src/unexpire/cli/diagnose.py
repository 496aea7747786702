"""``unexpire diagnose``: why did it fail, when does it end, will it last."""

from __future__ import annotations

import gc
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..findings import Diagnosis
from .exits import give_up_stdout
from .options import DURATION, role_request, source_options

if TYPE_CHECKING:
    from ..diagnosis.seen import SeenError
    from ..settings.environment import Environment

__all__ = ["diagnose"]


@click.command()
@source_options
@click.option(
    "--pid", type=click.IntRange(min=1), help="Look at a running process of yours instead of this shell (Linux)."
)
@click.option("--for", "lasting", type=DURATION, metavar="TIME", help="Will they last this long? 6h, 90m, 2d.")
@click.option("--offline", is_flag=True, help="Ask neither AWS nor any other source.")
@click.option("--json", "as_json", is_flag=True, help="The whole report, for programs (docs/cli.md).")
@click.option("-v", "--verbose", is_flag=True, help="Show the evidence of every finding.")
@click.argument("text", required=False, metavar="[TEXT-FILE|-|URL]")
def diagnose(
    profile: str | None,
    role_arn: str | None,
    session_name: str | None,
    duration: timedelta | None,
    external_id: str | None,
    pid: int | None,
    lasting: timedelta | None,
    offline: bool,
    as_json: bool,
    verbose: bool,
    text: str | None,
) -> int:
    """Say which credentials are in use, when they end and why a call failed.

    With a log, an error or a presigned URL (a file, or - for standard input), say what that failure was.
    """
    # A tenth of the start is the collector's, which finds nothing in what is imported and parsed once.
    gc.disable()
    from ..settings.environment import Environment

    role = role_request(role_arn, session_name, duration, external_id)
    environment = Environment.of_process(pid) if pid is not None else Environment.current()
    from ..diagnosis.gather import gather
    from ..diagnosis.judge import judge

    seen = None
    if text is not None:
        gc.enable()
        seen = _seen(text)
        if seen is None:
            click.echo("nothing in that text is an error of AWS credentials; this is what is found here:", err=True)
        elif (
            seen.finding is None
            and seen.page is not None
            and (seen.presigned is None or seen.presigned.ends_at > environment.now())
        ):
            click.echo(f"that text does not tell why; what it can be: unexpire explain {seen.page}", err=True)
    until = environment.now() + lasting if lasting is not None else None
    snapshot = gather(environment, profile=profile, role=role, online=not offline, seen=seen, until=until)
    diagnosis = judge(snapshot)
    show(diagnosis, as_json=as_json, verbose=verbose)
    return int(diagnosis.exit)


def show(diagnosis: Diagnosis, *, as_json: bool = False, verbose: bool = False) -> None:
    """Print a diagnosis, for people or for programs. Who stops reading (``| head -3``) still gets its exit code, or its mend."""
    try:
        if as_json:
            click.echo(json.dumps(diagnosis.as_json(), indent=2, ensure_ascii=False))
            return
        from .render import diagnosis_lines

        for line in diagnosis_lines(diagnosis, verbose=verbose):
            click.echo(line)
    except BrokenPipeError:
        give_up_stdout()


def current_environment() -> Environment:
    from ..settings.environment import Environment

    return Environment.current()


def _seen(text: str) -> SeenError | None:
    """What a file, standard input, or the argument itself where it is a URL, shows."""
    from .seen import seen_in, seen_in_stream

    if text.startswith(("https://", "http://")):
        return seen_in(text)
    if text == "-":
        return seen_in_stream(sys.stdin.buffer)
    try:
        with Path(text).open("rb") as file:
            return seen_in_stream(file)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "cannot be read").lower()
        raise click.UsageError(f"{text[:200]}: {reason}") from error
