"""What the conformance runs need, installed below build/conformance and nowhere else, but for Debian's packages where one is root.

What cannot be had is skipped, with the reason; nothing here fails a run.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# botocore is pinned by each of these differently, so that they cannot share an environment.
VENVS: dict[str, tuple[str, ...]] = {
    "sdk": ("boto3", "awscrt", "pyarrow", "obstore", "polars"),
    "aio": ("aiobotocore", "s3fs", "pytest", "pytest-timeout"),
    "aioboto3": ("aioboto3>=15", "pytest", "pytest-timeout"),
    "cli": ("awscli",),
}
_WITH_UNEXPIRE = {"sdk": "", "aio": "[lab]", "aioboto3": "[lab]"}
_QUIET = {"DEBIAN_FRONTEND": "noninteractive"}
DEBIAN = {"awscli": "/usr/bin/aws", "faketime": "", "rclone": "rclone", "restic": "restic"}
_GO = ("config@v1.31.0", "service/s3@v1.88.0")
_FAKETIME = f"/usr/lib/{platform.machine()}-linux-gnu/faketime/libfaketime.so.1"


@dataclass
class Installed:
    """What is there. `why` says of what is not, why it is not."""

    folder: Path
    why: dict[str, str] = field(default_factory=dict)

    def python(self, venv: str) -> str:
        return str(self.folder / venv / "bin" / "python")

    @property
    def node_modules(self) -> Path:
        return self.folder / "js" / "node_modules"

    @property
    def go_client(self) -> Path:
        return self.folder / "go" / "client"

    @property
    def faketime(self) -> str:
        return _FAKETIME

    def missing(self, *needs: str) -> str | None:
        """Why one of `needs` (names of venvs, Debian packages, ``node``, ``go``) is not there; None if all are."""
        return next((self.why[need] for need in needs if need in self.why), None)


def install(folder: Path, wheel: str) -> Installed:
    """Install all of it, keeping what an earlier run left. `wheel` is what pip is given for unexpire."""
    folder.mkdir(parents=True, exist_ok=True)
    there = Installed(folder)
    for name, packages in VENVS.items():
        _attempt(there, name, lambda n=name, p=packages: _venv(folder / n, n, p, wheel))  # type: ignore[misc]
    _attempt(there, "node", lambda: _node(folder / "js"))
    _attempt(there, "go", lambda: _go(folder / "go"))
    _debian(there)
    return there


def _attempt(there: Installed, name: str, work: Callable[[], str | None]) -> None:
    try:
        why = work()
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        why = f"{name} could not be installed: {said[-1][:120] if said else type(error).__name__}"
    if why:
        there.why[name] = why


def _run(*words: str, cwd: Path | None = None, timeout: float = 900, **variables: str) -> None:
    subprocess.run(
        words, check=True, capture_output=True, text=True, cwd=cwd, timeout=timeout, env={**os.environ, **variables}
    )


def _venv(folder: Path, name: str, packages: tuple[str, ...], wheel: str) -> None:
    python = str(folder / "bin" / "python")
    if not Path(python).exists():
        _run(sys.executable, "-m", "venv", str(folder))
    pip = (python, "-m", "pip", "install", "-q", "--disable-pip-version-check")
    mark = folder / ".complete"
    if not mark.exists():
        ours = [wheel + _WITH_UNEXPIRE[name]] if name in _WITH_UNEXPIRE else []
        _run(*pip, *packages, *ours)
        mark.touch()
    if name in _WITH_UNEXPIRE:  # a new build of the same version, in an environment that is kept
        _run(*pip, "--no-deps", "--force-reinstall", wheel)


def _node(folder: Path) -> str | None:
    if not shutil.which("npm"):
        return "npm is not here"
    if not (folder / "node_modules" / "@aws-sdk" / "client-s3").exists():
        folder.mkdir(exist_ok=True)
        quiet = ("--no-package-lock", "--no-save", "--no-audit", "--no-fund", "--silent")
        _run("npm", "install", *quiet, "--prefix", str(folder), "@aws-sdk/client-s3@3")
    return None


def _go(folder: Path) -> str | None:
    if not shutil.which("go"):
        return "go is not here"
    if not (folder / "client").exists():
        folder.mkdir(exist_ok=True)
        shutil.copy(Path(__file__).parent / "clients" / "with_go.go", folder / "main.go")
        if not (folder / "go.mod").exists():
            _run("go", "mod", "init", "conformance", cwd=folder)
        _run("go", "get", *(f"github.com/aws/aws-sdk-go-v2/{module}" for module in _GO), cwd=folder, GOFLAGS="-mod=mod")
        _run("go", "build", "-o", "client", ".", cwd=folder, GOFLAGS="-mod=mod")
    return None


def _debian(there: Installed) -> None:
    lacking = [name for name in DEBIAN if not _has(name)]
    if lacking and shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        _attempt(there, "apt", lambda: _apt(lacking))
        lacking = [name for name in lacking if not _has(name)]
    for name in lacking:
        there.why[name] = f"Debian's {name} is not here, and only root can install it"


def _apt(names: list[str]) -> None:
    _run("apt-get", "update", "-qq", **_QUIET)
    _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *names, **_QUIET)


def _has(name: str) -> bool:
    if name == "faketime":
        return Path(_FAKETIME).exists()
    if name != "awscli":
        return shutil.which(DEBIAN[name]) is not None
    try:
        done = subprocess.run([DEBIAN[name], "--version"], capture_output=True, text=True, timeout=60)
    except OSError:
        return False
    return done.stdout.startswith("aws-cli/2")
