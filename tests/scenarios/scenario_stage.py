"""A lab, a home and an environment out of a few lines of data, and the command line run in it: what the scenarios are played on.

A scenario is a table:

home        "ready": the lab's home with a profile of every kind; "empty": no AWS file at all
sessions    NAME = { role, seconds }: sessions to write somewhere; seconds of life left, negative for one that has ended
lab_first   what to do to the lab before the home is made; `lab`: after it. [method, arguments…], keyword arguments in a table
config, credentials   text appended to the AWS file
files       PATH = content, replaced; `encoding` PATH = codec, `repeat` PATH = how often, `mode` PATH = permissions
json        PATH = { key = value }: changes to a JSON file; "outer.inner" names a key in an object, a value of "" removes the key
folders     paths to make; `remove` paths to take away
env, unset  variables; imds, container: whether those services are there
cwd         the working folder, the home where it is not said

`{{NAME.key}}`, `.secret`, `.token`, `.end` insert a session's values ("user" is the lab's long-term key); `{{url}}`, `{{port}}`, `{{home}}`,
`{{python}}`, `{{account}}`, `{{start_url}}`, `{{mfa}}`, `{{role:NAME}}` the lab's; `{{time:-60}}` a moment so many seconds from now;
`{{sso:NAME}}` the cache file of an SSO token, `{{login}}` that of `aws login`;
`{{jwt:-60}}` a web identity token with that much life left, `{{bedrock:-60}}` a short-term API key of Bedrock.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from unexpire.credentials import Credentials, format_timestamp
from unexpire.lab import Lab

__all__ = ["Stage", "environment_of", "run_command", "run_here", "scenarios"]


def scenarios(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """(file, scenario) of every TOML file of a folder."""
    return [
        (file.stem, scenario)
        for file in sorted(folder.glob("*.toml"))
        for scenario in tomllib.loads(file.read_text(encoding="utf-8"))["scenario"]
    ]


class Stage:
    """A scenario set up: its lab, its home, its variables."""

    def __init__(self, lab: Lab, home: Path, scenario: Mapping[str, Any]) -> None:
        self.lab = lab
        self.home = home
        self._act(scenario.get("lab_first", []))
        self.sessions: dict[str, Credentials] = {"user": lab.user_credentials}
        for name, wanted in scenario.get("sessions", {}).items():
            self.sessions[name] = lab.issue_session(wanted.get("role", "Deploy"), seconds=wanted["seconds"])
        self._write(scenario)
        self.variables = self._variables(scenario)
        self._act(scenario.get("lab", []))
        self.cwd = home / scenario.get("cwd", "")

    def fill(self, text: str) -> str:
        return re.sub(r"\{\{([\w:./-]+)\}\}", lambda found: self._value(found[1]), text)

    def _value(self, name: str) -> str:
        kind, colon, rest = name.partition(":")
        if colon:
            makers = {
                "role": self._role,
                "time": self._time,
                "sso": self._sso,
                "jwt": self._jwt,
                "bedrock": self._bedrock,
            }
            return makers[kind](rest)
        session, dot, part = name.partition(".")
        if dot:
            held = self.sessions[session]
            if part == "end":
                assert held.expiration is not None
                return format_timestamp(held.expiration)
            return {"key": held.access_key_id, "secret": held.secret_access_key, "token": held.session_token or ""}[
                part
            ]
        return {
            "url": self.lab.url,
            "port": str(self.lab.port),
            "home": str(self.home),
            "python": sys.executable,
            "account": self.lab.account,
            "start_url": self.lab.start_url,
            "mfa": self.lab.mfa_serial,
            "container_url": self.lab.container_url,
            "container_token": self.lab.container_token,
            "login": f".aws/login/cache/{hashlib.sha256(self.lab.login_session.encode()).hexdigest()}.json",
        }[name]

    def _role(self, name: str) -> str:
        return self.lab.role_arn(name)

    def _time(self, seconds: str) -> str:
        return format_timestamp(datetime.now(UTC) + timedelta(seconds=float(seconds)))

    def _sso(self, name: str) -> str:
        key = self.lab.start_url if name == "legacy" else name
        return f".aws/sso/cache/{hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()}.json"

    def _jwt(self, seconds: str) -> str:
        return self.lab.web_identity_token(seconds=float(seconds))

    def _bedrock(self, seconds: str) -> str:
        """As aws-bedrock-token-generator makes one, but for the signature, which nobody here checks."""
        signed = datetime.now(UTC) + timedelta(seconds=float(seconds)) - timedelta(hours=12)
        session = self.lab.issue_session()
        query = {
            "Action": "CallWithBearerToken",
            "X-Amz-Credential": f"{session.access_key_id}/{signed:%Y%m%d}/us-east-1/bedrock/aws4_request",
            "X-Amz-Date": f"{signed:%Y%m%dT%H%M%SZ}",
            "X-Amz-Expires": "43200",
            "X-Amz-Security-Token": session.session_token or "",
            "X-Amz-Signature": "0" * 64,
        }
        url = f"bedrock.amazonaws.com/?{urlencode(query)}&Version=1"
        return "bedrock-api-key-" + base64.b64encode(url.encode()).decode()

    def _write(self, scenario: Mapping[str, Any]) -> None:
        aws = self.home / ".aws"
        if scenario.get("home", "ready") == "ready":
            self.lab.make_home(self.home)
        if scenario.get("home") != "bare":
            aws.mkdir(parents=True, exist_ok=True)
        for name in ("config", "credentials"):
            if name in scenario:
                path = aws / name
                before = path.read_text() if path.exists() else ""
                path.write_text(before + self.fill(scenario[name]))
        for name in map(self.fill, scenario.get("remove", [])):
            (self.home / name).unlink(missing_ok=True)
        for name in map(self.fill, scenario.get("folders", [])):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        for name, content in scenario.get("files", {}).items():
            path = self.home / self.fill(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            text = self.fill(content) * scenario.get("repeat", {}).get(name, 1)
            path.write_bytes(text.encode(scenario.get("encoding", {}).get(name, "utf-8")))
        for name, changes in scenario.get("json", {}).items():
            path = self.home / self.fill(name)
            held = json.loads(path.read_text())
            for key, value in changes.items():
                *above, last = key.split(".")
                inner = held
                for step in above:
                    inner = inner[step]
                inner[last] = self.fill(value)
            path.write_text(json.dumps({key: value for key, value in held.items() if value != ""}))
        for name, mode in scenario.get("mode", {}).items():
            (self.home / name).chmod(mode)

    def _variables(self, scenario: Mapping[str, Any]) -> dict[str, str]:
        found = self.lab.environment(
            self.home, imds=scenario.get("imds", False), container=scenario.get("container", False)
        )
        found |= {"PATH": os.environ["PATH"], "USER": "tester", "NO_COLOR": "1"}
        found |= {name: self.fill(value) for name, value in scenario.get("env", {}).items()}
        return {name: value for name, value in found.items() if name not in scenario.get("unset", [])}

    def _act(self, deeds: list[list[Any]]) -> None:
        for method, *arguments in deeds:
            keywords = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
            filled = [self.fill(item) if isinstance(item, str) else item for item in arguments]
            getattr(self.lab, method)(*filled, **keywords)


def run_command(
    stage: Stage, *arguments: str, stdin: str = "", timeout: float = 90, **more: Any
) -> subprocess.CompletedProcess[str]:
    """The real command, as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "unexpire", *arguments],
        env=stage.variables,
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        cwd=stage.cwd,
        check=False,
        **more,
    )


@contextlib.contextmanager
def environment_of(stage: Stage) -> Iterator[None]:
    """This process with the variables and the folder of the stage."""
    before, folder = dict(os.environ), Path.cwd()
    os.environ.clear()
    os.environ.update(stage.variables)
    os.chdir(stage.cwd)
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)


def run_here(stage: Stage, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
    """The same command in this process, which has imported everything already: (exit code, stdout, stderr)."""
    from unexpire.cli.main import run

    out, err, before = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
    try:
        with environment_of(stage), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            run(list(arguments))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
        return code, out.getvalue(), err.getvalue()
    finally:
        sys.stdin.detach()
        sys.stdin = before
