"""SSO through botocore's own providers: cached logins, device logins, rotating refresh tokens, the portal; and `aws login`."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from labwire import Answer, send

from unexpire.lab import Lab

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
WHO = "import botocore.session as b; print(b.Session(profile='{}').create_client('sts').get_caller_identity()['Arn'])"


def who(variables: dict[str, str], profile: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Who a program in another process is, as botocore's chain finds it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | variables
    program = [sys.executable, *more, "-c", WHO.format(profile)]
    return subprocess.run(program, env=environment, capture_output=True, text=True, timeout=60, check=False)


class Oidc:
    """The OIDC service, asked by a botocore client as the AWS CLI asks it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
        self.client = botocore.session.Session().create_client(
            "sso-oidc", "us-east-1", endpoint_url=lab.url, config=config
        )
        found = self.client.register_client(clientName="test", clientType="public")
        self.registration = {"clientId": found["clientId"], "clientSecret": found["clientSecret"]}

    def start(self) -> dict[str, Any]:
        return dict(self.client.start_device_authorization(**self.registration, startUrl=self.lab.start_url))

    def token(self, **grant: str) -> dict[str, Any]:
        return dict(self.client.create_token(**self.registration, **grant))

    def refusal(self, **grant: str) -> tuple[int, str, str]:
        with pytest.raises(ClientError) as caught:
            self.token(**grant)
        answer = caught.value.response
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["error"]


@pytest.fixture
def oidc(lab: Lab) -> Any:
    found = Oidc(lab)
    yield found
    found.client.close()


def portal(lab: Lab, path: str, token: str, **arguments: str) -> Answer:
    return send(f"{lab.url}{path}?{urlencode(arguments)}", headers={"x-amz-sso_bearer_token": token})


def test_a_device_login(lab: Lab, oidc: Oidc) -> None:
    device = oidc.start()
    grant = {"grantType": DEVICE_GRANT, "deviceCode": device["deviceCode"]}
    assert oidc.refusal(**grant) == (400, "AuthorizationPendingException", "authorization_pending")
    assert oidc.refusal(**grant) == (400, "SlowDownException", "slow_down")
    page = send(device["verificationUriComplete"])
    assert page.status == 200
    assert b"Request approved" in page.body
    token = oidc.token(**grant)
    assert token["expiresIn"] == pytest.approx(3600, abs=5)
    assert portal(lab, "/assignment/accounts", token["accessToken"]).status == 200
    assert oidc.refusal(**grant)[1] == "InvalidGrantException", "a device code works once"


def test_a_device_login_that_nobody_approves_or_somebody_denies(lab: Lab, oidc: Oidc) -> None:
    device = oidc.start()
    assert lab.approve_device(device["userCode"], deny=True) == 1
    grant = {"grantType": DEVICE_GRANT, "deviceCode": device["deviceCode"]}
    assert oidc.refusal(**grant)[1] == "AccessDeniedException"
    device = oidc.start()
    lab.age(601)
    assert oidc.refusal(grantType=DEVICE_GRANT, deviceCode=device["deviceCode"]) == (
        400, "ExpiredTokenException", "expired_token",
    )  # fmt: skip
    assert send(device["verificationUriComplete"]).status == 404


def test_logins_that_need_nobody(lab: Lab, oidc: Oidc) -> None:
    lab.set_auto_approve()
    assert oidc.token(grantType=DEVICE_GRANT, deviceCode=oidc.start()["deviceCode"])["accessToken"] in lab.secrets()


def test_refresh_tokens_rotate_and_work_once(lab: Lab, oidc: Oidc) -> None:
    lab.set_auto_approve()
    first = oidc.token(grantType=DEVICE_GRANT, deviceCode=oidc.start()["deviceCode"])
    second = oidc.token(grantType="refresh_token", refreshToken=first["refreshToken"])
    assert second["refreshToken"] != first["refreshToken"]
    invalid = (400, "InvalidGrantException", "invalid_grant")
    assert oidc.refusal(grantType="refresh_token", refreshToken=first["refreshToken"]) == invalid
    lab.revoke_sso()
    assert oidc.refusal(grantType="refresh_token", refreshToken=second["refreshToken"]) == invalid


def test_no_refresh_reaches_beyond_the_portal_session(lab: Lab, oidc: Oidc) -> None:
    lab.set_auto_approve()
    lab.set_sso_lifetimes(token_s=3600, portal_s=5400)
    first = oidc.token(grantType=DEVICE_GRANT, deviceCode=oidc.start()["deviceCode"])
    lab.age(3601)
    second = oidc.token(grantType="refresh_token", refreshToken=first["refreshToken"])
    assert second["expiresIn"] < 1800
    lab.age(1800)
    assert oidc.refusal(grantType="refresh_token", refreshToken=second["refreshToken"])[1] == "InvalidGrantException"


def test_wrong_and_lapsed_clients(lab: Lab, oidc: Oidc) -> None:
    oidc.registration["clientSecret"] += "x"
    assert oidc.refusal(grantType="refresh_token", refreshToken="x") == (
        401,
        "InvalidClientException",
        "invalid_client",
    )
    oidc.registration["clientSecret"] = oidc.registration["clientSecret"][:-1]
    assert oidc.refusal(grantType="password")[1] == "UnsupportedGrantTypeException"
    lab.expire_sso_clients()
    assert oidc.refusal(grantType="refresh_token", refreshToken="x")[1] == "InvalidClientException"


def test_an_authorization_code_with_pkce(lab: Lab, oidc: Oidc) -> None:
    verifier, back = "v" * 64, "http://127.0.0.1:1/oauth/callback"
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "client_id": oidc.registration["clientId"],
        "redirect_uri": back,
        "code_challenge": challenge,
        "state": "s",
    }
    sent = send(f"{lab.url}/authorize?{urlencode(asked)}").headers["location"]
    answer = dict(parse_qsl(urlsplit(sent).query))
    assert answer["state"] == "s"
    grant = {"grantType": "authorization_code", "code": answer["code"], "redirectUri": back}
    assert oidc.token(**grant, codeVerifier=verifier)["refreshToken"]
    assert oidc.refusal(**grant, codeVerifier=verifier)[1] == "InvalidGrantException"


def test_the_portal(lab: Lab) -> None:
    token = lab.issue_sso_token(lab.register_sso_client()).access
    accounts = json.loads(portal(lab, "/assignment/accounts", token).body)["accountList"]
    assert [entry["accountId"] for entry in accounts] == [lab.account, "210987654321"]
    roles = json.loads(portal(lab, "/assignment/roles", token, account_id=lab.account).body)["roleList"]
    assert [entry["roleName"] for entry in roles] == ["PowerUser", "ReadOnly"]
    wanted = {"account_id": lab.account, "role_name": "ReadOnly"}
    keys = json.loads(portal(lab, "/federation/credentials", token, **wanted).body)["roleCredentials"]
    assert 3500_000 < keys["expiration"] - datetime.now(UTC).timestamp() * 1000 <= 3600_000

    no_access = portal(lab, "/federation/credentials", token, account_id=lab.account, role_name="Readonly")
    assert (no_access.status, no_access.code, no_access.message) == (403, "ForbiddenException", "No access")
    lab.unassign_sso_role("ReadOnly")
    assert portal(lab, "/federation/credentials", token, **wanted).code == "ForbiddenException"
    lab.assign_sso_role("ReadOnly")
    assert portal(lab, "/federation/credentials", token, **wanted).status == 200

    assert send(f"{lab.url}/logout", "POST", headers={"x-amz-sso_bearer_token": token}).status == 200
    dead = portal(lab, "/federation/credentials", token, **wanted)
    assert (dead.status, dead.code, dead.message) == (
        401,
        "UnauthorizedException",
        "Session token not found or invalid",
    )


def test_botocore_uses_the_cached_login_and_refreshes_it(lab: Lab, tmp_path: Path) -> None:
    variables = lab.make_home(tmp_path)
    assert "AWSReservedSSO_ReadOnly" in who(variables, "sso").stdout
    (cache,) = (tmp_path / ".aws/sso/cache").glob(hashlib.sha1(b"lab").hexdigest() + ".json")
    document = json.loads(cache.read_text())
    cache.write_text(json.dumps({**document, "expiresAt": "2020-01-01T00:00:00Z"}))
    assert who(variables, "sso").returncode == 0
    assert lab.count("sso-oidc", "CreateToken", outcome="ok") == 1
    assert json.loads(cache.read_text())["refreshToken"] != document["refreshToken"]
    lab.revoke_sso()
    assert who(variables, "sso").returncode == 1
    assert lab.count("sso", "GetRoleCredentials", outcome="UnauthorizedException") == 1


def test_the_legacy_login_has_no_refresh_token(lab: Lab, tmp_path: Path) -> None:
    variables = lab.make_home(tmp_path)
    assert who(variables, "sso-legacy").returncode == 0
    name = hashlib.sha1(lab.start_url.encode()).hexdigest()
    assert "refreshToken" not in json.loads((tmp_path / f".aws/sso/cache/{name}.json").read_text())
    lab.revoke_sso()
    failed = who(variables, "sso-legacy")
    assert "The SSO session associated with this profile has expired or is otherwise invalid" in failed.stderr


def test_aws_login_refreshes_with_a_rotating_token(lab: Lab, tmp_path: Path) -> None:
    pytest.importorskip("awscrt", reason="botocore leaves the keys of `aws login` to awscrt")
    variables = lab.make_home(tmp_path)
    (cache,) = (tmp_path / ".aws/login/cache").glob("*.json")
    document = json.loads(cache.read_text())
    document["accessToken"]["expiresAt"] = "2020-01-01T00:00:00Z"
    cache.write_text(json.dumps(document))
    assert who(variables, "login").stdout.strip() == lab.user.user.arn
    assert lab.count("signin", "CreateOAuth2Token", outcome="ok") == 1
    assert json.loads(cache.read_text())["refreshToken"] != document["refreshToken"]
    cache.write_text(json.dumps(document))
    assert "reauthenticate" in who(variables, "login").stderr, "the old refresh token is spent"


def test_sign_in_wants_a_proof_of_possession(lab: Lab) -> None:
    refresh = lab.login_document()["refreshToken"]
    body = json.dumps({"clientId": "x", "grantType": "refresh_token", "refreshToken": refresh}).encode()
    answer = send(f"{lab.url}/v1/token", "POST", body, {"Content-Type": "application/json", "DPoP": "a.b.c"})
    assert (answer.status, answer.code) == (400, "ValidationException")
