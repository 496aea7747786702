"""Which client comes through which door, and how it is started there."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from install import Installed

CLIENTS = Path(__file__).parent / "clients"
SOURCE = "role"
"""The lab's profile whose sessions everything here lives on: an assumed role."""
DOOR = "door"
"""The profile that a client uses where its door is a file or a process."""
UNEXPIRE = [sys.executable, "-m", "unexpire"]

DOORS = {
    "endpoint": "unexpire run: the container endpoint",
    "imds": "unexpire run --imds: the instance metadata service",
    "process": "credential_process = unexpire credential-process",
    "file": "unexpire sync --watch: the credentials file",
    "session": "unexpire.boto3_session and its twins",
}


@dataclass(frozen=True)
class Client:
    """needs: what has to be installed. pace: seconds between calls. weight: of the machine that it takes."""

    name: str
    words: tuple[str, ...]
    doors: tuple[str, ...]
    needs: tuple[str, ...]
    virtual: tuple[str, ...] = ()
    pace: float = 1.5
    weight: int = 1
    homeless: bool = False
    """Kept away from the AWS files of the home that unexpire itself reads."""
    late: bool = False
    """Asks a credential process only when the last session has ended."""


@dataclass(frozen=True)
class Case:
    client: Client
    door: str
    virtual: bool = False

    @property
    def name(self) -> str:
        return f"{self.client.name} / {self.door}{' / virtual' if self.virtual else ''}"

    @property
    def outages(self) -> bool:
        """Whether STS fails now and then. A process is asked when the SDK's own window opens; nobody renews ahead of that, so an
        outage at this very moment is felt: in real time by SDKs that have no window, on the faked clock by all."""
        return self.door != "process" or not (self.client.late or self.virtual)

    @property
    def bucket(self) -> str:
        """One for each case: moto's S3 is one for all labs of a process, and does not bear two writers of one key."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower())


def clients(there: Installed) -> tuple[Client, ...]:
    sdk, aio = there.python("sdk"), there.python("aio")
    command = (sys.executable, str(CLIENTS / "with_command.py"))
    listing = ("s3api", "list-objects-v2", "--endpoint-url", "{url}", "--bucket", "{bucket}", "--max-items", "1")
    most = ("endpoint", "imds", "process")
    return (
        # botocore takes a session of IMDS that has less than 15 minutes left for one that a failing IMDS repeats, and goes on with
        # it for 17 to 25 minutes: no short session can be served to it there, and the virtual hours are what counts.
        Client("boto3", _script(sdk, "boto3"), ("endpoint", "process", "session"), ("sdk",), virtual=(*most, "session")),
        Client(
            "aiobotocore", _script(aio, "aiobotocore"), ("endpoint", "process", "session"), ("aio",),
            virtual=("endpoint", "session"),
        ),
        Client("s3fs", _script(aio, "s3fs"), ("endpoint", "process", "session"), ("aio",), virtual=("session",)),
        Client(
            "AWS CLI 1", (*command, there.python("cli").replace("python", "aws"), *listing), (*most, "file"), ("cli",),
            pace=5, weight=4,
        ),
        # Debian's 2.9.19 puts the paths of IMDS right behind the endpoint, without a slash between them.
        Client(
            "AWS CLI 2", (*command, "/usr/bin/aws", *listing), ("endpoint", "process", "file"), ("awscli",), pace=5, weight=5
        ),
        Client("awscrt", _script(sdk, "awscrt"), ("endpoint", "process"), ("sdk",), virtual=("endpoint",)),
        # The C++ SDK looks at IMDS every five minutes, whatever end it was told.
        Client("pyarrow (C++)", _script(sdk, "pyarrow"), ("endpoint", "process"), ("sdk",), virtual=most, late=True),
        Client("obstore (Rust)", _script(sdk, "obstore"), ("endpoint", "imds"), ("sdk",), virtual=("endpoint", "imds")),
        # polars takes keys out of ~/.aws/credentials, of whatever profile comes first, before it looks at anything else.
        Client(
            "polars (Rust)", _script(sdk, "polars"), ("endpoint", "imds"), ("sdk",), homeless=True
        ),
        Client(
            "JavaScript SDK 3", ("node", str(CLIENTS / "with_javascript.mjs")), most, ("node",),
            virtual=most,
        ),
        Client("Go SDK 2", (str(there.go_client),), most, ("go",), late=True),
        Client("rclone (Go SDK 1)", _script(sys.executable, "rclone"), most, ("rclone",), late=True),
        Client("restic (minio-go)", _script(sys.executable, "restic"), ("endpoint",), ("restic",), pace=3, weight=3),
    )  # fmt: skip


def _script(python: str, name: str) -> tuple[str, ...]:
    return python, str(CLIENTS / f"with_{name}.py")


def variables(case: Case, there: Installed, lab: dict[str, str], url: str, home: Path) -> dict[str, str]:
    """The environment that the client's command starts in: the lab's, nothing of the caller's AWS settings."""
    kept = {
        n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "XDG_", "UNEXPIRE_", "RCLONE_", "RESTIC_"))
    }
    ours = {
        "CONFORMANCE_URL": url,
        "CONFORMANCE_BUCKET": case.bucket,
        "CONFORMANCE_DOOR": case.door,
        "CONFORMANCE_NODE_MODULES": str(there.node_modules),
        "PYTHONPATH": str(CLIENTS),
        "AWS_PAGER": "",
        "UNEXPIRE_CACHE_DIR": str(home / "sessions"),
    }
    if case.door in ("process", "file"):
        ours |= {"AWS_PROFILE": DOOR, "AWS_SDK_LOAD_CONFIG": "1"}
    if case.door == "session":
        ours["CONFORMANCE_SESSION"] = SOURCE
    return kept | lab | ours


def command(case: Case, url: str, home: Path) -> list[str]:
    """The words to start the client with, through its door."""
    words = [word.format(url=url, bucket=case.bucket) for word in case.client.words]
    unexpire = UNEXPIRE
    if case.virtual:
        # Python waits for locks with sem_clockwait, which Debian's libfaketime does not know: on a faked monotonic clock every wait of
        # the keeper would last as long as the clock is ahead. For the client it stays faked: without it, time.sleep fails.
        words = ["env", "--unset=DONT_FAKE_MONOTONIC", *words]
        unexpire = ["env", "DONT_FAKE_MONOTONIC=1", *UNEXPIRE]
    if case.client.homeless:
        words = ["env", f"HOME={home / 'nowhere'}", *words]
    if case.door == "endpoint":
        return [*unexpire, "run", "--profile", SOURCE, "--", *words]
    if case.door == "imds":
        # The endpoint comes first in every SDK's chain, so it has to be out of the way.
        unset = [
            f"--unset=AWS_CONTAINER_{n}"
            for n in ("CREDENTIALS_FULL_URI", "AUTHORIZATION_TOKEN", "AUTHORIZATION_TOKEN_FILE")
        ]
        return [*unexpire, "run", "--imds", "--profile", SOURCE, "--", "env", *unset, *words]
    return words


def companion(case: Case) -> list[str] | None:
    """What has to run beside the client."""
    return [*UNEXPIRE, "sync", SOURCE, "--to", DOOR, "--watch"] if case.door == "file" else None


def write_door(case: Case, home: Path) -> None:
    """Add the profile of the door to the AWS files of `home`."""
    lines = [f"\n[profile {DOOR}]", "region = us-east-1"]
    if case.door == "process":
        lines.append(f"credential_process = {' '.join(UNEXPIRE)} credential-process --profile {SOURCE}")
    with (home / ".aws" / "config").open("a") as file:
        file.write("\n".join(lines) + "\n")
