"""`unexpire run` as a user sees it: real processes, real SDKs, sessions that really end, and a real terminal."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pseudo_terminal import Terminal

from unexpire.lab import Lab

pytestmark = pytest.mark.skipif(os.name == "nt", reason="exec")

AWS = Path(sys.executable).with_name("aws")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(lifetime=timedelta(hours=1)) as running:
        yield running


@pytest.fixture
def short_lab() -> Iterator[Lab]:
    with Lab(lifetime=timedelta(seconds=3)) as running:
        yield running


def variables(lab: Lab, tmp_path: Path, **more: str) -> dict[str, str]:
    given = lab.make_home(tmp_path)
    given |= {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "XDG_RUNTIME_DIR": str(tmp_path / "runtime"),
    }
    (tmp_path / "runtime").mkdir(exist_ok=True)
    return {**given, **more}


def run(
    *words: str, env: dict[str, str], profile: str | None = "role", **options: object
) -> subprocess.CompletedProcess[str]:
    before = ["--profile", profile] if profile else []
    line = [sys.executable, "-m", "unexpire", "run", *before, *words]
    return subprocess.run(line, env=env, capture_output=True, text=True, timeout=100, **options)  # type: ignore[call-overload,no-any-return]


def gone(folder: Path) -> bool:
    """Whether the process beside the command has ended and taken its files along; it does so by itself, soon."""
    return eventually(lambda: not list(folder.glob("unexpire-run-*")))


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


BUSY = """
import boto3, time, sys
client = boto3.client("sts")
deadline = time.monotonic() + float(sys.argv[1])
calls = 0
while time.monotonic() < deadline:
    client.get_caller_identity()
    calls += 1
    time.sleep(0.05)
print(calls)
"""


def test_boto3_lives_through_many_lifetimes_and_no_request_is_expired(short_lab: Lab, tmp_path: Path) -> None:
    started = time.monotonic()
    done = run("--", sys.executable, "-c", BUSY, "16", env=variables(short_lab, tmp_path))
    elapsed = time.monotonic() - started
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert short_lab.count(outcome="expired") == 0
    assert short_lab.count(outcome="error") == 0
    assert short_lab.count("sts", "GetCallerIdentity", outcome="ok") == int(done.stdout) > 20
    # a session of 3 s is renewed after one; the first is fetched before the command starts
    assert short_lab.count("sts", "AssumeRole") <= elapsed + 2
    assert gone(tmp_path / "runtime")


def test_an_outage_shorter_than_the_margin_goes_unnoticed(tmp_path: Path) -> None:
    with Lab(lifetime=timedelta(seconds=6)) as lab:
        env = variables(lab, tmp_path)
        with subprocess.Popen(
            [sys.executable, "-m", "unexpire", "run", "--profile", "role", "--", sys.executable, "-c", BUSY, "8"],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert eventually(lambda: lab.count("sts", "GetCallerIdentity") > 0)
            lab.outage("sts", "503", operation="AssumeRole", seconds=2.5)
            out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert int(out) > 0
        assert lab.count(outcome="expired") == 0
        assert lab.count("sts", "GetCallerIdentity", outcome="error") == 0


def test_the_aws_cli_reads_the_endpoint(lab: Lab, tmp_path: Path) -> None:
    env = variables(lab, tmp_path)
    done = run("--", str(AWS), "sts", "get-caller-identity", env=env)
    assert json.loads(done.stdout)["Arn"].endswith(":assumed-role/Deploy/lab-role")
    by_name = run("--", str(AWS), "sts", "get-caller-identity", "--profile", "role", env=env)
    assert json.loads(by_name.stdout)["Arn"].endswith(":assumed-role/Deploy/lab-role")


@pytest.mark.parametrize("profile", ["static", "role", "chained", "external", "sso", "web-identity", "process"])
def test_every_kind_of_source_can_be_served(profile: str, lab: Lab, tmp_path: Path) -> None:
    done = run("--", str(AWS), "sts", "get-caller-identity", env=variables(lab, tmp_path), profile=profile)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Account"] == lab.account
    assert done.stderr == ""


def test_a_role_without_any_profile(lab: Lab, tmp_path: Path) -> None:
    keys = lab.user_credentials
    env = variables(lab, tmp_path, AWS_ACCESS_KEY_ID=keys.access_key_id, AWS_SECRET_ACCESS_KEY=keys.secret_access_key)
    role = ("--role-arn", lab.role_arn("Partner"), "--session-name", "ci-42", "--external-id", "partner-42")
    done = run(*role, "--duration", "15m", "--", str(AWS), "sts", "get-caller-identity", env=env, profile=None)
    assert json.loads(done.stdout)["Arn"].endswith(":assumed-role/Partner/ci-42"), done.stderr


PRINT = "import json, os; print(json.dumps(dict(os.environ)))"


def test_the_command_sees_no_key_and_its_files_are_private(lab: Lab, tmp_path: Path) -> None:
    script = (
        PRINT + "; import sys, stat, pathlib; f = pathlib.Path(os.environ['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'])"
    )
    script += (
        "; print(json.dumps([f.read_text(), oct(f.stat().st_mode & 0o777), oct(f.parent.stat().st_mode & 0o777)]))"
    )
    keys = lab.user_credentials
    env = variables(
        lab, tmp_path, AWS_ACCESS_KEY_ID=keys.access_key_id, AWS_SECRET_ACCESS_KEY=keys.secret_access_key, MINE="1"
    )
    done = run("--", sys.executable, "-c", script, env=env)
    seen, (token, mode, folder_mode) = (json.loads(line) for line in done.stdout.splitlines())
    assert not any(secret in done.stdout for secret in lab.secrets())
    assert keys.access_key_id not in done.stdout
    assert seen["MINE"] == "1"
    assert token == seen["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    assert (mode, folder_mode) == ("0o600", "0o700")


@pytest.mark.parametrize("code", [0, 1, 2, 7, 125, 255])
def test_the_exit_code_is_the_commands(code: int, lab: Lab, tmp_path: Path) -> None:
    assert run("--", "sh", "-c", f"exit {code}", env=variables(lab, tmp_path)).returncode == code


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV", "INT", "PIPE", "HUP"])
def test_a_command_that_a_signal_ends_is_seen_to_end_by_it(name: str, lab: Lab, tmp_path: Path) -> None:
    done = run("--", "sh", "-c", f"kill -{name} $$", env=variables(lab, tmp_path))
    assert done.returncode == -getattr(signal, f"SIG{name}")


def test_a_command_that_cannot_be_run_ends_as_in_a_shell(lab: Lab, tmp_path: Path) -> None:
    env = variables(lab, tmp_path)
    (tmp_path / "plain.txt").write_text("")
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    for word, code in (
        ("no-such-command", 127),
        ("/no/such", 127),
        (str(tmp_path / "plain.txt"), 126),
        (str(tmp_path), 126),
    ):
        done = run("--", word, env=env)
        assert done.returncode == code, word
        assert word in done.stderr
    assert lab.count("sts", "AssumeRole") == 0, "nothing is fetched for a command that does not exist"
    assert run("--", str(broken), env=env).returncode == 127
    assert gone(tmp_path / "runtime")


def test_a_script_without_a_first_line_is_one_for_sh(lab: Lab, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('echo "$1-$AWS_REGION"\n')
    script.chmod(0o755)
    assert run("--", str(script), "a b", env=variables(lab, tmp_path)).stdout == "a b-us-east-1\n"


def test_standard_streams_pass_untouched(lab: Lab, tmp_path: Path) -> None:
    done = run("--", "sh", "-c", "cat; echo wrong >&2", env=variables(lab, tmp_path), input="a\x00b\n")
    assert (done.stdout, done.stderr) == ("a\x00b\n", "wrong\n")


def test_no_process_of_ours_keeps_a_pipe_of_the_command_open_or_is_its_child(lab: Lab, tmp_path: Path) -> None:
    script = "import os, sys\ntry:\n os.wait()\nexcept ChildProcessError:\n print('no child')"
    assert run("--", sys.executable, "-c", script, env=variables(lab, tmp_path)).stdout == "no child\n"


def test_pipes_that_break_end_the_command_as_they_should(lab: Lab, tmp_path: Path) -> None:
    line = f"{sys.executable} -m unexpire run --profile role -- yes | head -n 1"
    done = subprocess.run(["sh", "-c", line], env=variables(lab, tmp_path), capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("y\n", "")


def test_options_of_the_command_are_its_own(lab: Lab, tmp_path: Path) -> None:
    done = run("echo", "--profile", "x", "-h", "--imds", env=variables(lab, tmp_path))
    assert done.stdout == "--profile x -h --imds\n"


# --- what stops it before the command starts


def test_a_failure_of_the_first_fetch_is_told_and_the_command_not_started(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / ".config" / "unexpire").mkdir(parents=True)
    (tmp_path / ".config" / "unexpire" / "config.toml").write_text("outage-wait = 1\n")
    lab.outage("sts", "refuse")
    done = run("--", "touch", str(tmp_path / "started"), env=variables(lab, tmp_path))
    assert done.returncode == 9, done.stderr
    assert done.stderr.startswith("unexpire: ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "started").exists()
    assert gone(tmp_path / "runtime")


def test_a_session_that_is_over_is_refused_with_what_to_type(lab: Lab, tmp_path: Path) -> None:
    lab.age(0)
    copy = lab.issue_session("Deploy", seconds=-60)
    assert copy.session_token
    env = variables(
        lab, tmp_path,
        AWS_ACCESS_KEY_ID=copy.access_key_id, AWS_SECRET_ACCESS_KEY=copy.secret_access_key, AWS_SESSION_TOKEN=copy.session_token,
        AWS_CREDENTIAL_EXPIRATION=copy.expiration.isoformat() if copy.expiration else "",
    )  # fmt: skip
    done = run("--", "touch", str(tmp_path / "started"), env=env, profile=None)
    assert done.returncode == 3, done.stderr
    assert "try:" in done.stderr
    assert not (tmp_path / "started").exists()


def test_a_static_copy_is_served_with_a_warning_and_its_end(lab: Lab, tmp_path: Path) -> None:
    copy = lab.issue_session("Deploy", seconds=1800)
    assert copy.session_token
    assert copy.expiration
    env = variables(
        lab, tmp_path,
        AWS_ACCESS_KEY_ID=copy.access_key_id, AWS_SECRET_ACCESS_KEY=copy.secret_access_key, AWS_SESSION_TOKEN=copy.session_token,
        AWS_CREDENTIAL_EXPIRATION=copy.expiration.isoformat(),
    )  # fmt: skip
    done = run("--", str(AWS), "sts", "get-caller-identity", env=env, profile=None)
    assert done.returncode == 0
    assert "nothing can renew it" in done.stderr
    assert copy.expiration.strftime("%H:%M") in done.stderr


def test_a_needed_code_without_a_terminal_is_exit_7(lab: Lab, tmp_path: Path) -> None:
    env = variables(lab, tmp_path)
    done = run(
        "--",
        "touch",
        str(tmp_path / "started"),
        env=env,
        profile="mfa",
        start_new_session=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 7, done.stderr
    assert not (tmp_path / "started").exists()


def test_an_unknown_profile_is_told_with_the_nearest(lab: Lab, tmp_path: Path) -> None:
    done = run("--", "true", env=variables(lab, tmp_path), profile="rolle")
    assert done.returncode == 10
    assert "role" in done.stderr


# --- the terminal


def unexpire_line(*words: str, profile: str = "role") -> list[str]:
    return [sys.executable, "-m", "unexpire", "run", "--profile", profile, "--", *words]


def test_ctrl_c_reaches_the_command_once(lab: Lab, tmp_path: Path) -> None:
    script = "trap 'echo interrupted; exit 3' INT; echo ready; while :; do sleep 0.05; done"
    terminal = Terminal(unexpire_line("sh", "-c", script), variables(lab, tmp_path))
    terminal.until("ready")
    terminal.type(b"\x03")
    assert terminal.end() == 3
    assert terminal.seen.count(b"interrupted") == 1


def test_ctrl_c_does_not_stop_the_credentials_of_a_command_that_goes_on(lab: Lab, tmp_path: Path) -> None:
    wait = "trap hit=1 INT; echo ready; while [ -z $hit ]; do sleep 0.05; done"
    script = f"{wait}; {AWS} sts get-caller-identity"
    terminal = Terminal(unexpire_line("sh", "-c", script), variables(lab, tmp_path))
    terminal.until("ready")
    terminal.type(b"\x03")
    assert terminal.end() == 0, terminal.seen
    assert b"assumed-role/Deploy" in terminal.seen


def test_job_control_and_window_size_are_the_terminals(lab: Lab, tmp_path: Path) -> None:
    env = variables(lab, tmp_path) | {"PS1": "", "PS2": "", "HISTFILE": ""}
    terminal = Terminal(["bash", "--norc", "--noprofile", "-i"], env)
    # exec: a Ctrl-Z that meets dash in its vfork stops the child before its exec, and dash with it, for good
    line = " ".join(f"'{word}'" for word in unexpire_line("sh", "-c", "echo rea$((0))dy; exec sleep 1000"))
    terminal.type(f"{line}\n".encode())
    terminal.until("rea0dy")
    terminal.type(b"\x1a")
    terminal.until("Stopped")
    terminal.type(b"jobs -l | grep -c Stopped; bg; kill %1; wait %1; echo code=$?\n")
    terminal.until("code=143")
    terminal.type(b"exit\n")
    terminal.end()
    assert gone(tmp_path / "runtime")


def test_a_code_is_asked_for_on_the_terminal_before_the_command_starts(lab: Lab, tmp_path: Path) -> None:
    terminal = Terminal(unexpire_line(str(AWS), "sts", "get-caller-identity", profile="mfa"), variables(lab, tmp_path))
    terminal.until("MFA code for")
    terminal.type(b"123456\n")
    assert terminal.end() == 0, terminal.seen
    assert b"assumed-role/Secure" in terminal.seen


def test_ctrl_c_at_the_prompt_ends_it_without_a_traceback(lab: Lab, tmp_path: Path) -> None:
    terminal = Terminal(unexpire_line("echo", "started", profile="mfa"), variables(lab, tmp_path))
    terminal.until("MFA code for")
    terminal.type(b"\x03")
    assert terminal.end() == 130
    assert b"Traceback" not in terminal.seen
    assert b"started" not in terminal.seen


@pytest.mark.parametrize("name", ["TERM", "HUP", "INT", "QUIT", "USR1", "USR2"])
def test_a_signal_to_the_process_is_one_to_the_command(name: str, lab: Lab, tmp_path: Path) -> None:
    script = f"trap 'echo got {name}; exit 9' {name}; echo ready; while :; do sleep 0.05; done"
    with subprocess.Popen(
        unexpire_line("sh", "-c", script), env=variables(lab, tmp_path), stdout=subprocess.PIPE, text=True
    ) as it:
        assert it.stdout
        assert it.stdout.readline() == "ready\n"
        it.send_signal(getattr(signal, f"SIG{name}"))
        assert it.stdout.read() == f"got {name}\n"
    assert it.returncode == 9


def test_nothing_is_left_of_a_command_that_was_killed(lab: Lab, tmp_path: Path) -> None:
    with subprocess.Popen(
        unexpire_line("sh", "-c", "echo ready; sleep 1000"), env=variables(lab, tmp_path), stdout=subprocess.PIPE
    ) as it:
        assert it.stdout
        it.stdout.readline()
        it.kill()
    assert gone(tmp_path / "runtime")


def test_imds_serves_a_program_that_knows_nothing_else(lab: Lab, tmp_path: Path) -> None:
    script = f"unset $(env | sed -n 's/^\\(AWS_CONTAINER[A-Z_]*\\)=.*/\\1/p'); {AWS} sts get-caller-identity"
    done = run("--imds", "--", "sh", "-c", script, env=variables(lab, tmp_path))
    assert json.loads(done.stdout)["Arn"].endswith(":assumed-role/Deploy/lab-role"), done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("where", ["variable", "older variable", "profile"])
def test_imds_is_found_whatever_says_how_to_reach_another(where: str, lab: Lab, tmp_path: Path) -> None:
    """An instance's own settings: IMDS by IPv6. Ours is on loopback, and the endpoint alone is to say so."""
    env = variables(lab, tmp_path)
    if where == "variable":
        env["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"] = "IPv6"
    elif where == "older variable":
        env["AWS_IMDS_USE_IPV6"] = "true"
    else:
        config = tmp_path / ".aws" / "config"
        config.write_text(
            config.read_text().replace("[profile role]", "[profile role]\nec2_metadata_service_endpoint_mode = ipv6")
        )
    script = (
        "import os, boto3\n"
        "[os.environ.pop(name) for name in list(os.environ) if name.startswith('AWS_CONTAINER')]\n"
        "session = boto3.Session()\n"
        "print(session.get_credentials().method, session.client('sts').get_caller_identity()['Arn'])\n"
        "print(os.environ['AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE'], os.environ.get('AWS_IMDS_USE_IPV6'))\n"
    )
    done = run("--imds", "--", sys.executable, "-c", script, env=env)
    assert done.stdout.startswith("iam-role arn:aws:sts::"), done.stderr
    assert done.stdout.endswith(":assumed-role/Deploy/lab-role\nIPv4 None\n")


def test_behind_imds_the_command_starts_when_it_is_answered(lab: Lab, tmp_path: Path) -> None:
    """SDKs give the metadata service a second, once. Here the process beside the command takes two to load."""
    (tmp_path / "slow").mkdir()
    slowness = "import sys, time\nif 'unexpire.delivery.sidecar' in sys.orig_argv:\n    time.sleep(2)\n"
    (tmp_path / "slow" / "sitecustomize.py").write_text(slowness)
    script = (
        "import os, urllib.request as u\n"
        "r = u.Request(os.environ['AWS_EC2_METADATA_SERVICE_ENDPOINT'] + '/latest/api/token', method='PUT',\n"
        "              headers={'X-aws-ec2-metadata-token-ttl-seconds': '60'})\n"
        "print(u.build_opener(u.ProxyHandler({})).open(r, timeout=1).status)\n"
    )
    env = variables(lab, tmp_path, PYTHONPATH=str(tmp_path / "slow"))
    done = run("--imds", "--", sys.executable, "-c", script, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "200\n", "")


def test_imds_warns_where_sessions_are_too_short_for_it(short_lab: Lab, tmp_path: Path) -> None:
    done = run("--imds", "--", "true", env=variables(short_lab, tmp_path))
    assert "past its end" in done.stderr


@pytest.mark.parametrize(("key", "reaches"), [("bedrock-api-key-YmVkcm9jaw==", False), ("ABSKYmVkcm9jaw==", True)])
def test_a_key_of_bedrock_that_nothing_renews_does_not_reach_the_command(
    lab: Lab, tmp_path: Path, key: str, reaches: bool
) -> None:
    script = "import os; print(os.environ.get('AWS_BEARER_TOKEN_BEDROCK', 'none'))"
    done = run("--", sys.executable, "-c", script, env=variables(lab, tmp_path, AWS_BEARER_TOKEN_BEDROCK=key))
    assert done.stdout == (f"{key}\n" if reaches else "none\n")
    assert ("AWS_BEARER_TOKEN_BEDROCK is left out" in done.stderr) == (not reaches)
    assert key not in done.stderr


def test_where_the_server_cannot_be_started_a_line_says_why_and_nothing_is_left(lab: Lab, tmp_path: Path) -> None:
    env = variables(lab, tmp_path)
    said = set()
    for limit in range(5, 12):  # descriptors: too few to start at all, for the files, for the pipe, and enough
        line = f"ulimit -n {limit}; exec {sys.executable} -m unexpire run --profile role -- echo ran"
        done = subprocess.run(["sh", "-c", line], env=env, capture_output=True, text=True, timeout=60)
        assert "Traceback" not in done.stderr or "unexpire" not in done.stderr
        assert (done.returncode, done.stdout) == (0, "ran\n") or "too many open files" in done.stderr.lower()
        said.update(done.stderr.splitlines())
    assert "unexpire: the process that renews beside the command cannot be started: too many open files" in said
    assert gone(tmp_path / "runtime")


def sidecar_of(pid: int) -> int:
    """The process beside the command of this number, by its own command line."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            if b"unexpire.delivery.sidecar" in words and str(pid).encode() in words:
                return int(entry.name)
    return 0


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds the process beside the command in /proc")
def test_the_folder_of_a_run_whose_server_was_killed_is_removed_by_the_next_run_and_no_other(
    lab: Lab, tmp_path: Path
) -> None:
    env = variables(lab, tmp_path)
    line = [sys.executable, "-m", "unexpire", "run", "--profile", "role", "--", "sh", "-c", "echo up; read line"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    runtime = tmp_path / "runtime"
    with subprocess.Popen(line, env=env, **pipes) as killed, subprocess.Popen(line, env=env, **pipes) as served:  # type: ignore[call-overload]
        assert (killed.stdout.readline(), served.stdout.readline()) == ("up\n", "up\n")
        mine, others = list(runtime.glob(f"unexpire-run-{killed.pid}-*")), list(runtime.glob(f"*-{served.pid}-*"))
        assert (len(mine), len(others)) == (1, 1)
        assert eventually(lambda: bool(sidecar_of(killed.pid)))
        os.kill(sidecar_of(killed.pid), signal.SIGKILL)
        assert eventually(lambda: not sidecar_of(killed.pid))
        assert run("--", "true", env=env).returncode == 0
        assert mine[0].exists(), "its command runs, and may read its files still"
        killed.communicate("\n", timeout=60)
        (runtime / "unexpire-run-notes").mkdir()  # not one of ours, whatever it is called
        assert run("--", "true", env=env).returncode == 0
        assert not mine[0].exists()
        assert (others[0] / "token").exists()
        served.communicate("\n", timeout=60)
    (runtime / "unexpire-run-notes").rmdir()
    assert gone(runtime)


def test_where_there_is_no_exec_the_command_is_a_child_and_served_from_here(lab: Lab, tmp_path: Path) -> None:
    """What Windows does, tried here: the same doors, the same exit codes, nothing left."""
    script = """
import sys
from unexpire.delivery.launch import prepare
launch = prepare(sys.argv[1:], profile="role", role=None, imds=False, prompt=None)
sys.exit(launch.run_and_wait())
"""
    env = variables(lab, tmp_path)
    line = [sys.executable, "-c", script, "sh", "-c", f"{AWS} sts get-caller-identity; exit 7"]
    done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 7, done.stderr
    assert json.loads(done.stdout)["Arn"].endswith(":assumed-role/Deploy/lab-role")
    killed = subprocess.run([*line[:3], "sh", "-c", "kill -TERM $$"], env=env, capture_output=True, timeout=60)
    assert killed.returncode == 128 + signal.SIGTERM
    assert not list((tmp_path / "runtime").glob("unexpire-run-*"))
