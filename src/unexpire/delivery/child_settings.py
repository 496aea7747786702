"""The AWS files and variables of a wrapped command: every setting of the user's, and no credential but the endpoint.

In every SDK static keys, web identity and a profile that holds credentials win over the container endpoint. So the command reads
a config file written for it, in which the profile that unexpire serves keeps its Region, endpoints, services, CA bundle, retries
and all else, and has no credentials of its own, under its own name and as ``[default]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..providers.candidate import Prediction
from ..settings.environment import Environment
from ..settings.profile import Profile, Settings
from . import bedrock_keys

__all__ = ["CREDENTIAL_KEYS", "UNSET", "ChildFiles", "child_files", "child_variables"]

# What makes a profile a source of credentials (botocore/credentials.py; "Settings reference" of the AWS SDKs and Tools guide).
CREDENTIAL_KEYS = frozenset(
    {
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "aws_security_token",
        "aws_account_id",
        "credential_process",
        "credential_source",
        "duration_seconds",
        "external_id",
        "login_session",
        "mfa_serial",
        "role_arn",
        "role_session_name",
        "source_profile",
        "sso_account_id",
        "sso_region",
        "sso_registration_scopes",
        "sso_role_name",
        "sso_session",
        "sso_start_url",
        "web_identity_token_file",
    }
)
_SECRET_KEYS = frozenset({"aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token"})

UNSET = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_ACCOUNT_ID",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_CREDENTIAL_FILE",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)
"""Variables that hold credentials, choose a profile, or lead to another endpoint."""


@dataclass(frozen=True, slots=True)
class ChildFiles:
    """`config` is the text of the config file. The other two are hidden where they would win over the endpoint.

    dropped  other profiles, whose keys stand in the hidden credentials file: left in the config file without them they would
             silently act as the profile that is served.
    """

    config: str
    hides_credentials: bool
    hides_boto: bool
    dropped: tuple[str, ...] = ()


def child_files(environment: Environment, prediction: Prediction) -> ChildFiles:
    """What the command is to read in place of the user's two files."""
    settings = environment.settings()
    served = prediction.profile_name.value or "default"
    profiles = settings.profiles
    in_credentials = settings.credentials.sections
    hides = served in in_credentials or "default" in in_credentials
    dropped = tuple(name for name in in_credentials if name not in (served, "default")) if hides else ()
    lines = list(_sections(settings, served, set(dropped)))
    neutral = profiles.get(served) or Profile(served)
    blank = "\n".join(_body(_without_credentials(neutral)))
    names = ["default"] if served == "default" else ["default", f"profile {_quoted(served)}"]
    own = [f"[{name}]\n{blank}".rstrip() for name in names]
    methods = [each.method for each in (*prediction.shadowed, *prediction.incomplete)]
    if prediction.winner is not None:
        methods.append(prediction.winner.method)
    return ChildFiles(
        config="\n\n".join([*own, *lines]) + "\n",
        hides_credentials=hides,
        hides_boto="boto-config" in methods,
        dropped=dropped,
    )


def _sections(settings: Settings, served: str, dropped: set[str]) -> Iterator[str]:
    """Every other section of the config file, as it is; a role whose source is the served profile takes it from the endpoint."""
    ours = {id(profile.config) for name, profile in settings.profiles.items() if name in dropped | {served, "default"}}
    profiles = {id(profile.config) for profile in settings.profiles.values()}
    for header, section in settings.config.sections.items():
        if id(section) in ours:
            continue
        values = {key: value.value for key, value in section.values.items()}
        if id(section) in profiles:
            # a long-term key is never copied; a profile that needs it fails by name instead of falling through to the endpoint
            if values.keys() & _SECRET_KEYS:
                continue
            if values.get("source_profile") == served and "role_arn" in values:
                del values["source_profile"]
                values["credential_source"] = "EcsContainer"
        yield "\n".join([f"[{header}]", *_body((values, section.blocks))]).rstrip()


_Content = tuple[Mapping[str, str], Mapping[str, Mapping[str, object]]]


def _without_credentials(profile: Profile) -> _Content:
    values: dict[str, str] = {}
    blocks: dict[str, Mapping[str, object]] = {}
    for key in sorted(profile.keys() - CREDENTIAL_KEYS):
        plain, block = profile.get(key), profile.nested(key)
        if plain is not None:
            values[key] = plain.value
        elif block is not None:
            blocks[key] = block
    return values, blocks


def _body(content: _Content) -> Iterator[str]:
    values, blocks = content
    for key, value in values.items():
        yield f"{key} = " + value.replace("\n", "\n    ")
    for key, block in blocks.items():
        yield f"{key} ="
        for name, sourced in block.items():
            yield f"    {name} = {getattr(sourced, 'value', sourced)}"


def _quoted(name: str) -> str:
    import shlex

    return shlex.quote(name)


def child_variables(environment: Environment, prediction: Prediction, added: Mapping[str, str]) -> dict[str, str]:
    """The variables of the command: the user's, without `UNSET`, with the Region, with loopback off the proxy, and `added`."""
    left_out = {*UNSET, bedrock_keys.VARIABLE} if bedrock_keys.short_term(environment.variables) else UNSET
    variables = {name: value for name, value in environment.variables.items() if name not in left_out}
    region = region_of(environment, prediction)
    if region:
        variables.setdefault("AWS_REGION", region)
    if any(variables.get(name) for name in _PROXIES):
        for name in ("NO_PROXY", "no_proxy"):
            variables[name] = _with_loopback(variables.get(name) or variables.get(name.swapcase(), ""))
    else:
        variables["NO_PROXY"] = _with_loopback(variables.get("NO_PROXY", ""))
        if "no_proxy" in variables:
            variables["no_proxy"] = _with_loopback(variables["no_proxy"])
    return {**variables, **added}


_PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy")


def _with_loopback(listed: str) -> str:
    names = [name.strip() for name in listed.split(",") if name.strip()]
    if "*" in names:
        return listed
    return ",".join([*names, *(name for name in ("127.0.0.1", "localhost") if name not in names)])


def region_of(environment: Environment, prediction: Prediction) -> str | None:
    """AWS_REGION, AWS_DEFAULT_REGION, else the Region of the profile; None where nothing says."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        given = environment.variables.get(name)
        if given:
            return given
    named = prediction.profile.get("region") if prediction.profile is not None else None
    return named.value if named is not None else None
