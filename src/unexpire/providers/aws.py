"""The one place where botocore is used to talk to AWS, and where its errors become ours.

Everything a client needs is taken from the snapshot `Environment` and handed over explicitly: endpoint, Region, proxies, certificates. A
client never looks at this process's variables or files, because what is looked at may be another process's.
"""

from __future__ import annotations

import functools
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..credentials import Credentials
from ..errors import ConfigurationError, UnexpireError
from ..settings.environment import Environment
from ..settings.files import Origin, Sourced
from ..settings.profile import Profile
from .translation import clock_offset, translate

if TYPE_CHECKING:
    from botocore.session import Session

__all__ = [
    "Identity",
    "UnusableWay",
    "caller_identity",
    "client",
    "endpoint_of",
    "endpoint_url",
    "region_of",
    "translate",
    "way_to",
]


class UnusableWay(ConfigurationError):
    """A setting of the way to AWS (endpoint, Region, proxy, CA bundle) that cannot be used: no request was ever sent."""


def region_of(environment: Environment, profile: Profile | None) -> str | None:
    """AWS_REGION (most SDKs) or AWS_DEFAULT_REGION (botocore, and it alone), else the profile's `region`."""
    found = _region_setting(environment, profile)
    return found.value if found is not None else None


def _region_setting(environment: Environment, profile: Profile | None) -> Sourced[str] | None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        found = environment.get(name)
        if found is not None and found.value:
            return found
    return profile.get("region") if profile is not None else None


def endpoint_url(environment: Environment, profile: Profile | None, service: str) -> str | None:
    """The configured endpoint of a service, in botocore's order (botocore/configprovider.py, `ConfiguredEndpointProvider`)."""
    found = _endpoint_setting(environment, profile, service)
    return found.value if found is not None else None


def _endpoint_setting(environment: Environment, profile: Profile | None, service: str) -> Sourced[str] | None:
    ignore = environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or (
        profile.get("ignore_configured_endpoint_urls") if profile is not None else None
    )
    if ignore is not None and ignore.value.lower() == "true":
        return None
    name = service.replace("-", "_").upper()
    for variable in (f"AWS_ENDPOINT_URL_{name}", "AWS_ENDPOINT_URL"):
        found = environment.get(variable)
        if found is not None and found.value:
            return found
    if profile is None:
        return None
    chosen = profile.get("services")
    section = environment.settings().services.get(chosen.value) if chosen is not None else None
    block = section.nested(name.lower()) if section is not None else None
    return (block or {}).get("endpoint_url") or profile.get("endpoint_url")


def endpoint_of(environment: Environment, profile: Profile | None, service: str) -> str:
    """Where a client of `service` would go: the configured endpoint, else AWS's own in the Region."""
    configured = endpoint_url(environment, profile, service)
    if configured:
        return configured
    region = region_of(environment, profile) or "us-east-1"
    host = {"sso": f"portal.sso.{region}", "sso-oidc": f"oidc.{region}"}.get(service, f"{service}.{region}")
    return f"https://{host}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")


def way_to(environment: Environment, profile: Profile | None, url: str) -> tuple[str | None, str | None]:
    """(the proxy that leads to `url`, the CA bundle), as the environment sets them; None where there is none."""
    bundle = _bundle_setting(environment, profile)
    path = str(environment.expand(bundle.value)) if bundle is not None else None
    return _proxies(environment, url).get(urlsplit(url).scheme), path


def _bundle_setting(environment: Environment, profile: Profile | None) -> Sourced[str] | None:
    found = environment.get("AWS_CA_BUNDLE")
    if (found is None or not found.value) and profile is not None:
        found = profile.get("ca_bundle") or found
    if found is None or not found.value:
        found = environment.get("REQUESTS_CA_BUNDLE")
    return found if found is not None and found.value else None


# botocore/utils.py, `validate_region_name`: what may be a label of a host name.
_REGION = re.compile(r"(?![0-9]+$)(?!-)[a-zA-Z0-9-]{1,63}(?<!-)")


def _check_way(environment: Environment, profile: Profile | None, service: str, region: str | None) -> None:
    """Raise UnusableWay, with the place of the setting, where botocore would fail before it sends anything."""
    endpoint = _endpoint_setting(environment, profile, service)
    if endpoint is not None and not _is_url(endpoint.value):
        raise _unusable("the endpoint URL is no URL: it starts with http:// or https:// and names a host", endpoint)
    asked = Sourced(region, Origin(note="--region")) if region else None
    chosen = asked or _region_setting(environment, profile)
    if chosen is not None and not _REGION.fullmatch(chosen.value):
        right = "export {0}=us-east-1" if chosen.origin.variable else "region = us-east-1"
        raise UnusableWay(
            f"{chosen.value[:40]!r} is no Region",
            where=str(chosen.origin),
            hint=right.format(chosen.origin.variable),
        )
    url = endpoint.value if endpoint is not None else "https://"
    bundle = _bundle_setting(environment, profile)
    if bundle is not None and url.startswith("https") and not environment.expand(bundle.value).exists():
        raise _unusable(f"the CA bundle {bundle.value} is not there", bundle)
    proxy = _proxies(environment, url).get(urlsplit(url).scheme)
    if proxy is not None and not _is_url(proxy if "://" in proxy else f"http://{proxy}", any_scheme=True):
        scheme = urlsplit(url).scheme
        names = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY")
        name = next(each for each in names if environment.variables.get(each))
        raise UnusableWay(f"{name} is not the URL of a proxy", where=name, hint=f"unset {name}")


def _is_url(text: str, *, any_scheme: bool = False) -> bool:
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and (any_scheme or parts.scheme in ("http", "https")) and parts.port != 0
    except ValueError:
        return False


def _unusable(message: str, found: Sourced[str]) -> UnusableWay:
    variable = found.origin.variable
    hint = f"unset {variable}" if variable else f"correct the line in {found.origin}"
    return UnusableWay(message, where=str(found.origin), hint=hint)


def _proxies(environment: Environment, url: str) -> dict[str, str]:
    """HTTP_PROXY, HTTPS_PROXY and NO_PROXY as urllib reads them, lower case first; HTTP_PROXY is ignored inside a CGI."""
    variables = environment.variables
    found = {
        scheme: value
        for scheme in ("http", "https")
        if (value := variables.get(f"{scheme}_proxy") or variables.get(f"{scheme.upper()}_PROXY"))
    }
    if "REQUEST_METHOD" in variables and "http_proxy" not in variables:
        found.pop("http", None)
    no_proxy = variables.get("no_proxy") or variables.get("NO_PROXY")
    host = urlsplit(url).netloc.rpartition("@")[2]
    if no_proxy and found:
        from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

        if proxy_bypass_environment(host, {"no": no_proxy}):
            return {}
    return found


# What is asked here is in every botocore there is: to see whether a service exists, a loader lists the folders of all 400.
_KNOWN = frozenset({"sts", "sso", "sso-oidc"})


@functools.cache
def _loader() -> Any:
    from botocore.loaders import Loader

    class OfFewServices(Loader):  # type: ignore[misc,unused-ignore]
        """The loader, spared the list of all services where it is asked for one of ours. Used under `_creating` only."""

        asked = ""

        def load_service_model(self, service_name: str, type_name: str, api_version: Any = None) -> Any:
            self.asked = service_name
            return super().load_service_model(service_name, type_name, api_version)

        def list_available_services(self, type_name: str) -> Any:
            return [self.asked] if self.asked in _KNOWN else super().list_available_services(type_name)

    return OfFewServices()


def bare_session(overrides: Mapping[str, Any] | None = None) -> Session:
    """A botocore session that reads no variable and no file of this process, but for `overrides` (name -> value)."""
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES as VARIABLES
    from botocore.session import Session

    plain = {name: (None, None, entry[2], entry[3]) for name, entry in VARIABLES.items()}
    plain["config_file"] = plain["credentials_file"] = (None, None, "", None)
    for name, value in (overrides or {}).items():
        plain[name] = (None, None, value, None)
    session = Session(session_vars=plain)
    session.register_component("data_loader", _loader())
    return session


def client(
    service: str,
    environment: Environment,
    *,
    profile: Profile | None = None,
    credentials: Credentials | None = None,
    region: str | None = None,
    timeout_s: float = 10.0,
    attempts: int = 1,
) -> Any:
    """A botocore client for `service` as `environment` and `profile` would have it; without credentials it signs nothing.

    `attempts` counts the first one: whoever renews decides about the next attempt himself, so the default is one.
    """
    from botocore import UNSIGNED
    from botocore.config import Config

    _check_way(environment, profile, service, region)
    chosen = region or region_of(environment, profile) or "us-east-1"
    override = endpoint_url(environment, profile, service)
    proxies = _proxies(environment, override or f"https://{service}.{chosen}.amazonaws.com")
    _, bundle = way_to(environment, profile, override or "https://")
    config = Config(
        region_name=chosen,
        connect_timeout=min(5.0, timeout_s),
        read_timeout=timeout_s,
        retries={"total_max_attempts": attempts, "mode": "standard"},
        proxies=proxies,
        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg,unused-ignore]
        signature_version=UNSIGNED if credentials is None else None,  # type: ignore[arg-type,unused-ignore]
        use_fips_endpoint=_flag(environment, profile, "use_fips_endpoint") or None,
        use_dualstack_endpoint=_flag(environment, profile, "use_dualstack_endpoint") or None,
    )
    legacy = environment.variables.get("AWS_STS_REGIONAL_ENDPOINTS") or (
        found.value if profile is not None and (found := profile.get("sts_regional_endpoints")) is not None else None
    )
    session = _session_for(legacy if legacy in ("legacy", "regional") else None)
    keys: dict[str, Any] = {}
    if credentials is not None:
        keys = {
            "aws_access_key_id": credentials.access_key_id,
            "aws_secret_access_key": credentials.secret_access_key,
            "aws_session_token": credentials.session_token,
        }
    with _creating:
        return session.create_client(
            service,  # type: ignore[call-overload,unused-ignore]
            endpoint_url=override,
            config=config,
            verify=bundle if bundle is not None else True,
            **keys,
        )


# One session serves all: making one reads 250 kB of JSON. Its `create_client` is not thread-safe (boto3 guide, "Multithreading").
_creating = threading.Lock()


@functools.cache
def _session_for(sts_regional_endpoints: str | None) -> Session:
    return bare_session({"sts_regional_endpoints": sts_regional_endpoints} if sts_regional_endpoints else None)


def _after_fork() -> None:
    """In a forked child: the thread that was making a client is not here, to go on with it or to give back the lock."""
    global _creating
    if _creating.locked():
        _session_for.cache_clear()
        _loader.cache_clear()
        _creating = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_after_fork)


def _flag(environment: Environment, profile: Profile | None, name: str) -> bool:
    value = environment.variables.get(f"AWS_{name.upper()}")
    if value is None and profile is not None and (found := profile.get(name)) is not None:
        value = found.value
    return (value or "").lower() == "true"


@dataclass(frozen=True, slots=True)
class Identity:
    """The answer to GetCallerIdentity: who, or an error in AWS's own words; and by how much AWS's clock is ahead of ours."""

    arn: str | None = None
    account: str | None = None
    user_id: str | None = None
    error: UnexpireError | None = None
    aws_code: str | None = None
    message: str | None = None
    clock_offset: timedelta | None = None
    endpoint: str | None = None


def caller_identity(
    environment: Environment,
    credentials: Credentials | None,
    *,
    profile: Profile | None = None,
    region: str | None = None,
) -> Identity:
    """Ask STS who these credentials are. Never raises for what AWS or the network answer.

    Without credentials nobody is asked about: the refusal still tells AWS's clock.
    """
    endpoint = None
    try:
        sts = client("sts", environment, profile=profile, credentials=credentials, region=region)
        endpoint = sts.meta.endpoint_url
        answer = sts.get_caller_identity()
    except Exception as error:
        problem = translate(error, doing="GetCallerIdentity", now=environment.now(), expired="expired-session")
        response: Mapping[str, Any] = getattr(error, "response", {}) or {}
        said = response.get("Error", {})
        return Identity(
            error=problem,
            aws_code=said.get("Code"),
            message=said.get("Message"),
            clock_offset=clock_offset(response, environment.now()),
            endpoint=endpoint,
        )
    return Identity(
        arn=answer["Arn"],
        account=answer["Account"],
        user_id=answer["UserId"],
        clock_offset=clock_offset(answer, environment.now()),
        endpoint=endpoint,
    )


def moment(value: Any) -> datetime:
    """An aware UTC datetime out of what botocore parsed: a datetime, or milliseconds since 1970 (the SSO portal)."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(microsecond=0)
    return datetime.fromtimestamp(int(value) // 1000, UTC)
