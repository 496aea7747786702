"""How AWS says no: every failure of the front door in each protocol, with its status, code and sentence.

The wordings are what AWS's services answer, as users have pasted them into public issues; among them boto/boto3#2392 (S3),
hashicorp/terraform#5579 (STS), celery/kombu#2217 (SQS as JSON), aws/aws-for-fluent-bit#187 (code only in the header),
hashicorp/packer#7991 (EC2), hashicorp/terraform-provider-aws#1102 (EC2 and clocks).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape

from .wire import Call, Protocol, Response

__all__ = ["Refused", "basic", "extended", "refuse", "render"]


@dataclass
class Refused(Exception):
    """An answer that is an error. `fields` are further elements of an S3 error document."""

    code: str
    message: str
    status: int
    fields: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"


_INCLUDED_EXPIRED = "The security token included in the request is expired"
_INCLUDED_INVALID = "The security token included in the request is invalid."
_WRONG_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and "
    "signing method. Consult the service documentation for details."
)
_S3_WRONG_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)
_NOT_VALIDATED = "AWS was not able to validate the provided access credentials"

# failure -> protocol family -> (status, code, message)
_TABLE: dict[str, dict[str, tuple[int, str, str]]] = {
    "missing": {
        "query": (403, "MissingAuthenticationToken", "Request is missing Authentication Token"),
        "s3": (403, "AccessDenied", "Access Denied"),
        "ec2": (400, "MissingParameter", "The request must contain the parameter AWSAccessKeyId"),
        "json": (400, "MissingAuthenticationTokenException", "Request is missing Authentication Token"),
        "rest": (403, "MissingAuthenticationTokenException", "Missing Authentication Token"),
    },
    "malformed": {
        "query": (400, "IncompleteSignature", ""),
        "s3": (400, "AuthorizationHeaderMalformed", ""),
        "ec2": (401, "AuthFailure", _NOT_VALIDATED),
        "json": (400, "IncompleteSignatureException", ""),
        "rest": (403, "IncompleteSignatureException", ""),
    },
    "unknown-key": {
        "query": (403, "InvalidClientTokenId", _INCLUDED_INVALID),
        "s3": (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
        "ec2": (401, "AuthFailure", _NOT_VALIDATED),
        "json": (400, "UnrecognizedClientException", _INCLUDED_INVALID),
        "rest": (403, "UnrecognizedClientException", _INCLUDED_INVALID),
    },
    "wrong-token": {
        "query": (403, "InvalidClientTokenId", _INCLUDED_INVALID),
        "s3": (400, "InvalidToken", "The provided token is malformed or otherwise invalid."),
        "ec2": (401, "AuthFailure", _NOT_VALIDATED),
        "json": (400, "UnrecognizedClientException", _INCLUDED_INVALID),
        "rest": (403, "UnrecognizedClientException", _INCLUDED_INVALID),
    },
    "expired": {
        "query": (403, "ExpiredToken", _INCLUDED_EXPIRED),
        "s3": (400, "ExpiredToken", "The provided token has expired."),
        "ec2": (400, "RequestExpired", "Request has expired."),
        "json": (400, "ExpiredTokenException", _INCLUDED_EXPIRED),
        "rest": (403, "ExpiredTokenException", _INCLUDED_EXPIRED),
    },
    "wrong-signature": {
        "query": (403, "SignatureDoesNotMatch", _WRONG_SIGNATURE),
        "s3": (403, "SignatureDoesNotMatch", _S3_WRONG_SIGNATURE),
        "ec2": (401, "AuthFailure", _NOT_VALIDATED),
        "json": (400, "InvalidSignatureException", _WRONG_SIGNATURE),
        "rest": (403, "InvalidSignatureException", _WRONG_SIGNATURE),
    },
    "wrong-time": {
        "query": (403, "SignatureDoesNotMatch", ""),
        "s3": (403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
        "ec2": (401, "AuthFailure", _NOT_VALIDATED),
        "json": (400, "InvalidSignatureException", ""),
        "rest": (403, "InvalidSignatureException", ""),
    },
    "wrong-scope": {
        "query": (403, "SignatureDoesNotMatch", ""),
        "s3": (400, "AuthorizationHeaderMalformed", ""),
        "ec2": (401, "AuthFailure", _NOT_VALIDATED),
        "json": (400, "InvalidSignatureException", ""),
        "rest": (403, "InvalidSignatureException", ""),
    },
    "url-expired": {
        "query": (403, "SignatureDoesNotMatch", ""),
        "s3": (403, "AccessDenied", "Request has expired"),
        "ec2": (400, "RequestExpired", "Request has expired."),
        "json": (400, "InvalidSignatureException", ""),
        "rest": (403, "InvalidSignatureException", ""),
    },
    "region-disabled": {
        "query": (403, "InvalidClientTokenId", _INCLUDED_INVALID),
        "s3": (400, "InvalidToken", "The provided token is malformed or otherwise invalid."),
        "ec2": (401, "AuthFailure", _NOT_VALIDATED),
        "json": (400, "UnrecognizedClientException", _INCLUDED_INVALID),
        "rest": (403, "UnrecognizedClientException", _INCLUDED_INVALID),
    },
    "throttled": {
        "query": (400, "Throttling", "Rate exceeded"),
        "s3": (503, "SlowDown", "Please reduce your request rate."),
        "ec2": (503, "RequestLimitExceeded", "Request limit exceeded."),
        "json": (400, "ThrottlingException", "Rate exceeded"),
        "rest": (429, "TooManyRequestsException", "Rate exceeded"),
    },
    "internal": {
        "query": (500, "InternalFailure", "The request processing has failed because of an unknown error, exception or failure."),
        "s3": (500, "InternalError", "We encountered an internal error. Please try again."),
        "ec2": (500, "InternalError", "An internal error has occurred"),
        "json": (500, "InternalServerError", "The request processing has failed because of an unknown error."),
        "rest": (500, "ServiceException", "The service encountered an internal error."),
    },
    "unavailable": {
        "query": (503, "ServiceUnavailable", "Service is unavailable, please try again"),
        "s3": (503, "ServiceUnavailable", "Service is unable to handle request."),
        "ec2": (503, "Unavailable", "The server is overloaded and can't handle the request."),
        "json": (503, "ServiceUnavailableException", "The service is temporarily unavailable."),
        "rest": (503, "ServiceUnavailableException", "The service is temporarily unavailable."),
    },
}  # fmt: skip

_FAMILY = {
    Protocol.QUERY: "query",
    Protocol.EC2: "ec2",
    Protocol.S3: "s3",
    Protocol.JSON: "json",
    Protocol.CBOR: "json",
    Protocol.REST_JSON: "rest",
    Protocol.REST_XML: "query",
}


def refuse(failure: str, call: Call, message: str | None = None, fields: Iterable[tuple[str, str]] = ()) -> Refused:
    """The exception for one of the front door's failures, in the words of the protocol that `call` speaks."""
    if call.protocol is Protocol.SQS:
        # Moved from query to JSON: the names of JSON, the statuses of query (celery/kombu#2217).
        status = _TABLE[failure]["query"][0]
        _, code, words = _TABLE[failure]["json"]
    else:
        status, code, words = _TABLE[failure][_FAMILY[call.protocol]]
    return Refused(code, words or message or "", status, tuple(fields) if call.protocol is Protocol.S3 else ())


def basic(moment: datetime) -> str:
    """``20261122T204100Z``"""
    return moment.strftime("%Y%m%dT%H%M%SZ")


def extended(moment: datetime) -> str:
    """``2026-11-22T20:41:00Z``"""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


_NAMESPACES = {
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sqs": "http://queue.amazonaws.com/doc/2012-11-05/",
    "sns": "http://sns.amazonaws.com/doc/2010-03-31/",
}


def request_id() -> str:
    raw = secrets.token_hex(16)
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"


def render(refused: Refused, call: Call, method: str, amz_json: str = "1.0") -> Response:
    """The answer as it goes over the wire. S3 answers HEAD without a body, hence without a code."""
    number, protocol = request_id(), call.protocol
    code, message = escape(refused.code), escape(refused.message)
    if protocol is Protocol.S3:
        return _s3(refused, method, number)
    if protocol in (Protocol.QUERY, Protocol.REST_XML):
        namespace = _NAMESPACES.get(call.service, f"http://{call.service}.amazonaws.com/doc/")
        kind = "Sender" if refused.status < 500 else "Receiver"
        body = (
            f'<ErrorResponse xmlns="{namespace}">\n  <Error>\n    <Type>{kind}</Type>\n    <Code>{code}</Code>\n'
            f"    <Message>{message}</Message>\n  </Error>\n  <RequestId>{number}</RequestId>\n</ErrorResponse>\n"
        )
        return _answer(refused, "text/xml", body.encode(), ("x-amzn-RequestId", number))
    if protocol is Protocol.EC2:
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{number}</RequestID></Response>"
        )
        return _answer(refused, "text/xml;charset=UTF-8", body.encode(), ("x-amzn-RequestId", number))
    return _not_xml(refused, protocol, number, amz_json)


def _not_xml(refused: Refused, protocol: Protocol, number: str, amz_json: str) -> Response:
    identifier = ("x-amzn-RequestId", number)
    if protocol is Protocol.REST_JSON:
        text = json.dumps({"message": refused.message}).encode()
        return _answer(refused, "application/json", text, ("x-amzn-ErrorType", refused.code), identifier)
    document = {"__type": f"com.amazon.coral.service#{refused.code}", "message": refused.message}
    if protocol is Protocol.CBOR:
        extra = ("smithy-protocol", "rpc-v2-cbor")
        return _answer(refused, "application/cbor", _cbor(document), extra, identifier)
    headers = [identifier]
    if protocol is Protocol.SQS:
        old = {code: row["query"][1] for row in _TABLE.values() for code in [row["json"][1]]}
        headers.append(("x-amzn-query-error", f"{old.get(refused.code, refused.code)};Sender"))
    return _answer(refused, f"application/x-amz-json-{amz_json}", json.dumps(document).encode(), *headers)


def _s3(refused: Refused, method: str, number: str) -> Response:
    headers = (("x-amz-request-id", number[:16].replace("-", "").upper()), ("x-amz-id-2", secrets.token_urlsafe(48)))
    if method == "HEAD":
        return _answer(refused, "application/xml", b"", *headers)
    more = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in refused.fields)
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(refused.code)}</Code><Message>{escape(refused.message)}</Message>{more}"
        f"<RequestId>{headers[0][1]}</RequestId><HostId>{headers[1][1]}</HostId></Error>"
    )
    return _answer(refused, "application/xml", body.encode(), *headers)


def _answer(refused: Refused, content_type: str, body: bytes, *headers: tuple[str, str]) -> Response:
    return Response(refused.status, [("Content-Type", content_type), *headers], body, refused.code)


def _cbor(document: dict[str, str]) -> bytes:
    """A CBOR map of short texts (RFC 8949, section 3.1), all that an error needs."""

    def text(value: str) -> bytes:
        raw = value.encode()
        head = bytes([0x60 | len(raw)]) if len(raw) < 24 else b"\x79" + len(raw).to_bytes(2, "big")
        return head + raw

    return bytes([0xA0 | len(document)]) + b"".join(text(n) + text(v) for n, v in document.items())
