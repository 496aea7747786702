"""The site in a browser: found by keyboard, led to by a pasted text, readable at every width and in both lights, from a folder too."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unexpire.reference import page
from unexpire.reference.match import match_text
from unexpire.reference.site.indexes import likeliest

PAGES = {name: page.load(name) for name in page.names()}
KINDS = {
    "home": "index.html",
    "ExpiredToken": "errors/aws/ExpiredToken/index.html",
    "clock-skew": "errors/aws/clock-skew/index.html",
    "by-service": "by-service/index.html",
    "by-cause": "by-cause/index.html",
    "by-lifetime": "by-lifetime/index.html",
    "a-z": "errors/aws/index.html",
}
Visit = Callable[..., Any]
EXPIRED = re.compile(r"/errors/aws/ExpiredToken/(index\.html)?$")


def test_search_by_keyboard(visit: Visit, address: str) -> None:
    tab = visit()
    tab.goto(address + "by-cause/index.html")
    tab.keyboard.press("/")
    tab.keyboard.type("expired tok")
    tab.wait_for_selector("#found [role=option]")
    assert tab.get_attribute("#find", "aria-activedescendant") == "found-ExpiredToken"
    tab.keyboard.press("ArrowDown")
    assert tab.get_attribute("#find", "aria-activedescendant") != "found-ExpiredToken"
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("Enter")
    tab.wait_for_url(EXPIRED)
    assert tab.inner_text("h1") == "ExpiredToken"


def test_search_finds_words_of_the_text(visit: Visit, address: str) -> None:
    tab = visit()
    tab.goto(address + "index.html")
    tab.fill("#find", "kubectl logged in")
    tab.wait_for_selector("#found-Unauthorized")
    tab.fill("#find", "zzzz qqqq")
    tab.wait_for_selector("#found .nothing")
    tab.keyboard.press("Escape")
    assert tab.is_hidden("#found")


def test_a_pasted_error_leads_to_its_page(visit: Visit, address: str) -> None:
    tab = visit()
    tab.goto(address + "index.html")
    tab.fill("#paste", PAGES["ExpiredToken"].samples[3].text)
    assert tab.inner_text("#verdict .go .entry-name").startswith("ExpiredToken")
    assert "sure" in (tab.get_attribute("#verdict", "class") or "").split()
    told = tab.locator("#verdict .reason strong").all_inner_texts()
    assert told == [title for _, title, _ in likeliest([PAGES["ExpiredToken"]])["ExpiredToken"]]
    tab.keyboard.press("Control+Enter")
    tab.wait_for_url(EXPIRED)


def test_a_text_that_tells_little_is_said_to(visit: Visit, address: str) -> None:
    tab = visit()
    tab.goto(address + "index.html")
    tab.fill("#paste", "An error occurred (400) when calling the HeadObject operation: Bad Request")
    tab.wait_for_selector("#verdict.unsure")
    assert "tells little" in tab.inner_text("#verdict")
    tab.fill("#paste", "jwt.exceptions.ExpiredSignatureError: Signature has expired")
    tab.wait_for_selector("#verdict.other")
    assert "Not an AWS credential error" in tab.inner_text("#verdict")
    tab.fill("#paste", "the printer is out of paper")
    tab.wait_for_selector("#verdict.other .headline >> text=Nothing here recognises it")
    tab.click(".clear")
    assert tab.inner_text("#verdict") == ""


def test_every_wording_leads_where_explain_leads(visit: Visit, address: str) -> None:
    tab = visit()
    tab.goto(address + "index.html")
    tab.focus("#paste")
    tab.wait_for_function("window.UNEXPIRE && UNEXPIRE.matching && UNEXPIRE.search")
    texts = [sample.text for shown in PAGES.values() for sample in (*shown.samples, *shown.counter_examples)]
    led = tab.evaluate("(texts) => texts.map((text) => (UnexpireMatch.matches(text)[0] || {}).page || null)", texts)
    assert dict(zip(texts, led, strict=True)) == {
        text: found[0].page if (found := match_text(text)) else None for text in texts
    }


def test_every_page_is_found_by_each_of_its_names(visit: Visit, served: str) -> None:
    tab = visit()
    tab.goto(served + "index.html")
    tab.focus("#find")
    tab.wait_for_function("window.UNEXPIRE && UNEXPIRE.search")
    names = {name: shown.name for shown in PAGES.values() for name in shown.names}
    found = tab.evaluate(
        "(names) => names.map((name) => (UnexpireSearch(UNEXPIRE.search, name)[0] || {}).n)", list(names)
    )
    assert dict(zip(names, found, strict=True)) == names


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("ExpierdTokn", "ExpiredToken"),
        ("expird tokn", "ExpiredToken"),
        ("InvalidClientTokenIds", "InvalidClientTokenId"),
        ("presinged url", "presigned-url-expired"),
    ],
)
def test_search_forgives_a_slip(visit: Visit, address: str, typed: str, first: str) -> None:
    tab = visit()
    tab.goto(address + "index.html")
    tab.fill("#find", typed)
    tab.wait_for_selector("#found [role=option]")
    assert tab.get_attribute("#find", "aria-activedescendant") == f"found-{first}"


def test_copy(visit: Visit, served: str) -> None:
    tab = visit(permissions=["clipboard-read", "clipboard-write"])
    tab.goto(served + "errors/aws/ExpiredToken/")
    tab.locator("#diagnose + ol figure.code").first.hover()
    tab.locator("#diagnose + ol .copy").first.click()
    tab.wait_for_selector(".copy.done")
    assert tab.evaluate("navigator.clipboard.readText()") == "unexpire diagnose\naws sts get-caller-identity\n"
    tab.locator(".seen figure").nth(1).hover()
    tab.locator(".seen .copy").nth(1).click()
    tab.wait_for_function("async () => (await navigator.clipboard.readText()).includes('ListObjectsV2')")
    assert tab.evaluate("navigator.clipboard.readText()") == PAGES["ExpiredToken"].samples[1].text


def test_old_names_lead_on(visit: Visit, address: str) -> None:
    tab = visit()
    tab.goto(address + "errors/aws/expired-session/index.html")
    tab.wait_for_url(EXPIRED)
    tab.goto(address + "errors/aws/NoCredentialsError/index.html")
    tab.wait_for_url(re.compile("/errors/aws/NoCredentials/"))


def test_a_server_finds_a_page_in_any_case(visit: Visit, served: str) -> None:
    tab = visit()
    tab.goto(served + "errors/aws/EXPIREDtoken/#fix")
    tab.wait_for_url(re.compile("/errors/aws/ExpiredToken/#fix$"))
    tab.goto(served + "errors/aws/Unheard/")
    assert "no such page" in tab.inner_text("main")
    tab.click("#home")
    tab.wait_for_url(served)


def test_light_and_dark(visit: Visit, address: str) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = visit(), visit(dark=True)
    for tab in (light, dark):
        tab.goto(address + "index.html")
    assert light.evaluate(ground) != dark.evaluate(ground)
    light.click(".theme")
    assert light.evaluate(ground) == dark.evaluate(ground)
    light.goto(address + "errors/aws/ExpiredToken/index.html")
    assert light.evaluate(ground) == dark.evaluate(ground)


def test_anchors_and_the_table_of_contents(visit: Visit, address: str) -> None:
    tab = visit()
    tab.goto(address + "errors/aws/ExpiredToken/index.html")
    tab.click(".toc a[href='#fix']")
    assert tab.url.endswith("#fix")
    tab.wait_for_selector(".toc a[href='#fix'][aria-current]")
    tab.click(".cause .label a")
    tab.wait_for_url(re.compile(r"/by-cause/(index\.html)?#identity-expired-static-copy$"))


def test_without_scripts_all_that_is_said_is_there(visit: Visit, address: str) -> None:
    tab = visit(java_script_enabled=False)
    tab.goto(address + "errors/aws/ExpiredToken/index.html")
    assert tab.is_visible("#causes")
    assert tab.is_hidden("#find")
    tab.click(".ways a >> text=A–Z")
    tab.click("text=ExpiredTokenException >> nth=0")
    assert tab.inner_text("h1") == "ExpiredTokenException"


def test_on_paper_there_are_no_buttons(visit: Visit, address: str) -> None:
    tab = visit()
    tab.goto(address + "errors/aws/ExpiredToken/index.html")
    tab.emulate_media(media="print")
    assert tab.is_hidden(".top")
    assert tab.is_hidden(".toc")
    assert not tab.locator(".copy").first.is_visible()
    assert tab.is_visible("#fix")


def test_no_page_is_wider_than_a_phone(visit: Visit, built: Path) -> None:
    tab = visit(width="phone")
    wide = []
    for path in (*KINDS.values(), *(f"errors/aws/{name}/index.html" for name in PAGES)):
        tab.goto((built / path).as_uri(), wait_until="domcontentloaded")
        if tab.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path)
    assert wide == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("light", ["light", "dark"])
def test_accessible_and_kept_as_pictures(
    kind: str, light: str, visit: Visit, served: str, axe: Callable[[Any], list[str]], shot: Callable[..., None]
) -> None:
    for width in ("desk", "phone"):
        tab = visit(width=width, dark=light == "dark")
        tab.goto(served + KINDS[kind])
        if kind == "home":
            tab.click("[data-sample] >> nth=1")
            tab.wait_for_selector("#verdict.sure")
        if kind == "a-z":
            tab.fill("#find", "sso")
            tab.wait_for_selector("#found [role=option]")
        assert axe(tab) == []
        shot(tab, f"site-{kind}-{width}-{light}", whole=kind in ("home", "ExpiredToken"))
