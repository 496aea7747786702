"""``unexpire forget``: remove sessions from the cache."""

from __future__ import annotations

import contextlib

import click

from ..errors import UnexpireError

__all__ = ["forget"]


@click.command()
@click.argument("profile", required=False)
@click.option("--all", "everything", is_flag=True, help="Every session that unexpire keeps.")
def forget(profile: str | None, everything: bool) -> int:
    """Remove the session of PROFILE (or of a role's name) from unexpire's cache, or all of them. An agent fetches its own anew.

    AWS keeps accepting a session until it ends, wherever a copy of it is: this only makes the next program fetch a new one.
    """
    from ..delivery import agent_protocol
    from ..delivery.sessions import session_store
    from ..settings.environment import Environment

    if everything == (profile is not None):
        raise click.UsageError("say which: unexpire forget PROFILE, or unexpire forget --all")
    environment = Environment.current()
    store = session_store(environment)
    if profile is None:
        count = store.forget_all()
    else:
        count = 0
        # A profile that is gone or broken has an old session all the same, which its label finds.
        with contextlib.suppress(UnexpireError):
            from ..providers.resolve import provider_for

            count += store.forget_name(store.name_of(provider_for(environment, profile=profile).identity))
        count += store.forget_label(profile)
    # after the files, in which it would find the old one again
    home = str(environment.home) if environment.home is not None else None
    path = agent_protocol.socket_path(environment.variables, home)
    answer = agent_protocol.ask(path, {"op": "forget", "profile": profile})
    again = answer[1].get("forgotten", 0) if answer is not None and answer[0] == 200 else 0
    if count or not again:
        click.echo(f"forgot {_sessions(count)}" if count else "nothing was kept")
    if again:
        click.echo(f"the agent fetches {_sessions(again)} anew")
    elif answer is not None and answer[0] == 403:
        click.echo(f"the agent keeps what it holds: {answer[1].get('message')}", err=True)
    return 0


def _sessions(count: int) -> str:
    return f"{count} session{'' if count == 1 else 's'}"
