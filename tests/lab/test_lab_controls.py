"""Making the lab misbehave, and asking it what it saw: by method and over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from labwire import CALLS, Answer, ask, send

from unexpire.lab import MODES, Lab
from unexpire.lab.control import ACTIONS


def control(lab: Lab, name: str, /, **arguments: Any) -> Any:
    answer = send(f"{lab.url}/_lab/{name}", "POST", json.dumps(arguments).encode())
    assert answer.status == 200, answer.body
    return json.loads(answer.body)["result"]


def identity(lab: Lab, keys: Any = None) -> Answer:
    return ask(lab, "sts", keys or lab.user_credentials)


# outages


@pytest.mark.parametrize(
    ("mode", "service", "status", "code"),
    [
        ("500", "sts", 500, "InternalFailure"), ("503", "sts", 503, "ServiceUnavailable"), ("throttle", "sts", 400, "Throttling"),
        ("throttle", "s3", 503, "SlowDown"), ("throttle", "dynamodb", 400, "ThrottlingException"),
        ("throttle", "ec2", 503, "RequestLimitExceeded"), ("throttle", "lambda", 429, "TooManyRequestsException"),
        ("500", "dynamodb", 500, "InternalServerError"), ("503", "s3", 503, "ServiceUnavailable"),
    ],
)  # fmt: skip
def test_failures_in_the_service_s_words(lab: Lab, mode: Any, service: str, status: int, code: str) -> None:
    lab.outage(service, mode)
    answer = ask(lab, service, lab.user_credentials)
    assert (answer.status, answer.code) == (status, code)
    assert lab.count(service, outcome=code) == 1
    lab.clear_outages(service)
    ask(lab, service, lab.issue_session(seconds=-1))
    assert lab.count(service, outcome="expired") == 1, "past the outage, as far as the gate"


def test_connections_that_break(lab: Lab) -> None:
    lab.outage("sts", "refuse", times=1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        identity(lab)
    lab.outage("sts", "garbage", times=1)
    with pytest.raises((http.client.BadStatusLine, http.client.LineTooLong)):
        identity(lab)
    lab.outage("sts", "truncate", times=1)
    with pytest.raises(http.client.IncompleteRead):
        identity(lab)
    assert identity(lab).status == 200
    assert lab.count("sts", outcome="outage:refuse") == 1


def test_answers_of_something_else(lab: Lab) -> None:
    for mode, status, content in (("html", 200, b"<!DOCTYPE html>"), ("redirect", 302, b""), ("empty", 200, b"")):
        lab.outage("*", mode, times=1)  # type: ignore[arg-type]
        answer = identity(lab)
        assert (answer.status, answer.body[: len(content)]) == (status, content)
    assert identity(lab).status == 200


def test_hanging_and_slow(lab: Lab) -> None:
    lab.outage("sts", "hang", times=1)
    with socket.create_connection(("127.0.0.1", lab.port), timeout=0.2) as connection:
        connection.sendall(b"GET /?Action=GetCallerIdentity HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(1)
        assert lab.count("sts", outcome="outage:hang") == 1
        lab.clear_outages()
        connection.settimeout(20)
        assert connection.recv(1) == b"", "let go when the outage is over"
    lab.outage("sts", "slow", delay_s=0.05, times=1)
    assert identity(lab).status == 200


def test_outages_end_by_the_lab_s_clock_and_keep_to_their_operation(lab: Lab) -> None:
    lab.outage("sts", "503", seconds=30, operation="GetCallerIdentity")
    assert identity(lab).status == 503
    assert ask(lab, "sts", lab.user_credentials, body=b"Action=GetSessionToken&Version=2011-06-15").status == 200
    lab.advance(31)
    assert identity(lab).status == 200


def test_every_part_can_fail(lab: Lab) -> None:
    for service, url in (
        ("imds", "/latest/meta-data/"), ("container", "/_container/credentials"),
        ("issuer", "/_issuer/.well-known/openid-configuration"), ("sso-oidc", "/_sso/device"),
    ):  # fmt: skip
        lab.outage(service, "503")
        assert send(lab.url + url).status == 503
    with pytest.raises(ValueError, match="no such outage"):
        lab.outage("sts", "explode")  # type: ignore[arg-type]


# time and sessions


def test_sessions_end_on_time_by_an_injected_clock() -> None:
    now = [datetime(2030, 1, 1, tzinfo=UTC)]
    with Lab(lifetime=timedelta(minutes=15), clock=lambda: now[0]) as lab:
        keys = lab.issue_session()
        assert keys.expiration == now[0] + timedelta(minutes=15)
        now[0] += timedelta(minutes=15, seconds=-1)
        assert identity(lab, keys).status == 200
        now[0] += timedelta(seconds=1)
        assert identity(lab, keys).code == "ExpiredToken"


def test_ageing_ends_what_is_there_and_nothing_else(lab: Lab) -> None:
    old = lab.issue_session()
    lab.age(3600)
    assert identity(lab, old).code == "ExpiredToken"
    assert identity(lab, lab.issue_session()).status == 200


def test_ending_all_and_one(lab: Lab) -> None:
    first, second, third = (lab.issue_session() for _ in range(3))
    assert lab.revoke(first.access_key_id) == 1
    assert [identity(lab, keys).status for keys in (first, second, third)] == [403, 200, 200]
    assert lab.end_all_sessions() == 2
    assert identity(lab, third).code == "ExpiredToken"
    assert identity(lab).status == 200, "long-term keys are no sessions"


def test_a_rotated_key(lab: Lab) -> None:
    old = lab.user_credentials
    new = lab.rotate_key()
    assert identity(lab, old).code == "InvalidClientTokenId"
    assert identity(lab, new).status == 200
    lab.deactivate_key()
    assert identity(lab).code == "InvalidClientTokenId"
    lab.activate_key()
    assert identity(lab).status == 200


# the ledger


def test_counts(lab: Lab) -> None:
    dead = lab.issue_session(seconds=-1)
    identity(lab)
    identity(lab)
    identity(lab, dead)
    assert lab.count("sts", "GetCallerIdentity", outcome="ok") == 2
    assert lab.count(identity=lab.user.access_key_id) == 2
    assert lab.count(identity="assumed-role/Deploy", outcome="expired") == 1
    assert lab.count(outcome="error") == 1
    assert lab.counts()[0] == {
        "service": "sts", "operation": "GetCallerIdentity", "identity": lab.user.user.arn, "outcome": "ok", "count": 2,
    }  # fmt: skip
    assert [entry.status for entry in lab.requests()] == [200, 200, 403]
    lab.reset_counts()
    assert lab.count() == 0


def test_an_s3_head_is_known_as_expired_though_its_answer_says_nothing(lab: Lab) -> None:
    ask(lab, "s3-head", lab.issue_session(seconds=-1))
    assert lab.count("s3", "HeadObject", outcome="ExpiredToken") == 1


@pytest.mark.parametrize(
    ("service", "operation"),
    [("sts", "GetCallerIdentity"), ("iam", "ListRoles"), ("s3", "ListBuckets"), ("dynamodb", "ListTables"),
     ("logs", "DescribeLogGroups"), ("sqs", "ListQueues"), ("ec2", "DescribeInstances"), ("lambda", "ListFunctions"),
     ("monitoring", "ListMetrics")],
)  # fmt: skip
def test_operations_are_named(lab: Lab, service: str, operation: str) -> None:
    assert service in CALLS
    ask(lab, service, lab.issue_session(seconds=-1))
    assert lab.count(service, operation, outcome="expired") == 1


# over HTTP


def test_the_control_api_does_what_the_methods_do(lab: Lab) -> None:
    keys = control(lab, "issue_session", role="Deploy", seconds=60)
    assert keys["AccessKeyId"] in lab.state.sessions
    assert control(lab, "end-all-sessions") == 1
    control(lab, "outage", service="sts", mode="503")
    assert identity(lab).status == 503
    control(lab, "clear_outages")
    control(lab, "set_role", name="Made", principals=[f"arn:aws:iam::{lab.account}:root"], max_session_s=900)
    assert lab.state.roles["Made"].max_session == timedelta(minutes=15)
    control(lab, "advance", seconds=5)
    counts = json.loads(send(f"{lab.url}/_lab/counts").body)
    assert counts == lab.counts()
    rows = json.loads(send(f"{lab.url}/_lab/requests?outcome=error").body)
    assert [row["status"] for row in rows] == [503]
    assert json.loads(send(f"{lab.url}/_lab/").body)["url"] == lab.url
    assert lab.count() == 1, "controls are not counted"


def test_every_action_is_a_method_of_the_lab_with_those_arguments() -> None:
    import inspect

    for name, arguments in ACTIONS.items():
        parameters = set(inspect.signature(getattr(Lab, name)).parameters) - {"self"}
        assert arguments <= parameters, name


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("nothing", {}, 404), ("advance", {"minutes": 1}, 400), ("advance", {}, 400), ("revoke", {"access_key_id": "x"}, 400),
     ("outage", {"service": "sts", "mode": "explode"}, 400)],
)  # fmt: skip
def test_controls_that_make_no_sense(lab: Lab, path: str, body: dict[str, Any], status: int) -> None:
    answer = send(f"{lab.url}/_lab/{path}", "POST", json.dumps(body).encode())
    assert answer.status == status
    assert "error" in json.loads(answer.body)


# the server


def test_a_thousand_connections_at_once(lab: Lab) -> None:
    request = b"GET /latest/meta-data/ HTTP/1.1\r\nHost: x\r\n\r\n"
    connections = [socket.create_connection(("127.0.0.1", lab.port), timeout=20) for _ in range(1000)]
    try:
        for connection in connections:
            connection.sendall(request)
        assert all(connection.recv(64).startswith(b"HTTP/1.1 401") for connection in connections)
    finally:
        for connection in connections:
            connection.close()
    assert lab.count("imds") == 1000


def test_connections_are_kept_and_pipelined_requests_answered_in_order(lab: Lab) -> None:
    with socket.create_connection(("127.0.0.1", lab.port), timeout=20) as connection:
        connection.sendall(
            b"GET /_lab/ HTTP/1.1\r\nHost: x\r\n\r\nGET /latest/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        received = b""
        while data := connection.recv(65536):
            received += data
    assert received.count(b"HTTP/1.1 ") == 2
    assert received.index(b"HTTP/1.1 200") < received.index(b"HTTP/1.1 401")


def test_rubbish_on_the_wire(lab: Lab) -> None:
    with socket.create_connection(("127.0.0.1", lab.port), timeout=20) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert connection.recv(64).startswith(b"HTTP/1.1 400")
    assert identity(lab).status == 200


def test_stopping_ends_threads_and_open_connections() -> None:
    before = threading.active_count()
    lab = Lab().start()
    lab.outage("sts", "hang")
    with socket.create_connection(("127.0.0.1", lab.port), timeout=20) as connection:
        connection.sendall(b"GET /?Action=GetCallerIdentity HTTP/1.1\r\nHost: x\r\n\r\n")
        lab.stop()
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
    assert threading.active_count() == before
    with pytest.raises(OSError):  # noqa: PT011 - any refusal will do
        socket.create_connection(("127.0.0.1", lab.port), timeout=1).close()


def test_the_lab_starts_without_what_is_heavy() -> None:
    program = (
        "import sys\nfrom unexpire.lab import Lab\nwith Lab() as lab: lab.issue_session()\n"
        "print([m for m in ('moto', 'botocore', 'cryptography', 'flask', 'click') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == "[]"
    assert "hang" in MODES
