"""``unexpire explain``: what an AWS credential error means, from its name, a text, a log or a presigned URL; offline.

Exit codes: 0, explained. 1, the text shows no AWS credential, signature, clock or token error, or the name is not known.
2, used in a way that cannot be answered.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..reference import page as pages
from ..reference.match import Match, as_of, match_text

if TYPE_CHECKING:
    from ..reference.models import AwsError

__all__ = ["explain"]

SCHEMA = 1
_NAME_LENGTH = 80
_TOPIC_WORDS = 4


@click.command("explain")
@click.argument("what", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--jsonl", is_flag=True, help='Read rows {"id", "text"}, print rows {"id", "code", "causes", …}.')
def explain(what: tuple[str, ...], as_json: bool, jsonl: bool) -> int:
    """Explain an AWS credential error.

    WHAT is the name of an error, its text as any tool printed it, a file or - with a log that holds it, or a presigned URL. A name
    wins over a file of that name: write ./FILE. On a terminal a page goes through $PAGER, or less; PAGER=cat prints it.
    """
    given = " ".join(what).strip()
    if not what and sys.stdin.isatty():
        raise click.UsageError("nothing to explain: give an error's name, its text, a file, or - and a pipe")
    if jsonl:
        return _rows(given or "-")
    if _is_name(given) and not os.path.exists(given if os.sep in given else os.path.join(".", given)):
        return _by_name(given, as_json)
    if _is_name(given) and pages.find(given) is not None:
        return _by_name(given, as_json)
    if given in ("", "-"):
        from .streams import matches_in

        return _text(matches_in(sys.stdin.buffer), as_json, "stdin")
    if len(what) == 1 and len(given) < 4096 and "\n" not in given and os.path.isfile(given):
        from .streams import matches_in

        try:
            with open(given, "rb") as file:
                found = matches_in(file)
        except OSError as error:
            raise click.UsageError(f"{given}: {error.strerror}") from error
        return _text(found, as_json, given)
    matches = match_text(given)
    if not matches and _seems_a_path(given):
        raise click.UsageError(f"{given}: {'this is a directory' if os.path.isdir(given) else 'there is no such file'}")
    if not matches and _is_topic(given):
        return _by_name(given, as_json)
    return _text(matches, as_json, "text", given)


def _seems_a_path(given: str) -> bool:
    """What somebody meant for a file, though there is none to read: `/var/log/app.log`, `build.txt`, `~/out`."""
    if any(sign.isspace() for sign in given) or "://" in given or len(given) > 4096:
        return False
    return (
        os.path.isdir(given) or given.startswith(("/", "./", "../", "~/")) or given.endswith((".log", ".txt", ".out"))
    )


def _is_topic(given: str) -> bool:
    """A few words that are no error of any tool: `role chaining`."""
    return len(given) <= _NAME_LENGTH and "\n" not in given and len(given.split()) <= _TOPIC_WORDS


def _is_name(given: str) -> bool:
    """One word, or a spelling such as `400 Bad Request`."""
    if not given or given == "-" or len(given) > _NAME_LENGTH:
        return False
    return (not any(sign in given for sign in " \n:/{<")) or pages.find(given) is not None


def _by_name(name: str, as_json: bool) -> int:
    found = pages.find(name)
    if found is not None:
        shown = pages.load(found)
        if as_json:
            _print_json(_report("name", page=_page_json(shown)))
        else:
            _print_page(shown)
        return 0
    from .explain_text import aws_lines

    error, known = (None, ()) if " " in name else _aws(name)
    if error is not None:
        if as_json:
            _print_json(_report("name", aws=error))
        else:
            _print(aws_lines(error))
        return 0
    nearest, about = _meant(name, known)
    if as_json:
        _print_json(_report("name", nearest=tuple(dict.fromkeys((*nearest, *about)))))
    else:
        _say_unknown(name, nearest, about)
    return 1


def _meant(name: str, codes: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, str]]:
    """(names that it may have been meant for, other pages about it with their titles); AWS's `codes` where no page is near."""
    from ..reference import near

    known = pages.index()
    close: dict[str, str] = {}
    if " " not in name:
        for written in near.nearest(name, [entry[1] for entry in known.values()], most=9):
            close.setdefault(known[pages.key(written)][0], written)
    about = near.named_in(name, known) or near.on_topic(name, known, pages.read)
    if not close and not about:
        about = near.on_topic(near.respelt(name, known), known, pages.read)
    close = dict(list(close.items())[:3])
    meant = tuple(close.values())
    longer = f"{name.lower()}exception"
    meant += tuple(code for code in codes if code.lower() == longer)
    if not meant and not about:
        meant = near.nearest(name, codes)
    return meant, {page: title for page, title in about.items() if page not in close}


def _text(matches: list[Match], as_json: bool, source: str, text: str = "") -> int:
    """Print what a text shows; 1 where it is none of ours. `text` is it, where it came as an argument."""
    now = datetime.now(UTC)
    matches = [as_of(match, now) for match in matches]
    from .explain_text import match_lines, other_lines

    named: dict[str, str] = {}
    if not matches:
        from ..reference.near import named_in

        named = named_in(text, pages.index())
    ours = [match for match in matches if match.aws_auth]
    other = matches[0] if matches and not ours else None
    error = _aws(other.code)[0] if other is not None and other.code_printed and other.page is None else None
    if as_json:
        _print_json(_report("text", matches=matches, aws=error, nearest=tuple(named)))
    elif ours:
        _print(match_lines(ours, now, log=source not in ("text",)))
    else:
        _print(other_lines(other, error, named))
    return 0 if ours else 1


def _rows(source: str) -> int:
    """The rows that `--jsonl` promises: one answer a row, in order; a row that is no JSON ends the command."""
    nothing: dict[str, Any] = {"aws_auth": False, "code": None, "causes": [], "expiry_related": False}
    for number, line in enumerate(_lines(source), 1):
        if line.strip():
            try:
                row = json.loads(line)
                name, matches = row["id"], match_text(row["text"])
            except (ValueError, KeyError, TypeError) as error:
                raise click.UsageError(f'line {number} is no row {{"id": …, "text": …}}') from error
            print(json.dumps({"id": name, **(matches[0].row() if matches else nothing)}))
    return 0


def _lines(source: str) -> Iterator[bytes]:
    try:
        if source == "-":
            yield from sys.stdin.buffer
        else:
            with open(source, "rb") as file:
                yield from file
    except OSError as error:
        raise click.UsageError(f"{source}: {error.strerror}") from error


def _aws(name: str | None) -> tuple[AwsError | None, tuple[str, ...]]:
    """AWS's own words for a code, and every code that it has where this is none."""
    from ..reference import models

    found, number = models.index(load=_load, save=_save)
    error = models.look_up(name or "", found, number)
    return error, () if error is not None else models.codes(found)


def _cache(name: str) -> Path | None:
    from ..stores.session_files import folder

    where = folder(os.environ)
    return Path(where) / name if where else None


def _load(name: str) -> bytes | None:
    path = _cache(name)
    try:
        return path.read_bytes() if path else None
    except OSError:
        return None


def _save(name: str, data: bytes) -> None:
    from ..errors import StoreError
    from ..stores import atomic

    path = _cache(name)
    if path is not None:
        with contextlib.suppress(StoreError):  # a read-only home only costs the next look-up its second
            atomic.replace(path, data)


def _report(kind: str, **found: Any) -> dict[str, Any]:
    error: AwsError | None = found.get("aws")
    matches: list[Match] = found.get("matches", [])
    explained = "page" in found or error is not None if kind == "name" else any(match.aws_auth for match in matches)
    return {
        "schema": SCHEMA,
        "kind": kind,
        "explained": explained,
        "matches": [_match_json(match) for match in matches],
        "page": found.get("page"),
        "aws": error.as_json() if error else None,
        "nearest": list(found.get("nearest", ())),
    }


def _match_json(match: Match) -> dict[str, Any]:
    """A match with what its causes are and how to tell them, as the terminal shows it."""
    from ..reference.told import told

    shown = match.as_json()
    page = pages.load(match.page) if match.page else None
    for cause, (title, tell) in zip(shown["causes"], told([c.label for c in match.causes], page), strict=True):
        cause["title"] = title
        cause["tell"] = tell
    return shown


def _page_json(shown: pages.Page) -> dict[str, Any]:
    return {
        "name": shown.name,
        "title": shown.title,
        "code": shown.code,
        "names": list(shown.names),
        "renewing": shown.renewing,
        "renewing_why": shown.renewing_why,
        "services": [{"name": s.name, "statuses": list(s.statuses), "message": s.message} for s in shown.services],
        "causes": list(shown.causes_ranked),
        "related": list(shown.related),
        "sections": dict(shown.sections),
    }


def _print_json(report: dict[str, Any]) -> None:
    click.echo(json.dumps(report, indent=2, ensure_ascii=False))


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _print_page(shown: pages.Page) -> None:
    from .page_text import page_lines

    if sys.stdout.isatty():
        from .page_paint import columns, paint

        # As git has it: what fits on the screen is printed, colours pass, and the page stays there when less has gone.
        os.environ.setdefault("LESS", "FRX")
        coloured = click.get_current_context().color is not False
        click.echo_via_pager((f"{line}\n" for line in page_lines(shown, columns(), paint)), color=coloured)
    else:
        _print(page_lines(shown))


def _say_unknown(name: str, nearest: tuple[str, ...], about: dict[str, str]) -> None:
    click.echo(f"unexpire: no AWS error is called {name!r}, as far as this machine knows", err=True)
    if nearest:
        click.echo(f"  did you mean {', '.join(nearest)}?", err=True)
    if about:
        click.echo("  about it:", err=True)
        width = max(map(len, about))
        for page, title in about.items():
            click.echo(f"    unexpire explain {page:<{width}}  {title}", err=True)
    if not nearest and not about:
        click.echo("  try the whole line that the tool printed, or a log: unexpire explain FILE", err=True)
