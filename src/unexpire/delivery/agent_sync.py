"""Copies of sessions in the credentials file that the agent keeps fresh, for programs that read nothing else.

Which ones is kept beside the agent's secret, so that a restart goes on with them; `unexpire sync … --to …` adds to it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

from ..credentials import Credentials
from ..errors import ConfigurationError, UnexpireError
from ..freshness import DEFAULT_POLICY, Freshness
from ..settings.environment import Clock, Environment
from ..stores import atomic, credentials_file
from .sync import sync_target

__all__ = ["Copies"]

Pair = tuple[str, str]
"""The profile that a session comes from, and the one whose section it is written to."""


class Copies:
    """`environment` gives the settings as they are now. Not for more than one thread at a time."""

    def __init__(self, file: Path | None, environment: Callable[[], Environment], clock: Clock) -> None:
        self._file, self._environment, self._clock = file, environment, clock
        self._written: dict[Pair, str] = {}
        self.pairs: set[Pair] = self._load()
        self.problems: dict[Pair, str] = {}

    def add(self, profile: str, to: str) -> None:
        """Keep it from now on. Raises ConfigurationError where keys in that section would never be read."""
        sync_target(self._environment(), profile, to)
        self.pairs.add((profile, to))
        self._save()

    def remove(self, to: str) -> bool:
        """Write that section no longer; what stands there stays until it ends."""
        gone = {pair for pair in self.pairs if pair[1] == to}
        for pair in gone:
            self._written.pop(pair, None)
            self.problems.pop(pair, None)
        self.pairs -= gone
        self._save()
        return bool(gone)

    def write(self, held: Iterable[tuple[str, Credentials]]) -> None:
        """Bring every section up to date with what is held for its profile. What fails is a problem, and tried again."""
        now = self._clock()
        for profile, credentials in held:
            if DEFAULT_POLICY.freshness(credentials, now) is Freshness.EXPIRED:
                continue
            for pair in [pair for pair in self.pairs if pair[0] == profile]:
                if self._written.get(pair) == credentials.access_key_id:
                    continue
                try:
                    target = sync_target(self._environment(), *pair)
                    # no backup: the command that asked for the copy made one, of what the user had written
                    credentials_file.write_session(target.path, target.profile, credentials, backup=False)
                except UnexpireError as error:
                    self.problems[pair] = str(error)
                else:
                    self._written[pair] = credentials.access_key_id
                    self.problems.pop(pair, None)

    def _load(self) -> set[Pair]:
        if self._file is None:
            return set()
        with contextlib.suppress(OSError, ValueError, TypeError):
            return {(str(profile), str(to)) for profile, to in json.loads(self._file.read_text())}
        return set()

    def _save(self) -> None:
        if self._file is None:
            raise ConfigurationError("there is no home to note in what is to be kept", where="HOME")
        atomic.replace(self._file, json.dumps(sorted(self.pairs)), mode=0o600)
