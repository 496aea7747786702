"""What is read of boto3's and botocore's inside, and the public doors that are used: this fails when one of them goes away.

Where it does, `unexpire.delivery.renewing` and `unexpire.delivery.travelling` name the place to change.
"""

from __future__ import annotations

import boto3
import botocore.session
import pytest
from botocore.credentials import CredentialProvider, Credentials, ReadOnlyCredentials

import unexpire
from unexpire.delivery import renewing


class TestInternals:
    def test_a_boto3_session_holds_its_botocore_session(self) -> None:
        inner = botocore.session.Session()
        assert boto3.Session(botocore_session=inner)._session is inner

    def test_a_botocore_session_holds_what_it_loaded(self) -> None:
        session = botocore.session.Session()
        assert session._credentials is None  # type: ignore[attr-defined]
        session.set_credentials("AKIA", "secret")
        assert session._credentials is session.get_credentials()  # type: ignore[attr-defined]

    def test_without_it_the_error_says_what_to_do(self) -> None:
        session = botocore.session.Session()
        del session._credentials  # type: ignore[attr-defined]
        with pytest.raises(unexpire.ConfigurationError, match="does not show"):
            renewing.loaded(session)


class TestDoors:
    def test_the_chain_is_a_list_that_takes_a_provider_first(self) -> None:
        session = botocore.session.Session()
        resolver = session.get_component("credential_provider")
        held = Credentials("AKIA", "secret")

        class First(CredentialProvider):
            METHOD = "first"

            def load(self) -> Credentials:
                return held

        resolver.providers.insert(0, First())
        assert session.get_credentials() is held

    def test_a_frozen_set_has_an_account(self) -> None:
        assert ReadOnlyCredentials._fields == ("access_key", "secret_key", "token", "account_id")

    def test_handlers_come_in_the_order_that_is_relied_on(self) -> None:
        """Ours of the general name run behind botocore's own of the specific one: the signer, the retry handler."""
        events = botocore.session.Session().get_component("event_emitter")
        order: list[str] = []
        events.register_last("request-created", lambda **_: order.append("ours"))
        events.register("request-created.sts", lambda **_: order.append("signer"))
        events.emit("request-created.sts.GetCallerIdentity", request=_Request(), operation_name="GetCallerIdentity")
        assert order == ["signer", "ours"]

    def test_explicit_keys_are_called_explicit(self) -> None:
        session = botocore.session.Session()
        session.set_credentials("AKIA", "secret")
        credentials = session.get_credentials()
        assert credentials is not None
        assert credentials.method == "explicit"


class _Request:
    headers: dict[str, str] = {}  # noqa: RUF012
    context: dict[str, object] = {"client_config": None, "retries": {}}  # noqa: RUF012
