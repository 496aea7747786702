"""``unexpire prompt``, the long way: once after a change of the AWS files, so that the fast lane can answer from then on."""

from __future__ import annotations

import contextlib
import os
import sys

import click

from ..errors import UnexpireError

__all__ = ["prompt"]


@click.command()
@click.option("--profile", metavar="NAME", help="The profile to show; by default the one that the environment chooses.")
@click.option(
    "--color", type=click.Choice(["ansi", "bash", "zsh"]), help="Colour, with the marks that this shell's prompt needs."
)
def prompt(profile: str | None, color: str | None) -> int:
    """Print what is left of a profile's session, for a shell's prompt: prod 42m.

    Nothing where unexpire keeps no session for it. In bash: PS1='$(unexpire prompt) \\w \\$ '; in starship, a custom module
    with this command.
    """
    from ..delivery import fast_lane
    from ..delivery.process import label_of
    from ..delivery.sessions import follow_login, session_store, watched
    from ..providers.resolve import provider_for
    from ..settings.environment import Environment
    from ..stores import session_files

    environment = Environment.current()
    states = watched(environment)
    label = label_of(environment, profile, None)
    identity = None
    # A prompt is no place for an error: whoever uses the profile is told.
    with contextlib.suppress(UnexpireError, UnicodeError):  # UnicodeError: a name that this locale cannot write
        store = session_store(environment)
        with contextlib.suppress(UnexpireError):
            provider = provider_for(environment, profile=profile)
            states += follow_login(environment, store, provider, profile)
            identity = provider.identity
        key = session_files.key_of(["--profile", profile] if profile else [], os.environ)
        store.publish(key, identity, label, states)
        sys.stdout.flush()
        fast_lane.prompt([*(["--profile", profile] if profile else []), *(["--color", color] if color else [])])
    return 0
