"""`credential-process` and `prompt` for a session that is already there: about the time that the interpreter itself needs.

Imports nothing but what a bare interpreter has loaded already, and `session_files` and `agent_protocol`, which do the same. Whatever is
not simple is left to the full command: the functions here return None, and `unexpire.cli` takes over.
"""

from __future__ import annotations

import os
import sys
import time

from ..stores import session_files as files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

RENEW = "--renew"
"""The hidden flag of the detached process that renews what a caller was just given."""

FROM_AGENT = "--from-agent"

_HELP = ("-h", "--help")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.15
_AGENT_TAKES_S = 12.0

_began = time.monotonic()
_led: list[int] = []
"""The lock that this process fetches under. It is held until the process ends, as the full command runs in the same one."""


def credential_process(arguments: list[str]) -> int | None:
    """Answer from the cache, or wait for the process that is fetching; None: this process is the one that has to fetch.

    Of all processes that find nothing at the same moment one leads, the others wait here, having imported nothing, and share its
    answer or its failure. Gives up after 45 s, as the Go SDK ends a credential process after 60.
    """
    if RENEW in arguments or any(word in _HELP for word in arguments):
        return None
    if FROM_AGENT in arguments:
        return _from_agent(arguments)
    folder = files.folder(os.environ)
    if folder is None:
        return None
    key = files.key_of(arguments, os.environ)
    lane = f"{folder}/{files.LANES}/{files.name_of(key)}"
    code = _from_cache(folder, lane, key, arguments)
    if code is not None:
        return code if code >= 0 else None
    if os.environ.get(
        "UNEXPIRE_PROCESS_CHAIN"
    ):  # below another process of ours, which may be the one that would be waited for
        return None
    return _wait_or_lead(folder, lane, key, arguments)


def _from_agent(arguments: list[str]) -> int | None:
    """What the agent has, as it gives it; None where there is no agent, or it has something to say that is no document.

    The agent shares among processes what it has, so there is nothing to lead here and nothing to wait for.
    """
    words = arguments[1:] if arguments[0] == FROM_AGENT else arguments[:-1]
    profile = words[1] if len(words) == 2 and words[0] == "--profile" and words[1][:1] != "-" else None
    plain = profile is None or (profile.isascii() and profile.isprintable() and not {'"', "\\"} & set(profile))
    if (words and profile is None) or not plain or os.environ.get("UNEXPIRE_PROCESS_CHAIN"):
        return None
    from . import agent_protocol

    path = agent_protocol.socket_path(os.environ)
    if path is None:
        return None
    answer = agent_protocol.exchange(path, agent_protocol.process_request(profile), _AGENT_TAKES_S)
    if answer is None or not answer.startswith(agent_protocol.PROCESS_ANSWER) or not answer.endswith(b"}\n"):
        return None
    return _say(1, answer[4:].decode("ascii"))


def _from_cache(folder: str, lane: str, key: str, arguments: list[str]) -> int | None:
    """0 when answered, None when there is nothing to answer with, -1 where sessions are not kept on the disk."""
    name = files.read_lane(lane, key)
    if name is None:
        return None
    if name == files.NOT_ON_DISK:
        return -1
    path = f"{folder}/{files.SESSIONS}/{name}"
    session = files.read_session(path)
    now = time.time()
    if session is None or now >= session[1]:
        return None
    code = _say(1, session[2] + "\n")
    if now >= session[0] and files.claim_renewal(path + ".attempt", now):
        start_renewal(arguments)
    return code


def _wait_or_lead(folder: str, lane: str, key: str, arguments: list[str]) -> int | None:
    try:
        import fcntl
    except ImportError:  # Windows: every process goes the long way, and they meet at the session's lock
        return None
    start, pause = time.time(), _FIRST_PAUSE_S
    deadline = _began + files.LONGEST_WAIT_S
    try:
        files.make_private(f"{folder}/{files.LANES}")
        lock = os.open(lane + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:  # a read-only home: without a cache, the long way
        return None
    while True:
        # Asked first, so that "still nothing after the lock was ours" means that nobody else has just fetched it.
        leading = _try_lock(fcntl, lock)
        code = _from_cache(folder, lane, key, arguments)
        if code is not None:
            return code if code >= 0 else None
        failure = _failure(lane, key, start)
        if failure is not None:
            return failure
        if leading:
            _led.append(lock)
            report(None)
            return None
        if time.monotonic() > deadline:
            return _give_up(lock)
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE_S)


def _try_lock(fcntl: object, lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[attr-defined]
    except OSError:
        return False
    return True


def _failure(lane: str, key: str, start: float) -> int | None:
    """The exit code of a fetch that failed while this process waited, or so short ago that it is not yet time for another."""
    try:
        written = os.stat(lane + ".failed").st_mtime
    except OSError:
        return None
    failure = files.read_failure(lane + ".failed", key)
    if failure is None:
        return None
    code, not_before, message = failure
    now = time.time()
    if written >= start:
        return _say(2, message, code)
    if written <= now < not_before <= now + files.LONGEST_BACKOFF_S:
        return _say(2, f"{message}  not tried again for another {int(not_before - now) + 1} s\n", code)
    return None


def time_left_s() -> float:
    """How long this process may still take, the wait for another one counted in."""
    return max(_began + files.LONGEST_WAIT_S - time.monotonic(), 1.0)


def report(waits_for: str | None) -> None:
    """Leave word, for those who wait for this process, of what it waits for itself. None: for AWS."""
    for lock in _led:
        try:
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()} {waits_for or ''}".encode(), 0)
        except OSError:  # a full disk: they wait without knowing for whom
            pass


def _give_up(lock: int) -> int:
    """Ends with 7 where a human keeps all waiting, else with 9, the network."""
    pid, _, waits_for = os.pread(lock, 200, 0).decode("utf-8", "replace").partition(" ")
    what = f"waits for {waits_for}" if waits_for else "is still fetching"
    message = f"unexpire: no credentials after {files.LONGEST_WAIT_S} s: {f'process {pid}' if pid else 'another process'} {what}\n"
    return _say(2, message, 7 if waits_for else 9)


def prompt(arguments: list[str]) -> int | None:
    """``prod 42m``, or nothing where there is no session; None where the full command has to find out which one it would be."""
    chosen = dict(zip(arguments[::2], arguments[1::2], strict=False))
    if len(arguments) != 2 * len(chosen) or any(word not in ("--profile", "--color") for word in chosen):
        return None
    colour = chosen.pop("--color", "")
    if colour not in _COLOURS:
        return None
    folder = files.folder(os.environ)
    if folder is None:
        return 0
    key = files.key_of([word for pair in chosen.items() for word in pair], os.environ)
    lane = f"{folder}/{files.LANES}/{files.name_of(key)}"
    name = files.read_lane(lane, key)
    if name is None:
        return None
    session = files.read_session(f"{folder}/{files.SESSIONS}/{name}")
    label = files.lane_label(lane)
    now = time.time()
    if label is None or session is None or now >= session[1]:
        return 0
    before, after = _COLOURS[colour]
    shade = "32" if now < session[0] else "33"
    return _say(1, f"{before.format(shade)}{label[1]} {life(int(session[1] - now))}{after}\n")


# Green, and yellow once a renewal is due. The marks tell readline and zsh's line editor which characters have no width.
_COLOURS = {
    "": ("", ""),
    "ansi": ("\033[{}m", "\033[0m"),
    "bash": ("\001\033[{}m\002", "\001\033[0m\002"),
    "zsh": ("%{{\033[{}m%}}", "%{\033[0m%}"),
}


def life(seconds: int) -> str:
    """A length of time in its two leading units at most: ``1h05m``, ``42m``, ``30s``."""
    if seconds >= 3600:
        return f"{seconds // 3600}h{seconds % 3600 // 60:02d}m"
    return f"{seconds // 60}m" if seconds >= 60 else f"{seconds}s"


def _say(stream: int, text: str, code: int = 0) -> int:
    """Write all of `text` and return `code`; 1 where nobody reads any more, which is nobody's fault and needs no words."""
    rest = text.encode("utf-8", "surrogateescape")
    try:
        while rest:
            rest = rest[os.write(stream, rest) :]
    except OSError:
        return 1
    return code


def start_renewal(arguments: list[str]) -> None:
    """Start one process that outlives this one and whoever called it, and holds none of their files open.

    `arguments` are those of the credential process. The caller has claimed the renewal (`session_files.claim_renewal`). Where no
    process can be started, the next call after the claim's time tries again.
    """
    # -P, as the folder that the caller happens to stand in must not be searched for modules.
    command = [sys.executable, "-P", "-m", "unexpire", "credential-process", *arguments, RENEW]
    if sys.platform == "win32":
        import subprocess

        apart = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        devnull = subprocess.DEVNULL
        subprocess.Popen(command, stdin=devnull, stdout=devnull, stderr=devnull, creationflags=apart)
        return
    try:
        child = os.fork()
    except OSError:
        return
    if child == 0:
        _become(command)


def _become(command: list[str]) -> NoReturn:
    """In the child: leave the terminal and every inherited file behind. A pipe kept open would keep its reader waiting."""
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        os.closerange(3, 4096)
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    finally:
        os._exit(127)
