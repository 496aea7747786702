"""``unexpire credential-process``: for the line ``credential_process =`` of any AWS profile."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from ..delivery import fast_lane
from ..delivery.fast_lane import FROM_AGENT, RENEW
from ..errors import InteractionRequired, RefreshFailed, UnexpireError
from ..stores.session_files import LONGEST_WAIT_S
from .ask import TerminalPrompt
from .exits import exit_code_of
from .options import role_request, source_options

if TYPE_CHECKING:
    from ..delivery.process import CredentialProcess
    from ..providers.resolve import RoleRequest

__all__ = ["credential_process"]


@click.command("credential-process")
@source_options
@click.option("--region", metavar="NAME", help="The Region whose STS is asked for --role-arn.")
@click.option(
    FROM_AGENT,
    is_flag=True,
    help="Ask the agent alone, and use its AWS settings: for a container that was given its socket.",
)
@click.option(RENEW, is_flag=True, hidden=True)
def credential_process(
    profile: str | None,
    role_arn: str | None,
    session_name: str | None,
    duration: timedelta | None,
    external_id: str | None,
    region: str | None,
    from_agent: bool,
    renew: bool,
) -> int:
    """Print credentials as the AWS SDKs ask a process for them.

    Not for people: `unexpire setup PROFILE` writes the line into the AWS configuration that makes every SDK and tool run this. The
    session is kept and shared: a thousand programs started at once cost one call to AWS.
    """
    role = role_request(role_arn, session_name, duration, external_id)
    if region is not None and role is not None:
        role = dataclasses.replace(role, region=region)
    if from_agent:
        return _from_agent(profile, role)
    from ..delivery.process import CredentialProcess, process_environment
    from ..settings.environment import Environment

    environment = process_environment(Environment.current(), profile)
    prompt = _QuietPrompt()
    process = CredentialProcess(environment, _arguments(), profile=profile, role=role, prompt=prompt)
    out = _keep_stdout()
    with _deadline(process, prompt):
        if renew:
            return 0 if process.renew() else 1
        try:
            text = process.answer()
        except UnexpireError as error:
            process.leave_failure(error, exit_code_of(error))
            raise
    with os.fdopen(out, "w") as stdout:
        stdout.write(text)
    process.start_renewal()
    return 0


def _from_agent(profile: str | None, role: RoleRequest | None) -> int:
    from ..delivery.agent_protocol import from_agent_alone
    from ..delivery.process import process_environment
    from ..settings.environment import Environment

    environment = process_environment(Environment.current(), profile)
    home = str(environment.home) if environment.home is not None else None
    sys.stdout.write(from_agent_alone(environment.variables, home, profile=profile, role=role))
    return 0


def _arguments() -> list[str]:
    """What stands behind the command's name: by these words the lane finds the session again."""
    words = sys.argv[2:] if sys.argv[1:2] == ["credential-process"] else []
    return [word for word in words if word != RENEW]


def _keep_stdout() -> int:
    """A descriptor of our own for the document; from here on nothing else, a browser that is started for one, gets into it."""
    out = os.dup(1)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)
    return out


class _QuietPrompt:
    """Asks on the terminal and nowhere else: C++ programs read stderr as a part of the document."""

    waits_for: str | None = None

    def mfa_code(self, serial: str) -> str:
        """Six digits."""
        with self._asking("an MFA code"):
            return TerminalPrompt().mfa_code(serial)

    def open_login(self, url: str, user_code: str | None) -> None:
        """Show where to approve the login; what is waited for from here on is the person."""
        with self._asking("a login in the browser"):
            TerminalPrompt().open_login(url, user_code)
        self._tell("a login in the browser")

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        self._tell(what)
        name = "CON" if sys.platform == "win32" else "/dev/tty"
        with contextlib.ExitStack() as stack:
            try:
                terminal = stack.enter_context(open(name, "w", encoding="utf-8"))
            except OSError:
                terminal = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stderr(terminal))
            yield
        self._tell(None)

    def _tell(self, what: str | None) -> None:
        self.waits_for = what
        fast_lane.report(what)


@contextlib.contextmanager
def _deadline(process: CredentialProcess, prompt: _QuietPrompt) -> Iterator[None]:
    """End this process before its caller does, and say what it was waiting for: the Go SDK ends a credential process after 60 s."""

    def give_up() -> None:
        what = prompt.waits_for
        message = f"no credentials after {LONGEST_WAIT_S} s: still waiting for {what or 'an answer of the source'}"
        error: UnexpireError = RefreshFailed(message, retryable=True)
        if what:
            hint = "run unexpire fix at a terminal, where there is no hurry"
            error = InteractionRequired(message, interaction="login", hint=hint)
        code = exit_code_of(error)
        process.leave_failure(error, code, back_off=True)
        os.write(2, f"unexpire: {message}\n".encode())
        os._exit(code)

    timer = threading.Timer(fast_lane.time_left_s(), give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
