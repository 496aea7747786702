"""`boto3_session` and `protect`: Python programs whose AWS calls never fail with ExpiredToken.

::

    session = unexpire.boto3_session(profile_name="prod", role_arn="arn:aws:iam::111122223333:role/Deploy")
    session = unexpire.protect(boto3.Session(profile_name="prod"))     # one that exists: protect it before it makes clients
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ConfigurationError
from ..providers.base import Prompt
from .renewing import RenewingBotocoreSession, botocore_session, install, is_protected, loaded, request_of
from .source import Source, SourceRequest
from .travelling import inner_session, let_travel, travels

if TYPE_CHECKING:
    import boto3

__all__ = ["boto3_session", "protect"]

S = TypeVar("S")


def boto3_session(
    profile_name: str | None = None,
    *,
    role_arn: str | None = None,
    role_session_name: str | None = None,
    duration: timedelta | None = None,
    external_id: str | None = None,
    mfa_serial: str | None = None,
    region_name: str | None = None,
    prompt: Prompt | None = None,
) -> boto3.Session:
    """A `boto3.Session` that renews its keys ahead of their end, and renews and resends once where AWS still says expired.

    profile_name  as in `boto3.Session`; None takes what the environment chooses.
    role_arn …    assume this role with that profile's keys, as a profile with `role_arn` would.
    prompt        who is asked for an MFA code; without one such a source raises `InteractionRequired`.

    It can be given to threads, and pickled to worker processes: they find the keys again for themselves. Nothing is fetched before
    the first request; raises ConfigurationError, ProfileNotFound or Unavailable where the settings lead to no source.
    """
    request = SourceRequest.of(profile_name, role_arn, role_session_name, duration, external_id, mfa_serial)
    return session_of(Source(request, prompt=prompt), {} if region_name is None else {"region": region_name})


def protect(session: S) -> S:
    """Make an existing session of boto3, botocore, aiobotocore or aioboto3 renew its keys; the same object, for chaining.

    The keys come from the profile that the session was made for, as `boto3_session` finds them, no longer from what it has loaded.
    Clients that it made before stay as they were. Raises ConfigurationError for a session that was given keys in code: there is
    nothing to renew those from; TypeError for what is no session.
    """
    inner = inner_session(session)
    if is_protected(inner):
        return session
    given = loaded(inner)
    if given is not None and getattr(given, "method", None) == "explicit":
        raise ConfigurationError(
            "the session was given its keys in code, so there is nothing to renew them from",
            hint="make it with profile_name=…, or use unexpire.boto3_session(role_arn=…)",
            finding="static-session",
        )
    source = Source(SourceRequest(inner.instance_variables().get("profile")))
    if _is_aio(inner):
        from .aio import install as install_aio

        install_aio(inner, source)
    else:
        install(inner, source)
    let_travel(inner)
    if inner is not session:
        let_travel(session)
    return session


def session_of(source: Source, variables: Mapping[str, Any]) -> boto3.Session:
    """A boto3 session over a source that exists."""
    inner = RenewingBotocoreSession(profile=source.request.profile)
    for name, value in variables.items():
        inner.set_config_variable(name, value)
    install(inner, source)
    return _around(inner)


def _around(inner: Any) -> boto3.Session:
    import boto3

    session = boto3.Session(botocore_session=inner)
    let_travel(session)
    return session


def _rebuilt(request: SourceRequest, variables: Mapping[str, Any]) -> boto3.Session:
    return _around(botocore_session(request, variables))


def _reduced(session: Any) -> tuple[Any, ...]:
    inner = inner_session(session)
    return _rebuilt, (request_of(inner), inner.instance_variables())


def _is_aio(inner: Any) -> bool:
    aio = sys.modules.get("aiobotocore.session")
    return aio is not None and isinstance(inner, aio.AioSession)


travels("boto3.session", "Session", _reduced)
