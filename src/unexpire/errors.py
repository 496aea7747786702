"""Every exception that unexpire raises on purpose, split by the caller's next move.

::

    UnexpireError                  say `str(error)` and `error.hint`; nothing else is expected of the caller
    ├── Unavailable                this source has nothing to give: try the next one
    ├── InteractionRequired        a human must act (MFA code, browser login): ask, then try again
    ├── RefreshFailed              the source should have worked; `retryable` says whether waiting may help
    │   ├── Denied                 AWS understood and said no: waiting does not help, a permission or a setting does
    │   └── Rejected               AWS does not accept the keys that signed: `aws_code` says in which words
    ├── ConfigurationError         a setting cannot be used as it stands; `where` is its file:line or variable
    │   └── ProfileNotFound        with the names that come nearest
    └── StoreError                 a file could not be read, locked or replaced; what it held is untouched

Errors of botocore, of the operating system and of foreign programs are translated into these once, at the boundary where they
enter, and stay reachable as ``__cause__``. No message, hint or representation ever holds a secret.
"""

from __future__ import annotations

from typing import Literal

__all__ = [
    "ConfigurationError",
    "Denied",
    "InteractionRequired",
    "ProfileNotFound",
    "RefreshFailed",
    "Rejected",
    "StoreError",
    "Unavailable",
    "UnexpireError",
]

Interaction = Literal["mfa", "sso-login", "login"]


class UnexpireError(Exception):
    """What happened, in one sentence; `where` it comes from (file:line or variable); `hint`, what to type next.

    `finding` is the code of the finding (`unexpire.findings.CODES`) that says the same, so that a diagnosis can name it.
    """

    finding: str | None = None

    def __init__(
        self, message: str, *, where: str | None = None, hint: str | None = None, finding: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        if finding is not None:
            self.finding = finding

    def __str__(self) -> str:
        return f"{self.message} ({self.where})" if self.where else self.message


class Unavailable(UnexpireError):
    """This source has nothing to give here, and that is no fault: the next one may."""


class InteractionRequired(UnexpireError):
    """A human has to act before this source can go on: type an MFA code, approve a login in a browser."""

    def __init__(
        self,
        message: str,
        *,
        interaction: Interaction,
        where: str | None = None,
        hint: str | None = None,
        finding: str | None = None,
    ) -> None:
        super().__init__(message, where=where, hint=hint, finding=finding)
        self.interaction: Interaction = interaction


class RefreshFailed(UnexpireError):
    """The source exists and did not deliver. `retryable`: an outage that may pass, not an answer that will stay."""

    def __init__(
        self,
        message: str,
        *,
        retryable: bool,
        aws_code: str | None = None,
        where: str | None = None,
        hint: str | None = None,
        finding: str | None = None,
    ) -> None:
        super().__init__(message, where=where, hint=hint, finding=finding)
        self.retryable = retryable
        self.aws_code = aws_code


class Denied(RefreshFailed):
    """AWS knows who asked and refuses: a permission, a trust policy, a limit."""

    def __init__(
        self,
        message: str,
        *,
        aws_code: str | None = None,
        where: str | None = None,
        hint: str | None = None,
        finding: str | None = None,
    ) -> None:
        super().__init__(message, retryable=False, aws_code=aws_code, where=where, hint=hint, finding=finding)


class Rejected(RefreshFailed):
    """AWS does not accept the credentials that signed the request: expired, unknown, or the wrong secret."""

    def __init__(
        self,
        message: str,
        *,
        aws_code: str,
        where: str | None = None,
        hint: str | None = None,
        finding: str | None = None,
    ) -> None:
        super().__init__(message, retryable=False, aws_code=aws_code, where=where, hint=hint, finding=finding)


class ConfigurationError(UnexpireError):
    """A setting cannot be used as it stands."""

    finding = "config-invalid"


class ProfileNotFound(ConfigurationError):
    """No such profile; `nearest` are names that do exist, likeliest first."""

    finding = "profile-not-found"

    def __init__(self, name: str, *, nearest: tuple[str, ...] = (), where: str | None = None) -> None:
        hint = f"did you mean {', '.join(nearest)}?" if nearest else "aws configure list-profiles"
        super().__init__(f"profile {name!r} does not exist", where=where, hint=hint)
        self.name = name
        self.nearest = nearest


class StoreError(UnexpireError):
    """A file could not be read, locked or replaced. Whatever it held before, it still holds."""
