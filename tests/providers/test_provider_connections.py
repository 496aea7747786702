"""Fetching again and again in one process: what is used again, and what must never be."""

from __future__ import annotations

import gc
import ipaddress
import multiprocessing
import os
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore.credentials
import pytest
from provider_kinds import Place
from relay import Relay

from unexpire.errors import RefreshFailed
from unexpire.lab import Lab
from unexpire.providers import aws
from unexpire.providers.resolve import provider_for
from unexpire.settings.environment import Environment


@pytest.fixture
def relay(here: Place) -> Iterator[Relay]:
    with Relay(here.lab.url) as made:
        yield made


class Fetching:
    """Sessions of a role, each with settings read anew, by a clock that stands still unless it is set."""

    def __init__(self, here: Place, url: str) -> None:
        self._here, self._url, self.now = here, url, datetime.now(UTC)

    def __call__(self, **more: str) -> str:
        environment = self._here.environment(**{"AWS_ENDPOINT_URL_STS": self._url, **more})
        environment = replace(environment, clock=lambda: self.now)
        return provider_for(environment, profile="role").fetch().access_key_id

    @property
    def calls(self) -> int:
        return self._here.lab.count("sts", "AssumeRole")


def test_one_connection_serves_fetches_that_follow_each_other(here: Place, relay: Relay) -> None:
    fetch = Fetching(here, relay.url)
    assert len({fetch() for _ in range(5)}) == 5
    assert (relay.connections, fetch.calls) == (1, 5)


def test_a_connection_that_the_server_has_closed_is_not_asked(here: Place, relay: Relay) -> None:
    fetch = Fetching(here, relay.url)
    fetch()
    relay.cut()
    fetch()
    assert (relay.connections, fetch.calls) == (2, 2)


@pytest.mark.parametrize("idle", [timedelta(minutes=1), timedelta(minutes=-1)], ids=["slept", "clock set back"])
def test_a_connection_that_died_while_nobody_used_it_is_not_asked(here: Place, relay: Relay, idle: timedelta) -> None:
    """A machine that slept, a firewall that forgot: nothing tells, and a request would wait for an answer until it gives up."""
    fetch = Fetching(here, relay.url)
    fetch()
    relay.kill()
    fetch.now += idle
    fetch()
    assert (relay.connections, fetch.calls) == (2, 2)


def test_a_lab_that_is_started_anew_is_asked_once(here: Place) -> None:
    fetch = Fetching(here, here.lab.url)
    fetch()
    port = here.lab.port
    here.lab.stop()
    with pytest.raises(RefreshFailed) as failure:
        fetch()
    assert failure.value.retryable
    with Lab(port=port) as again:
        again.state.keys.update(here.lab.state.keys)
        fetch()
        assert again.count("sts", "AssumeRole") == 1


@pytest.mark.parametrize("mode", ["refuse", "503", "truncate", "garbage", "empty"])
def test_an_outage_costs_one_call_on_a_connection_that_was_there(here: Place, relay: Relay, mode: str) -> None:
    fetch = Fetching(here, relay.url)
    fetch()
    here.lab.outage("sts", mode, seconds=60)  # type: ignore[arg-type]
    with pytest.raises(RefreshFailed):
        fetch()
    assert fetch.calls == 2
    here.lab.clear_outages()
    fetch()
    assert fetch.calls == 3


def test_an_endpoint_that_was_changed_is_asked_from_then_on(here: Place, relay: Relay) -> None:
    fetch = Fetching(here, here.lab.url)
    fetch()
    fetch(AWS_ENDPOINT_URL_STS=relay.url)
    assert relay.connections == 1
    fetch()
    assert (relay.connections, fetch.calls) == (1, 3)


def test_a_proxy_that_was_set_is_used_from_then_on(here: Place, relay: Relay) -> None:
    """To a proxy an HTTP request goes with its whole URL, which the lab takes as well."""
    fetch = Fetching(here, here.lab.url)
    fetch()
    fetch(HTTP_PROXY=relay.url, NO_PROXY="", no_proxy="")
    assert relay.connections == 1


def test_certificates_that_take_the_place_of_others_count_at_once(here: Place, tmp_path: Path) -> None:
    right, wrong = _authority(tmp_path / "right"), _authority(tmp_path / "wrong")
    bundle = tmp_path / "bundle.pem"
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(right, right.with_suffix(".key"))
    with Relay(here.lab.url, tls) as relay:
        fetch = Fetching(here, relay.url)
        _put(bundle, right.read_bytes())
        fetch(AWS_CA_BUNDLE=str(bundle))
        _put(bundle, wrong.read_bytes())
        with pytest.raises(RefreshFailed, match="certificate"):
            fetch(AWS_CA_BUNDLE=str(bundle))
        _put(bundle, right.read_bytes())
        fetch(AWS_CA_BUNDLE=str(bundle))
    assert fetch.calls == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_fetches_over_a_connection_of_its_own(here: Place, relay: Relay) -> None:
    fetch = Fetching(here, relay.url)
    fetch()
    near, far = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=lambda: far.send([fetch(), fetch()]))
    child.start()
    assert near.poll(60), "the child waits for a thread that it does not have"
    theirs = near.recv()
    child.join()
    ours = fetch()
    assert len({*theirs, ours}) == 3
    assert relay.connections == 2
    assert here.lab.count("sts", "AssumeRole", outcome="ok") == 4


def test_no_session_is_signed_for_with_the_keys_of_another(here: Place) -> None:
    """Two sources, one of them with a token, and 200 roles that each trust one of them only, all at once and in any order."""
    lab = here.lab
    session = lab.issue_session("Deploy", name="second")
    sources = {"first": lab.user_credentials, "second": session}
    here.credentials("second", session)
    here.credentials("first", lab.user_credentials)
    roles = [(f"{source}-{number:03}", source) for number in range(100) for source in sources]
    arns = {name: str(aws.caller_identity(here.environment(), keys).arn) for name, keys in sources.items()}
    for name, source in roles:
        arn = lab.set_role(name, principals=[arns[source]])
        here.config(f"[profile {name}]\nrole_arn = {arn}\nsource_profile = {source}\nrole_session_name = {name}\n")
    shared = here.environment()
    shared.settings()

    def fetch(role: tuple[str, str]) -> tuple[str, str | None]:
        environment: Environment = shared.anew()
        given = provider_for(environment, profile=role[0]).fetch()
        return role[0], aws.caller_identity(environment, given).arn

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(fetch, roles * 2))
    assert [name for name, arn in found if arn is None or not arn.endswith(f":assumed-role/{name}/{name}")] == []
    assert lab.requests(service="sts", outcome="error") == []
    for keys in sources.values():
        assert lab.count("sts", "AssumeRole", keys.access_key_id, "ok") == 200


def test_no_key_stays_in_a_client_that_waits_for_the_next_call(here: Place) -> None:
    given = provider_for(here.environment(), profile="role").fetch()
    signed_with = provider_for(here.environment(), profile="static").fetch()
    aws.caller_identity(here.environment(), given)
    kept = [each for each in gc.get_objects() if isinstance(each, botocore.credentials.Credentials)]
    assert ("", "", None) in {(each.access_key, each.secret_key, each.token) for each in kept}
    assert not {each.secret_key for each in kept} & {given.secret_access_key, signed_with.secret_access_key}


def _put(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)


def _authority(path: Path) -> Path:
    """A certificate for loopback that signs itself, and its key beside it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lab")]),
    )
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = path.with_suffix(".pem")
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem = serialization.PrivateFormat.PKCS8
    file.with_suffix(".key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, pem, serialization.NoEncryption())
    )
    return file
