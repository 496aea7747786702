"""Broken and healthy set-ups as data: each goes through the real command and the lab, and the named root cause must be right.

A scenario (tests/scenarios/*.toml, `[[scenario]]`):

name        what is wrong, or not
ask         arguments of `unexpire diagnose`; `stdin` what is piped into it
home        "ready": the lab's home with a profile of every kind; "empty": no AWS file at all
sessions    NAME = { role, seconds }: sessions to write somewhere; seconds of life left, negative for one that has ended
config, credentials   text appended to the AWS file; `files` PATH = content, replaced
env         variables; imds, container: whether those services are there
lab         what to do to the lab before: [method, arguments…], keyword arguments in a table
expect      root_cause ("" for a healthy set-up), exit, verdict; `also`: findings that must be there, `never`: that must not

`{{NAME.key}}`, `.secret`, `.token` insert a session's values ("user" is the lab's long-term key); `{{url}}`, `{{home}}`, `{{python}}`,
`{{account}}`, `{{start_url}}`, `{{role:NAME}}` the lab's.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from unexpire.credentials import Credentials, format_timestamp
from unexpire.lab import Lab

FOLDER = Path(__file__).parent
SCENARIOS = [
    (file.stem, scenario)
    for file in sorted(FOLDER.glob("*.toml"))
    for scenario in tomllib.loads(file.read_text())["scenario"]
]


class Setting:
    """A lab, a home and the values that templates insert."""

    def __init__(self, lab: Lab, home: Path, scenario: dict[str, Any]) -> None:
        self.lab = lab
        self.home = home
        self.sessions: dict[str, Credentials] = {"user": lab.user_credentials}
        for name, wanted in scenario.get("sessions", {}).items():
            self.sessions[name] = lab.issue_session(wanted.get("role", "Deploy"), seconds=wanted["seconds"])

    def fill(self, text: str) -> str:
        return re.sub(r"\{\{([\w:.-]+)\}\}", lambda found: self._value(found[1]), text)

    def _value(self, name: str) -> str:
        if name.startswith("role:"):
            return self.lab.role_arn(name[5:])
        if "." in name:
            session, _, part = name.partition(".")
            held = self.sessions[session]
            if part == "end":
                assert held.expiration is not None
                return format_timestamp(held.expiration)
            return {"key": held.access_key_id, "secret": held.secret_access_key, "token": held.session_token or ""}[
                part
            ]
        return {
            "url": self.lab.url,
            "home": str(self.home),
            "python": sys.executable,
            "account": self.lab.account,
            "start_url": self.lab.start_url,
            "mfa": self.lab.mfa_serial,
        }[name]

    def write(self, scenario: dict[str, Any]) -> dict[str, str]:
        """The files of the scenario and its environment."""
        aws = self.home / ".aws"
        if scenario.get("home", "ready") == "ready":
            self.lab.make_home(self.home)
        aws.mkdir(parents=True, exist_ok=True)
        for name in ("config", "credentials"):
            if name in scenario:
                path = aws / name
                before = path.read_text() if path.exists() else ""
                path.write_text(before + self.fill(scenario[name]))
        for name, content in scenario.get("files", {}).items():
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.fill(content))
        variables = self.lab.environment(
            self.home, imds=scenario.get("imds", False), container=scenario.get("container", False)
        )
        variables |= {"PATH": os.environ["PATH"], "USER": "tester", "NO_COLOR": "1"}
        variables |= {name: self.fill(value) for name, value in scenario.get("env", {}).items()}
        return {name: value for name, value in variables.items() if name not in scenario.get("unset", [])}

    def act(self, scenario: dict[str, Any]) -> None:
        for method, *arguments in scenario.get("lab", []):
            keywords = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
            filled = [self.fill(item) if isinstance(item, str) else item for item in arguments]
            getattr(self.lab, method)(*filled, **keywords)


def command(
    setting: Setting, variables: dict[str, str], *arguments: str, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "unexpire", *arguments],
        env=variables,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=90,
        cwd=setting.home,
        check=False,
    )


@pytest.mark.parametrize("scenario", [pytest.param(s, id=f"{file}: {s['name']}") for file, s in SCENARIOS])
def test_scenario(scenario: dict[str, Any], tmp_path: Path) -> None:
    with Lab() as lab:
        setting = Setting(lab, tmp_path, scenario)
        variables = setting.write(scenario)
        setting.act(scenario)
        asked = [setting.fill(item) for item in scenario.get("ask", [])]
        stdin = setting.fill(scenario.get("stdin", ""))
        done = command(setting, variables, "diagnose", "--json", *asked, stdin=stdin)
        shown = command(setting, variables, "diagnose", *asked, stdin=stdin) if scenario.get("shown", True) else done
        secrets = lab.secrets()
    everything = done.stdout + done.stderr + shown.stdout + shown.stderr
    assert "Traceback" not in everything
    assert not [secret for secret in secrets if secret in everything], "a secret was shown"
    assert all(len(line) <= 80 or _typed(line) for line in shown.stdout.splitlines()), shown.stdout
    if "error" in scenario:
        assert scenario["error"] in done.stderr
    expected = scenario["expect"]
    assert (done.returncode, shown.returncode) == (expected["exit"], expected["exit"]), everything
    if "root_cause" not in expected:
        return
    report = json.loads(done.stdout)
    assert (report["root_cause"] or "") == expected["root_cause"], shown.stdout
    if "verdict" in expected:
        assert report["verdict"] == expected["verdict"]
    codes = {finding["code"] for finding in report["findings"]}
    assert set(expected.get("also", ())) <= codes
    assert not set(expected.get("never", ())) & codes
    if report["root_cause"]:
        root = report["findings"][0]
        assert root["code"] == report["root_cause"]
        assert root["severity"] == "error"
        assert root["evidence"], "a root cause without evidence"
        assert root["remedy"], "a root cause without a remedy"


def _typed(line: str) -> bool:
    """Commands, and single words such as paths and ARNs, are never broken."""
    return (
        line.lstrip().startswith(("now", "never", "more", "unexpire", "aws", "eval", "unset")) or len(line.split()) <= 2
    )
