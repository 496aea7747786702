"""aiobotocore and aioboto3 sessions against the lab. Both pin a botocore of their own: `make conformance` installs what they need."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest
from boto3_setting import Clock, clock, home, lab, renewals, running_lab

import unexpire
from unexpire.delivery.source import Source, SourceRequest
from unexpire.lab import Lab

pytest.importorskip("aiobotocore", reason="aiobotocore is not installed: it pins a botocore of its own")

import aiobotocore
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from unexpire.delivery.aio import session_of

__all__ = ["clock", "home", "lab", "running_lab"]

MODES = ("legacy", "standard", "adaptive")


async def arn_of(session: Any, times: int = 1, **options: Any) -> str:
    async with session.create_client("sts", **options) as sts:
        for _ in range(times - 1):
            await sts.get_caller_identity()
        return str((await sts.get_caller_identity())["Arn"])


class TestRejected:
    @pytest.mark.parametrize("mode", MODES)
    def test_the_next_call_succeeds_with_one_renewal(self, lab: Lab, mode: str) -> None:
        async def scenario() -> None:
            session = unexpire.aiobotocore_session("role")
            async with session.create_client("sts", config=AioConfig(retries={"mode": mode})) as sts:
                await sts.get_caller_identity()
                lab.end_all_sessions()
                await sts.get_caller_identity()
                await sts.get_caller_identity()

        asyncio.run(scenario())
        assert (renewals(lab), lab.count(outcome="expired")) == (2, 1)

    def test_two_hundred_tasks_renew_once(self, lab: Lab) -> None:
        async def scenario() -> set[str]:
            session = unexpire.aiobotocore_session("role")
            async with session.create_client("sts", config=AioConfig(max_pool_connections=50)) as sts:
                await sts.get_caller_identity()
                lab.end_all_sessions()
                answers = await asyncio.gather(*(sts.get_caller_identity() for _ in range(200)))
            return {answer["Account"] for answer in answers}

        assert asyncio.run(scenario()) == {lab.account}
        assert renewals(lab) == 2

    def test_a_cold_start_of_many_tasks_asks_once(self, lab: Lab) -> None:
        async def scenario() -> None:
            session = unexpire.aiobotocore_session("role")
            async with session.create_client("sts") as sts:
                await asyncio.gather(*(sts.get_caller_identity() for _ in range(50)))

        asyncio.run(scenario())
        assert renewals(lab) == 1

    def test_the_loop_goes_on_while_sts_is_slow(self, lab: Lab) -> None:
        async def scenario() -> int:
            ticks = 0
            call = asyncio.create_task(arn_of(unexpire.aiobotocore_session("role")))
            while not call.done():
                await asyncio.sleep(0.01)
                ticks += 1
            await call
            return ticks

        lab.outage("sts", "slow", operation="AssumeRole", times=1, delay_s=1)
        assert asyncio.run(scenario()) > 20

    def test_a_cancelled_caller_does_not_take_the_renewal_along(self, lab: Lab) -> None:
        async def scenario() -> str:
            session = unexpire.aiobotocore_session("role")
            first, second = (asyncio.create_task(arn_of(session)) for _ in range(2))
            while not lab.count("sts", "AssumeRole") and not first.done():
                await asyncio.sleep(0.01)
                if session.get_component("credential_provider").providers[0].credentials._thread._running:
                    first.cancel()
            return await second

        lab.outage("sts", "slow", operation="AssumeRole", times=1, delay_s=1)
        assert ":assumed-role/Deploy/" in asyncio.run(scenario())
        assert renewals(lab) == 1

    def test_s3_head_and_streams(self, lab: Lab, tmp_path: Path) -> None:
        async def scenario() -> bool:
            async with unexpire.aiobotocore_session("role").create_client("s3") as s3:
                await s3.create_bucket(Bucket="aio")
                await s3.put_object(Bucket="aio", Key="there", Body=b"x")
                lab.end_all_sessions()
                await s3.head_object(Bucket="aio", Key="there")
                lab.end_all_sessions()
                path = tmp_path / "body"
                path.write_bytes(b"-" * 100 + b"payload")
                with path.open("rb") as body:
                    # aiobotocore 2 itself begins at 0 whatever the caller did, its first attempt included.
                    start = 100 if aiobotocore.__version__ >= "3" else 0
                    body.seek(start)
                    await s3.put_object(Bucket="aio", Key="stream", Body=body)
                answer = await s3.get_object(Bucket="aio", Key="stream")
                return (await answer["Body"].read()) == path.read_bytes()[start:]

        assert asyncio.run(scenario())
        assert renewals(lab) == 3

    def test_when_the_renewal_fails_the_caller_sees_what_aws_said(self, lab: Lab) -> None:
        async def scenario() -> None:
            session = unexpire.aiobotocore_session("role")
            async with session.create_client("sts") as sts:
                await sts.get_caller_identity()
                lab.deactivate_key()
                lab.end_all_sessions()
                with pytest.raises(botocore.exceptions.ClientError, match="ExpiredToken"):
                    await sts.get_caller_identity()

        try:
            asyncio.run(scenario())
        finally:
            lab.activate_key()


class TestAhead:
    def test_renews_before_the_end(self, lab: Lab, clock: Clock) -> None:
        async def scenario() -> None:
            session = session_of(Source(SourceRequest("role"), clock=clock), {})
            async with session.create_client("sts") as sts:
                for _ in range(6 * 20):
                    await sts.get_caller_identity()
                    clock.advance(minutes=3)

        asyncio.run(scenario())
        assert lab.count(outcome="expired") == 0
        assert 6 <= renewals(lab) <= 20

    def test_one_session_serves_several_loops(self, lab: Lab) -> None:
        session = unexpire.aiobotocore_session("role")
        for _ in range(2):
            lab.end_all_sessions()
            assert asyncio.run(arn_of(session))
        assert renewals(lab) == 2


class TestProtect:
    def test_an_existing_session(self, lab: Lab) -> None:
        session = AioSession(profile="role")
        assert unexpire.protect(session) is session
        asyncio.run(arn_of(session, times=2))
        assert renewals(lab) == 1

    def test_pickle_carries_the_request_and_no_key(self, lab: Lab) -> None:
        session = unexpire.aiobotocore_session("role", region_name="eu-west-1")
        asyncio.run(arn_of(session))
        carried = pickle.dumps(session)
        assert not any(secret.encode() in carried for secret in lab.secrets())
        twin = pickle.loads(carried)
        assert isinstance(twin, AioSession)
        assert twin.get_config_variable("region") == "eu-west-1"
        assert ":assumed-role/Deploy/" in asyncio.run(arn_of(twin))

    def test_attributes_can_be_awaited(self, lab: Lab) -> None:
        async def scenario() -> tuple[Any, ...]:
            credentials = await unexpire.aiobotocore_session("role").get_credentials()
            read = (
                await credentials.get_access_key(),
                await credentials.get_secret_key(),
                await credentials.get_token(),
            )
            return read, (await credentials.get_frozen_credentials())[:3]

        read, frozen = asyncio.run(scenario())
        assert read == frozen

    def test_an_internal_that_must_be_read_is_there(self) -> None:
        assert AioSession()._credentials is None


class TestAioboto3:
    def test_made_and_protected(self, lab: Lab) -> None:
        aioboto3 = pytest.importorskip("aioboto3", minversion="13", reason="aioboto3 is not installed")

        async def call(session: Any) -> str:
            async with session.client("sts") as sts:
                await sts.get_caller_identity()
                lab.end_all_sessions()
                return str((await sts.get_caller_identity())["Account"])

        for session in (unexpire.aioboto3_session("role"), unexpire.protect(aioboto3.Session(profile_name="role"))):
            assert isinstance(session, aioboto3.Session)
            assert asyncio.run(call(session)) == lab.account
            assert asyncio.run(call(pickle.loads(pickle.dumps(session)))) == lab.account
