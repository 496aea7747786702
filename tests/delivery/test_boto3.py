"""boto3 sessions against the lab, judged by the lab's counts: they renew ahead, renew once when AWS says expired, and never ask twice."""

from __future__ import annotations

import concurrent.futures
import copy
import io
import json
import multiprocessing
import os
import pickle
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import botocore.session
import pytest
from boto3_setting import Clock, clock, home, lab, renewals, running_lab, write_static
from botocore.awsrequest import AWSResponse
from botocore.config import Config

import unexpire
from unexpire.credentials import Credentials
from unexpire.delivery.boto3 import session_of
from unexpire.delivery.source import Source, SourceRequest
from unexpire.lab import Lab

__all__ = ["clock", "home", "lab", "running_lab"]

MODES = ("legacy", "standard", "adaptive")


def config(mode: str = "standard", **more: object) -> Config:
    return Config(retries={"mode": mode}, **more)  # type: ignore[arg-type]


@pytest.fixture
def bucket(running_lab: Lab, home: Path) -> str:
    name = "conformance"
    boto3.Session(profile_name="static").client("s3").create_bucket(Bucket=name)
    return name


class TestRejected:
    """AWS says expired although the keys look good: the very same call succeeds, after exactly one renewal."""

    @pytest.mark.parametrize("mode", MODES)
    def test_the_next_call_succeeds_with_one_renewal(self, lab: Lab, mode: str) -> None:
        sts = unexpire.boto3_session("role").client("sts", config=config(mode))
        sts.get_caller_identity()
        lab.end_all_sessions()
        assert sts.get_caller_identity()["Arn"].startswith(f"arn:aws:sts::{lab.account}:assumed-role/Deploy/")
        sts.get_caller_identity()
        assert (renewals(lab), lab.count(outcome="expired")) == (2, 1)

    @pytest.mark.parametrize("mode", MODES)
    def test_even_where_no_retries_are_allowed(self, lab: Lab, mode: str) -> None:
        client = unexpire.boto3_session("role").client(
            "dynamodb", config=Config(retries={"mode": mode, "total_max_attempts": 1})
        )
        client.list_tables()
        lab.end_all_sessions()
        client.list_tables()
        assert renewals(lab) == 2

    @pytest.mark.parametrize(
        ("service", "call"),
        [("ec2", "describe_regions"), ("sqs", "list_queues"), ("lambda", "list_functions"), ("s3", "list_buckets")],
    )
    def test_every_protocol_in_its_own_words(self, lab: Lab, service: str, call: str) -> None:
        client = unexpire.boto3_session("role").client(service)
        getattr(client, call)()
        lab.end_all_sessions()
        getattr(client, call)()
        assert (renewals(lab), lab.count(outcome="expired")) == (2, 1)

    def test_sessions_that_ended_so_long_ago_that_they_are_called_invalid(self, lab: Lab) -> None:
        sts = unexpire.boto3_session("role").client("sts")
        sts.get_caller_identity()
        lab.set_forget_after(0)
        try:
            lab.end_all_sessions()
            sts.get_caller_identity()
        finally:
            lab.set_forget_after(None)
        assert renewals(lab) == 2
        assert lab.count("sts", "GetCallerIdentity", outcome="InvalidClientTokenId") == 1

    def test_fifty_threads_renew_once(self, lab: Lab) -> None:
        client = unexpire.boto3_session("role").client("sts", config=Config(max_pool_connections=50))
        client.get_caller_identity()
        lab.end_all_sessions()
        together = threading.Barrier(50)

        def call(_: int) -> str:
            together.wait()
            return str(client.get_caller_identity()["Account"])

        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            assert set(pool.map(call, range(50))) == {lab.account}
        assert renewals(lab) == 2

    def test_a_new_session_that_is_rejected_as_well_is_not_renewed_again(self, lab: Lab) -> None:
        """A clock or a Region at fault: without a limit every call would cost an AssumeRole."""
        session = unexpire.boto3_session("role")
        client = session.client("sts")
        client.meta.events.register("before-send.sts.GetCallerIdentity", lambda request, **_: _refused())
        for _ in range(5):
            with pytest.raises(botocore.exceptions.ClientError, match="ExpiredToken"):
                client.get_caller_identity()
        assert renewals(lab) == 2

    def test_when_the_renewal_fails_the_caller_sees_what_aws_said(self, lab: Lab) -> None:
        client = unexpire.boto3_session("role").client("sts")
        client.get_caller_identity()
        lab.deactivate_key()
        try:
            lab.end_all_sessions()
            with pytest.raises(botocore.exceptions.ClientError, match="ExpiredToken"):
                client.get_caller_identity()
        finally:
            lab.activate_key()

    def test_other_errors_cost_no_renewal(self, lab: Lab, bucket: str) -> None:
        s3 = unexpire.boto3_session("role").client("s3")
        with pytest.raises(s3.exceptions.NoSuchKey):
            s3.get_object(Bucket=bucket, Key="nowhere")
        with pytest.raises(botocore.exceptions.ClientError, match="404"):
            s3.head_object(Bucket=bucket, Key="nowhere")
        assert renewals(lab) == 1


class TestS3:
    def test_head_whose_400_has_no_code(self, lab: Lab, bucket: str) -> None:
        s3 = unexpire.boto3_session("role").client("s3")
        s3.put_object(Bucket=bucket, Key="there", Body=b"x")
        lab.end_all_sessions()
        assert s3.head_object(Bucket=bucket, Key="there")["ContentLength"] == 1
        assert renewals(lab) == 2

    @pytest.mark.parametrize("start", [0, 100])
    def test_a_stream_is_sent_again_from_where_the_caller_stood(self, lab: Lab, bucket: str, start: int) -> None:
        s3 = unexpire.boto3_session("role").client("s3")
        s3.list_buckets()
        lab.end_all_sessions()
        body = io.BytesIO(b"-" * 100 + b"payload")
        body.seek(start)
        s3.put_object(Bucket=bucket, Key="stream", Body=body)
        assert s3.get_object(Bucket=bucket, Key="stream")["Body"].read() == body.getvalue()[start:]
        assert renewals(lab) == 2

    def test_over_https_where_the_body_is_wrapped(self, lab: Lab, bucket: str) -> None:
        """botocore then sends aws-chunked with a checksum behind it; no wire is needed to see what it would send again."""
        s3 = unexpire.boto3_session("role").client("s3", endpoint_url="https://s3.lab.invalid")
        sent: list[bytes] = []

        def send(request: object, **_: object) -> object:
            sent.append(request.body.read())  # type: ignore[attr-defined]
            return _refused(400, _S3_EXPIRED) if len(sent) == 1 else _refused(200, b"")

        s3.meta.events.register("before-send.s3.PutObject", send)
        body = io.BytesIO(b"-" * 100 + b"payload")
        body.seek(100)
        s3.put_object(Bucket=bucket, Key="stream", Body=body)
        assert len(sent) == 2
        assert sent[0] == sent[1]
        assert sent[0].startswith(b"7\r\npayload\r\n")

    def test_a_stream_that_cannot_be_read_twice_is_not_sent_again(self, lab: Lab, bucket: str) -> None:
        s3 = unexpire.boto3_session("role").client("s3", endpoint_url="https://s3.lab.invalid")
        sent: list[bytes] = []

        def send(request: object, **_: object) -> object:
            sent.append(request.body.read())  # type: ignore[attr-defined]
            return _refused(400, _S3_EXPIRED)

        s3.meta.events.register("before-send.s3.PutObject", send)
        with pytest.raises(botocore.exceptions.ClientError, match="ExpiredToken"):
            s3.put_object(Bucket=bucket, Key="pipe", Body=_Once(b"payload"), ContentLength=7)
        assert len(sent) == 1
        assert renewals(lab) == 1

    def test_uploads_in_parts(self, lab: Lab, bucket: str, tmp_path: Path) -> None:
        s3 = unexpire.boto3_session("role").client("s3")
        s3.list_buckets()
        lab.end_all_sessions()
        big = tmp_path / "big"
        big.write_bytes(os.urandom(9 << 20))
        s3.upload_file(str(big), bucket, "big")
        assert s3.get_object(Bucket=bucket, Key="big")["Body"].read() == big.read_bytes()
        assert renewals(lab) == 2

    def test_a_presigned_url_is_left_alone(self, lab: Lab, bucket: str) -> None:
        s3 = unexpire.boto3_session("role").client("s3", config=Config(signature_version="s3v4"))
        url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "x"})
        lab.end_all_sessions()
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(urllib.request.Request(url, b"x", method="PUT"), timeout=30)
        assert renewals(lab) == 1


class TestKeysOfSomebodyElse:
    def test_a_client_with_its_own_keys_is_left_alone(self, lab: Lab) -> None:
        ended = lab.issue_session(seconds=-60)
        client = unexpire.boto3_session("role").client(
            "sts",
            aws_access_key_id=ended.access_key_id,
            aws_secret_access_key=ended.secret_access_key,
            aws_session_token=ended.session_token,
        )
        with pytest.raises(botocore.exceptions.ClientError, match="ExpiredToken"):
            client.get_caller_identity()
        assert renewals(lab) == 0

    def test_keys_given_for_one_request_are_left_alone(self, lab: Lab) -> None:
        session = unexpire.boto3_session("role")
        client = session.client("sts")
        given = session.get_credentials().get_frozen_credentials()  # type: ignore[union-attr]

        def give_keys(context: dict[str, object], **_: object) -> None:
            holder = type("Given", (), {"get_frozen_credentials": lambda _: given})
            context["signing"] = {"request_credentials": holder()}

        lab.end_all_sessions()
        client.meta.events.register("before-call.sts.GetCallerIdentity", give_keys)
        with pytest.raises(botocore.exceptions.ClientError, match="ExpiredToken"):
            client.get_caller_identity()
        assert renewals(lab) == 1

    def test_sessions_of_s3_express_are_left_to_botocore(self, lab: Lab) -> None:
        """The answers are made up: that its own session ended is none of our keys' business."""
        session = unexpire.boto3_session("role")
        s3 = session.client("s3", endpoint_url=None)
        made = b"""<CreateSessionResult><Credentials><SessionToken>express</SessionToken><SecretAccessKey>s</SecretAccessKey>
            <AccessKeyId>EXPRESS</AccessKeyId><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></CreateSessionResult>"""
        asked: list[str] = []

        def send(request: object, event_name: str, **_: object) -> object:
            asked.append(event_name.rpartition(".")[2])
            return _refused(200, made) if asked[-1] == "CreateSession" else _refused(400, _S3_EXPIRED)

        s3.meta.events.register("before-send.s3", send)
        with pytest.raises(botocore.exceptions.ClientError, match="ExpiredToken"):
            s3.get_object(Bucket="mine--use1-az4--x-s3", Key="x")
        assert asked == ["CreateSession", "GetObject"]
        assert renewals(lab) == 1


class TestAhead:
    def test_renews_before_the_end_and_not_before_it_is_due(self, lab: Lab, clock: Clock) -> None:
        session = session_of(Source(SourceRequest("role"), clock=clock), {})
        client = session.client("sts")
        for _ in range(6 * 20):  # six hours, a call every three minutes
            client.get_caller_identity()
            clock.advance(minutes=3)
        assert lab.count(outcome="expired") == 0
        assert 6 <= renewals(lab) <= 20

    def test_an_outage_of_sts_shorter_than_the_margin_is_not_felt(self, lab: Lab, clock: Clock) -> None:
        client = session_of(Source(SourceRequest("role"), clock=clock), {}).client("dynamodb")
        client.list_tables()
        lab.outage("sts", "503", operation="AssumeRole")
        for _ in range(9):
            clock.advance(minutes=5)
            client.list_tables()
        lab.clear_outages()
        for _ in range(6):
            clock.advance(minutes=5)
            client.list_tables()
        assert lab.count("dynamodb", outcome="ok") == 16
        assert lab.count(outcome="expired") == 0

    def test_past_the_end_without_a_source_nothing_expired_is_sent(self, lab: Lab, clock: Clock, home: Path) -> None:
        (home / ".config" / "unexpire").mkdir(parents=True)
        (home / ".config" / "unexpire" / "config.toml").write_text("outage-wait = 0\n")
        client = session_of(Source(SourceRequest("role"), clock=clock), {}).client("dynamodb")
        client.list_tables()
        lab.outage("sts", "503", operation="AssumeRole")
        clock.advance(hours=2)
        with pytest.raises(botocore.exceptions.CredentialRetrievalError, match="unexpire") as failure:
            client.list_tables()
        assert isinstance(failure.value.__cause__, unexpire.UnexpireError)
        assert lab.count("dynamodb") == 1


class TestRewrittenFile:
    """A credentials file that another tool keeps: boto3 reads it once; these sessions read it when it changes."""

    def test_new_keys_are_used_before_the_old_ones_are_rejected(self, lab: Lab, home: Path) -> None:
        _write_session(lab, home, "copy")
        client = unexpire.boto3_session("copy").client("sts")
        client.get_caller_identity()
        lab.end_all_sessions()
        _write_session(lab, home, "copy")
        client.get_caller_identity()
        assert lab.count(outcome="expired") == 0
        assert lab.count("sts", "GetCallerIdentity", outcome="ok") == 2

    def test_a_half_written_file_leaves_the_old_keys_in_use(self, lab: Lab, home: Path) -> None:
        _write_session(lab, home, "copy")
        client = unexpire.boto3_session("copy").client("sts")
        client.get_caller_identity()
        write_static(home, "copy", aws_access_key_id="ASIAHALF")
        client.get_caller_identity()
        (home / ".aws" / "credentials").write_text("")
        client.get_caller_identity()
        lab.end_all_sessions()
        _write_session(lab, home, "copy")
        client.get_caller_identity()
        assert lab.count("sts", "GetCallerIdentity", outcome="ok") == 4
        assert lab.count(outcome="expired") == 0

    def test_a_role_is_signed_for_with_the_keys_that_stand_there_now(self, lab: Lab, home: Path) -> None:
        client = unexpire.boto3_session("role").client("sts")
        client.get_caller_identity()
        new = lab.rotate_key()
        write_static(home, "static", aws_access_key_id=new.access_key_id, aws_secret_access_key=new.secret_access_key)
        lab.end_all_sessions()
        client.get_caller_identity()
        assert lab.count("sts", "GetCallerIdentity", outcome="ok") == 2

    def test_keys_of_another_account_are_not_taken_up(self, lab: Lab, home: Path) -> None:
        _write_session(lab, home, "copy")
        client = unexpire.boto3_session("copy").client("sts")
        client.get_caller_identity()
        with Lab(account="210987654321") as other:
            foreign = other.issue_session()
        write_static(
            home,
            "copy",
            aws_access_key_id=foreign.access_key_id,
            aws_secret_access_key=foreign.secret_access_key,
            aws_session_token=foreign.session_token,
        )
        assert client.get_caller_identity()["Account"] == lab.account


class TestBedrock:
    """botocore sends AWS_BEARER_TOKEN_BEDROCK in place of a signature; nothing renews a short-term one."""

    SHORT, LONG = "bedrock-api-key-YmVkcm9jaw==", "ABSKYmVkcm9jaw=="

    def sent(self, session: boto3.Session, service: str, **options: Any) -> str:
        """The Authorization header of a request, which is not sent: the lab has no models."""
        client = session.client(service, endpoint_url="https://bedrock.example", **options)
        call = client.list_foundation_models if service == "bedrock" else client.list_async_invokes
        seen: list[str] = []

        def stop(request: Any, **_: Any) -> None:
            header = request.headers["Authorization"]
            seen.append(header.decode() if isinstance(header, bytes) else header)
            raise InterruptedError("it is as good as sent")

        client.meta.events.register("before-send", stop)
        with pytest.raises(InterruptedError):
            call()
        return seen[0]

    @pytest.mark.parametrize("service", ["bedrock", "bedrock-runtime"])
    def test_a_short_term_key_gives_way_to_the_session(
        self, lab: Lab, monkeypatch: pytest.MonkeyPatch, service: str
    ) -> None:
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", self.SHORT)
        assert self.sent(boto3.Session(profile_name="role"), service).startswith("Bearer "), "what botocore does"
        for session in (unexpire.boto3_session("role"), unexpire.protect(boto3.Session(profile_name="role"))):
            assert self.sent(session, service).startswith("AWS4-HMAC-SHA256 Credential=ASIA")

    def test_a_long_term_key_and_a_wish_in_code_are_kept(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        wish = Config(auth_scheme_preference="httpBearerAuth")
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", self.SHORT)
        assert self.sent(unexpire.boto3_session("role"), "bedrock-runtime", config=wish) == f"Bearer {self.SHORT}"
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", self.LONG)
        assert self.sent(unexpire.boto3_session("role"), "bedrock-runtime") == f"Bearer {self.LONG}"


class TestMovedElsewhere:
    """A session stays in the account it began in, whoever fetched its first keys and whoever fetches the next, in a child as well."""

    ELSEWHERE = "210987654321"

    @pytest.fixture
    def two(self, lab: Lab, home: Path) -> Iterator[tuple[boto3.Session, boto3.Session]]:
        """One that fetched its keys, and one that found them in the cache; then they end, and the source leads to another account."""
        printed = home / "printed.json"
        config = home / ".aws" / "config"
        config.write_text(
            f"{config.read_text()}\n[profile printed]\ncredential_process = cat {printed}\nregion = us-east-1\n"
        )
        printed.write_text(_document(lab.issue_session()))
        sessions = unexpire.boto3_session("printed"), unexpire.boto3_session("printed")
        assert [session.client("sts").get_caller_identity()["Account"] for session in sessions] == [lab.account] * 2
        with Lab(account=self.ELSEWHERE) as other:
            printed.write_text(_document(other.issue_session()))
            lab.end_all_sessions()
            yield sessions

    @pytest.mark.parametrize("which", [0, 1])
    def test_it_stays(self, lab: Lab, two: tuple[boto3.Session, ...], which: int) -> None:
        assert _refusal_of(two[which]) == "ExpiredToken"
        assert _account_of(two[which]) == lab.account

    def test_it_takes_nothing_from_a_session_that_began_there(self, lab: Lab, two: tuple[boto3.Session, ...]) -> None:
        two[0].get_credentials().get_frozen_credentials()
        shutil.rmtree(os.environ["UNEXPIRE_CACHE_DIR"])
        later = unexpire.boto3_session("printed")
        assert _account_of(later) == self.ELSEWHERE
        assert _refusal_of(two[1]) == "ExpiredToken"
        assert [_account_of(session) for session in two] == [lab.account] * 2

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
    def test_a_forked_child_does(self, two: tuple[boto3.Session, ...]) -> None:
        context = multiprocessing.get_context("fork")
        said: multiprocessing.Queue[str] = context.Queue()
        shutil.rmtree(os.environ["UNEXPIRE_CACHE_DIR"])
        child = context.Process(target=lambda: said.put(_refusal_of(two[1])))
        child.start()
        assert f"now leads to account {self.ELSEWHERE}" in said.get(timeout=60)
        child.join(60)


def _document(keys: Credentials) -> str:
    end = keys.expiration
    assert end is not None
    found = {"AccessKeyId": keys.access_key_id, "SecretAccessKey": keys.secret_access_key}
    return json.dumps({"Version": 1, **found, "SessionToken": keys.session_token, "Expiration": end.isoformat()})


def _account_of(session: boto3.Session) -> str:
    return str(session.get_credentials().get_frozen_credentials().account_id)


def _refusal_of(session: boto3.Session) -> str:
    """What a call fails with: AWS's code, or what the session says itself."""
    try:
        return str(session.client("sts").get_caller_identity())
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    except botocore.exceptions.CredentialRetrievalError as error:
        return str(error)


class TestProtect:
    @pytest.mark.parametrize(
        "make", [boto3.Session, lambda profile_name: botocore.session.Session(profile=profile_name)]
    )
    def test_an_existing_session(self, lab: Lab, make: type) -> None:
        session = make(profile_name="role")
        assert unexpire.protect(session) is session
        client = (session.client if isinstance(session, boto3.Session) else session.create_client)("sts")
        client.get_caller_identity()
        lab.end_all_sessions()
        client.get_caller_identity()
        assert renewals(lab) == 2
        assert isinstance(session, boto3.Session | botocore.session.Session)

    def test_one_that_has_loaded_its_keys_already(self, lab: Lab) -> None:
        session = boto3.Session(profile_name="copy")
        assert session.get_credentials().method == "shared-credentials-file"  # type: ignore[union-attr]
        client = unexpire.protect(session).client("sts")
        client.get_caller_identity()
        assert type(session.get_credentials()).__name__ == "RenewingCredentials"

    def test_twice_is_once(self, lab: Lab) -> None:
        session = unexpire.protect(unexpire.protect(boto3.Session(profile_name="role")))
        session.client("sts").get_caller_identity()
        assert renewals(lab) == 1

    def test_keys_given_in_code_cannot_be_renewed(self, lab: Lab) -> None:
        keys = lab.issue_session()
        session = boto3.Session(keys.access_key_id, keys.secret_access_key, keys.session_token)
        with pytest.raises(unexpire.ConfigurationError, match="given its keys in code"):
            unexpire.protect(session)

    def test_not_a_session(self) -> None:
        with pytest.raises(TypeError, match="not a session"):
            unexpire.protect(object())

    def test_a_profile_that_does_not_exist(self, lab: Lab) -> None:
        with pytest.raises(unexpire.ProfileNotFound):
            unexpire.boto3_session("nowhere")

    def test_details_of_a_role_need_a_role(self, lab: Lab) -> None:
        with pytest.raises(unexpire.ConfigurationError, match="without a role_arn"):
            unexpire.boto3_session("static", external_id="partner-42")

    def test_a_role_given_in_code(self, lab: Lab) -> None:
        session = unexpire.boto3_session(
            "static", role_arn=lab.role_arn("Deep"), role_session_name="by-hand", region_name="eu-west-1"
        )
        assert session.client("sts").get_caller_identity()["Arn"].endswith(":assumed-role/Deep/by-hand")
        assert session.region_name == "eu-west-1"


def _identity_of(session: boto3.Session) -> str:
    return str(session.client("sts").get_caller_identity()["Arn"])


class TestTravel:
    def test_pickle_carries_the_request_and_no_key(self, lab: Lab) -> None:
        session = unexpire.boto3_session("role", region_name="eu-west-1")
        session.client("sts").get_caller_identity()
        keys = session.get_credentials().get_frozen_credentials()  # type: ignore[union-attr]
        carried = pickle.dumps(session)
        for part in keys[:3]:
            assert str(part).encode() not in carried
        twin = pickle.loads(carried)
        assert twin.region_name == "eu-west-1"
        assert twin.profile_name == "role"
        assert isinstance(twin, boto3.Session)
        assert type(pickle.loads(pickle.dumps(twin))) is not boto3.Session

    @pytest.mark.parametrize("method", ["spawn", "fork"])
    def test_workers_find_the_keys_again(self, lab: Lab, method: str) -> None:
        if method not in multiprocessing.get_all_start_methods():
            pytest.skip(f"no {method} on this system")
        session = unexpire.protect(boto3.Session(profile_name="role"))
        assert _identity_of(session)
        with multiprocessing.get_context(method).Pool(2) as pool:
            found = pool.map(_identity_of, [session] * 4)
        assert all(arn.startswith(f"arn:aws:sts::{lab.account}:assumed-role/Deploy/") for arn in found)
        assert renewals(lab) == 1

    def test_a_forked_child_does_not_wait_for_locks_of_threads_it_does_not_have(self, lab: Lab) -> None:
        if not hasattr(os, "fork"):
            pytest.skip("no fork on this system")
        source = Source(SourceRequest("role"))
        session = session_of(source, {})
        holding, done = threading.Event(), threading.Event()

        def hold() -> None:
            with source._lock:
                holding.set()
                done.wait(30)

        thread = threading.Thread(target=hold)
        thread.start()
        holding.wait(30)
        try:
            with multiprocessing.get_context("fork").Pool(1) as pool:
                assert pool.apply_async(_call_inherited, (None,)).get(30) is None
                child = multiprocessing.get_context("fork").Process(target=_identity_of, args=(session,))
                child.start()
                child.join(30)
                assert child.exitcode == 0
        finally:
            done.set()
            thread.join()

    def test_copies_of_the_credentials_are_the_credentials(self, lab: Lab) -> None:
        credentials = unexpire.boto3_session("role").get_credentials()
        assert copy.copy(credentials) is credentials
        assert copy.deepcopy(credentials) is credentials
        twin = pickle.loads(pickle.dumps(credentials))
        assert twin.get_frozen_credentials().token

    def test_nothing_shows_a_secret(self, lab: Lab) -> None:
        session = unexpire.boto3_session("role")
        session.client("sts").get_caller_identity()
        credentials = session.get_credentials()
        assert not any(secret in f"{session!r}{credentials!r}" for secret in lab.secrets())


class _Once:
    """A body that can only be read, as a pipe or a response of another server."""

    def __init__(self, payload: bytes) -> None:
        self.read = io.BytesIO(payload).read


def _call_inherited(nothing: None) -> None:
    return nothing


class TestReadByHand:
    def test_attributes_are_of_one_set(self, lab: Lab) -> None:
        """s3fs, Spark and others copy key, secret and token one after the other, while another thread renews."""
        source = Source(SourceRequest("role"))
        credentials = session_of(source, {}).get_credentials()
        assert credentials is not None
        stop = threading.Event()
        issued: dict[str, str | None] = {}

        def renew() -> None:
            held = source.current()
            while not stop.is_set():
                issued[held.access_key_id] = held.session_token
                held = source.renew(held)

        thread = threading.Thread(target=renew)
        thread.start()
        try:
            seen = []
            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                seen.append((credentials.access_key, credentials.token))
        finally:
            stop.set()
            thread.join()
        issued[source.current().access_key_id] = source.current().session_token
        assert all(issued[key] == token for key, token in set(seen))
        assert renewals(lab) > 2


def _write_session(lab: Lab, home: Path, profile: str) -> None:
    keys = lab.issue_session()
    write_static(
        home,
        profile,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        aws_session_token=keys.session_token,
    )


_S3_EXPIRED = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
_STS_EXPIRED = (
    b"<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code>"
    b"<Message>The security token included in the request is expired</Message></Error></ErrorResponse>"
)


def _refused(status: int = 403, body: bytes = _STS_EXPIRED) -> object:
    """An answer from no wire, through botocore's own `before-send`."""

    class Raw(io.BytesIO):
        def stream(self, **_: object) -> list[bytes]:
            return [self.read()]

    return AWSResponse("https://lab.invalid", status, {}, Raw(body))
