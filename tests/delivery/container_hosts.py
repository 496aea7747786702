"""Hosts with a network and mounts of their own, as a container engine makes them for a container, and programs on them.

Each lives in the namespaces of one process, and ends with it: no name, no mount and no interface is left behind, however a test
ends. The lab stays on this machine's own loopback; `Host.reach` leads to it, as the route out of a container leads to AWS.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from unexpire.lab import Lab

_LONGEST_S = 300
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET, sched.h
_numbers = itertools.count()

INSIDE = "/mnt/unexpire"
"""Where a container finds what is mounted into it."""

_RELAY = """
import asyncio, socket, sys
async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
async def serve(reader, writer):
    there = await asyncio.open_connection("127.0.0.1", int(sys.argv[2]))
    await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))
async def main():
    server = await asyncio.start_server(serve, sock=socket.socket(fileno=int(sys.argv[1])))
    await server.serve_forever()
asyncio.run(main())
"""

_APP = """
import sys, boto3
session, sts = boto3.Session(region_name="eu-central-1"), None
for line in sys.stdin:
    try:
        sts = sts or session.client("sts")
        print("ok " + sts.get_caller_identity()["Arn"], flush=True)
    except Exception as error:
        print(f"{type(error).__name__}: {error}".replace("\\n", " "), flush=True)
"""


def what_is_missing() -> str | None:
    """Why there can be no such hosts here; None where there can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "network namespaces take root on Linux"
    missing = [program for program in ("ip", "unshare", "nsenter", "mount", "setpriv") if not shutil.which(program)]
    if missing:
        return f"not installed: {', '.join(missing)} (apt-get install iproute2 util-linux)"
    tried = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"namespaces are not allowed here: {tried.stderr.strip()}"


class Host:
    """A context manager. `process` holds the namespaces; what was started on it is ended before it."""

    def __enter__(self) -> Host:
        script = f"mount -t tmpfs tmpfs /mnt && ip link set lo up && echo ready && exec sleep {_LONGEST_S}"
        line = ["unshare", "--net", "--mount", "sh", "-c", script]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._started: list[subprocess.Popen[str]] = []
        assert self.process.stdout
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*reversed(self._started), self.process]:
            process.kill()
            process.communicate()

    def line(self, *words: str, mounts: bool = True) -> list[str]:
        """How a program is started here; without `mounts`, with the files of this machine: a sidecar that sees more."""
        kinds = ["--net", "--mount"] if mounts else ["--net"]
        return ["nsenter", "-t", str(self.process.pid), *kinds, "--", *words]

    def do(self, *words: str) -> str:
        """Run a command here and return its output; fails with the command."""
        done = subprocess.run(self.line(*words), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def mount(self, folder: Path) -> None:
        """Show `folder` at INSIDE."""
        self.do("mkdir", INSIDE)
        self.do("mount", "--bind", str(folder), INSIDE)

    def hide(self, folder: Path) -> None:
        """Let nothing of `folder` be seen here."""
        self.do("mount", "-t", "tmpfs", "tmpfs", str(folder))

    def start(
        self, line: list[str], variables: Mapping[str, str], *, fds: tuple[int, ...] = ()
    ) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            line, env=dict(variables), stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True, pass_fds=fds
        )
        self._started.append(process)
        return process

    def reach(self, port: int, *, at: str = "127.0.0.1") -> None:
        """From now on, `at`:`port` here is 127.0.0.1:`port` of this machine."""
        self._relay(port, at, [])

    def forward(self, port: int, *, at: str) -> None:
        """From now on, `at`:`port` here is 127.0.0.1:`port` here: a port that somebody made reachable from outside."""
        self._relay(port, at, self.line(mounts=False))

    def tunnel(self, port: int, to: Host) -> None:
        """From now on, 127.0.0.1:`port` here is 127.0.0.1:`port` on the host `to`."""
        self._relay(port, "127.0.0.1", to.line(mounts=False))

    def _relay(self, port: int, at: str, prefix: list[str]) -> None:
        with ThreadPoolExecutor(1) as aside:
            listener = aside.submit(self._listen, at, port).result()
        with listener:
            number = str(listener.fileno())
            line = [*prefix, sys.executable, "-c", _RELAY, number, str(port)]
            self.start(line, os.environ, fds=(listener.fileno(),))

    def _listen(self, address: str, port: int) -> socket.socket:
        """A socket belongs to the network of the thread that made it. Only for a thread that ends after this."""
        assert threading.current_thread() is not threading.main_thread()
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/proc/{self.process.pid}/ns/net") as network:
            if libc.setns(network.fileno(), _NEW_NETWORK) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        return socket.create_server((address, port), backlog=128)


def connect(one: Host, other: Host, addresses: tuple[str, str]) -> None:
    """A cable between two hosts; the `addresses` of its ends, each with the length of its network."""
    number = next(_numbers)
    names = [f"cable{number}a", f"cable{number}b"]
    pids = [str(host.process.pid) for host in (one, other)]
    line = ["link", "add", names[0], "netns", pids[0], "type", "veth", "peer", "name", names[1], "netns", pids[1]]
    subprocess.run(["ip", *line], check=True, timeout=60)
    for host, name, address in zip((one, other), names, addresses, strict=True):
        host.do("ip", "address", "add", address, "dev", name)
        host.do("ip", "link", "set", name, "up")


class App:
    """A boto3 program: one client, which makes a call whenever it is told to."""

    def __init__(self, host: Host, lab: Lab, **variables: str) -> None:
        nothing = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
        line = host.line(sys.executable, "-c", _APP)
        self._process = host.start(line, {**lab.environment(), **nothing, **variables})

    def tell(self) -> None:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def call(self) -> str:
        """``ok ARN``, or the error."""
        self.tell()
        assert self._process.stdout
        return self._process.stdout.readline().strip()


class Agent:
    """An agent with the files of this machine, in the network of `host`."""

    def __init__(self, host: Host, variables: Mapping[str, str], *words: str) -> None:
        self._host, self._variables, self._words = host, variables, words
        self.start()

    def start(self) -> None:
        line = self._host.line(sys.executable, "-m", "unexpire", "agent", *self._words, mounts=False)
        self.process = self._host.start(line, self._variables)
        self.first_line = self._line()
        assert "listening on" in self.first_line, self.first_line

    def _line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()

    @property
    def socket(self) -> Path:
        return Path(self.first_line.split()[3])

    def address(self) -> dict[str, str]:
        """The two variables of a program, as the agent says them at its start; the path of the file is this machine's."""
        said = [self._line().split()[-1] for _ in range(2)]
        return dict(each.split("=", 1) for each in said)

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(20) == 0
