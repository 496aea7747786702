"""Run a command in this process's own place, so that signals, terminal, job control and exit code are the command's.

On POSIX this process becomes the command (`exec`): a shell, a supervisor, `kill`, Ctrl-Z and `wait` see the command itself, because
there is nothing between. What renews and serves credentials is a process beside it, no child of the command's, which ends when the
command does (`sidecar`). On Windows, which has no `exec`, the command is a child and this process waits.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from ..errors import UnexpireError

__all__ = [
    "CommandNotRun",
    "alive",
    "become",
    "fill_standard_descriptors",
    "find_command",
    "own_variables",
    "run_and_wait",
    "sidecar_command",
    "start_detached",
    "watch_descriptor",
]

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit codes of a command that could not be started, as a shell has them (POSIX, "Exit Status for Commands")."""


class CommandNotRun(UnexpireError):
    """The command does not exist (`exit_code` 127) or cannot be executed (126)."""

    def __init__(self, message: str, exit_code: int, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


def find_command(name: str, variables: Mapping[str, str], cwd: Path) -> str:
    """The path that `name` stands for, looked up in PATH as a shell does. Raises CommandNotRun."""
    if os.name == "nt":
        import shutil

        found = shutil.which(name, path=variables.get("PATH"))
        if found is None:
            raise CommandNotRun(f"{name}: command not found", NOT_FOUND)
        return found
    if "/" in name:
        candidates = [name]
    else:
        folders = variables.get("PATH", os.defpath).split(os.pathsep)
        candidates = [os.path.join(folder or os.curdir, name) for folder in folders] if name else []
    problem: CommandNotRun | None = None
    for candidate in candidates:
        at = cwd / candidate
        try:
            is_folder = at.is_dir()
            exists = at.exists()
        except OSError:
            continue
        if is_folder and "/" in name:
            problem = CommandNotRun(f"{name}: is a directory", NOT_EXECUTABLE)
        elif exists and not is_folder:
            if os.access(at, os.X_OK):
                return candidate
            problem = problem or CommandNotRun(
                f"{name}: permission denied", NOT_EXECUTABLE, hint=f"chmod +x {candidate}"
            )
    raise problem or CommandNotRun(f"{name}: command not found", NOT_FOUND)


def own_variables() -> dict[str, str]:
    """The variables that this process was started with: in the C locale CPython adds an LC_CTYPE of its own (PEP 538)."""
    variables = dict(os.environ)
    if "LC_CTYPE" in variables:
        with contextlib.suppress(OSError), open("/proc/self/environ", "rb") as file:
            started = file.read()
            if started and not any(item.startswith(b"LC_CTYPE=") for item in started.split(b"\0")):
                del variables["LC_CTYPE"]
    return variables


def become(path: str, arguments: Sequence[str], variables: Mapping[str, str]) -> NoReturn:
    """Replace this process by the command. Raises CommandNotRun where the system will not have it. POSIX only.

    Signals that CPython ignores for itself get their default back; what the caller of this process had ignored stays ignored.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execve(path, list(arguments), dict(variables))  # noqa: S606 - the user's own command
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            # a script without a first line that names its interpreter is one for sh (execvp(3), and every shell)
            os.execve("/bin/sh", ["sh", path, *arguments[1:]], dict(variables))  # noqa: S606
        code = NOT_FOUND if error.errno == errno.ENOENT else NOT_EXECUTABLE
        reason = (error.strerror or type(error).__name__).lower()
        if error.errno == errno.ENOENT:
            reason = "the interpreter that its first line names does not exist"
        raise CommandNotRun(f"{arguments[0]}: {reason}", code) from error


def start_detached(arguments: Sequence[str], spec: bytes, keep: Sequence[int]) -> None:
    """Start a process that is nobody's child and in a session of its own, with `spec` on its standard input. POSIX only.

    Nobody's child, so that a command that waits for all its children does not wait for this one; its own session, so that no key
    of the terminal reaches it. `keep` are the file descriptors that it inherits beyond its standard input. `spec` holds secrets,
    so it goes through a pipe, and must fit into one (64 KiB on Linux, 16 on macOS).
    """
    reader, writer = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    try:
        os.set_blocking(writer, False)
        if os.write(writer, spec) != len(spec):
            raise OSError(errno.E2BIG, "the credentials do not fit into a pipe")
        os.close(writer)
        writer = -1
        middle = _fork()
        if middle == 0:
            try:
                os.setsid()
                if _fork() == 0:
                    os.dup2(reader, 0)
                    os.dup2(null, 1)
                    os.dup2(null, 2)
                    for descriptor in keep:
                        os.set_inheritable(descriptor, True)
                    _close_others({0, 1, 2, *keep})
                    os.execv(arguments[0], list(arguments))  # noqa: S606
            finally:
                os._exit(0)
        os.waitpid(middle, 0)
    finally:
        os.close(reader)
        os.close(null)
        if writer >= 0:
            os.close(writer)


def sidecar_command(listener: int, watch: int, pid: int, folder: Path) -> list[str]:
    """How `sidecar` is started. -P: the folder that the user happens to stand in is not searched for modules."""
    words = ["-P", "-m", "unexpire.delivery.sidecar", str(listener), str(watch), str(pid), str(folder)]
    return [sys.executable, *words]


def watch_descriptor(pid: int) -> int:
    """A descriptor that becomes readable when `pid` ends, -1 where the system has none (pidfd_open(2), Linux 5.3)."""
    opened = getattr(os, "pidfd_open", None)
    if opened is None:
        return -1
    try:
        return int(opened(pid))
    except OSError:
        return -1


def alive(pid: int) -> bool:
    """Whether a process of this number runs, or waits for its parent to take note of its end. POSIX only."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # another user (sudo) now: it lives; or no such number
        return True
    return True


def fill_standard_descriptors() -> list[int]:
    """Open what of 0, 1 and 2 the caller left closed, so that no socket of ours gets such a number; returns what to close again."""
    opened = []
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        opened.append(descriptor)
    os.close(descriptor)
    return opened


def _fork() -> int:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about threads, which matter only to who does not exec
        return os.fork()


def _close_others(keep: set[int]) -> None:
    """Close what the command inherits from its caller: a pipe that we held open would never reach its end."""
    try:
        descriptors = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        descriptors = list(range(256))
    for descriptor in descriptors:
        if descriptor not in keep:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def run_and_wait(path: str, arguments: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run the command as a child and give its exit code, 128 + n for one that signal n ended. For systems without `exec`.

    Ctrl-C belongs to the command, which gets it from the console as this process does.
    """
    try:
        child = subprocess.Popen(list(arguments), executable=path, env=dict(variables))
    except OSError as error:
        code = NOT_FOUND if error.errno == errno.ENOENT else NOT_EXECUTABLE
        raise CommandNotRun(f"{arguments[0]}: {(error.strerror or 'cannot be run').lower()}", code) from error
    while True:
        try:
            code = child.wait()
        except KeyboardInterrupt:
            continue
        return 128 - code if code < 0 else code
