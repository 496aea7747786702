"""Durations, reach and forecasts in the small: the pure parts, on values."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta

import pytest

from unexpire.diagnosis.forecast import last_session_end
from unexpire.diagnosis.reach import Reach, Stage, trace
from unexpire.diagnosis.remedies import editor
from unexpire.diagnosis.spoken import ago, span, span_short

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words", "short"),
    [
        (0, "0 seconds", "0 s"),
        (1, "1 second", "1 s"),
        (59, "59 seconds", "59 s"),
        (60, "1 minute", "1 min"),
        (3599, "1 hour", "1 h"),
        (3601, "1 hour", "1 h"),
        (840, "14 minutes", "14 min"),
        (5400, "1 hour 30 minutes", "1 h 30 min"),
        (90000, "1 day 1 hour", "25 h"),
        (864000, "10 days", "240 h"),
    ],
)
def test_durations(seconds: int, words: str, short: str) -> None:
    assert (span(timedelta(seconds=seconds)), span_short(timedelta(seconds=seconds))) == (words, short)


def test_moments() -> None:
    assert ago(NOW, NOW + timedelta(milliseconds=400)) == "just now"
    assert ago(NOW, NOW + timedelta(minutes=14)) == "14 minutes ago"
    assert ago(NOW + timedelta(hours=3), NOW) == "in 3 hours"


@pytest.mark.parametrize(
    ("url", "address", "proxy", "private"),
    [
        ("https://sts.us-east-1.amazonaws.com", "10.0.3.4", None, True),
        ("https://sts.us-east-1.amazonaws.com", "fd12:3456::1", None, True),
        ("https://sts.us-east-1.amazonaws.com", "127.0.0.1", None, False),
        ("https://localhost:4566", "127.0.0.1", None, False),
        ("http://10.0.0.5:4566", "10.0.0.5", None, False),
        ("https://sts.us-east-1.amazonaws.com", "54.239.28.1", None, False),
        ("https://sts.us-east-1.amazonaws.com", "100.64.3.4", None, True),
        ("https://sts.us-east-1.amazonaws.com", "10.0.3.4", "10.0.3.4:3128", False),
        ("https://sts.us-east-1.amazonaws.com", None, None, False),
    ],
)
def test_a_vpc_endpoint_is_a_private_address_of_a_public_name(
    url: str, address: str | None, proxy: str | None, private: bool
) -> None:
    assert Reach(url, Stage.CONNECT, "", address, proxy).private is private


def test_the_way_is_traced_step_by_step() -> None:
    def nowhere(host: str, port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    assert trace("http://sts.example.invalid", resolve=nowhere).stage is Stage.DNS
    assert trace("http://x", proxy="http://proxy.example.invalid:3128", resolve=nowhere).stage is Stage.PROXY
    assert trace("http://x", proxy="http://h:notaport").stage is Stage.PROXY
    assert trace("http://127.0.0.1:9").stage is Stage.CONNECT
    assert trace(f"http://{'a' * 70}.example").stage is Stage.DNS


def test_an_address_that_leads_nowhere_is_not_the_end_of_the_way() -> None:
    def both(host: str, port: int) -> list[str]:
        return ["::1", "127.0.0.1"]

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = trace(f"http://sts.example.test:{port}", resolve=both)
    assert (found.stage, found.address) == (Stage.REACHED, "127.0.0.1")
    found = trace(f"http://sts.example.test:{port}", resolve=both)
    assert (found.stage, found.address) == (Stage.CONNECT, "::1")


def test_the_editor_opens_at_the_line() -> None:
    assert editor("~/.aws/config:12") == "${EDITOR:-vi} +12 ~/.aws/config"
    assert editor("/tmp/my files/config:3") == "${EDITOR:-vi} +3 '/tmp/my files/config'"
    assert editor("AWS_PROFILE") is None
    assert editor(None) is None


def test_the_last_session_of_a_source_that_ends() -> None:
    hour = timedelta(hours=1)
    # Renewed every 45 minutes while the source lives: the last one begins before its end.
    assert last_session_end(NOW, hour, NOW + timedelta(hours=3)) == NOW + timedelta(hours=4) - timedelta(minutes=45)
    assert last_session_end(NOW, hour, NOW - hour) == NOW
    assert last_session_end(NOW, hour, NOW, held_until=NOW + hour) == NOW + hour
