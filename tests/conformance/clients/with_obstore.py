"""obstore: Rust's object_store."""

from __future__ import annotations

import obstore
from line_by_line import BUCKET, REGION, URL, serve
from obstore.store import S3Store

store = S3Store(
    BUCKET, endpoint=URL, region=REGION, virtual_hosted_style_request=False, client_options={"allow_http": True}
)


def call(number: int) -> None:
    obstore.put(store, "obstore", f"{number}".encode())
    assert bytes(obstore.get(store, "obstore").bytes()) == f"{number}".encode()


serve(call)
