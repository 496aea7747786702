"""Raw HTTP against a lab: requests signed by botocore's signers, answers as they come over the wire."""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.session
from botocore.config import Config

from unexpire.credentials import Credentials
from unexpire.lab import Lab


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def code(self) -> str | None:
        """The error code, wherever this protocol puts it."""
        if found := re.search(rb"<Code>([^<]*)</Code>", self.body):
            return found[1].decode()
        return self.document.get("__type", "").rpartition("#")[2] or self.headers.get("x-amzn-errortype")

    @property
    def message(self) -> str | None:
        if found := re.search(rb"<Message>([^<]*)</Message>", self.body):
            return found[1].decode()
        return self.document.get("message")

    @property
    def document(self) -> dict[str, Any]:
        kind = self.headers.get("content-type", "")
        if "json" in kind:
            return dict(json.loads(self.body))
        return _texts_of_cbor(self.body) if "cbor" in kind else {}

    def element(self, name: str) -> str | None:
        found = re.search(rb"<%s>([^<]*)</%s>" % (name.encode(), name.encode()), self.body)
        return found[1].decode() if found else None


def _texts_of_cbor(raw: bytes) -> dict[str, str]:
    """A CBOR map of texts (RFC 8949)."""
    texts, position = [], 1
    while position < len(raw):
        head, position = raw[position], position + 1
        assert head >> 5 == 3, "a text"
        size, extra = head & 31, {24: 1, 25: 2}.get(head & 31, 0)
        if extra:
            size, position = int.from_bytes(raw[position : position + extra], "big"), position + extra
        texts.append(raw[position : position + size].decode())
        position += size
    assert raw[0] == 0xA0 | len(texts) // 2
    return dict(zip(texts[::2], texts[1::2], strict=True))


_SESSION = botocore.session.Session()  # one for all: it keeps the service models that it has read


def client(lab: Lab, service: str, keys: Credentials | None = None, **config: Any) -> Any:
    """A botocore client of the lab, which says what AWS said at the first attempt."""
    keys = keys or lab.user_credentials
    return _SESSION.create_client(
        service,
        "us-east-1",
        endpoint_url=lab.url,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        aws_session_token=keys.session_token,
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


def send(url: str, method: str = "GET", body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


# One call of each protocol: service as signed -> method, path, body, headers
CALLS: dict[str, tuple[str, str, bytes, dict[str, str]]] = {
    "sts": ("POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", {"Content-Type": "application/x-www-form-urlencoded"}),
    "iam": ("POST", "/", b"Action=ListRoles&Version=2010-05-08", {"Content-Type": "application/x-www-form-urlencoded"}),
    "s3": ("GET", "/", b"", {}),
    "s3-head": ("HEAD", "/bucket/key", b"", {}),
    "dynamodb": (
        "POST", "/", b"{}",
        {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"},
    ),
    "logs": (
        "POST", "/", b"{}",
        {"X-Amz-Target": "Logs_20140328.DescribeLogGroups", "Content-Type": "application/x-amz-json-1.1"},
    ),
    "sqs": ("POST", "/", b"{}", {"X-Amz-Target": "AmazonSQS.ListQueues", "Content-Type": "application/x-amz-json-1.0"}),
    "ec2": (
        "POST", "/", b"Action=DescribeInstances&Version=2016-11-15",
        {"Content-Type": "application/x-www-form-urlencoded"},
    ),
    "lambda": ("GET", "/2015-03-31/functions/", b"", {}),
    "monitoring": (
        "POST", "/service/GraniteServiceVersion20100801/operation/ListMetrics", b"\xa0",
        {"smithy-protocol": "rpc-v2-cbor", "Content-Type": "application/cbor"},
    ),
}  # fmt: skip


class _Stating(botocore.auth.S3SigV4Auth):  # type: ignore[misc]
    """States a word in place of the payload's hash, as streaming uploads do."""

    def payload(self, request: Any) -> str:
        return str(request.context["stated"])


def prepared(lab: Lab, service: str, keys: Credentials | None, **over: Any) -> tuple[str, str, bytes, dict[str, str]]:
    """(url, method, body, headers) of the call of CALLS, signed by botocore's own signer with `keys`; None leaves it unsigned."""
    method, path, body, headers = CALLS[service]
    name = over.get("scope", service.partition("-")[0])
    request = botocore.awsrequest.AWSRequest(
        over.get("method", method),
        lab.url + over.get("path", path),
        data=over.get("body", body),
        headers={**headers, **over.get("headers", {})},
    )
    if keys is not None:
        signer = botocore.auth.SigV4Auth
        if name == "s3":
            signer = _Stating if "payload" in over else botocore.auth.S3SigV4Auth
            request.context["stated"] = over.get("payload")
        signing = botocore.credentials.Credentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
        request.context["client_config"] = None
        signer(signing, name, over.get("region", "us-east-1")).add_auth(request)
    ready = request.prepare()
    return ready.url, ready.method, ready.body or b"", dict(ready.headers.items())


def ask(lab: Lab, service: str, keys: Credentials | None, **over: Any) -> Answer:
    url, method, body, headers = prepared(lab, service, keys, **over)
    return send(url, method, body, headers)
