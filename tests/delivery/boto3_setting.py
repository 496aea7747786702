"""What the tests of Python sessions share: a lab, a home with its profiles, and this process's environment set to both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from unexpire.lab import Lab


class Clock:
    """The time of the lab and of the session under test, moved by hand."""

    def __init__(self) -> None:
        self.offset = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def advance(self, **by: float) -> None:
        self.offset += timedelta(**by)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def running_lab(clock: Clock) -> Iterator[Lab]:
    with Lab(clock=clock) as lab:
        yield lab


@pytest.fixture
def home(running_lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a profile of every kind; this process's variables lead there, and nowhere else."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in running_lab.make_home(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("UNEXPIRE_CACHE_DIR", str(tmp_path / "unexpire-cache"))
    # Sources that nobody asked for must not step in where the one under test has nothing.
    for name in ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def lab(running_lab: Lab, home: Path) -> Iterator[Lab]:
    running_lab.reset_counts()
    yield running_lab
    running_lab.clear_outages()


def renewals(lab: Lab) -> int:
    """How often somebody got a session from the lab."""
    return lab.count("sts", "AssumeRole", outcome="ok")


def write_static(home: Path, profile: str, **keys: str | None) -> None:
    """Rewrite the credentials file as a sync tool does: one profile, all at once."""
    lines = [f"[{profile}]", *(f"{name} = {value}" for name, value in keys.items() if value is not None)]
    (home / ".aws" / "credentials").write_text("\n".join(lines) + "\n")
