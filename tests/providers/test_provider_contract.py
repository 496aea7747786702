"""The contract that every provider keeps, against the lab: what it is, what it gives, how it fails, what it never tells."""

from __future__ import annotations

import re

import pytest
from provider_kinds import EVERY_KIND, WITH_SERVICE, Kind, Place

from unexpire.credentials import KeyKind
from unexpire.errors import RefreshFailed
from unexpire.findings import CODES
from unexpire.providers import aws
from unexpire.providers.base import Provider


@pytest.mark.parametrize("kind", EVERY_KIND)
class TestEveryProvider:
    def test_it_is_what_it_promises_to_be(self, here: Place, kind: Kind) -> None:
        provider = kind.make(here)
        assert isinstance(provider, Provider)
        assert (provider.method, provider.renewable, provider.interactive) == (
            kind.method,
            kind.renewable,
            kind.interactive,
        )
        assert here.lab.requests() == [], "nothing is asked before fetch"

    def test_it_gives_credentials_that_aws_accepts(self, here: Place, kind: Kind) -> None:
        given = kind.make(here).fetch()
        identity = aws.caller_identity(here.environment(), given)
        assert identity.error is None
        assert identity.account == here.lab.account
        assert here.lab.count(outcome="expired") == 0

    def test_a_session_has_its_beginning_and_its_end(self, here: Place, kind: Kind) -> None:
        given = kind.make(here).fetch()
        if kind.renewable or kind.interactive:
            assert given.kind is KeyKind.TEMPORARY
            assert given.session_token
            assert given.expiration is not None
            assert given.issued_at is not None
            assert given.issued_at < given.expiration
            assert given.expiration.microsecond == 0
            assert given.account in (here.lab.account, None)

    def test_its_name_is_stable_and_safe_and_its_own(self, here: Place, kind: Kind) -> None:
        provider = kind.make(here)
        before = provider.identity
        provider.fetch()
        assert provider.identity == before
        assert re.fullmatch(r"[a-z0-9-]{8,80}", before)

    def test_nothing_secret_shows(self, here: Place, kind: Kind) -> None:
        provider = kind.make(here)
        given = provider.fetch()
        shown = repr(provider) + repr(given) + provider.describe() + provider.identity
        assert not [secret for secret in here.lab.secrets() if secret in shown]
        assert 5 < len(provider.describe()) < 160

    def test_fetching_it_again_later_gives_a_later_end(self, here: Place, kind: Kind) -> None:
        provider = kind.make(here)
        first = provider.fetch()
        if kind.name == "login":
            return  # its cache is a file: what the lab ages is not in it
        of_metadata = kind.method in ("iam-role", "container-role")
        here.lab.age(355 * 60 if of_metadata else 55 * 60)  # just before the end: theirs last six hours
        if not kind.renewable and not kind.interactive:
            assert provider.fetch() == first
            return
        second = provider.fetch()
        assert second.access_key_id != first.access_key_id
        assert second.expiration is not None
        assert first.expiration is not None
        assert second.expiration >= first.expiration


@pytest.mark.parametrize(
    "mode", ["refuse", "500", "503", "throttle", "truncate", "html", "garbage", "empty", "redirect"]
)
@pytest.mark.parametrize("kind", WITH_SERVICE)
def test_an_outage_is_a_failure_with_a_reason_and_nothing_else(here: Place, kind: Kind, mode: str) -> None:
    provider = kind.make(here)
    here.lab.outage(kind.service or "", mode)  # type: ignore[arg-type]
    with pytest.raises(RefreshFailed) as caught:
        provider.fetch()
    assert caught.value.finding in CODES
    shown = f"{caught.value} {caught.value.hint}"
    assert not [secret for secret in here.lab.secrets() if secret in shown]
    if mode in ("refuse", "500", "503", "throttle"):
        assert caught.value.retryable
    here.lab.clear_outages()
    assert provider.fetch().access_key_id


def test_identities_differ_where_requests_do(here: Place) -> None:
    names = (
        "role",
        "chained",
        "mfa",
        "external",
        "web-identity",
        "sso",
        "sso-legacy",
        "process",
        "imds",
        "copy",
        "static",
    )
    identities = [here.provider(name).identity for name in names]
    assert len(set(identities)) == len(names)
    assert here.provider("role").identity == here.provider("role").identity
    assert here.provider("role").identity != here.provider("role", AWS_ENDPOINT_URL_STS="http://127.0.0.1:1").identity
