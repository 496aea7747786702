"""Set-ups for the oracle test: AWS files, a few others, variables and a flag, biased towards what makes chains interesting."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

NAMES = ["default", "dev", "prod", "base", "a b", "Dev"]
_often = st.sampled_from
name = _often(NAMES[:4] * 3 + NAMES)


def _one_in(draw: st.DrawFn, number: int) -> bool:
    return draw(_often([True, *[False] * (number - 1)]))


ACCESS = st.sampled_from(["AKIAQQQQQQQQQQQQQQQQ", "ASIAQQQQQQQQQQQQQQQQ", "AKIA2", "", '"AKIA3"'])
ROLE = st.sampled_from(["arn:aws:iam::123456789012:role/R"] * 4 + ["", "nonsense"])

VALUES: dict[str, st.SearchStrategy[str]] = {
    "aws_access_key_id": ACCESS,
    "aws_secret_access_key": _often(["secret", "secret", ""]),
    "aws_session_token": _often(["token", ""]),
    "aws_security_token": _often(["older", ""]),
    "aws_account_id": st.just("123456789012"),
    "role_arn": ROLE,
    "source_profile": _often(NAMES[:4] * 2 + ["nobody", "a b"]),
    "credential_source": _often(["Environment", "EcsContainer", "Ec2InstanceMetadata", "environment", "Nonsense", ""]),
    "web_identity_token_file": _often(["token.jwt", "missing.jwt", "", "~/token.jwt"]),
    "role_session_name": _often(["me", ""]),
    "external_id": st.just("x"),
    "mfa_serial": _often(["arn:aws:iam::123456789012:mfa/me", ""]),
    "duration_seconds": _often(["3600", "abc", "1", "99999", "", "3_600"]),
    "sso_account_id": _often(["123456789012", ""]),
    "sso_role_name": _often(["Admin", ""]),
    "sso_start_url": _often(["https://p.awsapps.com/start", "https://other.example", ""]),
    "sso_region": _often(["us-east-1", "eu-west-1"]),
    "sso_session": _often(["corp", "corp", "gone", "bare", ""]),
    "login_session": _often(["arn:aws:iam::123456789012:user/me", "another", ""]),
    "credential_process": _often(["vault get dev", "x 'y z'", "x 'broken", "", "# x"]),
    "region": st.just("eu-west-1"),
    "metadata_service_timeout": _often(["2", "two", ""]),
    "metadata_service_num_attempts": _often(["2", "1.5"]),
    "ec2_metadata_service_endpoint": _often(["http://127.0.0.1:1", "nonsense", "", "http://[::1]/", "http://a_b/"]),
    "ec2_metadata_service_endpoint_mode": _often(["ipv4", "IPv6", "both", ""]),
    "imds_use_ipv6": _often(["true", "maybe"]),
    "services": st.just("local"),
}

KINDS: list[list[str]] = [
    ["aws_access_key_id", "aws_secret_access_key"],
    ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"],
    ["role_arn", "source_profile"],
    ["role_arn", "source_profile", "mfa_serial", "duration_seconds"],
    ["role_arn", "credential_source"],
    ["role_arn", "web_identity_token_file"],
    ["role_arn", "source_profile", "aws_access_key_id", "aws_secret_access_key"],
    ["sso_session", "sso_account_id", "sso_role_name"],
    ["sso_session", "sso_account_id", "sso_role_name", "sso_region"],
    ["sso_start_url", "sso_region", "sso_account_id", "sso_role_name"],
    ["credential_process"],
    ["login_session"],
    ["region"],
    [],
]


@st.composite
def profile_keys(draw: st.DrawFn, profiles: list[str]) -> dict[str, str]:
    """A kind, most often whole; then a key less, a key more, a key that became an indented block."""
    keys = list(draw(_often(KINDS)))
    if keys and _one_in(draw, 6):
        keys.remove(draw(_often(keys)))
    if _one_in(draw, 3):
        keys += draw(st.lists(_often(sorted(VALUES)), max_size=2))
    values = {key: draw(VALUES[key]) for key in keys}
    # Most values are the good first one, or else nearly every chain would fail at once.
    for key in values:
        if not _one_in(draw, 6):
            values[key] = draw(_often(profiles)) if key == "source_profile" else _GOOD.get(key, values[key])
        elif _one_in(draw, 4):
            values[key] = "\n  one = 1\n  two = 2"
    return values


_GOOD = {
    "aws_access_key_id": "AKIAQQQQQQQQQQQQQQQQ",
    "aws_secret_access_key": "secret",
    "role_arn": "arn:aws:iam::123456789012:role/R",
    "credential_process": "vault get dev",
    "sso_start_url": "https://p.awsapps.com/start",
    "sso_region": "eu-west-1",
    "sso_session": "corp",
    "login_session": "arn:aws:iam::123456789012:user/me",
    "duration_seconds": "3600",
    "web_identity_token_file": "token.jwt",
    "metadata_service_timeout": "2",
    "metadata_service_num_attempts": "2",
    "ec2_metadata_service_endpoint": "http://127.0.0.1:1",
    "ec2_metadata_service_endpoint_mode": "ipv4",
}


def _section(header: str, keys: dict[str, str], separator: str) -> str:
    return "".join([f"[{header}]\n", *(f"{key}{separator}{value}\n" for key, value in keys.items()), "\n"])


def _config_header(draw: st.DrawFn, profile: str) -> str:
    if profile == "default":
        return draw(_often(["default", "default", "default", "profile default", "DEFAULT"]))
    quoted = f'"{profile}"' if " " in profile or _one_in(draw, 5) else profile
    return draw(
        _often(
            [f"profile {quoted}"] * 12 + [f"profiles {quoted}", f"profile  {quoted}", profile, "profile", 'profile "x']
        )
    )


BREAKAGE = [
    "aws_access_key_id\n", "[profile half\n", "[default]\n", " = value\n", "[profile dev]\nregion = a\nregion = b\n",
    "[profile z]\ns3 =\n  no equals\n", "\ufeff", "[DEFAULT]\naws_access_key_id = AKIADEFAULTS\naws_secret_access_key = s\n",
    "[DEFAULT]\nregion = x\n[DEFAULT]\nREGION = y\n", "# just a comment\n", "  indented = 1\n",
]  # fmt: skip


@st.composite
def config_text(draw: st.DrawFn, profiles: list[str]) -> str:
    separator = draw(_often([" = ", "=", " : ", ": "]))
    parts = [_section(_config_header(draw, each), draw(profile_keys(profiles)), separator) for each in profiles]
    if not _one_in(draw, 6):
        keys = {"sso_start_url": "https://p.awsapps.com/start", "sso_region": "eu-west-1"}
        if _one_in(draw, 6):
            keys.pop("sso_region")
        parts.append(
            _section(
                draw(_often(["sso-session corp"] * 6 + ['sso-session "corp"', "sso-session bare"])), keys, separator
            )
        )
    return _broken(draw, "".join(parts))


@st.composite
def credentials_text(draw: st.DrawFn, profiles: list[str]) -> str:
    parts = []
    for each in profiles:
        keys = draw(profile_keys(profiles)) if _one_in(draw, 4) else draw(static_keys())
        parts.append(_section(draw(_often([each] * 9 + [f"profile {each}"])), keys, " = "))
    return _broken(draw, "".join(parts))


@st.composite
def static_keys(draw: st.DrawFn) -> dict[str, str]:
    keys = {"aws_access_key_id": draw(ACCESS), "aws_secret_access_key": "secret"}
    if draw(st.booleans()):
        keys[draw(_often(["aws_session_token", "aws_security_token"]))] = "token"
    if _one_in(draw, 5):
        keys.pop(draw(_often(sorted(keys))))
    return keys


def _broken(draw: st.DrawFn, text: str) -> str:
    if not _one_in(draw, 40):
        return text
    piece = draw(_often(BREAKAGE))
    return piece + text if draw(st.booleans()) else text + piece


VARIABLES: dict[str, st.SearchStrategy[str]] = {
    "AWS_ACCESS_KEY_ID": _often(["AKIAENVIRONMENT", "ASIAENV", ""]),
    "AWS_SECRET_ACCESS_KEY": _often(["secret"] * 5 + [""]),
    "AWS_SESSION_TOKEN": _often(["token", ""]),
    "AWS_SECURITY_TOKEN": st.just("older"),
    "AWS_CREDENTIAL_EXPIRATION": _often(
        ["2030-01-01T00:00:00Z", "2020-01-01 00:00:00 UTC", "soon", "", "20300101", "2030-13-01T00:00:00Z"]
    ),
    "AWS_PROFILE": _often([*NAMES, "dev", "dev", "", "nobody"]),
    "AWS_DEFAULT_PROFILE": _often(["dev", "default", "", "nobody"]),
    "AWS_ROLE_ARN": _often(["arn:aws:iam::123456789012:role/W", ""]),
    "AWS_WEB_IDENTITY_TOKEN_FILE": _often(["token.jwt", "token.jwt", "/nowhere", ""]),
    "AWS_ROLE_SESSION_NAME": st.just("me"),
    "AWS_CREDENTIAL_FILE": _often(["legacy", "missing", "", "half-legacy", "~/legacy", "."]),
    "BOTO_CONFIG": _often(["boto", "missing", "", "half-boto", "bad-boto"]),
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": _often(["/v2/x", "", ":80@evil.example/"]),
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": _often(
        ["http://127.0.0.1:9/x", "https://a.example/", "http://evil.example/", "", "http://[::1]:1/", "http://[::1", "http://169.254.170.23/v1"]
    ),
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": _often(["t", "t\n", ""]),
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": _often(["token.jwt", "token.jwt", "token.jwt", "missing", "two-lines", ""]),
    "AWS_EC2_METADATA_DISABLED": _often(["true", "TRUE", "false", "1", ""]),
    "AWS_CONFIG_FILE": _often(["other-config", "other-config", "$HOME/other-config", "${NOPE}config", "missing", ""]),
    "AWS_SHARED_CREDENTIALS_FILE": _often(["other-credentials", "missing", "", "/dev/null"]),
}  # fmt: skip
METADATA: dict[str, st.SearchStrategy[str]] = {
    "AWS_METADATA_SERVICE_TIMEOUT": _often(["1"] * 8 + ["x"]),
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS": _often(["1"] * 8 + [""]),
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": _often(
        ["http://127.0.0.1:1/", "http://[fd00:ec2::254]/"] * 4 + ["not a url", "http://[::1", ""]
    ),
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": _often(["ipv4", "ipv6"] * 4 + ["both"]),
    "AWS_IMDS_USE_IPV6": _often(["true", "false"]),
    "AWS_EC2_METADATA_V1_DISABLED": _often(["true", "false"]),
}
_GROUPS: list[list[str]] = [
    [], [], [],
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"],
    ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"],
    ["AWS_CREDENTIAL_FILE"], ["BOTO_CONFIG"],
    ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"],
    ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"],
    ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"],
]  # fmt: skip


LOGIN = "arn:aws:iam::123456789012:user/me"
LOGIN_FILE = hashlib.sha256(LOGIN.encode()).hexdigest() + ".json"
_ACCESS_TOKEN = {
    "accessKeyId": "ASIALOGIN",
    "secretAccessKey": "s",
    "sessionToken": "t",
    "expiresAt": "2030-01-01T00:00:00Z",
    "accountId": "123456789012",
}
_LOGIN_TOKEN = {"accessToken": _ACCESS_TOKEN, "refreshToken": "r", "dpopKey": "k", "clientId": "c"}
LOGIN_TOKENS = [
    *[json.dumps(_LOGIN_TOKEN)] * 5,
    json.dumps({**_LOGIN_TOKEN, "accessToken": {**_ACCESS_TOKEN, "expiresAt": "Jan 1 2030 10:00 UTC"}}),
    json.dumps({**_LOGIN_TOKEN, "accessToken": {**_ACCESS_TOKEN, "expiresAt": "soon"}}),
    json.dumps({**_LOGIN_TOKEN, "accessToken": {}}),
    json.dumps({"accessToken": _ACCESS_TOKEN}),
    "[]",
    '{"accessToken": {"acc',
    None,
]


@dataclass(frozen=True)
class Setup:
    config: str | None
    credentials: str | None
    variables: dict[str, str]
    profile: str | None
    dot_boto: bool
    login_token: str | None = None

    def place(self, home: Path) -> dict[str, str]:
        """Write the files below `home`, which is also the working folder; return the variables."""
        aws = home / ".aws"
        (aws / "login" / "cache").mkdir(exist_ok=True, parents=True)
        for path, text in (
            (aws / "config", self.config),
            (aws / "credentials", self.credentials),
            (home / "other-config", self.config),
            (home / "other-credentials", self.credentials),
            (aws / "login" / "cache" / LOGIN_FILE, self.login_token),
            (home / ".boto", FIXED["boto"] if self.dot_boto else None),
        ):
            if text is None:
                path.unlink(missing_ok=True)
            else:
                path.write_text(text, encoding="utf-8")
        return {"HOME": str(home), **self.variables}


FIXED = {
    "legacy": "AWSAccessKeyId=AKIALEGACY\nAWSSecretKey=secret\n",
    "half-legacy": "AWSAccessKeyId=AKIALEGACY\nnoise\n",
    "boto": "[Credentials]\naws_access_key_id = AKIABOTO\naws_secret_access_key = s\n",
    "half-boto": "[Credentials]\naws_access_key_id = AKIABOTO\n",
    "bad-boto": "[Credentials\n",
    "token.jwt": "e30.e30.e30",
    "two-lines": "one\ntwo\n",
}


@st.composite
def setups(draw: st.DrawFn) -> Setup:
    names = set(draw(_often(_GROUPS))) | set(draw(_often(_GROUPS)))
    if _one_in(draw, 3):
        names |= set(draw(st.lists(_often(sorted(VARIABLES)), max_size=3)))
    if _one_in(draw, 2):
        names.add("AWS_PROFILE")
        if _one_in(draw, 6):
            names.add("AWS_DEFAULT_PROFILE")
    variables = {each: draw(VARIABLES[each]) for each in sorted(names)}
    if draw(st.booleans()):
        variables["AWS_EC2_METADATA_DISABLED"] = "true"
    metadata = draw(_often(range(20)))
    if metadata == 0:
        variables |= {each: draw(values) for each, values in METADATA.items()}
        if _one_in(draw, 2):
            variables.pop(draw(_often(["AWS_IMDS_USE_IPV6", *METADATA])))
    elif metadata < 3:
        one = draw(_often(sorted(METADATA)))
        variables[one] = draw(METADATA[one])
    profiles = draw(st.lists(name, unique=True, min_size=1, max_size=4))
    for variable in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        if variable in variables and not _one_in(draw, 25):
            variables[variable] = draw(_often(profiles))
    flag = draw(_often([*profiles * 8, "nobody", ""])) if _one_in(draw, 3) else None
    halves = draw(st.lists(_often(profiles), unique=True))
    config = None if _one_in(draw, 12) else draw(config_text(profiles))
    credentials = None if _one_in(draw, 3) else draw(credentials_text(halves))
    return Setup(config, credentials, variables, flag, _one_in(draw, 10), draw(_often(LOGIN_TOKENS)))
