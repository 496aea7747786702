"""The reference as a web site: whole, true to the pages, at home anywhere, and asking nobody."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath

import pytest
from click.testing import CliRunner
from match_cases import NEGATIVES, PRODUCT_TEXTS, WORDINGS, cases

from unexpire.cli.reference import reference
from unexpire.reference import page
from unexpire.reference.match import match_text
from unexpire.reference.site import files
from unexpire.reference.site.lifetimes import place
from unexpire.reference.site.markup import plain
from unexpire.reference.site.matching import tables

PAGES = {name: page.load(name) for name in page.names()}


@pytest.fixture(scope="module")
def site() -> dict[str, str]:
    return {path: content().decode() for path, content in files().items()}


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        for name in ("href", "src"):
            if given.get(name):
                self.links.append((tag, str(given[name]), given))
        self.inline += [name for name in given if name == "style" or name.startswith("on")]


def read(text: str) -> _Links:
    found = _Links()
    found.feed(text)
    return found


def documents(site: dict[str, str]) -> Iterator[tuple[str, _Links]]:
    for path, text in site.items():
        if path.endswith(".html") and path != "404.html":  # that one is served below paths of its reader's making
            yield path, read(text)


def test_every_link_leads_to_a_file_of_the_site_and_an_anchor_of_that_file(site: dict[str, str]) -> None:
    parsed = dict(documents(site))
    broken = []
    for path, found in parsed.items():
        for _, link, _ in found.links:
            if link.startswith("https://"):
                continue
            target, _, anchor = link.partition("#")
            parts: list[str] = []
            for part in (PurePosixPath(path).parent / target).parts if target else PurePosixPath(path).parts:
                parts = parts[:-1] if part == ".." else [*parts, part]
            where = "/".join(parts)
            if where not in site or (anchor and anchor not in parsed[where].ids):
                broken.append((path, link))
    assert broken == []


def test_nothing_is_asked_of_another_host(site: dict[str, str]) -> None:
    """Only links that a reader follows lead away; styles, scripts and pictures are the site's own, and no script writes an address."""
    for path, found in documents(site):
        away = [(tag, given) for tag, link, given in found.links if re.match(r"[a-z]+:|//", link)]
        assert all(tag == "a" and given.get("rel") == "external noopener" for tag, given in away), path
    for path in ("static/site.css", "static/site.js", "static/match.js", "static/theme.js"):
        assert "http" not in site[path], path


def test_pages_keep_to_a_strict_content_security_policy(site: dict[str, str]) -> None:
    """The dashboard shows these pages under a policy that forbids inline scripts and styles."""
    for path, found in documents(site):
        assert found.inline == [], path
        assert not re.search(r"<script(?![^>]* src=)|<style", site[path]), path


def test_anchors_are_unique(site: dict[str, str]) -> None:
    for path, found in documents(site):
        assert len(found.ids) == len(set(found.ids)), path


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_all_that_the_terminal_says(name: str, site: dict[str, str]) -> None:
    shown = site[f"errors/aws/{name}/index.html"]
    words = " ".join(html.unescape(re.sub(r"<[^>]*>", "", shown)).split())
    for heading, section in PAGES[name].sections.items():
        assert f'id="{heading.lower().replace(" ", "-")}"' in shown
        if heading in ("Meaning", "Lifetimes", "Related errors", "Provider"):
            for line in section.strip().split("\n\n"):
                if not line.startswith(("|", "- ")):
                    assert plain(line) in words
    for cause in PAGES[name].causes:
        assert plain(cause.text) in words
        assert plain(cause.tell) in words
    for sample in PAGES[name].samples:
        assert " ".join(sample.text.split()) in words
    for source in PAGES[name].sources:
        assert source.title in html.unescape(shown)


def test_every_name_leads_to_its_page(site: dict[str, str]) -> None:
    for alias, (name, written, _) in page.index().items():
        if alias == page.key(name):
            continue
        folder = written if f"errors/aws/{written}/index.html" in site else alias
        text = site[f"errors/aws/{folder}/index.html"]
        assert f"url=../{name}/index.html" in text
        assert f'<a href="../{name}/index.html">' in text


def test_folders_differ_in_more_than_case(site: dict[str, str]) -> None:
    assert len({path.lower() for path in site}) == len(site)


def test_every_page_is_on_every_way_that_it_belongs_to(site: dict[str, str]) -> None:
    for name, shown in PAGES.items():
        link = f"errors/aws/{name}/index.html"
        assert link in site["by-service/index.html"], name
        assert link in site["by-cause/index.html"], name
        assert link in site["index.html"]
        assert link in site["errors/aws/index.html"]
        assert (link in site["by-lifetime/index.html"]) == ("Lifetimes" in shown.sections), name


def test_lifetimes_are_read_from_the_tables(site: dict[str, str]) -> None:
    from unexpire.reference.site.lifetimes import lives

    found = {
        each.page.name: {row.what: (row.least, row.usual, row.most) for row in each.rows}
        for each in lives(PAGES.values())
    }
    assert found["ECRAuthorizationTokenExpired"] == {"ECR authorization token": (43_200, 43_200, 43_200)}
    assert found["NotAuthorizedException"]["user pool refresh token"] == (3600, 2_592_000, 315_576_000)
    assert found["SessionDurationEscalationException"]["GetWebIdentityToken"] == (60, 300, 3600)
    assert found["AuthorizationQueryParametersError"]["X-Amz-Expires"][2] == 604_800
    assert place(30) == 0
    assert place(315_576_000) == 1
    assert place(3600) < place(43_200)


def test_the_search_index_has_every_name(site: dict[str, str]) -> None:
    rows = {row["n"]: row for row in json.loads(site["static/search.js"].partition(".search = ")[2].rstrip(";\n"))}
    assert rows.keys() == PAGES.keys()
    for name, shown in PAGES.items():
        assert {name, *rows[name]["k"]} == set(shown.names)


def test_the_causes_beside_a_pasted_text_are_ranked_and_use_no_markup_but_code(site: dict[str, str]) -> None:
    causes = json.loads(site["static/causes.js"].partition(".causes = ")[2].rstrip(";\n"))
    assert causes.keys() == set(page.names())
    for name, ranked in causes.items():
        assert 1 <= len(ranked) <= 3
        titles = {cause.title: cause.label for cause in page.load(name).causes}
        labels = [titles[title] for _, title, _ in ranked]
        assert labels == [label for label in page.load(name).causes_ranked if label in labels]
        assert not [
            text for _, *texts in ranked for text in texts if re.search(r"\]\(|\*", re.sub("`[^`]*`", "", text))
        ]


def test_the_script_for_pasted_texts_agrees_with_explain(site: dict[str, str], tmp_path: Path) -> None:
    """`static/match.js` on every text of the pages and of the matcher's own tests, run by Node."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node.js here to run the script with; make browser runs it too")
    texts = [sample.text for shown in PAGES.values() for sample in (*shown.samples, *shown.counter_examples)]
    texts += [each.text for each in (*cases(), *WORDINGS)] + [*NEGATIVES, *PRODUCT_TEXTS.values()]
    cut = "\U0001f6d1 and that is what it says: the security token includ"  # a sign that is two of JavaScript's
    texts.append(f"{'x' * len(cut)}\n{cut}\ned in the request is expired")
    texts.append('{"level": "error", "text": "aws: the security token included in the request is expired"}')
    texts = list(dict.fromkeys(texts))
    script = tmp_path / "twin.js"
    script.write_text(
        "globalThis.window = globalThis;\n"
        + site["static/matching.js"]
        + site["static/match.js"]
        + "\nconst row = (said) => said ? [said.page || null, said.code || null, said.auth] : null;"
        + f"\nconsole.log(JSON.stringify({json.dumps(texts)}.map((text) => row(UnexpireMatch.matches(text)[0]))));"
    )
    answer = subprocess.run([node, str(script)], capture_output=True, text=True, timeout=60, check=True)
    led = dict(zip(texts, json.loads(answer.stdout), strict=True))
    explained = {
        text: [found[0].page, found[0].code, found[0].aws_auth] if (found := match_text(text)) else None
        for text in texts
    }
    assert led == explained
    assert sum(said is not None and said[0] is not None for said in led.values()) > len(texts) * 0.8


def test_patterns_hold_nothing_that_javascript_reads_otherwise() -> None:
    """Where Node is missing, at least this: no syntax of Python's alone is left in a pattern."""
    text = json.dumps(tables())
    assert "(?P" not in text
    assert not re.search(r"\(\?[aiLmsux-]+[:)]", text)


def test_build_replaces_what_it_built_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    run = CliRunner()
    assert run.invoke(reference, ["build", str(folder)]).exit_code == 0
    listed = json.loads((folder / "unexpire-reference.json").read_text())
    assert all((folder / path).is_file() for path in listed)
    mine = folder / "CNAME"
    mine.write_text("errors.example.com")
    gone = folder / "errors/aws/Gone/index.html"
    gone.parent.mkdir()
    gone.write_text("an older version's")
    (folder / "unexpire-reference.json").write_text(
        json.dumps([*listed, "errors/aws/Gone/index.html", "../outside.txt"])
    )
    (tmp_path / "outside.txt").write_text("not ours")
    assert run.invoke(reference, ["build", str(folder)]).exit_code == 0
    assert mine.read_text() == "errors.example.com"
    assert not gone.exists()
    assert (tmp_path / "outside.txt").read_text() == "not ours"


def test_build_leaves_a_folder_alone_that_holds_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    result = CliRunner().invoke(reference, ["build", str(tmp_path)])
    assert result.exception is not None
    assert "not an earlier build" in str(result.exception)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]
