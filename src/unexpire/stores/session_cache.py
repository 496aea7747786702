"""Our own sessions between runs, in the user's cache folder: temporary ones only, readable by their user only.

`SessionCache` keeps them in files laid out for the fast lane (`session_files` describes the layout), `KeyringSessions` keeps their
content in the system's keyring, `MemorySessions` keeps nothing beyond the process. Each is a `SessionStore` (`refresher`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..backoff import Outage
from ..credentials import Credentials, KeyKind, parse_timestamp
from ..errors import StoreError
from ..freshness import DEFAULT_POLICY, RefreshPolicy, remaining
from . import atomic, session_files
from .outages import outage_text, parse_outage
from .process_document import document

__all__ = ["Entry", "KeyringSessions", "MemorySessions", "SessionCache"]

_PRUNE_EVERY_S = 3600
_LOCK_TIMEOUT_S = 120.0
_SHORTEST_BACKOFF_S = 3.0
_BESIDE = (".attempt", ".outage")
_KEYRING_FORM = "unexpire-keyring 1\n"
_KEYRING_SERVICE = "unexpire"


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One session of the cache. `label` is the profile or the role it was last asked for by, where a command line did."""

    name: str
    identity: str
    credentials: Credentials
    label: str | None = None


class SessionCache:
    """Sessions in files under `folder`; `policy` says until when the fast lane may hand one out without looking closer.

    `surroundings` gives a digest of the settings that a failure may come of: one that was noted under others no longer counts.
    """

    def __init__(
        self,
        folder: Path,
        *,
        policy: RefreshPolicy = DEFAULT_POLICY,
        clock: Callable[[], datetime] = _utc_now,
        surroundings: Callable[[], str] = str,
    ) -> None:
        self.folder = folder
        self._policy = policy
        self._clock = clock
        self._surroundings = surroundings

    @property
    def sessions(self) -> Path:
        """The folder of the sessions."""
        return self.folder / session_files.SESSIONS

    @property
    def lanes(self) -> Path:
        """The folder of the command lines that have a session."""
        return self.folder / session_files.LANES

    # --- what the refresher asks for

    def load(self, identity: str) -> Credentials | None:
        """The session kept for `identity`, whatever is left of its life; None where there is none, or no whole one."""
        entry = self._entry(_name(identity))
        return entry.credentials if entry is not None and entry.identity == identity else None

    def save(self, identity: str, credentials: Credentials, *, renewable: bool = True) -> None:
        """Keep a temporary session that has an end; anything else is not kept. An outage is over. Raises StoreError.

        Long-term keys are never copied, and a session whose end nobody knows could not be judged by the next reader. Of one that is
        not `renewable` no renewal is started ahead of need: it would only find that a person has to type a code.
        """
        with contextlib.suppress(OSError):
            self._outage_file(identity).unlink()
        end = self._policy.advertised_end(credentials)
        if not _is_keepable(credentials) or end is None:
            return
        self._put(_name(identity), self._text(identity, credentials))
        if renewable:
            with contextlib.suppress(OSError):
                (self.sessions / f"{_name(identity)}.attempt").unlink()
        else:
            self.postpone(identity, end)
        self._prune()

    def outage(self, identity: str) -> Outage | None:
        """What was noted last, if nothing that it may have come of has changed since."""
        return parse_outage(session_files.read(str(self._outage_file(identity))), identity, self._surroundings())

    def note(self, identity: str, outage: Outage) -> None:
        """Leave a failure that may pass for the other processes. Raises StoreError."""
        text = outage_text(identity, self._surroundings(), outage)
        atomic.replace(self._outage_file(identity), text, mode=0o600, lasting=False)

    def _outage_file(self, identity: str) -> Path:
        return self.sessions / f"{_name(identity)}.outage"

    def forget(self, identity: str) -> None:
        """Remove the session kept for `identity`, and every command line's way to it. Raises StoreError."""
        self.forget_name(_name(identity))

    def lock(self, identity: str) -> AbstractContextManager[None]:
        """Hold `identity` alone among all threads and processes of this cache."""
        return atomic.lock(self.sessions / _name(identity), timeout_s=_LOCK_TIMEOUT_S, sweeps=False)

    # --- what the commands ask for

    def name_of(self, identity: str) -> str:
        """The file name that stands for `identity`."""
        return _name(identity)

    def entries(self) -> Iterator[Entry]:
        """Every whole session, ended ones included, in no particular order."""
        labels = {session: label for _, session, label in self._labels()}
        for path in _files(self.sessions):
            entry = self._entry(path.name)
            if entry is not None:
                yield replace(entry, label=labels.get(entry.name))

    def find(self, access_key_id: str) -> Entry | None:
        """The session with this key: how the end of a copied session is found."""
        return next((entry for entry in self.entries() if entry.credentials.access_key_id == access_key_id), None)

    def publish(self, key: str, identity: str | None, label: str, states: Iterable[tuple[str, str]]) -> None:
        """Give the command line `key` the session of `identity` for as long as these files stay as they were. Raises StoreError.

        `identity` None: nothing is kept for it. `states` are (path, `session_files.state_of`) from before the files were read, so
        that a change in between is noticed.
        """
        name = _name(identity) if self.on_disk and identity is not None else session_files.NOT_ON_DISK
        lane = self.lanes / session_files.name_of(key)
        atomic.replace(lane, session_files.lane_text(key, name, label, states), mode=0o600)
        atomic.remove(lane.with_name(lane.name + ".failed"))

    def publish_failure(
        self, key: str, *, code: int, not_before: int, message: str, states: Iterable[tuple[str, str]]
    ) -> None:
        """Tell those who wait for `key` how the fetch ended. `message` is what goes to stderr. Raises StoreError."""
        lane = self.lanes / f"{session_files.name_of(key)}.failed"
        atomic.replace(lane, session_files.failure_text(key, code, not_before, message, states), mode=0o600)

    def failure_backoff(self, key: str) -> float:
        """Seconds to wait after one more failure of `key`: 3, doubled each time in a row up to 60, with jitter."""
        path = self.lanes / f"{session_files.name_of(key)}.failed"
        last = session_files.read_failure(str(path), key)
        waited = 0.0
        with contextlib.suppress(OSError):
            waited = last[1] - path.stat().st_mtime if last is not None else 0.0
        longest = float(session_files.LONGEST_BACKOFF_S)
        return min(max(2 * waited, _SHORTEST_BACKOFF_S), longest) * random.uniform(0.8, 1.0)  # noqa: S311 - no secret

    def keeps(self, credentials: Credentials) -> bool:
        """Whether `save` keeps such a set: temporary sessions with an end, and no long-term keys ever."""
        return _is_keepable(credentials)

    def postpone(self, identity: str, until: datetime) -> None:
        """No renewal of this session is started ahead of need before `until`."""
        path = self.sessions / f"{_name(identity)}.attempt"
        moment = until.timestamp() - session_files.RENEWAL_TAKES_S
        with contextlib.suppress(OSError):
            path.touch(mode=0o600)
            os.utime(path, (moment, moment))

    def forget_label(self, label: str) -> int:
        """Remove the sessions that were asked for by this profile or role; how many. Raises StoreError."""
        names = {session for _, session, found in self._labels() if found == label}
        return sum(self.forget_name(name) for name in names)

    def forget_name(self, name: str) -> bool:
        """Remove one session by its file name: True if it was there. Raises StoreError."""
        there = atomic.remove(self.sessions / name)
        atomic.remove(self.sessions / f"{name}.attempt")
        atomic.remove(self.sessions / f"{name}.outage")
        for lane, session, _ in self._labels():
            if session == name:
                atomic.remove(lane)
        return there

    def forget_all(self) -> int:
        """Remove everything that is kept; how many sessions. Raises StoreError."""
        count = sum(self.forget_name(path.name) for path in _files(self.sessions))
        beside = [path for suffix in _BESIDE for path in _files(self.sessions, suffix)]
        for path in (*_files(self.lanes), *_files(self.lanes, ".failed"), *beside):
            atomic.remove(path)
        return count

    on_disk = True

    # --- the files

    def _text(self, identity: str, credentials: Credentials) -> str:
        due, end = self._policy.renewal_due(credentials), self._policy.usable_until(credentials)
        assert due is not None
        assert end is not None
        assert credentials.expiration is not None
        issued = credentials.issued_at
        more = {
            "identity": identity,
            "expiration": credentials.expiration.isoformat(),
            "issued_at": issued.isoformat() if issued else None,
        }
        ready = document(credentials, now=credentials.expiration, policy=self._policy)
        fresh_until, usable_until = max(int(due.timestamp()), 0), max(int(end.timestamp()), 0)
        return f"{session_files.SESSION_FORM}\n{fresh_until} {usable_until}\n{ready}{json.dumps(more)}\n"

    def _entry(self, name: str) -> Entry | None:
        return _parsed(name, session_files.read_session(str(self.sessions / name)))

    def _put(self, name: str, text: str) -> None:
        atomic.replace(self.sessions / name, text, mode=0o600, lasting=False)

    def _labels(self) -> Iterator[tuple[Path, str, str]]:
        for path in _files(self.lanes):
            found = session_files.lane_label(str(path))
            if found is not None:
                yield path, *found

    def _prune(self) -> None:
        """Remove sessions that have ended and halves that were never put in place, once an hour: what is not there cannot leak."""
        marker = self.folder / "pruned"
        now = self._clock()
        with contextlib.suppress(OSError, StoreError):
            seconds = now.timestamp()
            if marker.exists() and 0 <= seconds - marker.stat().st_mtime < _PRUNE_EVERY_S:
                return
            marker.touch(mode=0o600)
            os.utime(marker, (seconds, seconds))
            atomic.sweep(self.sessions)
            for path in _files(self.sessions):
                entry = self._entry(path.name)
                # by the true end: what nothing renews is handed out by `run` and the agent for longer than our policy says
                if entry is not None and remaining(entry.credentials.expiration, now) == timedelta(0):
                    atomic.remove(path)
                    atomic.remove(self.sessions / f"{path.name}.attempt")
            for path in _files(self.sessions, ".outage"):
                if seconds - path.stat().st_mtime > _PRUNE_EVERY_S:
                    atomic.remove(path)


class KeyringSessions(SessionCache):
    """As SessionCache, with what is secret in the system's keyring; the files only say that it is there.

    Slower, as a keyring is another program: the fast lane leaves these to the full command. Raises StoreError where the `keyring`
    library is not installed or has no keyring to talk to.
    """

    on_disk = False

    def _put(self, name: str, text: str) -> None:
        with _keyring() as keyring:
            keyring.set_password(_KEYRING_SERVICE, name, text)
        super()._put(name, _KEYRING_FORM)

    def _entry(self, name: str) -> Entry | None:
        if session_files.read(str(self.sessions / name)) != _KEYRING_FORM:
            return None
        with _keyring() as keyring:
            return _parsed(name, session_files.parse_session(keyring.get_password(_KEYRING_SERVICE, name)))

    def forget_name(self, name: str) -> bool:
        """Remove one session by its file name: True if it was there. Raises StoreError."""
        if session_files.read(str(self.sessions / name)) == _KEYRING_FORM:
            with _keyring() as keyring, contextlib.suppress(keyring.errors.PasswordDeleteError):
                keyring.delete_password(_KEYRING_SERVICE, name)
        return super().forget_name(name)


class MemorySessions(SessionCache):
    """As SessionCache, with the sessions in this process alone; the folder only says that nothing is to be waited for there."""

    on_disk = False

    def __init__(self, folder: Path, **more: Any) -> None:
        super().__init__(folder, **more)
        self._held: dict[str, Credentials] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def load(self, identity: str) -> Credentials | None:
        """The session kept for `identity` by this process."""
        return self._held.get(identity)

    def outage(self, identity: str) -> Outage | None:
        """None: nothing is left for other processes, and this one's refresher knows its own."""
        return None

    def note(self, identity: str, outage: Outage) -> None:
        """Nothing."""

    def save(self, identity: str, credentials: Credentials, *, renewable: bool = True) -> None:
        """Keep a temporary session for as long as this process lives."""
        if _is_keepable(credentials):
            self._held[identity] = credentials

    def forget(self, identity: str) -> None:
        """Drop the session kept for `identity`."""
        self._held.pop(identity, None)

    def lock(self, identity: str) -> AbstractContextManager[Any]:
        """Hold `identity` alone among the threads of this process."""
        with self._guard:
            return self._locks.setdefault(identity, threading.Lock())

    def entries(self) -> Iterator[Entry]:
        """Every session this process keeps."""
        for identity, credentials in list(self._held.items()):
            yield Entry(_name(identity), identity, credentials)


def _name(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def _is_keepable(credentials: Credentials) -> bool:
    return bool(
        credentials.kind is KeyKind.TEMPORARY and credentials.session_token and credentials.expiration is not None
    )


def _files(folder: Path, suffix: str = "") -> list[Path]:
    """Our files in `folder`: 32 hexadecimal digits and the suffix. Whatever else lies there is not ours to touch."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [
        folder / name
        for name in names
        if name.endswith(suffix) and len(name) == 32 + len(suffix) and set(name[:32]) <= _HEXADECIMAL
    ]


_HEXADECIMAL = set("0123456789abcdef")


def _parsed(name: str, found: tuple[int, int, str, str] | None) -> Entry | None:
    if found is None:
        return None
    try:
        keys, more = json.loads(found[2]), json.loads(found[3])
        issued = more["issued_at"]
        credentials = Credentials(
            access_key_id=keys["AccessKeyId"],
            secret_access_key=keys["SecretAccessKey"],
            session_token=keys["SessionToken"],
            expiration=_moment(more["expiration"]),
            issued_at=_moment(issued) if issued else None,
            account_id=keys.get("AccountId"),
        )
        return Entry(name, str(more["identity"]), credentials) if _is_keepable(credentials) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _moment(text: str) -> datetime:
    """With its fraction of a second, which decides about the sessions of a few seconds that tests use."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else parse_timestamp(text)


@contextlib.contextmanager
def _keyring() -> Iterator[Any]:
    try:
        import keyring
        import keyring.errors
    except ImportError as error:
        raise StoreError(
            "sessions are to be kept in the keyring, and the keyring library is not installed",
            hint="pip install 'unexpire[keyring]'",
        ) from error
    try:
        yield keyring
    except keyring.errors.KeyringError as error:
        # Its text may hold what was to be stored.
        raise StoreError(
            f"the keyring does not work: {type(error).__name__}", hint="set cache = file in unexpire's settings"
        ) from None
