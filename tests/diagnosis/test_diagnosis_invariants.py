"""Whatever is configured and whatever answers: what does not work has a root cause with evidence and a remedy, what works has none."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unexpire.cli.render import diagnosis_lines
from unexpire.diagnosis.gather import gather
from unexpire.diagnosis.judge import judge
from unexpire.findings import CODES, Severity, Verdict
from unexpire.lab import Lab
from unexpire.settings.environment import Environment

_FINE = (Verdict.WORKS, Verdict.EXPIRING, Verdict.UNKNOWN)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


@pytest.fixture(scope="module")
def home(lab: Lab) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp())
    lab.make_home(folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


_ODD = st.sampled_from(
    ["", " ", "x", "foo bar", '"quoted"', "http://127.0.0.1:9", "http://[::1", "é", "2020-01-01T00:00:00Z", "a\nb"]
)
_NAMES = st.sampled_from(
    [
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_STS",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_SECURITY_TOKEN",
        "AWS_SESSION_TOKEN",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CA_BUNDLE",
        "HTTP_PROXY",
        "HOME",
    ]
)
_PROFILES = st.sampled_from(
    [
        None,
        "static",
        "role",
        "chained",
        "mfa",
        "external",
        "sso",
        "sso-legacy",
        "web-identity",
        "copy",
        "expired",
        "login",
        "nobody",
        "",
    ]
)
_KEYS = st.sampled_from(["none", "user", "live", "dead", "tokenless", "leftover"])


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    keys=_KEYS, profile=_PROFILES, odd=st.dictionaries(_NAMES, _ODD, max_size=3), online=st.booleans(), chosen=_PROFILES
)
def test_what_does_not_work_has_a_root_cause(
    lab: Lab, home: Path, keys: str, profile: str | None, odd: dict[str, str], online: bool, chosen: str | None
) -> None:
    variables = lab.environment(home) | _keys(lab, keys) | odd
    if chosen is not None:
        variables.setdefault("AWS_PROFILE", chosen)
    found = judge(gather(Environment.of(variables, cwd=home), profile=profile, online=online))
    text = "\n".join(diagnosis_lines(found, verbose=True))
    root = found.root_cause
    if found.verdict in _FINE:
        assert root is None, text
        assert found.exit == 0
    else:
        assert root is not None, text
        assert root is found.findings[0]
        assert root.weight is Severity.ERROR
        assert root.evidence
        assert root.remedy is not None
        assert root.remedy.now or root.remedy.summary
        assert found.exit == CODES[root.code].exit
        assert not text.lstrip("✗ ").startswith("works"), text
    assert not [secret for secret in lab.secrets() if secret in text], "a secret was shown"
    assert online or found.verdict not in (Verdict.UNREACHABLE, Verdict.DENIED) or root is not None


def _keys(lab: Lab, kind: str) -> dict[str, str]:
    if kind == "none":
        return {}
    held = (
        lab.user_credentials
        if kind in ("user", "leftover")
        else lab.issue_session(seconds=-60 if kind == "dead" else 3000)
    )
    found = {"AWS_ACCESS_KEY_ID": held.access_key_id, "AWS_SECRET_ACCESS_KEY": held.secret_access_key}
    token = lab.issue_session(seconds=-60).session_token if kind == "leftover" else held.session_token
    if token and kind != "tokenless":
        found["AWS_SESSION_TOKEN"] = token
    return found
