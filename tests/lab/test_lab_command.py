"""`unexpire lab` as people start it, and the fixture as other projects use it: real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path

import pytest

from unexpire.lab.home import PROFILES

UNEXPIRE = [sys.executable, "-m", "unexpire", "lab"]
ASK = "import botocore.session as b; print(b.Session(profile='{}').create_client('sts').get_caller_identity()['Arn'])"


def run(*arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*UNEXPIRE, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        stdin=subprocess.DEVNULL,
        check=False,
        **more,
    )  # type: ignore[call-overload,no-any-return]


def test_a_command_in_a_ready_home() -> None:
    """Every profile works, but the dead copy; those for which a human or awscrt is needed are asked elsewhere."""
    program = textwrap.dedent("""
        import botocore.session, os
        from botocore.exceptions import ClientError
        for name in os.environ["NAMES"].split():
            try:
                client = botocore.session.Session(profile=name).create_client("sts")
                print(name, client.get_caller_identity()["Arn"].rpartition(":")[2].split("/")[1])
            except ClientError as error:
                print(name, error.response["Error"]["Code"])
    """)
    names = [name for name in PROFILES if name not in ("mfa", "login")]
    done = run("--", sys.executable, "-c", program, env={**os.environ, "NAMES": " ".join(names), "AWS_PROFILE": "mine"})
    assert done.returncode == 0, done.stderr
    assert dict(line.split() for line in done.stdout.splitlines()) == {
        "static": "alice", "role": "Deploy", "chained": "Chained", "external": "Partner",
        "sso": "AWSReservedSSO_ReadOnly_9d696bc71c2784e1", "sso-legacy": "AWSReservedSSO_ReadOnly_9d696bc71c2784e1",
        "web-identity": "Web", "process": "Deploy", "imds": "Deploy", "container": "Deploy", "copy": "Deploy",
        "expired": "ExpiredToken",
    }  # fmt: skip


def test_the_exit_code_passes_through() -> None:
    assert run("--", sys.executable, "-c", "raise SystemExit(7)").returncode == 7
    assert run("--", sys.executable, "-c", "import os; os.kill(os.getpid(), 9)").returncode == 137
    missing = run("--", "no-such-command-anywhere")
    assert (missing.returncode, missing.stderr) == (127, "unexpire: no-such-command-anywhere: command not found\n")


def test_lifetimes_from_the_command_line() -> None:
    program = "import json, os, urllib.request as u; print(json.load(u.urlopen(os.environ['AWS_ENDPOINT_URL'] + '/_lab/'))['lifetime_s'])"
    assert run("--lifetime", "15m", "--", sys.executable, "-c", program).stdout == "900.0\n"
    wrong = run("--lifetime", "soon")
    assert wrong.returncode == 2
    assert "say 20s, 15m, 1h" in wrong.stderr


def test_serving_until_it_is_interrupted(tmp_path: Path) -> None:
    home = tmp_path / "home"
    server = subprocess.Popen(
        [*UNEXPIRE, "--home", str(home)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    first = server.stdout.readline()
    url = next(word for word in first.split() if word.startswith("http://127.0.0.1:"))
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/_lab/", timeout=20) as answer:
        assert json.load(answer)["url"] == url
    server.send_signal(signal.SIGINT)
    out, errors = server.communicate(timeout=20)
    assert server.returncode == 0
    assert (home / ".aws" / "config").exists()
    assert "Traceback" not in errors
    secret = next(
        line for line in (home / ".aws" / "credentials").read_text().splitlines() if "secret" in line
    ).split()[-1]
    assert secret not in first + out + errors


def test_files_that_are_not_the_lab_s_are_left_alone(tmp_path: Path) -> None:
    config = tmp_path / ".aws" / "config"
    config.parent.mkdir()
    config.write_text("[default]\nregion = mine\n")
    refused = run("--home", str(tmp_path), "--", sys.executable, "-c", "print('ran')")
    assert refused.returncode != 0
    assert "ran" not in refused.stdout
    assert config.read_text() == "[default]\nregion = mine\n"


def test_a_port_that_is_taken() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = run("--port", str(taken.getsockname()[1]))
    assert refused.returncode != 0
    assert "cannot be used" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.skipif(os.name == "nt" or shutil.which("sh") is None, reason="a POSIX shell")
def test_behind_a_shell() -> None:
    """The variables work in the shell that evaluates them, and the lab ends with that shell."""
    ask = ASK.format("role")
    script = f'eval "$({" ".join(UNEXPIRE)} --shell)"; "{sys.executable}" -c "{ask}"; echo "$UNEXPIRE_LAB_PID $AWS_ENDPOINT_URL"'
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x"}
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, timeout=100, env=environment, check=False
    )
    arn, last = done.stdout.splitlines()
    assert arn.endswith("assumed-role/Deploy/lab-role")
    pid, url = last.split()
    # It looks once a second whether its shell is there: wait for the end of the connection, not for a time.
    import socket
    from urllib.parse import urlsplit

    try:
        with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=30) as connection:
            assert connection.recv(1) == b"", "closed by its end"
    except ConnectionError:
        pass
    assert pid.isdigit()


@pytest.mark.skipif(
    shutil.which("aws", path=str(Path(sys.executable).parent)) is None, reason="the AWS CLI is not installed here"
)
def test_the_aws_cli_dies_of_an_ended_session() -> None:
    aws = str(Path(sys.executable).parent / "aws")
    dead = run("--", aws, "sts", "get-caller-identity", "--profile", "expired")
    assert dead.returncode in (254, 255)
    assert "(ExpiredToken)" in dead.stderr


# the pytest plugin

SUITE = """
import botocore.session, pytest
from botocore.exceptions import ClientError


def caller(**more):
    client = botocore.session.Session().create_client("sts")
    try:
        return client.get_caller_identity()["Arn"]
    finally:
        client.close()


def test_a_role_by_default(expiring_aws):
    assert caller().endswith("assumed-role/Deploy/lab-role")
    expiring_aws.end_all_sessions()
    assert caller().endswith("assumed-role/Deploy/lab-role")
    assert expiring_aws.count("sts", "AssumeRole", outcome="ok") == 2


@pytest.mark.expiring_aws(profile="copy", lifetime=20)
def test_a_copy_dies(expiring_aws):
    assert expiring_aws.state.lifetime.total_seconds() == 20
    caller()
    expiring_aws.age(21)
    with pytest.raises(ClientError, match="ExpiredToken"):
        caller()


@pytest.mark.parametrize("expiring_aws", [{"profile": "imds"}, {"profile": "container"}], indirect=True)
def test_by_parameter(expiring_aws):
    assert "assumed-role/Deploy" in caller()


def test_services_work(expiring_aws):
    client = botocore.session.Session().create_client("s3")
    client.create_bucket(Bucket="bucket")
    assert [b["Name"] for b in client.list_buckets()["Buckets"]] == ["bucket"]
    client.close()


@pytest.mark.expiring_aws(profile="nobody")
def test_a_wrong_profile(expiring_aws):
    pass
"""


def test_the_fixture_in_a_suite_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(SUITE)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "--strict-markers",
        "-p",
        "no:cacheprovider",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=tmp_path, check=False)
    assert "5 passed, 1 error" in done.stdout, done.stdout
    assert "expiring_aws has no profile 'nobody'" in done.stdout


def test_the_plugin_costs_nothing_where_it_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(
        "import sys\ndef test_light():\n"
        "    assert 'unexpire.testing' in sys.modules\n"
        "    assert not {'unexpire.lab', 'moto', 'botocore', 'click'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=tmp_path, check=False)
    assert "1 passed" in done.stdout, done.stdout
