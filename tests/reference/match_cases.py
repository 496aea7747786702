"""Error texts of our own making, with what they are: formats from the tools' sources, ids, names and times invented.

`SERVICE_ERRORS` times `LAYOUTS` gives what a service's answer looks like through every SDK; `CLIENT_TEXTS` are what tools say by
themselves; `NEGATIVES` must be left alone. A cause of None: the text does not tell, any is right.
"""

# ruff: noqa: E501 - texts as tools print them

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple


class Case(NamedTuple):
    """One labelled text. `cause` is the likeliest label; a set holds labels of which any may come first."""

    name: str
    text: str
    code: str | None
    causes: frozenset[str]
    expiry: bool
    aws: bool = True


class Answer(NamedTuple):
    """What a service says."""

    code: str
    message: str
    service: str
    sdk: str
    operation: str
    status: int
    causes: frozenset[str]
    expiry: bool


class Wording(NamedTuple):
    """The fewest words that a sentence needs. `ailment` may be ``page:NAME``; `code` is ``-`` where the words alone have none."""

    ailment: str
    code: str
    text: str


def _any(*labels: str) -> frozenset[str]:
    return frozenset(labels)


SESSION = _any("expired_static_copy", "expired_mid_run", "refresher_stale")
UNKNOWN_TOKEN = _any("bad_access_key", "missing_session_token", *SESSION)
SIGNED_URL = "https://files.s3.eu-west-1.amazonaws.com/a.zip?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261010%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date=20261010T090000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=0f1e"
REQUEST_ID = "5f0b9c1e-77aa-4c1d-9a55-0c6d9e1f2a3b"

SERVICE_ERRORS = (
    Answer("ExpiredToken", "The security token included in the request is expired", "sts", "STS", "GetAccessKeyInfo", 403, SESSION, True),
    Answer("ExpiredToken", "The provided token has expired.", "s3", "S3", "ListObjectsV2", 400, SESSION, True),
    Answer("ExpiredTokenException", "The security token included in the request is expired", "ssm", "SSM", "GetParameter", 400, SESSION, True),
    Answer("RequestExpired", "Request has expired.", "ec2", "EC2", "DescribeVpcs", 400, SESSION, True),
    Answer(
        "ExpiredTokenException", "Token expired: current date/time 1761000000 must be before the expiration date/time1760990000", "sts", "STS",
        "AssumeRoleWithWebIdentity", 400, _any("web_identity_token_expired"), True,
    ),
    Answer("InvalidClientTokenId", "The security token included in the request is invalid.", "iam", "IAM", "ListUsers", 403, UNKNOWN_TOKEN, False),
    Answer(
        "UnrecognizedClientException", "The security token included in the request is invalid.", "kms", "KMS", "Decrypt", 400, UNKNOWN_TOKEN, False
    ),
    Answer(
        "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", "s3", "S3", "PutObject", 403,
        _any("bad_access_key", "missing_session_token"), False,
    ),
    Answer(
        "InvalidToken", "The provided token is malformed or otherwise invalid.", "s3", "S3", "ListBuckets", 400,
        _any("wrong_region_or_partition", "stale_session_token"), False,
    ),
    Answer(
        "AuthFailure", "AWS was not able to validate the provided access credentials", "ec2", "EC2", "DescribeSubnets", 401,
        _any("clock_skew", "wrong_region_or_partition", "bad_access_key"), False,
    ),
    Answer(
        "SignatureDoesNotMatch",
        "Signature expired: 20261010T101010Z is now earlier than 20261010T112233Z (20261010T113733Z - 15 min.)", "sts", "STS", "GetAccessKeyInfo", 403,
        _any("clock_skew"), False,
    ),
    Answer(
        "InvalidSignatureException",
        "Signature not yet current: 20261010T121010Z is still later than 20261010T110500Z (20261010T110000Z + 5 min.)", "logs", "CloudWatch Logs",
        "PutLogEvents", 400, _any("clock_skew"), False,
    ),
    Answer(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.", "s3", "S3", "GetObject", 403,
        _any("bad_secret_key", "signing_or_proxy"), False,
    ),
    Answer(
        "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", "s3", "S3", "CopyObject", 403,
        _any("clock_skew"), False,
    ),
    Answer(
        "RegionDisabledException",
        "STS is not activated in this region for account:210987654321. Your account administrator can activate STS in this region using the IAM Console.",
        "sts", "STS", "AssumeRole", 403, _any("wrong_region_or_partition"), False,
    ),
    Answer(
        "AccessDenied",
        "User: arn:aws:iam::210987654321:user/robot is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/deploy",
        "sts", "STS", "AssumeRole", 403, _any("trust_policy", "permission_denied"), False,
    ),
    Answer(
        "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", "sts", "STS", "AssumeRoleWithWebIdentity", 403,
        _any("trust_policy"), False,
    ),
    Answer(
        "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.", "sts", "STS", "GetSessionToken", 403,
        _any("mfa_failed"), False,
    ),
    Answer(
        "InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://idp.example.org", "sts", "STS",
        "AssumeRoleWithWebIdentity", 400, _any("oidc_provider_config"), False,
    ),
    Answer(
        "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", "sts", "STS", "AssumeRole", 400,
        _any("duration_limit"), False,
    ),
    Answer("UnauthorizedException", "Session token not found or invalid", "sso", "SSO", "GetRoleCredentials", 401, _any("sso_login_required"), True),
    Answer("ForbiddenException", "No access", "sso", "SSO", "GetRoleCredentials", 403, _any("permission_denied"), False),
    Answer("InvalidGrantException", "Invalid refresh token provided", "sso-oidc", "SSO OIDC", "CreateToken", 400, _any("sso_login_required"), True),
    Answer(
        "NotAuthorizedException", "Invalid login token. Token expired: 1761000500 >= 1761000000", "cognito-identity", "Cognito Identity",
        "GetCredentialsForIdentity", 400, _any("web_identity_token_expired"), True,
    ),
    Answer(
        "IncompleteSignatureException",
        "'dGVzdA' not a valid key=value pair (missing equal-sign) in Authorization header: 'Bearer dGVzdA'.", "execute-api", "API Gateway", "GetApis", 403,
        _any("signing_or_proxy"), False,
    ),
)  # fmt: skip


def _cli1(a: Answer) -> str:
    return f"\nAn error occurred ({a.code}) when calling the {a.operation} operation: {a.message}"


def _cli2(a: Answer) -> str:
    return f"\naws: [ERROR]: An error occurred ({a.code}) when calling the {a.operation} operation (reached max retries: 4): {a.message}"


def _cli_json(a: Answer) -> str:
    return f'{{\n    "Code": "{a.code}",\n    "Message": "{a.message}"\n}}'


def _boto3(a: Answer) -> str:
    return (
        'Traceback (most recent call last):\n  File "/srv/job/main.py", line 41, in <module>\n    run()\n'
        '  File "/srv/venv/lib/python3.12/site-packages/botocore/client.py", line 1021, in _make_api_call\n'
        "    raise error_class(parsed_response, operation_name)\n"
        f"botocore.exceptions.ClientError: An error occurred ({a.code}) when calling the {a.operation} operation: {a.message}"
    )


def _boto3_dict(a: Answer) -> str:
    return f"{{'Error': {{'Code': '{a.code}', 'Message': \"{a.message}\"}}, 'ResponseMetadata': {{'HTTPStatusCode': {a.status}}}}}"


def _go1(a: Answer) -> str:
    return f"panic: {a.code}: {a.message}\n\tstatus code: {a.status}, request id: {REQUEST_ID}\n\ngoroutine 1 [running]:\nmain.main()"


def _go2(a: Answer) -> str:
    return (
        f"2026/10/10 11:22:33 list: operation error {a.sdk}: {a.operation}, https response error StatusCode: {a.status}, "
        f"RequestID: {REQUEST_ID}, api error {a.code}: {a.message}"
    )


def _java1(a: Answer) -> str:
    return (
        f'Exception in thread "main" com.amazonaws.AmazonServiceException: {a.message} (Service: Amazon{a.sdk.replace(" ", "")}; '
        f"Status Code: {a.status}; Error Code: {a.code}; Request ID: {REQUEST_ID}; Proxy: null)\n"
        "\tat com.amazonaws.http.AmazonHttpClient$RequestExecutor.handleErrorResponse(AmazonHttpClient.java:1862)\n"
        "\tat org.example.Job.main(Job.java:17)"
    )


def _js3(a: Answer) -> str:
    return (
        f"{a.code}: {a.message}\n    at throwDefaultError (/srv/app/node_modules/@smithy/smithy-client/dist-cjs/index.js:388:20)\n"
        f"    at process.processTicksAndRejections (node:internal/process/task_queues:95:5) {{\n  '$fault': 'client',\n  '$metadata': {{\n"
        f"    httpStatusCode: {a.status},\n    requestId: '{REQUEST_ID}',\n    attempts: 1\n  }},\n  Code: '{a.code}'\n}}"
    )


def _js2(a: Answer) -> str:
    return (
        f"{a.code}: {a.message}\n    at Request.extractError (/srv/app/node_modules/aws-sdk/lib/protocol/json.js:61:27)\n"
        f"  code: '{a.code}',\n  requestId: '{REQUEST_ID}',\n  statusCode: {a.status},\n  retryable: false"
    )


def _dotnet(a: Answer) -> str:
    return (
        f"Unhandled exception. Amazon.Runtime.AmazonServiceException: {a.message}\n ---> Amazon.Runtime.Internal.HttpErrorResponseException: "
        f"Exception of type 'Amazon.Runtime.Internal.HttpErrorResponseException' was thrown.\n   at Amazon.Runtime.HttpWebRequestMessage.Send()\n"
        f"ErrorCode: {a.code}, StatusCode: {a.status}"
    )


def _php(a: Answer) -> str:
    host = f"https://{a.service}.eu-central-1.amazonaws.com"
    return (
        f'PHP Fatal error:  Uncaught exception \'Aws\\Exception\\AwsException\' with message \'Error executing "{a.operation}" on "{host}/"; AWS HTTP error: '
        f"Client error: `POST {host}/` resulted in a `{a.status} X` response:\n... (truncated...)\n {a.code} (client): {a.message} - ...'"
    )


def _ruby(a: Answer) -> str:
    return (
        "/usr/lib/ruby/gems/aws-sdk-core-3.200.0/lib/seahorse/client/plugins/raise_response_errors.rb:17:in `call': "
        f"{a.message} (Aws::{a.sdk.replace(' ', '')}::Errors::{a.code})\n\tfrom job.rb:9:in `<main>'"
    )


def _cpp(a: Answer) -> str:
    return f"[ERROR] 2026-10-10 11:22:33.101 AWSClient [140011] HTTP response code: {a.status}\nException name: {a.code}\nError message: {a.message}\n0 response headers"


def _rust(a: Answer) -> str:
    return (
        "Error: ServiceError(ServiceError { source: Unhandled(Unhandled { source: ErrorMetadata { "
        f'code: Some("{a.code}"), message: Some("{a.message}"), extras: Some({{"aws_request_id": "{REQUEST_ID}"}}) }}, '
        f'meta: ErrorMetadata {{ code: Some("{a.code}") }} }}), raw: Response {{ status: StatusCode({a.status}) }} }})'
    )


def _xml_query(a: Answer) -> str:
    return (
        f'<ErrorResponse xmlns="https://{a.service}.amazonaws.com/doc/2011-06-15/">\n  <Error>\n    <Type>Sender</Type>\n'
        f"    <Code>{a.code}</Code>\n    <Message>{a.message}</Message>\n  </Error>\n  <RequestId>{REQUEST_ID}</RequestId>\n</ErrorResponse>"
    )


def _json_body(a: Answer) -> str:
    return f'HTTP/1.1 {a.status}\n{{"__type":"com.amazon.coral.service#{a.code}","message":"{a.message}"}}'


def _json_header(a: Answer) -> str:
    return (
        f"< HTTP/2 {a.status}\n< content-type: application/json\n< x-amzn-requestid: {REQUEST_ID}\n"
        f'< x-amzn-errortype: {a.code}:http://internal.amazon.com/coral/com.amazon.coral.service/\n<\n{{"message":"{a.message}"}}'
    )


def _wrap(text: str, width: int, gutter: str) -> str:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) >= width:
            lines.append(gutter + line)
            line = ""
        line += (" " if line else "") + word
    return "\n".join([*lines, gutter + line])


def _terraform(a: Answer) -> str:
    body = (
        f"Error: reading thing (x): operation error {a.sdk}: {a.operation}, https response error StatusCode: {a.status}, RequestID: "
        f"{REQUEST_ID}, api error {a.code}: {a.message}"
    )
    return "╷\n" + _wrap(body, 74, "│ ") + "\n│ \n│   with data.x.y,\n│   on main.tf line 7\n╵"


def _ci(a: Answer) -> str:
    rows = _terraform(a).splitlines()
    return "\n".join(f"2026-10-10T11:22:33.{number:07d}Z \x1b[31m{row}\x1b[0m" for number, row in enumerate(rows))


def _cdk(a: Answer) -> str:
    return f"✨  Synthesis time: 4.1s\n\n ❌  ShopStack failed: {a.code}: {a.message}\n    at Object.describe (/srv/node_modules/aws-cdk/lib/index.js:421:16)"


def _rclone(a: Answer) -> str:
    return f"2026/10/10 11:22:33 Failed to copy: {a.code}: {a.message}\n\tstatus code: {a.status}, request id: ABCDEF0123456789, host id: Zm9vYmFy="


def _log_json(a: Answer) -> str:
    inner = a.message.replace('"', '\\"')
    return f'{{"ts":"2026-10-10T11:22:33Z","level":"error","msg":"sync failed","err":"{{\\"__type\\":\\"{a.code}\\",\\"message\\":\\"{inner}\\"}}"}}'


def _log_deep(a: Answer) -> str:
    return f'2026-10-10 11:22:33 +0000 [warn]: flush failed error="{{\\\\\\"__type\\\\\\":\\\\\\"{a.code}\\\\\\",\\\\\\"message\\\\\\":\\\\\\"{a.message}\\\\\\"}}"'


def _xml_escaped(a: Answer) -> str:
    return f"body: &lt;Error&gt;&lt;Code&gt;{a.code}&lt;/Code&gt;&lt;Message&gt;{a.message}&lt;/Message&gt;&lt;/Error&gt;\\n"


def _compose(a: Answer) -> str:
    return "\n".join(f"worker-1  | {line}" for line in _boto3(a).splitlines())


def _pytest(a: Answer) -> str:
    return "\n".join(f"E       {line}" for line in _wrap(_boto3(a).splitlines()[-1], 100, "").splitlines())


def _bare_code(a: Answer) -> str:
    return f"{a.code}: {a.message}"


LAYOUTS: dict[str, Callable[[Answer], str]] = {
    "aws-cli 1": _cli1,
    "aws-cli 2": _cli2,
    "aws-cli 2 json": _cli_json,
    "boto3": _boto3,
    "boto3 dict": _boto3_dict,
    "go 1": _go1,
    "go 2": _go2,
    "java 1": _java1,
    "js 3": _js3,
    "js 2": _js2,
    "dotnet": _dotnet,
    "php": _php,
    "ruby": _ruby,
    "cpp": _cpp,
    "rust": _rust,
    "query xml": _xml_query,
    "json body": _json_body,
    "json header": _json_header,
    "terraform": _terraform,
    "terraform in ci": _ci,
    "cdk": _cdk,
    "rclone": _rclone,
    "json log": _log_json,
    "json log, three deep": _log_deep,
    "xml, escaped": _xml_escaped,
    "docker compose": _compose,
    "pytest": _pytest,
    "code and sentence": _bare_code,
}

_SSO = _any("sso_login_required")
_NONE = _any("no_credentials", "metadata_unreachable", "config_incomplete")
CLIENT_TEXTS = (
    Case("a code alone", "InvalidToken", "InvalidToken", _any("wrong_region_or_partition", "stale_session_token"), False),
    Case("a code before words of a tool about AWS", "AuthFailure: AWS says no", "AuthFailure", _any("clock_skew", "wrong_region_or_partition", "bad_access_key"), False),
    Case("sts, in the words of its page", "The web identity token that was passed is expired or is not valid. Get a new identity token and retry.", "ExpiredTokenException", _any("web_identity_token_expired"), True),
    Case("duckdb, no keys", "IO Error: HTTP GET error: HTTP 403 Authentication Failure - this is usually caused by invalid or missing credentials.\n* No credentials are provided.", None, _any("no_credentials"), False),
    Case("duckdb, 400", "HTTP Error: HTTP GET error on 'https://shop.s3.eu-north-1.amazonaws.com/a.parquet' (HTTP 400)", None, SESSION, True),
    Case("arrow, 400", "OSError: When getting information for key 'a' in bucket 'shop': AWS Error UNKNOWN (HTTP status 400) during HeadObject operation: No response body.", "HTTP400", SESSION, True),
    Case("arrow, denied", "OSError: When getting information for key 'a' in bucket 'shop': AWS Error ACCESS_DENIED during HeadObject operation: No response body.", "AccessDenied", _any("permission_denied"), False),
    Case("java 1, no endpoint", "com.amazonaws.SdkClientException: Failed to connect to service endpoint: ", "SdkClientException", _any("metadata_unreachable"), False),
    Case("java 2, imds", "software.amazon.awssdk.core.exception.SdkClientException: Unable to contact EC2 metadata service.", "SdkClientException", _any("metadata_unreachable"), False),
    Case("ruby, profile", "Aws::Errors::NoSuchProfileError: Profile `shop' is not found in /srv/.aws/credentials", "ProfileNotFound", _any("config_incomplete"), False),
    Case("rust, profile", "ProviderError(InvalidConfiguration { source: \"ProfileFile provider could not be built: profile `shop` was not defined\" })", "ProfileNotFound", _any("config_incomplete"), False),
    Case("js 3, sso token", "Error: The SSO session token associated with profile=shop was not found or is invalid. To refresh this SSO session run 'aws sso login' with the corresponding profile.", "SSOSessionExpired", _SSO, True),
    Case("a tool's own words for sso", "Your login has expired. Run `aws sso login --profile shop` and try again.", "SSOSessionExpired", _SSO, True),
    Case("php, cut sentence", "SignatureDoesNotMatch (client): The request signature we calculated does not match (truncated...)", "SignatureDoesNotMatch", _any("bad_secret_key"), False),
    Case("botocore, broken file", "botocore.exceptions.ConfigParseError: Unable to parse config file: /srv/.aws/config", "InvalidConfig", _any("config_incomplete"), False),
    Case("s3fs-fuse", "curl.cpp:RequestPerform(2423): HTTP response code 400, returning EIO. Body Text: <?xml version=\"1.0\"?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>", "ExpiredToken", SESSION, True),
    Case("sts, issued too long ago", "<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>Token too old: 90210</Message></Error></ErrorResponse>", "ExpiredTokenException", _any("web_identity_token_expired"), True),
    Case("crt in java", "Caused by: software.amazon.awssdk.core.exception.SdkClientException: Failed to send the request: Token expired - needs a refresh.", "SdkClientException", SESSION, True),
    Case("crt", "aws-c-s3: AWS_ERROR_S3_TOKEN_EXPIRED, Token expired - needs a refresh.", "ExpiredToken", SESSION, True),
    Case("boto 2 head", "boto.exception.S3ResponseError: S3ResponseError: 400 Bad Request\n", "HTTP400", SESSION, True),
    Case("boto 2 head 403", "S3ResponseError: S3ResponseError: 403 Forbidden", "HTTP403", _any("permission_denied"), False),
    Case("java 1, old name", "com.amazonaws.AmazonClientException: Unable to load AWS credentials from any provider in the chain", "AmazonClientException", _NONE, False),
    Case("go, broken file", "Error: failed to load shared config file, /srv/app/.aws/config, invalid state with ASTKind {completed_stmt {0 NONE 0 []}", "InvalidConfig", _any("config_incomplete"), False),
    Case("awsume", "Awsume error: Invalid profile [billing] Missing keys role_arn, or source_profile", "InvalidConfig", _any("config_incomplete"), False),
    Case("go 2, region", "unable to load config: operation error ec2imds: GetRegion, request canceled, context deadline exceeded", None, _any("config_incomplete"), False),
    Case("js 2, role name", "Error: EC2 Metadata roleName request returned error\n    at IncomingMessage.<anonymous> (/srv/node_modules/aws-sdk/lib/metadata_service.js:112:14)", "EC2MetadataError", _any("metadata_unreachable"), False),
    Case("js 2, on a desktop", "Error: connect ETIMEDOUT 169.254.169.254:80\n    at Socket (/Users/maria/shop/index.js:7:3)", None, _any("no_credentials"), False),
    Case("java 2, oidc", "Login failed: null (Service: SsoOidc, Status Code: 400, Request ID: 0f0b)", None, _any("config_incomplete", "sso_login_required"), False),
    Case("terraform, old list", "* The role \"arn:aws:iam::210987654321:role/build\" cannot be assumed.\n\n  There are a number of possible causes of this", None, _any("trust_policy"), False),
    Case("anywhere, signature", "operation error RolesAnywhere: CreateSession, https response error StatusCode: 403, RequestID: 1, AccessDeniedException: Invalid signature", "AccessDeniedException", _any("clock_skew"), False),
    Case("kubectl, old exec", "getting credentials: exec: exit status 1", "ExecPluginFailed", _any("sso_login_required", *SESSION), False),
    Case("ecr, kubelet", "Failed to pull image \"210987654321.dkr.ecr.eu-north-1.amazonaws.com/shop:7\": unauthorized: authentication required", None, _any("registry_token_expired"), True),
    Case("action, short", "Error: Could not load credentials from any providers", "NoCredentials", _NONE, False),
    Case("search, python", "opensearchpy.exceptions.AuthorizationException: AuthorizationException(403, 'The security token included in the request is expired')", "ExpiredTokenException", SESSION, True),
    Case("test kitchen", "Kitchen::ActionFailed: Failed to complete #converge action: [Request has expired.] on web-debian", "RequestExpired", SESSION, True),
    Case("sso in words", "Cached SSO session is expired, please log in", "SSOSessionExpired", _SSO, True),
    Case("php imds, old words", "Error retrieving credentials from the instance profile metadata server. (cURL error 28: Operation timed out after 1001 milliseconds)", "EC2MetadataError", _any("metadata_unreachable", "no_credentials"), False),
    Case("php imds, 404", "Error retrieving credentials from the instance profile metadata server. (Client error: `GET http://169.254.169.254/latest/meta-data/iam/security-credentials/` resulted in a `404 Not Found` response: <html>", "EC2MetadataError", _any("no_credentials"), False),
    Case("js 3 imds", "TimeoutError: socket hung up\n    at Timeout._onTimeout (/srv/node_modules/@smithy/credential-provider-imds/dist-cjs/index.js:90:14)", None, _any("metadata_unreachable"), False),
    Case("urllib3 imds", "urllib3.exceptions.ConnectTimeoutError: (<urllib3.connection.HTTPConnection object at 0x7f>, 'x')\nHTTPConnectionPool(host='169.254.169.254', port=80): Max retries exceeded with url: /latest/dynamic/instance-identity (Caused by ConnectTimeoutError: timed out)", None, _any("metadata_unreachable"), False),
    Case("kubectl apply", "error: unable to recognize \"deploy/auth.yaml\": Unauthorized", "Unauthorized", _any("k8s_identity_not_mapped", *SESSION), False),
    Case("terraform, the cluster's config map", "module.k8s.kubernetes_config_map_v1.aws-auth: Modifying...\n\n\u2577\n\u2502 Error: Unauthorized\n\u2575", "Unauthorized", _any("k8s_identity_not_mapped", *SESSION), False),
    Case("rust-s3, bare 400", "upload of S3 object backup.tar failed: Got HTTP 400 with content ''", "HTTP400", SESSION, True),
    Case("object_store imds", "Generic S3 error: Error after 4 retries in 2s, source:error sending request for url (http://169.254.169.254/latest/api/token)", None, _any("metadata_unreachable", "no_credentials"), False),
    Case("rust provider", "dispatch failure: failed to load credentials from the credentials provider: timed out", None, _any("config_incomplete", "metadata_unreachable"), False),
    Case("go 2, nothing but the refresh", "ListQueues: get identity: get credentials: failed to refresh cached credentials, failed to retrieve credentials", None, _any("config_incomplete", "metadata_unreachable"), False),
    Case("pod identity, old js", "CredentialsProviderError: 169.254.170.23 is not a valid container metadata service hostname", "CredentialsProviderError", _any("aws_side_or_tool_bug"), False),
    Case("pod identity, old go", 'loading configuration: invalid endpoint host, "169.254.170.23", only loopback hosts are allowed', None, _any("aws_side_or_tool_bug"), False),
    Case("pod identity, no role", "failed to load credentials, Unauthorized Exception! EKS does not have permissions to assume the associated role., fault: client", None, _any("trust_policy"), False),
    Case("aws-vault, nothing stored", "aws-vault: error: exec: Error getting temporary credentials: profile billing: credentials missing", "NoCredentials", _any("no_credentials", "config_incomplete"), False),
    Case("aws-vault, denied by STS", "aws-vault: error: exec: Failed to get credentials for billing: AccessDenied: Access denied\n\tstatus code: 403, request id: 5f0b", "AccessDenied", _any("permission_denied", "mfa_failed"), False),
    Case("git remote of CodeCommit", "fatal: unable to access 'codecommit://billing@shop/': The requested URL returned error: 403", "HTTP403", _any("registry_token_expired", "registry_login_missing"), False),
    Case("toolkit, old sso cache", "reauthenticate: Error: Unable to authenticate connection\n -> Error: SSO cache data unexpectedly missing props: [\"expiresAt\"]", None, _any("sso_login_required", "sso_cache_mismatch"), False),
    Case("cdk, account with hyphens", "Need to perform AWS calls for account 1234-5678-9012, but no credentials found. Tried: default credentials.", "NoCredentials", _any("config_incomplete"), False),
    Case("Anthropic SDK", "API Error: 403 The security token included in the request is expired", "ExpiredTokenException", SESSION, True),
    Case("Athena JDBC", "java.sql.SQLException: [Simba][AthenaJDBC](100071) An error has been thrown from the AWS Athena client. The security token included in the request is expired [Execution ID not available]", "ExpiredTokenException", SESSION, True),
    Case(".NET base exception", "AmazonKeyManagementServiceException: The security token included in the request is invalid.", "UnrecognizedClientException", UNKNOWN_TOKEN, False),
    Case("trade-in token", "An error occurred (ExpiredTradeInTokenException) when calling the GetDelegatedAccessToken operation: The trade-in token has expired", "ExpiredTradeInTokenException", _any("web_identity_token_expired"), True),
    Case("sso refused, end of text", "operation error SSO OIDC: CreateToken, https response error StatusCode: 400, RequestID: 5f0b, InvalidGrantException:", "InvalidGrantException", _any("sso_login_required"), True),
    Case("saml response old", "Error retrieving STS credentials using SAML.: ExpiredTokenException: Response has expired\n\tstatus code: 400, request id: 5f0b", "ExpiredTokenException", _any("web_identity_token_expired"), True),
    Case("anonymous s3", "blob (code=Unknown): AccessDenied: No AWSAccessKey was presented.\n\tstatus code: 403, request id: 5F0B, host id: eA==", "AccessDenied", _any("no_credentials"), False),
    Case("secret in the key's place", "IncompleteSignature: Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'ab/cd/20250901/eu-west-1/sqs/aws4_request'", "IncompleteSignature", _any("bad_access_key"), False),
    Case("s3 header cut", "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; the authorization header requires three components: Credential, SignedHeaders, and Signature.</Message></Error>", "AuthorizationHeaderMalformed", _any("signing_or_proxy"), False),
    Case("five minutes are a json service's", "PutRecords failed: Signature expired: 20250901T160000Z is now earlier than 20250901T165500Z (20250901T170000Z - 5 min.)", "InvalidSignatureException", _any("clock_skew"), False),
    Case("fifteen minutes are a query service's", "login failed: Signature expired: 20250901T160000Z is now earlier than 20250901T165500Z (20250901T171000Z - 15 min.)", "SignatureDoesNotMatch", _any("clock_skew"), False),
    Case("cpp log", "(AWSErrorMarshaller)Encountered Unknown AWSError InvalidSignatureException Signature not yet current: 20250901T170000Z is still later than 20250901T160500Z (20250901T160000Z + 5 min.)", "InvalidSignatureException", _any("clock_skew"), False),
    Case("json body in a log", "[error] [output:http:3] HTTP status=403, response: {\"message\":\"The security token included in the request is invalid\"}", "UnrecognizedClientException", UNKNOWN_TOKEN, False),
    Case("s3 xml in a program's log", "<0.9.0> [error] upload: body => <Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>", "ExpiredToken", SESSION, True),
    Case("api server's own answer", '{"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "Unauthorized", "reason": "Unauthorized", "code": 401}', "Unauthorized", _any("k8s_identity_not_mapped", *SESSION), False),
    Case("s3fs", "PermissionError: The provided token has expired.", "ExpiredToken", SESSION, True),
    Case("s3 head, cli", "download failed: s3://shop/x to ./x An error occurred (400) when calling the HeadObject operation: Bad Request", "HTTP400", SESSION, True),
    Case("s3 head, go", "BadRequest: Bad Request\n\tstatus code: 400, request id: 0123ABCD, host id: eA==", "BadRequest", SESSION, True),
    Case("s3 head, ruby", "Aws::S3::Errors::BadRequest: Aws::S3::Errors::BadRequest", "BadRequest", SESSION, True),
    Case("s3 head 403", "An error occurred (403) when calling the HeadBucket operation: Forbidden", "HTTP403", _any("permission_denied"), False),
    Case("restic", "Fatal: unable to open config file: Stat: The provided token has expired.\nIs there a repository at the following location?", "ExpiredToken", SESSION, True),
    Case("java 2", "software.amazon.awssdk.services.sqs.model.SqsException: The security token included in the request is expired (Service: Sqs, Status Code: 403, Request ID: x)", "ExpiredToken", SESSION, True),
    Case("api gateway body", '{"message":"The security token included in the request is expired"}', None, SESSION, True),
    Case("tf sso", "│ Error: configuring Terraform AWS Provider: no valid credential sources for Terraform AWS Provider found.\n│ \n│ Error: failed to refresh cached\n│ credentials, the SSO session has expired or is invalid", "SSOSessionExpired", _SSO, True),
    Case("botocore sso", "botocore.exceptions.UnauthorizedSSOTokenError: The SSO session associated with this profile has expired or is otherwise invalid. To refresh this SSO session run aws sso login with the corresponding profile.", "UnauthorizedSSOTokenError", _SSO, True),
    Case("cli sso", "\nError when retrieving token from sso: Token has expired and refresh failed", "TokenRetrievalError", _SSO, True),
    Case("cli sso missing", "Error loading SSO Token: Token for https://acme.awsapps.com/start does not exist", "SSOTokenLoadError", _SSO, False),
    Case("aws login", "Your session has expired. Please reauthenticate using 'aws login'.", None, _any("login_required"), True),
    Case("login token", "Error loading login session token: Token for default does not exist", "LoginTokenLoadError", _any("login_required"), False),
    Case("cli none", 'Unable to locate credentials. You can configure credentials by running "aws configure".', "NoCredentials", _NONE, False),
    Case("botocore none", "botocore.exceptions.NoCredentialsError: Unable to locate credentials", "NoCredentials", _NONE, False),
    Case("go 1 none", "NoCredentialProviders: no valid providers in chain. Deprecated.\n\tFor verbose messaging see aws.Config.CredentialsChainVerboseErrors", "NoCredentialProviders", _NONE, False),
    Case("go 2 none", "failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, request canceled, context deadline exceeded", "NoEC2IMDSRole", _any("metadata_unreachable"), False),
    Case("go 2 no role", "failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, http response error StatusCode: 404, request to EC2 IMDS failed", "NoEC2IMDSRole", _any("no_credentials"), False),
    Case("java none", "com.amazonaws.SdkClientException: Unable to load AWS credentials from any provider in the chain: [EnvironmentVariableCredentialsProvider: Unable to load]", "SdkClientException", _NONE, False),
    Case("js none", "CredentialsProviderError: Could not load credentials from any providers\n    at provider (/srv/index.js:1:1)", "CredentialsProviderError", _NONE, False),
    Case("js 2 none", "CredentialsError: Missing credentials in config, if using AWS_CONFIG_FILE, set AWS_SDK_LOAD_CONFIG=1", "CredentialsError", _any(*_NONE, *_SSO), False),
    Case("ruby none", "unable to sign request without credentials set (Aws::Errors::MissingCredentialsError)", "MissingCredentialsError", _NONE, False),
    Case("tf none", "Error: No valid credential sources found\n\nPlease see https://registry.terraform.io for more", "NoValidCredentialSources", _NONE, False),
    Case("partial", "Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY", "PartialCredentials", _any("config_incomplete"), False),
    Case("profile", "The config profile (acme-prod) could not be found", "ProfileNotFound", _any("config_incomplete"), False),
    Case("source profile", 'The source_profile "base" referenced in the profile "dev" does not exist.', "InvalidConfig", _any("config_incomplete"), False),
    Case("dotnet expired", "Amazon.Runtime.AmazonClientException: The retrieved credentials have already expired: Now = 10/10/2026 11:22:33, Credentials expiration = 10/10/2026 10:00:00", "AmazonClientException", SESSION, True),
    Case("still expired", "RuntimeError: Credentials were refreshed, but the refreshed credentials are still expired.", None, _any("refresher_stale"), True),
    Case("ecr expired", "Error response from daemon: denied: Your authorization token has expired. Reauthenticate and try again.", "ECRAuthorizationTokenExpired", _any("registry_token_expired"), True),
    Case("ecr missing", "Error response from daemon: Head https://210987654321.dkr.ecr.eu-north-1.amazonaws.com/v2/shop/manifests/7: no basic auth credentials", "no basic auth credentials", _any("registry_login_missing"), False),
    Case("kubectl", "error: You must be logged in to the server (Unauthorized)", "Unauthorized", _any("k8s_identity_not_mapped"), False),
    Case("kubectl exec", "Unable to connect to the server: getting credentials: exec: executable aws failed with exit code 255", "ExecPluginFailed", _any("sso_login_required", "no_credentials", *SESSION), False),
    Case("kubectl exec, reason above", "\nError loading SSO Token: Token for payroll does not exist\nUnable to connect to the server: getting credentials: exec: executable aws failed with exit code 255", "SSOTokenLoadError", _SSO, False),
    Case("kubectl missing", "Unable to connect to the server: getting credentials: exec: executable aws-iam-authenticator not found", "ExecPluginMissing", _any("config_incomplete"), False),
    Case("pam", 'psql: error: FATAL:  PAM authentication failed for user "reporting"', "PAM", _any("db_auth_token_expired"), True),
    Case("codecommit", "fatal: unable to access 'https://git-codecommit.eu-north-1.amazonaws.com/v1/repos/shop/': The requested URL returned error: 403", "HTTP403", _any("registry_login_missing", "registry_token_expired"), False),
    Case("process", "Error when retrieving credentials from custom-process: helper: no such file or directory", "CredentialRetrievalError", _any("config_incomplete"), False),
    Case("route", "HTTP/2 403\nx-amzn-errortype: MissingAuthenticationTokenException\n\n{\"message\":\"Missing Authentication Token\"}", "MissingAuthenticationTokenException", _any("unsigned_or_wrong_route"), False),
    Case("anywhere", "2026/10/10 11:22:33 AccessDeniedException: Untrusted signing certificate", "AccessDeniedException", _any("cert_untrusted_or_expired"), False),
    Case("hybrid", "ERROR error calling RegisterManagedInstance: ActivationExpired", "ActivationExpired", _any("activation_expired"), True),
    Case("url over", "<Error><Code>AccessDenied</Code><Message>Request has expired</Message><X-Amz-Expires>900</X-Amz-Expires><Expires>2026-10-10T10:00:00Z</Expires><ServerTime>2026-10-10T12:30:00Z</ServerTime><RequestId>X</RequestId></Error>", "AccessDenied", _any("presigned_url_expired"), True),
    Case("url refused, requests", f"requests.exceptions.HTTPError: 403 Client Error: Forbidden for url: {SIGNED_URL}", "HTTP403", _any("presigned_url_expired"), False),
    Case("url refused, urllib", f"urllib.error.HTTPError: HTTP Error 403: Forbidden\nwhile fetching {SIGNED_URL}", "HTTP403", _any("presigned_url_expired"), False),
    Case("url refused, wget", f"--2026-10-10 10:00:00--  {SIGNED_URL}\nHTTP request sent, awaiting response... 403 Forbidden\n2026-10-10 10:00:01 ERROR 403: Forbidden.", "HTTP403", _any("presigned_url_expired"), False),
    Case("url refused, browser", f"GET {SIGNED_URL} 403 (Forbidden)", "HTTP403", _any("presigned_url_expired"), False),
    Case("url refused, SigV2", "curl: (22) The requested URL returned error: 403\nhttps://files.s3.amazonaws.com/a.zip?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=ab%3D&Expires=1791626400", "HTTP403", _any("presigned_url_expired"), False),
    Case("url of a session, bad request", f"requests.exceptions.HTTPError: 400 Client Error: Bad Request for url: {SIGNED_URL}&X-Amz-Security-Token=IQoJb3Jp", "HTTP400", _any("presigned_session_expired"), True),
    Case("headers of a refusal", "s3.DEBUG Response s3/HeadObject\nHTTP/1.1 403 Forbidden\nContent-Type: application/xml\nServer: AmazonS3\nX-Amz-Request-Id: 4QPZ7M0X", "HTTP403", _any("permission_denied"), False),
    Case("headers of a refused request", "> HEAD /a HTTP/1.1\n> Host: files.s3.amazonaws.com\n> Authorization: AWS AKIAIOSFODNN7EXAMPLE:bWq1uTdpZcM4nVyA7PcWjjCznPE=\n* The requested URL returned error: 400", "HTTP400", SESSION, True),
    Case("url for too long", f"HTTP Error 400: Bad Request {SIGNED_URL.replace('=900', '=700000')}", "HTTP400", _any("duration_limit"), False),
    Case("pod identity agent, no answer", 'IPv4 endpoint attempt failed: HTTP request to pod identity agent failed: Get "http://169.254.170.23/v1/credentials": context deadline exceeded', None, _any("metadata_unreachable"), False),
    Case("pod identity, role", "failed to refresh cached credentials, failed to load credentials,\nUnauthorized Exception! EKS does not have permissions to assume the associated role., fault: client", "AccessDeniedException", _any("trust_policy"), False),
    Case("url session over", '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message><Token-0>abcd</Token-0></Error>', "ExpiredToken", _any("presigned_session_expired"), True),
    Case("opt-in", "region me-central-1: AuthFailure: AWS was not able to validate the provided access credentials", "AuthFailure", _any("wrong_region_or_partition"), False),
    Case("asia without token", "<Error><Code>InvalidAccessKeyId</Code><Message>The AWS Access Key Id you provided does not exist in our records.</Message><AWSAccessKeyId>ASIAQWERTYUIOPASDFGH</AWSAccessKeyId></Error>", "InvalidAccessKeyId", _any("missing_session_token"), False),
    Case("chain limit", "operation error STS: AssumeRole, https response error StatusCode: 400, RequestID: x, api error ValidationError: The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.", "ValidationError", _any("duration_limit"), False),
    Case("several", "ExpiredToken: The security token included in the request is expired\nwhile handling: NoCredentialProviders: no valid providers in chain", "ExpiredToken", SESSION, True),
    Case("state lost", "Error: Failed to save state\n\nError saving state: NoCredentialProviders: no valid providers in chain", "NoCredentialProviders", _any("expired_mid_run"), True),
    Case("cdk none", "Need to perform AWS calls for account 210987654321, but no credentials have been configured", "NoCredentials", _NONE, False),
    Case("action", "Error: Could not assume role with OIDC: No OpenIDConnect provider found in your account for https://token.actions.githubusercontent.com", "InvalidIdentityToken", _any("oidc_provider_config"), False),
    Case("idp slow", "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements", "InvalidIdentityToken", _any("idp_unreachable"), False),
    Case("pod identity", "Error when retrieving credentials from container-role: Error retrieving metadata: Received non 200 response 400 from container metadata: (ExpiredTokenException): The token included in the request is expired: current date/time 1761000000 must be before the expiration date/time 1760900000", "ExpiredTokenException", _any("refresher_stale", "web_identity_token_expired"), True),
)  # fmt: skip

NEGATIVES = (
    f"requests.exceptions.HTTPError: 404 Client Error: Not Found for url: {SIGNED_URL}",
    f"HTTP Error 403: Forbidden {SIGNED_URL} <Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
    "requests.exceptions.HTTPError: 403 Client Error: Forbidden for url: https://files.s3.amazonaws.com/a.zip",
    "HTTPConnectionPool(host='169.254.1.9', port=80): Read timed out. (read timeout=5)",
    "gitlab: uploading artifacts ... Error: Unauthorized",
    "warning: the hetzner S3 mirror is slow; got HTTP 400 with content '<html>Bad request'",
    "InvalidToken: The form is too old, reload the page",
    "AuthFailure: imap login failed for maria",
    "Unable to parse config file: nginx.conf",
    "Request has expired. Ask the bank for another key pair request",
    "HTTP Error: HTTP GET error on 'https://files.acme.io/a.parquet' (HTTP 400)",
    "OSError: AWS Error NETWORK_CONNECTION during HeadBucket operation: curlCode: 28, Timeout was reached",
    "Your trial has expired. Run `acme login` and try again.",
    "Error: oss: service returned error: StatusCode=403, ErrorCode=SignatureDoesNotMatch, ErrorMessage=The request signature we calculated does not match the signature you provided., RequestId=5F0B",
    "<?xml version='1.0'?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message><Details>Request has expired: 3600</Details></Error>",
    "getting credentials: exec: exit status 1 (kubelogin: azmk8s.io)",
    "Your coupon is over: [Request has expired.] on checkout of the summer sale",
    "boto.exception.S3ResponseError: S3ResponseError: 404 Not Found",
    "The role of Hamlet cannot be assumed.",
    "docker: pull of registry.acme.io/shop failed: unauthorized: authentication required",
    "pull access denied for 210987654321.dkr.ecr.eu-west-1.amazonaws.com/web, repository does not exist or may require 'docker login': denied: User: arn:aws:iam::210987654321:user/dev is not authorized to perform: ecr:BatchGetImage on resource: web",
    "operation error SSO OIDC: CreateToken, https response error StatusCode: 0, RequestID: , request send failed, Post \"https://oidc.eu-west-1.amazonaws.com/token\": tls: failed to verify certificate: x509: certificate is valid for *.example.org",
    "ErrorResponse(code=RequestTimeTooSkewed, message=The difference between the request time and the server's time is too large.) request={url=http://minio.shop.local:9000/x",
    "An error occurred (NoSuchBucket) when calling the ListObjectsV2 operation: The specified bucket does not exist",
    "An error occurred (ThrottlingException) when calling the DescribeStacks operation (reached max retries: 4): Rate exceeded",
    "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied",
    ("An error occurred (AccessDeniedException) when calling the GetParameter operation: User: arn:aws:sts::210987654321:assumed-role/web/i-1 is not "
    "authorized to perform: ssm:GetParameter on resource: arn:aws:ssm:eu-north-1:210987654321:parameter/x because no identity-based policy allows "
    "the ssm:GetParameter action"),
    "An error occurred (UnauthorizedOperation) when calling the RunInstances operation: You are not authorized to perform this operation.",
    "An error occurred (ExpiredIteratorException) when calling the GetRecords operation: Iterator expired.",
    "An error occurred (ExpiredNextTokenException) when calling the ListThings operation: The pagination token has expired",
    "An error occurred (InvalidNextToken) when calling the DescribeAlarms operation: bad token",
    "An error occurred (ExpiredCodeException) when calling the ConfirmSignUp operation: Invalid code provided, please request a code again.",
    "An error occurred (ExpiredImportTokenException) when calling the ImportKeyMaterial operation: the import token is over",
    "An error occurred (InvalidGrantTokenException) when calling the Decrypt operation: bad grant token",
    "An error occurred (ReportExpired) when calling the GetCredentialReport operation: the most recent credential report has expired",
    "An error occurred (InvalidToken) when calling the SendTaskSuccess operation: Invalid Token: 'Invalid token'",
    "An error occurred (ExpiredTokenException) when calling the ResolveCustomer operation: The submitted registration token has expired.",
    "An error occurred (AuthorizationPendingException) when calling the CreateToken operation: ",
    "An error occurred (SlowDown) when calling the GetObject operation: Please reduce your request rate.",
    "An error occurred (KMSInvalidSignatureException) when calling the Verify operation: ",
    "An error occurred (NotAuthorizedException) when calling the InitiateAuth operation: Incorrect username or password.",
    "jwt.exceptions.ExpiredSignatureError: Signature has expired",
    "TokenExpiredError: jwt expired\n    at /srv/node_modules/jsonwebtoken/verify.js:190:21",
    "google.auth.exceptions.RefreshError: ('invalid_grant: Bad Request', {'error': 'invalid_grant', 'error_description': 'Bad Request'})",
    ("<?xml version='1.0' encoding='UTF-8'?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message><Details>Request "
    "signature expired at: 2026-10-10T10:00:00+00:00</Details></Error>"),
    "AADSTS50173: The provided grant has expired due to it being revoked, a fresh auth token is needed.",
    ("oss2.exceptions.AccessDenied: {'status': 403, 'details': {'Code': 'RequestTimeTooSkewed', 'Message': 'The difference between the request time and "
    "the current time is too large.', 'HostId': 'shop.oss-cn-beijing.aliyuncs.com'}}"),
    "b2sdk.exception.InvalidAuthToken: Invalid authorization token. Server said: expired_auth_token",
    ('remote: Invalid username or token. Password authentication is not supported for Git operations.\nfatal: Authentication failed for '
    "'https://github.com/acme/shop.git/'"),
    '{"message":"Bad credentials","documentation_url":"https://docs.github.com/rest","status":"401"}',
    "aws-vault: error: exec: Failed to get credentials for billing: RequestError: send request failed\ncaused by: Post \"https://sts.amazonaws.com/\": x509: failed to load system roots and no roots provided",
    "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-10-10T11:22:33Z is after 2026-10-01T00:00:00Z",
    "SSLError: HTTPSConnectionPool(host='sts.eu-north-1.amazonaws.com', port=443): certificate verify failed: certificate has expired",
    "Error response from daemon: Get https://registry.acme.io/v2/: no basic auth credentials",
    "Unable to connect to the server: getting credentials: exec: executable gke-gcloud-auth-plugin not found",
    "time=\"2026-10-10T11:22:33Z\" level=info msg=\"access token expired, refreshing\" user=7",
    "2026-10-10 11:22:33,101 - MainThread - botocore.credentials - DEBUG - Credentials were found in cache, but they are expired. token=no",
    "2026-10-10 11:22:33,101 - MainThread - botocore.credentials - DEBUG - Credentials need to be refreshed. (1)",
    "Could not connect to the endpoint URL: \"https://s3.eu-north-1.amazonaws.com/\"",
    "You must specify a region. You can also configure your region by running \"aws configure\".",
    ("Error: creating S3 Bucket (shop): operation error S3: CreateBucket, https response error StatusCode: 409, RequestID: x, HostID: y, "
    "BucketAlreadyExists:"),
    ("com.amazonaws.services.dynamodbv2.model.ResourceNotFoundException: Requested resource not found (Service: AmazonDynamoDBv2; Status Code: 400; "
    "Error Code: ResourceNotFoundException; Request ID: X)"),
    "ERROR 2003 (HY000): Can't connect to MySQL server on 'db.example.com' (110)",
    "npm ERR! code E401\nnpm ERR! Incorrect or missing password.",
    "ModuleNotFoundError: No module named 'boto3'",
    "the quick brown fox jumps over the lazy dog",
    "",
)  # fmt: skip


def cases() -> Iterator[Case]:
    """Every labelled text: each answer in each layout, what tools say by themselves, and what must be left alone."""
    for number, answer in enumerate(SERVICE_ERRORS):
        for layout, render in LAYOUTS.items():
            if layout == "xml, escaped" and answer.message.startswith("'"):
                continue
            causes = answer.causes
            if layout == "xml, escaped":
                causes = causes | _any("presigned_session_expired")
            yield Case(f"{layout}/{answer.code} {number}", render(answer), answer.code, causes, answer.expiry)
    yield from CLIENT_TEXTS
    for number, text in enumerate(NEGATIVES):
        yield Case(f"negative {number}: {text[:50]}", text, None, frozenset(), False, aws=False)


_SOME_TOKEN = "error: the token is expired"
_SOME_KEY = "InvalidAccessKeyId: The Access Key Id you provided does not exist in our records."

PRODUCT_TEXTS = {
    "Microsoft Entra ID (Azure AD)": f"AADSTS700082: {_SOME_TOKEN}",
    "Google Cloud": f"https://storage.googleapis.com/b/k: {_SOME_KEY}",
    "Huawei Cloud OBS": f"https://b.obs.eu.myhuaweicloud.com/k: {_SOME_KEY}",
    "Alibaba Cloud": f"https://b.oss-eu-central-1.aliyuncs.com/k: {_SOME_KEY}",
    "Tencent Cloud COS": f"https://b.cos.ap-chengdu.myqcloud.com/k: {_SOME_KEY}",
    "Backblaze B2": f"https://s3.us-west-002.backblazeb2.com/b/k: {_SOME_KEY}",
    "Cloudflare R2": f"https://a.r2.cloudflarestorage.com/b/k: {_SOME_KEY}",
    "DigitalOcean": f"https://b.fra1.digitaloceanspaces.com/k: {_SOME_KEY}",
    "Wasabi": f"https://s3.eu-central-1.wasabisys.com/b/k: {_SOME_KEY}",
    "another S3-compatible store": f"https://play.min.io/b/k: {_SOME_KEY}",
    "a JSON Web Token library": "jwt.exceptions.ExpiredSignatureError: Signature has expired",
    "GitHub": f"https://api.github.com/user: {_SOME_TOKEN}",
    "GitLab": f"https://gitlab.example.com/api/v4/user: {_SOME_TOKEN}",
    "HashiCorp Vault": f"vault: permission denied: {_SOME_TOKEN}",
    "Amazon's consumer services (not AWS)": f"https://api.amazon.com/auth/o2/token: {_SOME_TOKEN}",
    "Okta": "okta: the session is invalid, E0000011",
    "Keycloak": f"https://login.example.com/realms/main: {_SOME_TOKEN}",
    "Slack": f"https://slack.com/api/chat.postMessage: {_SOME_TOKEN}",
    "npm or PyPI": f"https://registry.npmjs.org/left-pad: {_SOME_TOKEN}",
    "Docker Hub": "https://registry-1.docker.io/v2/: unauthorized: authentication required",
    "Snowflake's own login": "snowflake: 390114: Authentication token has expired. The user must authenticate again.",
    "Salesforce": "salesforce: INVALID_SESSION_ID: Session expired or invalid",
    "Kerberos": "GSSAPI failure: Ticket expired",
    "LDAP or Active Directory": f"ldap bind: {_SOME_TOKEN}",
    "OpenAI or Anthropic": f"https://api.openai.com/v1/chat: {_SOME_TOKEN}",
    "Stripe": f"stripe: api_key_expired: {_SOME_TOKEN}",
    "Hugging Face": f"https://huggingface.co/api/models: {_SOME_TOKEN}",
    "Facebook": f"https://graph.facebook.com/me: OAuthException: {_SOME_TOKEN}",
    "Databricks' own tokens": f"https://x.cloud.databricks.com/api/2.0/token: {_SOME_TOKEN}",
    "another action of GitHub's": "Run acme/login@v2\nError: Unable to get ACTIONS_ID_TOKEN_REQUEST_URL env variable",
}
"""AWS's words, or nearly, from every product that the table of products knows."""

_LINES = Path(__file__).with_name("wordings.txt").read_text(encoding="utf-8").splitlines()
WORDINGS = [Wording(*line.split(" | ", 2)) for line in _LINES if not line.startswith("#")]
