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
    """Remove the session of PROFILE (or of a role's name) from unexpire's cache, or all of them.

    AWS keeps accepting a session until it ends, wherever a copy of it is: this only makes the next program fetch a new one.
    """
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
    click.echo(f"forgot {count} session{'' if count == 1 else 's'}" if count else "nothing was kept")
    return 0
