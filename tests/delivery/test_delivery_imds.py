"""IMDSv2 through a real socket: what SDKs ask on their way to credentials, and whom it turns away."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from endpoint_client import NOW, FakeSource, session

from unexpire.delivery.connection_owner import _from_table, connection_owner
from unexpire.delivery.endpoint import Held
from unexpire.delivery.imds_endpoint import ImdsEndpoint, ImdsTokens
from unexpire.delivery.server import Request, ServerThread
from unexpire.errors import RefreshFailed

SECRET = b"0" * 32
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
CREDENTIALS = "/latest/meta-data/iam/security-credentials"

Answer = tuple[int, dict[str, str], bytes]


class Imds:
    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, path: str, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def token(self, ttl: str = "21600") -> str:
        return self.ask("PUT", "/latest/api/token", **{TTL: ttl})[2].decode()

    def get(self, path: str, token: str | None = None) -> Answer:
        return self.ask("GET", path, **{"X-aws-ec2-metadata-token": token or self.token()})


@contextlib.contextmanager
def imds(source: FakeSource, *, now_after: timedelta = timedelta(0), secret: bytes = SECRET) -> Iterator[Imds]:
    made: list[ImdsEndpoint] = []

    def handle(request: Request) -> object:
        return made[0](request)

    with ThreadPoolExecutor(2) as pool, ServerThread(handle) as server:  # type: ignore[arg-type]
        held = Held(source, clock=lambda: NOW + now_after, pool=pool)
        made.append(ImdsEndpoint(server.port, held, ImdsTokens(secret), role="unexpire", region="eu-north-1"))
        yield Imds(server.port)


def test_the_way_to_credentials() -> None:
    with imds(FakeSource(session(60))) as it:
        status, headers, body = it.ask("PUT", "/latest/api/token", **{TTL: "21600"})
        assert status == 200
        assert headers[TTL.lower()] == "21600", "Rust fails without it"
        assert headers["content-type"] == "text/plain"
        token = body.decode()
        for path in (f"{CREDENTIALS}/", CREDENTIALS, f"/{CREDENTIALS}/"):
            assert it.get(path, token)[::2] == (200, b"unexpire"), "one name, no line end, no redirect"
        document = json.loads(it.get(f"{CREDENTIALS}/unexpire", token)[2])
        assert {"Code": "Success", "Type": "AWS-HMAC", "Expiration": "2026-11-22T20:50:00Z"}.items() <= document.items()
        assert json.loads(it.get(f"{CREDENTIALS}-extended/unexpire", token)[2])["AccountId"] == "111122223333"
        assert json.loads(it.get("/latest/meta-data/iam/info", token)[2])["Code"] == "Success"
        assert json.loads(it.get("/latest/dynamic/instance-identity/document", token)[2])["region"] == "eu-north-1"
        assert it.get("/latest/meta-data/placement/region", token)[2] == b"eu-north-1"
        assert it.get("/latest/user-data", token)[0] == 404


def test_what_is_advertised_lives_long_enough_that_nobody_invents_an_end() -> None:
    """A session of an hour is due for renewal 40 minutes before its end: until then, and a spread of 90 s, 25 are left."""
    with imds(FakeSource(session(60)), now_after=timedelta(minutes=21, seconds=30)) as it:
        document = json.loads(it.get(f"{CREDENTIALS}/unexpire")[2])
    assert document["Expiration"] >= "2026-11-22T20:46:30Z"


@pytest.mark.parametrize("ttl", ["0", "21601", "-1", "1.5", "", "x", "99999999999", "\u00b2"])
def test_an_impossible_life_of_a_token_is_400(ttl: str) -> None:
    with imds(FakeSource(session(60))) as it:
        assert it.ask("PUT", "/latest/api/token", **{TTL: ttl})[0] == 400
        assert it.ask("PUT", "/latest/api/token")[0] == 400


@pytest.mark.parametrize("token", ["", "x", "ffffffff.a.b", "..", "a" * 5000])
def test_no_token_is_401_and_nothing_that_sdks_would_take_for_version_1(token: str) -> None:
    with imds(FakeSource(session(60))) as it:
        assert it.ask("GET", f"{CREDENTIALS}/")[0] == 401
        assert it.ask("GET", f"{CREDENTIALS}/unexpire", **{"X-aws-ec2-metadata-token": token})[0] == 401
        good = it.token()
        end, nonce, signature = good.split(".")
        for forged in (
            f"{int(end, 16) + 1:x}.{nonce}.{signature}",
            f"{end}.{nonce}x.{signature}",
            good[:-1],
            good + "x",
        ):
            assert it.get(f"{CREDENTIALS}/unexpire", forged)[0] == 401


def test_tokens_end_and_outlive_a_restart() -> None:
    source = FakeSource(session(600))
    with imds(source) as it:
        short, long = it.token("60"), it.token("21600")
    with imds(source, now_after=timedelta(seconds=61)) as it:
        assert it.get(f"{CREDENTIALS}/unexpire", short)[0] == 401
        assert it.get(f"{CREDENTIALS}/unexpire", long)[0] == 200
    with imds(source, secret=b"1" * 32) as it:
        assert it.get(f"{CREDENTIALS}/unexpire", long)[0] == 401


@pytest.mark.parametrize(
    "headers", [{"X-Forwarded-For": "203.0.113.9"}, {"Host": "attacker.example"}, {"Origin": "null"}]
)
def test_browsers_and_proxies_get_no_token(headers: dict[str, str]) -> None:
    with imds(FakeSource(session(60))) as it:
        status, _, body = it.ask("PUT", "/latest/api/token", **{TTL: "60"}, **headers)
    assert status == 403
    assert b"." not in body.split(b'"message"')[0] or b"Forbidden" in body


def test_an_outage_past_the_end_is_503_with_no_key() -> None:
    with imds(FakeSource(session(-1), error=RefreshFailed("out", retryable=True))) as it:
        status, _, body = it.get(f"{CREDENTIALS}/unexpire")
    assert status == 503
    assert b"ASIA" not in body


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="becomes another user")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the Linux kernel")
def test_another_user_of_this_machine_gets_no_token() -> None:
    script = """
import encodings.idna, http.client, os, sys
os.setuid(65534)
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=20)
connection.request("PUT", "/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
answer = connection.getresponse()
print(answer.status, answer.read() and "")
connection.request("GET", "/latest/meta-data/iam/security-credentials/unexpire", headers={"X-aws-ec2-metadata-token": sys.argv[2]})
print(connection.getresponse().status)
"""
    with imds(FakeSource(session(60))) as it:
        line = [sys.executable, "-c", script, str(it.port), it.token()]
        done = subprocess.run(line, capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["401", "401"], done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the Linux kernel")
def test_both_ways_of_asking_the_kernel_agree() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            peer = client.getsockname()
            assert connection_owner(peer, port) == _from_table(peer, ("127.0.0.1", port)) == os.getuid()
            assert connection_owner(("127.0.0.1", 1), port) is None
