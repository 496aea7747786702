"""Every page keeps to its form, is found by its names, and says what the rest of the product and of botocore says."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import botocore.exceptions
import pytest
from botocore.session import Session

from unexpire.findings import CODES
from unexpire.reference import page
from unexpire.reference.labels import LABELS
from unexpire.reference.match import match_text

NAMES = page.names()
PAGES = {name: page.load(name) for name in NAMES}
PUBLISHED = (Path(__file__).parent / "names.txt").read_text(encoding="utf-8").splitlines()
KNOWN = {page.key(name) for one in PAGES.values() for name in one.names}


@pytest.fixture(params=NAMES)
def one(request: pytest.FixtureRequest) -> page.Page:
    return PAGES[request.param]


def test_there_are_pages_enough() -> None:
    assert len(NAMES) >= 100


def test_the_header_is_complete(one: page.Page) -> None:
    assert one.title
    assert not one.title.endswith(".")
    assert one.code
    assert one.provider == "AWS"
    assert one.services
    assert all(service.message for service in one.services)
    assert one.renewing_why.endswith(".")
    assert re.fullmatch(r"\d+\.\d+\.\d+", one.since)
    assert one.status in ("current", "retired")
    assert one.sources
    assert all(re.fullmatch(r"\d{4}(-\d\d){0,2}", source.date) for source in one.sources)
    assert all(source.where.startswith("https://") for source in one.sources)


def test_the_sections_hold_what_they_should(one: page.Page) -> None:
    assert all(text.strip() for text in one.sections.values())
    assert len(one.samples) >= 1
    assert all(sample.tool and sample.text.strip() for sample in one.samples)
    assert all(sample.leads_to == "none" or sample.leads_to in PAGES for sample in one.counter_examples)
    assert {"bash", "python"} <= {example.language for example in one.examples}
    for section in ("Diagnose", "Fix"):
        numbers = re.findall(r"^(\d+)\. ", one.sections[section], re.M)
        assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
        assert numbers
    assert any(command.startswith(("unexpire ", "aws ")) for command in one.commands)


def test_every_fence_is_closed_and_has_a_language(one: page.Page) -> None:
    for heading, text in one.sections.items():
        assert text.count("```") % 2 == 0, heading
        for info, _ in page.fences(text):
            assert info.split()[:1][0] in {"text", "sh", "bash", "python"}, f"{heading}: {info}"


def test_the_causes_of_the_header_are_those_of_the_page(one: page.Page) -> None:
    """The header ranks them over all groups; a label that only one of the two has would be a cause without words, or without rank."""
    assert set(one.causes_ranked) == {cause.label for cause in one.causes}
    assert len(set(one.causes_ranked)) == len(one.causes_ranked)
    assert all(cause.tell.endswith((".", "`")) for cause in one.causes)


def test_page_and_text_rank_the_causes_alike(one: page.Page) -> None:
    """A text that shows the code and no more is answered in the page's order, as far as both name a cause."""
    shown = [match for match in match_text(f"error code: {one.code}") if match.aws_auth and match.page == one.name]
    for match in shown[:1]:
        labels, ranked = _families(cause.label for cause in match.causes), _families(one.causes_ranked)
        both = [label for label in ranked if label in labels]
        assert both == [label for label in labels if label in ranked]
        assert both[0] == labels[0]


def _families(labels: Iterable[str]) -> list[str]:
    """What three labels say of a session that is over is one thing for a text that shows no more."""
    over = {"expired_static_copy", "expired_mid_run", "refresher_stale"}
    return list(dict.fromkeys("session over" if label in over else label for label in labels))


def test_related_pages_are_pages(one: page.Page) -> None:
    assert [name for name in one.related if name not in PAGES] == []
    assert one.name not in one.related
    assert len(set(one.related)) == len(one.related)


def test_related_pages_are_listed_for_readers(one: page.Page) -> None:
    section = one.sections["Related errors"]
    assert [name for name in one.related if f"`{name}`" not in section] == []


def test_every_label_has_a_page() -> None:
    used = {label for one in PAGES.values() for label in one.causes_ranked}
    assert used == set(LABELS)


def test_the_index_is_that_of_the_pages() -> None:
    written = (Path(page.FOLDER) / "index.tsv").read_text(encoding="utf-8")
    assert written == page.render_index(PAGES[name] for name in NAMES), "run tests/reference/republish.py"


def test_names_are_unique() -> None:
    counted = Counter(page.key(name) for one in PAGES.values() for name in one.names)
    assert [name for name, times in counted.items() if times > 1] == []


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_name_still_leads_somewhere(name: str) -> None:
    """Pages may be renamed; what people have bookmarked, typed or linked must not die."""
    assert page.find(name) in PAGES


def test_every_name_is_published() -> None:
    missing = sorted({name for one in PAGES.values() for name in one.names} - set(PUBLISHED))
    assert missing == [], "run tests/reference/republish.py"


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_finding_has_a_page(code: str) -> None:
    assert page.find(code) in PAGES


def test_what_looks_like_a_finding_is_one() -> None:
    """A page shows what `unexpire diagnose` prints as `code: meaning`: both must be what findings.py says today."""
    shown = 0
    for one in PAGES.values():
        for sample in one.samples:
            if sample.tool != "unexpire diagnose":
                continue
            shown += 1
            code, _, meaning = sample.text.partition(": ")
            assert CODES[code].meaning == meaning
            assert page.find(code) == one.name
    assert shown > 20


# What has no page, and why. An exemption that is not needed any more fails.
MODELLED = {
    "sso": {
        "InvalidRequestException": "a request that is not well-formed: a fault of the client, not of credentials",
        "ResourceNotFoundException": "an account or role that does not exist",
    },
    "sso-oidc": {
        "InternalServerException": "a fault of the service",
        "InvalidRequestException": "a request that is not well-formed: a fault of the client, not of credentials",
    },
    "signin": {
        "ConflictException": "management of sign-in policies",
        "InternalServerException": "a fault of the service",
        "ResourceNotFoundException": "management of sign-in policies",
        "ServiceQuotaExceededException": "management of sign-in policies",
        "ServiceUnavailableException": "a fault of the service",
        "TooManyRequestsError": "the name that only this service gives to throttling, see TooManyRequestsException",
        "ValidationException": "a request that is not well-formed: a fault of the client, not of credentials",
    },
    "sts": {},
}


@pytest.mark.parametrize("service", sorted(MODELLED))
def test_modelled_errors_have_a_page(service: str) -> None:
    model = Session().get_service_model(service)
    codes = {shape.metadata.get("error", {}).get("code", shape.name) for shape in model.error_shapes}
    assert codes, "the model lost its errors"
    without = {code for code in codes if page.key(code) not in KNOWN}
    assert without == set(MODELLED[service])


EXCEPTIONS = {
    "SSOError": "the class above UnauthorizedSSOTokenError and SSOTokenLoadError; never raised itself",
    "UnknownCredentialError": "raised at programmers who name a credential provider that does not exist",
    "WaiterConfigError": "about waiters",
    "InvalidDNSNameError": "about names of buckets",
    "InvalidChecksumConfigError": "about checksums",
    "InvalidDefaultsMode": "about defaults of clients",
    "InvalidEndpointConfigurationError": "about endpoints in code",
    "InvalidEndpointDiscoveryConfigurationError": "about endpoint discovery",
    "InvalidProxiesConfigError": "about proxies in code",
    "InvalidRetryConfigurationError": "about retries",
    "InvalidS3UsEast1RegionalEndpointConfigError": "about S3 addresses",
    "UnsupportedS3AccesspointConfigurationError": "about S3 addresses",
    "UnsupportedS3ConfigurationError": "about S3 addresses",
    "UnsupportedS3ControlConfigurationError": "about S3 addresses",
}


def test_credential_exceptions_of_botocore_have_a_page() -> None:
    about = re.compile(r"credential|token|login|sso|profile|metadata|imds|config|mfa", re.I)
    found = {
        name
        for name, kind in inspect.getmembers(botocore.exceptions, inspect.isclass)
        if issubclass(kind, botocore.exceptions.BotoCoreError) and about.search(f"{name} {kind.fmt}")
    }
    assert {"NoCredentialsError", "TokenRetrievalError", "ProfileNotFound"} <= found
    without = {name for name in found if page.key(name) not in KNOWN}
    assert without == set(EXCEPTIONS)


def test_a_page_that_does_not_keep_to_the_form_is_refused() -> None:
    text = (Path(page.FOLDER) / "ExpiredToken.md").read_text(encoding="utf-8")
    for broken, complaint in (
        (text.replace("## Fix\n", "## Mend\n"), "no such section"),
        (text.replace("## Fix\n", "## Fix\n## Fix\n"), "no such section, or again"),
        (text.replace("renewing: yes", "renewing: perhaps"), "renewing is"),
        (text.replace("| 400 | The provided", "| bad | The provided"), "no HTTP status"),
        (text.replace("title:", "heading:"), "'title'"),
        (text.replace("---", "+++", 1), "front matter"),
    ):
        with pytest.raises(page.PageError, match=complaint):
            page.parse("ExpiredToken", broken)
    wrong = page.parse("ExpiredToken", text.replace("`expired_mid_run` Something", "`no_such_label` Something"))
    with pytest.raises(page.PageError, match="not a cause"):
        _ = wrong.causes


@pytest.mark.parametrize("name", ["nothing-of-the-kind", "../ExpiredToken", "/etc/passwd", ""])
def test_a_name_that_is_none_finds_nothing(name: str) -> None:
    assert page.find(name) is None
    with pytest.raises(KeyError):
        page.load(name)


@pytest.mark.parametrize(
    "written", ["ExpiredToken", "expiredtoken", "EXPIREDTOKEN", "expired session", "expired_session"]
)
def test_names_are_found_however_they_are_written(written: str) -> None:
    assert page.find(written) == "ExpiredToken"


def test_finding_a_page_imports_next_to_nothing() -> None:
    """`explain CODE` promises an answer in about the time the interpreter needs to start: what page.py imports counts."""
    program = (
        "import sys; before = set(sys.modules); from unexpire.reference import page; page.load(page.find('expired session'));"
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('unexpire')))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"__future__", "codecs", "encodings", "encodings.utf_8"}, done.stdout
