"""Names for what a provider fetches: equal for equal requests, different for any other, with no secret in them."""

from __future__ import annotations

import getpass
import hashlib
import re
from collections.abc import Mapping

from ..settings.environment import Environment

__all__ = ["identity_of", "session_name_for"]

# What decides where a request goes, besides its own parameters.
_PLACES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_SSO", "AWS_EC2_METADATA_SERVICE_ENDPOINT")


def identity_of(method: str, environment: Environment, parts: Mapping[str, str | None]) -> str:
    """``assume-role-3f2a…``: the method, and a digest of the parameters and of the endpoints that are set; safe as a file name."""
    places = {name: environment.variables.get(name) for name in _PLACES}
    text = "\0".join(f"{key}={value}" for key, value in sorted({**places, **parts}.items()) if value)
    return f"{method}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def session_name_for(environment: Environment) -> str:
    """A RoleSessionName that tells who it was in CloudTrail: ``unexpire-USER`` (STS allows ``[\\w+=,.@-]{2,64}``)."""
    user = environment.variables.get("USER") or environment.variables.get("USERNAME")
    if not user:
        try:
            user = getpass.getuser()
        except (KeyError, OSError):
            user = "session"
    return re.sub(r"[^\w+=,.@-]", "-", f"unexpire-{user}", flags=re.ASCII)[:64]
