"""Chromium, and what it visits. `make browser` sets UNEXPIRE_CHROMIUM; without it none of these tests runs."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = os.environ.get("UNEXPIRE_CHROMIUM")
SHOTS = Path(os.environ.get("UNEXPIRE_SHOTS", "build/browser")).resolve()
FLAGS = [
    *("--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
WIDTHS = {"phone": (390, 844), "desk": (1280, 900)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(str(item.fspath)).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.browser)
            if not CHROMIUM:
                item.add_marker(pytest.mark.skip(reason="needs Chromium: make browser"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    shutil.rmtree(SHOTS / "screenshots", ignore_errors=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Any]]:
    """A new tab in a browser of its own: `visit(width="desk", dark=False, **context)`. At the end, no tab may have met an error but
    those of `expected`, or asked for anything but files and loopback."""
    contexts, troubles = [], []

    def check(request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "http://127.0.0.1:", "blob:")):
            troubles.append(f"asked for {request.url}")

    def note(said: Any, expected: tuple[str, ...]) -> None:
        if said.type == "error" and not any(words in said.text for words in expected):
            troubles.append(said.text)

    def new(width: str = "desk", dark: bool = False, expected: tuple[str, ...] = ("404",), **more: Any) -> Any:
        size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
        context = chromium.new_context(viewport=size, color_scheme="dark" if dark else "light", **more)
        contexts.append(context)
        context.on("request", check)
        tab = context.new_page()
        tab.set_default_timeout(20_000)
        tab.on("pageerror", lambda error: troubles.append(str(error)))
        tab.on("console", lambda said: note(said, expected))
        return tab

    yield new
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from click.testing import CliRunner

    from unexpire.cli.reference import reference

    folder = tmp_path_factory.mktemp("site")
    assert CliRunner().invoke(reference, ["build", str(folder)]).exit_code == 0
    return folder


class _BelowAPath(http.server.SimpleHTTPRequestHandler):
    """Serves a folder below /docs/aws-errors/, with 404.html for what is missing, as static hosts do."""

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.removeprefix("/docs/aws-errors"))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        body = (Path(self.directory) / "404.html").read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def served(built: Path) -> Iterator[str]:
    """The address of the site on a server, below a path that is not the root."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_BelowAPath, directory=str(built)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/docs/aws-errors/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["from a folder", "from a server"])
def address(request: pytest.FixtureRequest, built: Path, served: str) -> str:
    return served if request.param == "from a server" else built.as_uri() + "/"


@pytest.fixture(scope="session")
def axe() -> Callable[[Any], list[str]]:
    """Serious and critical violations that axe-core finds on a page."""
    source = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")

    def run(tab: Any) -> list[str]:
        tab.evaluate(source)
        found = tab.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
        return [
            f"{each['impact']} {each['id']}: {node['target']} {node['failureSummary']}"
            for each in found
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]

    return run


@pytest.fixture(scope="session")
def shot() -> Callable[..., None]:
    """Keep a picture of the tab, the whole page by default."""
    folder = SHOTS / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)

    def take(tab: Any, name: str, *, whole: bool = True) -> None:
        tab.evaluate("scrollTo(0, 0)")
        tab.screenshot(path=folder / f"{name}.png", full_page=whole, animations="disabled")

    return take
