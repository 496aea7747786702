"""An agent as its clients see it: a real process in a home of its own, its socket and what it said."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from unexpire.delivery import agent_protocol
from unexpire.lab import Lab
from unexpire.providers.resolve import provider_for
from unexpire.settings.environment import Environment
from unexpire.stores import session_files
from unexpire.stores.session_cache import SessionCache


def eventually(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.03)


class Running:
    """An agent of a test's own, in a home of its own."""

    log: int | None = None
    """A descriptor that it writes to in place of a file."""

    def __init__(self, lab: Lab, home: Path, *words: str, **more: str) -> None:
        self.lab, self.home = lab, home
        (home / "r").mkdir(exist_ok=True)
        self.variables = lab.make_home(home) | {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(home / "r"), **more}
        self.start(*words)

    def start(self, *words: str, under: Sequence[str] = ()) -> None:
        line = [*under, sys.executable, "-m", "unexpire", "agent", *words]
        with (self.home / "agent.log").open("ab") as file:
            log = file.fileno() if self.log is None else self.log
            self.process = subprocess.Popen(line, env=self.variables, stdout=log, stderr=log)
        assert eventually(lambda: self.ask(op="ping") or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()

    def said(self) -> str:
        return (self.home / "agent.log").read_text()

    @property
    def path(self) -> str:
        path = agent_protocol.socket_path(self.variables)
        assert path
        return path

    def ask(self, **request: Any) -> tuple[int, dict[str, Any]] | None:
        return agent_protocol.ask(self.path, request)

    def identity(self, profile: str) -> str:
        return provider_for(Environment.of(self.variables), profile=profile).identity

    def credentials(self, profile: str) -> tuple[int, dict[str, Any]]:
        answer = self.ask(op="credentials", profile=profile, role=None, identity=self.identity(profile))
        assert answer
        return answer

    def status(self, name: str) -> dict[str, Any]:
        answer = self.ask(op="status")
        assert answer
        return next((each for each in answer[1]["identities"] if each["name"] == name), {})

    def empty_the_cache(self) -> int:
        """Remove the sessions that are kept in files, so that only the agent has any; how many there were."""
        return SessionCache(Path(session_files.folder(self.variables, str(self.home)) or "")).forget_all()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)

    def unexpire(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "unexpire", *words]
        return subprocess.run(line, env={**self.variables, **more}, capture_output=True, text=True, timeout=60)
