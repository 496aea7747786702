"""Keeper: many identities, each renewed ahead of need, by a few threads.

The keeper knows times and names only. What it keeps is a function that renews if a renewal is due and says when to come again; the
windows and the back-off are `freshness`' and `refresher`'s.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import queue
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from .errors import UnexpireError

__all__ = ["Keep", "Keeper"]

Keep = Callable[[], datetime | None]
"""Renew what is due; return when to come again, None for never. UnexpireError counts as "in `retry_after`"."""

_LONGEST_SLEEP_S = 10.0
_SPREAD = 0.05


@dataclass(slots=True)
class _Entry:
    name: str
    keep: Keep
    due: datetime | None = None
    turn: int = 0
    """Which heap item is the valid one: others, from before a poke, are passed over."""
    running: bool = False
    removed: bool = field(default=False)


class Keeper:
    """Calls each `Keep` at its time. Threads start with `start`; without it, `run_due` does the work in the caller's.

    `workers` renew at the same time at most, and start only when there is work for them. `spread` of the time until a moment is
    added to it at random (up to a minute and a half), so that identities that began together do not renew together for ever
    after. The wall clock is looked at every ten seconds at least: a machine that slept does not tell a waiting thread.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        workers: int = 8,
        spread: float = _SPREAD,
        retry_after: timedelta = timedelta(seconds=30),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        self._workers = workers
        self._spread = spread
        self._retry_after = retry_after
        self._chance = chance
        self._entries: dict[str, _Entry] = {}
        self._heap: list[tuple[datetime, int, _Entry]] = []
        self._turns = itertools.count(1)
        self._changed = threading.Condition()
        self._work: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._threads = 0
        self._idle = 0
        self._scheduler: threading.Thread | None = None
        self._stopping = False

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, name: str, keep: Keep, *, at: datetime | None = None) -> None:
        """Keep `name` from now on, for the first time at `at` (by default at once). A name that is kept already is replaced."""
        with self._changed:
            self._drop(name)
            entry = self._entries[name] = _Entry(name, keep)
            self._push(entry, at or self._clock())
            self._changed.notify()

    def remove(self, name: str) -> None:
        """Keep it no longer; a renewal that is under way ends by itself."""
        with self._changed:
            self._drop(name)

    def poke(self, name: str) -> None:
        """Look after `name` now, unless that is being done already."""
        with self._changed:
            entry = self._entries.get(name)
            if entry is not None and not entry.running and (entry.due is None or entry.due > self._clock()):
                self._push(entry, self._clock())
                self._changed.notify()

    def due(self, name: str) -> datetime | None:
        """When `name` will be looked after next; None for never, or while it is being done."""
        with self._changed:
            entry = self._entries.get(name)
            return None if entry is None or entry.running else entry.due

    def run_due(self) -> datetime | None:
        """Look after everything that is due, here and now; when the next one is. For callers with a loop or clock of their own."""
        while (entry := self._take()) is not None:
            self._look_after(entry)
        with self._changed:
            return self._next()

    def start(self) -> None:
        """Start the scheduling thread. All threads are daemons: a renewal that hangs never holds up the end of the process."""
        if self._scheduler is None:
            self._scheduler = threading.Thread(target=self._schedule, name="unexpire-keeper", daemon=True)
            self._scheduler.start()

    def stop(self) -> None:
        """Begin no further renewal. Does not wait for those under way."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            for _ in range(self._threads):
                self._work.put(None)
        if self._scheduler is not None:
            self._scheduler.join()

    @contextlib.contextmanager
    def running(self) -> Iterator[Keeper]:
        self.start()
        try:
            yield self
        finally:
            self.stop()

    # everything below that touches the heap is called with the lock held

    def _drop(self, name: str) -> None:
        entry = self._entries.pop(name, None)
        if entry is not None:
            entry.removed = True

    def _push(self, entry: _Entry, due: datetime) -> None:
        entry.due, entry.turn = due, next(self._turns)
        heapq.heappush(self._heap, (due, entry.turn, entry))

    def _next(self) -> datetime | None:
        while self._heap:
            due, turn, entry = self._heap[0]
            if not entry.removed and not entry.running and entry.turn == turn:
                return due
            heapq.heappop(self._heap)
        return None

    def _take(self) -> _Entry | None:
        with self._changed:
            due = self._next()
            if due is None or due > self._clock():
                return None
            entry = heapq.heappop(self._heap)[2]
            entry.running = True
            return entry

    def _look_after(self, entry: _Entry) -> None:
        now = self._clock()
        try:
            following = entry.keep()
        except UnexpireError:
            following = now + self._retry_after
        except Exception:  # a defect in one source must not end the keeping of all others
            following = now + 2 * self._retry_after
        with self._changed:
            entry.running = False
            if following is None:
                entry.due = None
            elif not entry.removed:
                self._push(entry, self._spread_out(following, self._clock()))
            self._changed.notify()

    def _spread_out(self, moment: datetime, now: datetime) -> datetime:
        ahead = max(moment - now, timedelta(0))
        return max(moment, now) + min(ahead * self._spread, timedelta(seconds=90)) * self._chance()

    def _schedule(self) -> None:
        while not self._stopping:
            entry = self._take()
            if entry is not None:
                self._hand_over(entry)
                continue
            with self._changed:
                due = self._next()
                now = self._clock()
                wait_s = _LONGEST_SLEEP_S if due is None else min((due - now).total_seconds(), _LONGEST_SLEEP_S)
                if wait_s > 0 and not self._stopping:
                    self._changed.wait(wait_s)

    def _hand_over(self, entry: _Entry) -> None:
        with self._changed:
            if self._idle <= self._work.qsize() and self._threads < self._workers:
                self._threads += 1
                threading.Thread(target=self._serve, name="unexpire-renewal", daemon=True).start()
        self._work.put(entry)

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
            entry = self._work.get()
            with self._changed:
                self._idle -= 1
            if entry is None or self._stopping:
                return
            self._look_after(entry)
