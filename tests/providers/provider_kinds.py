"""A ready set-up of every kind of source, against a lab: for the contract that all providers keep."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from unexpire.credentials import Credentials
from unexpire.lab import Lab
from unexpire.providers.base import Provider
from unexpire.providers.resolve import RoleRequest, provider_for
from unexpire.settings.environment import Environment

POISON = {
    "AWS_ACCESS_KEY_ID": "AKIAOFTHISPROCESS000",
    "AWS_SECRET_ACCESS_KEY": "of-this-process",
    "AWS_SESSION_TOKEN": "of-this-process",
    "AWS_PROFILE": "of-this-process",
    "AWS_CONFIG_FILE": "/nowhere/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere/credentials",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
    "AWS_REGION": "nowhere-1",
    "AWS_DEFAULT_REGION": "nowhere-1",
    "AWS_CA_BUNDLE": "/nowhere/bundle.pem",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_STS_REGIONAL_ENDPOINTS": "legacy",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "of-this-process",
    "AWS_LOGIN_CACHE_DIRECTORY": "/nowhere",
    "AWS_MAX_ATTEMPTS": "nonsense",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "REQUESTS_CA_BUNDLE": "/nowhere/bundle.pem",
    "HOME": "/nowhere",
}
"""What this process's own variables say while a provider works on another environment: none of it may matter."""


class Human:
    """A prompt that answers at once, and remembers what it was asked."""

    def __init__(self, code: str = "123456") -> None:
        self.code, self.asked, self.opened = code, 0, list[str]()

    def mfa_code(self, serial: str) -> str:
        self.asked += 1
        return self.code

    def open_login(self, url: str, user_code: str | None) -> None:
        self.opened.append(url)


@dataclass(frozen=True)
class Place:
    """A home that the lab made, and ways to change the variables that go with it."""

    lab: Lab
    home: Path
    variables: Mapping[str, str]

    def environment(self, **more: str | None) -> Environment:
        changed = {**self.variables, **more}
        return Environment.of({name: value for name, value in changed.items() if value is not None}, cwd=self.home)

    def provider(self, profile: str | None, *, prompt: Human | None = None, **more: str | None) -> Provider:
        return provider_for(self.environment(**more), profile=profile, prompt=prompt)

    def config(self, text: str) -> None:
        with (self.home / ".aws" / "config").open("a") as file:
            file.write("\n" + text)

    def credentials(self, profile: str, keys: Credentials) -> None:
        with (self.home / ".aws" / "credentials").open("a") as file:
            file.write(
                f"\n[{profile}]\naws_access_key_id = {keys.access_key_id}\naws_secret_access_key = {keys.secret_access_key}\n"
            )
            if keys.session_token:
                file.write(f"aws_session_token = {keys.session_token}\n")


def place(lab: Lab, home: Path) -> Place:
    variables = {**lab.make_home(home), "PATH": os.environ["PATH"], "USER": "tester"}
    variables["AWS_METADATA_SERVICE_TIMEOUT"] = "20"  # a second is not much on a machine that runs many tests at once
    for name in ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"):
        variables.pop(name)
    return Place(lab, home, variables)


def _keys(keys: Credentials) -> dict[str, str | None]:
    return {
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_SESSION_TOKEN": keys.session_token,
    }


def container(p: Place) -> dict[str, str | None]:
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": p.lab.container_url,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": p.lab.container_token,
    }


def _config_file(p: Place) -> Provider:
    user = p.lab.user_credentials
    p.config(
        f"[profile in-config]\naws_access_key_id = {user.access_key_id}\naws_secret_access_key = {user.secret_access_key}\n"
    )
    return p.provider("in-config")


def _by_hand(p: Place) -> Provider:
    role = RoleRequest(
        p.lab.role_arn("Deploy"),
        session_name="ci-42",
        duration_s=900,
        tags={"team": "a", "stage": "b"},
        transitive_tags=("team",),
        source_identity="alice",
        policy='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
        policy_arns=("arn:aws:iam::aws:policy/ReadOnlyAccess",),
    )
    return provider_for(p.environment(**_keys(p.lab.user_credentials)), role=role)


def _chain_of_three(p: Place) -> Provider:
    arn = p.lab.set_role("Third", principals=(p.lab.role_arn("Chained"),))
    p.config(f"[profile third]\nrole_arn = {arn}\nsource_profile = chained\n")
    return p.provider("third")


def _from_environment(p: Place) -> Provider:
    p.config(f"[profile from-env]\nrole_arn = {p.lab.role_arn('Deploy')}\ncredential_source = Environment\n")
    return p.provider("from-env", **_keys(p.lab.user_credentials))


@dataclass(frozen=True)
class Kind:
    """One kind: how to make it, botocore's name of it, what it promises, and the service of the lab that it depends on."""

    name: str
    make: Callable[[Place], Provider]
    method: str
    renewable: bool = True
    interactive: bool = False
    service: str | None = "sts"
    marks: tuple[pytest.MarkDecorator, ...] = ()


_LOGIN = pytest.mark.skipif(importlib.util.find_spec("awscrt") is None, reason="`aws login` needs awscrt")

KINDS = (
    Kind("env", lambda p: p.provider(None, **_keys(p.lab.user_credentials)), "env", False, service=None),
    Kind("env-session", lambda p: p.provider(None, **_keys(p.lab.issue_session())), "env", False, service=None),
    Kind("credentials-file", lambda p: p.provider("static"), "shared-credentials-file", False, service=None),
    Kind("session-in-file", lambda p: p.provider("copy"), "shared-credentials-file", False, service=None),
    Kind("config-file", _config_file, "config-file", False, service=None),
    Kind("role", lambda p: p.provider("role"), "assume-role"),
    Kind("role-by-hand", _by_hand, "assume-role"),
    Kind("chained", lambda p: p.provider("chained"), "assume-role"),
    Kind("chain-of-three", _chain_of_three, "assume-role"),
    Kind("external-id", lambda p: p.provider("external"), "assume-role"),
    Kind("mfa", lambda p: p.provider("mfa", prompt=Human()), "assume-role", False, True),
    Kind("role-from-environment", _from_environment, "assume-role"),
    Kind("role-from-imds", lambda p: p.provider("imds"), "assume-role"),
    Kind("role-from-container", lambda p: p.provider("container", **container(p)), "assume-role"),
    Kind("web-identity", lambda p: p.provider("web-identity"), "assume-role-with-web-identity"),
    Kind("sso", lambda p: p.provider("sso"), "sso", service="sso"),
    Kind("sso-legacy", lambda p: p.provider("sso-legacy"), "sso", service="sso"),
    Kind("process", lambda p: p.provider("process"), "custom-process", service=None),
    Kind("container", lambda p: p.provider(None, **container(p)), "container-role", service="container"),
    Kind("imds", lambda p: p.provider(None), "iam-role", service="imds"),
    Kind("login", lambda p: p.provider("login"), "login", service=None, marks=(_LOGIN,)),
)

EVERY_KIND = [pytest.param(kind, id=kind.name, marks=kind.marks) for kind in KINDS]
WITH_SERVICE = [pytest.param(kind, id=kind.name, marks=kind.marks) for kind in KINDS if kind.service]
