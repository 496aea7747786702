"""What a text shows beyond its code moves a cause to the front, and says why."""

# ruff: noqa: E501 - texts as tools print them

from __future__ import annotations

import pytest

from unexpire.reference.match import match_text

ENDED = "An error occurred (ExpiredToken) when calling the GetObject operation: The provided token has expired."
INVALID = "An error occurred (UnrecognizedClientException) when calling the ListTables operation: The security token included in the request is invalid."
NOBODY = 'Unable to locate credentials. You can configure credentials by running "aws configure".'
CHAIN = "NoCredentialProviders: no valid providers in chain. caused by: EnvAccessKeyNotFound: failed to find credentials in the environment."
PRESIGNED = "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261010T101010Z&X-Amz-Expires=3600&X-Amz-Credential=AKIA0000000000000000%2F20261010%2Fus-east-1%2Fs3%2Faws4_request"
DENIED = "An error occurred (AccessDenied) when calling the AssumeRole operation: User: arn:aws:iam::111122223333:user/dev is not authorized to perform: sts:AssumeRole on resource: "
ROLE = "arn:aws:iam::111122223333:role/Deploy"
MFA = "An error occurred (AccessDenied) when calling the AssumeRole operation: MultiFactorAuthentication failed with invalid MFA one time pass code."
MISMATCH = "SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided. Check your key and signing method."


@pytest.mark.parametrize(
    ("text", "cause", "because"),
    [
        # a session that ended
        (f"AWS_SESSION_TOKEN is read from .env\n{ENDED}", "expired_static_copy", "copied"),
        (f"Error: Failed to save state\n{ENDED}", "expired_mid_run", "under way"),
        (f"irsa: {ENDED}", "refresher_stale", "renews itself"),
        (f"could not fetch the presigned url: {ENDED}", "presigned_session_expired", "signed URL"),
        (f"RequestExpired: Request has expired. {PRESIGNED}", "presigned_url_expired", "signed URL"),
        # nobody gave credentials
        (f"GET http://169.254.169.254/latest/meta-data/iam/security-credentials/: 404\n{NOBODY}", "no_credentials", "404"),
        (f"/Users/dev/app/main.py\n{NOBODY} http://169.254.169.254/latest/meta-data/ timed out", "no_credentials", "desktop"),
        (f"{CHAIN} http://169.254.169.254/latest/meta-data: dial tcp: connect: network is unreachable", "no_credentials", "no machine of EC2"),
        ("Unable to load credentials from any of the providers in the chain: [ContainerCredentialsProvider(): Failed to load credentials from the container's endpoint]", "metadata_unreachable", "container"),
        (f"{CHAIN} context deadline exceeded", "metadata_unreachable", "timed out"),
        ("error: Unable to locate credentials, expired AWS credentials were found", "expired_static_copy", "expired"),
        (f"aws_instance.db: Still creating... [58m0s elapsed]\n{NOBODY}", "expired_mid_run", "under way"),
        (f"$ aws s3 ls --profile nightly\n{NOBODY}", "config_incomplete", "a profile was named"),
        # metadata
        ("Error when retrieving credentials from container-role: the token is expired", "refresher_stale", "Pod Identity"),
        # an identity that may not
        (f"{DENIED}{ROLE} because no identity-based policy allows the sts:AssumeRole action", "permission_denied", "caller's side"),
        (f"{DENIED}{ROLE} because no resource-based policy allows the sts:AssumeRole action", "trust_policy", "trust policy"),
        (f"{DENIED}arn:aws:iam::111122223333:user/Deploy", "config_incomplete", "a role's belongs there"),
        # keys and tokens that AWS does not take
        (f"it worked until noon\n{INVALID}", "expired_static_copy", "worked before"),
        (f"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE {INVALID}", "bad_access_key", "AKIA"),
        (f"AWS_ACCESS_KEY_ID=ASIAIOSFODNN7EXAMPLE {INVALID}", "missing_session_token", "ASIA"),
        (f"sessionToken: undefined {INVALID}", "missing_session_token", "missing"),
        (f"arn:aws-us-gov:iam::111122223333:user/dev {INVALID}", "wrong_region_or_partition", "partition"),
        ("Unable to get ACTIONS_ID_TOKEN_REQUEST_URL env variable", "config_incomplete", "id-token: write"),
        ("AuthFailure: AWS was not able to validate the provided access credentials; the system time was corrected by ntp", "clock_skew", "clock"),
        # signatures
        (f"{MISMATCH} X-Forwarded-For: 10.0.0.9", "signing_or_proxy", "between client and AWS"),
        (f"{MISMATCH} {PRESIGNED}", "signing_or_proxy", "signed URL"),
        (f"{MISMATCH} <CanonicalRequest>GET /a%2Fb", "signing_or_proxy", "encoded"),
        ("<Error><Code>InvalidAccessKeyId</Code><Message>The AWS Access Key Id you provided does not exist in our records.</Message><AWSAccessKeyId>minioadmin</AWSAccessKeyId></Error>", "bad_access_key", "none of AWS's"),
        ("AuthorizationHeaderMalformed: The authorization header is malformed; the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".", "bad_access_key", "credential scope"),
        ("IncompleteSignatureException: 'ASIA' not a valid key=value pair (missing equal-sign) in Authorization header (API Gateway)", "unsigned_or_wrong_route", "API Gateway"),
        # helpers
        ("Error when retrieving credentials from Ec2InstanceMetadata: No credentials found in credential_source referenced in profile dev", "metadata_unreachable", "metadata service"),
        ("CredentialRetrievalError: Error when retrieving credentials from login: the token has expired", "sso_login_required", "made by a login"),
        ("Error when retrieving credentials from custom-process: your session has expired, please log in", "sso_login_required", "a login"),
        ("Error when retrieving credentials from custom-process: the keys are expired", "expired_static_copy", "something expired"),
        ("error: You must be logged in to the server (Unauthorized): the eks token may have expired", "expired_static_copy", "token"),
        (f"There are expired AWS credentials here; {'the rest of this report ' * 6}names aws sso login.", "sso_login_required", "login to SSO"),
    ],
)  # fmt: skip
def test_what_the_text_shows_comes_first(text: str, cause: str, because: str) -> None:
    first = match_text(text)[0].causes[0]
    assert first.label == cause
    assert because in (first.why or "")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (f"profile dev-sso (Identity Center): {ENDED}", "sso_login_required"),
        (f"{MFA} Please verify your MFA serial number is valid", "config_incomplete"),
        (f"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE {INVALID}", "stale_session_token"),
    ],
)
def test_what_the_text_shows_comes_second(text: str, cause: str) -> None:
    assert match_text(text)[0].causes[1].label == cause


@pytest.mark.parametrize(
    ("text", "look_at"),
    [
        (f"AccessDenied: Request has expired {PRESIGNED.replace('AKIA0', 'ASIA0')}&X-Amz-Security-Token=IQo", "the URL was signed by a session"),
        ("public.ecr.aws/docker/library/python: denied: Your authorization token has expired. Reauthenticate and try again.", "docker logout public.ecr.aws"),
    ],
)  # fmt: skip
def test_what_else_to_look_at(text: str, look_at: str) -> None:
    assert any(each.startswith((look_at, f"`{look_at}")) for each in match_text(text)[0].look_at)
