"""The dashboard over real HTTP: who may see it, what it shows, what it never shows, and how it follows what happens."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from web_visitor import Visitor, open_dashboard

from unexpire.credentials import Credentials
from unexpire.delivery.sessions import session_store
from unexpire.lab import Lab
from unexpire.settings.environment import Environment
from unexpire.web.doctor import look

_FOREIGN = ("foreign/secret/0123456789", "foreign/token/0123456789")


class World:
    """A home with sessions in our cache, and a clock that is moved by hand."""

    def __init__(self, home: Path, variables: dict[str, str]) -> None:
        self.now = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
        self.variables = {
            "HOME": str(home),
            "UNEXPIRE_CACHE_DIR": str(home / "cache"),
            "XDG_RUNTIME_DIR": str(home),
            **variables,
        }
        self.secrets: set[str] = set()
        self._issued = 0

    def environment(self) -> Environment:
        return Environment.of(self.variables, clock=lambda: self.now)

    def renew(self, identity: str = "assume-role-1", lifetime: timedelta = timedelta(hours=1)) -> Credentials:
        """A new session of that identity, put where our commands keep theirs."""
        self._issued += 1
        mark = f"{self._issued:02d}"
        made = Credentials(
            f"ASIAQQQQQQQQQQQQQQ{mark}",
            f"secret/{mark}/" + "s" * 30,
            f"token/{mark}/" + "t" * 200,
            self.now + lifetime,
            self.now,
        )
        self.secrets |= {made.secret_access_key, str(made.session_token)}
        session_store(self.environment()).save(identity, made)
        return made


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / ".aws").mkdir()
    role = "role_arn = arn:aws:iam::123456789012:role/Loop"
    config = f"[profile loop]\n{role}\nsource_profile = loop2\n[profile loop2]\n{role}\nsource_profile = loop\n"
    (tmp_path / ".aws/config").write_text(config)
    return World(tmp_path, {})


@pytest.fixture
def visitor(world: World) -> Iterator[Visitor]:
    with open_dashboard(world.environment) as found:
        yield found


@pytest.fixture
def guest(visitor: Visitor) -> Visitor:
    visitor.login()
    return visitor


def test_the_link_opens_it_once(visitor: Visitor) -> None:
    link = visitor.dashboard.guard.link()
    path = link.partition(str(visitor.port))[2]
    status, headers, _ = visitor.ask(path)
    assert status == 200
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert visitor.ask(path)[0] == 401
    assert visitor.ask("/", Cookie=cookie.partition(";")[0])[0] == 200


def test_a_new_link_ends_the_one_before_it(visitor: Visitor) -> None:
    first = visitor.dashboard.guard.link().partition(str(visitor.port))[2]
    visitor.login()
    assert visitor.ask(first)[0] == 401


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/events",
        "/reference/index.html",
        "/static/web.js",
        "/login",
        "/login?token=",
        "/login?token=x&token=y",
        "/none",
    ],
)
def test_nothing_is_shown_without_the_cookie(visitor: Visitor, path: str) -> None:
    status, headers, text = visitor.ask(path)
    assert status == 401
    assert "set-cookie" not in headers
    assert "loop" not in text


@pytest.mark.parametrize(
    "cookie",
    ["unexpire-{port}=", "unexpire-{port}=wrong", "other=1", "unexpire-{port}", "\xff\xfe=;;", "unexpire-1={value}"],
)
def test_another_cookie_opens_nothing(guest: Visitor, cookie: str) -> None:
    value = str(guest.cookie).partition("=")[2]
    assert guest.ask("/", Cookie=cookie.format(port=guest.port, value=value))[0] == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"X_Forwarded_For": "10.0.0.1"},
        {"Forwarded": "for=10.0.0.1"},
    ],
)
def test_other_sites_and_proxies_get_nothing_even_with_the_cookie(guest: Visitor, headers: dict[str, str]) -> None:
    status, _, text = guest.ask("/", **{name: value.format(port=guest.port) for name, value in headers.items()})
    assert status == 403
    assert "unexpire-" not in text


def test_the_link_may_be_followed_from_anywhere_but_only_as_a_page(visitor: Visitor) -> None:
    path = visitor.dashboard.guard.link().partition(str(visitor.port))[2]
    assert visitor.ask(path, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")[0] == 403
    assert visitor.ask(path, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0] == 200


def test_asking_aws_takes_a_page_of_ours(guest: Visitor) -> None:
    assert guest.ask("/ask?profile=loop", method="POST")[0] == 403
    assert guest.ask("/ask?profile=loop", method="POST", Origin="http://evil.example")[0] == 403
    assert guest.ask("/ask?profile=loop", method="GET")[0] == 404
    assert guest.ask("/ask?profile=nobody", method="POST", Origin=f"http://127.0.0.1:{guest.port}")[0] == 404
    status, _, text = guest.ask("/ask?profile=loop", method="POST", Origin=f"http://127.0.0.1:{guest.port}")
    assert status == 200
    assert "source-profile-loop" in text


@pytest.mark.parametrize(
    "path", ["/", "/login", "/reference/index.html", "/reference/errors/aws/ExpiredToken/", "/none"]
)
def test_every_answer_carries_the_policy(guest: Visitor, path: str) -> None:
    _, headers, text = guest.ask(path)
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", text)


@pytest.mark.parametrize(
    "path",
    [
        "/reference/../pyproject.toml",
        "/static/../page.py",
        "/reference/%2e%2e/static/web.js",
        "/static/",
        "/reference/errors/aws/Nope/",
        "//static/web.js",
    ],
)
def test_only_files_that_are_known_are_given(guest: Visitor, path: str) -> None:
    assert guest.ask(path)[0] in (400, 404)


def test_the_reference_is_beside_it(guest: Visitor) -> None:
    for path in (
        "/reference",
        "/reference/",
        "/reference/index.html",
        "/reference/by-cause/",
        "/reference/errors/aws/ExpiredToken/",
    ):
        assert guest.ask(path)[0] == 200, path
    assert guest.ask("/reference/static/site.css")[1]["content-type"] == "text/css; charset=utf-8"
    assert "url=../ExpiredToken/" in guest.ask("/reference/errors/aws/expired-session/")[2]


def test_it_shows_sessions_findings_and_their_pages(world: World, guest: Visitor) -> None:
    made = world.renew()
    shown: dict[str, str] = {}
    with guest.events() as events:
        for found in events:
            shown |= found["parts"]
            if made.access_key_id in shown["identities"] and "source-profile-loop" in shown["findings"]:
                break
        assert "assume-role-1" in shown["identities"]
    page = guest.ask("/")[2]
    assert made.access_key_id in page
    assert "source-profile-loop" in page
    assert "/reference/errors/aws/source-profile-loop/index.html" in page
    assert "The session is fresh." in page  # and yet not all is well:
    assert '<a href="#findings">2 findings need you.</a>' in page


def test_events_follow_a_renewal_and_an_end(world: World, guest: Visitor) -> None:
    first = world.renew()
    with guest.events() as events:
        assert any(first.access_key_id in found["parts"].get("identities", "") for found in events)
        world.now += timedelta(minutes=30)
        second = world.renew()
        told = next(found["parts"] for found in events if second.access_key_id in found["parts"].get("identities", ""))
        assert "renewed 1 time while you looked" in told["identities"]
        assert 'class="renewal"' in told["timeline"]
        world.now += timedelta(minutes=55)
        told = next(found["parts"] for found in events if "no longer handed out" in found["parts"].get("summary", ""))
        assert "kept back" in told["identities"]
        world.now += timedelta(minutes=5)
        told = next(found["parts"] for found in events if "has ended" in found["parts"].get("summary", ""))
        assert "ended" in told["identities"]


def test_parts_that_did_not_change_are_not_sent_again(world: World, guest: Visitor) -> None:
    made = world.renew()
    with guest.events() as events:
        assert set(next(events)["parts"]) == {"summary", "identities", "timeline", "findings", "agent"}
    while made.access_key_id not in (page := guest.ask("/")[2]) or "source-profile-loop" not in page:
        pass
    with guest.events() as events:
        next(events)
        world.now += timedelta(seconds=90)
        # the line of time has moved on; the bars run down in the page itself
        assert set(next(events)["parts"]) == {"timeline"}


def test_a_check_up_ends_in_time_and_says_what_it_left_out(world: World) -> None:
    """Among ten thousand profiles, a single one may take seconds."""
    hurried, whole = look(world.environment(), patience_s=-1), look(world.environment())
    assert (hurried.ailing, hurried.looked_at, hurried.profiles) == ((), 0, 2)
    assert (whole.looked_at, whole.profiles) == (2, 2)
    assert [(each.finding.code, each.profiles) for each in whole.ailing] == [
        ("source-profile-loop", ("loop",)),
        ("source-profile-loop", ("loop2",)),
    ]


def test_streams_end_with_their_readers(guest: Visitor) -> None:
    """Each page holds one; of readers that are gone nothing is left, else the 33rd visit would be the last."""
    for _ in range(40):
        with guest.events() as events:
            next(events)


def test_names_from_files_are_shown_and_not_run(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(
        "[profile <script>alert(1)</script>]\nrole_arn = x\nsource_profile = <img src=x onerror=alert(1)>\n"
    )
    with open_dashboard(World(tmp_path, {}).environment) as visitor:
        visitor.login()
        while 'class="ill' not in (page := visitor.ask("/")[2]):
            pass
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page
        assert "<img" not in page


@pytest.mark.skipif(os.name == "nt", reason="the lab's home is laid out for POSIX")
def test_no_answer_holds_a_secret(tmp_path: Path) -> None:
    """A home with every kind of source, sessions in our cache, in the AWS CLI's and in files: all of it is looked through."""
    with Lab() as lab:
        world = World(tmp_path, lab.make_home(tmp_path))
        world.now = datetime.now(UTC)
        world.renew()
        cli = tmp_path / ".aws/cli/cache"
        cli.mkdir(parents=True)
        end = (world.now + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        keys = {
            "AccessKeyId": "ASIAFOREIGN",
            "SecretAccessKey": _FOREIGN[0],
            "SessionToken": _FOREIGN[1],
            "Expiration": end,
        }
        (cli / "0.json").write_text(json.dumps({"Credentials": keys}))
        with open_dashboard(world.environment) as visitor:
            visitor.login()
            origin = f"http://127.0.0.1:{visitor.port}"
            while 'class="ill' not in visitor.ask("/")[2]:
                pass
            with visitor.events() as events:
                streamed = str(next(events))
            asked = [
                visitor.ask(f"/ask?profile={name}", method="POST", Origin=origin)
                for name in ("role", "expired", "sso", "static")
            ]
            texts = [streamed, visitor.ask("/")[2], visitor.ask("/reference/")[2], *(text for _, _, text in asked)]
            assert [status for status, _, _ in asked] == [200] * 4
            assert "ASIAFOREIGN" in texts[1]
            secrets = {
                *lab.secrets(),
                *world.secrets,
                *_FOREIGN,
                visitor.dashboard.guard._session,
            }
            assert len(secrets) > 10
            assert [secret for secret in secrets for text in texts if secret in text] == []
