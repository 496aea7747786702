"""aiobotocore, on its own or through a session of unexpire's: four calls at once."""

from __future__ import annotations

import asyncio
import os

from line_by_line import BUCKET, REGION, URL, serve

if os.environ.get("CONFORMANCE_SESSION"):
    import unexpire

    session = unexpire.aiobotocore_session(os.environ["CONFORMANCE_SESSION"])
else:
    from aiobotocore.session import get_session

    session = get_session()

loop = asyncio.new_event_loop()
client = loop.run_until_complete(session.create_client("s3", endpoint_url=URL, region_name=REGION).__aenter__())


async def together() -> None:
    await asyncio.gather(*(client.put_object(Bucket=BUCKET, Key=f"aio{n}", Body=b"x") for n in range(4)))


serve(lambda _: loop.run_until_complete(together()))
