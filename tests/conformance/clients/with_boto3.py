"""boto3, on its own or through a session of unexpire's: objects written and read, an identity asked for."""

from __future__ import annotations

import os

from line_by_line import BUCKET, REGION, URL, serve

if os.environ.get("CONFORMANCE_SESSION"):
    import unexpire

    session = unexpire.boto3_session(os.environ["CONFORMANCE_SESSION"], region_name=REGION)
else:
    import boto3

    session = boto3.Session(region_name=REGION)

s3 = session.client("s3", endpoint_url=URL)
sts = session.client("sts", endpoint_url=URL)


def call(number: int) -> None:
    body = f"{number}".encode()
    s3.put_object(Bucket=BUCKET, Key="boto3", Body=body)
    assert s3.get_object(Bucket=BUCKET, Key="boto3")["Body"].read() == body
    sts.get_caller_identity()


serve(call)
