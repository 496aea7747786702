"""What every source of credentials is to the rest of the house."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ..credentials import Credentials

__all__ = ["Around", "Prompt", "Provider"]


class Prompt(Protocol):
    """How a provider asks a human. The unattended one raises `InteractionRequired`."""

    def mfa_code(self, serial: str) -> str:
        """The current six digits of the MFA device `serial`."""

    def open_login(self, url: str, user_code: str | None) -> None:
        """Show the human where to approve a login, opening a browser where there is one."""


@runtime_checkable
class Provider(Protocol):
    """A source of credentials: `fetch` goes to it, everything else is known offline.

    method      botocore's name of the kind: env, assume-role, assume-role-with-web-identity, sso, shared-credentials-file,
                login, custom-process, config-file, container-role, iam-role; `explicit` for a role given by hand.
    identity    a stable key of what would be fetched, equal for equal requests; no secret, safe as a file name.
    renewable   whether fetching again later gives a later end.
    interactive whether `fetch` may need a human (MFA, a login).
    """

    @property
    def method(self) -> str: ...
    @property
    def identity(self) -> str: ...
    @property
    def renewable(self) -> bool: ...
    @property
    def interactive(self) -> bool: ...

    def describe(self) -> str:
        """One short phrase for people: ``role Deploy of profile prod (~/.aws/config:12)``."""

    def fetch(self) -> Credentials:
        """A set that was valid when the source answered, with its end and `issued_at` where the source has one.

        Raises Unavailable, InteractionRequired, RefreshFailed (Denied, Rejected) or ConfigurationError, nothing else.
        """


class Around:
    """What a provider is that differs from another in how it fetches alone. `provider` is the other one, and may be replaced."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    @property
    def method(self) -> str:
        return self.provider.method

    @property
    def identity(self) -> str:
        return self.provider.identity

    @property
    def renewable(self) -> bool:
        return self.provider.renewable

    @property
    def interactive(self) -> bool:
        return self.provider.interactive

    def describe(self) -> str:
        """As the other one does."""
        return self.provider.describe()
