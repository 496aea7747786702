"""The command line's front door: which commands there are, and what every one of them does with an error."""

from __future__ import annotations

import errno
import gc
import io
import os
import sys
from typing import Any, NoReturn

import click

from .. import __version__
from ..errors import UnexpireError
from .exits import exit_code_of, give_up_stdout

# name -> (module, attribute, help line). The module is imported only when its command runs, so that `unexpire explain` never pays for
# botocore; the help lines stand here so that `unexpire --help` imports no command at all.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "diagnose": (
        "unexpire.cli.diagnose",
        "diagnose",
        "Say which credentials are in use, when they end and why a call failed.",
    ),
    "fix": ("unexpire.cli.fix", "fix", "Renew at the right source and write it where the program reads."),
    "run": ("unexpire.cli.run", "run", "Run a command whose credentials never expire."),
    "env": ("unexpire.cli.env", "env", "Print export lines for a shell (a static copy: it ends)."),
    "explain": (
        "unexpire.cli.explain",
        "explain",
        "Explain an AWS credential error, offline, from any tool's wording.",
    ),
    "setup": ("unexpire.cli.setup", "setup", "Make every SDK and tool get a profile's credentials from unexpire."),
    "credential-process": (
        "unexpire.cli.credential_process",
        "credential_process",
        "What setup writes into the AWS configuration: prints credentials for SDKs.",
    ),
    "sync": (
        "unexpire.cli.sync",
        "sync",
        "Keep a session in the credentials file, for programs that read nothing else.",
    ),
    "agent": ("unexpire.cli.agent", "agent", "Keep profiles fresh for every program of this user."),
    "status": ("unexpire.cli.status", "status", "Show every known session: what is left of it, and what renews it."),
    "prompt": ("unexpire.cli.prompt", "prompt", "What is left of a session, for a shell's prompt."),
    "forget": ("unexpire.cli.forget", "forget", "Remove sessions from unexpire's cache."),
    "web": ("unexpire.cli.web", "web", "Show every session and what is left of it, in a browser."),
    "reference": ("unexpire.cli.reference", "reference", "Build the reference of errors as a web site."),
    "lab": ("unexpire.cli.lab", "lab", "Run an AWS on this machine whose credentials really expire."),
}


class _Commands(click.Group):
    """A group that imports a command's module only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = COMMANDS.get(cmd_name)
        if found is None:
            return None
        from importlib import import_module

        command: click.Command = getattr(import_module(found[0]), found[1])
        gc.enable()  # see __main__
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry[2]) for name, entry in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            nearest = difflib.get_close_matches(args[0], COMMANDS, n=1) if args else []
            hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
            raise click.UsageError(error.message + hint, ctx) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(__version__, prog_name="unexpire")
@click.pass_context
def main(context: click.Context) -> None:
    """AWS credentials that do not run out under you. Without a command: what sessions there are (status)."""
    if context.invoked_subcommand is None:
        from .status import status

        gc.enable()
        context.invoke(status)


def run(arguments: list[str] | None = None, **extra: Any) -> NoReturn:
    """Run the command line and end the process: no error of a user's making reaches them as a traceback."""
    if os.environ.get("NO_COLOR"):  # no-color.org; rich looks for itself
        extra["color"] = False
    _stand_in_for_closed_streams()
    _say_what_can_be_said()
    try:
        code = main.main(args=arguments, prog_name="unexpire", standalone_mode=False, **extra)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except SystemExit as end:
        # click and rich call it a failure that nobody reads any more (`unexpire … | head`)
        if isinstance(end.__context__, BrokenPipeError) or type(sys.stdout).__name__.endswith("PacifyFlushWrapper"):
            give_up_stdout()
            sys.exit(0)
        raise
    except click.exceptions.Abort:
        _say("interrupted")
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except UnexpireError as error:
        _say(str(error), error.hint)
        sys.exit(exit_code_of(error))
    except BrokenPipeError:
        give_up_stdout()  # the reader went away (`unexpire … | head`): not an error
        sys.exit(0)
    except OSError as error:
        if error.filename is not None or error.errno not in _CANNOT_BE_WRITTEN:
            raise
        give_up_stdout()
        _say(f"the output cannot be written: {error.strerror}", "make room where standard output goes to")
        sys.exit(1)
    except KeyboardInterrupt:
        _say("interrupted")
        sys.exit(130)


def _stand_in_for_closed_streams() -> None:
    """Where standard input or output was closed by whoever started this (``>&-``), there is nothing to read and nobody reads."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - open to the end of the process


def _say_what_can_be_said() -> None:
    """A code page or Latin-1 (a pipe on Windows, an old locale) has no ✓: what it lacks becomes a question mark, not an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


_CANNOT_BE_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def _say(message: str, hint: str | None = None) -> None:
    click.echo(f"unexpire: {message}", err=True)
    if hint:
        click.echo(f"  try: {hint}", err=True)
