"""docs/cli.md says what the program does: every exit code, every finding, every field of the report."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from unexpire.diagnosis.gather import gather
from unexpire.diagnosis.judge import judge
from unexpire.findings import CODES, Exit
from unexpire.settings.environment import Environment

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


@pytest.fixture(scope="module")
def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_every_finding_with_its_exit_code_and_meaning(text: str) -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (\d+) \| (\w+) \| (.*) \|$", text, re.MULTILINE)
    assert rows == [(code, str(int(v.exit)), v.severity.value, v.meaning) for code, v in CODES.items()]


def test_every_exit_code(text: str) -> None:
    told = {int(number) for number in re.findall(r"^\| (\d+) \| [\w ]+ \|", text, re.MULTILINE)}
    assert told == {int(code) for code in Exit}


def test_every_field_of_the_report(text: str, tmp_path: Path) -> None:
    here = Environment.of({"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}, cwd=tmp_path)
    report = judge(gather(here, online=False)).as_json()
    assert [field for field in report if f"`{field}`" not in text] == []
    for part in ("identity", "forecast", "environment"):
        assert [field for field in report[part] if f"`{field}`" not in text] == []
