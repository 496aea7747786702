"""``unexpire reference build``: the pages of `explain` as a web site."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..errors import ConfigurationError, StoreError

__all__ = ["reference"]

_MANIFEST = "unexpire-reference.json"


@click.group()
def reference() -> None:
    """The reference of AWS credential errors, as a web site."""


@reference.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
def build(folder: Path) -> int:
    """Write the reference as a web site into DIR.

    It needs no server and asks nobody for anything: open DIR/index.html, or put DIR anywhere on one. Building again replaces what was
    built before, and nothing else.
    """
    from ..reference.site import files

    made = files()
    before = _built_before(folder)
    try:
        for path, content in made.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content())
        for path in before - set(made):
            (folder / path).unlink(missing_ok=True)
        (folder / _MANIFEST).write_text(json.dumps(sorted(made), indent=0) + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"cannot write the site: {(error.strerror or str(error)).lower()}", where=str(folder)
        ) from error
    click.echo(f"{len(made)} files: {folder / 'index.html'}")
    return 0


def _built_before(folder: Path) -> set[str]:
    """What an earlier build left there. Raises ConfigurationError for a folder that holds something else."""
    try:
        listed = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        return {
            path
            for path in listed
            if isinstance(path, str) and ".." not in Path(path).parts and not Path(path).is_absolute()
        }
    except (OSError, ValueError):
        pass
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigurationError(
            f"{folder} holds files that are not an earlier build of the site",
            where=str(folder),
            hint="unexpire reference build SOME-NEW-FOLDER",
        )
    return set()
