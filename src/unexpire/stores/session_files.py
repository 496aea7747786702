"""How our sessions lie on the disk, and how they are read in about no time: the part that the fast lane imports.

Nothing here imports more than a bare interpreter has: even `json` or `re` would take longer than all the rest. That is why a
session's document is stored ready to go out, with the two moments that decide about it as whole seconds, which
`session_cache`, the writer, has from `freshness`: here they are only compared.

    sessions/NAME            one session: a first line, the two moments, the document, what else is known as JSON; 0600
    sessions/NAME.attempt    a renewal of it was started; its time says when, or from when on another may be
    sessions/NAME.outage     the last failure to renew it that may pass, and when to try again, for all processes; no secret
    lanes/NAME               which session a command line gets, and the state of the files that this was read from; no secret
    lanes/NAME.lock          held by the one process that fetches for this command line; it says which and what it waits for
    lanes/NAME.failed        how the last fetch ended, for those who waited for it

Every file is put in place whole (`atomic.replace`), and one that is not in the form above is taken for absent.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LANES, SESSIONS = "lanes", "sessions"
SESSION_FORM = "unexpire-session 1"
_LANE_FORM = "unexpire-lane 1"
_FAILURE_FORM = "unexpire-failure 1"

NOT_ON_DISK = "-"
"""In the place of a session's name: sessions for this command line are kept in memory or in the keyring."""

LONGEST_WAIT_S = 45
"""How long a credential process may take: the Go SDK ends one after 60 s (aws-sdk-go-v2, `processcreds.DefaultTimeout`)."""

RENEWAL_TAKES_S = 60
"""A renewal that was started this long ago and did not end is taken for dead."""

LONGEST_BACKOFF_S = 60
"""After failures that may pass, a new attempt is made this often at least."""

_LARGEST_FILE_B = 256 * 1024

# Two of them would be secrets, the others change without changing what is fetched.
_NOT_IN_KEY = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_EXECUTION_ENV",
    "UNEXPIRE_PROCESS_CHAIN",
)


def folder(variables: Mapping[str, str], home: str | None = None) -> str | None:
    """Where our cache lies: UNEXPIRE_CACHE_DIR, else ``unexpire`` in the user's folder for caches; None without a home.

    `home` is that of the process whose `variables` these are; by default, of this process.
    """
    named = variables.get("UNEXPIRE_CACHE_DIR")
    if home is None:
        home = os.path.expanduser("~")
    if named:
        if named[:2] in ("~", "~/"):
            named = home + named[1:]
        return os.path.abspath(named)
    base = variables.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # the XDG base directory specification: a relative one is to be ignored
        if not os.path.isabs(home):
            return None
        base = os.path.join(home, ".cache")
    return os.path.join(base, "unexpire")


def key_of(arguments: Sequence[str], variables: Mapping[str, str]) -> str:
    """What a command line's answer depends on, as text without a secret: its arguments and the variables that matter.

    More than enough variables is no harm: two keys of one session cost a second look at the settings, no second fetch.
    """
    parts = list(arguments)
    chosen = "--profile" in parts
    for name in sorted(variables):
        if name[:4] != "AWS_" and name[:9] != "UNEXPIRE_" and name not in ("HOME", "XDG_CONFIG_HOME", "USERPROFILE"):
            continue
        if name in _NOT_IN_KEY or name.startswith("AWS_BEARER_TOKEN") or (chosen and name in _CHOOSES_PROFILE):
            continue
        value = variables[name]
        parts.append(f"{name}={value}")
        if name in _PATHS and value[:1] not in ("/", "~"):
            parts.append(os.getcwd())
    return repr(parts)


_CHOOSES_PROFILE = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_PATHS = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE")


def name_of(key: str) -> str:
    """A file name for a key. Not a cryptographic hash, whose import is too dear here: the file holds the key itself as well."""
    return format(int.from_bytes(key.encode("utf-8", "surrogateescape"), "big") % (2**127 - 1), "032x")


def state_of(path: str) -> str:
    """When the file was changed, its size and its identity; ``-`` where there is none."""
    try:
        seen = os.stat(path)
    except (OSError, ValueError):
        return "-"
    return f"{seen.st_mtime_ns}:{seen.st_size}:{seen.st_ino}"


def read(path: str) -> str | None:
    """What one of our files holds; None where it cannot be read, is too large, or is another user's."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    except OSError:
        return None
    try:
        if sys.platform != "win32" and os.fstat(descriptor).st_uid != os.geteuid():
            return None
        content = os.read(descriptor, _LARGEST_FILE_B)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return content.decode("utf-8", "surrogateescape")


def read_session(path: str) -> tuple[int, int, str, str] | None:
    """A session: fresh until, usable until (seconds since the epoch), the document, the rest; None for what is not a whole one."""
    return parse_session(read(path))


def parse_session(content: str | None) -> tuple[int, int, str, str] | None:
    """The same from what a session's file holds."""
    lines = (content or "").split("\n")
    if len(lines) != 5 or lines[0] != SESSION_FORM or lines[4] or lines[3][-1:] != "}" or lines[2][-1:] != "}":
        return None
    fresh_until, _, usable_until = lines[1].partition(" ")
    if not (fresh_until.isdecimal() and usable_until.isdecimal()):
        return None
    return int(fresh_until), int(usable_until), lines[2], lines[3]


def lane_text(key: str, session: str, label: str, states: Iterable[tuple[str, str]]) -> str:
    """The content of a lane: `states` are the files that the answer was read from, each as it was before it was read."""
    return "\0".join((_LANE_FORM, key, session, label, *(part for pair in states for part in pair), ""))


def failure_text(key: str, code: int, not_before: int, message: str, states: Iterable[tuple[str, str]]) -> str:
    """The content of a failure: the exit code, when a new attempt may be made, what to say on stderr."""
    fields = (_FAILURE_FORM, key, str(code), str(not_before), message)
    return "\0".join((*fields, *(part for pair in states for part in pair), ""))


def read_lane(path: str, key: str) -> str | None:
    """The name of the session for `key`, or None where there is none or a file that it depends on has changed since."""
    fields = (read(path) or "").split("\0")
    if fields[0] != _LANE_FORM or len(fields) < 5 or fields[1] != key or not _unchanged(fields, 4):
        return None
    return fields[2]


def lane_label(path: str) -> tuple[str, str] | None:
    """The session and the label (profile or role) of a lane, whatever has changed since; for `forget`."""
    fields = (read(path) or "").split("\0")
    return (fields[2], fields[3]) if fields[0] == _LANE_FORM and len(fields) >= 5 else None


def read_failure(path: str, key: str) -> tuple[int, int, str] | None:
    """The exit code, the moment before which not to try again, and the message; None where they no longer hold."""
    fields = (read(path) or "").split("\0")
    if fields[0] != _FAILURE_FORM or len(fields) < 6 or fields[1] != key or not _unchanged(fields, 5):
        return None
    if not (fields[2].isdecimal() and fields[3].isdecimal()):
        return None
    return int(fields[2]), int(fields[3]), fields[4]


def _unchanged(fields: list[str], start: int) -> bool:
    pairs = fields[start:-1]
    if fields[-1] or len(pairs) % 2:
        return False
    return all(state_of(pairs[at]) == pairs[at + 1] for at in range(0, len(pairs), 2))


def make_private(path: str) -> None:
    """Make the folder and those above it, 0700 where they are new. Raises OSError."""
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    if above != path:
        make_private(above)
    try:  # noqa: SIM105 - contextlib is not loaded yet
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass  # somebody else was quicker


def claim_renewal(attempt: str, now: float) -> bool:
    """Whether this process is the one to start a renewal: the first to make the file, or to take away one that is too old.

    A time in the future says: not before then. One too far ahead is from before a jump of the clock, and counts for nothing.
    """
    try:
        seen = os.stat(attempt)
        if -3600 < now - seen.st_mtime < RENEWAL_TAKES_S:
            return False
        taken = f"{attempt}.{os.getpid()}"
        os.rename(attempt, taken)
        if (
            os.stat(taken).st_mtime_ns != seen.st_mtime_ns
        ):  # somebody else took the old one away and made this: it is theirs
            os.rename(taken, attempt)
            return False
        os.unlink(taken)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    try:
        made = os.open(attempt, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        return False
    os.close(made)
    os.utime(attempt, (now, now))
    return True
