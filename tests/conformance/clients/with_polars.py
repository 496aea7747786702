"""polars: Rust's object_store behind its own cloud reader, with boto3 kept out of it."""

from __future__ import annotations

import polars
from line_by_line import BUCKET, REGION, URL, serve

options = {
    "aws_endpoint_url": URL,
    "aws_region": REGION,
    "aws_allow_http": "true",
    "aws_virtual_hosted_style_request": "false",
}
place = f"s3://{BUCKET}/polars.parquet"


def call(number: int) -> None:
    polars.DataFrame({"number": [number]}).write_parquet(place, storage_options=options, credential_provider=None)
    read = polars.read_parquet(place, storage_options=options, credential_provider=None)
    assert read["number"].to_list() == [number]


serve(call)
