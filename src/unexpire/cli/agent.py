"""`unexpire agent`: one process that keeps profiles fresh for all others of this user."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from ..delivery.agent_access import Access
    from ..settings.environment import Environment

__all__ = ["agent"]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("profiles", nargs=-1, metavar="[install | uninstall] [PROFILE]...")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The loopback port; by default a free one.")
@click.option(
    "--listen",
    metavar="ADDRESS",
    help="Also answer the containers of a network of your own, where this machine is 169.254.170.2 (or .23).",
)
@click.option(
    "--token-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the token file of each PROFILE there, for a container to mount.",
)
@click.option("--token-group", metavar="GROUP", help="Let this group read the token files (0640), by name or number.")
@click.option("--only", is_flag=True, help="Give out the sessions of PROFILEs and nothing else.")
@click.option("--yes", is_flag=True, help="With install or uninstall: do not ask.")
def agent(
    profiles: tuple[str, ...],
    port: int,
    listen: str | None,
    token_dir: Path | None,
    token_group: str | None,
    only: bool,
    yes: bool,
) -> int:
    """Keep PROFILEs fresh ahead of need, and every other profile that is asked for.

    `unexpire run`, `credential-process` and `status` use it where it runs. `unexpire agent install PROFILE...` shows and then writes
    the systemd unit or launchd list that starts it with your session.
    """
    from ..delivery.agent_access import Access
    from ..settings.environment import Environment

    environment = Environment.current()
    if only and not [name for name in profiles if name != "install"]:
        raise click.UsageError("--only needs the PROFILEs that are to be given out")
    access = Access(port, listen, token_dir, token_group, only)
    if profiles[:1] == ("install",):
        return _install(environment, profiles[1:], access, yes=yes)
    if profiles[:1] == ("uninstall",):
        return _uninstall(environment, yes=yes)
    if os.name == "nt":
        raise ConfigurationError(
            "the agent needs Unix sockets, which Windows' Python does not have", hint="unexpire run"
        )
    for profile in profiles:
        environment.settings().profile(profile)
    return _serve(environment, profiles, access)


def _serve(environment: Environment, profiles: tuple[str, ...], access: Access) -> int:
    import asyncio

    from ..delivery.agent import Agent
    from ..delivery.sidecar import raise_descriptor_limit
    from .ask import tell

    raise_descriptor_limit()

    async def main() -> None:
        agent = Agent(environment, profiles, access=access, say=tell)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, and `&` of a script: it is to outlive these
                loop.add_signal_handler(number, agent.stop)
        await agent.serve()

    asyncio.run(main())
    os._exit(0)  # at once: a call to AWS that hangs in its thread is nothing to wait for


def _install(environment: Environment, profiles: tuple[str, ...], access: Access, *, yes: bool) -> int:
    from ..delivery.agent_install import service_for
    from ..stores import atomic

    for profile in profiles:
        environment.settings().profile(profile)
    service = service_for(environment, profiles, options=access.words())
    click.echo(f"{service.path}:\n\n{service.text}")
    if not yes and not click.confirm("write it?", err=True):
        return 1
    atomic.replace(service.path, service.text, mode=0o644)
    click.echo("written; start it with:")
    for line in service.start:
        click.echo(f"  {line}")
    return 0


def _uninstall(environment: Environment, *, yes: bool) -> int:
    from ..delivery.agent_install import service_for
    from ..stores import atomic

    service = service_for(environment, ())
    if not service.path.exists():
        click.echo(f"{service.path} is not there")
        return 0
    click.echo("first:")
    for line in service.remove:
        click.echo(f"  {line}")
    if yes or click.confirm(f"remove {service.path}?", err=True):
        atomic.remove(service.path)
    return 0
