"""The user's own settings of unexpire: a small TOML file that need not exist.

::

    # ~/.config/unexpire/config.toml
    cache = "file"              # where temporary sessions are kept: file (default), keyring, memory
    on-expiring = "notify-send 'AWS session of %s ends soon'"
    outage-wait = 15            # seconds that a start without any usable session waits out an outage; 0 to 45
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from ..errors import ConfigurationError
from .environment import Environment, unreadable
from .files import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Cache", "Preferences", "preferences", "preferences_path"]

Cache = Literal["file", "keyring", "memory"]
_KEYS = ("cache", "on-expiring", "outage-wait")
_OUTAGE_WAIT_S = 15
_LONGEST_OUTAGE_WAIT_S = 45
"""The Go SDK ends a credential process after a minute (aws-sdk-go-v2, credentials/processcreds/provider.go, `DefaultTimeout`)."""
_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the file says. `on_expiring` is a command line, which may hold secrets. `problems` are keys that mean nothing here."""

    cache: Cache = "file"
    on_expiring: str | None = field(default=None, repr=False)
    outage_wait: timedelta = timedelta(seconds=_OUTAGE_WAIT_S)
    path: Path | None = None
    problems: tuple[Problem, ...] = ()


def preferences_path(environment: Environment) -> Path | None:
    """UNEXPIRE_CONFIG, else ``$XDG_CONFIG_HOME/unexpire/config.toml``, else ``~/.config/…``; None without a home.

    As the XDG Base Directory Specification has it, an empty or relative XDG_CONFIG_HOME does not count.
    """
    named = environment.variables.get("UNEXPIRE_CONFIG")
    if named:
        return environment.expand(named)
    base = environment.variables.get("XDG_CONFIG_HOME", "")
    if base and Path(base).is_absolute():
        return Path(base) / "unexpire" / "config.toml"
    return environment.home / ".config" / "unexpire" / "config.toml" if environment.home is not None else None


def preferences(environment: Environment) -> Preferences:
    """Read the user's settings; the defaults where there is no file.

    Raises ConfigurationError, with file:line, for a file that cannot be read or is no TOML, for a known key with a value it cannot
    have, and for a file that UNEXPIRE_CONFIG names and that is not there. A key that is not known is a problem, not an error, so
    that a newer version's file does not stop an older one.
    """
    path = preferences_path(environment)
    if path is None:
        return Preferences()
    try:
        text = environment.read_bytes(path, limit=_LIMIT).decode()
    except (FileNotFoundError, NotADirectoryError) as error:
        if environment.variables.get("UNEXPIRE_CONFIG"):
            message = "the file that UNEXPIRE_CONFIG names does not exist"
            where, hint = str(environment.origin_of(path)), "unset UNEXPIRE_CONFIG"
            raise ConfigurationError(message, where=where, hint=hint) from error
        return Preferences()
    except OSError as error:
        raise unreadable("unexpire's settings file", error, environment.origin_of(path)) from error
    except UnicodeDecodeError as error:
        where = str(environment.origin_of(path))
        raise ConfigurationError("unexpire's settings file is not UTF-8", where=where, hint=f"file {where}") from error
    return _Reader(environment, path, text).preferences()


class _Reader:
    def __init__(self, environment: Environment, path: Path, text: str) -> None:
        self._environment, self._path, self._text = environment, path, text

    def preferences(self) -> Preferences:
        document = self._parse()
        problems = tuple(self._unknown(key) for key in document if key not in _KEYS)
        cache = document.get("cache", "file")
        if cache not in get_args(Cache):
            raise self._wrong("cache", " or ".join(f'"{each}"' for each in get_args(Cache)))
        command = document.get("on-expiring")
        if command is not None and not isinstance(command, str):
            raise self._wrong("on-expiring", "a command line in quotes")
        wait = document.get("outage-wait", _OUTAGE_WAIT_S)
        if isinstance(wait, bool) or not isinstance(wait, int | float) or not 0 <= wait <= _LONGEST_OUTAGE_WAIT_S:
            raise self._wrong("outage-wait", f"a number of seconds from 0 to {_LONGEST_OUTAGE_WAIT_S}")
        return Preferences(cast(Cache, cache), command or None, timedelta(seconds=wait), self._path, problems)

    def _parse(self) -> Mapping[str, object]:
        import tomllib

        try:
            return tomllib.loads(self._text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            found = re.search(r"\(at line (\d+), column \d+\)", str(error))
            line = int(found[1]) if found else self._text.count("\n") + 1
            where = str(self._environment.origin_of(self._path, line))
            message = "unexpire's settings file is not TOML"
            raise ConfigurationError(message, where=where, hint='write key = "value"') from error

    def _line(self, key: str) -> int:
        found = re.search(rf"(?m)^\s*[\"'\[]*{re.escape(key)}\b", self._text)
        return self._text.count("\n", 0, found.end()) + 1 if found else 1

    def _wrong(self, key: str, right: str) -> ConfigurationError:
        where = str(self._environment.origin_of(self._path, self._line(key)))
        return ConfigurationError(f"{key} has a value that it cannot have", where=where, hint=f"{key} = {right}")

    def _unknown(self, key: str) -> Problem:
        near = difflib.get_close_matches(key, _KEYS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(_KEYS)}"
        origin = self._environment.origin_of(self._path, self._line(key))
        return Problem(f"unexpire knows no setting {key[:40]!r}", origin, hint, fatal=False)
