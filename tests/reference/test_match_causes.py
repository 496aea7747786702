"""What in a text moves a cause to the front, and what looks like it and does not: our own wordings."""

# ruff: noqa: E501 - texts as tools print them

from __future__ import annotations

import io

import pytest

from unexpire.reference.match import Match, match_text
from unexpire.reference.scan import PIECE, scan

INVALID = "The security token included in the request is invalid."
ROLE = "arn:aws:iam::210987654321:role/build"

SKEWED = (
    "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the current time is too large."
    "</Message><RequestTime>{request}</RequestTime><ServerTime>{server}</ServerTime></Error>"
)
REFUSED = "error: You must be logged in to the server (the server has asked for the client to provide credentials)"
GIT = (
    "{before}fatal: unable to access 'https://git-codecommit.eu-north-1.amazonaws.com/v1/repos/shop/': "
    "The requested URL returned error: 403"
)
NOTHING = "NoCredentialProviders: no valid providers in chain"


def causes(text: str) -> list[str]:
    return [cause.label for cause in match_text(text)[0].causes]


@pytest.mark.parametrize(
    ("text", "likeliest"),
    [
        (f"UnrecognizedClientException: {INVALID}", "missing_session_token"),
        (f"InvalidClientTokenId: {INVALID}", "missing_session_token"),
        (f"aws-okta exec prod: InvalidClientTokenId: {INVALID}", "expired_static_copy"),
        (f"aws-vault: error: Failed to get credentials for shop: InvalidClientTokenId: {INVALID}", "bad_access_key"),
        (
            f"$ aws-vault exec shop -- aws iam list-roles\nAn error occurred (InvalidClientTokenId) when calling the ListRoles operation: {INVALID}",
            "permission_denied",
        ),
        (f"Error: creating IAM Policy (shop): InvalidClientTokenId: {INVALID}", "permission_denied"),
        (f"Error: creating SNS Topic (shop): InvalidClientTokenId: {INVALID}", "missing_session_token"),
        (f"eu-west-1 ok, now il-central-1\nInvalidClientTokenId: {INVALID}", "wrong_region_or_partition"),
        (f"prowler: check lambda_1: UnrecognizedClientException: {INVALID}", "wrong_region_or_partition"),
        (f"[output:kinesis_streams:k.0] UnrecognizedClientException: {INVALID}", "refresher_stale"),
        (f"wrote out_dir: UnrecognizedClientException: {INVALID}", "missing_session_token"),
        (
            f"pull of 210987654321.dkr.ecr.eu-north-1.amazonaws.com/shop: denied: {INVALID}",
            "registry_token_expired",
        ),
        (f"UnrecognizedClientException: access denied: {INVALID}", "missing_session_token"),
        (
            f"User: arn:aws:sts::210987654321:assumed-role/ci/run-1 is not authorized to perform: sts:AssumeRole on resource: {ROLE}",
            "trust_policy",
        ),
        (
            "User: arn:aws:iam::210987654321:user/ci is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam:::role/build",
            "config_incomplete",
        ),
        (
            "mfa_serial arn:aws:iam::210987654321:user/ci\nAccessDenied: MultiFactorAuthentication failed, unable to validate MFA code",
            "config_incomplete",
        ),
        (
            "mfa_serial arn:aws:iam::210987654321:mfa/ci\nAccessDenied: MultiFactorAuthentication failed, unable to validate MFA code",
            "mfa_failed",
        ),
        (
            f"operation error STS: GetFederationToken, api error InvalidClientTokenId: {INVALID}",
            "bad_access_key",
        ),
        (
            f"Error: validating provider credentials: retrieving caller identity: api error InvalidClientTokenId: {INVALID}",
            "bad_access_key",
        ),
        (
            "InvalidAccessKeyId: The AWS Access Key Id you provided does not exist in our records.",
            "missing_session_token",
        ),
        ("InvalidAccessKeyId: The Access Key Id you provided does not exist in our records.", "bad_access_key"),
        (
            "IncompleteSignatureException: 'eyJh' not a valid key=value pair (missing equal-sign) in Authorization header: 'Bearer eyJh'.",
            "unsigned_or_wrong_route",
        ),
        (
            (
                "IncompleteSignature: 'x/y/z/aws4_request' not a valid key=value pair (missing equal-sign) in Authorization header: "
                "'AWS4-HMAC-SHA256 Credential=$KEY_ID/x/y/z/aws4_request'."
            ),
            "bad_access_key",
        ),
        (
            "SSOProviderInvalidToken: the SSO session has expired or is invalid: failed to unmarshal the cached token",
            "sso_cache_mismatch",
        ),
        (f"{REFUSED}\n\nreal\t15m2.118s\nuser\t0m1.2s", "expired_mid_run"),
        (f"{REFUSED}\n\nreal\t14m58.118s\nuser\t15m1.2s", "k8s_identity_not_mapped"),
        (SKEWED.format(request="20300105T101500Z", server="2030-01-05T10:30:07Z"), "request_delayed"),
        (
            (
                "IncompleteSignature: 'Key' not a valid key=value pair (missing equal-sign) in Authorization header: "
                "'AWS4-HMAC-SHA256 Credential=Key ID: AKIAQWERTYUIOPASDFGH/20300105/eu-north-1/sts/aws4_request'."
            ),
            "bad_access_key",
        ),
        (
            "ValidationError: 1 validation error detected: Value '12 345' at 'tokenCode' failed to satisfy constraint: Member must",
            "mfa_failed",
        ),
        (f"{NOTHING}\nSharedCredsLoad: failed to get profile, shop", "config_incomplete"),
        (f"{NOTHING}\nSharedCredsLoad: failed to load profile, .", "no_credentials"),
        (f"$ docker run -v ~/.aws:/home/app/.aws tool\n{NOTHING}", "config_incomplete"),
        (f"Reconciler error: volume-4711: {NOTHING}", "metadata_unreachable"),
        ("Couldn't find AWS credentials in any source", "no_credentials"),
        ("error 6146: AWS_AUTH_SIGNING_NO_CREDENTIALS", "no_credentials"),
        (SKEWED.format(request="20300105T101500Z", server="2030-01-05T10:36:00Z"), "clock_skew"),
        (SKEWED.format(request="20300105T103007Z", server="2030-01-05T10:15:00Z"), "clock_skew"),
        (GIT.format(before=""), "registry_token_expired"),
        (GIT.format(before="/usr/local/bin/aws: bad interpreter: No such file or directory\n"), "config_incomplete"),
        (
            "Get http://169.254.169.254/latest/meta-data/placement/availability-zone: dial tcp 169.254.169.254:80: i/o timeout",
            "config_incomplete",
        ),
        (
            "Get http://169.254.169.254/latest/meta-data/iam/info: dial tcp 169.254.169.254:80: i/o timeout",
            "metadata_unreachable",
        ),
        ("getting credentials: exec: executable aws failed with exit code 252", "config_incomplete"),
        ("getting credentials: exec: executable aws failed with exit code 126", "config_incomplete"),
        ("getting credentials: exec: executable aws failed with exit code 253", "no_credentials"),
        ("getting credentials: exec: executable /usr/bin/aws failed with exit code 254", "expired_static_copy"),
        ("getting credentials: exec: executable aws failed with exit code 255", "sso_login_required"),
        (
            "getting credentials: exec: executable aws-iam-authenticator failed with exit code 255",
            "expired_static_copy",
        ),
        (
            "the SSO session has expired or is invalid: failed to read cached SSO token file, open /srv/.aws/sso/cache/0a.json: no such file or directory",
            "sso_login_required",
        ),
        (
            "SSOProviderInvalidToken: the SSO session has expired or is invalid\ncaused by: open /srv/.aws/sso/cache/0a.json: no such file or directory",
            "sso_cache_mismatch",
        ),
        ("SSOProviderInvalidToken: the SSO session has expired or is invalid", "sso_login_required"),
        (
            "failed to read cached SSO token file, open /srv/.aws/sso/cache/0a.json: no such file or directory",
            "sso_login_required",
        ),
        (
            "An error occurred (InvalidSignatureException) when calling the UpdateFunctionCode operation: Signature expired: 20261010T101010Z is now earlier than 20261010T101520Z (20261010T102020Z - 5 min.)",
            "request_delayed",
        ),
        (
            "An error occurred (InvalidSignatureException) when calling the UpdateFunctionCode operation: Signature expired: 20261010T051010Z is now earlier than 20261010T101520Z (20261010T102020Z - 5 min.)",
            "clock_skew",
        ),
        (
            "Error: connect EHOSTUNREACH 169.254.169.254:80\n    at /var/task/index.js:3:1",
            "metadata_unreachable",
        ),
    ],
)
def test_the_text_moves_a_cause_to_the_front(text: str, likeliest: str) -> None:
    assert causes(text)[0] == likeliest


def test_a_role_that_assumes_itself_may_be_named_twice() -> None:
    text = "User: arn:aws:sts::210987654321:assumed-role/{}/run-1 is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::210987654321:role/ci/build"
    assert causes(text.format("build"))[1] == "config_incomplete"
    assert "config_incomplete" not in causes(text.format("buil"))
    assert "config_incomplete" not in causes(text.format("build-all"))


@pytest.mark.parametrize(
    "text",
    [
        "Unable to resolve AWS account to use. It must be either configured when you define your CDK Stack, or through the environment",
        "Deployment failed: Error: Need to perform AWS calls for account 210987654321, but no credentials have been configured",
    ],
)
def test_the_cdk_says_no_credentials_of_a_login_that_is_over(text: str) -> None:
    assert causes(text)[:2] == ["no_credentials", "sso_login_required"]


def test_a_chain_of_java_tells_of_a_host_that_it_refuses() -> None:
    chain = "com.amazonaws.SdkClientException: Unable to load AWS credentials from any provider in the chain: [EC2ContainerCredentialsProviderWrapper@1: "
    host = "The full URI (http://{}/credentials) contained withing environment variable AWS_CONTAINER_CREDENTIALS_FULL_URI has an invalid host. Host can only be one of [localhost, 127.0.0.1]]"
    assert causes(chain + host.format("[::1]:4711"))[:2] == ["aws_side_or_tool_bug", "config_incomplete"]
    assert causes(chain + host.format("192.0.2.7"))[0] == "config_incomplete"


@pytest.mark.parametrize(
    ("text", "second"),
    [
        (f"UnrecognizedClientException: {INVALID}", "expired_static_copy"),
        (f"InvalidClientTokenId: {INVALID}", "wrong_region_or_partition"),
    ],
)
def test_a_service_is_called_with_an_old_set_sts_in_another_region(text: str, second: str) -> None:
    assert causes(text)[1] == second


def test_raw_xml_of_ec2_is_a_program_that_signs_by_itself() -> None:
    sentence = "AWS was not able to validate the provided access credentials"
    xml = f"<Response><Errors><Error><Code>AuthFailure</Code><Message>{sentence}</Message></Error></Errors></Response>"
    shown, plain = match_text(xml)[0].causes[1], match_text(f"AuthFailure: {sentence}")[0].causes[1]
    assert (shown.label, plain.label) == ("missing_session_token", "wrong_region_or_partition")
    assert "signs by itself" in (shown.why or "")
    assert plain.why is None


@pytest.mark.parametrize(
    ("text", "expiry"),
    [
        ("Error loading SSO Token: The SSO access token has either expired or is otherwise invalid.", True),
        ("Error loading SSO Token: Token for payroll does not exist", False),
    ],
)
def test_a_login_that_never_was_is_not_over(text: str, expiry: bool) -> None:
    match = match_text(text)[0]
    assert (match.code, match.expiry_related) == ("SSOTokenLoadError", expiry)


@pytest.mark.parametrize(
    "line",
    [
        b"2026-10-10T10:00:00Z ERROR failed to load instance profile: no answer",
        b'2026-10-10T10:00:00Z ERROR Get "http://169.254.169.254/latest/api/token": context deadline exceeded',
        b"2026-10-10T10:00:00Z ERROR operation error ec2imds: GetMetadata, canceled, context deadline exceeded",
    ],
)
def test_a_long_log_with_nothing_but_metadata_errors_is_not_passed_over(line: bytes) -> None:
    quiet = b"2026-10-10T10:00:00Z INFO  worker handled request path=/api/items status=200\n"
    data = quiet * (PIECE // len(quiet)) + line + b"\n" + quiet * (PIECE // len(quiet))
    found: list[Match] = scan(io.BytesIO(data).read)
    assert [match.ailment for match in found] == ["metadata"]


@pytest.mark.parametrize(
    ("text", "ailment", "line"),
    [
        ("InvalidToken", "s3-token-invalid", 1),
        ("SignatureDoesNotMatch", "signature-unclear", 1),
        ("There are expired AWS credentials in your environment.", "session-words", 1),
        ("Provider is not connected: The provided AWS Session Token is expired", "session-words", 1),
        ("Resolution failed:\nInfinite loop in credential configuration detected. Visited profiles: ['a', 'b']", "config-invalid", 2),
        ("Fatal: unable to open S3 backend: Key ID ($AWS_ACCESS_KEY_ID) is empty", "no-credentials", 1),
        ("fatal: unable to access 'codecommit://dev@repo/': The requested URL returned error: 403", "codecommit", 1),
    ],
)  # fmt: skip
def test_the_record_before_an_error_does_not_hide_it(text: str, ailment: str, line: int) -> None:
    quiet = b"2026-10-10T10:00:00Z INFO  worker handled request path=/api/items status=200\n"
    found = scan(io.BytesIO(quiet * 30 + text.encode() + b"\n" + quiet * 30).read)
    assert [(match.ailment, match.first_line) for match in found] == [(ailment, 30 + line)]


def test_a_session_that_a_program_renews_by_itself_is_no_error() -> None:
    renewed = "2026-10-10T10:00:00Z INFO  the AWS session token expired, refreshing\n"
    failed = "2026-10-10T10:00:09Z ERROR the AWS session token has expired\n"
    assert not any(match.aws_auth for match in match_text(renewed))
    assert [match.first_line for match in match_text(renewed + failed) if match.aws_auth] == [2]
