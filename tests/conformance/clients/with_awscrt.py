"""awscrt, AWS's C runtime: its credentials provider and its signer; the request itself goes out by urllib."""

from __future__ import annotations

import os
import urllib.request
from urllib.parse import urlsplit

from awscrt.auth import (
    AwsCredentialsProvider,
    AwsSignatureType,
    AwsSignedBodyHeaderType,
    AwsSigningAlgorithm,
    AwsSigningConfig,
    aws_sign_request,
)
from awscrt.http import HttpHeaders, HttpRequest
from line_by_line import BUCKET, REGION, URL, serve

if os.environ["CONFORMANCE_DOOR"] == "process":
    provider = AwsCredentialsProvider.new_process("door")
else:
    provider = AwsCredentialsProvider.new_default_chain()
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def call(number: int) -> None:
    request = HttpRequest("GET", f"/{BUCKET}", HttpHeaders([("Host", urlsplit(URL).netloc)]))
    config = AwsSigningConfig(
        algorithm=AwsSigningAlgorithm.V4,
        signature_type=AwsSignatureType.HTTP_REQUEST_HEADERS,
        credentials_provider=provider,
        region=REGION,
        service="s3",
        signed_body_header_type=AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
    )
    signed = aws_sign_request(request, config).result(60)
    opener.open(urllib.request.Request(URL + signed.path, headers=dict(signed.headers)), timeout=60).read()


serve(call)
