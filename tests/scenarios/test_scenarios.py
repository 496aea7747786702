"""Broken and healthy set-ups as data: each goes through the real command and the lab, and the named root cause must be right.

A scenario (tests/scenarios/*.toml, `[[scenario]]`) is a stage (scenario_stage.py), and besides:

name        what is wrong, or not
ask         arguments of `unexpire diagnose`; `stdin` what is piped into it
needs       "awscrt", "linux": what it cannot be played without
slow        the human output is not looked at as well: the command takes seconds
expect      root_cause ("" for a healthy set-up), exit, verdict; `also`: findings that must be there, `never`: that must not;
            `says`, `says_not`: words of the human output, however it is wrapped
error       what stands in stderr, where the command ends before it can diagnose

Each is diagnosed twice: as JSON by the command in a process of its own, and for people in this process, which saves its start.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from scenario_stage import Stage, run_command, run_here, scenarios

from unexpire.findings import CODES
from unexpire.lab import Lab

SCENARIOS = scenarios(Path(__file__).parent)
_FINE = ("works", "expiring", "unknown")


@pytest.mark.parametrize("scenario", [pytest.param(s, id=f"{file}: {s['name']}") for file, s in SCENARIOS])
def test_scenario(scenario: dict[str, Any], tmp_path: Path) -> None:
    if scenario.get("needs") == "awscrt" and not importlib.util.find_spec("awscrt"):
        pytest.skip("awscrt is not installed")
    if scenario.get("needs") == "linux" and sys.platform != "linux":
        pytest.skip("only Linux tells")
    with Lab() as lab:
        stage = Stage(lab, tmp_path, scenario)
        asked = [stage.fill(item) for item in scenario.get("ask", [])]
        stdin = stage.fill(scenario.get("stdin", ""))
        done = run_command(stage, "diagnose", "--json", *asked, stdin=stdin)
        report = json.loads(done.stdout) if done.stdout else None
        shown = (done.returncode, "", "")
        if not scenario.get("slow"):
            shown = run_here(stage, "diagnose", *asked, stdin=stdin)
        secrets = lab.secrets()
    everything = done.stdout + done.stderr + shown[1] + shown[2]
    assert "Traceback" not in everything
    assert not [secret for secret in secrets if secret in everything], "a secret was shown"
    expected = scenario["expect"]
    assert (done.returncode, shown[0]) == (expected["exit"], expected["exit"]), everything
    if "error" in scenario:
        assert scenario["error"] in done.stderr
    if "root_cause" not in expected:
        assert report is None
        return
    assert report is not None
    _check_report(report, expected, everything)
    if shown[1]:
        _check_words(shown[1], report)
        said = " ".join(shown[1].split())
        assert expected.get("says", "") in said
        assert expected.get("says_not", "nothing of the kind") not in said


def _check_report(report: dict[str, Any], expected: dict[str, Any], everything: str) -> None:
    assert (report["root_cause"] or "") == expected["root_cause"], everything
    assert report["verdict"] == expected.get("verdict", report["verdict"])
    assert (report["root_cause"] is not None) or report["verdict"] in _FINE
    codes = {finding["code"] for finding in report["findings"]}
    assert set(expected.get("also", ())) <= codes
    assert not set(expected.get("never", ())) & codes
    if report["root_cause"]:
        root = report["findings"][0]
        assert root["code"] == report["root_cause"]
        assert root["severity"] == "error"
        assert root["evidence"], "a root cause without evidence"
        assert root["remedy"], "a root cause without a remedy"
        assert root["remedy"]["now"] or root["remedy"]["summary"]
    for finding in report["findings"]:
        for line in (finding["remedy"] or {}).get("now", []) + (finding["remedy"] or {}).get("never", []):
            assert _TYPEABLE.match(line), f"cannot be typed: {line}"


_TYPEABLE = re.compile(
    r"(unexpire|aws|unset|export|eval|sudo|curl|nslookup|ls|file|pip|echo|kill|chmod|command|iconv) |\$\{EDITOR:-vi\} "
    r"|aws configure$|unexpire diagnose$"
)


def _check_words(text: str, report: dict[str, Any]) -> None:
    lines = text.splitlines()
    assert all(len(line) <= 80 or _typed(line) for line in lines), text
    healthy = report["verdict"] in _FINE
    assert lines[0].startswith(("✓", "!", "?")) == healthy
    assert healthy or "works" not in lines[0].split(":")[0], "says that it works, and it does not"
    if report["root_cause"]:
        assert any(line.startswith(("  now ", "  do ")) for line in lines), text


def _typed(line: str) -> bool:
    """Commands, and single words such as paths and ARNs, are never broken."""
    return (
        line.lstrip().startswith(("now", "never", "more", "unexpire", "aws", "eval", "unset", "curl", "export", "sudo"))
        or len(line.split()) <= 2
    )


def test_every_finding_is_played() -> None:
    """Each code is the root cause of some scenario; those that never are one are among the findings of one."""
    roots = {scenario["expect"].get("root_cause") for _, scenario in SCENARIOS}
    also = {code for _, scenario in SCENARIOS for code in scenario["expect"].get("also", ())}
    assert set(CODES) <= roots | also, sorted(set(CODES) - roots - also)


def test_names_are_told_once() -> None:
    names = [scenario["name"] for _, scenario in SCENARIOS]
    assert len(names) == len(set(names))
