"""The way to AWS that the settings describe: endpoint, Region, proxy, certificates. Read from a snapshot, offline."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from ..settings.environment import Environment
from ..settings.files import Origin, Sourced
from ..settings.profile import Profile

__all__ = [
    "UnusableWay",
    "Way",
    "client_problems",
    "endpoint_of",
    "endpoint_setting",
    "endpoint_url",
    "region_of",
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
    found = endpoint_setting(environment, profile, service)
    return found.value if found is not None else None


def endpoint_setting(environment: Environment, profile: Profile | None, service: str) -> Sourced[str] | None:
    """`endpoint_url` with the place where it is set."""
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


_MODES = ("when_supported", "when_required")
# With any other value botocore makes no client (botocore/args.py; configprovider.py has the names), and some it wants in small letters.
_CLIENT_SETTINGS: dict[str, tuple[str, tuple[str, ...], bool]] = {
    "AWS_RETRY_MODE": ("retry_mode", ("legacy", "standard", "adaptive"), True),
    "AWS_STS_REGIONAL_ENDPOINTS": ("sts_regional_endpoints", ("legacy", "regional"), True),
    "AWS_REQUEST_CHECKSUM_CALCULATION": ("request_checksum_calculation", _MODES, False),
    "AWS_RESPONSE_CHECKSUM_VALIDATION": ("response_checksum_validation", _MODES, False),
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": ("account_id_endpoint_mode", ("preferred", "disabled", "required"), False),
}


def client_problems(environment: Environment, profile: Profile | None) -> Iterator[ConfigurationError]:
    """Settings that have nothing to do with credentials, over which boto3 and the AWS CLI fail all the same; other SDKs may not."""
    for variable, (key, allowed, small) in _CLIENT_SETTINGS.items():
        found = _set_for_client(environment, profile, variable, key)
        if found is not None and (found.value if small else found.value.lower()) not in allowed:
            yield _unusable(f"{_name(found, key)} {found.value[:40]!r} is none of {', '.join(allowed)}", found)
    found = _set_for_client(environment, profile, "AWS_MAX_ATTEMPTS", "max_attempts")
    if found is not None and (re.fullmatch(r"\s*\+?\d+\s*", found.value) is None or int(found.value) < 1):
        yield _unusable(f"{_name(found, 'max_attempts')} {found.value[:40]!r} is no number from 1 on", found)


def _set_for_client(environment: Environment, profile: Profile | None, variable: str, key: str) -> Sourced[str] | None:
    return environment.get(variable) or (profile.get(key) if profile is not None else None)


def _name(found: Sourced[str], key: str) -> str:
    return found.origin.variable or key


def _check(environment: Environment, profile: Profile | None, service: str, region: str | None) -> None:
    """Raise UnusableWay, with the place of the setting, where botocore would fail before it sends anything."""
    endpoint = endpoint_setting(environment, profile, service)
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
    if bundle is not None and url.startswith("https") and not os.path.exists(environment.expand(bundle.value)):
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


@dataclass(frozen=True, slots=True)
class Way:
    """All of the settings that a client of one service is made from: two that are equal may share a client.

    `endpoint` and `bundle` are None for AWS's own and for the certificates that botocore brings. `bundle_state` tells a file of
    certificates from the one that has taken its place.
    """

    service: str
    region: str
    endpoint: str | None
    proxies: tuple[tuple[str, str], ...] = field(repr=False)  # their URLs may hold a password
    bundle: str | None
    bundle_state: tuple[int, ...] | None
    fips: bool
    dualstack: bool
    sts_regional_endpoints: str | None

    @classmethod
    def of(cls, service: str, environment: Environment, profile: Profile | None, region: str | None = None) -> Way:
        """The way of `environment` and `profile`; `region` wins over theirs. Raises UnusableWay."""
        _check(environment, profile, service, region)
        chosen = region or region_of(environment, profile) or "us-east-1"
        endpoint = endpoint_url(environment, profile, service)
        _, bundle = way_to(environment, profile, endpoint or "https://")
        legacy = environment.variables.get("AWS_STS_REGIONAL_ENDPOINTS") or (
            found.value
            if profile is not None and (found := profile.get("sts_regional_endpoints")) is not None
            else None
        )
        return cls(
            service=service,
            region=chosen,
            endpoint=endpoint,
            proxies=tuple(_proxies(environment, endpoint or f"https://{service}.{chosen}.amazonaws.com").items()),
            bundle=bundle,
            bundle_state=_state_of(bundle),
            fips=_flag(environment, profile, "use_fips_endpoint"),
            dualstack=_flag(environment, profile, "use_dualstack_endpoint"),
            sts_regional_endpoints=legacy if legacy in ("legacy", "regional") else None,
        )

    def config(self) -> dict[str, Any]:
        """The arguments of botocore's `Config` that say the same."""
        return {
            "region_name": self.region,
            "proxies": dict(self.proxies),
            "ignore_configured_endpoint_urls": True,
            "use_fips_endpoint": self.fips or None,
            "use_dualstack_endpoint": self.dualstack or None,
        }


def _state_of(bundle: str | None) -> tuple[int, ...] | None:
    try:
        status = os.stat(bundle) if bundle is not None else None
    except (OSError, ValueError):
        return None  # a way without TLS needs no certificates; for any other `_check` has said so
    return (status.st_mtime_ns, status.st_size, status.st_ino) if status is not None else None


def _flag(environment: Environment, profile: Profile | None, name: str) -> bool:
    value = environment.variables.get(f"AWS_{name.upper()}")
    if value is None and profile is not None and (found := profile.get(name)) is not None:
        value = found.value
    return (value or "").lower() == "true"
