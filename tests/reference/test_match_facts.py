# ruff: noqa: E501 - texts as tools print them
"""What the matcher reads off a text beyond its code: times, keys, URLs, places; and what it makes of them."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unexpire
from unexpire.reference.match import match_text
from unexpire.reference.normalise import decode, flatten
from unexpire.reference.scan import PIECE, scan
from unexpire.reference.signed_urls import read_url

URL = (
    "https://shop.s3.eu-north-1.amazonaws.com/a%20b.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAQWERTYUIOPASDFGH"
    "%2F20261010%2Feu-north-1%2Fs3%2Faws4_request&X-Amz-Date=20261010T101010Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host%3Brange"
    "&X-Amz-Security-Token=IQoJSECRET&X-Amz-Signature=0123abcd"
)


def test_a_signed_url_says_when_it_ends_and_whose_it_is() -> None:
    url = read_url(URL)
    assert url is not None
    assert url.signed_at == datetime(2026, 10, 10, 10, 10, 10, tzinfo=UTC)
    assert url.ends_at == datetime(2026, 10, 10, 11, 10, 10, tzinfo=UTC)
    assert (url.access_key_id, url.region, url.service) == ("ASIAQWERTYUIOPASDFGH", "eu-north-1", "s3")
    assert url.has_session_token
    assert url.temporary
    assert url.signed_headers == ("host", "range")


def test_no_secret_of_a_url_is_kept() -> None:
    (match,) = match_text(URL)
    assert "IQoJSECRET" not in repr(match) + str(match.as_json())
    assert "0123abcd" not in repr(match) + str(match.as_json())


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.s3.amazonaws.com/x?AWSAccessKeyId=AKIAQWERTYUIOPASDFGH&Expires=1790000000&Signature=abc",
        "https://d1.cloudfront.net/x?Expires=1790000000&Signature=a&Key-Pair-Id=K1",
    ],
)
def test_older_signatures_are_read_too(url: str) -> None:
    found = read_url(url)
    assert found is not None
    assert found.ends_at == datetime.fromtimestamp(1790000000, UTC)
    assert not found.temporary


@pytest.mark.parametrize(
    "url", ["https://[x?X-Amz-Signature=1", "https://a/?X-Amz-Signature=1&X-Amz-Date=99999999T999999Z&X-Amz-Expires=1"]
)
def test_a_broken_url_says_less_and_breaks_nothing(url: str) -> None:
    found = read_url(url)
    assert found is None or found.ends_at is None


def test_a_presigned_url_beside_an_expired_token_makes_the_signing_session_likeliest() -> None:
    match = match_text(
        f"GET {URL}\n<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
    )[0]
    assert match.causes[0].label == "presigned_session_expired"
    assert match.causes[0].why
    assert match.page == "presigned-session-ended"


def test_the_numbers_of_a_token_give_its_age() -> None:
    text = "(ExpiredTokenException) when calling the AssumeRoleWithWebIdentity operation: Token expired: current date/time {} must be before the expiration date/time{}"
    old = match_text("An error occurred " + text.format(1761007200, 1761000000))[0]
    assert old.causes[0].label == "web_identity_token_expired"
    assert "2 h 00 min" in (old.causes[0].why or "")
    young = match_text("An error occurred " + text.format(1761000060, 1761000000))[0]
    assert [cause.label for cause in young.causes[:2]] == ["web_identity_token_expired", "clock_skew"]
    assert young.causes[1].why


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        (
            "Signature expired: 20261010T101010Z is now earlier than 20261010T111510Z (20261010T113010Z - 15 min.)",
            "1 h 20 min behind",
        ),
        (
            "Signature not yet current: 20261010T121010Z is still later than 20261010T111510Z (20261010T111010Z + 5 min.)",
            "1 h 00 min ahead",
        ),
    ],
)
def test_the_times_of_a_signature_say_which_way_the_clock_is_off(sentence: str, words: str) -> None:
    match = match_text(f"SignatureDoesNotMatch: {sentence}")[0]
    assert match.causes[0].label == "clock_skew"
    assert words in (match.causes[0].why or "")


def test_the_prefix_of_the_key_decides() -> None:
    text = "InvalidAccessKeyId: The AWS Access Key Id you provided does not exist in our records. {}"
    assert match_text(text.format("ASIAQWERTYUIOPASDFGH"))[0].causes[0].label == "missing_session_token"
    assert match_text(text.format("AKIAQWERTYUIOPASDFGH"))[0].causes[0].label == "bad_access_key"


def test_without_evidence_no_cause_is_asserted() -> None:
    match = match_text("ExpiredToken: The security token included in the request is expired")[0]
    assert len(match.causes) > 1
    assert match.causes[0].why is None


def test_an_exception_is_explained_with_its_causes() -> None:
    from botocore.exceptions import ClientError

    error = ClientError({"Error": {"Code": "ExpiredToken", "Message": "The provided token has expired."}}, "GetObject")
    try:
        try:
            raise error
        except ClientError as cause:
            raise OSError("could not read the file") from cause
    except OSError as outer:
        match = unexpire.explain(outer)
    assert match is not None
    assert (match.code, match.operation, match.service) == ("ExpiredToken", "GetObject", "s3")
    assert unexpire.explain(ValueError("nothing of the kind")) is None


def test_what_a_failed_command_wrote_is_explained() -> None:
    script = f"import sys; sys.exit({TOKEN_ENDED!r})"
    for text in (False, True):
        with pytest.raises(subprocess.CalledProcessError) as failure:
            subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=text)
        match = unexpire.explain(failure.value)
        assert match is not None
        assert (match.code, match.operation) == ("ExpiredToken", "PutObject")
    assert unexpire.explain(TOKEN_ENDED.encode()) == unexpire.explain(TOKEN_ENDED)


def test_groups_and_notes_of_exceptions_are_read() -> None:
    group = ExceptionGroup("2 tasks failed", [ValueError("nothing"), ExceptionGroup("1 part", [OSError(TOKEN_ENDED)])])
    noted = OSError("the upload failed")
    noted.add_note(TOKEN_ENDED)
    for error in (group, noted):
        match = unexpire.explain(error)
        assert match is not None
        assert match.code == "ExpiredToken"


def test_what_is_neither_an_exception_nor_a_text_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="not int"):
        unexpire.explain(42)  # type: ignore[arg-type]


TOKEN_ENDED = "An error occurred (ExpiredToken) when calling the PutObject operation: The provided token has expired."
LOG_LINE = b"2026-10-10T10:00:%02dZ INFO  worker-%d handled request id=%d path=/api/items status=200\n"
ERROR_LINE = b"2026-10-10T%02d:00:00Z ERROR sync: operation error S3: PutObject, https response error StatusCode: 400, RequestID: R%d, HostID: h, api error ExpiredToken: The provided token has expired.\n"


def test_a_log_is_read_in_pieces_and_errors_are_counted() -> None:
    lines = [LOG_LINE % (number % 60, number % 7, number) for number in range(30_000)]
    lines[10_000] = ERROR_LINE % (11, 1)
    lines[20_000] = ERROR_LINE % (12, 2)
    lines[25_000] = (
        b"2026-10-10T13:00:00Z ERROR AuthFailure: AWS was not able to validate the provided access credentials\n"
    )
    data = b"".join(lines)
    assert len(data) > 2 * PIECE
    expired, failure = scan(io.BytesIO(data).read)
    assert (expired.code, expired.count, expired.first_line, expired.last_line) == ("ExpiredToken", 2, 10_001, 20_001)
    assert (expired.first_time, expired.last_time) == ("2026-10-10T11:00:00Z", "2026-10-10T12:00:00Z")
    assert (failure.code, failure.count, failure.first_line) == ("AuthFailure", 1, 25_001)


@pytest.mark.parametrize(
    "text",
    [
        "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume the provided role.",
        "Error: Error message: Unable to get ACTIONS_ID_TOKEN_REQUEST_URL env variable",
        '{\n  "kind": "Status",\n  "apiVersion": "v1",\n  "metadata": {\n\n  },\n  "status": "Failure",\n  "message": "Unauthorized",\n  "reason": "Unauthorized",\n  "code": 401\n}',
    ],
)
def test_a_long_log_hides_none_of_these(text: str) -> None:
    quiet = b"".join(LOG_LINE % (number % 60, number % 7, number) for number in range(2_000))
    (found,) = scan(io.BytesIO(quiet + text.encode() + b"\n" + quiet).read)
    assert found.page == match_text(text)[0].page


def test_a_log_without_a_line_end_is_read_all_the_same() -> None:
    data = (
        b"x" * (PIECE * 3)
        + b" An error occurred (ExpiredToken) when calling the GetObject operation: The provided token has expired."
    )
    assert [match.code for match in scan(io.BytesIO(data).read)] == ["ExpiredToken"]


def test_counts_are_of_records_and_not_of_lines() -> None:
    trace = (
        '2026-10-10 10:00:00 ERROR job failed\nTraceback (most recent call last):\n  File "a.py", line 1, in x\n'
        "botocore.exceptions.ClientError: An error occurred (ExpiredToken) when calling the GetObject operation: The provided token has expired.\n"
    )
    match = match_text(trace * 3)[0]
    assert match.count == 3
    assert match.first_line == 4


def test_several_errors_are_all_found_and_the_one_that_tells_most_comes_first() -> None:
    found = match_text(
        "Unable to locate credentials\nExpiredToken: The security token included in the request is expired\n"
        "SignatureDoesNotMatch: Signature expired: 20261010T101010Z is now earlier than 20261010T112233Z (20261010T113733Z - 15 min.)"
    )
    assert [match.code for match in found] == ["ExpiredToken", "SignatureDoesNotMatch", "NoCredentials"]


@given(st.text(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_text_is_answered(text: str) -> None:
    for match in match_text(text):
        assert match.as_json()["causes"] == [cause.as_json() for cause in match.causes]


_PIECES = st.sampled_from(
    ["An error occurred (", ")", "ExpiredToken", "api error ", ": ", "<Code>", "</Code>", "\\", '"', "&lt;", "{", "The provided token has expired.", "\n", "│ ",
     "\x1b[31m", "https://a.s3.amazonaws.com/?X-Amz-Date=", "X-Amz-Expires=99999999999999999999", "current date/time 99999999999 must be before the expiration date/time99999999999",
     "Token expired: 99999999999 >= 1", "<RequestTime>99999999T999999Z</RequestTime><ServerTime>x2026-13-99T99:99:99Z</ServerTime>",
     "Signature expired: 99999999T999999Z is now earlier than 00000000T000000Z (00000000T000000Z - 9999 min.)", "İ", "\u2028"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=25).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_mixture_of_what_it_looks_for_is_answered(text: str) -> None:
    for match in match_text(text):
        match.as_json()


@given(st.binary(max_size=600))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_answered(data: bytes) -> None:
    match_text(decode(data))
    scan(io.BytesIO(data).read)


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_flattened_text_has_offsets_that_fit(text: str) -> None:
    flat = flatten(text)
    assert len(flat.text) == len(flat.lower)
    assert flat.line_of(0) >= 1
    assert flat.line_of(len(flat.text)) <= max(len(flat.starts), 1)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit",
    ["a", "(", "\\", "&amp;", '"', "An error occurred (", "StatusCode: 403, RequestID: ", "Aws::S3::Errors::", "<Code>", "a.amazonaws.com ",
     "status code: 403, request id: ", "https://", "dkr.ecr ", "<requesttime>aaaaaaaaa</requesttime>", "\x1b]", "ExpiredToken: ", "\n", "> "],
)  # fmt: skip
def test_matching_stays_linear(unit: str) -> None:
    """A pattern that backtracks would need hours for these; the time limit of the test is generous on purpose."""
    match_text(unit * (150_000 // len(unit)))


def test_a_span_is_said_in_two_units() -> None:
    from unexpire.reference.ranking import words

    assert [words(timedelta(seconds=s)) for s in (45, 125, 7_500, 187_200)] == [
        "45 s",
        "2 min 05 s",
        "2 h 05 min",
        "2 d 4 h",
    ]


_EXPIRED = "The security token included in the request is expired"


@pytest.mark.parametrize(
    ("text", "service"),
    [
        (f"Amazon.KeyManagementService.Model.KMSException: {_EXPIRED}", "kms"),
        (f"AmazonKeyManagementServiceException: {_EXPIRED}", "kms"),
        (f"AWSSecurityTokenServiceException: {_EXPIRED}", "sts"),
        (f"{_EXPIRED}\n    at x (/app/node_modules/@aws-sdk/client-secrets-manager/dist-cjs/index.js:1:1)", "secretsmanager"),
        (f"{_EXPIRED}\n\tat com.amazonaws.services.kinesis.X.doInvoke(X.java:2893)", "kinesis"),
        (f"{_EXPIRED}\n\tat software.amazon.awssdk.services.ssm.X.getParameter(X.java:1)", "ssm"),
        (f"aws.sdk.kotlin.services.dynamodb.model.DynamoDbException: {_EXPIRED}", "dynamodb"),
        (f"error in aws_sdk_dynamodb::operation::get_item: {_EXPIRED}", "dynamodb"),
        (f"{_EXPIRED}\n\t/go/pkg/mod/github.com/aws/aws-sdk-go-v2/service/ecs@v1.30.0/api_op_ListClusters.go:50", "ecs"),
        (f"PHP Fatal error: Uncaught Aws\\Sqs\\Exception\\SqsException: {_EXPIRED}", "sqs"),
        (f"elasticsearch.exceptions.AuthorizationException: AuthorizationException(403, '{_EXPIRED}.')", "es"),
        (f"{_EXPIRED}\n    at features.constructor (/app/node_modules/aws-sdk/lib/services/s3.js:684:35)", "s3"),
        (f"[Simba][AthenaJDBC](100071) An error has been thrown from the AWS Athena client. {_EXPIRED}", "athena"),
        (f"(Service: AWSOrganizations; Status Code: 400) {_EXPIRED}", "organizations"),
        (f"Aws::IAM::Errors::Unknown: {_EXPIRED}", "iam"),
    ],
)  # fmt: skip
def test_a_service_is_read_off_what_an_sdk_prints_of_itself(text: str, service: str) -> None:
    assert match_text(text)[0].service == service
