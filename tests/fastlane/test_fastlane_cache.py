"""The cache itself: what it keeps, what it refuses, and that no reader ever sees half of anything."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unexpire.backoff import Outage
from unexpire.credentials import Credentials
from unexpire.delivery import fast_lane
from unexpire.delivery.sessions import session_store
from unexpire.errors import RefreshFailed
from unexpire.freshness import DEFAULT_POLICY
from unexpire.settings.environment import Environment
from unexpire.stores import session_files
from unexpire.stores.outages import outage_text, parse_outage
from unexpire.stores.session_cache import KeyringSessions, MemorySessions, SessionCache

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


def session(number: int = 0, *, issued: datetime = NOW, life: timedelta = timedelta(hours=1)) -> Credentials:
    return Credentials(f"ASIA{number:016d}", f"s{number}", f"t{number}", issued + life, issued, "123456789012")


def test_what_is_kept_comes_back_and_what_is_forgotten_does_not(tmp_path: Path) -> None:
    cache = SessionCache(tmp_path, clock=lambda: NOW)
    assert cache.load("a") is None
    cache.save("a", session(1))
    cache.save("b", session(2))
    assert (cache.load("a"), cache.load("b")) == (session(1), session(2))
    cache.forget("a")
    cache.forget("a")
    assert (cache.load("a"), cache.load("b")) == (None, session(2))


@pytest.mark.parametrize(
    "refused",
    [
        Credentials("AKIAEXAMPLEEXAMPLE00", "s"),
        Credentials("AKIAEXAMPLEEXAMPLE00", "s", "t", NOW + timedelta(hours=1)),
        Credentials("ASIAEXAMPLEEXAMPLE00", "s", "t"),
        Credentials("ASIAEXAMPLEEXAMPLE00", "s", None, NOW + timedelta(hours=1)),
    ],
)
@pytest.mark.parametrize("kind", [SessionCache, MemorySessions])
def test_only_temporary_sessions_with_an_end_are_kept(
    tmp_path: Path, refused: Credentials, kind: type[SessionCache]
) -> None:
    cache = kind(tmp_path)
    cache.save("a", refused)
    assert cache.load("a") is None
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@given(st.integers(3, 43_200), st.integers(0, 999_999))
def test_the_moments_are_those_of_the_policy(lasts_s: int, fraction: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        cache = SessionCache(Path(folder), clock=lambda: NOW)
        held = session(issued=NOW.replace(microsecond=fraction), life=timedelta(seconds=lasts_s))
        cache.save("a", held)
        found = session_files.read_session(str(cache.sessions / cache.name_of("a")))
        assert found is not None
        due, end = DEFAULT_POLICY.renewal_due(held), DEFAULT_POLICY.advertised_end(held)
        assert due is not None
        assert end is not None
        last = DEFAULT_POLICY.usable_until(held)
        assert last is not None
        assert found[0] == int(due.timestamp())
        assert found[1] == int(last.timestamp())
        assert last <= end
        assert json.loads(found[2])["Expiration"] == end.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert cache.load("a") == held


def test_ended_sessions_go_in_time(tmp_path: Path) -> None:
    moment = NOW
    cache = SessionCache(tmp_path, clock=lambda: moment)
    cache.save("old", session(1))
    moment = NOW + timedelta(hours=2)
    cache.save("new", session(2, issued=moment))
    assert cache.load("old") is None
    assert cache.load("new") is not None


def test_no_reader_ever_sees_a_torn_set(tmp_path: Path) -> None:
    cache = SessionCache(tmp_path)
    path = str(cache.sessions / cache.name_of("a"))
    cache.save("a", session(0, issued=datetime.now(UTC)))
    stop, torn, seen = threading.Event(), [], set()

    def read() -> None:
        while not stop.is_set():
            found = session_files.read_session(path)
            if found is None:
                torn.append("nothing")
                continue
            document = json.loads(found[2])
            number = int(document["AccessKeyId"][4:])
            seen.add(number)
            if (document["SecretAccessKey"], document["SessionToken"]) != (f"s{number}", f"t{number}"):
                torn.append(document)

    readers = [threading.Thread(target=read) for _ in range(6)]
    for reader in readers:
        reader.start()
    for number in range(1, 150):
        with cache.lock("a"):
            cache.save("a", session(number, issued=datetime.now(UTC)))
    stop.set()
    for reader in readers:
        reader.join()
    assert torn == []
    assert len(seen) > 1


CLAIM = """
import sys, time
from unexpire.stores.session_files import claim_renewal
print("ready", flush=True)
sys.stdin.readline()
print(claim_renewal(sys.argv[1], float(sys.argv[2])))
"""


@pytest.mark.parametrize("left_over", [False, True])
def test_one_of_many_starts_the_renewal(tmp_path: Path, left_over: bool) -> None:
    attempt = tmp_path / "attempt"
    now = time.time()
    if left_over:  # of a renewal that never ended
        attempt.touch()
        os.utime(attempt, (now - session_files.RENEWAL_TAKES_S - 1,) * 2)
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM, str(attempt), str(now)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for process in crowd:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in crowd:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0].strip() for process in crowd]
    assert sorted(answers) == ["False"] * 7 + ["True"]


def test_a_renewal_waits_for_its_time_and_no_clock_jump_blocks_it(tmp_path: Path) -> None:
    cache = SessionCache(tmp_path)
    cache.save("a", session(issued=datetime.now(UTC)))
    attempt = str(cache.sessions / f"{cache.name_of('a')}.attempt")
    cache.postpone("a", NOW + timedelta(minutes=5))
    assert not session_files.claim_renewal(attempt, (NOW + timedelta(minutes=4)).timestamp())
    assert session_files.claim_renewal(attempt, (NOW + timedelta(minutes=5, seconds=1)).timestamp())
    cache.postpone("a", NOW + timedelta(days=1))
    assert session_files.claim_renewal(attempt, NOW.timestamp())


@pytest.mark.parametrize("life", [timedelta(minutes=15), timedelta(hours=1), timedelta(hours=12)])
def test_of_a_session_that_takes_a_person_no_renewal_is_started_before_its_end(tmp_path: Path, life: timedelta) -> None:
    cache = SessionCache(tmp_path, clock=lambda: NOW)
    kept = session(life=life)
    attempt = str(cache.sessions / f"{cache.name_of('a')}.attempt")
    due, end = DEFAULT_POLICY.renewal_due(kept), DEFAULT_POLICY.advertised_end(kept)
    assert due is not None
    assert end is not None
    cache.save("a", kept, renewable=False)
    for moment in (due, due + (end - due) / 2, end - timedelta(seconds=1)):
        assert not session_files.claim_renewal(attempt, moment.timestamp())
    cache.save("a", session(2, life=life))
    assert session_files.claim_renewal(attempt, due.timestamp())


def outage(**more: Any) -> Outage:
    error = RefreshFailed("AWS is out", retryable=True, where="~/.aws/config:3", hint="wait", finding="throttled")
    return Outage(error, NOW, NOW + timedelta(seconds=5), **more)


@pytest.mark.parametrize("kind", [SessionCache, KeyringSessions])
def test_an_outage_is_told_to_the_others_until_it_is_over(tmp_path: Path, kind: type[SessionCache]) -> None:
    mine, others = kind(tmp_path, clock=lambda: NOW), kind(tmp_path, clock=lambda: NOW)
    assert others.outage("a") is None
    mine.note("a", outage(failures=3, urgent=2, in_need_since=NOW - timedelta(seconds=2)))
    found = others.outage("a")
    assert found is not None
    assert (found.asked_at, found.not_before, found.failures, found.urgent) == (NOW, NOW + timedelta(seconds=5), 3, 2)
    assert found.in_need_since == NOW - timedelta(seconds=2)
    assert (str(found.error), found.error.hint) == ("AWS is out (~/.aws/config:3)", "wait")
    assert (found.error.retryable, found.error.finding) == (True, "throttled")
    assert others.outage("b") is None
    (left,) = mine.sessions.glob("*.outage")
    assert left.stat().st_mode & 0o777 == 0o600
    mine.save("a", Credentials("AKIAEXAMPLEEXAMPLE00", "s"))  # not kept, and yet the source has answered
    assert others.outage("a") is None
    mine.note("a", outage())
    mine.forget("a")
    mine.note("b", outage())
    mine.forget_all()
    assert not list(mine.sessions.glob("*.outage"))


def test_an_outage_under_other_settings_is_none(tmp_path: Path) -> None:
    SessionCache(tmp_path, surroundings=lambda: "a proxy").note("a", outage())
    assert SessionCache(tmp_path, surroundings=lambda: "a proxy").outage("a") is not None
    assert SessionCache(tmp_path, surroundings=lambda: "another").outage("a") is None


@pytest.mark.parametrize(
    "change", [{"HTTPS_PROXY": "http://10.0.0.1:3128"}, {"AWS_REGION": "eu-west-1"}, {"AWS_CA_BUNDLE": "/b"}, None]
)
def test_a_change_of_the_way_to_aws_ends_the_waiting(tmp_path: Path, change: dict[str, str] | None) -> None:
    (tmp_path / ".aws").mkdir()
    variables = {"HOME": str(tmp_path), "AWS_PROFILE": "a"}
    session_store(Environment.of(variables)).note("a", outage())
    assert session_store(Environment.of({**variables, "AWS_PROFILE": "b", "LANG": "C"})).outage("a") is not None
    if change is None:
        (tmp_path / ".aws" / "config").write_text("[default]\nregion = eu-west-1\n")
    assert session_store(Environment.of({**variables, **(change or {})})).outage("a") is None


@given(
    st.binary(max_size=60) | st.sampled_from([b"unexpire-outage 1\n{}", b"unexpire-outage 1\n[", b"unexpire-outage 1"])
)
def test_rubbish_for_an_outage_is_none(content: bytes) -> None:
    text = content.decode("utf-8", "surrogateescape")
    assert parse_outage(text, "a", "") is None
    whole = outage_text("a", "", outage())
    for end in range(len(whole) - 1):
        assert parse_outage(whole[:end], "a", "") is None


@given(
    st.lists(st.text(max_size=10), max_size=4),
    st.dictionaries(st.sampled_from(["AWS_PROFILE", "HOME", "AWS_X"]), st.text(max_size=6)),
)
def test_a_key_is_unlike_every_other_question_s(arguments: list[str], variables: dict[str, str]) -> None:
    key = session_files.key_of(arguments, variables)
    assert "\0" not in key
    assert key == session_files.key_of(list(arguments), dict(variables))
    assert key != session_files.key_of([*arguments, "x"], variables)
    assert key != session_files.key_of(arguments, variables | {"AWS_REGION": "eu-west-1"})
    assert key == session_files.key_of(arguments, variables | {"AWS_SECRET_ACCESS_KEY": "x", "PATH": "y"})
    assert len(session_files.name_of(key)) == 32


def test_a_secret_is_in_no_key() -> None:
    names = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN")
    bearer = ("AWS_BEARER_TOKEN_BEDROCK",)
    assert "hush" not in session_files.key_of(["--profile", "p"], dict.fromkeys(names + bearer, "hush"))


def test_who_waits_too_long_says_for_whom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setenv("UNEXPIRE_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("UNEXPIRE_PROCESS_CHAIN", raising=False)
    monkeypatch.setattr(session_files, "LONGEST_WAIT_S", 0)
    lanes = tmp_path / "lanes"
    lanes.mkdir()
    lock = lanes / f"{session_files.name_of(session_files.key_of(['--profile', 'p'], os.environ))}.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("4242 an MFA code")
        held.flush()
        assert fast_lane.credential_process(["--profile", "p"]) == 7
    said = capfd.readouterr()
    assert said.out == ""
    assert "process 4242 waits for an MFA code" in said.err


def test_a_wait_can_be_interrupted(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    variables = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    lanes = Path(session_files.folder(variables, str(tmp_path)) or "") / "lanes"
    lanes.mkdir(parents=True)
    lock = lanes / f"{session_files.name_of(session_files.key_of(['--profile', 'p'], variables))}.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        script = "import time; real = time.sleep; time.sleep = lambda s: (print('waits', flush=True), real(s)); "
        script += "import sys; sys.argv = ['unexpire', 'credential-process', '--profile', 'p']; "
        script += "from unexpire.__main__ import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", script], env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "unexpire: interrupted\n"


def test_a_source_that_hangs_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        f"[profile slow]\ncredential_process = {sys.executable} -c 'import time; time.sleep(50)'\n"
    )
    script = (
        "import unexpire.stores.session_files as f; f.LONGEST_WAIT_S = 1\n"
        "import sys; sys.argv = ['unexpire', 'credential-process', '--profile', 'slow']\n"
        "from unexpire.__main__ import main; main()"
    )
    variables = {"HOME": str(tmp_path), "AWS_CONFIG_FILE": str(tmp_path / "config"), "PATH": os.environ["PATH"]}
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], env=variables, capture_output=True, text=True)
    assert done.returncode == 9
    assert "no credentials after 1 s" in done.stderr
    assert done.stdout == ""
    assert time.monotonic() - start < 45  # not when the source ends


def test_the_agent_s_answer_needs_no_botocore(tmp_path: Path) -> None:
    socket = pytest.importorskip("socket")
    role = "[profile p]\nrole_arn = arn:aws:iam::123456789012:role/R\nsource_profile = s\nregion = us-east-1\n"
    (tmp_path / "config").write_text(
        f"{role}[profile s]\naws_access_key_id = AKIAEXAMPLEEXAMPLE00\naws_secret_access_key = x\n"
    )
    place = tmp_path / "agent.sock"
    asked: list[dict[str, object]] = []
    now = datetime.now(UTC).replace(microsecond=0)
    answer = {
        "AccessKeyId": "ASIAFROMTHEAGENT0000",
        "SecretAccessKey": "secret",
        "SessionToken": "token",
        "Expiration": (now + timedelta(hours=1)).isoformat(),
        "IssuedAt": now.isoformat(),
        "AccountId": None,
    }
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb") as line:
                asked.append(json.loads(line.readline()))
                line.write(b"200 " + json.dumps(answer).encode() + b"\n")

        server = threading.Thread(target=serve)
        server.start()
        variables = {
            "HOME": str(tmp_path),
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "UNEXPIRE_AGENT_SOCKET": str(place),
            "PATH": os.environ["PATH"],
        }
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "unexpire", "credential-process", "--profile", "p"],
            env=variables,
            capture_output=True,
            text=True,
        )
        server.join(timeout=30)
    assert done.returncode == 0, done.stderr[-500:]
    assert json.loads(done.stdout)["AccessKeyId"] == "ASIAFROMTHEAGENT0000"
    assert asked[0]["profile"] == "p"
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not [name for name in imported if name.startswith(("botocore", "urllib3"))]
