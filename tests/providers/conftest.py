from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from provider_kinds import POISON, Place, place

from unexpire.lab import Lab


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A home with a profile of every kind, while everything that this process's own environment says is wrong."""
    home = tmp_path / "home"
    home.mkdir()
    with Lab() as lab:
        made = place(lab, home)
        for name, value in POISON.items():
            monkeypatch.setenv(name, value)
        yield made
