"""``unexpire lab``: an AWS on this machine whose credentials really expire, served, around a command, or behind a shell."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..delivery.child import alive
from ..errors import ConfigurationError

if TYPE_CHECKING:
    from ..lab import Lab

__all__ = ["lab"]

# Of the caller's own AWS variables only these, which carry no identity and no address, reach a command in the lab.
_HARMLESS = frozenset({"AWS_PAGER", "AWS_DEFAULT_OUTPUT", "AWS_CLI_AUTO_PROMPT", "AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS"})
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _lifetime(ctx: click.Context, param: click.Parameter, value: str | None) -> timedelta | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d+)\s*([smhd]?)", value.strip())
    if found is None or int(found[1]) == 0:
        raise click.BadParameter(f"{value!r} is not a duration: say 20s, 15m, 1h", ctx, param)
    return timedelta(seconds=int(found[1]) * _UNITS[found[2] or "s"])


@click.command(context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False})
@click.option(
    "--lifetime",
    metavar="DURATION",
    callback=_lifetime,
    help="How long every session lasts: 20s, 15m. Default: as AWS has it.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: a free one.")
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the AWS files there and keep them. Default: a temporary folder.",
)
@click.option(
    "--shell", "shell", is_flag=True, help='For eval "$(unexpire lab --shell)": a lab that lives as long as the shell.'
)
@click.option("--demo", is_flag=True, help="Show what unexpire does, step by step.")
@click.option("--until-pid", type=int, hidden=True)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def lab(
    lifetime: timedelta | None,
    port: int,
    home: Path | None,
    shell: bool,
    demo: bool,
    until_pid: int | None,
    command: tuple[str, ...],
) -> int:
    """Run an AWS on this machine whose credentials really expire.

    Without a command it serves until Ctrl-C. With one (unexpire lab -- CMD ARGS) it runs CMD in a home with an AWS profile of
    every kind, and ends with CMD's exit code.
    """
    if demo:
        return _demo()
    if shell:
        if command:
            raise click.UsageError("--shell takes no command: it is for eval")
        return _for_shell(lifetime, port, home)
    with _running(lifetime, port) as running, _home(home) as folder:
        variables = running.make_home(folder)
        if command:
            return _run(list(command), variables)
        if until_pid is not None:
            return _serve_for(running, variables, until_pid)
        return _serve(lambda: _introduce(running, folder))


def _demo() -> int:
    from importlib import import_module

    shown: int = import_module("unexpire.cli.demo").demo()
    return shown


@contextlib.contextmanager
def _running(lifetime: timedelta | None, port: int) -> Iterator[Lab]:
    from ..lab import Lab

    try:
        running = Lab(lifetime, port=port)
    except OSError as error:
        raise ConfigurationError(
            f"port {port} cannot be used: {error.strerror}", hint="unexpire lab --port 0"
        ) from error
    with running:
        yield running


@contextlib.contextmanager
def _home(home: Path | None) -> Iterator[Path]:
    if home is None:
        with tempfile.TemporaryDirectory(prefix="unexpire-lab-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    aws = home / ".aws"
    if (aws / "config").exists() and not (aws / "process.py").exists():
        raise ConfigurationError(
            f"{home} has AWS files that are not the lab's, and they would be overwritten",
            where=str(aws / "config"),
            hint="unexpire lab --home SOME-NEW-FOLDER",
        )
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot make {home}: {error.strerror}") from error
    yield home.resolve()


def _environment(variables: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_") or name in _HARMLESS}
    return {**kept, **variables}


def _run(command: list[str], variables: dict[str, str]) -> int:
    """CMD's exit code, as a shell would report it; Ctrl-C is CMD's to handle."""
    # A handler, not SIG_IGN: a child would inherit that.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        child = subprocess.Popen(command, env=_environment(variables))
        with _forwarding(child):
            code = child.wait()
    except FileNotFoundError:
        click.echo(f"unexpire: {command[0]}: command not found", err=True)
        return 127
    except OSError as error:
        click.echo(f"unexpire: {command[0]}: {error.strerror}", err=True)
        return 126
    finally:
        signal.signal(signal.SIGINT, before)
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _forwarding(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """A termination of the lab is a termination of CMD."""
    before = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _introduce(running: Lab, home: Path) -> None:
    from ..lab.home import PROFILES

    lifetime = running.state.lifetime
    lasts = (
        f"every session lasts {int(lifetime.total_seconds())} s" if lifetime else "sessions last as long as AWS's do"
    )
    lines = [
        f"AWS      {running.url}   account {running.account}, {lasts}",
        f"home     {home}",
        f"profiles {' '.join(PROFILES[:7])}",
        f"         {' '.join(PROFILES[7:])}",
        f"user     {running.user.user.arn}   MFA code 123456",
        f"roles    {' '.join(running.state.roles)}",
        f"SSO      {running.start_url}   approve logins at {running.url}/_sso/device",
        f'control  curl {running.url}/_lab/counts   curl -d \'{{"service":"sts","mode":"503"}}\' {running.url}/_lab/outage',
        "",
        "In another terminal:",
        *(f"  {line}" for line in _exports(_shell_variables(running, home))),
        "Ctrl-C ends it.",
    ]
    click.echo("\n".join(lines))


def _shell_variables(running: Lab, home: Path) -> dict[str, str]:
    return running.environment(home, imds=True, container=False)


def _exports(variables: dict[str, str]) -> list[str]:
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]


def _serve(introduce: Callable[[], None]) -> int:
    """Until Ctrl-C or a termination, which are heeded from before anybody has read where to send them."""
    ended = threading.Event()
    before = {sign: signal.signal(sign, lambda *_: ended.set()) for sign in (signal.SIGINT, signal.SIGTERM)}
    try:
        introduce()
        while not ended.wait(3600):
            pass
        click.echo("", err=True)
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
    return 0


def _serve_for(running: Lab, variables: dict[str, str], pid: int) -> int:
    """The lab behind a shell: says its variables in one line of JSON, then lives until the process `pid` is gone."""
    click.echo(json.dumps(variables))
    sys.stdout.close()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    while alive(pid) and not ended.wait(1):
        pass
    return 0


def _for_shell(lifetime: timedelta | None, port: int, home: Path | None) -> int:
    """Start a lab in the background that ends with the shell that asked, and print the lines that point the shell at it.

    The shell is this process's parent: in ``eval "$(unexpire lab --shell)"`` the shell itself starts this command.
    """
    if os.name == "nt":
        raise ConfigurationError("--shell writes lines for a POSIX shell", hint="unexpire lab -- powershell")
    command = [sys.executable, "-m", "unexpire", "lab", "--port", str(port), "--until-pid", str(os.getppid())]
    if lifetime is not None:
        command += ["--lifetime", f"{int(lifetime.total_seconds())}s"]
    if home is not None:
        command += ["--home", str(home)]
    # Of the background process only its first line is wanted; a terminal's Ctrl-C must not reach it.
    server = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert server.stdout is not None
    assert server.stderr is not None
    line = server.stdout.readline()
    if not line:
        said = server.stderr.read().decode("utf-8", "replace").strip().removeprefix("unexpire: ")
        raise ConfigurationError(said or "the lab did not start")
    removed = sorted(name for name in os.environ if name.startswith("AWS_") and name not in _HARMLESS)
    if removed:
        click.echo(f"unset {' '.join(removed)}")
    click.echo("\n".join(_exports({**json.loads(line), "UNEXPIRE_LAB_PID": str(server.pid)})))
    click.echo(f"the lab runs until this shell ends, or: kill {server.pid}", err=True)
    return 0
