"""`Refresher`: what is handed out, when the source is asked, and what a failure does. Time is a clock that the test moves."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from unexpire.credentials import Credentials
from unexpire.errors import Denied, InteractionRequired, RefreshFailed, StoreError, UnexpireError
from unexpire.freshness import DEFAULT_POLICY, Freshness
from unexpire.refresher import Backoff, Outage, Refresher

START = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
STEADY = Backoff(jitter=lambda: 0.0)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def tick(self, by: timedelta) -> None:
        self.now += by


class Source:
    """Gives a new session of `lifetime` each time, its number in all three parts; or what `answer` says."""

    method = "assume-role"
    identity = "assume-role-test"
    interactive = False

    def __init__(self, clock: Callable[[], datetime], lifetime: timedelta = HOUR) -> None:
        self.clock, self.lifetime = clock, lifetime
        self.renewable = True
        self.calls = 0
        self.answer: Callable[[], Credentials] | UnexpireError | Exception | None = None

    def describe(self) -> str:
        return "role Test"

    def session(self, life: timedelta | None = None) -> Credentials:
        n, now = self.calls, self.clock()
        return Credentials(f"ASIA{n}", f"secret{n}", f"token{n}", now + (life or self.lifetime), now)

    def fetch(self) -> Credentials:
        self.calls += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer() if self.answer is not None else self.session()


class Store:
    """Sessions that processes share, here those of several refreshers."""

    def __init__(self) -> None:
        self.held: dict[str, Credentials] = {}
        self.outages: dict[str, Outage] = {}
        self.locked = threading.Lock()
        self.broken = False
        self.unlockable = False
        self.on_lock: Callable[[], None] | None = None

    def load(self, identity: str) -> Credentials | None:
        if self.broken:
            raise StoreError("cannot read")
        return self.held.get(identity)

    def save(self, identity: str, credentials: Credentials, *, renewable: bool = True) -> None:
        if self.broken:
            raise StoreError("cannot write")
        self.held[identity] = credentials
        self.outages.pop(identity, None)

    def outage(self, identity: str) -> Outage | None:
        if self.broken:
            raise StoreError("cannot read")
        return self.outages.get(identity)

    def note(self, identity: str, outage: Outage) -> None:
        if self.broken:
            raise StoreError("cannot write")
        self.outages[identity] = outage

    def forget(self, identity: str) -> None:
        self.held.pop(identity, None)

    @contextlib.contextmanager
    def lock(self, identity: str) -> Iterator[None]:
        if self.unlockable:
            raise StoreError("cannot lock")
        if self.on_lock is not None:
            self.on_lock()
        with self.locked:
            yield


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(clock: Clock) -> Source:
    return Source(clock)


def refresher(source: Source, **more: Any) -> Refresher:
    more.setdefault("background", lambda work: work())
    more.setdefault("backoff", STEADY)
    return Refresher(source, clock=source.clock, **more)


OUTAGE = RefreshFailed("AWS cannot be reached", retryable=True, finding="endpoint-unreachable")


# --- fresh, stale, expired


def test_a_fresh_set_is_fetched_once(clock: Clock, source: Source) -> None:
    keeper = refresher(source)
    assert keeper.peek() is None
    first = keeper.current()
    clock.tick(15 * MINUTE)
    assert keeper.current() is first
    assert source.calls == 1


def test_a_stale_set_is_answered_at_once_and_renewed_in_the_background_once(clock: Clock, source: Source) -> None:
    started: list[Callable[[], None]] = []
    keeper = refresher(source, background=started.append)
    first = keeper.current()
    clock.tick(25 * MINUTE)
    assert keeper.current() is first
    assert keeper.current() is first
    assert len(started) == 1
    assert source.calls == 1
    started[0]()
    assert keeper.current().access_key_id == "ASIA2"
    assert len(started) == 1


def test_a_day_costs_no_more_sessions_than_the_policy_needs(clock: Clock, source: Source) -> None:
    keeper = refresher(source)
    for _ in range(24 * 60):
        assert DEFAULT_POLICY.freshness(keeper.current(), clock()) is not Freshness.EXPIRED
        clock.tick(MINUTE)
    every = HOUR - DEFAULT_POLICY.stale_window(HOUR)
    assert source.calls <= 1.05 * (24 * HOUR / every) + 1


def test_a_set_is_not_handed_out_that_is_over_when_it_arrives(clock: Clock, source: Source) -> None:
    """botocore fails on what has ended by the time that it has read the answer of a process; Java keeps it for minutes."""
    source.lifetime = 18 * SECOND
    keeper = refresher(source)
    told = DEFAULT_POLICY.advertised_end(keeper.current())
    assert told is not None
    clock.now = told - SECOND
    assert keeper.current().expiration == clock.now + 18 * SECOND


def test_an_expired_set_is_never_handed_out(clock: Clock, source: Source) -> None:
    keeper = refresher(source)
    first = keeper.current()
    source.answer = OUTAGE
    assert first.expiration is not None
    while clock() < first.expiration:
        clock.tick(37 * SECOND)
        end = DEFAULT_POLICY.advertised_end(first)
        assert end is not None
        if clock() < end:
            assert keeper.current() is first
        else:
            with pytest.raises(RefreshFailed):
                keeper.current()


def test_after_sleep_the_first_answer_is_a_new_set(clock: Clock, source: Source) -> None:
    keeper = refresher(source)
    keeper.current()
    clock.tick(timedelta(hours=9))
    assert keeper.current().access_key_id == "ASIA2"


def test_keys_without_an_end_are_fetched_once(clock: Clock, source: Source) -> None:
    source.answer = lambda: Credentials("AKIA1", "secret")
    keeper = refresher(source)
    keeper.current()
    clock.tick(timedelta(days=400))
    keeper.current()
    assert source.calls == 1
    assert keeper.standing().advertised_end is None


@pytest.mark.parametrize("lifetime", [15 * SECOND, 20 * SECOND, 15 * MINUTE, 12 * HOUR])
def test_every_lifetime_is_survived(clock: Clock, source: Source, lifetime: timedelta) -> None:
    source.lifetime = lifetime
    keeper = refresher(source)
    for _ in range(200):
        clock.tick(lifetime / 20)
        given = keeper.current()
        assert given.expiration is not None
        assert given.expiration > clock()


# --- failures


@pytest.mark.parametrize(
    ("lifetime", "left"),
    [
        (18 * SECOND, 4 * SECOND),
        (40 * SECOND, 5 * SECOND),
        (15 * MINUTE, MINUTE),
        (HOUR, 10 * MINUTE),
        (12 * HOUR, 10 * MINUTE),
    ],
)
def test_who_asks_in_vain_at_the_end_that_was_told_can_sign_a_while_longer(
    clock: Clock, source: Source, lifetime: timedelta, left: timedelta
) -> None:
    """SDKs that ask at the last moment give an endpoint a second or two, and go on with what they have when it says nothing."""
    source.lifetime = lifetime
    held = Refresher(source, clock=clock).current()
    told = DEFAULT_POLICY.advertised_end(held)
    assert held.expiration is not None
    assert told is not None
    assert left <= held.expiration - told < left + SECOND


def test_an_outage_costs_one_call_per_interval_and_the_held_set_stays(clock: Clock, source: Source) -> None:
    keeper = refresher(source)
    first = keeper.current()
    clock.tick(25 * MINUTE)
    source.answer, source.calls = OUTAGE, 0
    for _ in range(20 * 60):
        assert keeper.current() is first
        clock.tick(SECOND)
    assert 19 <= source.calls <= 26
    standing = keeper.standing()
    assert standing.last_error is OUTAGE
    assert standing.failures == source.calls
    source.answer = None
    clock.tick(MINUTE)
    keeper.current()
    assert keeper.current() is not first
    assert keeper.standing().last_error is None


def test_past_the_end_every_call_raises_the_last_error_without_asking_again(clock: Clock, source: Source) -> None:
    keeper = refresher(source)
    source.answer = OUTAGE
    for _ in range(50):
        with pytest.raises(RefreshFailed) as caught:
            keeper.current()
        assert caught.value is OUTAGE
    assert source.calls == 1
    source.answer = None
    clock.tick(6 * SECOND)
    assert keeper.current().access_key_id == "ASIA2"


def test_backoff_doubles_to_a_minute_and_jitter_only_shortens_it() -> None:
    pauses = [STEADY.after(n, None).total_seconds() for n in range(1, 8)]
    assert pauses == [5, 10, 20, 40, 60, 60, 60]
    shortest = Backoff(jitter=lambda: 1.0)
    assert [shortest.after(n, None).total_seconds() for n in (1, 5, 900)] == [3.75, 45, 45]
    assert STEADY.after(9, 10 * SECOND) == SECOND
    assert STEADY.after(9, timedelta(0)) == MINUTE


def test_what_only_a_human_can_change_is_looked_at_less_often(clock: Clock, source: Source) -> None:
    keeper = refresher(source)
    source.answer = InteractionRequired("log in", interaction="sso-login")
    for _ in range(30):
        with pytest.raises(InteractionRequired):
            keeper.current()
        clock.tick(SECOND)
    assert source.calls == 1
    clock.tick(11 * SECOND)
    source.answer = None
    assert keeper.current().access_key_id == "ASIA2"


def test_a_denial_raises_as_it_is(source: Source) -> None:
    source.answer = Denied("no", finding="assume-role-denied")
    with pytest.raises(Denied):
        refresher(source).current()


def test_a_bug_in_a_provider_is_a_failure_that_can_be_tried_again(source: Source) -> None:
    source.answer = KeyError("secret0")
    with pytest.raises(RefreshFailed) as caught:
        refresher(source).current()
    assert caught.value.retryable
    assert "secret0" not in str(caught.value)


def test_a_clock_that_is_set_back_does_not_stretch_the_backoff(clock: Clock, source: Source) -> None:
    keeper = refresher(source)
    source.answer = OUTAGE
    with pytest.raises(RefreshFailed):
        keeper.current()
    clock.tick(-5 * HOUR)
    source.answer = None
    keeper.current()
    assert source.calls == 2


# --- nothing usable held: an outage is waited out, for a while


def patient(source: Source, clock: Clock, seconds: float = 15, **more: Any) -> tuple[Refresher, list[float]]:
    """A refresher that waits out an outage of so many seconds, and the pauses that it made."""
    pauses: list[float] = []

    def wait(pause: float) -> None:
        pauses.append(pause)
        clock.tick(timedelta(seconds=pause))

    return refresher(source, patience=timedelta(seconds=seconds), wait=wait, **more), pauses


def ends_at(source: Source, clock: Clock, moment: datetime) -> None:
    def answer() -> Credentials:
        if clock.now < moment:
            raise OUTAGE
        return source.session()

    source.answer = answer


@pytest.mark.parametrize(("lasts_s", "calls"), [(0.4, 2), (1, 3), (3, 5), (7, 6), (14, 8)])
def test_a_short_outage_is_waited_out(clock: Clock, source: Source, lasts_s: float, calls: int) -> None:
    keeper, pauses = patient(source, clock)
    ends_at(source, clock, START + timedelta(seconds=lasts_s))
    assert keeper.current().access_key_id == f"ASIA{calls}"
    assert source.calls == calls
    assert sum(pauses) <= 15
    assert max(pauses) <= 4


def test_a_long_outage_is_waited_out_once_and_then_fails_at_once(clock: Clock, source: Source) -> None:
    keeper, pauses = patient(source, clock)
    source.answer = OUTAGE
    with pytest.raises(RefreshFailed):
        keeper.current()
    assert sum(pauses) == pytest.approx(15)
    calls, pauses[:] = source.calls, []
    assert calls <= 9
    for _ in range(600):
        with pytest.raises(RefreshFailed):
            keeper.current()
        clock.tick(SECOND)
    assert pauses == []
    assert source.calls - calls <= 14, "a call a minute"
    clock.tick(HOUR)  # nobody asked for an hour: another outage, which is waited out as well
    ends_at(source, clock, clock.now + 3 * SECOND)
    assert keeper.current()


def test_the_pauses_are_jittered(clock: Clock, source: Source) -> None:
    keeper, pauses = patient(source, clock, backoff=Backoff(jitter=lambda: 1.0))
    ends_at(source, clock, START + SECOND)
    keeper.current()
    assert pauses[0] == pytest.approx(0.375)


def test_an_outage_of_ahead_is_waited_out_at_the_end(clock: Clock, source: Source) -> None:
    """The renewals ahead failed for half an hour, the last of them a moment ago: whoever asks now still waits for the next."""
    keeper, _ = patient(source, clock)
    keeper.current()
    clock.tick(21 * MINUTE)
    ends_at(source, clock, START + 50 * MINUTE + 5 * SECOND)
    while clock.now < START + 50 * MINUTE - 2 * SECOND:
        keeper.current()
        clock.tick(SECOND)
    assert keeper.current().expiration == clock.now + HOUR


@pytest.mark.parametrize(
    "error",
    [
        Denied("no", finding="assume-role-denied"),
        InteractionRequired("log in", interaction="sso-login"),
        RefreshFailed("gone", retryable=False),
        RefreshFailed("the clock is wrong", retryable=True, finding="clock-skew"),
    ],
)
def test_what_waiting_does_not_help_is_told_at_once(clock: Clock, source: Source, error: UnexpireError) -> None:
    keeper, pauses = patient(source, clock)
    source.answer = error
    with pytest.raises(type(error)):
        keeper.current()
    assert (source.calls, pauses) == (1, [])


def test_throttling_is_answered_with_longer_pauses(clock: Clock, source: Source) -> None:
    keeper, pauses = patient(source, clock)
    source.answer = RefreshFailed("slow down", retryable=True, finding="throttled")
    with pytest.raises(RefreshFailed):
        keeper.current()
    assert pauses == [5, 10]
    assert source.calls == 3


def test_a_patient_stampede_into_an_outage_waits_together(clock: Clock, source: Source) -> None:
    keeper, pauses = patient(source, clock)
    source.answer = OUTAGE
    errors: list[UnexpireError] = []

    def ask() -> None:
        try:
            keeper.current()
        except UnexpireError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [OUTAGE] * 20
    assert sum(pauses) == pytest.approx(15)
    assert source.calls <= 9


def test_a_forced_renewal_does_not_wait(clock: Clock, source: Source) -> None:
    keeper, pauses = patient(source, clock)
    source.answer = OUTAGE
    with pytest.raises(RefreshFailed):
        keeper.renew()
    assert pauses == []


# --- one outage for all processes


def test_a_failure_is_shared_with_the_others(clock: Clock, source: Source) -> None:
    store = Store()
    crowd = [refresher(source, store=store) for _ in range(200)]
    source.answer = OUTAGE
    for each in crowd:
        with pytest.raises(RefreshFailed, match="AWS cannot be reached"):
            each.current()
    assert source.calls == 1
    while clock.now < START + 10 * MINUTE:
        clock.tick(SECOND)
        for each in crowd[::20]:
            with pytest.raises(RefreshFailed):
                each.current()
    assert source.calls <= 8 + 14, "the hurry of the beginning, and then a call a minute for all"
    source.answer = None
    clock.tick(MINUTE)
    assert crowd[7].current()
    assert store.outages == {}
    assert crowd[8].current() == crowd[7].peek()


def test_a_held_set_stays_while_others_fail(clock: Clock, source: Source) -> None:
    store = Store()
    crowd = [refresher(source, store=store) for _ in range(20)]
    first = crowd[0].current()
    clock.tick(25 * MINUTE)
    source.answer, source.calls = OUTAGE, 0
    for _ in range(20 * 60):
        assert all(each.current() == first for each in crowd)
        clock.tick(SECOND)
    assert 15 <= source.calls <= 30, "about one a minute, not one for each process"


def test_who_has_nothing_waits_for_the_next_attempt_of_the_others(clock: Clock, source: Source) -> None:
    store = Store()
    other, (mine, _) = refresher(source, store=store), patient(source, clock, store=store)
    ends_at(source, clock, START + 3 * SECOND)
    with pytest.raises(RefreshFailed):
        other.current()
    assert mine.current()
    assert source.calls <= 6


@pytest.mark.parametrize("jump", [-5 * HOUR, 5 * HOUR])
def test_a_failure_from_before_a_jump_of_the_clock_counts_for_nothing(
    clock: Clock, source: Source, jump: timedelta
) -> None:
    store = Store()
    source.answer = OUTAGE
    with pytest.raises(RefreshFailed):
        refresher(source, store=store).current()
    clock.tick(jump)
    source.answer = None
    assert refresher(source, store=store).current()


def test_nobody_is_held_up_longer_than_by_a_failure_of_his_own(clock: Clock, source: Source) -> None:
    store = Store()
    store.outages[source.identity] = Outage(OUTAGE, START, START + 9 * HOUR, failures=90)
    keeper = refresher(source, store=store)
    with pytest.raises(RefreshFailed):
        keeper.current()
    clock.tick(4 * SECOND)
    assert keeper.current()


# --- what sources give that is not good


def test_a_set_that_is_over_does_not_replace_one_that_is_held(clock: Clock, source: Source) -> None:
    keeper = refresher(source)
    first = keeper.current()
    clock.tick(25 * MINUTE)
    source.answer = lambda: Credentials("ASIAdead", "s", "t", clock() - SECOND, clock() - HOUR)
    assert keeper.current() is first
    assert keeper.peek() is first
    clock.tick(26 * MINUTE)
    with pytest.raises(RefreshFailed, match="over, or nearly"):
        keeper.current()


@pytest.mark.parametrize(
    ("method", "renewable", "finding"),
    [
        ("iam-role", True, "metadata-stale"),
        ("custom-process", True, "process-bad-output"),
        ("env", False, "static-session"),
        ("assume-role", True, "clock-skew"),
    ],
)
def test_what_it_means_that_a_source_gives_dead_sets(
    clock: Clock, source: Source, method: str, renewable: bool, finding: str
) -> None:
    source.method, source.renewable = method, renewable
    source.answer = lambda: Credentials("ASIAdead", "s", "t", clock() - SECOND)
    with pytest.raises(RefreshFailed) as caught:
        refresher(source).current()
    assert caught.value.finding == finding
    assert caught.value.retryable is renewable


def test_a_shorter_set_does_not_replace_a_better_one(clock: Clock, source: Source) -> None:
    keeper = refresher(source)
    first = keeper.current()
    clock.tick(25 * MINUTE)
    source.answer = lambda: source.session(3 * MINUTE)
    keeper.current()
    assert keeper.peek() is first


def test_a_source_that_gives_the_next_set_late_is_followed_to_the_end(clock: Clock, source: Source) -> None:
    """As the metadata service does: the next set appears 5 minutes before the old one's end, later than our margin."""
    issued = clock()
    source.method = "iam-role"

    def instance_role() -> Credentials:
        number = int((clock() - issued + 5 * MINUTE) / (6 * HOUR))
        begin = issued + number * 6 * HOUR - (5 * MINUTE if number else timedelta(0))
        return Credentials(f"ASIA{number}", "s", "t", issued + (number + 1) * 6 * HOUR, begin)

    source.answer = instance_role
    keeper = refresher(source)
    while clock() < issued + 13 * HOUR:
        given = keeper.current()
        assert given.expiration is not None
        assert given.expiration > clock()
        clock.tick(5 * SECOND)
    assert source.calls < 250


def test_a_static_copy_goes_out_until_its_end_and_is_not_asked_for_at_every_call(clock: Clock, source: Source) -> None:
    end = clock() + 8 * MINUTE
    source.renewable = False
    source.answer = lambda: Credentials("ASIAcopy", "s", "t", end)
    keeper = refresher(source)
    while end - clock() > 6 * SECOND:
        assert keeper.current().expiration == end
        clock.tick(SECOND)
    assert source.calls < 60
    clock.tick(6 * SECOND)
    with pytest.raises(RefreshFailed) as caught:
        keeper.current()
    assert caught.value.finding == "static-session"


def test_a_set_without_its_beginning_begins_when_it_comes(clock: Clock, source: Source) -> None:
    source.answer = lambda: Credentials("ASIA1", "s", "t", clock() + 9 * MINUTE)
    given = refresher(source).current()
    assert given.issued_at == clock()


# --- renewing what AWS refused


def test_a_rejected_set_is_renewed_once_for_all_who_held_it(source: Source) -> None:
    keeper = refresher(source)
    first = keeper.current()
    renewed = {keeper.renew(first).access_key_id for _ in range(20)}
    assert renewed == {"ASIA2"}
    assert source.calls == 2
    assert keeper.current().access_key_id == "ASIA2"


def test_a_source_that_gives_the_rejected_set_again_is_asked_once_per_interval(clock: Clock, source: Source) -> None:
    keeper = refresher(source)
    first = keeper.current()
    source.answer = lambda: first
    for _ in range(20):
        with pytest.raises(RefreshFailed, match="AWS refused"):
            keeper.renew(first)
    assert source.calls == 2
    assert keeper.peek() is first
    clock.tick(6 * SECOND)
    source.answer = None
    assert keeper.renew(first) is not first


def test_a_renewal_without_a_reason_goes_through_the_backoff(source: Source) -> None:
    keeper = refresher(source)
    source.answer = OUTAGE
    with pytest.raises(RefreshFailed):
        keeper.current()
    source.answer = None
    assert keeper.renew().access_key_id == "ASIA2"
    assert keeper.renew().access_key_id == "ASIA3"


def test_a_failed_forced_renewal_keeps_what_is_held(source: Source) -> None:
    keeper = refresher(source)
    first = keeper.current()
    source.answer = OUTAGE
    with pytest.raises(RefreshFailed):
        keeper.renew(first)
    assert keeper.current() is first


# --- threads


def test_twenty_threads_never_see_a_torn_set_while_renewals_run(clock: Clock, source: Source) -> None:
    keeper = refresher(source)
    torn: list[Credentials] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            got = keeper.current()
            number = got.access_key_id.removeprefix("ASIA")
            if (got.secret_access_key, got.session_token) != (f"secret{number}", f"token{number}"):
                torn.append(got)

    threads = [threading.Thread(target=read) for _ in range(20)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        clock.tick(25 * MINUTE)
        keeper.current()
    stop.set()
    for thread in threads:
        thread.join()
    assert torn == []
    assert source.calls > 100


def test_a_stampede_of_threads_makes_one_call(source: Source) -> None:
    keeper = refresher(source)
    begin, answer = threading.Barrier(30), threading.Event()

    def slow() -> Credentials:
        assert answer.wait(10)
        return source.session()

    source.answer = slow
    seen: list[Credentials] = []

    def ask() -> None:
        begin.wait()
        seen.append(keeper.current())

    threads = [threading.Thread(target=ask) for _ in range(29)]
    for thread in threads:
        thread.start()
    begin.wait()
    answer.set()
    for thread in threads:
        thread.join()
    assert source.calls == 1
    assert len({id(each) for each in seen}) == 1


def test_a_stampede_into_an_outage_makes_one_call_too(source: Source) -> None:
    keeper = refresher(source)
    source.answer = OUTAGE
    errors: list[UnexpireError] = []

    def ask() -> None:
        try:
            keeper.current()
        except UnexpireError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert source.calls == 1
    assert errors == [OUTAGE] * 20


def test_a_source_that_hangs_blocks_nobody_who_has_a_usable_set(clock: Clock, source: Source) -> None:
    keeper = Refresher(source, clock=clock)
    first = keeper.current()
    hanging, release = threading.Event(), threading.Event()

    def hang() -> Credentials:
        hanging.set()
        assert release.wait(10)
        return source.session()

    source.answer = hang
    clock.tick(25 * MINUTE)
    assert keeper.current() is first
    assert hanging.wait(10)
    for _ in range(10):
        assert keeper.current() is first
    assert keeper.standing().attempts == 2
    release.set()


def test_ctrl_c_during_a_renewal_leaves_a_refresher_that_works(source: Source) -> None:
    keeper = refresher(source)

    def interrupt() -> Credentials:
        raise KeyboardInterrupt

    source.answer = interrupt
    with pytest.raises(KeyboardInterrupt):
        keeper.current()
    source.answer = None
    assert keeper.current().access_key_id == "ASIA2"


# --- processes, through the store


def test_two_refreshers_share_one_session(source: Source) -> None:
    store = Store()
    assert refresher(source, store=store).current() == refresher(source, store=store).current()
    assert source.calls == 1


def test_what_another_process_renewed_while_we_waited_for_the_lock_is_taken(clock: Clock, source: Source) -> None:
    store = Store()
    keeper = refresher(source, store=store)
    keeper.current()
    clock.tick(25 * MINUTE)
    other = Credentials("ASIAother", "s", "t", clock() + HOUR, clock())
    store.on_lock = lambda: store.held.update({source.identity: other})
    keeper.current()
    assert keeper.current() == other
    assert source.calls == 1
    assert keeper.standing().renewals == 1


@pytest.mark.parametrize("refused", [False, True], ids=["over", "refused"])
def test_what_another_process_renewed_ends_the_wait_of_who_has_nothing_usable(
    clock: Clock, source: Source, refused: bool
) -> None:
    store = Store()
    keeper = refresher(source, store=store)
    first = keeper.current()
    clock.tick(MINUTE if refused else HOUR)
    source.answer = OUTAGE

    def ask() -> Credentials:
        return keeper.renew(first) if refused else keeper.current()

    for _ in range(60):
        with pytest.raises(RefreshFailed):
            ask()
        clock.tick(SECOND)
    waits_until, calls = keeper.standing().next_attempt, source.calls
    assert waits_until is not None
    assert waits_until > clock() + 5 * SECOND
    other = Credentials("ASIAother", "s", "t", clock() + HOUR, clock())
    store.save(source.identity, other)
    assert ask() == other
    assert source.calls == calls


def test_two_who_find_the_same_set_old_renew_it_once(clock: Clock, source: Source) -> None:
    """One of two detached renewals is done when the other has looked, and not yet waited for the lock."""
    store = Store()
    keeper = refresher(source, store=store)
    keeper.current()
    clock.tick(25 * MINUTE)
    other = Credentials("ASIAother", "s", "t", clock() + HOUR, clock())
    store.held[source.identity] = other
    assert keeper.renew() == other
    assert source.calls == 1


def test_what_was_taken_from_the_store_while_a_renewal_ahead_began_is_not_renewed(clock: Clock, source: Source) -> None:
    store = Store()
    store.held[source.identity] = source.session()
    refresher = Refresher(source, clock=clock, store=store, background=lambda work: work())
    store.on_lock = lambda: refresher.current()  # does not wait: what it needs is in the store
    refresher.renew_ahead()
    assert source.calls == 0
    assert refresher.peek() == store.held[source.identity]


def test_a_stored_set_that_aws_refused_is_not_taken(source: Source) -> None:
    store = Store()
    keeper = refresher(source, store=store)
    first = keeper.current()
    assert store.held[source.identity] == first
    assert keeper.renew(first).access_key_id == "ASIA2"
    assert store.held[source.identity].access_key_id == "ASIA2"


def test_a_stale_stored_set_is_usable_at_once_even_while_its_renewal_hangs_elsewhere(
    clock: Clock, source: Source
) -> None:
    store = Store()
    held = Credentials("ASIAstale", "s", "t", clock() + 30 * MINUTE, clock() - 30 * MINUTE)
    store.held[source.identity] = held
    waiting: list[Callable[[], None]] = []
    keeper = refresher(source, store=store, background=waiting.append)
    with store.locked:
        assert keeper.current() == held
    assert len(waiting) == 1


def test_an_expired_stored_set_is_not_taken(clock: Clock, source: Source) -> None:
    store = Store()
    store.held[source.identity] = Credentials("ASIAold", "s", "t", clock() + MINUTE, clock() - HOUR)
    assert refresher(source, store=store).current().access_key_id == "ASIA1"


@pytest.mark.parametrize("trouble", ["broken", "unlockable"])
def test_a_store_that_does_not_work_keeps_nobody_from_credentials(source: Source, trouble: str) -> None:
    store = Store()
    setattr(store, trouble, True)
    keeper = refresher(source, store=store)
    first = keeper.current()
    assert first.access_key_id == "ASIA1"
    assert keeper.renew(first).access_key_id == "ASIA2"


def test_an_error_of_the_source_is_not_taken_for_one_of_the_lock(source: Source) -> None:
    source.answer = StoreError("the SSO cache cannot be written")
    with pytest.raises(StoreError):
        refresher(source, store=Store()).current()
    assert source.calls == 1


_CHILD = """
import sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unexpire.credentials import Credentials
from unexpire.refresher import Refresher
from unexpire.stores.session_cache import SessionCache

class Source:
    method, identity, renewable, interactive = "assume-role", "assume-role-stampede", True, False
    def describe(self): return "role Stampede"
    def fetch(self):
        with open(sys.argv[2], "a") as log:
            log.write("fetched\\n")
        time.sleep(0.3)  # long enough for every other process to come to the lock
        now = datetime.now(UTC).replace(microsecond=0)
        return Credentials("ASIAONE", "secret", "token", now + timedelta(hours=1), now)

print("ready", flush=True)
sys.stdin.readline()
print(Refresher(Source(), store=SessionCache(Path(sys.argv[1]))).current().access_key_id)
"""


def test_a_stampede_of_processes_makes_one_call(tmp_path: Path) -> None:
    log = tmp_path / "log"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(tmp_path / "cache"), str(log)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    answers = []
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        answers.append(child.communicate(timeout=60)[0].strip())
    assert answers == ["ASIAONE"] * 8
    assert log.read_text() == "fetched\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_forked_during_a_renewal_renews_for_itself(source: Source) -> None:
    keeper = refresher(source, background=lambda work: None)
    asked, answered = threading.Event(), threading.Event()
    parent = os.getpid()

    def answer() -> Credentials:
        if os.getpid() == parent:
            asked.set()
            answered.wait(60)
        return source.session()

    source.answer = answer
    thread = threading.Thread(target=keeper.current)
    thread.start()
    assert asked.wait(60)
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=lambda: there.send(keeper.current().access_key_id))
    child.start()
    try:
        assert here.poll(60), "the child waits for a thread that it does not have"
        assert here.recv() == "ASIA2"
    finally:
        answered.set()
        thread.join()
        child.join()
    assert keeper.current().access_key_id == "ASIA1"


# --- what it tells


def test_the_standing_tells_everything_but_secrets(clock: Clock, source: Source) -> None:
    keeper = refresher(source)
    given = keeper.current()
    standing = keeper.standing()
    assert standing.ends_at == given.expiration
    assert standing.advertised_end == clock() + 50 * MINUTE
    assert standing.renewal_due == clock() + 20 * MINUTE
    assert (standing.attempts, standing.renewals, standing.failures) == (1, 1, 0)
    assert "secret1" not in repr(standing)
    assert keeper.snapshot().identity == source.identity


def test_a_keeper_is_told_whether_a_renewal_was_started(clock: Clock, source: Source) -> None:
    keeper = refresher(source)
    assert keeper.renew_ahead() is True
    assert keeper.renew_ahead() is False
    clock.tick(25 * MINUTE)
    assert keeper.renew_ahead() is True
    assert source.calls == 2
