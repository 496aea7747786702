"""Which page explains a match: the code's own, unless several ailments share the code or the text says which of them it is."""

from __future__ import annotations

import re
from functools import cache

from .ailments import AILMENTS
from .page import index, key

__all__ = ["page_named", "page_of"]

# (ailment, what the text must say or "", page): the first that holds. A page that does not exist (yet) is passed over.
_PAGES: tuple[tuple[str, str, str], ...] = (
    ("session-expired", r"x-amz-signature|pre-?signed", "presigned-session-ended"),
    ("session-expired", r"the assumeroot? operation|sts: assumero(?:le|ot),|from sts/assumerole", "source-expired"),
    ("session-expired", r"the assumerole operation", "source-expired"),
    ("session-expired", r"assumerolewith(?:webidentity|saml)", "web-identity-token-expired"),
    ("session-expired", r"the createtoken operation|sso oidc: createtoken", "device-code-expired"),
    ("web-identity-expired", "", "web-identity-token-expired"),
    ("pod-identity-expired", "", "pod-identity-token-expired"),
    ("device-code-expired", "", "device-code-expired"),
    ("presigned-expired", "", "presigned-url-expired"),
    ("signed-url-denied", "", "presigned-url-expired"),
    ("signed-url-bad", "", "presigned-session-ended"),
    ("still-expired", "", "metadata-stale"),
    ("already-expired", "", "metadata-stale"),
    ("signature-expired", r"probable clock skew error", "clock-skew"),
    ("clock-skewed", r"probable clock skew error(?!.{0,400}requesttimetooskewed)", "clock-skew"),
    ("sts-off-in-region", "", "region-not-enabled"),
    ("duration-limit", r"role chaining", "role-chain-limit"),
    ("duration-limit", r"greater than or equal to", "duration-too-short"),
    ("duration-limit", "", "duration-over-role-max"),
    ("federation-denied", "", "web-identity-denied"),
    ("assume-role-denied", "", "assume-role-denied"),
    ("role-arn-is-user", "", "assume-role-denied"),
    ("service-role", "", "service-role-denied"),
    ("app-user-token", "", "app-user-token"),
    ("app-user-refused", "", "app-user-token"),
    ("app-user-none", "", "app-user-token"),
    ("root-assumes", "", "assume-role-denied"),
    ("mfa-failed", "", "mfa-failed"),
    ("mfa-unattended", "", "mfa-required"),
    ("idp-unreachable", "", "IDPCommunicationError"),
    ("oidc-provider", "", "InvalidIdentityToken"),
    ("sso-login", r"refresh cached sso token failed", "SSOSessionExpired"),
    ("sso-client", "", "sso-registration-expired"),
    ("sso-role-forbidden", "", "sso-role-not-assigned"),
    ("login", "", "login-needed"),
    ("login-never", "", "login-needed"),
    ("login-permission", "", "login-needed"),
    ("no-credentials", r"could not load credentials from any providers", "CredentialsProviderError"),
    ("process-output", "", "process-bad-output"),
    ("process-failed", "", "process-failed"),
    ("container-refused", "", "container-refused"),
    ("metadata", r"error when retrieving credentials from|response did not contain", "CredentialRetrievalError"),
    ("metadata", "", "metadata-unreachable"),
    ("refresh-failed", "", "refresh-failed"),
    ("web-token-file", "", "web-identity-token-missing"),
    ("bedrock-key-over", "", "bedrock-api-key"),
    ("bedrock-key-refused", "", "bedrock-api-key"),
    ("certificate", "", "UntrustedSigningCertificate"),
    ("db-token", "", "PAM"),
    ("imds-role", "", "NoEC2IMDSRole"),
    ("profile-missing", r"credentialsprovidererror", "CredentialsProviderError"),
    ("profile-missing", "", "profile-not-found"),
    ("config-invalid", r"infinite loop", "source-profile-loop"),
    ("config-invalid", r"actions_id_token_request_", "CredentialsProviderError"),
    ("config-invalid", "", "InvalidConfig"),
)
# Our own codes for what a tool prints without one.
_OF_CODE = {"no basic auth credentials": "registry-login-missing"}


@cache
def _index() -> dict[str, tuple[str, str, str]]:
    try:
        return index()
    except OSError:
        return {}


@cache
def _table() -> tuple[tuple[str, re.Pattern[str] | None, str], ...]:
    return tuple((ailment, re.compile(says) if says else None, page) for ailment, says, page in _PAGES)


def page_named(name: str | None) -> str | None:
    """The page that this name, spelling or alias leads to; None where there is none (yet)."""
    found = _index().get(key(name)) if name else None
    return found[0] if found is not None else None


def page_of(ailment: str, code: str | None, lower: str) -> str | None:
    """The name of the page for this ailment in this (flat, lowered) text."""
    for which, says, page in _table():
        if which == ailment and (says is None or says.search(lower)):
            found = page_named(page)
            if found is not None:
                return found
    for name in (code, _OF_CODE.get(code or ""), AILMENTS[ailment].page, ailment):
        found = page_named(name)
        if found is not None:
            return found
    return None
