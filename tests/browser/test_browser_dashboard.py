"""The dashboard in a browser, before an AWS on this machine whose sessions last seconds: a life runs out, another is renewed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from unexpire.lab import Lab

LIFETIME = timedelta(seconds=18)
Visit = Callable[..., Any]


class Desk:
    """A home in the lab with an agent that keeps two profiles, a session that nobody keeps, and the dashboard."""

    def __init__(self, lab: Lab, home: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.variables = {
            **kept,
            **lab.make_home(home),
            "UNEXPIRE_CACHE_DIR": str(home / "c"),
            "XDG_RUNTIME_DIR": str(home),
        }
        self._running: list[subprocess.Popen[str]] = []
        self.start("agent", "role", "chained")
        self._dashboard = self.start("web")
        assert self._dashboard.stdout is not None
        self.link = self._dashboard.stdout.readline().strip()

    def start(self, *command: str) -> subprocess.Popen[str]:
        started = subprocess.Popen(
            [sys.executable, "-m", "unexpire", *command],
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._running.append(started)
        return started

    def use_once(self, profile: str) -> None:
        """What a command leaves behind: a session in the cache that nobody renews."""
        subprocess.run(
            [sys.executable, "-m", "unexpire", "env", "--profile", profile],
            env={**self.variables, "UNEXPIRE_AGENT_SOCKET": "/nowhere.sock"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=60,
        )

    def end(self) -> None:
        for process in reversed(self._running):
            process.terminate()
        for process in self._running:
            process.wait(15)
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    tmp_path.chmod(0o700)
    with Lab(LIFETIME) as lab:
        found = Desk(lab, tmp_path)
        yield found
        found.end()


def row(tab: Any, name: str) -> Any:
    return tab.locator(".one").filter(has=tab.locator(f"h3:text-is('{name}')"))


def life(tab: Any, name: str) -> float:
    return float(str(row(tab, name).locator("[data-life]").get_attribute("width")).rstrip("%"))


def wait_until(tab: Any, what: Callable[[], bool], seconds: float = 60) -> None:
    for _ in range(int(seconds * 10)):
        if what():
            return
        tab.wait_for_timeout(100)
    raise AssertionError("it did not come to pass")


def test_a_life_runs_out_and_another_is_renewed(
    desk: Desk, visit: Visit, axe: Callable[[Any], list[str]], shot: Callable[..., None]
) -> None:
    tab = visit()
    tab.goto(desk.link)
    tab.wait_for_selector(".board")
    assert "token" not in tab.url
    row(tab, "role").locator("[data-life]").wait_for(state="attached")
    desk.use_once("external")
    wait_until(tab, lambda: tab.locator(".one").filter(has_text="kept for unexpire's commands").count() == 1)
    name = tab.locator(".one").filter(has_text="kept for unexpire's commands").locator("h3").inner_text()

    # one bar runs down before one's eyes, in steps smaller than the server's
    seen = [life(tab, name)]
    wait_until(tab, lambda: bool(seen.append(life(tab, name)) or seen[-1] < seen[0] - 10))
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) > 3
    shot(tab, "dashboard-alive-desk-light")

    # and to its end; the other was renewed meanwhile, and never was at its end
    wait_until(tab, lambda: row(tab, name).locator(".left").inner_text() == "kept back")
    wait_until(tab, lambda: "no longer handed out" in tab.inner_text("h1"))
    wait_until(tab, lambda: row(tab, name).locator(".left").inner_text() == "ended")
    assert "over" in str(row(tab, name).get_attribute("class"))
    wait_until(tab, lambda: "renewed" in row(tab, "role").locator(".one-foot").inner_text())
    assert row(tab, "role").locator(".left").inner_text() != "ended"
    assert life(tab, "role") > 20
    wait_until(tab, lambda: tab.locator(".lane .renewal:not(.ahead)").count() >= 2)
    wait_until(tab, lambda: "ended" in tab.inner_text("h1"))

    assert axe(tab) == []
    tab.emulate_media(color_scheme="dark")
    assert axe(tab) == []
    shot(tab, "dashboard-ended-desk-dark")
    tab.set_viewport_size({"width": 390, "height": 844})
    assert axe(tab) == []
    assert not tab.evaluate("document.documentElement.scrollWidth > innerWidth")
    shot(tab, "dashboard-ended-phone-dark")
    tab.emulate_media(color_scheme="light")
    shot(tab, "dashboard-ended-phone-light")


def test_findings_lead_to_the_reference_and_aws_can_be_asked(
    desk: Desk, visit: Visit, shot: Callable[..., None]
) -> None:
    tab = visit(permissions=["clipboard-read", "clipboard-write"])
    tab.goto(desk.link)
    tab.wait_for_selector(".ill")
    tab.select_option("#profile", "expired")
    tab.click(".asking button")
    tab.wait_for_selector(".said")
    tab.locator(".said figure.code").hover()
    tab.click(".said .copy")
    assert tab.evaluate("navigator.clipboard.readText()").startswith("unexpire fix")
    shot(tab, "dashboard-asked-desk-light")
    tab.click(".ill .ill-code a >> nth=0")
    tab.wait_for_selector("article.page h1")
    tab.fill(
        "#find",
        "An error occurred (ExpiredToken) when calling the ListBuckets operation: The provided token has expired.",
    )
    tab.wait_for_selector("#found-ExpiredToken")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/reference/errors/aws/ExpiredToken/")


def test_the_link_is_good_once_and_the_page_says_when_it_is_cut_off(desk: Desk, visit: Visit) -> None:
    # the dashboard ends here, and with it what either page still asks for
    tab = visit(expected=("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED"))
    stranger = visit(expected=("401", "ERR_CONNECTION_REFUSED"))
    tab.goto(desk.link)
    tab.wait_for_selector(".live.on")
    stranger.goto(desk.link, wait_until="commit")
    assert "whoever started it" in stranger.inner_text("h1")
    desk._dashboard.terminate()
    tab.wait_for_selector(".live.off")


def test_without_scripts_the_page_is_whole(desk: Desk, visit: Visit) -> None:
    tab = visit(java_script_enabled=False)
    tab.goto(desk.link)
    tab.wait_for_selector(".one [data-life]")
    assert tab.locator(".lane").count() >= 1
    assert tab.is_hidden(".asking")
