"""The lab of these tests, and a desk at it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastlane_desk import Desk

from unexpire.lab import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


@pytest.fixture
def desk(lab: Lab, tmp_path: Path) -> Iterator[Desk]:
    environment = lab.make_home(tmp_path)
    environment["PATH"] = os.environ["PATH"]
    for name in ("SYSTEMROOT", "TMPDIR", "LANG"):
        if name in os.environ:
            environment[name] = os.environ[name]
    lab.reset_counts()
    yield Desk(lab, tmp_path, environment)
    lab.clear_outages()
