"""A bounded load of HTTP requests over connections that stay open: one process, one thread, `epoll` or what the platform has.

Not a benchmark by itself (`bench_*.py` are). It runs as a process of its own, so that it takes none of the server's interpreter:
``python load.py PORT CLIENTS SECONDS < REQUEST``, which prints one line of JSON. Every client sends
its next request when it has the answer to its last.
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_WARM_UP = 0.2
"""The part of the time that is not counted: connections are made, caches filled."""


@dataclass(frozen=True)
class Load:
    """What `clients` saw together: answers a second, and the time to an answer in milliseconds."""

    clients: int
    per_second: float
    p50_ms: float
    p99_ms: float
    refused: int


def put(port: int, request: bytes, *, clients: int, seconds: float) -> Load:
    """Load the server at loopback's `port` from another process."""
    command = [sys.executable, str(Path(__file__)), str(port), str(clients), str(seconds)]
    done = subprocess.run(command, input=request, stdout=subprocess.PIPE, check=True)
    return Load(**json.loads(done.stdout))


def _drive(port: int, request: bytes, clients: int, seconds: float) -> Load:
    selector = selectors.DefaultSelector()
    for _ in range(clients):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, [0.0, b""])
    for key in list(selector.get_map().values()):
        _send(key, request)
    begin = time.perf_counter()
    counted_from, end = begin + seconds * _WARM_UP, begin + seconds
    taken: list[float] = []
    refused = 0
    while (now := time.perf_counter()) < end:
        for key, _ in selector.select(end - now):
            key.data[1] += key.fileobj.recv(65536)  # type: ignore[union-attr]
            if not _complete(key.data[1]):
                continue
            arrived = time.perf_counter()
            if arrived >= counted_from:
                taken.append(arrived - key.data[0])
            refused += not key.data[1].startswith(b"HTTP/1.1 200")
            _send(key, request)
    taken.sort()
    return Load(
        clients,
        len(taken) / (end - counted_from),
        taken[len(taken) // 2] * 1000,
        taken[len(taken) * 99 // 100] * 1000,
        refused,
    )


def _send(key: selectors.SelectorKey, request: bytes) -> None:
    key.data[:] = [time.perf_counter(), b""]
    key.fileobj.sendall(request)  # type: ignore[union-attr]


def _complete(answer: bytes) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        return False
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return len(body) >= int(length.partition(b":")[2])


if __name__ == "__main__":
    _load = _drive(int(sys.argv[1]), sys.stdin.buffer.read(), int(sys.argv[2]), float(sys.argv[3]))
    print(json.dumps(vars(_load)))
