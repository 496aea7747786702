"""One table of attacks, thrown at everything of ours that listens on a port: who is no honest client on this machine gets nothing.

What is particular to one listener (its token, its methods, its limits) stands in the tests of that one; here is what all must refuse.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from contract_doors import HttpDoor, opened

from unexpire.lab import Lab
from unexpire.settings.environment import Environment
from unexpire.web.dashboard import Dashboard

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")


@dataclass(frozen=True)
class Listener:
    """`path` and `headers` are what an honest client sends; `key` is the header that opens it, and `secrets` must never come out."""

    port: int
    path: str
    key: str
    headers: dict[str, str]
    secrets: tuple[str, ...]

    def request(
        self, line: str = "GET {path} HTTP/1.1", *, without: str = "", extra: str = "", **changed: str
    ) -> bytes:
        given = {"Host": f"127.0.0.1:{self.port}", **self.headers}
        given |= {name.replace("_", "-"): value for name, value in changed.items()}
        given.pop(without, None)
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        text = f"{line}\r\n{lines}{extra}Connection: close\r\n\r\n"
        for name, value in (("path", self.path), ("port", str(self.port)), ("key", self.headers[self.key])):
            text = text.replace("{" + name + "}", value)
        return text.encode("latin-1")

    def send(self, raw: bytes) -> tuple[int, bytes]:
        """The status and all that came; 0 where the other end hung up without a word."""
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                connection.sendall(raw)
            with contextlib.suppress(ConnectionResetError):
                while chunk := connection.recv(65536):
                    received += chunk
        return (int(received.split(None, 2)[1]) if received.startswith(b"HTTP/") else 0), received


Attack = Callable[[Listener], bytes]

ATTACKS: dict[str, Attack] = {
    "no key": lambda it: it.request(without=it.key),
    "empty key": lambda it: it.request(**{it.key: ""}),
    "wrong key": lambda it: it.request(**{it.key: "x" * 43}),
    "half a key": lambda it: it.request(**{it.key: it.headers[it.key][:-9]}),
    "a key and more": lambda it: it.request(**{it.key: it.headers[it.key] + "x"}),
    "a key that is not ASCII": lambda it: it.request(**{it.key: "\xff\xfe\xe9"}),
    "key in the query": lambda it: it.request("GET {path}?" + it.key + "={key} HTTP/1.1", without=it.key),
    "no host": lambda it: it.request(without="Host"),
    "no host in HTTP/1.0": lambda it: it.request("GET {path} HTTP/1.0", without="Host"),
    "empty host": lambda it: it.request(Host=""),
    "two hosts": lambda it: it.request(extra="Host: attacker.example\r\n"),
    "rebound name": lambda it: it.request(Host="attacker.example:{port}"),
    "rebound name without a port": lambda it: it.request(Host="attacker.example"),
    "name that starts like ours": lambda it: it.request(Host="127.0.0.1.attacker.example:{port}"),
    "name that ends like ours": lambda it: it.request(Host="attacker.example@127.0.0.1:{port}"),
    "local name of the network": lambda it: it.request(Host="localhost.attacker.example:{port}"),
    "another loopback address": lambda it: it.request(Host="127.0.0.2:{port}"),
    "all addresses": lambda it: it.request(Host="0.0.0.0:{port}"),
    "the metadata service's address": lambda it: it.request(Host="169.254.169.254"),
    "another port": lambda it: it.request(Host="127.0.0.1:1"),
    "a port that is no number": lambda it: it.request(Host="127.0.0.1:{port}x"),
    "origin of a page": lambda it: it.request(Origin="https://attacker.example"),
    "origin null": lambda it: it.request(Origin="null"),
    "origin of another port here": lambda it: it.request(Origin="http://127.0.0.1:1"),
    "a page of another site": lambda it: it.request(Sec_Fetch_Site="cross-site"),
    "a page of another port": lambda it: it.request(Sec_Fetch_Site="same-site"),
    "preflight": lambda it: it.request("OPTIONS {path} HTTP/1.1", Origin="https://attacker.example"),
    "forwarded for": lambda it: it.request(X_Forwarded_For="203.0.113.9"),
    "forwarded for this machine": lambda it: it.request(X_Forwarded_For="127.0.0.1"),
    "forwarded host": lambda it: it.request(X_Forwarded_Host="127.0.0.1"),
    "forwarded": lambda it: it.request(Forwarded="for=203.0.113.9"),
    "real address": lambda it: it.request(X_Real_IP="127.0.0.1"),
    "through a proxy": lambda it: it.request(Via="1.1 proxy"),
    "proxy request": lambda it: it.request("GET http://127.0.0.1:{port}{path} HTTP/1.1"),
    "tunnel": lambda it: it.request("CONNECT 127.0.0.1:{port} HTTP/1.1"),
    "post": lambda it: it.request("POST {path} HTTP/1.1", extra="Content-Length: 0\r\n"),
    "delete": lambda it: it.request("DELETE {path} HTTP/1.1"),
    "invented method": lambda it: it.request("STEAL {path} HTTP/1.1"),
    "parent folder": lambda it: it.request("GET /x/..{path} HTTP/1.1"),
    "out of the folder": lambda it: it.request("GET {path}/../../../../etc/passwd HTTP/1.1"),
    "encoded parent folder": lambda it: it.request("GET {path}/%2e%2e/%2e%2e/etc/passwd HTTP/1.1"),
    "encoded letter": lambda it: it.request(f"GET /%{ord(it.path[1:2] or 'i'):02x}{it.path[2:]} HTTP/1.1"),
    "backslashes": lambda it: it.request("GET {path}\\..\\x HTTP/1.1"),
    "a parameter": lambda it: it.request("GET {path};x=1 HTTP/1.1"),
    "one folder more": lambda it: it.request("GET {path}/x/y HTTP/1.1"),
    "null byte": lambda it: it.request("GET {path}\x00 HTTP/1.1"),
    "header in the target": lambda it: it.request("GET {path}\rX: y HTTP/1.1"),
    "two ways of saying the length": lambda it: it.request(
        "POST {path} HTTP/1.1", extra="Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"
    ),
    "two lengths": lambda it: it.request(extra="Content-Length: 0\r\nContent-Length: 5\r\n"),
    "a space before the colon": lambda it: it.request(extra="Origin : https://attacker.example\r\n"),
    "a folded header": lambda it: it.request(extra="X-A: b\r\n Origin: https://attacker.example\x00\r\n"),
    "waits for 100": lambda it: it.request(
        "POST {path} HTTP/1.1", extra="Content-Length: 9\r\nExpect: 100-continue\r\n"
    ),
    "TLS": lambda it: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "HTTP/2": lambda it: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an enormous header": lambda it: it.request(extra=f"X-A: {'a' * 100_000}\r\n"),
    "an enormous key": lambda it: it.request(**{it.key: "a" * 100_000}),
    "many headers": lambda it: it.request(extra="".join(f"X-{n}: a\r\n" for n in range(5000))),
    "an enormous target": lambda it: it.request(f"GET /{'a' * 100_000} HTTP/1.1"),
}  # fmt: skip

LISTENERS = ("endpoint", "imds", "agent-endpoint", "dashboard")


@contextlib.contextmanager
def listening(name: str, home: Path) -> Iterator[Listener]:
    with Lab() as lab:
        if name == "dashboard":
            with _dashboard(Environment.of(lab.make_home(home))) as found:
                yield found
            return
        with opened(name, lab, home, os.environ.__setitem__) as door:
            assert isinstance(door, HttpDoor)
            answer = door.ask()
            assert answer.ok
            _, path, headers = door.calls[-1]
            if name == "imds":
                headers = {"X-aws-ec2-metadata-token": _imds_token(door.port)}
            (key,) = headers
            yield Listener(door.port, path, key, headers, (answer.secret, answer.token, headers[key]))


def _imds_token(port: int) -> str:
    line = f"PUT /latest/api/token HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\n"
    return _nobody(port).send(f"{line}Connection: close\r\n\r\n".encode())[1].partition(b"\r\n\r\n")[2].decode()


@contextlib.contextmanager
def _dashboard(environment: Environment) -> Iterator[Listener]:
    made: list[tuple[Dashboard, asyncio.AbstractEventLoop]] = []
    ready = threading.Event()

    async def main() -> None:
        made.append((Dashboard(lambda: environment), asyncio.get_running_loop()))
        ready.set()
        await made[0][0].serve()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(60)
    dashboard, loop = made[0]
    try:
        target = dashboard.guard.link().partition(str(dashboard.port))[2]
        head = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{dashboard.port}\r\nConnection: close\r\n\r\n"
        answer = _nobody(dashboard.port).send(head.encode())[1]
        cookie = answer.lower().partition(b"set-cookie: ")[2].partition(b";")[0]
        start = answer.lower().index(cookie)
        given = answer[start : start + len(cookie)].decode()
        yield Listener(dashboard.port, "/", "Cookie", {"Cookie": given}, (given.partition("=")[2],))
    finally:
        loop.call_soon_threadsafe(dashboard.stop)
        thread.join()


def _nobody(port: int) -> Listener:
    return Listener(port, "/", "X", {"X": ""}, ())


@pytest.fixture(scope="module")
def listeners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Listener]]:
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(listening(name, tmp_path_factory.mktemp(name))) for name in LISTENERS}


@pytest.mark.parametrize("name", LISTENERS)
def test_an_honest_client_is_served(listeners: dict[str, Listener], name: str) -> None:
    it = listeners[name]
    for host in ("127.0.0.1:{port}", "localhost:{port}", *(() if name == "dashboard" else ("127.0.0.1", "localhost"))):
        status, received = it.send(it.request(Host=host))
        assert status == 200
        assert name == "dashboard" or all(secret.encode() in received for secret in it.secrets[:2])


@pytest.mark.parametrize("name", LISTENERS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_gets_nothing_and_stops_nobody(listeners: dict[str, Listener], name: str, attack: str) -> None:
    it = listeners[name]
    status, received = it.send(ATTACKS[attack](it))
    assert status == 0 or 400 <= status < 600
    assert not [secret for secret in it.secrets if secret.encode() in received]
    head = received.partition(b"\r\n\r\n")[0].lower()
    assert not [word for word in (b"access-control", b"location:", b"set-cookie") if word in head]
    assert it.send(it.request())[0] == 200, "the next honest client was not served"


def test_a_slow_request_is_hung_up_on_everywhere(listeners: dict[str, Listener]) -> None:
    with contextlib.ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", it.port), timeout=30))
            for it in listeners.values()
        ]
        for each in slow:
            each.sendall(b"GET / HTTP/1.1\r\nX: ")
        for it in listeners.values():
            assert it.send(it.request())[0] == 200, "a slow client holds up the others"
        for each in slow:
            with contextlib.suppress(ConnectionResetError):
                while each.recv(65536):
                    pass


@pytest.mark.parametrize("name", LISTENERS)
def test_keys_are_compared_in_constant_time(
    listeners: dict[str, Listener], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    it, compared = listeners[name], []
    right = it.headers[it.key].rpartition("=" if name == "dashboard" else ".")[2]
    plain = hmac.compare_digest

    def compare(one: Any, other: Any) -> bool:
        compared.append({part if isinstance(part, str) else part.decode("latin-1") for part in (one, other)})
        return plain(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert it.send(it.request(**{it.key: it.headers[it.key][:-1] + "~"}))[0] >= 400
    assert any(right in pair and len(pair) == 2 for pair in compared)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel tells who asks on Linux")
def test_another_user_of_this_machine_gets_nothing(listeners: dict[str, Listener]) -> None:
    """Knowing everything but the key, which lies in files and in the memory of this user's processes; for IMDS, which has none,
    knowing all."""
    script = """
import encodings.idna, os, shutil, socket, sys
os.setuid(65534)
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20)
connection.sendall(sys.stdin.buffer.read())
shutil.copyfileobj(connection.makefile("rb"), sys.stdout.buffer)
"""
    for name, it in listeners.items():
        raw = it.request() if name == "imds" else it.request(without=it.key)
        done = subprocess.run([sys.executable, "-c", script, str(it.port)], input=raw, capture_output=True, timeout=60)
        assert done.stdout.startswith((b"HTTP/1.1 401", b"HTTP/1.1 403")), (name, done.stderr)
        assert not [secret for secret in it.secrets if secret.encode() in done.stdout]
