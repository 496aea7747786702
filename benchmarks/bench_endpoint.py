"""The agent's container endpoint under 1 and 1,000 clients at once, against a bare asyncio server that answers the same bytes unasked.

What the endpoint does more than the bare one: it reads the whole request, checks token, Host, Origin and forwarding, judges freshness, and
counts. The rounds of both alternate; a ratio is the median of the rounds' own ratios.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from load import Load, put

from unexpire.delivery import agent_protocol
from unexpire.lab import Lab

ROUNDS = 3
SECONDS = 3.0
CROWDS = (1, 1000)


@dataclass(frozen=True)
class Row:
    """`ours` and `bare`: the median rounds; `ratio`: the endpoint's requests a second over the bare server's."""

    ours: Load
    bare: Load
    ratio: float


def measure(rounds: int = ROUNDS, seconds: float = SECONDS) -> list[Row]:
    with Lab() as lab, tempfile.TemporaryDirectory() as folder:
        environment = lab.make_home(Path(folder)) | {"PATH": os.environ["PATH"]}
        with agent(environment, ["role"]) as ask:
            given = ask({"op": "endpoint", "profile": "role"})
            url, token = urlsplit(given["url"]), Path(given["token_file"]).read_text().strip()
            assert url.port is not None
            request = (
                f"GET {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nAuthorization: {token}\r\nAccept: application/json\r\n\r\n"
            ).encode()
            with _bare(_answer_of(url.port, request)) as bare_port:
                return [_row(url.port, bare_port, request, clients, rounds, seconds) for clients in CROWDS]


def _row(port: int, bare_port: int, request: bytes, clients: int, rounds: int, seconds: float) -> Row:
    pairs = [
        (
            put(port, request, clients=clients, seconds=seconds),
            put(bare_port, request, clients=clients, seconds=seconds),
        )
        for _ in range(rounds)
    ]
    refused = sum(ours.refused for ours, _ in pairs)
    if refused:
        raise SystemExit(f"the endpoint refused {refused} requests of {clients} clients")
    pairs.sort(key=lambda pair: pair[0].per_second)
    ours, bare = pairs[len(pairs) // 2]
    return Row(ours, bare, statistics.median(ours.per_second / bare.per_second for ours, bare in pairs))


@contextmanager
def agent(environment: dict[str, str], profiles: list[str]) -> Iterator[Callable[[dict[str, str]], dict[str, Any]]]:
    """An agent in a process of its own, ready for questions; ended at the end."""
    command = [sys.executable, "-m", "unexpire", "agent", *profiles]
    home = environment["HOME"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "listening on" in line:
                break
        else:
            raise SystemExit(f"the agent ended with {process.wait()}")
        path = agent_protocol.socket_path(environment, home)

        def ask(question: dict[str, str]) -> dict[str, Any]:
            answer = agent_protocol.ask(path, question, timeout_s=60)
            if answer is None or answer[0] != 200:
                raise SystemExit(f"the agent does not answer {question['op']}: {answer and answer[0]}")
            return {"pid": process.pid} | answer[1]

        yield ask
    finally:
        process.terminate()
        process.communicate(timeout=30)


_BARE = """
import asyncio, sys
answer = sys.stdin.buffer.read()
async def serve(reader, writer):
    try:
        while await reader.readuntil(b"\\r\\n\\r\\n"):
            writer.write(answer)
    except (asyncio.IncompleteReadError, OSError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@contextmanager
def _bare(answer: bytes) -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", _BARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(answer)
        process.stdin.close()
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _answer_of(port: int, request: bytes) -> bytes:
    """The endpoint's answer, whole: what the bare server is to repeat. Its session is the lab's, good for nothing elsewhere."""

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = await reader.readexactly(int(length.partition(b":")[2]))
        writer.close()
        if not head.startswith(b"HTTP/1.1 200") or "SecretAccessKey" not in json.loads(body):
            raise SystemExit("the endpoint gives no credentials")
        return head + body

    return asyncio.run(ask())


def main() -> None:
    for row in measure():
        for name, load in (("the agent's endpoint", row.ours), ("a bare asyncio server", row.bare)):
            print(
                f"{load.clients:5} clients  {name:22} {load.per_second:7.0f} requests/s"
                f"  p50 {load.p50_ms:7.2f} ms  p99 {load.p99_ms:7.2f} ms"
            )
        print(f"{'':15}{row.ratio:.2f} × the bare server's")


if __name__ == "__main__":
    main()
