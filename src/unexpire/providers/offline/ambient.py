"""Recognises the sources that belong to no profile: the environment's keys, two files of older tools, the two metadata services."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from ...credentials import shown_key
from ...errors import ConfigurationError, UnexpireError
from ...settings.environment import Environment, unreadable
from ...settings.files import Origin, Sourced, read_aws_file
from ..candidate import Candidate, Standing
from ..timestamps import NoZone, zoned_timestamp

__all__ = [
    "boto_config",
    "container",
    "ec2_credentials_file",
    "environment_keys",
    "instance_metadata",
    "is_endpoint",
    "refused",
]

TOKEN_VARIABLES = ("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")
"""In botocore's order: the older spelling wins (botocore/credentials.py, `EnvProvider.TOKENS`)."""


def refused(candidate: Candidate, problem: UnexpireError, standing: Standing = Standing.FATAL) -> Candidate:
    """The same source with what is wrong with it."""
    return replace(candidate, problem=problem, standing=standing)


def environment_keys(environment: Environment) -> Candidate | None:
    """AWS_ACCESS_KEY_ID and the variables that go with it; empty ones count as not set."""
    key = _set(environment, "AWS_ACCESS_KEY_ID")
    secret = _set(environment, "AWS_SECRET_ACCESS_KEY")
    token = next(filter(None, (_set(environment, name) for name in TOKEN_VARIABLES)), None)
    first = key or secret or token
    if first is None:
        return None
    named = {"aws_access_key_id": key, "aws_secret_access_key": secret, "aws_session_token": token}
    settings = {name: found for name, found in named.items() if found is not None}
    candidate = Candidate(
        "env",
        None,
        first.origin,
        "a session's keys in the environment" if token else "keys in the environment",
        access_key_id=shown_key(key.value) if key else None,
        has_token=token is not None,
        settings=settings,
    )
    if key is None or secret is None:
        missing = "AWS_SECRET_ACCESS_KEY" if key else "AWS_ACCESS_KEY_ID"
        problem = ConfigurationError(
            f"{missing} is not set, and {first.origin} is",
            where=str(first.origin),
            hint=f"export {missing}=…, or unset {' '.join(str(found.origin) for found in settings.values())}",
            finding="partial-credentials",
        )
        return refused(candidate, problem, Standing.FATAL if key else Standing.SKIPPED)
    return _with_expiration(candidate, environment)


def _set(environment: Environment, name: str) -> Sourced[str] | None:
    found = environment.get(name)
    return found if found is not None and found.value else None


def _unusable_end(how: str, stated: Sourced[str]) -> ConfigurationError:
    return ConfigurationError(
        f"AWS_CREDENTIAL_EXPIRATION {how}: SDKs fail over it",
        where=str(stated.origin),
        hint="unset AWS_CREDENTIAL_EXPIRATION",
    )


def _with_expiration(candidate: Candidate, environment: Environment) -> Candidate:
    stated = _set(environment, "AWS_CREDENTIAL_EXPIRATION")
    if stated is None:
        return candidate
    try:
        end = zoned_timestamp(stated.value)
    except NoZone:  # botocore reads it, and fails when it compares it with now
        return replace(candidate, problem=_unusable_end("has no time zone", stated))
    except (ValueError, OverflowError):
        return refused(candidate, _unusable_end("is not a time", stated))
    return replace(candidate, expiration=end, expiration_known_from="AWS_CREDENTIAL_EXPIRATION")


def ec2_credentials_file(environment: Environment) -> Candidate | None:
    """AWS_CREDENTIAL_FILE of the first EC2 tools: a file that cannot be read ends the chain."""
    named = environment.get("AWS_CREDENTIAL_FILE")
    if named is None:
        return None
    path = environment.expand(named.value, variables=False)
    origin = environment.origin_of(path)
    candidate = Candidate("ec2-credentials-file", None, named.origin, f"keys in {origin} (AWS_CREDENTIAL_FILE)")
    try:
        lines = environment.read_bytes(path).decode().splitlines()
    except OSError as error:
        return refused(candidate, unreadable("the file that AWS_CREDENTIAL_FILE names", error, origin))
    except UnicodeDecodeError:
        return refused(
            candidate, ConfigurationError("the file is not UTF-8", where=str(origin), hint="unset AWS_CREDENTIAL_FILE")
        )
    found: dict[str, Sourced[str]] = {}
    for number, line in enumerate(lines, start=1):
        name, equals, value = line.partition("=")
        if equals:
            found[name.strip()] = Sourced(value.strip(), environment.origin_of(path, number), "Secret" in name)
    key, secret = found.get("AWSAccessKeyId"), found.get("AWSSecretKey")
    if key is None:
        return None
    candidate = replace(candidate, origin=key.origin, access_key_id=key.value, settings={"aws_access_key_id": key})
    if secret is None:
        return refused(candidate, _half("AWSSecretKey", key.origin))
    return replace(candidate, settings={"aws_access_key_id": key, "aws_secret_access_key": secret})


def boto_config(environment: Environment) -> Candidate | None:
    """BOTO_CONFIG, else /etc/boto.cfg and ~/.boto: the section [Credentials] of boto 2."""
    named = environment.get("BOTO_CONFIG")
    for name in ("/etc/boto.cfg", "~/.boto") if named is None else (named.value,):
        file = read_aws_file(environment.expand(name), environment.home)
        candidate = Candidate("boto-config", None, file.origin, f"keys in {file.origin}")
        if file.refusal is not None:
            return refused(candidate, file.refusal.error())
        section = file.sections.get("Credentials")
        if section is None or "aws_access_key_id" not in section:
            continue
        key, secret = section.get("aws_access_key_id"), section.get("aws_secret_access_key")
        if key is None or secret is None:
            return refused(candidate, _half("aws_secret_access_key" if key else "aws_access_key_id", section.origin))
        return replace(
            candidate,
            origin=key.origin,
            access_key_id=shown_key(key.value),
            settings={"aws_access_key_id": key, "aws_secret_access_key": secret},
        )
    return None


def _half(missing: str, where: Origin) -> ConfigurationError:
    hint = f"add {missing} = … there, or remove the key"
    return ConfigurationError(f"{missing} is missing", where=str(where), hint=hint, finding="partial-credentials")


CONTAINER_HOST = "169.254.170.2"
_CONTAINER_HOSTS = (CONTAINER_HOST, "169.254.170.23", "fd00:ec2::23", "localhost")


def container(environment: Environment) -> Candidate | None:
    """AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, else …_FULL_URI (ECS, EKS Pod Identity, `unexpire run`)."""
    relative = environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    full = environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    chosen = relative or full
    if chosen is None:
        return None
    uri = f"http://{CONTAINER_HOST}{relative.value}" if relative else chosen.value
    candidate = Candidate(
        "container-role",
        None,
        chosen.origin,
        f"the container credentials endpoint ({chosen.origin})",
        renewable=True,
        settings={"container_uri": Sourced(uri, chosen.origin)},
    )
    problem = _token_problem(environment) or _uri_problem(Sourced(uri, chosen.origin))
    return candidate if problem is None else refused(candidate, problem)


def _token_problem(environment: Environment) -> UnexpireError | None:
    """What botocore refuses to send as the Authorization header."""
    named = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    given = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    if named is not None:
        path = environment.cwd / named.value
        try:
            token = environment.read_bytes(path).decode()
        except OSError as error:
            origin = environment.origin_of(path)
            what = "the file that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names"
            return unreadable(what, error, origin, finding="container-refused")
        except UnicodeDecodeError:
            token = "\n"  # noqa: S105 - as unfit for a header as a line end
        where, hint = named.origin, f"write the token to {environment.origin_of(path)} without a line end"
    elif given is not None:
        token, where, hint = (
            given.value,
            given.origin,
            "unset AWS_CONTAINER_AUTHORIZATION_TOKEN, and set it without a line end",
        )
    else:
        return None
    if "\r" not in token and "\n" not in token:
        return None
    message = "the token for the container credentials endpoint holds a line end, which no header may"
    return ConfigurationError(message, where=str(where), hint=hint, finding="container-refused")


def _uri_problem(uri: Sourced[str]) -> UnexpireError | None:
    """HTTPS to anywhere, HTTP to loopback and the container hosts only (botocore/utils.py, `ContainerMetadataFetcher`)."""
    try:
        parts = urlsplit(uri.value)
        scheme, host = parts.scheme, parts.hostname or ""
    except ValueError:
        scheme, host = "", ""
    if scheme == "https" or host in _CONTAINER_HOSTS or _is_loopback(host):
        return None
    return ConfigurationError(
        "SDKs do not ask this host for credentials: HTTP is for loopback and the container hosts only",
        where=str(uri.origin),
        hint=f"unset {uri.origin}, or use https",
        finding="container-refused",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def instance_metadata(environment: Environment) -> Candidate | None:
    """The role of an EC2 instance, unless AWS_EC2_METADATA_DISABLED is true. Whether there is one shows only when it is asked."""
    if environment.variables.get("AWS_EC2_METADATA_DISABLED", "false").lower() == "true":
        return None
    endpoint = _set(environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT")
    origin = endpoint.origin if endpoint else Origin(note="instance metadata")
    return Candidate(
        "iam-role",
        None,
        origin,
        "the role of this EC2 instance (not probed)",
        renewable=True,
        probed=False,
        settings={"metadata_endpoint": endpoint} if endpoint else {},
    )


_HOST = re.compile(r"((?!-)[A-Z\d-]{1,63}(?<!-)\.)*((?!-)[A-Z\d-]{1,63}(?<!-))$", re.IGNORECASE)


def is_endpoint(url: str) -> bool:
    """Whether botocore takes `url` for an endpoint at all (botocore/utils.py, `is_valid_uri`)."""
    if set("\t\r\n") & set(url):
        return False
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return False
    if not host:
        return False
    if len(host) <= 255 and _HOST.match(host.removesuffix(".")):
        return True
    try:
        return ip_address(host).version == 6
    except ValueError:
        return False
