"""TLS in front of the lab, as a proxy that opens TLS or an endpoint of one's own has it: with a good certificate or a bad one."""

from __future__ import annotations

import contextlib
import ipaddress
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Authority:
    """A certificate authority of one's own; `bundle` is the file that makes its certificates trusted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test's own authority")])
        made = self._builder(self._name, self._key, timedelta(days=1))
        signed = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(
            self._key, hashes.SHA256()
        )
        self.bundle = folder / "authority.pem"
        self.bundle.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def certificate(
        self, name: str = "localhost", *, ends_in: timedelta = timedelta(days=1), own: bool = False
    ) -> Path:
        """Key and certificate for `name` in one file; `own`: signed by itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        made = self._builder(subject, key, ends_in).issuer_name(subject if own else self._name)
        names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]
        signed = made.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(
            key if own else self._key, hashes.SHA256()
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file = self.folder / f"{name}-{signed.serial_number}.pem"
        file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
        return file

    def _builder(self, subject: x509.Name, key: Any, ends_in: timedelta) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(subject).public_key(key.public_key())
        if subject == self._name:
            made = made.issuer_name(subject)
        return (
            made.serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + ends_in)
        )


class Front:
    """Listens on loopback, opens TLS and passes everything on to `target`. `resets`: so many handshakes are cut off first."""

    def __init__(self, certificate: Path, target: tuple[str, int], resets: int = 0) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._target = target
        self.resets = resets
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self.url = f"https://localhost:{self._listener.getsockname()[1]}"
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Front:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _start(self, work: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            if self.resets > 0:
                self.resets -= 1
                connection.recv(1)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()  # a reset, not an end
            else:
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with (
            contextlib.suppress(OSError),
            connection,
            self._context.wrap_socket(connection, server_side=True) as near,
            socket.create_connection(self._target) as far,
        ):
            self._relay(near, far)

    def _relay(self, near: ssl.SSLSocket, far: socket.socket) -> None:
        while not self._ended.is_set():
            ready = [near] if near.pending() else select.select([near, far], [], [], 0.1)[0]
            for each in ready:
                data = each.recv(65536)
                if not data:
                    return
                (far if each is near else near).sendall(data)


@contextlib.contextmanager
def front(certificate: Path, lab_url: str, resets: int = 0) -> Iterator[Front]:
    host, _, port = lab_url.removeprefix("http://").strip("/").partition(":")
    with Front(certificate, (host, int(port)), resets) as running:
        yield running
