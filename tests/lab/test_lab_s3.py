"""S3: presigned URLs of both versions, bodies in signed chunks, and objects that really come back."""

from __future__ import annotations

import base64
import hashlib
import hmac
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from labwire import ask, client, prepared, send

from unexpire.credentials import Credentials
from unexpire.lab import Lab

EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.fixture
def keys(lab: Lab) -> Credentials:
    return lab.issue_session(seconds=1200)


@pytest.fixture
def s3(lab: Lab, keys: Credentials) -> Iterator[Any]:
    made = client(lab, "s3", keys)
    made.create_bucket(Bucket="bucket")
    made.put_object(Bucket="bucket", Key="a/ü +&=b", Body=b"hello")
    yield made
    made.close()


def presigned(lab: Lab, keys: Credentials, version: str = "s3v4", life: int = 3600) -> str:
    made = client(lab, "s3", keys, signature_version=version)
    try:
        url: str = made.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "a/ü +&=b"}, ExpiresIn=life)
    finally:
        made.close()
    return url


def test_objects_come_back(s3: Any) -> None:
    assert s3.get_object(Bucket="bucket", Key="a/ü +&=b")["Body"].read() == b"hello"
    assert s3.head_object(Bucket="bucket", Key="a/ü +&=b")["ContentLength"] == 5
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ["a/ü +&=b"]


def test_one_object_written_by_many_at_once(lab: Lab, keys: Credentials) -> None:
    made = client(lab, "s3", keys)
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # the threads of the lab, which are of this process, get into each other's way
    try:
        made.create_bucket(Bucket="contended")
        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(lambda _: made.put_object(Bucket="contended", Key="same", Body=b"x"), range(200)):
                pass
    finally:
        sys.setswitchinterval(usual)
        made.close()
    assert lab.count("s3", "PutObject", outcome="ok") == lab.count("s3", "PutObject") == 200


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_url_works(lab: Lab, s3: Any, keys: Credentials, version: str) -> None:
    answer = send(presigned(lab, keys, version))
    assert (answer.status, answer.body) == (200, b"hello")
    assert lab.count("s3", "GetObject", identity=keys.access_key_id, outcome="ok") == 1


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_url_ends(lab: Lab, s3: Any, keys: Credentials, version: str) -> None:
    url = presigned(lab, keys, version, life=60)
    lab.advance(120)
    answer = send(url)
    assert (answer.status, answer.code, answer.message) == (403, "AccessDenied", "Request has expired")
    assert answer.element("X-Amz-Expires") == ("60" if version == "s3v4" else None)
    end, now = (datetime.fromisoformat(answer.element(name) or "") for name in ("Expires", "ServerTime"))
    assert 55 <= (now - end).total_seconds() <= 70


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_url_ends_with_its_session(lab: Lab, s3: Any, keys: Credentials, version: str) -> None:
    url = presigned(lab, keys, version, life=604800)
    lab.age(1300)
    answer = send(url)
    assert (answer.status, answer.code) == (400, "ExpiredToken")


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_changed_url_is_refused(lab: Lab, s3: Any, keys: Credentials, version: str) -> None:
    url = presigned(lab, keys, version).replace("/bucket/a/", "/bucket/b/")
    assert send(url).code == "SignatureDoesNotMatch"


def test_a_url_for_longer_than_a_week(lab: Lab, keys: Credentials) -> None:
    url = presigned(lab, keys).replace("X-Amz-Expires=3600", "X-Amz-Expires=604801")
    answer = send(url)
    assert (answer.status, answer.code) == (400, "AuthorizationQueryParametersError")


def test_a_url_from_a_clock_that_is_ahead(lab: Lab, keys: Credentials) -> None:
    lab.set_clock_offset(-3600)
    answer = send(presigned(lab, keys))
    assert (answer.status, answer.code, answer.message) == (403, "AccessDenied", "Request is not valid yet")


def test_presigned_get_caller_identity(lab: Lab, keys: Credentials) -> None:
    """As `aws eks get-token` and Vault use it."""
    made = client(lab, "sts", keys)
    url = made.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    made.close()
    assert b"assumed-role/Deploy" in send(url).body
    lab.advance(61)
    answer = send(url)
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    assert (answer.message or "").startswith("Signature expired: ")


def chunked(
    lab: Lab, keys: Credentials, chunks: list[bytes], spoil: bool = False
) -> tuple[str, str, bytes, dict[str, str]]:
    """A PUT whose body comes in signed chunks, as the Java and Go SDKs send it."""
    size = sum(map(len, chunks))
    url, method, _, headers = prepared(
        lab, "s3", keys, method="PUT", path="/bucket/chunked",
        headers={"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": str(size)},
        payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    )  # fmt: skip
    signature = headers["Authorization"].rpartition("Signature=")[2]
    stamp, day = headers["X-Amz-Date"], headers["X-Amz-Date"][:8]
    key = f"AWS4{keys.secret_access_key}".encode()
    for part in (day, "us-east-1", "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    body = b""
    for chunk in [*chunks, b""]:
        text = "\n".join(
            (
                "AWS4-HMAC-SHA256-PAYLOAD",
                stamp,
                f"{day}/us-east-1/s3/aws4_request",
                signature,
                EMPTY,
                hashlib.sha256(chunk).hexdigest(),
            )
        )
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        body += b"%x;chunk-signature=%s\r\n%s\r\n" % (len(chunk), signature.encode(), chunk)
    if spoil:
        body = body.replace(b"first", b"FIRST")
    headers["Content-Length"] = str(len(body))
    return url, method, body, headers


def test_a_body_in_signed_chunks(lab: Lab, s3: Any, keys: Credentials) -> None:
    url, method, body, headers = chunked(lab, keys, [b"first " * 2000, b"second"])
    assert send(url, method, body, headers).status == 200
    assert s3.get_object(Bucket="bucket", Key="chunked")["Body"].read() == b"first " * 2000 + b"second"


def test_a_spoiled_chunk_is_noticed(lab: Lab, s3: Any, keys: Credentials) -> None:
    url, method, body, headers = chunked(lab, keys, [b"first " * 2000, b"second"], spoil=True)
    assert send(url, method, body, headers).code == "SignatureDoesNotMatch"


def test_a_body_with_an_unsigned_trailer(lab: Lab, s3: Any, keys: Credentials) -> None:
    checksum = base64.b64encode(zlib.crc32(b"streamed").to_bytes(4, "big"))
    body = b"8\r\nstreamed\r\n0\r\nx-amz-checksum-crc32:" + checksum + b"\r\n\r\n"
    url, method, _, headers = prepared(
        lab, "s3", keys, method="PUT", path="/bucket/streamed",
        headers={
            "Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "8",
            "X-Amz-Trailer": "x-amz-checksum-crc32",
        },
        payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    )  # fmt: skip
    headers["Content-Length"] = str(len(body))
    assert send(url, method, body, headers).status == 200
    assert s3.get_object(Bucket="bucket", Key="streamed")["Body"].read() == b"streamed"


def test_an_unsigned_payload(lab: Lab, s3: Any, keys: Credentials) -> None:
    answer = ask(lab, "s3", keys, method="PUT", path="/bucket/plain", body=b"x", payload="UNSIGNED-PAYLOAD")
    assert answer.status == 200


def test_labs_of_one_process_start_empty(lab: Lab, s3: Any) -> None:
    s3.close()
    lab.stop()
    with Lab() as another:
        made = client(another, "s3")
        assert made.list_buckets()["Buckets"] == []
        made.close()
