"""How a command asks the human at the terminal, an MFA code or a login in the browser, and says what it waits for.

Never through stdin or stdout, which are data.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys

import click

from ..errors import InteractionRequired, UnexpireError

__all__ = ["TerminalPrompt", "at_a_terminal", "has_browser", "say_waiting", "tell"]

_CODE = re.compile(r"\d{6}")


def _terminal_name() -> str:
    return "CON" if sys.platform == "win32" else "/dev/tty"


def at_a_terminal() -> bool:
    """Whether there is a terminal to ask on, whatever stdin and stdout are connected to."""
    try:
        descriptor = os.open(_terminal_name(), os.O_RDWR | getattr(os, "O_NOCTTY", 0))
    except OSError:
        return False
    os.close(descriptor)
    return True


class TerminalPrompt:
    """Asks on the terminal; where there is none, raises InteractionRequired.

    `login_anywhere`: a login is what the command was called for, so its address is worth printing where nobody may be reading.
    """

    def __init__(self, *, login_anywhere: bool = False) -> None:
        self._login_anywhere = login_anywhere

    def mfa_code(self, serial: str) -> str:
        """Six digits, asked for until they are six; Ctrl-C gives up."""
        for _ in range(3):
            answer = _ask(f"MFA code for {serial}: ").replace(" ", "")
            if _CODE.fullmatch(answer):
                return answer
            click.echo("an MFA code is six digits", err=True)
        raise InteractionRequired(
            "no MFA code was given",
            interaction="mfa",
            finding="mfa-required",
            hint="have the device at hand, and try again",
        )

    def open_login(self, url: str, user_code: str | None) -> None:
        """Show where to approve the login, and open the browser where there is one. Raises InteractionRequired where nobody is."""
        if not (self._login_anywhere or at_a_terminal() or has_browser()):
            raise InteractionRequired(
                "a login is needed, and there is neither a terminal nor a browser to ask for it",
                interaction="sso-login",
                finding="sso-login-needed",
                hint="run unexpire fix at a terminal: the session is kept, and later calls use it",
            )
        click.echo(f"Log in here: {url}", err=True)
        if user_code:
            click.echo(f"and confirm this code: {user_code}", err=True)
        if has_browser():
            import webbrowser

            webbrowser.open(url)


def _ask(question: str) -> str:
    try:
        # two files: a terminal cannot be sought in, which Python wants of one that is both read and written
        with open(_terminal_name(), "w", encoding="utf-8") as screen, open(_terminal_name(), encoding="utf-8") as keys:
            screen.write(question)
            screen.flush()
            return keys.readline().strip()
    except OSError as error:
        raise InteractionRequired(
            "an MFA code is needed and there is no terminal to ask on",
            interaction="mfa",
            finding="mfa-required",
            hint="run it once at a terminal: the session is kept, and later calls use it",
        ) from error


def has_browser() -> bool:
    """Not over SSH, and on Linux only with a display: a text browser would take the terminal away."""
    if os.environ.get("BROWSER"):
        return True
    if os.environ.get("SSH_CONNECTION"):
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def tell(text: str) -> None:
    """A line on standard error for who reads along. One that cannot be written (its reader has gone, the disk is full) is dropped:
    a process that others hang on does not end for it."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: closed
        click.echo(f"unexpire: {text}", err=True)


def say_waiting(error: UnexpireError) -> None:
    """Why the command is not done yet: an outage that it waits out."""
    tell(f"{error}; trying again")
