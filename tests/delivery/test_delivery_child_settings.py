"""What a wrapped command reads: every setting, no credential but the endpoint."""

from __future__ import annotations

import os
from pathlib import Path

import botocore.session
import pytest

from unexpire.delivery.child_settings import UNSET, child_files, child_variables
from unexpire.providers.chain import predict
from unexpire.settings.environment import Environment

CREDENTIALS = """
[default]
aws_access_key_id = AKIADEFAULT000000000
aws_secret_access_key = default-secret

[base]
aws_access_key_id = AKIABASE000000000000
aws_secret_access_key = base-secret

[other]
aws_access_key_id = AKIAOTHER00000000000
aws_secret_access_key = other-secret
"""
CONFIG = """
[default]
region = eu-west-1
output = json

[profile base]
region = eu-north-1

[profile prod]
role_arn = arn:aws:iam::111122223333:role/Deploy
source_profile = base
duration_seconds = 3600
region = eu-central-1
ca_bundle = /etc/ssl/own.pem
retry_mode = adaptive
services = local
s3 =
    addressing_style = path
    max_concurrent_requests = 4

[profile onward]
role_arn = arn:aws:iam::111122223333:role/Onward
source_profile = prod

[profile sso]
sso_session = corp
sso_account_id = 111122223333
sso_role_name = Dev

[profile inline]
aws_access_key_id = AKIAINLINE0000000000
aws_secret_access_key = inline-secret

[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-west-1

[services local]
s3 =
    endpoint_url = http://127.0.0.1:9000
"""


def environment(
    tmp_path: Path, *, credentials: str = CREDENTIALS, config: str = CONFIG, **variables: str
) -> Environment:
    (tmp_path / ".aws").mkdir(exist_ok=True)
    (tmp_path / ".aws" / "config").write_text(config)
    (tmp_path / ".aws" / "credentials").write_text(credentials)
    return Environment.of({"HOME": str(tmp_path), "PATH": os.defpath, **variables})


def child_of(tmp_path: Path, environment: Environment, profile: str | None) -> dict[str, str]:
    """The variables of the command, its files written as `run` writes them."""
    prediction = predict(environment, profile)
    files = child_files(environment, prediction)
    (tmp_path / "config").write_text(files.config)
    (tmp_path / "nothing").write_text("")
    added = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/credentials",
    }
    if files.hides_credentials:
        added["AWS_SHARED_CREDENTIALS_FILE"] = str(tmp_path / "nothing")
    if files.hides_boto:
        added["BOTO_CONFIG"] = str(tmp_path / "nothing")
    return child_variables(environment, prediction, added)


def botocore_in(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, profile: str | None = None
) -> botocore.session.Session:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return botocore.session.Session(profile=profile)


def asked(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, profile: str | None = None) -> str | None:
    """Which provider of botocore's chain would be asked."""
    session = botocore_in(variables, monkeypatch, profile)
    tried = []
    for provider in session.get_component("credential_provider").providers:
        tried.append(provider.METHOD)
        if provider.METHOD == "container-role":
            return "container-role"
        if provider.METHOD != "assume-role":
            if provider.load() is not None:
                return str(provider.METHOD)
        elif "role_arn" in session.get_scoped_config():
            return "assume-role"
    return None


@pytest.mark.parametrize("profile", ["prod", "base", "sso", "inline", "default", None])
def test_botocore_asks_the_endpoint_whichever_profile_is_served(
    profile: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = child_of(tmp_path, environment(tmp_path), profile)
    assert asked(variables, monkeypatch) == "container-role"
    if profile:
        assert asked(variables, monkeypatch, profile) == "container-role", "by its own name"


def test_no_secret_and_no_long_term_key_is_copied(tmp_path: Path) -> None:
    for profile in ("prod", "base", "inline", None):
        child_of(tmp_path, environment(tmp_path), profile)
        written = (tmp_path / "config").read_text()
        assert "secret" not in written
        assert "AKIA" not in written


def test_the_settings_of_the_profile_are_those_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = child_of(tmp_path, environment(tmp_path), "prod")
    for name in (None, "prod"):
        session = botocore_in(variables, monkeypatch, name)
        assert session.get_config_variable("region") == "eu-central-1"
        assert session.get_config_variable("ca_bundle") == "/etc/ssl/own.pem"
        assert session.get_config_variable("retry_mode") == "adaptive"
        assert session.get_scoped_config()["s3"] == {"addressing_style": "path", "max_concurrent_requests": "4"}
        client = session.create_client("s3", aws_access_key_id="a", aws_secret_access_key="b", verify=False)
        assert client.meta.endpoint_url == "http://127.0.0.1:9000"
    assert variables["AWS_REGION"] == "eu-central-1"


def test_a_role_that_starts_from_the_served_profile_starts_from_the_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = child_of(tmp_path, environment(tmp_path), "prod")
    onward = botocore_in(variables, monkeypatch, "onward").get_scoped_config()
    assert onward["credential_source"] == "EcsContainer"
    assert "source_profile" not in onward


def test_another_profile_never_silently_becomes_the_served_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = child_of(tmp_path, environment(tmp_path), "prod")
    for name in ("other", "inline"):
        with pytest.raises(botocore.exceptions.ProfileNotFound):
            botocore_in(variables, monkeypatch, name).get_credentials()
    assert botocore_in(variables, monkeypatch, "sso").get_scoped_config()["sso_session"] == "corp"


def test_a_credentials_file_that_hides_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = environment(
        tmp_path, credentials="[other]\naws_access_key_id = AKIAOTHER00000000000\naws_secret_access_key = s\n"
    )
    variables = child_of(tmp_path, mine, "sso")
    assert "AWS_SHARED_CREDENTIALS_FILE" not in variables
    assert asked(variables, monkeypatch) == "container-role"
    assert asked(variables, monkeypatch, "other") == "shared-credentials-file"


def test_variables_that_hold_credentials_are_gone_and_all_others_stay(tmp_path: Path) -> None:
    given = {name: "x" for name in UNSET if "PROFILE" not in name}
    mine = environment(
        tmp_path, **given, AWS_ENDPOINT_URL="http://127.0.0.1:5", AWS_REGION="us-west-2", MY_OWN="1", AWS_PROFILE="prod"
    )
    variables = child_of(tmp_path, mine, None)
    left = {name: value for name, value in variables.items() if name in UNSET}
    assert left == {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/credentials"}
    assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:5"
    assert variables["AWS_REGION"] == "us-west-2"
    assert variables["MY_OWN"] == "1"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"NO_PROXY": "127.0.0.1,localhost"}),
        ({"NO_PROXY": "corp.example, 10.0.0.1"}, {"NO_PROXY": "corp.example,10.0.0.1,127.0.0.1,localhost"}),
        ({"NO_PROXY": "*"}, {"NO_PROXY": "*"}),
        (
            {"HTTPS_PROXY": "http://p", "no_proxy": "a"},
            {"NO_PROXY": "a,127.0.0.1,localhost", "no_proxy": "a,127.0.0.1,localhost"},
        ),
        (
            {"http_proxy": "http://p", "NO_PROXY": "b,localhost"},
            {"NO_PROXY": "b,localhost,127.0.0.1", "no_proxy": "b,localhost,127.0.0.1"},
        ),
    ],
)
def test_loopback_goes_through_no_proxy(given: dict[str, str], expected: dict[str, str], tmp_path: Path) -> None:
    variables = child_of(tmp_path, environment(tmp_path, **given), "prod")
    assert {name: variables[name] for name in ("NO_PROXY", "no_proxy") if name in variables} == expected


def test_keys_of_old_boto_files_do_not_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".boto").write_text(
        "[Credentials]\naws_access_key_id = AKIABOTO000000000000\naws_secret_access_key = s\n"
    )
    variables = child_of(tmp_path, environment(tmp_path), "prod")
    assert asked(variables, monkeypatch) == "container-role"
