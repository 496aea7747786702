"""What the conformance runs need, installed below build/conformance and nowhere else, but for Debian's packages where one is root.

Installs go on while the first cases run: a case waits for what it needs itself. What cannot be had is skipped, with the reason;
nothing here fails a run.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = Path(__file__).parent / "clients"
# botocore is pinned by each of these differently, so that they cannot share an environment. The extra [boto3] says which boto3 goes
# with aiobotocore's botocore; pip would try them one after the other.
VENVS: dict[str, tuple[str, ...]] = {
    "sdk": ("boto3", "awscrt", "pyarrow", "obstore", "polars"),
    "aio": ("aiobotocore[boto3]", "s3fs", "pytest", "pytest-timeout"),
    "aioboto3": ("aioboto3>=15", "pytest", "pytest-timeout"),
    "login": ("hypothesis", "pytest", "pytest-timeout"),
    "cli": ("awscli",),
}
_WITH_UNEXPIRE = {"sdk": "", "aio": "[lab]", "aioboto3": "[lab]", "login": "[lab,login]"}
_QUIET = {"DEBIAN_FRONTEND": "noninteractive"}
_FAKETIME = f"/usr/lib/{platform.machine()}-linux-gnu/faketime/libfaketime.so.1"
# The package, and a command that succeeds where it is installed.
DEBIAN: dict[str, tuple[str, tuple[str, ...]]] = {
    "faketime": ("faketime", ("test", "-e", _FAKETIME)),
    "awscli": ("awscli", ("sh", "-c", "/usr/bin/aws --version | grep -q ^aws-cli/2")),
    "rclone": ("rclone", ("rclone", "version")),
    "restic": ("restic", ("restic", "version")),
    "s3cmd": ("s3cmd", ("s3cmd", "--version")),
    "ruby": ("ruby-aws-sdk-s3", ("ruby", "-e", "require 'aws-sdk-s3'")),
    "php": ("php-async-aws-sqs php-cli", ("php", "-r", "require 'AsyncAws/Sqs/autoload.php';")),
}
_GO = ("config@v1.31.0", "service/s3@v1.88.0")
_LANES = (("sdk", "node", "go", "java"), ("debian", "aio", "cli", "rust", "aioboto3", "login"))
"""Two at a time; first what the runs on the faked clock need, which take twice as long as those in real time."""


@dataclass
class Installed:
    """What is there by now. `why` says of what is not, why it is not."""

    folder: Path
    why: dict[str, str] = field(default_factory=dict)
    _tried: set[str] = field(default_factory=set)
    _change: threading.Condition = field(default_factory=threading.Condition)

    def python(self, venv: str) -> str:
        return str(self.folder / venv / "bin" / "python")

    @property
    def node_modules(self) -> Path:
        return self.folder / "js" / "node_modules"

    @property
    def go_client(self) -> Path:
        return self.folder / "go" / "client"

    @property
    def rust_client(self) -> Path:
        return self.folder / "rust" / "target" / "debug" / "conformance"

    @property
    def java_classes(self) -> str:
        """The class path of the Java client."""
        return f"{self.folder / 'java' / 'classes'}:{self.folder / 'java' / 'lib' / '*'}"

    @property
    def faketime(self) -> str:
        return _FAKETIME

    def tried(self, *needs: str) -> bool:
        """Whether all of `needs` (names of venvs, Debian packages, ``go``, …) are there or cannot be had."""
        with self._change:
            return self._tried.issuperset(needs)

    def missing(self, *needs: str) -> str | None:
        """Why one of `needs` is not there; None if all are. Waits until they have been tried."""
        with self._change:
            self._change.wait_for(lambda: self._tried.issuperset(needs))
            return next((self.why[need] for need in needs if need in self.why), None)

    def settle(self, needs: Iterable[str], why: str | None = None) -> None:
        """These are there, or are not, for this reason."""
        with self._change:
            if why:
                self.why.update(dict.fromkeys(needs, why))
            self._tried.update(needs)
            self._change.notify_all()


def install(folder: Path, wheel: str, wanted: set[str]) -> Installed:
    """Begin to install what is `wanted`, keeping what an earlier run left. `wheel` is what pip is given for unexpire."""
    folder.mkdir(parents=True, exist_ok=True)
    there = Installed(folder)
    steps: dict[str, Callable[[], str | None]] = {
        "node": lambda: _node(folder / "js"),
        "go": lambda: _go(folder / "go"),
        "java": lambda: _java(folder / "java"),
        "rust": lambda: _rust(folder / "rust"),
    }
    for name in VENVS:
        steps[name] = lambda name=name: _venv(folder / name, name, wheel)  # type: ignore[misc]

    def work(lane: tuple[str, ...]) -> None:
        for name in lane:
            began = time.monotonic()
            if name in wanted:
                there.settle([name], _attempt(name, steps[name]))
            elif name == "debian" and not wanted.isdisjoint(DEBIAN):
                _debian(there, sorted(wanted.intersection(DEBIAN)))
            else:
                continue
            print(f"{name}: {there.why.get(name, 'installed')}, {time.monotonic() - began:.0f} s", flush=True)

    for lane in _LANES:
        threading.Thread(target=work, args=(lane,), daemon=True).start()
    return there


def _attempt(name: str, work: Callable[[], str | None]) -> str | None:
    try:
        return work()
    except Exception as error:  # nothing here fails a run, and whoever waits for it has to hear of it
        return f"{name} could not be installed: {' '.join(str(error).split())[:200] or type(error).__name__}"


def _run(*words: str, cwd: Path | None = None, timeout: float = 900, by: int = 2, **variables: str) -> None:
    """Run it, giving way `by` so much to the programs that are being measured: SDKs allow an endpoint a second. Raises RuntimeError with a
    sentence about what went wrong, for it is what the table shows of a skipped case."""
    try:
        done = subprocess.run(
            [*polite(by), *words],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd=cwd,
            timeout=timeout,
            env={**os.environ, **variables},
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{Path(words[0]).name} had not ended after {timeout:.0f} s") from None
    if done.returncode:
        why = _why(done.stderr or done.stdout)
        raise RuntimeError(f"{Path(words[0]).name} ended with exit code {done.returncode}{why}")


def _why(said: str) -> str:
    """The line in which a program says what went wrong: the first error, for npm, Maven and cargo go on to say where to read more;
    else the last line, which is apt's and Go's."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    first = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "")
    return f": {first}" if first else ", without a word"


def polite(by: int) -> tuple[str, ...]:
    """The words that let a command give way to others, from 1, a little, to 19."""
    return ("nice", "-n", str(by)) if shutil.which("nice") else ()


def _venv(folder: Path, name: str, wheel: str) -> None:
    python = str(folder / "bin" / "python")
    if not Path(python).exists():
        _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "-q", "--disable-pip-version-check")
    mark = folder / ".complete"
    if not mark.exists():
        ours = [wheel + _WITH_UNEXPIRE[name]] if name in _WITH_UNEXPIRE else []
        _run(*pip, "--no-compile", *VENVS[name], *ours)
        mark.touch()
    elif name in _WITH_UNEXPIRE:  # a new build of the same version, in an environment that is kept
        _run(*pip, "--no-deps", "--force-reinstall", wheel)


def _node(folder: Path) -> str | None:
    if not shutil.which("npm"):
        return "npm is not here"
    if not (folder / "node_modules" / "@aws-sdk" / "client-s3").exists():
        folder.mkdir(exist_ok=True)
        quiet = ("--no-package-lock", "--no-save", "--no-audit", "--no-fund", "--loglevel=error")
        _run("npm", "install", *quiet, "--prefix", str(folder), "@aws-sdk/client-s3@3")
    return None


def _go(folder: Path) -> str | None:
    if not shutil.which("go"):
        return "go is not here"
    if not (folder / "client").exists():
        folder.mkdir(exist_ok=True)
        shutil.copy(CLIENTS / "with_go.go", folder / "main.go")
        if not (folder / "go.mod").exists():
            _run("go", "mod", "init", "conformance", cwd=folder)
        _run("go", "get", *(f"github.com/aws/aws-sdk-go-v2/{module}" for module in _GO), cwd=folder, GOFLAGS="-mod=mod")
        _run("go", "build", "-o", "client", ".", cwd=folder, GOFLAGS="-mod=mod")
    return None


def _java(folder: Path) -> str | None:
    lacking = [
        name for name, program in (("maven", "mvn"), ("default-jdk-headless", "javac")) if not shutil.which(program)
    ]
    if lacking and not _may_apt():
        return f"Debian's {' and '.join(lacking)} is not here, and only root can install it"
    if lacking:
        _apt(lacking)
    source, classes = CLIENTS / "with_java.java", folder / "classes"
    if not (folder / "lib").exists():
        folder.mkdir(exist_ok=True)
        keep = f"-Dmaven.repo.local={folder / 'repository'}"
        copy = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder / 'partial'}")
        _run("mvn", "-q", "-B", keep, "-f", str(CLIENTS / "with_java.xml"), *copy)
        (folder / "partial").rename(folder / "lib")
    _run("javac", "-d", str(classes), "-cp", str(folder / "lib" / "*"), str(source))
    return None


def _rust(folder: Path) -> str | None:
    if not shutil.which("cargo"):
        return "cargo is not here"
    (folder / "src").mkdir(parents=True, exist_ok=True)
    shutil.copy(CLIENTS / "with_rust.toml", folder / "Cargo.toml")
    shutil.copy(CLIENTS / "with_rust.rs", folder / "src" / "main.rs")
    # The longest of all: it leaves the other core to what is being started meanwhile.
    _run("cargo", "build", "--quiet", "--jobs", "1", cwd=folder, by=5, CARGO_TARGET_DIR=str(folder / "target"))
    return None


def _debian(there: Installed, wanted: list[str]) -> None:
    lacking = [name for name in wanted if not _has(name)]
    there.settle(set(wanted) - set(lacking))
    packages = {name: DEBIAN[name][0].split() for name in lacking}
    why = _attempt("apt", lambda: _apt(list(chain(*packages.values())))) if lacking and _may_apt() else None
    for name in lacking:
        reason = why or f"Debian's {' and '.join(packages[name])} is not here, and only root can install it"
        there.settle([name], None if _has(name) else reason)


def _may_apt() -> bool:
    return shutil.which("apt-get") is not None and hasattr(os, "geteuid") and os.geteuid() == 0


def _apt(names: list[str]) -> None:
    _run("apt-get", "update", "-qq", **_QUIET)
    _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *names, **_QUIET)


def _has(name: str) -> bool:
    try:
        return subprocess.run(DEBIAN[name][1], capture_output=True, timeout=60).returncode == 0
    except OSError:
        return False
