"""What is said of a client that cannot be installed, and when the page of the table is left alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ASK = """
import os, pathlib, sys, install
folder = pathlib.Path(sys.argv[1])
(folder / "reason").write_text(install.install(folder, "", {"node"}).missing("node") or "")
os._exit(0)  # its threads may still be printing
"""
NPM = """#!/bin/sh
echo 'npm error code E404
npm error 404 Not Found
npm error A complete log of this run can be found in: /nowhere' >&2
exit 3
"""


def _program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="its programs are shell scripts")
@pytest.mark.parametrize(
    ("npm", "reason"),
    [
        (NPM, "node could not be installed: npm ended with exit code 3: npm error code E404"),
        ("#!/bin/sh\nexit 4\n", "node could not be installed: npm ended with exit code 4, without a word"),
        (None, "npm is not here"),
    ],
)
def test_the_reason_for_skipping_is_a_sentence(tmp_path: Path, npm: str | None, reason: str) -> None:
    (tmp_path / "bin").mkdir()
    if npm is not None:
        _program(tmp_path / "bin", "npm", npm)
    words = [sys.executable, "-c", ASK, str(tmp_path)]
    subprocess.run(words, cwd=HERE, env={"PATH": str(tmp_path / "bin")}, check=True, timeout=60)
    assert (tmp_path / "reason").read_text() == reason


@pytest.mark.skipif(sys.platform == "win32", reason="the labs of the cases need a POSIX shell")
def test_a_page_keeps_its_table_where_a_case_was_skipped(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- table -->\nold\n<!-- end of table -->\n")
    (tmp_path / "bin").mkdir()
    words = [sys.executable, str(HERE / "run.py"), "--only", "JavaScript", "--door", "endpoint", "--live"]
    done = subprocess.run(
        [*words, "--folder", str(tmp_path / "build"), "--report", str(page), "--unexpire", "none"],
        env={"PATH": str(tmp_path / "bin")}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "| skipped: npm is not here |" in (tmp_path / "build" / "table.md").read_text(), done.stderr
    assert f"{page} is left as it is: not every case could be run" in done.stdout
    assert page.read_text() == "<!-- table -->\nold\n<!-- end of table -->\n"
    assert done.returncode == 1, "nothing was run, which proves nothing"
