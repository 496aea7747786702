"""What nobody should feed a program and everybody does: a clear message and its exit code, no traceback, nothing lost, no secret."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scenario_stage import Stage, run_command, run_here

from unexpire.lab import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as running:
        yield running


def stage(lab: Lab, home: Path, /, **scenario: Any) -> Stage:
    return Stage(lab, home, scenario)


def report(here: Stage, *arguments: str, stdin: str = "") -> tuple[int, dict[str, Any]]:
    code, out, err = run_here(here, "diagnose", "--json", *arguments, stdin=stdin)
    assert not [secret for secret in here.lab.secrets() if secret in out + err]
    return code, json.loads(out)


CACHES = (".aws/cli/cache/a.json", ".aws/boto/cache/b.json", ".aws/login/cache/c.json", ".aws/sso/cache/d.json")
RUBBISH = {
    "nothing": b"",
    "half": b'{"Credentials": {"AccessKeyId": "ASI',
    "list": b"[]",
    "deep": b"[" * 200_000,
    "enormous": b'{"Credentials": "' + b"x" * 3_000_000 + b'"}',
    "bytes": bytes(range(256)) * 10,
    "wrong types": b'{"Credentials": {"AccessKeyId": 1, "Expiration": []}, "accessToken": 7, "expiresAt": {}}',
    "no time": b'{"Credentials": {"AccessKeyId": "ASIA", "Expiration": "soon"}}',
    "year 99999": b'{"Credentials": {"AccessKeyId": "ASIA", "Expiration": "99999-01-01T00:00:00Z"}}',
}


@pytest.mark.parametrize("kind", RUBBISH)
def test_caches_full_of_rubbish(lab: Lab, tmp_path: Path, kind: str) -> None:
    here = stage(lab, tmp_path)
    for name in (*CACHES, here.fill("{{sso:lab}}")):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(RUBBISH[kind])
    assert report(here, "--profile", "expired")[1]["root_cause"] == "static-session"
    assert report(here, "--profile", "sso")[1]["root_cause"] == "sso-token-missing"
    assert report(here, "--profile", "role")[0] == 0


def test_an_unknown_profile_with_its_neighbours(lab: Lab, tmp_path: Path) -> None:
    code, out, _ = run_here(stage(lab, tmp_path), "diagnose", "--profile", "chainde")
    assert code == 10
    assert "unexpire diagnose --profile chained" in out


@pytest.mark.parametrize("text", ["", "h", "-1h", "0", "6x", "9999999d", "1h garbage", "∞"])
def test_impossible_durations(lab: Lab, tmp_path: Path, text: str) -> None:
    here = stage(lab, tmp_path)
    code, _, err = run_here(here, "diagnose", "--for", text, "--profile", "static")
    assert code == 2
    assert "duration" in err or "no such option" in err.lower()


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "role",
        "arn:aws:iam::1:role/x",
        "arn:aws:iam::123456789012:user/x",
        "arn:aws:iam::123456789012:role/" + "x" * 3000,
    ],
)
def test_impossible_arns(lab: Lab, tmp_path: Path, arn: str) -> None:
    code, out, err = run_here(stage(lab, tmp_path), "diagnose", "--profile", "static", "--role-arn", arn)
    assert code == 10
    assert "not the ARN of a role" in err
    assert len(out + err) < 1000


def test_a_log_of_twenty_megabytes(lab: Lab, tmp_path: Path) -> None:
    here = stage(lab, tmp_path)
    line = b"2026-11-23T00:00:00Z INFO nothing happened, and it took its time to happen\n"
    error = (
        b"botocore.exceptions.ClientError: An error occurred (ExpiredToken) when calling the PutObject operation: "
        b"The provided token has expired.\n"
    )
    (tmp_path / "log").write_bytes(line * 260_000 + error + line * 1000)
    code, found = report(here, "--profile", "role", str(tmp_path / "log"))
    assert (code, found["root_cause"]) == (3, "expired-session")


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 5000, bytes(range(256)) * 100, b"\xff\xfe" + "ExpiredToken".encode("utf-16-le"), b"x" * 3_000_000],
)
def test_texts_of_no_use(lab: Lab, tmp_path: Path, content: bytes) -> None:
    here = stage(lab, tmp_path)
    (tmp_path / "log").write_bytes(content)
    assert report(here, "--profile", "static", str(tmp_path / "log"))[0] in (0, 3)


def test_a_text_that_is_a_folder(lab: Lab, tmp_path: Path) -> None:
    code, _, err = run_here(stage(lab, tmp_path), "diagnose", str(tmp_path))
    assert code == 2
    assert "is a directory" in err


@pytest.mark.skipif(sys.platform != "linux", reason="connections are looked up in /proc")
@pytest.mark.parametrize("service", ["sts", "imds", "process"])
def test_ctrl_c_while_something_hangs(lab: Lab, tmp_path: Path, service: str) -> None:
    config = "\n[profile hanging]\ncredential_process = sleep 600\n"
    here = stage(lab, tmp_path, imds=service == "imds", config=config)
    profile = {"sts": "static", "imds": "imds", "process": "hanging"}[service]
    if service != "process":
        lab.outage(service, "hang")
    here.variables["AWS_METADATA_SERVICE_TIMEOUT"] = "30"
    running = subprocess.Popen(
        [sys.executable, "-m", "unexpire", "diagnose", "--profile", profile],
        env=here.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not _reached(lab, running.pid, service) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, out + err
    assert "Traceback" not in err
    assert err.strip().endswith("interrupted")


def _reached(lab: Lab, pid: int, service: str) -> bool:
    if service == "process":
        return (
            "sleep"
            in subprocess.run(
                ["ps", "-o", "comm", "--ppid", str(pid)], capture_output=True, text=True, check=False
            ).stdout
        )
    return _connected(pid, lab.port)


def _connected(pid: int, port: int) -> bool:
    """Whether the process holds a connection to the lab (proc(5), net/tcp)."""
    wanted = f"0100007F:{port:04X}"
    try:
        rows = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
        held = {os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return False
    return any(row.split()[2] == wanted and f"socket:[{row.split()[9]}]" in held for row in rows)


def _somebody() -> dict[str, Any] | None:
    """Somebody who is not root: for root nothing is unreadable. None where nobody else can start this Python."""
    if os.name != "posix":
        return None
    if os.geteuid() != 0:
        return {}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "unexpire", "--version"],
            user=65534,
            group=65534,
            cwd="/",
            capture_output=True,
            check=False,
        )
    except OSError:
        return None
    return {"user": 65534, "group": 65534} if done.returncode == 0 else None


@pytest.fixture
def somebody() -> dict[str, Any]:
    who = _somebody()
    if who is None:
        pytest.skip("there is nobody but root to try it as")
    return who


@pytest.fixture
def open_home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in (folder, folder / ".aws"):
        if path.exists():
            path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="a file that nobody can read, root included")
def test_a_file_that_gives_an_error_when_it_is_read(lab: Lab, tmp_path: Path) -> None:
    here = stage(lab, tmp_path, remove=[".aws/credentials"])
    (tmp_path / ".aws/credentials").symlink_to("/proc/self/mem")
    code, found = report(here, "--profile", "static")
    assert (code, found["root_cause"]) == (10, "config-invalid")
    assert "cannot be read" in found["findings"][0]["summary"]


def test_a_file_that_may_not_be_read(lab: Lab, open_home: Path, somebody: dict[str, Any]) -> None:
    here = stage(lab, open_home, mode={".aws/credentials": 0})
    done = run_command(here, "diagnose", "--profile", "static", **somebody)
    assert done.returncode == 10, done.stdout + done.stderr
    assert "cannot be read" in done.stdout
    assert "chmod u+r" in done.stdout


def test_a_home_that_may_not_be_written(lab: Lab, open_home: Path, somebody: dict[str, Any]) -> None:
    dead = {"dead": {"seconds": -60}}
    keys = "\n[nightly]\naws_access_key_id = {{dead.key}}\naws_secret_access_key = {{dead.secret}}\naws_session_token = {{dead.token}}\n"
    here = stage(lab, open_home, sessions=dead, credentials=keys, mode={".aws": 0o555, ".aws/credentials": 0o444})
    before = (open_home / ".aws/credentials").read_bytes()
    done = run_command(here, "fix", "--profile", "nightly", "--from", "role", "--yes", **somebody)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr.startswith("unexpire: ")
    assert "Traceback" not in done.stderr
    assert (open_home / ".aws/credentials").read_bytes() == before


COMMANDS = (
    ("diagnose", "--profile", "role"),
    ("status",),
    ("explain", "ExpiredToken"),
    ("explain", "--json", "ExpiredToken"),
    ("--help",),
)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a file that is always full")
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_no_room_for_the_output(lab: Lab, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    here = stage(lab, tmp_path)
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "unexpire", *arguments]
        done = subprocess.run(
            command, env=here.variables, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "unexpire: the output cannot be written: No space left on device"
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX closes the streams")
@pytest.mark.parametrize(
    "arguments", [*COMMANDS, ("explain", "--jsonl"), ("diagnose", "--profile", "role", "-")], ids=" ".join
)
def test_streams_that_somebody_closed(lab: Lab, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    here = stage(lab, tmp_path)
    command = ["sh", "-c", 'exec "$@" <&- >&-', "sh", sys.executable, "-m", "unexpire", *arguments]
    done = subprocess.run(command, env=here.variables, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_nobody_reads_to_the_end(lab: Lab, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    here = stage(lab, tmp_path)
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "unexpire", *arguments]
    done = subprocess.run(
        command, env=here.variables, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_who_reads_some_lines_of_a_diagnosis_still_gets_its_exit_code(lab: Lab, tmp_path: Path) -> None:
    """`set -o pipefail; unexpire diagnose --for 6h | head -3 && ./job` is not to start the job."""
    here = stage(lab, tmp_path)
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "unexpire", "diagnose", "--profile", "expired"]
    done = subprocess.run(
        command, env=here.variables, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (3, "")


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "gbk", "utf-8"])
def test_an_output_that_lacks_some_signs(lab: Lab, tmp_path: Path, encoding: str) -> None:
    """A pipe on Windows, or a locale of old: a question mark for what it cannot say."""
    here = stage(lab, tmp_path, env={"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"})
    for arguments, code in ((("diagnose", "--profile", "role"), 0), (("diagnose", "--profile", "nosuch"), 10)):
        done = subprocess.run(
            [sys.executable, "-m", "unexpire", *arguments],
            env=here.variables,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert done.stdout.decode(encoding)


@pytest.mark.parametrize("command", [("credential-process", "--profile", "role"), ("prompt", "--profile", "role")])
def test_an_answer_from_the_cache_is_one_with_standard_error_closed(
    lab: Lab, tmp_path: Path, command: tuple[str, ...]
) -> None:
    here = stage(lab, tmp_path)
    for _ in range(2):
        line = ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-m", "unexpire", *command]
        done = subprocess.run(line, env=here.variables, stdout=subprocess.PIPE, timeout=60, check=False)
        assert done.returncode == 0


def test_a_password_in_an_endpoint_is_not_shown(lab: Lab, tmp_path: Path) -> None:
    here = stage(lab, tmp_path, env={"AWS_ENDPOINT_URL": "http://somebody:pa55word@127.0.0.1:1"})
    for words in (
        ("diagnose", "--profile", "static", "-v"),
        ("diagnose", "--json", "--profile", "role"),
        ("env", "--profile", "role"),
    ):
        done = run_command(here, *words)
        assert "127.0.0.1:1" in done.stdout + done.stderr
        assert "pa55word" not in done.stdout + done.stderr


def test_a_prompt_is_no_place_for_an_error(lab: Lab, tmp_path: Path) -> None:
    here = stage(lab, tmp_path)
    command = [os.fsencode(sys.executable), b"-m", b"unexpire", b"prompt", b"--profile", b"pr\xffof"]
    done = subprocess.run(command, env=here.variables, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_program_in_a_folder_that_may_not_be_searched(lab: Lab, open_home: Path, somebody: dict[str, Any]) -> None:
    """Of a profile that nobody asked about: every profile is looked at to say where a copy came from."""
    process = "\n[profile other]\ncredential_process = {{home}}/closed/helper\n"
    here = stage(lab, open_home, config=process, folders=["closed"], mode={"closed": 0})
    try:
        for profile in ("expired", "other"):
            done = run_command(here, "diagnose", "--profile", profile, **somebody)
            assert "Traceback" not in done.stderr
            assert done.returncode in (3, 10)
    finally:
        (open_home / "closed").chmod(0o755)


def test_a_metadata_service_that_is_off_is_told_from_one_that_is_too_far(lab: Lab, tmp_path: Path) -> None:
    here = stage(lab, tmp_path, home="empty", imds=True)
    lab.set_imds(enabled=False)
    remedy = report(here)[1]["findings"][0]["remedy"]
    assert "--http-endpoint enabled" in remedy["now"][0]
    refused = run_command(here, "env")
    assert "NO_PROXY=169.254.169.254" in refused.stderr
    assert "hop limit" not in refused.stderr
    lab.set_imds(enabled=True)
    lab.outage("imds", "refuse")
    assert "hop-limit" in " ".join(report(here)[1]["findings"][0]["remedy"]["now"])


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX sets the limit")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("credential-process", "--profile", "role"), 0),
        (("env", "--profile", "role"), 0),
        (("diagnose", "--profile", "role"), 0),
        (("status",), 0),
        (("run", "--profile", "role", "--", "true"), 1),
        (("sync", "role", "--to", "copy"), 1),
        (("setup", "role", "--yes"), 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_disk_that_takes_nothing(lab: Lab, tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    """What needs no file works without; what does says so, and leaves every file as it was. No file may grow here (setrlimit(2))."""
    here = stage(lab, tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / ".aws").iterdir() if path.is_file()}
    command = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", sys.executable, "-m", "unexpire", *arguments]
    done = subprocess.run(
        command, env=here.variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in before} == before
