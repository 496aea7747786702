"""What is remembered of sessions, and how it is drawn: pure, with times passed in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from unexpire.delivery.overview import Line, Overview
from unexpire.stores.aws_caches import CachedEnd
from unexpire.web.drawing import bar, left_in_words, time_line
from unexpire.web.record import Identity, Record

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def line(key: str = "ASIA1", begins: datetime = NOW, lifetime: timedelta = HOUR, **more: object) -> Line:
    end = begins + lifetime
    made = Line(
        "prod",
        "role Deploy",
        "agent",
        held=True,
        lifetime=lifetime,
        expires_at=end,
        usable_until=end - lifetime / 6,
        access_key_id=key,
        renews_itself=True,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def look(record: Record, now: datetime, *lines: Line, foreign: tuple[CachedEnd, ...] = ()) -> list[Identity]:
    return record.look(Overview(lines, None), foreign, now, "/home/me")


def test_a_session_that_takes_anothers_place_is_a_renewal() -> None:
    record = Record()
    look(record, NOW, line())
    look(record, NOW + HOUR / 4, line())
    (identity,) = look(record, NOW + HOUR / 2, line("ASIA2", NOW + HOUR / 2))
    assert identity.renewals == 1
    assert [(s.access_key_id, s.start, s.until) for s in identity.sessions] == [
        ("ASIA1", NOW, NOW + HOUR / 2),
        ("ASIA2", NOW + HOUR / 2, None),
    ]


def test_what_is_gone_stays_in_sight_for_a_while_after_its_end() -> None:
    record = Record()
    look(record, NOW, line())
    (gone,) = look(record, NOW + HOUR, *())
    assert gone.gone
    assert gone.state(NOW + HOUR) == "over"
    assert look(record, NOW + HOUR * 1.25, *()) == [gone]
    assert look(record, NOW + HOUR * 1.25 + timedelta(seconds=1), *()) == []


def test_what_the_agent_has_just_fetched_is_not_taken_for_another_identity() -> None:
    """The agent is asked first and the cache read after it: a renewal in between shows there under the cache's own name."""
    record = Record()
    agent = {"pid": 1}
    fetched = line("ASIA2", name="assume-role-1", known_from="cache")
    first = record.look(Overview((line("ASIA1"), fetched), agent), (), NOW)
    assert [each.line.name for each in first] == ["prod"]
    assert [each.line.name for each in record.look(Overview((line("ASIA2"),), agent), (), NOW)] == ["prod"]
    shown = record.look(Overview((line("ASIA2"), replace(fetched, access_key_id="ASIA3")), agent), (), NOW)
    assert [each.line.name for each in shown] == ["prod"]
    shown = record.look(Overview((line("ASIA2"), replace(fetched, access_key_id="ASIA3")), agent), (), NOW)
    assert [each.line.name for each in shown] == ["prod", "assume-role-1"]


def test_identities_keep_their_places() -> None:
    record = Record()
    names = ("b", "c", "a")
    before = [
        each.line.name for each in look(record, NOW, *(line(name, name=name, known_from="cache") for name in names))
    ]
    after = [
        each.line.name
        for each in look(
            record, NOW + HOUR / 2, *(line(name, name=name, known_from="cache") for name in ("c", "d", "a"))
        )
    ]
    assert before == ["a", "b", "c"]
    assert after == ["a", "b", "c", "d"]


def test_caches_of_aws_tools_are_shown_unless_known_or_over() -> None:
    def cached(key: str, end: datetime) -> CachedEnd:
        return CachedEnd(key, end, Path("/home/me/.aws/cli/cache/1.json"), "123456789012")

    shown = look(
        Record(),
        NOW,
        line("ASIA1"),
        foreign=(cached("ASIA1", NOW + HOUR), cached("ASIA2", NOW + HOUR), cached("ASIA3", NOW - HOUR)),
    )
    assert [each.line.access_key_id for each in shown] == ["ASIA1", "ASIA2"]
    assert shown[1].line.source == "kept by the AWS CLI in ~/.aws/cli/cache/1.json"


def test_states() -> None:
    def state(**more: object) -> str:
        return Identity(line(**more)).state(NOW)  # type: ignore[arg-type]

    assert state() == "fresh"
    assert state(waits_for="unexpire fix") == "waits"
    assert state(held=False) == "none"
    assert state(usable_until=NOW) == "over"
    assert state(usable_until=None) == "unknown"
    assert state(usable_until=None, temporary=False) == "endless"
    assert state(usable_until=NOW + HOUR / 7, renews_itself=False) == "due"
    assert state(usable_until=NOW + HOUR / 7) == "fresh"


def test_a_bar_runs_from_the_whole_life_to_none() -> None:
    (identity,) = look(Record(), NOW, line(next_renewal=NOW + HOUR / 2))
    shares = [bar(identity, NOW + HOUR * part / 4) for part in range(6)]
    assert [each and each.left for each in shares] == [100, 75, 50, 25, 0, 0]
    assert shares[0] is not None
    assert shares[0].margin == 16.67
    assert shares[0].renewal == 50
    assert left_in_words(identity, NOW) == "50 min"
    assert left_in_words(identity, NOW + HOUR * 5 / 6) == "kept back"
    assert left_in_words(identity, NOW + HOUR) == "ended"


moments = st.integers(-200_000, 200_000).map(lambda seconds: NOW + timedelta(seconds=seconds))


@given(
    st.lists(st.tuples(moments, st.integers(1, 90_000)), min_size=1, max_size=8), st.none() | st.integers(30, 604_800)
)
def test_nothing_is_drawn_off_the_line(sessions: list[tuple[datetime, int]], span: int | None) -> None:
    record = Record()
    seen: list[Identity] = []
    for at, (begins, lifetime) in enumerate(sorted(sessions)):
        seen = look(record, NOW, line(f"ASIA{at}", begins, timedelta(seconds=lifetime), next_renewal=begins))
    drawn = time_line(seen, NOW, span)
    for lane in drawn.lanes:
        assert all(piece.x >= 0 and piece.width > 0 and piece.x + piece.width <= 100.02 for piece in lane.pieces)
        assert all(100 >= piece.first >= piece.last >= 0 for piece in lane.pieces)
        assert all(0 <= mark.x <= 100 for mark in (*lane.renewals, *([lane.ahead] if lane.ahead else [])))
    assert 0 < len(drawn.ticks) <= 16
    assert all(0 <= tick.x <= 100 for tick in drawn.ticks)
