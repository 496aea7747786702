"""The closed set of root causes. A label says what went wrong, in whatever tool's wording; the pages say how to tell them apart."""

from __future__ import annotations

__all__ = ["LABELS"]

LABELS = {
    "expired_static_copy": "a copy of a session is past its end, and a copy cannot renew itself",
    "expired_mid_run": "the job outlived the session it was given",
    "refresher_stale": "a source that renews exists, but the program kept the old session",
    "sso_login_required": "the login to IAM Identity Center is over or missing",
    "sso_cache_mismatch": "the login is fine, but this tool looks for it in another file",
    "login_required": "the `aws login` session is over or missing",
    "web_identity_token_expired": "the token of the identity provider is past its end",
    "oidc_provider_config": "the identity provider is not set up in IAM as the token needs it",
    "idp_unreachable": "AWS could not reach the identity provider",
    "clock_skew": "the clock of this machine is wrong",
    "request_delayed": "the request waited too long after it was signed",
    "presigned_url_expired": "the presigned URL is past its own end",
    "presigned_session_expired": "the session that signed the URL ended before the URL did",
    "bad_access_key": "the access key id is unknown, inactive or damaged",
    "bad_secret_key": "the secret does not belong to the access key id",
    "missing_session_token": "a temporary key is used without its session token",
    "stale_session_token": "a session token of another session is sent with these keys",
    "wrong_identity": "the credentials work, but they are not the ones that were meant",
    "no_credentials": "no source has credentials",
    "config_incomplete": "a profile, role or helper is not configured as it has to be",
    "metadata_unreachable": "the metadata or container endpoint does not answer",
    "wrong_region_or_partition": "the Region is not enabled, or belongs to another partition",
    "signing_or_proxy": "the request was signed wrongly, or changed on its way",
    "unsigned_or_wrong_route": "the request was not signed, or went to a route that does not exist",
    "duration_limit": "more time was asked for than AWS allows",
    "trust_policy": "the role's trust policy does not admit this identity",
    "permission_denied": "AWS knows the identity, and a policy does not allow the call",
    "mfa_failed": "an MFA code is missing or was not accepted",
    "db_auth_token_expired": "the database token was too old when the connection was made",
    "registry_token_expired": "the registry's token is past its end",
    "registry_login_missing": "the container client has no usable login for this registry",
    "k8s_identity_not_mapped": "AWS knows the identity, the cluster does not",
    "cert_untrusted_or_expired": "the certificate or its chain is not accepted",
    "activation_expired": "the activation of the managed node is over",
    "aws_side_or_tool_bug": "a fault of AWS or of the tool",
    "not_aws_auth": "not an error of AWS credentials",
    "unknown": "the text does not tell",
}
"""Every label with what it means. `expired_static_copy`, `expired_mid_run` and `refresher_stale` mostly give one text."""
