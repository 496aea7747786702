"""A wire between a client and a lab that counts the connections made through it, and can be cut or go dead."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from urllib.parse import urlsplit


class Relay:
    """A context manager. `tls`: what it speaks to its clients; to the lab it always speaks plain HTTP."""

    def __init__(self, to: str, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(to)
        self._to = (parts.hostname, parts.port)
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._dead: set[socket.socket] = set()
        self.connections = 0
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Relay:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Close every connection there is, as a server does that is restarted."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for one in (each for pair in pairs for each in pair):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def kill(self) -> None:
        """Carry nothing more on the connections that there are, and tell nobody, as a network does that has forgotten them."""
        with self._lock:
            self._dead |= {each for pair in self._pairs for each in pair}

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                near = near if self._tls is None else self._tls.wrap_socket(near, server_side=True)
                far = socket.create_connection(self._to)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._pairs.append((near, far))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if one not in self._dead:
                    other.sendall(data)
        for each in (one, other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
