"""Pages and matcher agree: each wording of a page leads to it, each counter-example to where the page says; signs, names and labels fit."""

from __future__ import annotations

import io

import pytest

from unexpire.reference import page
from unexpire.reference.ailments import AILMENT_OF_CODE, AILMENTS
from unexpire.reference.foreign import whose
from unexpire.reference.labels import LABELS, TELLS
from unexpire.reference.match import match_text
from unexpire.reference.normalise import flatten
from unexpire.reference.scan import scan
from unexpire.reference.sentences import sentences

PAGES = {name: page.load(name) for name in page.names()}
SEEN = [(name, sample.tool, sample.text) for name, shown in PAGES.items() for sample in shown.samples]
COUNTER = [(name, sample.leads_to, sample.text) for name, shown in PAGES.items() for sample in shown.counter_examples]


def leads_to(text: str) -> str | None:
    found = match_text(text)
    return found[0].page if found else None


@pytest.mark.parametrize(("name", "tool", "text"), SEEN, ids=[f"{name}: {tool}" for name, tool, _ in SEEN])
def test_every_wording_of_a_page_leads_to_it(name: str, tool: str, text: str) -> None:
    # The same sentence on two pages: what the text says is not enough to tell them apart, and the first of the two is right as well.
    same = {other for other, _, wording in SEEN if wording == text}
    assert leads_to(text) in same, tool
    assert name in same


@pytest.mark.parametrize(
    ("name", "target", "text"), COUNTER, ids=[f"{name} -> {target}" for name, target, _ in COUNTER]
)
def test_every_counter_example_leads_elsewhere(name: str, target: str, text: str) -> None:
    found = match_text(text)
    leads = found[0].page if found else None
    assert leads != name
    if (
        target == "none"
    ):  # a page about something else than credentials may still be offered: `throttled`, `AccessDenied`
        assert not found or not found[0].aws_auth
    else:
        assert leads == target


def test_ailments_name_labels_that_exist() -> None:
    assert {label for ailment in AILMENTS.values() for label in ailment.causes} <= set(LABELS)


def test_sentences_and_codes_name_ailments_that_exist() -> None:
    named = {rule.ailment for rule in sentences() if not rule.ailment.startswith("page:")} | set(
        AILMENT_OF_CODE.values()
    )
    assert named <= set(AILMENTS)


def test_pages_that_sentences_name_exist() -> None:
    for rule in sentences():
        if rule.ailment.startswith("page:"):
            assert rule.ailment.removeprefix("page:") in PAGES


def test_an_error_is_found_in_a_long_log_as_by_itself() -> None:
    """Most of the wordings, that is: a sign that ordinary lines hold would cost every log too much."""
    quiet = b"2026-10-10T10:00:00Z INFO worker handled request path=/api/v1/items/7 status=200\n" * 400
    texts = [text for _, tool, text in SEEN if tool != "unexpire diagnose"]
    missed = []
    for text in texts:
        alone, found = match_text(text), scan(io.BytesIO(quiet + text.encode() + b"\n" + quiet).read)
        if alone[0].aws_auth and (alone[0].code, alone[0].ailment) not in {(m.code, m.ailment) for m in found}:
            missed.append((alone[0].page, text[:60]))
    assert len(missed) <= len(texts) // 60, missed


def test_no_page_is_taken_for_another_product() -> None:
    assert [name for name, _, text in SEEN if (whose(flatten(text).lower) or "TLS").startswith("TLS") is False] == []


def test_every_cause_that_is_offered_comes_with_how_to_tell_it() -> None:
    for found in (match for text in {text for _, _, text in SEEN} for match in match_text(text)):
        told = {cause.label for cause in PAGES[found.page].causes} if found.page else set()
        assert [cause.label for cause in found.causes if cause.label not in told | set(TELLS)] == []


def test_there_is_a_way_to_tell_every_cause() -> None:
    assert set(LABELS) - set(TELLS) == {"not_aws_auth", "unknown"}
    assert set(TELLS) <= set(LABELS)
