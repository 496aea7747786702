"""Identities: who may become whom, for how long, and in which words STS refuses."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from labwire import ask, client, send

from unexpire.credentials import Credentials, account_id_of_key
from unexpire.lab import Lab

Sts = Callable[..., Any]


@pytest.fixture
def sts(lab: Lab) -> Iterator[Sts]:
    opened = []

    def make(keys: Credentials | None = None) -> Any:
        made = client(lab, "sts", keys, parameter_validation=False)
        opened.append(made)
        return made

    yield make
    for made in opened:
        made.close()


def keys_of(answer: dict[str, Any]) -> Credentials:
    found = answer["Credentials"]
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"], found["Expiration"])


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


def assume(client: Any, lab: Lab, role: str, **more: Any) -> Credentials:
    return keys_of(client.assume_role(RoleArn=lab.role_arn(role), RoleSessionName="test", **more))


def left(keys: Credentials) -> float:
    assert keys.expiration is not None
    return (keys.expiration - datetime.now(UTC)).total_seconds()


def test_a_role_is_assumed_and_says_who_it_is(lab: Lab, sts: Sts) -> None:
    keys = assume(sts(), lab, "Deploy")
    identity = sts(keys).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{lab.account}:assumed-role/Deploy/test"
    assert identity["Account"] == lab.account == account_id_of_key(keys.access_key_id)
    assert keys.access_key_id.startswith("ASIA")
    assert lab.user_credentials.access_key_id.startswith("AKIA")
    assert 3590 < left(keys) <= 3600
    assert sts().get_caller_identity()["Arn"] == lab.user.user.arn


def test_who_is_not_trusted_is_denied(lab: Lab, sts: Sts) -> None:
    denied = f"User: {lab.user.user.arn} is not authorized to perform: sts:AssumeRole on resource: "
    for arn, more in (
        (lab.role_arn("Forbidden"), {}),
        (lab.role_arn("Chained"), {}),
        (lab.role_arn("Secure"), {}),
        (lab.role_arn("Partner"), {}),
        (lab.role_arn("Partner"), {"ExternalId": "another"}),
        (f"arn:aws:iam::{lab.account}:role/DoesNotExist", {}),
    ):
        assert refusal(sts().assume_role, RoleArn=arn, RoleSessionName="test", **more) == (
            403,
            "AccessDenied",
            denied + arn,
        )
    assert assume(sts(), lab, "Partner", ExternalId="partner-42")


def test_mfa(lab: Lab, sts: Sts) -> None:
    right = {"SerialNumber": lab.mfa_serial, "TokenCode": "123456"}
    assert assume(sts(), lab, "Secure", **right)
    assert assume(sts(), lab, "Secure", **{**right, "TokenCode": lab.mfa_code()})
    failed = "MultiFactorAuthentication failed"
    arguments = {"RoleArn": lab.role_arn("Secure"), "RoleSessionName": "test"}
    _, code, words = refusal(sts().assume_role, **arguments, **{**right, "TokenCode": "000000"})
    assert (code, words.strip()) == ("AccessDenied", f"{failed} with invalid MFA one time pass code.")
    _, _, words = refusal(sts().assume_role, **arguments, TokenCode="123456")
    assert words == f"{failed}, must provide both MFA serial number and one time pass code."
    session = keys_of(sts().get_session_token(**right))
    assert assume(sts(session), lab, "Secure"), "a session with MFA carries it on"


def test_chaining_is_capped_at_an_hour(lab: Lab, sts: Sts) -> None:
    words = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
    first = assume(sts(), lab, "Deploy")
    assert assume(sts(first), lab, "Chained")
    arguments = {"RoleArn": lab.role_arn("Deep"), "RoleSessionName": "test", "DurationSeconds": 7200}
    assert 7190 < left(keys_of(sts().assume_role(**arguments))) <= 7200
    for source in (first, keys_of(sts().get_session_token())):
        assert refusal(sts(source).assume_role, **arguments) == (400, "ValidationError", words)


def test_durations(lab: Lab, sts: Sts) -> None:
    arguments = {"RoleArn": lab.role_arn("Deploy"), "RoleSessionName": "test"}
    over_role = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    assert refusal(sts().assume_role, **arguments, DurationSeconds=3601) == (400, "ValidationError", over_role)
    template = (
        "1 validation error detected: Value '{}' at 'durationSeconds' failed to satisfy constraint: "
        "Member must have value {}"
    )
    for seconds, words in ((899, "greater than or equal to 900"), (43201, "less than or equal to 43200")):
        _, code, said = refusal(sts().assume_role, **arguments, DurationSeconds=seconds)
        assert (code, said) == ("ValidationError", template.format(seconds, words))
    lab.set_role("Deploy", max_session_s=7200)
    assert 7190 < left(assume(sts(), lab, "Deploy", DurationSeconds=7200)) <= 7200


def test_a_lifetime_below_aws_s_minimum() -> None:
    with Lab(lifetime=timedelta(seconds=20)) as lab:
        sts = client(lab, "sts")
        for more in ({}, {"DurationSeconds": 900}, {"DurationSeconds": 3600}):
            keys = assume(sts, lab, "Deploy", **more)
            assert 17 < left(keys) <= 20
        sts.close()


def test_sessions_may_not_ask_for_sessions(lab: Lab, sts: Sts) -> None:
    role = sts(assume(sts(), lab, "Deploy"))
    assert refusal(role.get_session_token) == (
        403,
        "AccessDenied",
        "Cannot call GetSessionToken with session credentials",
    )
    words = "Cannot call GetFederationToken with session credentials"
    assert refusal(role.get_federation_token, Name="bob") == (403, "AccessDenied", words)
    federated = keys_of(sts().get_federation_token(Name="bob"))
    assert sts(federated).get_caller_identity()["Arn"] == f"arn:aws:sts::{lab.account}:federated-user/bob"
    assert (
        refusal(sts(federated).assume_role, RoleArn=lab.role_arn("Deploy"), RoleSessionName="ab")[1] == "AccessDenied"
    )


def test_malformed_arguments(lab: Lab, sts: Sts) -> None:
    arn = lab.role_arn("Deploy")
    for arguments, words in (
        ({"RoleArn": "arn", "RoleSessionName": "ab"}, "Member must have length greater than or equal to 20"),
        ({"RoleArn": f"arn:aws:iam::{lab.account}:user/alice", "RoleSessionName": "ab"}, "is invalid"),
        ({"RoleArn": arn, "RoleSessionName": "a b"}, "Member must satisfy regular expression pattern"),
    ):
        status, code, said = refusal(sts().assume_role, **arguments)
        assert (status, code) == (400, "ValidationError")
        assert words in said


def test_web_identity(lab: Lab, sts: Sts) -> None:
    call = sts().assume_role_with_web_identity
    arguments = {"RoleArn": lab.role_arn("Web"), "RoleSessionName": "pod"}
    answer = call(**arguments, WebIdentityToken=lab.web_identity_token())
    assert sts(keys_of(answer)).get_caller_identity()["Arn"].endswith("assumed-role/Web/pod")
    assert answer["SubjectFromWebIdentityToken"] == "system:serviceaccount:default:web"

    status, code, words = refusal(call, **arguments, WebIdentityToken=lab.web_identity_token(seconds=-100))
    now, _, end = words.removeprefix("Token expired: current date/time ").partition(
        " must be before the expiration date/time"
    )
    assert (status, code) == (400, "ExpiredTokenException")
    assert 100 <= int(now) - int(end) <= 110

    status, code, words = refusal(call, **arguments, WebIdentityToken=lab.web_identity_token(audience="elsewhere"))
    assert (status, code, words) == (400, "InvalidIdentityToken", "Incorrect token audience")
    other = {**arguments, "RoleArn": lab.role_arn("Deploy")}
    words = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
    assert refusal(call, **other, WebIdentityToken=lab.web_identity_token()) == (403, "AccessDenied", words)
    head, payload, signature = lab.web_identity_token().split(".")
    _, code, words = refusal(call, **arguments, WebIdentityToken=f"{head}.{payload}.{signature[::-1]}")
    assert (code, words) == ("InvalidIdentityToken", "The web identity token provided could not be validated")
    with Lab() as stranger:
        _, code, words = refusal(call, **arguments, WebIdentityToken=stranger.web_identity_token())
    assert (code, words) == (
        "InvalidIdentityToken",
        f"No OpenIDConnect provider found in your account for {stranger.url}/_issuer",
    )


def test_a_token_file_is_rotated_before_its_token_ends(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "run" / "token"
    lab.write_web_identity_token(file, seconds=1000, rotate=True)
    first = file.read_text()
    lab.advance(700)
    assert lab.rotate_due()
    assert file.read_text() == first
    lab.advance(101)
    assert lab.rotate_due()
    assert file.read_text() != first
    assert file.stat().st_mode & 0o777 == 0o600
    lab.stop_rotation()
    assert not lab.rotate_due()


def test_the_issuer_publishes_the_key_that_signs(lab: Lab) -> None:
    found = json.loads(send(f"{lab.url}/_issuer/.well-known/openid-configuration").body)
    assert found["issuer"] == f"{lab.url}/_issuer"
    (key,) = json.loads(send(found["jwks_uri"]).body)["keys"]
    assert (key["kty"], key["alg"], len(key["n"])) == ("RSA", "RS256", 342)


def test_roles_and_keys_made_through_iam_are_real(lab: Lab, sts: Sts) -> None:
    iam = client(lab, "iam")
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": lab.user.user.arn}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    arn = iam.create_role(RoleName="Made", AssumeRolePolicyDocument=policy, MaxSessionDuration=7200)["Role"]["Arn"]
    made = keys_of(sts().assume_role(RoleArn=arn, RoleSessionName="test", DurationSeconds=7200))
    assert sts(made).get_caller_identity()["Arn"].endswith("assumed-role/Made/test")
    iam.create_user(UserName="bob")
    new = iam.create_access_key(UserName="bob")["AccessKey"]
    bob = Credentials(new["AccessKeyId"], new["SecretAccessKey"])
    assert sts(bob).get_caller_identity()["Arn"].endswith("user/bob")
    assert new["SecretAccessKey"] in lab.secrets()
    iam.update_access_key(UserName="bob", AccessKeyId=bob.access_key_id, Status="Inactive")
    assert refusal(sts(bob).get_caller_identity)[1] == "InvalidClientTokenId"
    session = keys_of(sts().get_session_token())
    closed = client(lab, "iam", session)
    assert refusal(closed.list_users)[1] == "InvalidClientTokenId", "IAM is closed to sessions without MFA"
    iam.close()
    closed.close()


def test_a_stampede_is_counted_call_by_call(lab: Lab, sts: Sts) -> None:
    """Twenty threads, each its own AssumeRole and one call with what it got: the ledger has every single one."""
    shared = sts()

    def work() -> None:
        assert ask(lab, "sts", assume(shared, lab, "Deploy")).status == 200

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lab.count("sts", "AssumeRole", identity="user/alice", outcome="ok") == 20
    assert lab.count("sts", "GetCallerIdentity", identity="assumed-role/Deploy", outcome="ok") == 20
    assert lab.count() == 40
    assert lab.count(outcome="error") == 0


def test_secrets_remembers_everything_that_was_issued(lab: Lab, sts: Sts) -> None:
    keys = assume(sts(), lab, "Deploy")
    assert {keys.secret_access_key, keys.session_token, lab.user_credentials.secret_access_key} <= lab.secrets()
    assert lab.web_identity_token() in lab.secrets()
    assert not any(secret in json.dumps(lab.describe()) for secret in lab.secrets())
