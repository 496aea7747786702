"""A home folder with an AWS profile of every kind, all of them ready to use against the lab.

profile        what gives the keys
static         a user's long-term key, in the credentials file
role           role Deploy, from static
chained        role Chained, from role: role chaining
mfa            role Secure, from static, asks for an MFA code (``123456``)
external       role Partner, from static, with an external id
sso            IAM Identity Center through an sso-session, logged in, with a refresh token
sso-legacy     IAM Identity Center the old way, logged in, without one
web-identity   role Web, from a token file that the lab rotates
process        a program that prints credentials
imds           role Deploy, from the instance's role
container      role Deploy, from the task's role
login          a console sign-in (`aws login`)
copy           a static copy of a session, in the credentials file: nothing renews it
expired        such a copy that has ended
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..credentials import Credentials, format_timestamp
from .world import SSO_ROLE

if TYPE_CHECKING:
    from .lab import Lab

__all__ = ["PROFILES", "environment", "sso_login", "write"]

PROFILES = (
    "static", "role", "chained", "mfa", "external", "sso", "sso-legacy", "web-identity", "process", "imds", "container", "login",
    "copy", "expired",
)  # fmt: skip
REGION = "us-east-1"

_PROCESS = '''\
"""A credential_process: asks the lab for a session and prints it as SDKs want it."""
import json
import sys
import urllib.request

url, role, lasts = sys.argv[1], sys.argv[2], None
request = urllib.request.Request(url + "/_lab/issue_session", json.dumps({"role": role, "name": "process"}).encode())
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
with opener.open(request, timeout=10) as answer:
    found = json.load(answer)["result"]
print(json.dumps({"Version": 1, **found}))
'''


def environment(lab: Lab, home: Path | None, *, imds: bool, container: bool) -> dict[str, str]:
    variables = {
        "AWS_ENDPOINT_URL": lab.url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
    if home is not None:
        variables |= {
            "HOME": str(home),
            "USERPROFILE": str(home),
            "AWS_CONFIG_FILE": str(home / ".aws" / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws" / "credentials"),
        }
    if imds:
        variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = lab.url
    else:
        variables["AWS_EC2_METADATA_DISABLED"] = "true"
    if container:
        variables |= {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": lab.container_url,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": lab.container_token,
        }
    return variables


def write(lab: Lab, home: Path) -> None:
    """Everything that the profiles of this module need, below `home`."""
    aws = home / ".aws"
    aws.mkdir(parents=True, exist_ok=True, mode=0o700)
    token_file = aws / "web-identity-token"
    script = aws / "process.py"
    script.write_text(_PROCESS)
    lab.write_web_identity_token(token_file, rotate=True)
    _private(aws / "credentials", _credentials_text(lab))
    (aws / "config").write_text(_config_text(lab, token_file, script))
    sso_login(lab, home, "lab")
    sso_login(lab, home, "lab", legacy=True)
    _login(lab, home)


def _credentials_text(lab: Lab) -> str:
    sections = {
        "static": lab.user_credentials,
        "copy": lab.issue_session("Deploy", name="copied"),
        "expired": lab.issue_session("Deploy", name="copied", seconds=-14 * 60),
    }
    return "\n".join(_section(name, keys) for name, keys in sections.items())


def _section(name: str, keys: Credentials) -> str:
    lines = [
        f"[{name}]",
        f"aws_access_key_id = {keys.access_key_id}",
        f"aws_secret_access_key = {keys.secret_access_key}",
    ]
    if keys.session_token:
        lines.append(f"aws_session_token = {keys.session_token}")
    return "\n".join(lines) + "\n"


def _config_text(lab: Lab, token_file: Path, script: Path) -> str:
    quote = shlex.quote if os.name != "nt" else '"{}"'.format
    process = " ".join(quote(str(part)) for part in (sys.executable, script, lab.url, "Deploy"))
    sso = {"sso_account_id": lab.account, "sso_role_name": SSO_ROLE}
    profiles: dict[str, dict[str, str]] = {
        "profile static": {},
        "profile role": {
            "role_arn": lab.role_arn("Deploy"),
            "source_profile": "static",
            "role_session_name": "lab-role",
        },
        "profile chained": {"role_arn": lab.role_arn("Chained"), "source_profile": "role"},
        "profile mfa": {"role_arn": lab.role_arn("Secure"), "source_profile": "static", "mfa_serial": lab.mfa_serial},
        "profile external": {
            "role_arn": lab.role_arn("Partner"),
            "source_profile": "static",
            "external_id": "partner-42",
        },
        "profile sso": {"sso_session": "lab", **sso},
        "profile sso-legacy": {"sso_start_url": lab.start_url, "sso_region": REGION, **sso},
        "profile web-identity": {"role_arn": lab.role_arn("Web"), "web_identity_token_file": str(token_file)},
        "profile process": {"credential_process": process},
        "profile imds": {"role_arn": lab.role_arn("Deploy"), "credential_source": "Ec2InstanceMetadata"},
        "profile container": {"role_arn": lab.role_arn("Deploy"), "credential_source": "EcsContainer"},
        "profile login": {"login_session": lab.login_session},
        "profile copy": {},
        "profile expired": {},
    }
    texts = ["[default]\nregion = " + REGION + "\n"]
    for section, settings in profiles.items():
        lines = [f"{name} = {value}" for name, value in {"region": REGION, **settings}.items()]
        texts.append(f"[{section}]\n" + "\n".join(lines) + "\n")
    texts.append(
        f"[sso-session lab]\nsso_start_url = {lab.start_url}\nsso_region = {REGION}\n"
        "sso_registration_scopes = sso:account:access\n"
    )
    return "\n".join(texts)


def sso_login(lab: Lab, home: Path, session: str, *, legacy: bool = False) -> Path:
    """The cache file of `aws sso login`: named by the sha1 of the session's name, or of the start URL in the old form."""
    client = lab.register_sso_client()
    token = lab.issue_sso_token(client, refresh=not legacy)
    document = {
        "startUrl": lab.start_url,
        "region": REGION,
        "accessToken": token.access,
        "expiresAt": format_timestamp(token.expires_at),
    }
    if not legacy:
        document |= {
            "clientId": client.client_id,
            "clientSecret": client.secret,
            "registrationExpiresAt": format_timestamp(client.expires_at),
            "refreshToken": token.refresh or "",
        }
    name = hashlib.sha1((lab.start_url if legacy else session).encode(), usedforsecurity=False).hexdigest()
    file = home / ".aws" / "sso" / "cache" / f"{name}.json"
    _private(file, json.dumps(document))
    return file


def _login(lab: Lab, home: Path) -> None:
    name = hashlib.sha256(lab.login_session.encode()).hexdigest()
    _private(home / ".aws" / "login" / "cache" / f"{name}.json", json.dumps(lab.login_document()))


def _private(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(text)
