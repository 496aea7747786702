"""Every sentence of the table has words of its own: none is dead, and none changes unseen."""

from __future__ import annotations

from collections import defaultdict

import pytest
from match_cases import WORDINGS

from unexpire.reference import candidates
from unexpire.reference.match import match_text
from unexpire.reference.sentences import Rule, sentences

OF_AILMENT: dict[str, list[str]] = defaultdict(list)
for _ailment, _, _text in WORDINGS:
    OF_AILMENT[_ailment].append(_text)


@pytest.mark.parametrize(("ailment", "code", "text"), WORDINGS, ids=[text[:60] for _, _, text in WORDINGS])
def test_these_words_are_recognised(ailment: str, code: str, text: str) -> None:
    found = match_text(text)[0]
    assert (found.code or "-") == code
    page = ailment.removeprefix("page:")
    assert (found.ailment if page == ailment else found.page) == page


def test_every_sentence_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each there is a wording that is read otherwise, or not at all, without it."""
    rules = sentences()
    dead = []
    for place, rule in enumerate(rules):
        texts = [text for text in OF_AILMENT[rule.ailment] if rule.pattern.search(text)]
        whole = [read(text) for text in texts]
        with monkeypatch.context() as without:
            without.setattr(candidates, "sentences", lambda at=place: (*rules[:at], *rules[at + 1 :]))
            if [read(text) for text in texts] == whole:
                dead.append(name_of(rule))
    assert dead == []


def read(text: str) -> list[tuple[str | None, str | None, str | None]]:
    return [(match.code, match.ailment, match.page) for match in match_text(text)]


def name_of(rule: Rule) -> str:
    return f"{rule.ailment} | {rule.code or '-'} | {rule.regex}"
