"""The keeper by a clock of the test's own, and with threads."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from unexpire.errors import RefreshFailed
from unexpire.keeper import Keeper

START = datetime(2026, 11, 22, 20, 0, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def test_each_is_looked_after_at_its_time_and_not_before() -> None:
    clock = Clock()
    keeper = Keeper(clock=clock, chance=lambda: 0.0)
    looked: list[tuple[str, datetime]] = []

    def every(name: str, seconds: int) -> None:
        def keep() -> datetime:
            looked.append((name, clock.now))
            return clock.now + timedelta(seconds=seconds)

        keeper.add(name, keep)

    every("a", 60)
    every("b", 25)
    for _ in range(121):
        keeper.run_due()
        clock.pass_(1)
    times = {name: [int((at - START).total_seconds()) for who, at in looked if who == name] for name in ("a", "b")}
    assert times == {"a": [0, 60, 120], "b": [0, 25, 50, 75, 100]}


def test_a_failure_or_a_defect_of_one_does_not_stop_the_others() -> None:
    clock = Clock()
    keeper = Keeper(clock=clock, chance=lambda: 0.0, retry_after=timedelta(seconds=30))
    looked = []

    def failing() -> datetime:
        looked.append("failing")
        raise RefreshFailed("no", retryable=True)

    def broken() -> datetime:
        looked.append("broken")
        raise ZeroDivisionError

    keeper.add("failing", failing)
    keeper.add("broken", broken)
    keeper.add("never again", lambda: looked.append("once"))  # type: ignore[func-returns-value,arg-type,return-value]
    keeper.run_due()
    assert sorted(looked) == ["broken", "failing", "once"]
    assert keeper.due("failing") == START + timedelta(seconds=30)
    assert keeper.due("broken") == START + timedelta(seconds=60)
    assert keeper.due("never again") is None
    clock.pass_(600)
    keeper.run_due()
    assert looked.count("once") == 1


def test_a_poke_is_one_look_more_and_the_old_time_is_forgotten() -> None:
    clock = Clock()
    keeper = Keeper(clock=clock, chance=lambda: 0.0)
    looked = []

    def keep() -> datetime:
        looked.append(clock.now)
        return clock.now + timedelta(seconds=100)

    keeper.add("a", keep)
    keeper.run_due()
    clock.pass_(50)
    keeper.poke("a")
    keeper.poke("a")
    keeper.run_due()
    clock.pass_(50)  # the time that was set before the poke
    keeper.run_due()
    assert [int((at - START).total_seconds()) for at in looked] == [0, 50]


def test_what_is_removed_or_replaced_is_not_looked_after() -> None:
    clock = Clock()
    keeper = Keeper(clock=clock)
    looked: list[str] = []
    keeper.add("a", lambda: looked.append("old"))  # type: ignore[func-returns-value,arg-type,return-value]
    keeper.add("a", lambda: looked.append("new"))  # type: ignore[func-returns-value,arg-type,return-value]
    keeper.add("b", lambda: looked.append("b"))  # type: ignore[func-returns-value,arg-type,return-value]
    keeper.remove("b")
    keeper.run_due()
    assert looked == ["new"]
    assert len(keeper) == 1


def test_identities_that_began_together_do_not_renew_together() -> None:
    clock = Clock()
    keeper = Keeper(clock=clock)
    for number in range(200):
        keeper.add(str(number), lambda: clock.now + timedelta(minutes=20))
    keeper.run_due()
    dues = [due for number in range(200) if (due := keeper.due(str(number)))]
    assert min(dues) >= START + timedelta(minutes=20), "never ahead of what the policy says"
    assert max(dues) <= START + timedelta(minutes=21, seconds=1)
    assert max(dues) - min(dues) > timedelta(seconds=30)


def test_ten_thousand_identities_are_looked_after_once_an_interval() -> None:
    clock = Clock()
    keeper = Keeper(clock=clock)
    looks = [0]

    def keep() -> datetime:
        looks[0] += 1
        return clock.now + timedelta(minutes=20)

    for number in range(10_000):
        keeper.add(str(number), keep)
    for _ in range(125):  # two hours and five minutes
        keeper.run_due()
        clock.pass_(60)
    assert 10_000 * 6 <= looks[0] <= 10_000 * 7


def test_threads_look_after_one_at_a_time_each_and_others_meanwhile() -> None:
    inside: set[str] = set()
    overlap = threading.Event()
    twice: list[str] = []
    done = threading.Event()
    counts: dict[str, int] = {}
    lock = threading.Lock()
    meet = threading.Barrier(2, timeout=20)

    def keep(name: str) -> datetime:
        with lock:
            if name in inside:
                twice.append(name)
            inside.add(name)
            first = name not in counts
            counts[name] = counts.get(name, 0) + 1
        if first:
            meet.wait()  # only passes when the other one runs at the same time
            overlap.set()
        with lock:
            inside.discard(name)
            if all(counts.get(each, 0) >= 20 for each in ("a", "b")):
                done.set()
        return datetime.now(UTC)

    keeper = Keeper(workers=3)
    keeper.add("a", lambda: keep("a"))
    keeper.add("b", lambda: keep("b"))
    with keeper.running():
        assert done.wait(30)
        keeper.poke("a")
    assert overlap.is_set()
    assert twice == []


def test_one_that_hangs_holds_up_neither_the_others_nor_the_end() -> None:
    release, others = threading.Event(), threading.Event()

    def hang() -> None:
        release.wait(60)

    keeper = Keeper(workers=2)
    keeper.add("hangs", hang)  # type: ignore[arg-type]
    keeper.add("works", lambda: others.set())  # type: ignore[func-returns-value,arg-type,return-value]
    with keeper.running():
        assert others.wait(30)
    release.set()
