"""Listening sockets that only this machine reaches."""

from __future__ import annotations

import socket

__all__ = ["answers", "bind", "bind_loopback"]


def bind_loopback(port: int = 0) -> socket.socket:
    """A listening socket on 127.0.0.1 (IPv4, because the CRT resolves to nothing else). Port 0 lets the system choose.

    It listens from the start, so that a client that comes before the server runs waits in the backlog instead of being refused.
    """
    return bind("127.0.0.1", port)


def bind(address: str, port: int) -> socket.socket:
    """A listening socket on an IPv4 address of this machine. Raises OSError where it has no such address."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(1024)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def answers(port: int, patience_s: float) -> bool:
    """Whether the server of a listening socket on 127.0.0.1 says anything, be it a refusal; waits for it so long."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=patience_s) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return bool(connection.recv(1))
    except OSError:
        return False
