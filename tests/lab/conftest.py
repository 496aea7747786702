from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from unexpire.lab import Lab


@pytest.fixture(autouse=True)
def no_aws_of_the_developer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever is configured on the machine that runs the tests stays out of them."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running
