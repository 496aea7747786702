"""`aws.client`: the endpoint and Region that botocore itself would take, and nothing of this process's own environment."""

from __future__ import annotations

import multiprocessing
import os
import threading
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from provider_kinds import POISON

from unexpire.credentials import Credentials
from unexpire.providers import aws
from unexpire.settings.environment import Environment

KEYS = Credentials("AKIAIOSFODNN7EXAMPLE", "x" * 40)
CONFIG = """\
[default]
region = eu-west-1
[profile plain]
region = eu-central-1
endpoint_url = http://127.0.0.1:1001
[profile services]
region = eu-west-3
services = mine
endpoint_url = http://127.0.0.1:1002
[profile ignoring]
region = ap-south-1
endpoint_url = http://127.0.0.1:1003
ignore_configured_endpoint_urls = true
[profile china]
region = cn-north-1
[profile gov]
region = us-gov-west-1
use_fips_endpoint = true
[profile dual]
region = us-west-2
use_dualstack_endpoint = true
[profile legacy]
region = us-west-1
sts_regional_endpoints = legacy
[services mine]
sts =
  endpoint_url = http://127.0.0.1:1004
sso_oidc =
  endpoint_url = http://127.0.0.1:1005
"""
PROFILES = ("default", "plain", "services", "ignoring", "china", "gov", "dual", "legacy")
VARIABLES: tuple[dict[str, str], ...] = (
    {},
    {"AWS_ENDPOINT_URL": "http://127.0.0.1:2001"},
    {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:2002"},
    {"AWS_ENDPOINT_URL": "http://127.0.0.1:2001", "AWS_ENDPOINT_URL_SSO_OIDC": "http://127.0.0.1:2003"},
    {"AWS_ENDPOINT_URL": "http://127.0.0.1:2001", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
    {"AWS_DEFAULT_REGION": "sa-east-1"},
    {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
    {"AWS_STS_REGIONAL_ENDPOINTS": "legacy", "AWS_DEFAULT_REGION": "us-east-2"},
)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("variables", VARIABLES, ids=lambda v: "+".join(v) or "none")
def test_endpoint_and_region_are_those_of_botocore(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str, variables: dict[str, str]
) -> None:
    import botocore.session

    config = tmp_path / "config"
    config.write_text(CONFIG)
    files = {
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "HOME": str(tmp_path),
    }
    environment = Environment.of({**files, **variables}, cwd=tmp_path)
    ours = {}
    with monkeypatch.context() as poisoned:
        for name, value in POISON.items():
            poisoned.setenv(name, value)
        for service in ("sts", "sso-oidc"):
            chosen = environment.settings().profile(profile)
            ours[service] = aws.client(service, environment, profile=chosen, credentials=KEYS).meta
    for name in POISON:
        monkeypatch.delenv(name, raising=False)
    for name, value in {**files, **variables}.items():
        monkeypatch.setenv(name, value)
    session = botocore.session.Session(profile=profile)
    for service, meta in ours.items():
        theirs = session.create_client(service, aws_access_key_id="AKIA", aws_secret_access_key="x").meta
        assert (meta.endpoint_url, meta.region_name) == (theirs.endpoint_url, theirs.region_name)


def test_without_credentials_nothing_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unsigned client must not send botocore through its own chain, to this process's keys or to a metadata service."""
    for name, value in POISON.items():
        monkeypatch.setenv(name, value)
    made = aws.client("sso", Environment.of({"HOME": str(tmp_path)}, cwd=tmp_path), region="eu-west-1")
    assert made.meta.endpoint_url == "https://portal.sso.eu-west-1.amazonaws.com"
    assert made._request_signer._credentials is None


def test_proxies_and_certificates_are_those_of_the_environment_looked_at(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    environment = Environment.of(
        {
            "HTTPS_PROXY": "http://proxy:3128",
            "NO_PROXY": "127.0.0.1,.internal",
            "AWS_CA_BUNDLE": "~/bundle.pem",
            "HOME": str(tmp_path),
        },
        cwd=tmp_path,
    )
    assert aws.way_to(environment, None, "https://sts.amazonaws.com") == ("http://proxy:3128", str(bundle))
    assert aws.way_to(environment, None, "https://sts.internal")[0] is None
    assert aws.way_to(environment, None, "https://127.0.0.1:8443/x")[0] is None
    assert aws.way_to(environment, None, "http://sts.amazonaws.com")[0] is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_forked_while_a_client_is_made_makes_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    making, made = threading.Event(), threading.Event()
    parent = os.getpid()
    plain = botocore.session.Session.create_client

    def create(self: botocore.session.Session, *words: Any, **more: Any) -> Any:
        if os.getpid() == parent:
            making.set()
            made.wait(60)
        return plain(self, *words, **more)

    monkeypatch.setattr(botocore.session.Session, "create_client", create)
    environment = Environment.of({"HOME": str(tmp_path), "AWS_REGION": "eu-west-1"})
    thread = threading.Thread(target=aws.client, args=("sts", environment))
    thread.start()
    assert making.wait(60)
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(
        target=lambda: there.send(aws.client("sts", environment).meta.endpoint_url)
    )
    child.start()
    try:
        assert here.poll(60), "the child waits for a thread that it does not have"
        assert here.recv() == "https://sts.eu-west-1.amazonaws.com"
    finally:
        made.set()
        thread.join()
        child.join()
