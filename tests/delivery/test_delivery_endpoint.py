"""The container endpoint through a real socket: what it answers, and whom it turns away."""

from __future__ import annotations

import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from endpoint_client import NOW, SECRET, FakeSource, door, exchange, session

from unexpire.credentials import Credentials
from unexpire.delivery.server import Limits
from unexpire.errors import ConfigurationError, Denied, InteractionRequired, RefreshFailed, Rejected, Unavailable


def test_the_answer_has_every_field_that_some_sdk_needs() -> None:
    with door(FakeSource(session(60))) as it:
        status, headers, body = it.send(
            f"GET /credentials HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {it.token}\r\nConnection: close\r\n\r\n".encode()
        )
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert int(headers["content-length"]) == len(body) < 10_000
    assert "content-encoding" not in headers
    assert json.loads(body) == {
        "Code": "Success",
        "LastUpdated": "2026-11-22T20:00:00Z",
        "Type": "AWS-HMAC",
        "AccessKeyId": "ASIAQ3EGSAMPLE000000",
        "SecretAccessKey": f"{SECRET}000000",
        "Token": "token-000000",
        "Expiration": "2026-11-22T20:50:00Z",
        "AccountId": "111122223333",
    }


def test_keys_without_an_end_are_to_be_asked_for_again() -> None:
    with door(FakeSource(Credentials("AKIAQ3EGSAMPLE000000", SECRET))) as it:
        status, document = it.get()
    assert (status, document["Token"], document["Expiration"]) == (200, "", "2026-11-22T20:30:00Z")


def test_a_held_set_goes_out_with_its_honest_end_until_that_end_and_not_a_second_longer() -> None:
    held = session(60)
    down = RefreshFailed("STS does not answer", retryable=True)
    for minutes, expected in ((49.9, 200), (50, 503), (55, 503), (61, 503)):
        source = FakeSource(held, error=down)
        with door(source, now=NOW + timedelta(minutes=minutes)) as it:
            status, document = it.get()
        assert status == expected, minutes
        if status == 200:
            assert document["Expiration"] == "2026-11-22T20:50:00Z"
            assert source.asked == 0
        else:
            assert "AccessKeyId" not in document


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RefreshFailed("no answer from STS", retryable=True), 503),
        (RefreshFailed("no such role", retryable=False), 403),
        (Denied("not allowed"), 403),
        (Rejected("expired", aws_code="ExpiredToken"), 403),
        (InteractionRequired("log in", interaction="sso-login", hint="aws sso login"), 403),
        (ConfigurationError("nonsense"), 403),
        (Unavailable("nothing here"), 403),
    ],
)
def test_an_error_has_the_status_that_makes_sdks_retry_or_speak_and_both_spellings(
    error: Exception, status: int
) -> None:
    with door(FakeSource(None, error=error)) as it:  # type: ignore[arg-type]
        answered, document = it.get()
    assert answered == status
    assert document["code"] == document["Code"]
    assert document["message"] == document["Message"]
    assert str(error) in str(document["message"])


def test_a_source_that_gives_a_dead_set_does_not_get_it_through() -> None:
    with door(FakeSource(session(-5))) as it:
        status, document = it.get()
    assert status == 503
    assert "AccessKeyId" not in document


def test_a_client_is_not_kept_waiting_for_a_renewal_that_hangs() -> None:
    release = threading.Event()

    class Hanging(FakeSource):
        def current(self) -> Credentials:
            release.wait(20)
            return super().current()

    with door(Hanging(session(-5)), patience_s=0.05) as it:
        status, _ = it.get()
        release.set()
    assert status == 503


def test_many_waiting_clients_make_one_call() -> None:
    both = threading.Barrier(2)

    class Slow(FakeSource):
        def current(self) -> Credentials:
            both.wait(10)
            self.asked += 1
            self.held = session(60)
            return self.held

    source = Slow(None)
    with door(source) as it, ThreadPoolExecutor(20) as clients:
        answers = [clients.submit(it.get) for _ in range(20)]
        both.wait(10)
        assert {answer.result()[0] for answer in answers} == {200}
    assert source.asked == 1


def test_no_reader_ever_sees_a_torn_set() -> None:
    source = FakeSource(session(60))
    seen: list[dict[str, object]] = []
    with door(source) as it:
        stop = threading.Event()

        def turn() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                source.held = session(60, number=number % 1000)

        writer = threading.Thread(target=turn)
        writer.start()
        with ThreadPoolExecutor(20) as readers:
            for answer in [readers.submit(it.get) for _ in range(300)]:
                seen.append(answer.result()[1])
        stop.set()
        writer.join()
    for document in seen:
        assert len({str(document[name])[-6:] for name in ("AccessKeyId", "SecretAccessKey", "Token")}) == 1


def test_a_thousand_clients_at_once() -> None:
    with door(FakeSource(session(60))) as it:
        request = (
            f"GET /credentials HTTP/1.1\r\nHost: 127.0.0.1:{it.port}\r\nAuthorization: {it.token}\r\n\r\n".encode()
        )
        clients = [socket.create_connection(("127.0.0.1", it.port), timeout=30) for _ in range(400)]
        try:
            for _ in range(3):
                for client in clients:
                    client.sendall(request)
                for client in clients:
                    assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        finally:
            for client in clients:
                client.close()


# --- whom it turns away

_GOOD = {"Host": "127.0.0.1:{port}", "Authorization": "{token}"}


def attack(line: str = "GET /credentials HTTP/1.1", extra: str = "", **headers: str | None) -> str:
    lines = {**_GOOD, **{name.replace("_", "-"): value for name, value in headers.items()}}
    given = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"{line}\r\n{given}{extra}Connection: close\r\n\r\n"


ATTACKS = {
    "no token": (attack(Authorization=None), {401}),
    "empty token": (attack(Authorization=""), {401}),
    "wrong token": (attack(Authorization="x" * 43), {401}),
    "half the token": (attack(Authorization="{half}"), {401}),
    "token and more": (attack(Authorization="{token}x"), {401}),
    "bearer token": (attack(Authorization="Bearer {token}"), {401}),
    "two tokens, one right": (attack(extra="Authorization: nonsense\r\n"), {401}),
    "token that is not ASCII": (attack(Authorization="\xff\xfe\xe9"), {400, 401}),
    "token in the query": (attack("GET /credentials?Authorization={token} HTTP/1.1", Authorization=None), {401}),
    "rebound name": (attack(Host="attacker.example:{port}"), {403}),
    "rebound name without port": (attack(Host="attacker.example"), {403}),
    "name that starts like ours": (attack(Host="127.0.0.1.attacker.example:{port}"), {403}),
    "name that ends like ours": (attack(Host="attacker.example@127.0.0.1:{port}"), {403}),
    "other loopback address": (attack(Host="127.0.0.2:{port}"), {403}),
    "all addresses": (attack(Host="0.0.0.0:{port}"), {403}),
    "other port": (attack(Host="127.0.0.1:1"), {403}),
    "port that is no number": (attack(Host="127.0.0.1:{port}x"), {403}),
    "port in other digits": (attack(Host="127.0.0.1:\xb2"), {400, 403}),
    "no host": (attack(Host=None), {400}),
    "no host in HTTP/1.0": (attack("GET /credentials HTTP/1.0", Host=None), {403}),
    "two hosts": (attack(extra="Host: attacker.example\r\n"), {400, 403}),
    "empty host": (attack(Host=""), {403}),
    "origin of a page": (attack(Origin="https://attacker.example"), {403}),
    "origin null": (attack(Origin="null"), {403}),
    "origin of ours": (attack(Origin="http://127.0.0.1:{port}"), {403}),
    "referer": (attack(Referer="http://127.0.0.1:{port}/"), {403}),
    "browser": (attack(**{"Sec-Fetch-Site": "cross-site"}), {403}),
    "forwarded for": (attack(**{"X-Forwarded-For": "203.0.113.9"}), {403}),
    "forwarded host": (attack(**{"X-Forwarded-Host": "127.0.0.1"}), {403}),
    "forwarded": (attack(Forwarded="for=203.0.113.9"), {403}),
    "through a proxy": (attack(Via="1.1 proxy"), {403}),
    "preflight": (attack("OPTIONS /credentials HTTP/1.1", Origin="https://attacker.example"), {403}),
    "post": (attack("POST /credentials HTTP/1.1", extra="Content-Length: 0\r\n"), {405}),
    "head": (attack("HEAD /credentials HTTP/1.1"), {405}),
    "connect": (attack("CONNECT 127.0.0.1:{port} HTTP/1.1"), {400, 403}),
    "absolute target": (attack("GET http://127.0.0.1:{port}/credentials HTTP/1.1"), {400}),
    "parent folder": (attack("GET /x/../credentials HTTP/1.1"), {401}),
    "encoded path": (attack("GET /%63redentials HTTP/1.1"), {401}),
    "encoded slash": (attack("GET /%2fcredentials HTTP/1.1"), {401}),
    "trailing slash": (attack("GET /credentials/ HTTP/1.1"), {401}),
    "query": (attack("GET /credentials?x=1 HTTP/1.1"), {401}),
    "parameter": (attack("GET /credentials;x=1 HTTP/1.1"), {401}),
    "other case": (attack("GET /Credentials HTTP/1.1"), {401}),
    "root": (attack("GET / HTTP/1.1"), {401}),
    "null byte": (attack("GET /credentials\x00 HTTP/1.1"), {400}),
    "smuggled request": (
        attack(extra="Content-Length: 4\r\nTransfer-Encoding: chunked\r\n").replace("GET", "POST", 1),
        {400, 411},
    ),
    "two lengths": (attack(extra="Content-Length: 0\r\nContent-Length: 5\r\n"), {400}),
    "space before the colon": (attack(extra="Origin : https://attacker.example\r\n"), {400}),
    "no HTTP at all": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", {400}),
    "HTTP/2 preface": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 403, 505}),
    "waits for 100": (attack("POST /credentials HTTP/1.1", extra="Content-Length: 9\r\nExpect: 100-continue\r\n"), {417}),
    "enormous header": (attack(extra=f"X-A: {'a' * 100_000}\r\n"), {400, 431, 0}),
    "many headers": (attack(extra="".join(f"X-{n}: a\r\n" for n in range(5000))), {400, 431, 0}),
    "enormous target": (attack(f"GET /{'a' * 100_000} HTTP/1.1"), {400, 414, 431, 0}),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gets_no_key(name: str) -> None:
    template, expected = ATTACKS[name]
    source = FakeSource(session(60))
    with door(source) as it:
        raw = template.replace("{port}", str(it.port)).replace("{token}", it.token).replace("{half}", it.token[:20])
        status, headers, body = it.send(raw.encode("latin-1"))
        again, _ = it.get()
    assert status in expected
    assert b"ASIA" not in body
    assert SECRET.encode() not in body
    assert it.token.encode() not in body
    assert not any(name.startswith("access-control") or name == "location" for name in headers)
    assert again == 200, "the next honest client was not served"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "127.0.0.1:{port}", "localhost:{port}", "LOCALHOST"]
)
def test_a_client_may_name_this_machine_as_its_sdk_does(host: str) -> None:
    with door(FakeSource(session(60))) as it:
        assert it.get(Host=host.replace("{port}", str(it.port)))[0] == 200


def test_two_slashes_are_one() -> None:
    with door(FakeSource(session(60))) as it:
        assert it.get(path="//credentials")[0] == 200


def test_a_head_that_never_ends_is_hung_up_on_however_often_a_byte_comes() -> None:
    limits = Limits(head_seconds=0.3)
    with door(FakeSource(session(60)), limits=limits) as it:
        with socket.create_connection(("127.0.0.1", it.port), timeout=20) as slow:
            assert any(_hung_up(slow) for _ in range(2000))
        assert it.get()[0] == 200


def _hung_up(client: socket.socket) -> bool:
    """Send one more byte, and see whether the other end is gone."""
    client.settimeout(0.01)
    try:
        client.sendall(b"G")
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_more_connections_than_allowed_are_dropped_and_the_others_served() -> None:
    with door(FakeSource(session(60)), limits=Limits(connections=2)) as it:
        first = socket.create_connection(("127.0.0.1", it.port), timeout=20)
        second = socket.create_connection(("127.0.0.1", it.port), timeout=20)
        request = f"GET /credentials HTTP/1.1\r\nHost: localhost\r\nAuthorization: {it.token}\r\n\r\n".encode()
        try:
            for client in (first, second):
                client.sendall(request)
                assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
            assert exchange(it.port, request) == (0, {}, b"")
        finally:
            first.close()
            second.close()


def test_requests_in_one_breath_are_answered_in_order() -> None:
    with door(FakeSource(session(60))) as it:
        good = f"GET /credentials HTTP/1.1\r\nHost: localhost\r\nAuthorization: {it.token}\r\n\r\n"
        bad = "GET /credentials HTTP/1.1\r\nHost: localhost\r\n\r\n"
        last = f"GET /credentials HTTP/1.1\r\nHost: localhost\r\nAuthorization: {it.token}\r\nConnection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", it.port), timeout=20) as client:
            client.sendall((good + bad + last).encode())
            received = b""
            while chunk := client.recv(65536):
                received += chunk
    assert re.findall(rb"HTTP/1.1 (\d+) ", received) == [b"200", b"401", b"200"]
