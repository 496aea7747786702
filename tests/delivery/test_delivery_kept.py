"""What an agent of many profiles reads: the settings once, and again when they change."""

from __future__ import annotations

from pathlib import Path

import pytest

from unexpire.delivery.kept import Asked, Snapshots
from unexpire.settings.environment import Environment
from unexpire.settings.files import AwsFile
from unexpire.settings.profile import Settings

CONFIG = "[profile {0}]\nrole_arn = arn:aws:iam::111122223333:role/{0}\nsource_profile = keys\n"


def test_many_profiles_are_parsed_once_and_again_when_a_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / ".aws" / "config"
    config.parent.mkdir()
    keys = "[profile keys]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = not-a-secret\n"
    config.write_text(keys + "".join(CONFIG.format(f"r{number}") for number in range(200)))
    parsed: list[AwsFile] = []
    really = Settings.of

    def of(config: AwsFile, credentials: AwsFile) -> Settings:
        parsed.append(config)
        return really(config, credentials)

    monkeypatch.setattr(Settings, "of", of)
    snapshots = Snapshots(Environment.of({"HOME": str(tmp_path)}))
    identities = {Asked(f"r{number}").resolve(snapshots.environment()).identity for number in range(200)}
    assert len(identities) == 200
    assert len(parsed) == 1

    config.write_text(config.read_text() + CONFIG.format("one-more"))
    assert snapshots.changed()
    assert Asked("one-more").resolve(snapshots.environment()).identity not in identities
    assert len(parsed) == 2
