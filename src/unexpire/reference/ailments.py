"""What can be wrong, apart from how a tool words it: an ailment has likely causes, and codes that show it.

One code may show several ailments (`SignatureDoesNotMatch` is a clock, a secret or a proxy), and one ailment has several codes
(`ExpiredToken`, `ExpiredTokenException`): that is why neither stands for the other.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AILMENTS", "AILMENT_IN", "AILMENT_OF_CODE", "FAMILY", "Ailment"]


@dataclass(frozen=True, slots=True)
class Ailment:
    """`causes`: labels of `page.LABELS`, likeliest first, when the text shows nothing more. `codes`: what services call it;
    a code named elsewhere in the same text belongs to it. `page`: where it is explained when the code alone does not lead there."""

    causes: tuple[str, ...]
    codes: tuple[str, ...] = ()
    expiry: bool = False
    page: str | None = None


_EXPIRED = ("expired_static_copy", "expired_mid_run", "refresher_stale")
FAMILY = frozenset(_EXPIRED)
"""Three causes that give the same text: which of them it was is told by where the keys come from, not by the error."""

_TOKENS = ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired")
_SIGNATURE = ("SignatureDoesNotMatch", "InvalidSignatureException", "InvalidSignature", "AccessDeniedException")

AILMENTS: dict[str, Ailment] = {
    "session-expired": Ailment((*_EXPIRED, "sso_login_required", "presigned_session_expired"), _TOKENS, True),
    "web-identity-expired": Ailment(
        ("web_identity_token_expired", "clock_skew", "refresher_stale"), ("ExpiredTokenException", "ExpiredToken"), True
    ),
    "trade-in-expired": Ailment(("web_identity_token_expired",), ("ExpiredTradeInTokenException",), True),
    "pod-identity-expired": Ailment(
        ("refresher_stale", "web_identity_token_expired", "clock_skew"), ("ExpiredTokenException",), True
    ),
    "pod-token-invalid": Ailment(
        ("config_incomplete", "web_identity_token_expired"), ("InvalidTokenException",), False, "InvalidTokenException"
    ),
    "device-code-expired": Ailment(("sso_login_required",), ("ExpiredTokenException",), True),
    "request-expired": Ailment(
        (*_EXPIRED, "clock_skew", "presigned_url_expired", "request_delayed"), ("RequestExpired",), True
    ),
    "presigned-expired": Ailment(
        ("presigned_url_expired", "clock_skew", "presigned_session_expired"), ("AccessDenied",), True
    ),
    "session-escalation": Ailment(("duration_limit", "expired_mid_run"), ("SessionDurationEscalationException",), True),
    "token-invalid": Ailment(
        (
            "missing_session_token",
            "wrong_region_or_partition",
            "expired_static_copy",
            "bad_access_key",
            "stale_session_token",
        ),
        ("InvalidClientTokenId", "UnrecognizedClientException", "InvalidClientTokenIdException"),
    ),
    "s3-token-invalid": Ailment(
        ("wrong_region_or_partition", "stale_session_token", "expired_static_copy", "missing_session_token"),
        ("InvalidToken",),
    ),
    "sts-off-in-region": Ailment(("wrong_region_or_partition", "bad_access_key"), ("InvalidClientTokenId",)),
    "key-unknown": Ailment(
        ("missing_session_token", "bad_access_key", "wrong_region_or_partition"),
        ("InvalidAccessKeyId", "InvalidAccessKeyID"),
    ),
    "ec2-auth-failure": Ailment(
        ("clock_skew", "wrong_region_or_partition", "bad_access_key", "missing_session_token"), ("AuthFailure",)
    ),
    "region-disabled": Ailment(("wrong_region_or_partition",), ("RegionDisabledException", "RegionDisabled")),
    "not-subscribed": Ailment(
        ("permission_denied", "wrong_region_or_partition", "wrong_identity"),
        ("OptInRequired", "SubscriptionRequiredException", "NotSignedUp"),
    ),
    "not-verified": Ailment(("permission_denied",), ("PendingVerification",)),
    "insecure": Ailment(("signing_or_proxy",), ("InvalidSecurity", "InvalidSecurityException")),
    "signature-expired": Ailment(("clock_skew", "request_delayed", "aws_side_or_tool_bug"), _SIGNATURE),
    "signature-early": Ailment(("clock_skew", "aws_side_or_tool_bug"), _SIGNATURE),
    "signature-mismatch": Ailment(("bad_secret_key", "signing_or_proxy", "wrong_region_or_partition"), _SIGNATURE),
    "signature-unclear": Ailment(("bad_secret_key", "clock_skew", "signing_or_proxy"), _SIGNATURE),
    "json-signature-unclear": Ailment(
        ("clock_skew", "request_delayed", "bad_secret_key", "signing_or_proxy"), ("InvalidSignatureException",)
    ),
    "scope-wrong": Ailment(("signing_or_proxy", "wrong_region_or_partition"), _SIGNATURE),
    "clock-skewed": Ailment(
        ("clock_skew", "request_delayed", "aws_side_or_tool_bug"), ("RequestTimeTooSkewed", "RequestInTheFuture")
    ),
    "signature-incomplete": Ailment(
        ("signing_or_proxy", "bad_access_key", "unsigned_or_wrong_route"),
        (
            "IncompleteSignature",
            "IncompleteSignatureException",
            "MissingAuthenticationTokenException",
            "AccessDenied",
            "AuthFailure",
            "MissingSecurityHeader",
        ),
    ),
    "query-auth-wrong": Ailment(
        ("signing_or_proxy", "wrong_region_or_partition", "bad_access_key"), ("AuthorizationQueryParametersError",)
    ),
    "url-too-long": Ailment(
        ("duration_limit",), ("AuthorizationQueryParametersError",), False, "AuthorizationQueryParametersError"
    ),
    "header-malformed": Ailment(
        ("wrong_region_or_partition", "signing_or_proxy", "bad_access_key"), ("AuthorizationHeaderMalformed",)
    ),
    "empty-key": Ailment(("config_incomplete", "no_credentials", "bad_access_key"), ("AuthorizationHeaderMalformed",)),
    "body-hash": Ailment(("signing_or_proxy",), ("XAmzContentSHA256Mismatch",)),
    "old-signer": Ailment(("signing_or_proxy",), ("InvalidRequest", "InvalidArgument")),
    "unsigned": Ailment(
        ("unsigned_or_wrong_route", "no_credentials", "signing_or_proxy"),
        ("MissingAuthenticationToken", "MissingAuthenticationTokenException", "MissingClientTokenId"),
    ),
    "route-unknown": Ailment(
        ("unsigned_or_wrong_route", "no_credentials", "signing_or_proxy"),
        ("MissingAuthenticationTokenException", "MissingAuthenticationToken"),
    ),
    # assuming a role
    "assume-role-denied": Ailment(
        ("trust_policy", "permission_denied", "wrong_identity"),
        ("AccessDenied", "AccessDeniedException"),
        False,
        "assume-role-denied",
    ),
    "service-role": Ailment(
        ("trust_policy", "config_incomplete", "permission_denied"), (), False, "service-role-denied"
    ),
    "role-arn-is-user": Ailment(
        ("config_incomplete", "trust_policy", "permission_denied"), ("AccessDenied",), False, "assume-role-denied"
    ),
    "federation-denied": Ailment(
        ("trust_policy", "oidc_provider_config", "config_incomplete"),
        ("AccessDenied", "AccessDeniedException"),
        False,
        "assume-role-denied",
    ),
    "root-assumes": Ailment(
        ("wrong_identity", "trust_policy", "permission_denied"), ("AccessDenied",), False, "assume-role-denied"
    ),
    "mfa-failed": Ailment(
        ("mfa_failed", "config_incomplete", "clock_skew"), ("AccessDenied", "ValidationError"), False, "mfa-failed"
    ),
    "oidc-provider": Ailment(
        ("oidc_provider_config", "web_identity_token_expired", "config_incomplete"), ("InvalidIdentityToken",)
    ),
    "idp-unreachable": Ailment(
        ("idp_unreachable", "oidc_provider_config", "aws_side_or_tool_bug"),
        ("IDPCommunicationError", "InvalidIdentityToken"),
    ),
    "idp-rejected": Ailment(
        ("web_identity_token_expired", "trust_policy", "oidc_provider_config"), ("IDPRejectedClaim",)
    ),
    "duration-limit": Ailment(
        ("duration_limit",), ("ValidationError", "ValidationException"), False, "duration-over-role-max"
    ),
    "role-setting": Ailment(("config_incomplete",), ("ValidationError",)),
    "wrong-account": Ailment(("wrong_identity", "config_incomplete"), (), False, "shadowed-source"),
    "session-calls-sts": Ailment(("wrong_identity", "config_incomplete", "permission_denied"), ("AccessDenied",)),
    "sts-denied": Ailment(
        ("permission_denied", "mfa_failed", "wrong_identity"),
        ("AccessDenied", "AccessDeniedException"),
        False,
        "AccessDenied",
    ),
    "tags-invalid": Ailment(("config_incomplete", "trust_policy", "aws_side_or_tool_bug"), ("ValidationError",)),
    "policy-too-big": Ailment(("config_incomplete",), ("MalformedPolicyDocument", "PackedPolicyTooLarge")),
    "outbound-jwt": Ailment(
        ("config_incomplete",),
        (
            *("JWTPayloadSizeExceededException", "OutboundWebIdentityFederationDisabledException"),
            *("JWTPayloadSizeExceeded", "OutboundWebIdentityFederationDisabled"),
        ),
    ),
    "bad-message": Ailment(
        ("config_incomplete",), ("InvalidAuthorizationMessageException", "InvalidAuthorizationMessage")
    ),
    # IAM Identity Center, aws login
    "sso-session-revoked": Ailment(
        ("sso_login_required", "sso_cache_mismatch", "aws_side_or_tool_bug"), ("UnauthorizedException",), True
    ),
    "sso-role-forbidden": Ailment(
        ("permission_denied", "config_incomplete", "wrong_identity"), ("ForbiddenException",)
    ),
    "sso-login": Ailment(
        ("sso_login_required", "sso_cache_mismatch", "refresher_stale"),
        (
            "NoAuthTokenError",
            "SSOProviderInvalidToken",
            "TokenRetrievalError",
            "UnauthorizedSSOTokenError",
            "InvalidGrantException",
            "SSOSessionExpired",
            "CredentialsProviderError",
            "TokenProviderError",
            "ExpiredTokenException",
        ),
        True,
    ),
    "sso-never": Ailment(("sso_login_required", "sso_cache_mismatch", "config_incomplete"), ("SSOTokenLoadError",)),
    "sso-cache": Ailment(("sso_login_required", "sso_cache_mismatch", "aws_side_or_tool_bug"), ("SSOSessionExpired",)),
    "sso-config": Ailment(("config_incomplete", "sso_cache_mismatch"), ("InvalidConfig", "CredentialsProviderError")),
    "sso-client": Ailment(("sso_login_required", "config_incomplete"), ("InvalidClientException",), True),
    "sso-client-refused": Ailment(("config_incomplete",), ("UnauthorizedClientException",)),
    "sso-oidc-refused": Ailment(
        ("config_incomplete", "sso_login_required", "sso_cache_mismatch"), (), False, "sso-login-needed"
    ),
    "sso-region": Ailment(("config_incomplete", "wrong_region_or_partition"), ("InvalidRequestRegionException",)),
    "login": Ailment(
        ("login_required", "permission_denied"), ("LoginRefreshRequired", "AccessDeniedException"), True, "login-needed"
    ),
    "login-never": Ailment(("login_required",), ("LoginTokenLoadError",), False, "login-needed"),
    "login-permission": Ailment(("permission_denied",), ("LoginInsufficientPermissions",), False, "login-needed"),
    # no credentials, or only parts
    "no-credentials": Ailment(("no_credentials", "metadata_unreachable", "config_incomplete")),
    "imds-off": Ailment(("no_credentials", "config_incomplete", "metadata_unreachable"), ("NoEC2IMDSRole",)),
    "imds-region": Ailment(("config_incomplete", "metadata_unreachable"), (), False, "metadata-unreachable"),
    "web-token-file": Ailment(("config_incomplete", "web_identity_token_expired"), ("WebIdentityErr",)),
    "imds-role": Ailment(("no_credentials", "metadata_unreachable", "config_incomplete"), ("NoEC2IMDSRole",)),
    "assume-generic": Ailment(("trust_policy", "no_credentials", "expired_static_copy"), ("NoValidCredentialSources",)),
    "partial": Ailment(("config_incomplete", "no_credentials"), ("PartialCredentials", "EmptyStaticCreds")),
    "profile-missing": Ailment(
        ("config_incomplete", "wrong_identity"),
        ("ProfileNotFound", "CredentialsProviderError", "SdkClientException", "SharedConfigProfileNotExistsError"),
    ),
    "config-invalid": Ailment(
        ("config_incomplete",),
        ("InvalidConfig", "InvalidConfigError", "InfiniteLoopConfigError", "SharedConfigAssumeRoleError"),
    ),
    "process-output": Ailment(("config_incomplete",), ("CredentialRetrievalError",)),
    "container-refused": Ailment(
        ("config_incomplete", "metadata_unreachable", "permission_denied"), ("CredentialRetrievalError",)
    ),
    "process-failed": Ailment(
        ("config_incomplete", "sso_login_required", "expired_static_copy"),
        ("CredentialRetrievalError", "CredentialProcessFailed"),
    ),
    "metadata": Ailment(
        ("metadata_unreachable", "no_credentials", "config_incomplete"),
        (
            "EC2MetadataError",
            "CredentialRetrievalError",
            "AmazonClientException",
            "EC2RoleRequestError",
            "CredentialsEndpointError",
            "CredentialsError",
        ),
    ),
    "retrieval-failed": Ailment(
        ("config_incomplete", "metadata_unreachable", "sso_login_required"), ("CredentialRetrievalError",)
    ),
    "refresh-incomplete": Ailment(
        ("metadata_unreachable", "config_incomplete", "refresher_stale"), ("CredentialRetrievalError",)
    ),
    "still-expired": Ailment(("refresher_stale", "clock_skew", "expired_static_copy"), (), True, "metadata-stale"),
    "already-expired": Ailment(
        ("refresher_stale", "clock_skew", "expired_static_copy"), ("AmazonClientException",), True, "metadata-stale"
    ),
    "mfa-unattended": Ailment(
        ("expired_mid_run", "mfa_failed", "config_incomplete"),
        ("AssumeRoleTokenProviderNotSetError",),
        True,
        "mfa-required",
    ),
    "mfa-nobody": Ailment(("mfa_failed", "config_incomplete"), ("AssumeRoleTokenNotAvailable",), False, "mfa-required"),
    "refresh-failed": Ailment(
        (*reversed(_EXPIRED), "metadata_unreachable", "sso_login_required"), (), True, "expired-session"
    ),
    "session-words": Ailment((*_EXPIRED, "sso_login_required"), (), True, "expired-session"),
    "broker-session": Ailment((*reversed(_EXPIRED),), (), True, "msk-session-too-short"),
    "broker-principal": Ailment(("config_incomplete", "refresher_stale"), (), False, "msk-session-too-short"),
    "key-unprintable": Ailment(
        ("bad_access_key", "bad_secret_key", "config_incomplete"), (), False, "AuthorizationHeaderMalformed"
    ),
    # credentials derived from AWS ones
    "registry-expired": Ailment(
        ("registry_token_expired", "registry_login_missing"), ("ECRAuthorizationTokenExpired",), True
    ),
    "registry-login": Ailment(
        ("registry_login_missing", "registry_token_expired", "permission_denied"), ("no basic auth credentials",)
    ),
    "package-registry": Ailment(("registry_token_expired", "registry_login_missing")),
    "cluster-refused": Ailment(("k8s_identity_not_mapped", *_EXPIRED, "wrong_identity"), ("Unauthorized",)),
    "exec-failed": Ailment(
        ("expired_static_copy", "sso_login_required", "config_incomplete", "no_credentials"), ("ExecPluginFailed",)
    ),
    "exec-missing": Ailment(("config_incomplete",), ("ExecPluginMissing",)),
    "exec-version": Ailment(("config_incomplete", "aws_side_or_tool_bug"), ("ExecPluginFailed",)),
    "db-token": Ailment(
        ("db_auth_token_expired", "permission_denied", "duration_limit", "expired_static_copy"), ("PAM",), True
    ),
    "bedrock-key-over": Ailment(
        ("expired_static_copy", "expired_mid_run"), ("AccessDeniedException",), True, "bedrock-api-key"
    ),
    "bedrock-key-refused": Ailment(
        ("bad_access_key", "wrong_region_or_partition", "expired_static_copy"),
        ("AccessDeniedException",),
        False,
        "bedrock-api-key",
    ),
    "ses-smtp": Ailment(
        ("bad_secret_key", "bad_access_key", "wrong_region_or_partition"), (), False, "ses-smtp-password"
    ),
    "db-server": Ailment(("permission_denied", "db_auth_token_expired", "duration_limit"), ("PAM",)),
    "certificate": Ailment(
        ("cert_untrusted_or_expired", "clock_skew", "config_incomplete"),
        ("AccessDeniedException",),
        False,
        "UntrustedSigningCertificate",
    ),
    "anywhere-name": Ailment(
        ("config_incomplete", "permission_denied"), ("AccessDeniedException",), False, "UntrustedSigningCertificate"
    ),
    "activation": Ailment(
        ("activation_expired", "config_incomplete"), ("ActivationExpired", "InvalidActivation"), True
    ),
    "anywhere-signature": Ailment(("clock_skew", "cert_untrusted_or_expired"), ("AccessDeniedException",)),
    # users' tokens at Cognito
    "cognito-login-expired": Ailment(("web_identity_token_expired", "clock_skew"), ("NotAuthorizedException",), True),
    "cognito-provider": Ailment(
        ("oidc_provider_config", "config_incomplete", "web_identity_token_expired"), ("NotAuthorizedException",)
    ),
    "cognito-identity": Ailment(
        ("trust_policy", "config_incomplete", "oidc_provider_config"), ("NotAuthorizedException",)
    ),
    "cognito-user": Ailment(
        ("web_identity_token_expired",), ("NotAuthorizedException", "RefreshTokenReuseException"), True
    ),
    "app-user-token": Ailment(
        ("web_identity_token_expired", "config_incomplete", "no_credentials"),
        ("UnauthorizedException",),
        True,
        "app-user-token",
    ),
    "app-user-refused": Ailment(
        ("config_incomplete", "web_identity_token_expired", "no_credentials"),
        ("UnauthorizedException",),
        False,
        "app-user-token",
    ),
    "app-user-none": Ailment(
        ("no_credentials", "config_incomplete", "web_identity_token_expired"),
        ("UnauthorizedException",),
        False,
        "app-user-token",
    ),
    # a bare status
    "s3-head": Ailment(
        (*_EXPIRED, "wrong_region_or_partition", "stale_session_token"), ("HTTP400", "BadRequest"), True
    ),
    "s3-head-denied": Ailment(
        ("permission_denied", "bad_access_key", "missing_session_token", "bad_secret_key", "clock_skew"),
        ("HTTP403", "Forbidden"),
    ),
    "codecommit": Ailment(
        ("registry_token_expired", "registry_login_missing", "config_incomplete", "permission_denied"), ("HTTP403",)
    ),
    "signed-url-denied": Ailment(
        ("presigned_url_expired", "signing_or_proxy", "permission_denied", "presigned_session_expired"), ("HTTP403",)
    ),
    "signed-url-bad": Ailment(("signing_or_proxy", "presigned_url_expired"), ("HTTP400",)),
    "denied-status": Ailment(("permission_denied", "bad_access_key", "clock_skew")),
    "waiter": Ailment((*_EXPIRED, "aws_side_or_tool_bug"), ("ResourceNotReady",), True),
}

_NEEDS_A_SENTENCE = frozenset(
    (
        "AccessDenied",
        "AccessDeniedException",
        "ValidationError",
        "ValidationException",
        "InvalidRequest",
        "InvalidArgument",
        "NotAuthorizedException",
        "AmazonClientException",
        "SdkClientException",
        "BadRequest",
        "Forbidden",
        "Unauthorized",
        "PAM",
        "HTTP400",
        "HTTP403",
        "no basic auth credentials",
        "InvalidTokenException",
    )
)
"""Codes that are too general to tell an ailment by themselves."""

_MEANT_FIRST = {
    "ExpiredToken": "session-expired",
    "ExpiredTokenException": "session-expired",
    "InvalidToken": "s3-token-invalid",
    "SignatureDoesNotMatch": "signature-unclear",
    "InvalidSignatureException": "json-signature-unclear",
    "MissingAuthenticationToken": "unsigned",
    "MissingAuthenticationTokenException": "route-unknown",
    "AuthorizationHeaderMalformed": "header-malformed",
    "AuthorizationQueryParametersError": "query-auth-wrong",
    "InvalidIdentityToken": "oidc-provider",
    "CredentialRetrievalError": "retrieval-failed",
    "CredentialProcessFailed": "process-failed",
    "NoCredentials": "no-credentials",
    "NoCredentialProviders": "no-credentials",
    "NoValidCredentialSources": "no-credentials",
    "CredentialsError": "no-credentials",
    "CredentialsProviderError": "no-credentials",
    "MissingCredentialsError": "no-credentials",
    "NoEC2IMDSRole": "imds-role",
    "TokenProviderError": "sso-login",
    "SSOSessionExpired": "sso-login",
    "ExecPluginFailed": "exec-failed",
}
"""Where several ailments share a code: the one that the bare code stands for."""

AILMENT_OF_CODE: dict[str, str] = {
    code: name
    for name, ailment in reversed(AILMENTS.items())
    for code in ailment.codes
    if code not in _NEEDS_A_SENTENCE
} | _MEANT_FIRST
"""The ailment that a code shows when no sentence says more."""

AILMENT_IN: dict[tuple[str, str], str] = {
    ("presigned-expired", "RequestExpired"): "request-expired",
    ("request-expired", "AccessDenied"): "presigned-expired",
    ("signature-unclear", "AccessDenied"): "signature-expired",
    ("pod-identity-expired", "ExpiredToken"): "session-expired",
}
"""Sentences that two services share: the code beside one decides which ailment it is."""
