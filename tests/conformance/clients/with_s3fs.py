"""s3fs, on its own or with a session of unexpire's."""

from __future__ import annotations

import os

import s3fs
from line_by_line import BUCKET, REGION, URL, serve

options: dict[str, object] = {}
if os.environ.get("CONFORMANCE_SESSION"):
    import unexpire

    options["session"] = unexpire.aiobotocore_session(os.environ["CONFORMANCE_SESSION"])
files = s3fs.S3FileSystem(
    client_kwargs={"endpoint_url": URL, "region_name": REGION}, use_listings_cache=False, **options
)


def call(number: int) -> None:
    files.pipe(f"{BUCKET}/s3fs", f"{number}".encode())
    assert files.cat(f"{BUCKET}/s3fs") == f"{number}".encode()
    assert files.ls(BUCKET, refresh=True)


serve(call)
