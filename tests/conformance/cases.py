"""Which client comes through which door, and how it is started there."""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

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
    "env": 'eval "$(unexpire env)": variables, for a program that soon ends',
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
    anew: tuple[str, ...] = ()
    """The words where the door is a file: most programs read it at their start only, so it takes one for every call."""
    pace: float = 2.5
    weight: int = 1
    homeless: bool = False
    """Kept away from the AWS files of the home that unexpire itself reads."""
    window_s: int = 900
    """How long before the end of a session it asks a credential process for the next."""


@dataclass(frozen=True)
class Case:
    client: Client
    door: str
    virtual: bool = False

    @property
    def name(self) -> str:
        return f"{self.client.name} / {self.door}{' / virtual' if self.virtual else ''}"

    @property
    def asks_late(self) -> bool:
        """Whether nobody asks for the next session before the last one has ended; outages are put there, or would be missed."""
        return self.door == "process" and self.client.window_s == 0

    @property
    def outages(self) -> bool:
        """Whether STS fails now and then. On the faked clock an outage lasts as long as the window of some SDKs, and a step of the
        clock is longer than unexpire waits for AWS where nothing is held: there an outage says nothing."""
        return not (self.door == "process" and self.virtual and self.client.window_s <= 300)

    @property
    def needs(self) -> tuple[str, ...]:
        return (*self.client.needs, "faketime") if self.virtual else self.client.needs

    @property
    def pace(self) -> float:
        return _PACE_ANEW_S if self.door == "file" and self.client.anew else self.client.pace

    @property
    def weight(self) -> int:
        return _WEIGHT_ANEW if self.door == "file" and self.client.anew else self.client.weight

    @property
    def bucket(self) -> str:
        """One for each case: moto's S3 is one for all labs of a process, and does not bear two writers of one key."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower())


_PACE_ANEW_S, _WEIGHT_ANEW = 9, 4


def clients(there: Installed) -> tuple[Client, ...]:
    sdk, aio = there.python("sdk"), there.python("aio")
    command, anew = ((sys.executable, str(CLIENTS / f"with_{name}.py")) for name in ("command", "restarts"))
    listing = ("s3api", "list-objects-v2", "--endpoint-url", "{url}", "--bucket", "{bucket}", "--max-items", "1")
    boto3, javascript, go = (
        _script(sdk, "boto3"),
        ("node", str(CLIENTS / "with_javascript.mjs")),
        (str(there.go_client),),
    )
    rust = (str(there.rust_client),)
    ruby, php = ("ruby", str(CLIENTS / "with_ruby.rb")), ("php", str(CLIENTS / "with_php.php"))
    with_variables = ("sh", "-c", f'eval "$({shlex.join(UNEXPIRE)} env --profile {SOURCE} --quiet)" && exec "$@"', "sh")
    s3cmd = ("--config", "nowhere", "--no-ssl", "--host={host}", "--host-bucket={host}", "ls", "s3://{bucket}")
    rclone, restic = _script(sys.executable, "rclone"), _script(sys.executable, "restic")
    # As little as possible to compile: what is looked at is waiting for sessions to end.
    java = ("java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", there.java_classes, "Conformance")
    most = ("endpoint", "imds", "process")
    return (
        # botocore takes a session of IMDS that has less than 15 minutes left for one that a failing IMDS repeats, and goes on with
        # it for 17 to 25 minutes: no short session can be served to it there, and the virtual hours are what counts.
        Client(
            "boto3", boto3, ("endpoint", "process", "file", "session"), ("sdk",), virtual=(*most, "session"),
            anew=(*anew, *boto3),
        ),
        Client(
            "aiobotocore", _script(aio, "aiobotocore"), ("endpoint", "process", "session"), ("aio",),
            virtual=("endpoint", "imds", "session"), pace=3,
        ),
        Client("s3fs", _script(aio, "s3fs"), ("endpoint", "process", "session"), ("aio",), virtual=("session",)),
        Client(
            "AWS CLI 1", (*command, there.python("cli").replace("python", "aws"), *listing), (*most, "file"), ("cli",),
            pace=9, weight=4,
        ),
        # Debian's 2.9.19 puts the paths of IMDS right behind the endpoint, without a slash between them.
        Client(
            "AWS CLI 2", (*command, "/usr/bin/aws", *listing), ("endpoint", "process", "file"), ("awscli",), pace=9, weight=4
        ),
        Client("awscrt", _script(sdk, "awscrt"), ("endpoint", "process"), ("sdk",), virtual=("endpoint",), window_s=300),
        # The C++ SDK looks at IMDS every five minutes, whatever end it was told.
        Client("pyarrow (C++)", _script(sdk, "pyarrow"), ("endpoint", "process"), ("sdk",), virtual=most, window_s=300),
        Client("obstore (Rust)", _script(sdk, "obstore"), ("endpoint", "imds"), ("sdk",), virtual=("endpoint", "imds")),
        # polars takes keys out of ~/.aws/credentials, of whatever profile comes first, before it looks at anything else.
        Client(
            "polars (Rust)", _script(sdk, "polars"), ("endpoint", "imds"), ("sdk",), homeless=True
        ),
        Client(
            "JavaScript SDK 3", javascript, (*most, "file"), ("node",), virtual=most, anew=(*anew, *javascript), window_s=300,
        ),
        Client("Java SDK 2", java, (*most, "file"), ("java",), window_s=15),
        Client("Rust SDK", rust, (*most, "file"), ("rust",), anew=(*anew, *rust), window_s=10),
        Client("Go SDK 2", go, (*most, "file"), ("go",), anew=(*anew, *go), window_s=0),
        Client("rclone (Go SDK 1)", rclone, (*most, "file"), ("rclone",), anew=(*anew, *rclone), window_s=0),
        # Debian's knows no AWS_CONTAINER_CREDENTIALS_FULL_URI. When IMDS has failed it, it goes on with what it has for five minutes.
        Client(
            "Ruby SDK 3", ruby, ("process", "file"), ("ruby",), virtual=("imds", "process"), anew=(*anew, *ruby), window_s=300,
        ),
        # AsyncAws has no processes, and of the endpoint and IMDS it asks those addresses only that they have in AWS's networks.
        Client("PHP (AsyncAws)", php, ("file",), ("php",), anew=(*anew, *php)),
        # s3cmd reads the credentials file too, but puts what IMDS has in its place wherever there is one: only variables are left alone.
        Client("s3cmd", (*command, *with_variables, "s3cmd", *s3cmd), ("env",), ("s3cmd",), pace=9, weight=4),
        Client("restic (minio-go)", restic, ("endpoint", "file"), ("restic",), anew=(*anew, *restic), pace=3),
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


# Left to itself, libfaketime takes a monotonic clock that is not faked for one that a condition's wait has to be moved against: each such
# wait is over at once. One is CPython's wait for the interpreter's lock, so a second thread would take it at every step of the first.
_REAL_MONOTONIC = ("env", "DONT_FAKE_MONOTONIC=1", "FAKETIME_FORCE_MONOTONIC_FIX=0")
_FAKED_MONOTONIC = ("env", "--unset=DONT_FAKE_MONOTONIC", "--unset=FAKETIME_FORCE_MONOTONIC_FIX")


def command(case: Case, url: str, home: Path) -> list[str]:
    """The words to start the client with, through its door."""
    chosen = case.client.anew if case.door == "file" and case.client.anew else case.client.words
    words = [word.format(url=url, bucket=case.bucket, host=urlsplit(url).netloc) for word in chosen]
    unexpire = UNEXPIRE
    if case.virtual:
        # Python waits for locks with sem_clockwait, which Debian's libfaketime does not know: on a faked monotonic clock every wait of
        # the keeper would last as long as the clock is ahead. For clients in Python it stays faked: without it, time.sleep fails.
        # For others it is not, or a step of the clock would end whatever they have given a second.
        words = [*(_REAL_MONOTONIC if case.client.words[0] in ("node", "ruby") else _FAKED_MONOTONIC), *words]
        unexpire = [*_REAL_MONOTONIC, *UNEXPIRE]
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
        # Python's sleep fails where the monotonic clock is not faked as well, which it is not for every client.
        words = [*_FAKED_MONOTONIC, *UNEXPIRE] if case.virtual else UNEXPIRE
        lines.append(f"credential_process = {' '.join(words)} credential-process --profile {SOURCE}")
    with (home / ".aws" / "config").open("a") as file:
        file.write("\n".join(lines) + "\n")
