"""How far does a connection to an endpoint get: name, proxy, connect, TLS? Told apart, because each has another remedy."""

from __future__ import annotations

import enum
import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["Reach", "Stage", "trace"]


class Stage(enum.StrEnum):
    """The step that failed, or `reached`."""

    DNS = "dns"
    CONNECT = "connect"
    PROXY = "proxy"
    TLS = "tls"
    PLAIN = "plain"
    ANSWER = "answer"
    REACHED = "reached"


@dataclass(frozen=True, slots=True)
class Reach:
    """How far one connection got. `address` is what the name resolved to; a private one hints at a VPC endpoint."""

    url: str
    stage: Stage
    detail: str
    address: str | None = None
    proxy: str | None = None

    @property
    def private(self) -> bool:
        """Whether AWS's own name led to a private address: an interface VPC endpoint, or a name server that lies."""
        name = urlsplit(self.url).hostname or ""
        try:
            found = ipaddress.ip_address(self.address or "")
        except ValueError:
            return False
        ours = found.is_loopback or found.is_link_local or found.is_unspecified
        # not is_private: a VPC may have addresses of 100.64.0.0/10 too (VPC user guide, "VPC CIDR blocks")
        return self.proxy is None and name != self.address and not found.is_global and not ours


Resolve = Callable[[str, int], Sequence[str]]


def _resolve(host: str, port: int) -> list[str]:
    """One address of each family, in the system's order: a client tries the next where one leads nowhere."""
    first: dict[int, str] = {}
    for family, _, _, _, where in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        first.setdefault(family, str(where[0]))
    return list(first.values())


def trace(
    url: str,
    *,
    proxy: str | None = None,
    ca_bundle: str | None = None,
    timeout: float = 2.0,
    resolve: Resolve = _resolve,
) -> Reach:
    """Connect to `url`'s host, through `proxy` where one is set, and say which step failed. Sends no request and no credential.

    `timeout` in seconds bounds each step. Never raises for what the network does.
    """
    target = urlsplit(url)
    via = urlsplit(proxy if "://" in proxy else f"http://{proxy}") if proxy else None
    first = via or target
    host = first.hostname or ""
    shown = None
    try:
        port = _port(first)
        shown = f"{via.hostname}:{port}" if via else None
    except ValueError:
        return Reach(url, Stage.PROXY if via else Stage.CONNECT, "the port is not a number", proxy=shown)
    try:
        addresses = resolve(host, port)
    except UnicodeError:
        return Reach(url, Stage.PROXY if via else Stage.DNS, f"{host} is no name", proxy=shown)
    except OSError as error:
        stage = Stage.PROXY if via else Stage.DNS
        return Reach(url, stage, f"{host} cannot be resolved: {_words(error)}", proxy=shown)
    failed: Reach | None = None
    for address in addresses:
        try:
            connection = socket.create_connection((address, port), timeout)
            break
        except OSError as error:
            stage = Stage.PROXY if via else Stage.CONNECT
            detail = f"no connection to {address} port {port}: {_words(error)}"
            failed = failed or Reach(url, stage, detail, address, shown)
    else:
        return failed or Reach(url, Stage.PROXY if via else Stage.DNS, f"{host} has no address", proxy=shown)
    with connection:
        if target.scheme == "https" and via is None:
            try:
                context = ssl.create_default_context(cafile=ca_bundle)
                context.wrap_socket(connection, server_hostname=host).close()
            except ssl.SSLError as error:
                reason = getattr(error, "verify_message", "") or error.reason or "handshake failed"
                if reason == "WRONG_VERSION_NUMBER":
                    return Reach(url, Stage.PLAIN, f"{host} port {port} does not speak TLS", address, shown)
                return Reach(url, Stage.TLS, f"{host}: {reason}", address, shown)
            except (OSError, ValueError) as error:
                words = _words(error) if isinstance(error, OSError) else "the handshake failed"
                return Reach(url, Stage.TLS, f"{host}: {words}", address, shown)
    return Reach(url, Stage.REACHED, f"{host} port {port} takes connections", address, shown)


def _port(parts: object) -> int:
    port = getattr(parts, "port", None)
    return int(port) if port else (443 if getattr(parts, "scheme", "") == "https" else 80)


def _words(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    return (error.strerror or str(error) or type(error).__name__).lower()
