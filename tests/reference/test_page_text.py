"""A page as text: every page fits, loses nothing that it says, and shows no Markdown."""

from __future__ import annotations

import re
import shlex
from collections import Counter

import pytest

from unexpire.cli.page_paint import paint
from unexpire.cli.page_text import WIDTH, page_lines
from unexpire.reference import page

PAGES = {name: page.load(name) for name in page.names()}
WIDEST = 100
"""Columns of an example's line, its margin included: code is never wrapped, so it is the pages that have to keep to this."""


def bare(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


@pytest.fixture(params=sorted(PAGES))
def one(request: pytest.FixtureRequest) -> page.Page:
    return PAGES[request.param]


def test_it_fits(one: page.Page) -> None:
    code = {
        line.strip()
        for text in one.sections.values()
        for info, block in page.fences(text)
        for line in block.splitlines()
    }
    for line in page_lines(one):
        assert line == line.rstrip()
        assert (
            len(line) <= WIDTH or line.strip().startswith("https://") or (line.strip() in code and len(line) <= WIDEST)
        ), line


def test_no_mark_of_markdown_is_left(one: page.Page) -> None:
    code = {line for text in one.sections.values() for _, block in page.fences(text) for line in block.splitlines()}
    for line in page_lines(one):
        if line.strip() not in {text.strip() for text in code}:
            assert "```" not in line
            assert "**" not in line
            assert not line.lstrip().startswith(("#", "|"))


def test_nothing_is_lost(one: page.Page) -> None:
    """Every word of the page stands in its text, as often as the page has it."""
    lines = list(page_lines(one))
    shown = Counter(re.findall(r"\w+", " ".join(lines)))
    joined = "".join("".join(lines).split())
    for text in one.sections.values():
        assert all("".join(block.split()) in joined for _, block in page.fences(text))
    prose = " ".join(re.sub(r"^ *```.*?^ *```$", "", text, flags=re.S | re.M) for text in one.sections.values())
    said = Counter(re.findall(r"\w+", prose))
    assert said - shown == Counter()


def test_commands_can_be_copied(one: page.Page) -> None:
    """A command of Diagnose or Fix stands on lines of its own, whole, and the shell reads it back."""
    lines = [line.strip() for line in page_lines(one)]
    for section in ("Diagnose", "Fix"):
        for info, block in page.fences(one.sections[section]):
            if info.startswith("sh"):
                assert all(line.strip() in lines for line in block.splitlines())
    for command in one.commands:
        assert shlex.split(command)


def test_steps_keep_their_numbers_and_causes_their_rank() -> None:
    lines = [line.strip() for line in page_lines(PAGES["ExpiredToken"])]
    start = lines.index("DIAGNOSE")
    numbers = [line.partition(".")[0] for line in lines[start : lines.index("CODE")] if re.match(r"\d+\. ", line)]
    assert numbers == ["1", "2", "3", "4", "5"] + [str(n) for n in range(1, len(numbers) - 4)]
    ranked = lines[lines.index("Likeliest first:") + 1 :][: len(PAGES["ExpiredToken"].causes_ranked)]
    assert ranked[0] == "1. A copy of the session"


def test_a_wording_says_whose_it_is_and_where_it_leads() -> None:
    lines = list(page_lines(PAGES["ExpiredToken"]))
    assert "  AWS CLI v2:" in lines
    assert "  boto3 (see ExpiredTokenException):" in lines
    assert "  PyJWT (no AWS credential error):" in lines


@pytest.mark.parametrize("width", [60, 80, 96])
def test_colours_change_no_word_and_end_with_their_line(width: int) -> None:
    for one in PAGES.values():
        painted = list(page_lines(one, width, paint))
        # Without its back-quotes a line has room for more: the words are the same, not the lines.
        plain = "".join("".join(page_lines(one, width)).split()).replace("`", "").replace("-", "")
        assert "".join("".join(map(bare, painted)).split()).replace("`", "").replace("-", "") == plain
        for line in painted:
            marks = re.findall(r"\x1b\[[0-9;]*m", line)
            assert not marks or marks[-1] == "\x1b[0m"
