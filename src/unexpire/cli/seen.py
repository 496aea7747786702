"""From a text to the error it is about, in the words of the diagnosis: where the reference and the diagnosis meet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import IO

from ..diagnosis.seen import Presigned, SeenError
from ..findings import CODES
from ..reference.match import Match, as_of, match_text
from ..reference.page import index, key
from .streams import matches_in

__all__ = ["finding_of", "seen_in", "seen_in_stream"]


def seen_in(text: str) -> SeenError | None:
    """The error that tells most of a text; None where nothing in it is about AWS credentials, signatures, clocks or tokens."""
    return _told(match_text(text))


def seen_in_stream(stream: IO[bytes]) -> SeenError | None:
    """The same of a log of any size, which is read in pieces and never held as a whole."""
    return _told(matches_in(stream))


def _told(matches: list[Match]) -> SeenError | None:
    found = next((as_of(match, datetime.now(UTC)) for match in matches if match.aws_auth), None)
    # A refusal or a broken connection is no error of credentials, and yet an answer to "why did it fail".
    found = found or next((match for match in matches if match.page in _BESIDES), None)
    if found is None:
        return None
    url = found.url
    presigned = None
    if url is not None and url.ends_at is not None and url.access_key_id is not None:
        presigned = Presigned(url.signed_at, url.ends_at, url.access_key_id, url.has_session_token)
    return SeenError(
        code=found.code,
        message=found.message,
        operation=found.operation,
        service=found.service,
        causes=tuple(cause.label for cause in found.causes),
        page=found.page,
        access_key_id=found.access_key_id or (url.access_key_id if url is not None else None),
        presigned=presigned,
        finding=finding_of(found),
        about=_about(found),
        when=found.last_time or found.first_time,
        count=found.count,
    )


def _about(match: Match) -> str | None:
    """The title of the text's page, where the finding is only the nearest one that the diagnosis has."""
    page = match.page
    if page is None or not (match.ailment in _OF_USERS or (page.islower() and _named(match) is None)):
        return None
    row = index().get(key(page))
    return row[2] if row is not None else None


# Tokens of an app's users: no source of credentials on this machine has to do with them.
_OF_USERS = frozenset({
    "app-user-none", "app-user-refused", "app-user-token",
    "cognito-identity", "cognito-login-expired", "cognito-provider", "cognito-user",
})  # fmt: skip


_BESIDES = {"AccessDenied": "access-denied", "endpoint-unreachable": "endpoint-unreachable", "throttled": "throttled"}
_BY_AILMENT = {
    "session-words": "expired-session",
    "web-identity-expired": "web-identity-token-expired",
    "web-token-file": "web-identity-token-missing",
    "presigned-expired": "presigned-url-expired",
    "sts-off-in-region": "region-not-enabled",
    "region-disabled": "region-not-enabled",
    "signature-expired": "clock-skew",
    "signature-early": "clock-skew",
    "clock-skewed": "clock-skew",
    "signature-mismatch": "wrong-secret",
    "federation-denied": "assume-role-denied",
    "mfa-failed": "mfa-required",
    "sso-session-revoked": "sso-login-needed",
    "sso-role-forbidden": "sso-role-not-assigned",
    "sso-login": "sso-login-needed",
    "sso-cache": "sso-login-needed",
    "sso-never": "sso-token-missing",
    "sso-client": "sso-registration-expired",
    "sso-config": "config-invalid",
    "sso-region": "config-invalid",
    "device-code-expired": "sso-login-needed",
    "imds-role": "no-credentials",
    "imds-off": "no-credentials",
    "partial": "partial-credentials",
    "profile-missing": "profile-not-found",
    "process-output": "process-bad-output",
    "metadata": "metadata-unreachable",
    "role-setting": "config-invalid",
    "idp-unreachable": "endpoint-unreachable",
    "empty-key": "partial-credentials",
}
# What a root cause that the reference tells from a text is called by the diagnosis, where neither page nor ailment says it.
_BY_CAUSE = {
    "expired_static_copy": "expired-session",
    "expired_mid_run": "expired-session",
    "refresher_stale": "expired-session",
    "presigned_session_expired": "expired-session",
    "sso_login_required": "sso-login-needed",
    "sso_cache_mismatch": "sso-token-missing",
    "login_required": "login-needed",
    "web_identity_token_expired": "web-identity-token-expired",
    "oidc_provider_config": "assume-role-denied",
    "clock_skew": "clock-skew",
    "request_delayed": "clock-skew",
    "presigned_url_expired": "presigned-url-expired",
    "bad_access_key": "key-rejected",
    "bad_secret_key": "wrong-secret",
    "missing_session_token": "key-rejected",
    "stale_session_token": "key-rejected",
    "no_credentials": "no-credentials",
    "config_incomplete": "config-invalid",
    "metadata_unreachable": "metadata-unreachable",
    "wrong_region_or_partition": "region-not-enabled",
    "duration_limit": "duration-over-role-max",
    "trust_policy": "assume-role-denied",
    "permission_denied": "access-denied",
    "mfa_failed": "mfa-required",
    "idp_unreachable": "endpoint-unreachable",
    "signing_or_proxy": "wrong-secret",
}


def finding_of(match: Match) -> str | None:
    """The code of the finding that an error in a text stands for, as far as the text alone can tell."""
    if match.page in _BESIDES and not match.aws_auth:
        return _BESIDES[match.page]
    if match.ailment == "session-expired":
        if match.operation in ("AssumeRole", "AssumeRoot"):
            return "source-expired"
        return "presigned-session-ended" if match.url is not None else "expired-session"
    if match.ailment == "signed-url-denied":
        return None  # the status tells no more than the URL's own end, which is looked at first
    if match.ailment == "signed-url-bad" and match.causes[0].label != "presigned_session_expired":
        return None
    if match.ailment in ("key-unknown", "s3-token-invalid") and (match.access_key_id or "").startswith("ASIA"):
        # S3 knows no temporary key without its token.
        return "missing-session-token" if match.ailment == "key-unknown" else "key-rejected"
    named = _named(match)
    return named or next((_BY_CAUSE[cause.label] for cause in match.causes if cause.label in _BY_CAUSE), None)


def _named(match: Match) -> str | None:
    """The finding that page or ailment is called after."""
    names = (match.page, match.ailment, _BY_AILMENT.get(match.ailment or ""))
    return next((name for name in names if name in CODES), None)
