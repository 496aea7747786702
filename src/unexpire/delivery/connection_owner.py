"""Which user opened a loopback connection: asked of the Linux kernel, as a network address says nothing about it."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys

__all__ = ["connection_owner"]

_SOCK_DIAG, _BY_FAMILY, _REQUEST = 4, 20, 1
_LENGTH_OF_ID, _ANY = 48, 0xFFFFFFFF

Address = tuple[str, int]


def connection_owner(peer: Address, port: int) -> int | None:
    """The user id that owns the client's end of a connection to 127.0.0.1:`port`; None where the system does not tell.

    Asks sock_diag(7) for the one socket, which takes a fifth of a millisecond; where a sandbox forbids that, reads the table of all of
    them, ``/proc/net/tcp`` (proc(5)).
    """
    if not sys.platform.startswith("linux"):
        return None
    local = ("127.0.0.1", port)
    with contextlib.suppress(OSError, struct.error):
        return _from_netlink(peer, local)
    with contextlib.suppress(OSError, ValueError):
        return _from_table(peer, local)
    return None


def _from_netlink(peer: Address, local: Address) -> int | None:
    """One inet_diag_req_v2 there, one inet_diag_msg back (linux/inet_diag.h). None for a socket that there is not."""
    padding = bytes(12)
    ports = struct.pack("!HH", peer[1], local[1])
    addresses = socket.inet_aton(peer[0]) + padding + socket.inet_aton(local[0]) + padding
    wanted = ports + addresses + struct.pack("=III", 0, _ANY, _ANY)
    request = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY) + wanted
    header = struct.pack("=IHHII", 16 + len(request), _BY_FAMILY, _REQUEST, 1, 0)
    family = getattr(socket, "AF_NETLINK", 16)
    with socket.socket(family, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        kernel.settimeout(1)
        kernel.sendto(header + request, (0, 0))
        answer = kernel.recv(4096)
    if struct.unpack_from("=IHHII", answer)[1] != _BY_FAMILY:
        return None
    return int(struct.unpack_from("=IIIII", answer, 16 + 4 + _LENGTH_OF_ID)[3])


def _from_table(peer: Address, local: Address) -> int | None:
    mine, theirs = _kernel_address(peer), _kernel_address(local)
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table:
            fields = line.split()
            if len(fields) > 7 and fields[1] == mine and fields[2] == theirs:
                return int(fields[7])
    return None


def _kernel_address(address: Address) -> str:
    return f"{int.from_bytes(socket.inet_aton(address[0]), sys.byteorder):08X}:{address[1]:04X}"
