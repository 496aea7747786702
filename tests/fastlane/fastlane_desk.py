"""A home against a lab, and unexpire as other programs call it: a process."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from unexpire.credentials import Credentials
from unexpire.lab import Lab
from unexpire.providers.resolve import provider_for
from unexpire.settings.environment import Environment
from unexpire.stores import session_files
from unexpire.stores.session_cache import SessionCache

T = TypeVar("T")

COMMAND = (sys.executable, "-m", "unexpire")


@dataclass
class Desk:
    """One user's home against a lab, and that user's terminal."""

    lab: Lab
    home: Path
    environment: dict[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # no terminal, whatever the tests were started from
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=100)
        self.shows_no_secret(err)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def shows_no_secret(self, text: str) -> None:
        assert not [secret for secret in self.lab.secrets() if secret in text]

    def waits_out(self, seconds: float) -> None:
        """The user's setting of how long an outage is waited out."""
        folder = self.home / ".config" / "unexpire"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(f"outage-wait = {seconds}\n")

    def assumed(self) -> int:
        return self.lab.count(operation="AssumeRole")

    @property
    def cache(self) -> SessionCache:
        return SessionCache(Path(session_files.folder(self.environment, str(self.home)) or ""))

    @property
    def config(self) -> Path:
        return self.home / ".aws" / "config"

    def lane_of(self, *arguments: str) -> Path:
        key = session_files.key_of(arguments, self.environment)
        return self.cache.lanes / session_files.name_of(key)


def seed(
    desk: Desk,
    *,
    lived: float,
    left: float,
    profile: str = "role",
    arguments: tuple[str, ...] = ("--profile", "role"),
) -> Credentials:
    """A session of `profile` in the cache that the lane of `arguments` leads to, `lived` seconds old with `left` to go."""
    now = datetime.now(UTC)
    credentials = Credentials(
        "ASIASEEDEDSEEDEDSEED", "s" * 40, "t" * 300, now + timedelta(seconds=left), now - timedelta(seconds=lived)
    )
    identity = provider_for(Environment.of(desk.environment), profile=profile).identity
    desk.cache.save(identity, credentials)
    states = [
        (str(path), session_files.state_of(str(path))) for path in (desk.config, desk.home / ".aws" / "credentials")
    ]
    desk.cache.publish(session_files.key_of(arguments, desk.environment), identity, profile, states)
    return credentials


def eventually(look: Callable[[], T], within_s: float = 60) -> T:
    """What `look` finds, as soon as it finds something: for what another process does in its own time."""
    end = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.2)
    return found
