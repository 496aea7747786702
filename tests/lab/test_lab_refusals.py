"""The table of failures: each service says no in its own protocol, with its own status, code and sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from email.utils import parsedate_to_datetime

import botocore.exceptions
import pytest
from labwire import CALLS, Answer, ask, client, prepared, send

from unexpire.credentials import Credentials
from unexpire.lab import Lab

EXPIRED = "The security token included in the request is expired"
INVALID = "The security token included in the request is invalid."
WRONG = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and "
    "signing method. Consult the service documentation for details."
)
NOT_VALIDATED = "AWS was not able to validate the provided access credentials"
STAMP = r"\d{8}T\d{6}Z"
LATE_15 = rf"Signature expired: {STAMP} is now earlier than {STAMP} \({STAMP} - 15 min\.\)"
LATE_5 = rf"Signature expired: {STAMP} is now earlier than {STAMP} \({STAMP} - 5 min\.\)"
EARLY = rf"Signature not yet current: {STAMP} is still later than {STAMP} \({STAMP} \+ 5 min\.\)"
SKEWED = "The difference between the request time and the current time is too large."
S3_WRONG = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)
S3_UNKNOWN = "The AWS Access Key Id you provided does not exist in our records."
S3_TOKEN = "The provided token is malformed or otherwise invalid."
MISSING = "Request is missing Authentication Token"


def expired(lab: Lab) -> Credentials:
    return lab.issue_session(seconds=-60)


def revoked(lab: Lab) -> Credentials:
    keys = lab.issue_session()
    lab.revoke(keys.access_key_id)
    return keys


def unknown_key(lab: Lab) -> Credentials:
    return replace(lab.user_credentials, access_key_id="AKIAQYLPMN5HNOTKNOWN")


def inactive_key(lab: Lab) -> Credentials:
    lab.deactivate_key()
    return lab.user_credentials


def rotated_key(lab: Lab) -> Credentials:
    old = lab.user_credentials
    lab.rotate_key()
    return old


def no_token(lab: Lab) -> Credentials:
    return replace(lab.issue_session(), session_token=None)


def token_of_another(lab: Lab) -> Credentials:
    return replace(lab.issue_session(), session_token=lab.issue_session().session_token)


def token_beside_long_term_key(lab: Lab) -> Credentials:
    return replace(lab.user_credentials, session_token=lab.issue_session().session_token)


def ended_token_beside_long_term_key(lab: Lab) -> Credentials:
    return replace(lab.user_credentials, session_token=lab.issue_session(seconds=-1).session_token)


def long_forgotten(lab: Lab) -> Credentials:
    lab.set_forget_after(36 * 3600)
    return lab.issue_session(seconds=-40 * 3600)


def wrong_secret(lab: Lab) -> Credentials:
    return replace(lab.issue_session(), secret_access_key="x" * 40)


def late(lab: Lab) -> Credentials:
    lab.set_clock_offset(16 * 60)
    return lab.user_credentials


def early(lab: Lab) -> Credentials:
    lab.set_clock_offset(-16 * 60)
    return lab.user_credentials


def unsigned(lab: Lab) -> None:
    return None


DEAD = (expired, revoked, ended_token_beside_long_term_key)
UNKNOWN = (unknown_key, inactive_key, rotated_key, no_token)
MISMATCH = (token_of_another, token_beside_long_term_key, long_forgotten)

# (failures, services, status, code, sentence as a pattern; None: there is none)
TABLE = [
    (DEAD, ("sts", "iam"), 403, "ExpiredToken", EXPIRED),
    (DEAD, ("s3",), 400, "ExpiredToken", re.escape("The provided token has expired.")),
    (DEAD, ("s3-head",), 400, None, None),
    (DEAD, ("dynamodb", "logs", "monitoring"), 400, "ExpiredTokenException", EXPIRED),
    (DEAD, ("sqs", "lambda"), 403, "ExpiredTokenException", EXPIRED),
    (DEAD, ("ec2",), 400, "RequestExpired", re.escape("Request has expired.")),
    ((*UNKNOWN, *MISMATCH), ("sts", "iam"), 403, "InvalidClientTokenId", re.escape(INVALID)),
    ((*UNKNOWN, *MISMATCH), ("dynamodb", "logs", "monitoring"), 400, "UnrecognizedClientException", re.escape(INVALID)),
    ((*UNKNOWN, *MISMATCH), ("sqs", "lambda"), 403, "UnrecognizedClientException", re.escape(INVALID)),
    ((*UNKNOWN, *MISMATCH, wrong_secret, late, early), ("ec2",), 401, "AuthFailure", NOT_VALIDATED),
    (UNKNOWN, ("s3",), 403, "InvalidAccessKeyId", re.escape(S3_UNKNOWN)),
    (UNKNOWN, ("s3-head",), 403, None, None),
    (MISMATCH, ("s3",), 400, "InvalidToken", re.escape(S3_TOKEN)),
    (MISMATCH, ("s3-head",), 400, None, None),
    ((wrong_secret,), ("sts", "iam"), 403, "SignatureDoesNotMatch", re.escape(WRONG)),
    ((wrong_secret,), ("s3",), 403, "SignatureDoesNotMatch", re.escape(S3_WRONG)),
    ((wrong_secret,), ("dynamodb", "logs", "monitoring"), 400, "InvalidSignatureException", re.escape(WRONG)),
    ((wrong_secret,), ("sqs", "lambda"), 403, "InvalidSignatureException", re.escape(WRONG)),
    ((late,), ("sts", "iam"), 403, "SignatureDoesNotMatch", LATE_15),
    ((late,), ("sqs",), 403, "InvalidSignatureException", LATE_15),
    ((late,), ("dynamodb", "logs", "monitoring"), 400, "InvalidSignatureException", LATE_5),
    ((late,), ("lambda",), 403, "InvalidSignatureException", LATE_5),
    ((early,), ("sts", "iam"), 403, "SignatureDoesNotMatch", EARLY),
    ((early,), ("dynamodb", "logs"), 400, "InvalidSignatureException", EARLY),
    ((late, early), ("s3",), 403, "RequestTimeTooSkewed", re.escape(SKEWED)),
    ((unsigned,), ("sts", "iam"), 403, "MissingAuthenticationToken", MISSING),
    ((unsigned,), ("s3",), 403, "AccessDenied", "Access Denied"),
    ((unsigned,), ("dynamodb", "logs"), 400, "MissingAuthenticationTokenException", MISSING),
    ((unsigned,), ("sqs",), 403, "MissingAuthenticationTokenException", MISSING),
]
ROWS = [
    pytest.param(failure, service, status, code, sentence, id=f"{failure.__name__}-{service}")
    for failures, services, status, code, sentence in TABLE
    for failure in failures
    for service in services
]


@pytest.mark.parametrize(("failure", "service", "status", "code", "sentence"), ROWS)
def test_failure(
    lab: Lab,
    failure: Callable[[Lab], Credentials | None],
    service: str,
    status: int,
    code: str | None,
    sentence: str | None,
) -> None:
    answer = ask(lab, service, failure(lab))
    assert (answer.status, answer.code) == (status, code)
    if sentence is None:
        assert answer.body == b""
    else:
        assert answer.message is not None
        assert re.fullmatch(sentence, answer.message)


@pytest.mark.parametrize("service", [name for name in CALLS if name not in ("s3-head", "monitoring")])
def test_the_same_calls_pass_with_a_live_session(lab: Lab, service: str) -> None:
    assert ask(lab, service, lab.issue_session()).status == 200


def test_the_protocols_carry_their_codes_where_the_real_ones_do(lab: Lab) -> None:
    keys = lab.issue_session(seconds=-1)
    dynamodb, function, sqs = (ask(lab, service, keys) for service in ("dynamodb", "lambda", "sqs"))
    assert b'"__type": "com.amazon.coral.service#ExpiredTokenException"' in dynamodb.body
    assert dynamodb.headers["content-type"] == "application/x-amz-json-1.0"
    assert ask(lab, "logs", keys).headers["content-type"] == "application/x-amz-json-1.1"
    assert b"ExpiredToken" not in function.body
    assert function.headers["x-amzn-errortype"] == "ExpiredTokenException"
    assert sqs.headers["x-amzn-query-error"] == "ExpiredToken;Sender"
    assert ask(lab, "monitoring", keys).headers["smithy-protocol"] == "rpc-v2-cbor"


def test_s3_says_what_it_computed(lab: Lab) -> None:
    keys = lab.issue_session()
    answer = ask(lab, "s3", replace(keys, secret_access_key="x"))
    assert answer.element("AWSAccessKeyId") == keys.access_key_id
    assert (answer.element("StringToSign") or "").startswith("AWS4-HMAC-SHA256\n")
    assert (answer.element("CanonicalRequest") or "").startswith("GET\n/\n")
    assert ask(lab, "s3", lab.issue_session(seconds=-1)).element("Token-0") is not None


def test_s3_says_how_far_the_clock_is_off(lab: Lab) -> None:
    lab.set_clock_offset(3600)
    answer = ask(lab, "s3", lab.user_credentials)
    assert answer.element("MaxAllowedSkewMilliseconds") == "900000"
    assert re.fullmatch(STAMP, answer.element("RequestTime") or "")
    server = parsedate_to_datetime(answer.headers["date"])
    assert abs((server - lab.clock.now()).total_seconds()) < 60
    assert answer.element("ServerTime") == server.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    ("service", "header", "status", "code", "words"),
    [
        ("sts", "Bearer abc", 400, "IncompleteSignature", "not a valid key=value pair (missing equal-sign)"),
        ("sts", "AWS4-HMAC-SHA256 Credential=AKIA, Signature=1", 400, "IncompleteSignature", "requires 'SignedHeaders'"),
        ("dynamodb", "AWS4-HMAC-SHA256 nonsense", 400, "IncompleteSignatureException", "missing equal-sign"),
        ("s3", "Basic abc", 400, "InvalidArgument", "Unsupported Authorization Type"),
        ("s3", "AWS4-HMAC-SHA256 Credential=/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=1", 400,
         "AuthorizationHeaderMalformed", "a non-empty Access Key (AKID) must be provided in the credential."),
    ],
)  # fmt: skip
def test_malformed_authorization(lab: Lab, service: str, header: str, status: int, code: str, words: str) -> None:
    url, method, body, headers = prepared(lab, service, None)
    answer = send(url, method, body, {**headers, "Authorization": header, "X-Amz-Date": "20260101T000000Z"})
    assert (answer.status, answer.code) == (status, code)
    assert words in (answer.message or "")


def test_scope_of_another_region_or_service(lab: Lab) -> None:
    keys = lab.user_credentials
    nowhere = ask(lab, "sts", keys, region="nowhere")
    assert (nowhere.status, nowhere.code) == (403, "SignatureDoesNotMatch")
    assert "Credential should be scoped to a valid region, not 'nowhere'." in (nowhere.message or "")
    other = ask(lab, "sts", keys, scope="iam")
    assert "Credential should be scoped to correct service: 'sts'." in (other.message or "")
    s3 = ask(lab, "s3", keys, region="nowhere")
    assert (s3.status, s3.code, s3.element("Region")) == (400, "AuthorizationHeaderMalformed", "us-east-1")


def test_a_region_that_is_not_enabled(lab: Lab) -> None:
    lab.disable_region("af-south-1")
    keys = lab.issue_session()
    sts = ask(lab, "sts", keys, region="af-south-1")
    assert (sts.status, sts.code) == (403, "RegionDisabledException")
    assert (sts.message or "").startswith(f"STS is not activated in this region for account:{lab.account}.")
    assert ask(lab, "ec2", keys, region="af-south-1").code == "AuthFailure"
    assert ask(lab, "s3", keys, region="af-south-1").code == "InvalidToken"
    assert ask(lab, "sts", keys).status == 200


def test_a_changed_body_is_noticed(lab: Lab) -> None:
    url, method, _, headers = prepared(lab, "sts", lab.user_credentials)
    changed = send(url, method, b"Action=GetSessionToken&Version=2011-06-15  ", {**headers, "Content-Length": "43"})
    assert changed.code == "SignatureDoesNotMatch"
    url, method, _, headers = prepared(lab, "s3", lab.user_credentials, method="PUT", path="/bucket/key", body=b"right")
    assert send(url, method, b"wrong", headers).code == "XAmzContentSHA256Mismatch"


def test_every_failure_reaches_botocore_with_its_code(lab: Lab) -> None:
    """The answers are parsed by the client that most people have, not only by our own eyes."""
    keys = lab.issue_session(seconds=-1)
    found = {}
    for service, call in (
        ("sts", "get_caller_identity"), ("s3", "list_buckets"), ("dynamodb", "list_tables"), ("sqs", "list_queues"),
        ("ec2", "describe_instances"), ("lambda", "list_functions"), ("iam", "list_roles"), ("logs", "describe_log_groups"),
        ("cloudwatch", "list_metrics"),
    ):  # fmt: skip
        made = client(lab, service, keys)
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            getattr(made, call)()
        found[service] = caught.value.response["Error"]["Code"]
        made.close()
    assert found == {
        "sts": "ExpiredToken", "s3": "ExpiredToken", "dynamodb": "ExpiredTokenException", "sqs": "ExpiredToken",
        "ec2": "RequestExpired", "lambda": "ExpiredTokenException", "iam": "ExpiredToken", "logs": "ExpiredTokenException",
        "cloudwatch": "ExpiredTokenException",
    }  # fmt: skip
    assert lab.count(outcome="expired") == 9


def test_answers_carry_the_lab_s_date(lab: Lab) -> None:
    lab.set_clock_offset(-7200)
    answer: Answer = send(f"{lab.url}/latest/meta-data/")
    assert abs((parsedate_to_datetime(answer.headers["date"]) - lab.clock.now()).total_seconds()) < 60
