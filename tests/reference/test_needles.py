"""A needle is in every text that its expression matches: what is passed over because of it could not have matched."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unexpire.reference import page
from unexpire.reference.needles import needle
from unexpire.reference.normalise import flatten
from unexpire.reference.sentences import sentences

TEXTS = [flatten(sample.text).lower for name in page.names() for sample in page.load(name).samples]


@pytest.mark.parametrize(
    ("regex", "held"),
    [
        (r"token has expired", "token has expired"),
        (r"a\(b\)\.c", "a(b).c"),
        (r"colou?r scheme", "r scheme"),
        (r"wid+er", "wid"),
        (r"\bprofile \S{1,9} is gone now", " is gone now"),
        (r"(?:one|two) of \d+ old keys?", " old key"),
        (r"\[[^]x]{0,5}\] end", "] end"),
        (r"this|that", ""),
        (r"(?:this|that)", ""),
        (r"a((b|c)d)?e{2}fgh$", "fgh"),
    ],
)
def test_the_longest_run_of_plain_characters(regex: str, held: str) -> None:
    assert needle(regex) == held


def test_no_sentence_is_lost() -> None:
    matched = 0
    for rule in sentences():
        for text in TEXTS:
            if rule.pattern.search(text):
                matched += 1
                assert rule.needle in text, rule.regex
    assert matched > len(TEXTS) / 2
    assert sum(bool(rule.needle) for rule in sentences()) > 0.9 * len(sentences())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_matches_holds_it(data: st.DataObject) -> None:
    rule = data.draw(st.sampled_from(sentences()))
    text = data.draw(st.from_regex(re.compile(rule.regex, re.ASCII)))
    assert rule.needle in text
