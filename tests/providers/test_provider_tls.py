"""A certificate that is not trusted is told at once, by every door, with what to do; a handshake that is cut off is waited out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from provider_kinds import Place, container, place

from unexpire.errors import RefreshFailed
from unexpire.lab import Lab

pytest.importorskip("cryptography")
from tls_front import Authority, front


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


@pytest.fixture
def at(lab: Lab, tmp_path: Path) -> Place:
    lab.reset_counts()
    return place(lab, tmp_path)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def unexpire(at: Place, url: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    variables = {**at.variables, "AWS_ENDPOINT_URL": url, **more}
    line = [sys.executable, "-m", "unexpire", *words]
    return subprocess.run(line, env=variables, cwd=at.home, capture_output=True, text=True, timeout=100)


DOORS = {
    "credential-process": ("credential-process", "--profile", "role"),
    "env": ("env", "--profile", "role"),
    "sync": ("sync", "role", "--to", "old-tool"),
    "run": ("run", "--profile", "role", "--", "true"),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_certificate_of_nobody_known_is_told_at_once(door: str, at: Place, authority: Authority) -> None:
    with front(authority.certificate(), at.lab.url) as tls:
        done = unexpire(at, tls.url, *DOORS[door])
    assert (done.returncode, done.stdout) == (9, "")
    assert "the certificate is not trusted: unable to get local issuer" in done.stderr
    assert "AWS_CA_BUNDLE" in done.stderr
    assert "ca_bundle" in done.stderr
    assert "trying again" not in done.stderr
    assert tls.connections == 1, "an answer that stays is asked for once"


@pytest.mark.parametrize(
    ("kind", "said", "todo"),
    [
        ("own", "self-signed", "AWS_CA_BUNDLE"),
        ("over", "expired", "date -u"),
        ("another", "another host", "AWS_ENDPOINT_URL"),
        ("rubbish", "holds no certificate", "AWS_CA_BUNDLE"),
        ("folder", "cannot be read", "AWS_CA_BUNDLE"),
    ],
)
def test_what_is_wrong_with_it_and_what_to_do(kind: str, said: str, todo: str, at: Place, authority: Authority) -> None:
    rubbish = at.home / "rubbish.pem"
    rubbish.write_text("no certificate\n")
    certificate = {
        "own": lambda: authority.certificate(own=True),
        "over": lambda: authority.certificate(ends_in=timedelta(days=-1)),
        "another": lambda: authority.certificate("elsewhere.example"),
    }.get(kind, authority.certificate)()
    bundle = {"rubbish": rubbish, "folder": at.home}.get(kind, authority.bundle)
    with front(certificate, at.lab.url) as tls, pytest.raises(RefreshFailed) as caught:
        at.provider("role", AWS_ENDPOINT_URL=tls.url, AWS_CA_BUNDLE=str(bundle)).fetch()
    assert not caught.value.retryable
    assert caught.value.finding == "endpoint-unreachable"
    assert said in str(caught.value)
    assert todo in (caught.value.hint or "")
    assert tls.connections == 1


def test_a_trusted_one_is_no_trouble(at: Place, authority: Authority) -> None:
    with front(authority.certificate(), at.lab.url) as tls:
        done = unexpire(at, tls.url, *DOORS["credential-process"], AWS_CA_BUNDLE=str(authority.bundle))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_handshake_that_is_cut_off_is_waited_out(at: Place, authority: Authority) -> None:
    with front(authority.certificate(), at.lab.url, resets=2) as tls:
        done = unexpire(at, tls.url, *DOORS["credential-process"], AWS_CA_BUNDLE=str(authority.bundle))
    assert (done.returncode, done.stderr) == (0, "")
    assert tls.connections == 3


def test_a_login_is_not_said_to_be_over_where_only_the_certificate_is_bad(at: Place, authority: Authority) -> None:
    """Its token is due; whoever hears of a login would log in, meet the same certificate, and have lost the old token."""
    for file in (at.home / ".aws" / "sso" / "cache").glob("*.json"):
        token = json.loads(file.read_text())
        file.write_text(json.dumps({**token, "expiresAt": "2020-01-01T00:00:00Z"}))
    with front(authority.certificate(), at.lab.url) as tls, pytest.raises(RefreshFailed) as caught:
        at.provider("sso", AWS_ENDPOINT_URL=tls.url).fetch()
    assert "not trusted" in str(caught.value)


def test_a_container_endpoint_of_one_s_own(at: Place, authority: Authority) -> None:
    with front(authority.certificate(), at.lab.url) as tls, pytest.raises(RefreshFailed) as caught:
        at.provider(None, **{**container(at), "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{tls.url}/"}).fetch()
    assert not caught.value.retryable
    assert "not trusted" in str(caught.value)


def test_an_endpoint_that_speaks_plain_http_is_told_at_once(at: Place) -> None:
    done = unexpire(at, at.lab.url.replace("http://", "https://"), "credential-process", "--profile", "role")
    assert (done.returncode, done.stdout) == (9, "")
    assert "it does not speak TLS" in done.stderr
    assert "http://" in done.stderr
