"""A day by a clock of the test's own: how many calls keeping fresh costs, and that every minute has an answer."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from unexpire.credentials import Credentials
from unexpire.delivery.endpoint import credentials_document
from unexpire.delivery.serving import at_once, keep_fresh
from unexpire.errors import RefreshFailed
from unexpire.freshness import DEFAULT_POLICY, Freshness
from unexpire.keeper import Keeper
from unexpire.refresher import Backoff, Refresher

START = datetime(2026, 11, 22, 0, 0, 0, tzinfo=UTC)
DAY = timedelta(hours=24)


class Source:
    """A role whose sessions last `lifetime`; `down` says whether STS is out at a moment."""

    method, identity, renewable, interactive = "assume-role", "role-1", True, False

    def __init__(self, lifetime: timedelta, clock: Callable[[], datetime], down: Callable[[datetime], bool]) -> None:
        self.lifetime, self.clock, self.down = lifetime, clock, down
        self.calls = self.failed = 0

    def describe(self) -> str:
        return "role"

    def fetch(self) -> Credentials:
        self.calls += 1
        now = self.clock()
        if self.down(now):
            self.failed += 1
            raise RefreshFailed("out", retryable=True)
        return Credentials(f"ASIA{self.calls:016d}", "s", f"t{self.calls}", now + self.lifetime, now)


class Day:
    def __init__(self, lifetime: timedelta, down: Callable[[datetime], bool] = lambda now: False) -> None:
        self.now = START
        self.source = Source(lifetime, lambda: self.now, down)
        backoff = Backoff(jitter=lambda: 0.5)
        self.refresher = Refresher(self.source, clock=lambda: self.now, background=at_once, backoff=backoff)
        self.keeper = Keeper(clock=lambda: self.now)
        self.keeper.add("role", lambda: keep_fresh(self.refresher, lambda: self.now))
        self.unanswered = timedelta(0)

    def live(self, step: timedelta = timedelta(seconds=20)) -> None:
        """Through the day: the keeper at its moments, a client every `step`, who must never see an expired set."""
        while self.now < START + DAY:
            due = self.keeper.run_due()
            following = min(self.now + step, max(due or START + DAY, self.now + timedelta(milliseconds=1)))
            if not self.ask():
                self.unanswered += following - self.now
            self.now = following

    def ask(self) -> bool:
        try:
            held = self.refresher.current()
        except RefreshFailed:
            return False
        assert held.expiration
        assert DEFAULT_POLICY.freshness(held, self.now) is not Freshness.EXPIRED
        told = datetime.fromisoformat(credentials_document(held, DEFAULT_POLICY, self.now)["Expiration"])
        assert self.now < told < held.expiration
        return True


@pytest.mark.parametrize("minutes", [15, 20, 30, 60, 90, 240, 720])
def test_a_day_costs_at_most_a_twentieth_more_calls_than_the_least_possible(minutes: int) -> None:
    lifetime = timedelta(minutes=minutes)
    day = Day(lifetime)
    day.live()
    least = math.ceil(DAY / (lifetime - DEFAULT_POLICY.stale_window(lifetime)))
    assert least * 0.9 <= day.source.calls <= max(least * 1.05, least + 1)
    assert day.unanswered == timedelta(0)


@pytest.mark.parametrize("minutes", [60, 240])
def test_what_is_handed_out_always_lives_longer_than_sdks_refetch_below(minutes: int) -> None:
    day = Day(timedelta(minutes=minutes))
    shortest = timedelta(days=1)
    while day.now < START + DAY:
        day.keeper.run_due()
        end = DEFAULT_POLICY.advertised_end(day.refresher.current())
        assert end
        shortest = min(shortest, end - day.now)
        day.now += timedelta(seconds=30)
    assert shortest > timedelta(minutes=25)


def test_an_outage_shorter_than_what_is_held_is_not_noticed_and_costs_a_call_an_interval() -> None:
    begin, end = START + timedelta(hours=5), START + timedelta(hours=5, minutes=29)
    day = Day(timedelta(hours=1), lambda now: begin <= now < end)
    day.live()
    assert day.unanswered == timedelta(0)
    assert 20 <= day.source.failed <= 45, "about a call a minute"


def test_a_long_outage_is_unanswered_only_where_nothing_alive_is_held() -> None:
    begin, end = START + timedelta(hours=5), START + timedelta(hours=8)
    day = Day(timedelta(hours=1), lambda now: begin <= now < end)
    day.live(timedelta(seconds=60))
    # at best 50 min of what was held outlive the beginning, at worst 30; afterwards it comes back within a backoff
    assert timedelta(minutes=125) <= day.unanswered <= timedelta(minutes=155)
    assert day.source.failed <= 3 * 60 * 1.5 + 10


def test_a_machine_that_slept_gets_a_fresh_set_before_anything_old() -> None:
    day = Day(timedelta(hours=1))
    day.keeper.run_due()
    first = day.refresher.current()
    day.now += timedelta(hours=9)
    assert day.refresher.current().access_key_id != first.access_key_id
    day.now -= timedelta(hours=4)  # the clock is set right again
    day.keeper.run_due()
    assert day.refresher.current()
