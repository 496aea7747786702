"""Requests and answers as values, and what a request is for: which service, which operation, in which protocol."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

__all__ = ["Call", "Protocol", "Request", "Response", "identify", "json_response"]


@dataclass(frozen=True)
class Request:
    """One HTTP request as it came over the wire: the path and query are still percent-encoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    """Names in lower case; repeated headers joined with a comma."""
    body: bytes = field(repr=False, default=b"")

    @cached_property
    def parameters(self) -> list[tuple[str, str]]:
        return [(unquote(n), unquote(v)) for n, _, v in (p.partition("=") for p in self.query.split("&") if p)]

    @cached_property
    def arguments(self) -> dict[str, str]:
        """The parameters of the query string, the last of a name wins."""
        return dict(self.parameters)

    @cached_property
    def form(self) -> dict[str, str]:
        """The parameters of the query string and, over them, of a form body."""
        found = dict(parse_qsl(self.query, keep_blank_values=True))
        if self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            found.update(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))
        return found

    @cached_property
    def document(self) -> dict[str, Any]:
        """The JSON object of the body; empty where there is none."""
        try:
            found = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass
class Response:
    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = field(repr=False, default=b"")
    outcome: str = "ok"
    """``ok`` or the error code, for the ledger: an S3 HEAD says only "400", and the lab still knows why."""


def json_response(status: int, document: Any, *, outcome: str = "ok", **headers: str) -> Response:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Response(status, [("Content-Type", "application/json"), *named], json.dumps(document).encode(), outcome)


class Protocol(enum.Enum):
    """How a service speaks, as far as its failures tell."""

    QUERY = "query"
    EC2 = "ec2"
    S3 = "s3"
    JSON = "json"
    SQS = "sqs"
    """JSON that also carries the code of the old query protocol (``x-amzn-query-error``)."""
    REST_JSON = "rest-json"
    REST_XML = "rest-xml"
    CBOR = "cbor"


@dataclass(frozen=True)
class Call:
    """What a request asks for. `service` is the name that signatures carry (``monitoring``, not ``cloudwatch``)."""

    service: str
    operation: str
    protocol: Protocol
    region: str = "us-east-1"


_TARGETS = {
    "DynamoDB_20120810": "dynamodb",
    "DynamoDBStreams_20120810": "dynamodb",
    "AmazonSQS": "sqs",
    "Logs_20140328": "logs",
    "GraniteServiceVersion20100801": "monitoring",
    "AmazonSSM": "ssm",
    "TrentService": "kms",
}
_VERSIONS = {"2011-06-15": "sts", "2010-05-08": "iam", "2016-11-15": "ec2", "2010-03-31": "sns", "2012-11-05": "sqs"}
_REST_XML = frozenset({"cloudfront", "route53", "s3-outposts"})
_CBOR_PATH = re.compile(r"/service/([^/]+)/operation/([^/]+)$")


def identify(request: Request, service: str | None = None, region: str = "us-east-1") -> Call:
    """What the request is for; `service` is what its signature says, None where it has none."""
    if request.headers.get("smithy-protocol") == "rpc-v2-cbor" and (found := _CBOR_PATH.search(request.path)):
        name = _TARGETS.get(found[1], found[1].lower())
        return Call(service or name, found[2], Protocol.CBOR, region)
    if target := request.headers.get("x-amz-target"):
        prefix, _, operation = target.rpartition(".")
        name = service or _TARGETS.get(prefix, prefix.lower())
        return Call(name, operation, Protocol.SQS if name == "sqs" else Protocol.JSON, region)
    if service != "s3" and (action := request.form.get("Action")):
        name = service or _VERSIONS.get(request.form.get("Version", ""), "sts")
        return Call(name, action, Protocol.EC2 if name == "ec2" else Protocol.QUERY, region)
    if service in (None, "s3", "s3express"):
        return Call("s3", s3_operation(request), Protocol.S3, region)
    protocol = Protocol.REST_XML if service in _REST_XML else Protocol.REST_JSON
    return Call(service, _rest_operation(request, service), protocol, region)


_S3_SUBRESOURCES = {
    "acl": "Acl", "policy": "BucketPolicy", "location": "BucketLocation", "versioning": "BucketVersioning",
    "lifecycle": "BucketLifecycleConfiguration", "cors": "BucketCors", "tagging": "Tagging", "website": "BucketWebsite",
    "encryption": "BucketEncryption", "notification": "BucketNotificationConfiguration",
    "publicAccessBlock": "PublicAccessBlock", "logging": "BucketLogging",
}  # fmt: skip
_VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete", "HEAD": "Head", "POST": "Post"}


def s3_operation(request: Request) -> str:
    """The S3 operation of a path-style request."""
    bucket, _, key = request.path.lstrip("/").partition("/")
    arguments, method = request.arguments, request.method
    verb = _VERBS.get(method, method.title())
    if not bucket:
        return "ListBuckets"
    for name, noun in _S3_SUBRESOURCES.items():
        if name in arguments:
            owner = ("Object" if key else "Bucket") if noun in ("Acl", "Tagging") else ""
            return f"{verb}{owner}{noun}"
    if key:
        return _s3_object_operation(verb, arguments, "x-amz-copy-source" in request.headers)
    if method == "GET":
        for name, operation in (
            ("uploads", "ListMultipartUploads"),
            ("versions", "ListObjectVersions"),
        ):
            if name in arguments:
                return operation
        return "ListObjectsV2" if arguments.get("list-type") == "2" else "ListObjects"
    if method == "POST":
        return "DeleteObjects" if "delete" in arguments else "PostObject"
    return {"PUT": "CreateBucket", "HEAD": "HeadBucket", "DELETE": "DeleteBucket"}.get(method, f"{verb}Bucket")


def _s3_object_operation(verb: str, arguments: Mapping[str, str], copy: bool) -> str:
    if "uploads" in arguments:
        return "CreateMultipartUpload"
    if "uploadId" in arguments:
        return {
            "Put": "UploadPartCopy" if copy else "UploadPart",
            "Post": "CompleteMultipartUpload",
            "Delete": "AbortMultipartUpload",
            "Get": "ListParts",
        }.get(verb, f"{verb}Object")
    return "CopyObject" if copy and verb == "Put" else f"{verb}Object"


def _rest_operation(request: Request, service: str) -> str:
    """The operation whose path in botocore's model of the service fits; ``GET /path`` where none does."""
    for operation, method, pattern in _rest_patterns(service):
        if method == request.method and pattern.fullmatch(request.path):
            return operation
    return f"{request.method} {request.path}"


_patterns: dict[str, list[tuple[str, str, re.Pattern[str]]]] = {}


def _rest_patterns(service: str) -> list[tuple[str, str, re.Pattern[str]]]:
    if service not in _patterns:
        from botocore.exceptions import DataNotFoundError
        from botocore.loaders import Loader

        try:
            operations = Loader().load_service_model(service, "service-2")["operations"]
        except DataNotFoundError:  # also what an unknown service raises
            operations = {}
        found = []
        for name, operation in operations.items():
            uri = operation["http"]["requestUri"].partition("?")[0]
            regex = re.sub(
                r"\\{(\w+)(\\\+)?\\}", lambda m: ".+" if m[2] else "[^/]+", re.escape(uri).replace("%7B", "{")
            )
            found.append((len(uri), name, operation["http"]["method"], re.compile(regex + "/?")))
        # The longest path first: `/functions/{name}/invocations` before `/functions/{name}`, should a pattern be greedy.
        _patterns[service] = [(n, m, p) for _, n, m, p in sorted(found, key=lambda row: -row[0])]
    return _patterns[service]
