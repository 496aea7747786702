"""pyarrow's S3 file system: the C++ SDK."""

from __future__ import annotations

from urllib.parse import urlsplit

from line_by_line import BUCKET, REGION, URL, serve
from pyarrow import fs

files = fs.S3FileSystem(endpoint_override=urlsplit(URL).netloc, scheme="http", region=REGION)


def call(number: int) -> None:
    with files.open_output_stream(f"{BUCKET}/pyarrow") as stream:
        stream.write(f"{number}".encode())
    with files.open_input_stream(f"{BUCKET}/pyarrow") as stream:
        assert stream.read() == f"{number}".encode()


serve(call)
