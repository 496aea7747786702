"""Every door through which a program takes credentials, behind one face: ask, and get a set or an error."""

from __future__ import annotations

import asyncio
import configparser
import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError

from unexpire.credentials import parse_timestamp
from unexpire.delivery import agent_protocol
from unexpire.delivery.agent import Agent
from unexpire.delivery.boto3 import boto3_session
from unexpire.delivery.launch import first_credentials
from unexpire.delivery.order import PATH, Order
from unexpire.delivery.server import Request, ServerThread
from unexpire.delivery.serving import Serving
from unexpire.errors import UnexpireError
from unexpire.lab import Lab
from unexpire.providers.resolve import provider_for
from unexpire.settings.environment import Environment, utc_now

PROFILE = "role"


@dataclass(frozen=True)
class Answer:
    """What a program got. `status` is the door's own: an HTTP status, an exit code, or 200 and 503 where it has neither."""

    status: int
    ok: bool
    key: str = ""
    secret: str = ""
    token: str = ""
    expiration: datetime | None = None
    body: str = ""


class Door:
    """`ask` may be called from many threads; `crowd` says how many processes ask: which reader of `contract_crowd`, and its words.

    `failures` are the statuses of an answer that gives nothing; a door without any cannot say so (a file). `pause` is what a
    test leaves between two questions, `times` how often one of twenty processes asks.
    """

    name = ""
    failures: frozenset[int] = frozenset()
    pause = 0.02
    times = 25
    variables: Mapping[str, str] = os.environ

    def ask(self) -> Answer:
        raise NotImplementedError

    def crowd(self) -> tuple[str, list[str]]:
        raise NotImplementedError


def _of_document(status: int, body: bytes | str, ok: bool) -> Answer:
    text = body if isinstance(body, str) else body.decode()
    document: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        document = json.loads(text)
    end = document.get("Expiration")
    return Answer(
        status,
        ok,
        document.get("AccessKeyId", ""),
        document.get("SecretAccessKey", ""),
        document.get("Token") or document.get("SessionToken") or "",
        parse_timestamp(end) if end else None,
        text,
    )


class HttpDoor(Door):
    """A door that is asked over HTTP on loopback: the container endpoint, IMDS, the agent's."""

    failures = frozenset({503})

    def __init__(self, name: str, port: int, calls: list[tuple[str, str, dict[str, str]]]) -> None:
        self.name, self.port, self.calls = name, port, calls

    def ask(self) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers: dict[str, str] = {}
        try:
            for method, path, given in self.calls:
                connection.request(method, path, headers={**headers, **given})
                answer = connection.getresponse()
                body = answer.read()
                if path.endswith("/api/token"):
                    headers = {"X-aws-ec2-metadata-token": body.decode()}
        finally:
            connection.close()
        return _of_document(answer.status, body, answer.status == 200)

    def crowd(self) -> tuple[str, list[str]]:
        return "http", [str(self.port), json.dumps(self.calls)]


class AgentSocketDoor(Door):
    name = "agent-socket"
    failures = frozenset({503})

    def __init__(self, path: str, identity: str) -> None:
        self.path, self.request = path, {"op": "credentials", "profile": PROFILE, "role": None, "identity": identity}

    def ask(self) -> Answer:
        answer = agent_protocol.ask(self.path, self.request, timeout_s=20)
        assert answer is not None
        return _of_document(answer[0], json.dumps(answer[1]), answer[0] == 200)

    def crowd(self) -> tuple[str, list[str]]:
        return self.name, [self.path, json.dumps(self.request)]


_LINE = [sys.executable, "-m", "unexpire", "credential-process", "--profile", PROFILE]


class ProcessDoor(Door):
    name = "credential-process"
    failures = frozenset({9})
    pause = 0.4
    times = 4

    def __init__(self, variables: dict[str, str]) -> None:
        self.variables = variables

    def ask(self) -> Answer:
        line = _LINE
        done = subprocess.run(line, env=self.variables, capture_output=True, text=True, timeout=60)
        if done.returncode == 0:
            assert done.stderr == ""
        else:
            assert done.stdout == ""
        return _of_document(done.returncode, done.stdout or json.dumps({"error": done.stderr}), done.returncode == 0)

    def crowd(self) -> tuple[str, list[str]]:
        return self.name, _LINE


class FileDoor(Door):
    """A section of the credentials file that `unexpire sync --watch` keeps; what has ended stays there, as nobody is asked."""

    name = "credentials-file"

    def __init__(self, path: Path) -> None:
        self.path = path

    def ask(self) -> Answer:
        found = configparser.RawConfigParser()
        found.read(self.path)
        values = dict(found["copy"])
        parts = [values[name] for name in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")]
        return Answer(200, True, *parts)

    def crowd(self) -> tuple[str, list[str]]:
        return self.name, [str(self.path), "copy"]


class SessionDoor(Door):
    name = "boto3-session"
    failures = frozenset({503})

    def __init__(self) -> None:
        self._session = boto3_session(profile_name=PROFILE)

    def ask(self) -> Answer:
        try:
            credentials = self._session.get_credentials()
            assert credentials is not None
            frozen = credentials.get_frozen_credentials()
        except (UnexpireError, BotoCoreError) as error:
            return Answer(503, False, body=str(error))
        return Answer(200, True, frozen.access_key, frozen.secret_key, frozen.token or "")

    def crowd(self) -> tuple[str, list[str]]:
        return self.name, [PROFILE]


class AioDoor(Door):
    """Every question is a task of the same event loop."""

    name = "aiobotocore"
    failures = frozenset({503})

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        from unexpire.delivery.aio import aiobotocore_session

        self._loop = loop
        self._session = aiobotocore_session(profile_name=PROFILE)

    def ask(self) -> Answer:
        return asyncio.run_coroutine_threadsafe(self._asked(), self._loop).result(60)

    async def _asked(self) -> Answer:
        try:
            frozen = await (await self._session.get_credentials()).get_frozen_credentials()
        except (UnexpireError, BotoCoreError) as error:
            return Answer(503, False, body=str(error))
        return Answer(200, True, frozen.access_key, frozen.secret_key, frozen.token or "")

    def crowd(self) -> tuple[str, list[str]]:
        return self.name, [PROFILE]


NAMES = (
    "endpoint",
    "imds",
    "agent-endpoint",
    "agent-socket",
    "credential-process",
    "credentials-file",
    "boto3-session",
    "aiobotocore",
)


@contextlib.contextmanager
def opened(name: str, lab: Lab, home: Path, setenv: Callable[[str, str], None]) -> Iterator[Door]:
    """One door to profile `role` of the lab, with nothing fetched before by anybody else."""
    runtime = home / "r"
    runtime.mkdir(exist_ok=True)
    variables = lab.make_home(home) | {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(runtime)}
    settings = home / ".config" / "unexpire"
    settings.mkdir(parents=True)
    (settings / "config.toml").write_text("outage-wait = 1\n")
    environment = Environment.of(variables)
    if name in ("endpoint", "imds"):
        with _serving(environment, imds=name == "imds") as (port, token):
            get = [("GET", PATH, {"Authorization": token})]
            imds: list[tuple[str, str, dict[str, str]]] = [
                ("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}),
                ("GET", "/latest/meta-data/iam/security-credentials/unexpire", {}),
            ]
            yield HttpDoor(name, port, imds if name == "imds" else get)
    elif name.startswith("agent"):
        with _agent(environment) as agent:
            if name == "agent-socket":
                yield AgentSocketDoor(str(agent.socket_path), provider_for(environment, profile=PROFILE).identity)
            else:
                answer = agent_protocol.ask(str(agent.socket_path), {"op": "endpoint", "profile": PROFILE})
                assert answer is not None
                token = Path(answer[1]["token_file"]).read_text()
                yield HttpDoor(name, agent.port, [("GET", f"/credentials/{PROFILE}", {"Authorization": token})])
    elif name == "credential-process":
        yield ProcessDoor(variables)
    elif name == "credentials-file":
        with _synced(variables) as file_door:
            yield file_door
    else:
        for variable in list(os.environ):
            if variable.startswith("AWS_"):
                setenv(variable, "")
                del os.environ[variable]
        for variable, value in variables.items():
            setenv(variable, value)
        if name == "boto3-session":
            yield SessionDoor()
            return
        pytest.importorskip("aiobotocore", reason="aiobotocore pins a botocore of its own")
        with _running_loop() as loop:
            yield AioDoor(loop)


@contextlib.contextmanager
def _synced(variables: dict[str, str]) -> Iterator[FileDoor]:
    line = [sys.executable, "-m", "unexpire", "sync", PROFILE, "--to", "copy", "--watch"]
    with subprocess.Popen(line, env=variables, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as sync:
        assert sync.stdout is not None
        assert sync.stdout.readline().startswith("[copy]")
        threading.Thread(target=sync.stdout.read, daemon=True).start()
        try:
            yield FileDoor(Path(variables["AWS_SHARED_CREDENTIALS_FILE"]))
        finally:
            sync.terminate()


@contextlib.contextmanager
def _running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@contextlib.contextmanager
def _serving(environment: Environment, *, imds: bool) -> Iterator[tuple[int, str]]:
    held = first_credentials(provider_for(environment, profile=PROFILE), environment)
    order = Order(PROFILE, None, held, "t" * 43, "s" * 43 if imds else None, use_agent=False)
    serving: list[Serving] = []

    def handle(request: Request) -> Any:
        return serving[0](request)

    again = lambda: Environment.of(environment.variables)  # noqa: E731
    with ServerThread(handle) as server:
        serving.append(Serving(order, again, server.port, clock=utc_now))
        with serving[0]:
            yield server.port, order.token


@contextlib.contextmanager
def _agent(environment: Environment) -> Iterator[Agent]:
    made: list[Agent] = []
    loop = asyncio.new_event_loop()

    async def main() -> None:
        made.append(Agent(environment, [PROFILE]))
        await made[0].serve()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    path = agent_protocol.socket_path(environment.variables)
    for _ in range(400):
        if agent_protocol.ask(path, {"op": "ping"}) is not None:
            break
        thread.join(0.05)
        assert thread.is_alive()
    yield made[0]
    loop.call_soon_threadsafe(made[0].stop)
    thread.join()
