"""How often the matcher is right, on texts of our own making in every tool's format, and on the same texts mangled."""

from __future__ import annotations

import html
import json
import textwrap
from collections.abc import Callable

import pytest
from match_cases import LAYOUTS, Case, cases

from unexpire.reference.ailments import FAMILY
from unexpire.reference.match import Match, match_text

CASES = list(cases())
AWS = [case for case in CASES if case.aws]
NOT_AWS = [case for case in CASES if not case.aws]


def first(text: str) -> Match | None:
    found = match_text(text)
    return found[0] if found else None


def families(labels: list[str] | frozenset[str]) -> list[str]:
    return list(dict.fromkeys("session" if label in FAMILY else label for label in labels))


def share(hits: list[bool]) -> float:
    return sum(hits) / len(hits)


def code_right(case: Case, match: Match | None) -> bool:
    return match is not None and (match.code == case.code or case.name == "api gateway body")


def test_codes_are_named() -> None:
    wrong = [case.name for case in AWS if not code_right(case, first(case.text))]
    assert share([case.name not in wrong for case in AWS]) >= 0.98, wrong


def test_the_likeliest_cause_comes_first_or_among_the_first_three() -> None:
    ranked = {
        case.name: families([cause.label for cause in match.causes]) for case in AWS if (match := first(case.text))
    }
    wanted = {case.name: set(families(case.causes)) for case in AWS}
    top1 = [bool(set(ranked.get(name, [])[:1]) & labels) for name, labels in wanted.items()]
    top3 = [bool(set(ranked.get(name, [])[:3]) & labels) for name, labels in wanted.items()]
    assert share(top1) >= 0.95
    assert share(top3) >= 0.98


def test_expiry_is_told_from_the_rest() -> None:
    assert (
        share([(match := first(case.text)) is not None and match.expiry_related is case.expiry for case in AWS]) >= 0.97
    )


@pytest.mark.parametrize("case", NOT_AWS, ids=lambda case: case.name)
def test_what_is_not_ours_is_left_alone(case: Case) -> None:
    match = first(case.text)
    assert match is None or not match.aws_auth


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_up_its_code(layout: str) -> None:
    of_layout = [case for case in AWS if case.name.startswith(layout + "/")]
    assert of_layout
    assert all(code_right(case, first(case.text)) for case in of_layout)


def _hard(text: str, width: int) -> str:
    return "\n".join(line[i : i + width] for line in text.split("\n") for i in range(0, max(len(line), 1), width))


MANGLED: dict[str, Callable[[str], str]] = {
    "in JSON": lambda text: json.dumps({"log": text}),
    "in JSON in JSON": lambda text: json.dumps({"log": json.dumps({"msg": text})}),
    "as HTML": html.escape,
    "with CRLF": lambda text: text.replace("\n", "\r\n"),
    "among other lines": lambda text: f"step 4 of 9\n+ ./deploy.sh\n{text}\n12 tests passed\nbye",
    "behind syslog's prefix": lambda text: "\n".join(
        f"Oct 10 11:22:33 web-1 job[81]: {line}" for line in text.split("\n")
    ),
    "quoted in a mail": lambda text: "\n".join(f"> {line}" for line in text.split("\n")),
    "wrapped at words": lambda text: "\n".join(
        textwrap.fill(line, 68, break_long_words=False) for line in text.split("\n")
    ),
    "cut at column 100": lambda text: _hard(text, 100),
    "in colour": lambda text: f"\x1b[1;31m{text}\x1b[0m",
    "in Markdown": lambda text: f"I get this:\n```\n{text}\n```\nAny idea?",
    "as a Python string": repr,
}


@pytest.mark.parametrize("how", MANGLED)
def test_the_answer_does_not_depend_on_the_wrapping(how: str) -> None:
    """Every third text, mangled: code, verdict and likeliest cause are those of the text as it was."""
    mangle, right, seen = MANGLED[how], [], []
    for case in CASES[::3]:
        plain, other = first(case.text), first(mangle(case.text))
        same = _verdict(plain) == _verdict(other)
        right.append(same)
        if not same:
            seen.append((case.name, _verdict(plain), _verdict(other)))
    assert share(right) >= 0.97, seen


def _verdict(match: Match | None) -> tuple[str | None, str] | None:
    if match is None or not match.aws_auth:
        return None
    return match.code, families([cause.label for cause in match.causes])[0] if match.causes else ""
