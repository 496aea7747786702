"""The agent as its clients see it: a real process, its socket and its loopback port, against the lab."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from running_agent import Running, eventually

from unexpire.delivery.agent_install import service_for
from unexpire.lab import Lab
from unexpire.settings.environment import Environment

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Unix sockets")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(lifetime=timedelta(hours=1)) as running:
        yield running


@pytest.fixture
def short_lab() -> Iterator[Lab]:
    with Lab(lifetime=timedelta(seconds=3)) as running:
        yield running


@pytest.fixture
def agent(lab: Lab, tmp_path: Path) -> Iterator[Running]:
    running = Running(lab, tmp_path, "role")
    yield running
    running.stop()


def http(url: str, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_a_named_profile_is_kept_unasked_and_another_from_when_it_is_asked_for(agent: Running) -> None:
    assert eventually(lambda: agent.status("role").get("access_key_id"))
    assert agent.lab.count("sts", "AssumeRole") == 1
    status, given = agent.credentials("external")
    assert status == 200
    assert given["AccessKeyId"].startswith("ASIA")
    assert agent.status("external")["access_key_id"] == given["AccessKeyId"]
    assert agent.credentials("external")[1] == given


def test_renewals_come_ahead_of_need_with_nobody_asking(short_lab: Lab, tmp_path: Path) -> None:
    agent = Running(short_lab, tmp_path, "role", "chained")
    try:
        assert eventually(lambda: agent.status("role").get("renewals", 0) >= 5, 30)
        assert agent.status("chained")["renewals"] >= 3
        assert agent.status("role")["failures"] == 0
        assert short_lab.count(outcome="expired") == 0
    finally:
        agent.stop()


def test_an_outage_is_outlived_and_told_once(tmp_path: Path) -> None:
    with Lab(lifetime=timedelta(seconds=12)) as lab:
        agent = Running(lab, tmp_path, "role")
        try:
            assert eventually(lambda: agent.status("role").get("access_key_id"))
            lab.outage("sts", "503")
            assert eventually(lambda: agent.status("role")["failures_in_a_row"] >= 2, 30)
            assert agent.credentials("role")[0] == 200, "what is held is still good"
            assert eventually(lambda: agent.credentials("role")[0] == 503, 30), "and not a second longer"
            lab.clear_outages()
            assert eventually(lambda: agent.credentials("role")[0] == 200, 30)
            assert eventually(lambda: "fresh again" in agent.said())
            assert lab.count("sts", "GetCallerIdentity", outcome="expired") == 0
        finally:
            agent.stop()


def test_sigterm_ends_it_and_leaves_no_socket(agent: Running) -> None:
    agent.lab.outage("sts", "hang", seconds=60)
    agent.ask(op="keep", profile="external")
    started = time.monotonic()
    agent.process.send_signal(signal.SIGTERM)
    assert agent.process.wait(30) == 0
    assert time.monotonic() - started < 10, "waited for a call that hangs"
    assert not os.path.exists(agent.path)
    assert "Traceback" not in agent.said()


def test_a_second_agent_says_that_there_is_one_and_a_dead_ones_socket_is_no_hindrance(agent: Running) -> None:
    second = agent.unexpire("agent")
    assert second.returncode == 1
    assert f"process {agent.process.pid}" in second.stderr
    agent.process.kill()
    agent.process.wait()
    assert os.path.exists(agent.path)
    agent.start("role")
    assert agent.credentials("role")[0] == 200


def test_one_that_was_taken_for_dead_leaves_the_socket_to_its_successor(agent: Running) -> None:
    stopped = agent.process
    stopped.send_signal(signal.SIGSTOP)  # a laptop's lid, a debugger
    agent.start("role")
    stopped.send_signal(signal.SIGCONT)
    stopped.terminate()
    assert stopped.wait(20) == 0
    answer = agent.ask(op="ping")
    assert answer
    assert answer[1]["pid"] == agent.process.pid != stopped.pid


def test_what_was_ignored_when_it_started_does_not_end_it(agent: Running) -> None:
    agent.stop()
    agent.start("role", under=["nohup"])
    agent.process.send_signal(signal.SIGHUP)
    assert agent.credentials("role")[0] == 200
    assert agent.stop() == 0


def test_it_goes_on_with_all_its_work_when_nobody_reads_what_it_says(tmp_path: Path) -> None:
    with Lab(lifetime=timedelta(seconds=6)) as lab:
        agent = Running(lab, tmp_path)
        agent.stop()
        reader, writer = os.pipe()
        os.close(reader)
        agent.log = writer
        try:
            agent.start("role")
            assert agent.unexpire("sync", "role", "--to", "legacy").returncode == 0
            lab.outage("sts", "503")
            assert eventually(lambda: agent.status("role")["failures_in_a_row"] >= 2, 30)
            lab.clear_outages()
            credentials = tmp_path / ".aws" / "credentials"
            for _ in range(2):
                before = credentials.read_text()
                assert eventually(lambda held=before: credentials.read_text() != held), "the copy is written no longer"
        finally:
            agent.stop()
            os.close(writer)


def test_status_is_told_while_everybody_waits_for_aws(tmp_path: Path) -> None:
    with Lab(lifetime=timedelta(seconds=3)) as lab:
        agent = Running(lab, tmp_path)
        names = [f"r{number}" for number in range(20)]
        role = "[profile {}]\nrole_arn = arn:aws:iam::123456789012:role/Deploy\nrole_session_name = {}\nsource_profile = static\n"
        config = tmp_path / ".aws" / "config"
        config.write_text(config.read_text() + "".join(role.format(name, name) for name in names))
        lab.outage("sts", "hang", seconds=60)
        try:
            with ThreadPoolExecutor(len(names)) as clients:
                asked = [clients.submit(agent.credentials, name) for name in names]
                assert eventually(lambda: all(agent.status(name) for name in names))
                assert agent.status(names[0])["failures"] == 0
                assert not any(client.done() for client in asked)
                lab.clear_outages()
        finally:
            agent.stop()


def test_a_change_of_the_configuration_is_taken_up(agent: Running) -> None:
    assert eventually(lambda: agent.status("role").get("access_key_id"))
    before = agent.credentials("role")[1]
    config = agent.home / ".aws" / "config"
    text = config.read_text()
    config.write_text(text.replace("role_session_name = lab-role", "role_session_name = another"))
    assert eventually(lambda: agent.credentials("role")[0] == 200)
    assert agent.credentials("role")[1]["AccessKeyId"] != before["AccessKeyId"]
    config.write_text(text.replace("[profile role]", "[profile"))  # half-written: kept
    time.sleep(1.5)
    assert agent.status("role")["access_key_id"]
    config.write_text(
        text.replace("[profile role]", "[profile elsewhere]").replace(
            "source_profile = role", "source_profile = static"
        )
    )
    assert eventually(lambda: not agent.status("role"))
    config.write_text(text)
    assert eventually(lambda: agent.status("role").get("access_key_id"))


def test_a_profile_that_the_agent_sees_otherwise_is_refused(agent: Running) -> None:
    answer = agent.ask(op="credentials", profile="role", role=None, identity="assume-role-somebody-elses")
    assert answer
    assert answer[0] == 409
    assert "AccessKeyId" not in answer[1]


def test_it_waits_for_a_login_keeps_the_others_and_goes_on_when_the_login_appears(lab: Lab, tmp_path: Path) -> None:
    home = tmp_path
    variables = lab.make_home(home)
    cache = home / ".aws" / "sso" / "cache"
    for file in cache.iterdir():
        file.unlink()
    agent = Running.__new__(Running)
    agent.lab, agent.home = lab, home
    (home / "r").mkdir()
    agent.variables = variables | {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(home / "r")}
    agent.start("role", "sso")
    try:
        assert eventually(lambda: agent.status("sso").get("waits_for"))
        assert eventually(lambda: agent.status("role").get("access_key_id"))
        assert agent.credentials("sso")[0] == 403
        assert eventually(lambda: "sso:" in agent.said())
        lab.sso_login(home)
        assert eventually(lambda: agent.status("sso").get("access_key_id"), 15), "backoff alone would take longer"
        assert eventually(lambda: "fresh again" in agent.said())
    finally:
        agent.stop()


def test_on_loopback_every_profile_has_its_own_token(agent: Running) -> None:
    role, external = agent.ask(op="endpoint", profile="role"), agent.ask(op="endpoint", profile="external")
    assert role
    assert external
    token = Path(role[1]["token_file"]).read_text()
    assert stat.S_IMODE(Path(role[1]["token_file"]).stat().st_mode) == 0o600
    assert http(role[1]["url"], Authorization=token)[0] == 200
    assert http(external[1]["url"], Authorization=token)[0] == 401
    assert http(role[1]["url"])[0] == 401
    base = role[1]["url"].rpartition("/credentials")[0]
    assert http(base + "/credentials/nobody", Authorization=token)[0] == 401
    assert json.loads(http(base + "/health")[1])["status"] == "ok"
    assert http(base + "/health", Host="attacker.example")[0] == 403
    status, metrics = http(base + "/metrics")
    assert status == 200
    assert b'unexpire_usable{identity="role"} 1.0' in metrics
    assert b'unexpire_requests_total{door="endpoint",status="401"}' in metrics
    assert not any(secret.encode() in metrics for secret in agent.lab.secrets())


def test_tokens_outlive_a_restart(agent: Running) -> None:
    address = agent.ask(op="endpoint", profile="role")
    assert address
    token = Path(address[1]["token_file"]).read_text()
    agent.stop()
    agent.start("role")
    again = agent.ask(op="endpoint", profile="role")
    assert again
    assert http(again[1]["url"], Authorization=token)[0] == 200


def test_the_socket_is_its_users_alone(agent: Running) -> None:
    assert stat.S_IMODE(os.stat(agent.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(agent.path)).st_mode) == 0o700


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="becomes another user")
def test_another_user_gets_no_answer_even_where_the_file_would_let_them(agent: Running) -> None:
    for folder in [Path(agent.path), *Path(agent.path).parents]:
        if folder != Path("/tmp") and str(folder).startswith("/tmp"):
            folder.chmod(0o777)
    script = """
import os, socket, sys
os.setuid(65534)
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
try:
    client.sendall(b'{"op": "status"}\\n')
    print(client.recv(100))
except ConnectionError:
    print("hung up")
"""
    done = subprocess.run([sys.executable, "-c", script, agent.path], capture_output=True, text=True, timeout=20)
    assert done.stdout.strip() in ("b''", "hung up"), done.stderr
    assert agent.ask(op="ping"), "and its own user still gets one"


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"[" * 50_000 + b"\n", b"nonsense\n", b"[]\n", b"{}\n", b'{"op":7}\n', b'{"op":"credentials","profile":[]}\n',
             b'{"op":"credentials","role":{"role_arn":1}}\n', b'{"op":"credentials","role":{"x":1}}\n', b"x" * 200_000 + b"\n",
             b"\xff\xfe\n", b'{"op":"keep","profile":"no-such-profile"}\n'],
)  # fmt: skip
def test_rubbish_on_the_socket_costs_nothing(line: bytes, agent: Running) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(agent.path)
        with contextlib.suppress(OSError):
            client.sendall(line)
            client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            answer = client.recv(1000)
            assert answer[:3] in (b"", b"400", b"404")
    assert agent.ask(op="ping")


def test_the_commands_use_it_and_status_shows_it(agent: Running) -> None:
    assert eventually(lambda: agent.status("role").get("access_key_id"))
    calls = agent.lab.count("sts", "AssumeRole")
    assert agent.empty_the_cache() == 1
    script = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    done = agent.unexpire("run", "--profile", "role", "--", sys.executable, "-c", script)
    assert done.stdout.endswith(":assumed-role/Deploy/lab-role\n"), done.stderr
    assert agent.lab.count("sts", "AssumeRole") == calls, "asked AWS though the agent had it"
    shown = json.loads(agent.unexpire("status", "--json").stdout)
    assert shown["agent"]["pid"] == agent.process.pid
    line = next(each for each in shown["identities"] if each["name"] == "role")
    assert line["known_from"] == "agent"
    assert 0 < line["seconds_left"] <= 3000
    text = agent.unexpire("status").stdout
    assert "█" in text
    assert "role" in text
    assert agent.unexpire().stdout.splitlines()[0].split()[0] == text.splitlines()[0].split()[0]
    assert not any(secret in text + json.dumps(shown) for secret in agent.lab.secrets())


def test_a_command_and_the_agent_do_not_wait_for_each_other_when_both_have_nothing(tmp_path: Path) -> None:
    """Both want the identity's lock then, and the command's server has it while it asks the agent."""
    poll = """
import json, os, sys, time, urllib.error, urllib.request
url, headers = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"], {"Authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]}
failed = False
while True:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60):
            if failed:
                sys.exit()
    except urllib.error.HTTPError as error:
        if not failed:
            print(flush=True)
        failed = True
        print(json.load(error)["message"], file=sys.stderr)
    time.sleep(0.1)
"""
    with Lab(lifetime=timedelta(seconds=3)) as lab:
        agent = Running(lab, tmp_path, "role")
        try:
            assert eventually(lambda: agent.status("role").get("access_key_id"))
            line = [sys.executable, "-m", "unexpire", "run", "--profile", "role", "--", sys.executable, "-c", poll]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            with subprocess.Popen(line, env=agent.variables, **pipes) as command:  # type: ignore[call-overload]
                lab.outage("sts", "503")
                command.stdout.readline()  # nothing usable is held any more
                failed = agent.status("role")["failures_in_a_row"]
                assert eventually(lambda: agent.status("role")["failures_in_a_row"] > failed, 60)
                lab.clear_outages()
                _, said = command.communicate(timeout=60)
            assert command.returncode == 0
            assert said
            assert "under way" not in said
        finally:
            agent.stop()


def test_what_is_forgotten_it_fetches_anew(agent: Running) -> None:
    first, other = agent.credentials("role")[1], agent.credentials("external")[1]
    assert agent.unexpire("forget", "role").stdout == "forgot 1 session\nthe agent fetches 1 session anew\n"
    second = agent.credentials("role")[1]
    assert second["AccessKeyId"] != first["AccessKeyId"]
    assert agent.credentials("external")[1] == other
    assert agent.unexpire("forget", "--all").stdout == "forgot 2 sessions\nthe agent fetches 2 sessions anew\n"
    printed = json.loads(agent.unexpire("credential-process", "--profile", "role").stdout)
    assert printed["AccessKeyId"] not in (first["AccessKeyId"], second["AccessKeyId"])
    assert agent.unexpire("forget", "static").stdout == "nothing was kept\n"


def test_an_agent_for_others_forgets_for_nobody(lab: Lab, tmp_path: Path) -> None:
    agent = Running(lab, tmp_path, "role", "--only")
    try:
        before = agent.credentials("role")[1]
        assert "the agent keeps what it holds" in agent.unexpire("forget", "role").stderr
        assert agent.credentials("role")[1] == before
    finally:
        agent.stop()


def test_a_role_that_no_profile_names_is_kept_as_well_and_two_of_one_name_are_two(agent: Running) -> None:
    arn = agent.lab.role_arn("Deploy")
    words = ["credential-process", "--profile", "static", "--role-arn", arn]
    first = json.loads(agent.unexpire(*words).stdout)
    calls = agent.lab.count("sts", "AssumeRole")
    assert agent.empty_the_cache() == 2
    assert json.loads(agent.unexpire(*words).stdout) == first
    assert agent.lab.count("sts", "AssumeRole") == calls, "asked AWS though the agent had it"
    other = arn.replace("123456789012", "210987654321")
    urls = [agent.ask(op="endpoint", profile="static", role={"role_arn": each}) for each in (arn, other)]
    assert urls[0]
    assert urls[1]
    assert urls[0][1]["url"] != urls[1][1]["url"]
    assert urls[0][1]["token_file"] != urls[1][1]["token_file"]
    assert agent.ask(op="keep", role={"role_arn": arn, "policy": {}}) == (
        400,
        {"message": "not a request of unexpire's"},
    )
    assert "Traceback" not in agent.said()


def test_status_without_an_agent_shows_what_is_kept_and_what_would_be_used(lab: Lab, tmp_path: Path) -> None:
    variables = lab.make_home(tmp_path) | {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path)}
    copy = lab.issue_session("Deploy", seconds=1800)
    environment = variables | {
        "AWS_ACCESS_KEY_ID": copy.access_key_id,
        "AWS_SECRET_ACCESS_KEY": copy.secret_access_key,
        "AWS_SESSION_TOKEN": copy.session_token or "",
    }

    def unexpire(*words: str) -> str:
        line = [sys.executable, "-m", "unexpire", *words]
        return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout

    unexpire("credential-process", "--profile", "role")
    shown = json.loads(unexpire("status", "--json"))
    assert shown["agent"] is None
    assert [line["known_from"] for line in shown["identities"]] == ["environment", "cache"]
    assert shown["identities"][0]["access_key_id"] == copy.access_key_id
    assert 2900 < shown["identities"][1]["seconds_left"] <= 3000


def test_a_notice_comes_once_before_a_session_ends_that_nothing_renews(tmp_path: Path) -> None:
    with Lab() as lab:
        notes = tmp_path / "notes"
        settings = tmp_path / "settings.toml"
        script = tmp_path / "note.sh"
        script.write_text(f'#!/bin/sh\necho "$1|$UNEXPIRE_PROFILE" >> {notes}\n')
        script.chmod(0o755)
        settings.write_text(f"on-expiring = \"{script} '%s'\"\n")
        copy = lab.issue_session("Deploy", seconds=400)
        variables = {
            "UNEXPIRE_CONFIG": str(settings),
            "AWS_ACCESS_KEY_ID": copy.access_key_id,
            "AWS_SECRET_ACCESS_KEY": copy.secret_access_key,
            "AWS_SESSION_TOKEN": copy.session_token or "",
            "AWS_CREDENTIAL_EXPIRATION": copy.expiration.isoformat() if copy.expiration else "",
        }
        agent = Running(lab, tmp_path, **variables)
        try:
            agent.ask(op="keep", profile=None)
            assert eventually(notes.exists)
            time.sleep(2.5)
            assert notes.read_text() == "default|default\n"
        finally:
            agent.stop()


def test_a_copy_in_the_credentials_file_is_kept_fresh_through_a_restart_until_it_is_stopped(tmp_path: Path) -> None:
    with Lab(lifetime=timedelta(seconds=6)) as lab:
        agent = Running(lab, tmp_path)
        file = tmp_path / ".aws" / "credentials"
        before = file.read_text()

        def key() -> str:
            _, _, section = file.read_text().partition("[role-static]")
            return section.partition("aws_access_key_id = ")[2].partition("\n")[0]

        try:
            done = agent.unexpire("sync", "role", "--to", "role-static")
            assert "the agent keeps it fresh" in done.stdout, done.stderr
            first = key()
            assert eventually(lambda: key() != first)
            agent.stop()
            agent.start()
            second = key()
            assert eventually(lambda: key() != second)
            assert file.read_text().startswith(before), "every other byte stays"
            assert before == Path(f"{file}.unexpire-backup").read_text()
            assert agent.unexpire("sync", "role", "--to", "role-static", "--stop").returncode == 0
            status = agent.ask(op="status")
            assert status
            assert status[1]["copies"] == []
        finally:
            agent.stop()


def test_install_shows_the_unit_first_and_escapes_what_means_something_there(lab: Lab, tmp_path: Path) -> None:
    variables = lab.make_home(tmp_path) | {"PATH": "/odd $dir/%n:/bin", "https_proxy": "http://user:hunter2@proxy"}
    line = [sys.executable, "-m", "unexpire", "agent", "install", "role", "--port", "9911"]
    refused = subprocess.run(line, env=variables, input="n\n", capture_output=True, text=True, timeout=60)
    unit = tmp_path / ".config" / "systemd" / "user" / "unexpire-agent.service"
    assert refused.returncode == 1
    assert "ExecStart=" in refused.stdout
    assert not unit.exists()
    subprocess.run([*line, "--yes"], env=variables, capture_output=True, text=True, timeout=60, check=True)
    text = unit.read_text()
    assert '"agent" "--port" "9911" "role"' in text
    assert '"PATH=/odd $$dir/%%n:/bin"' in text
    assert "hunter2" not in text
    assert f'"AWS_CONFIG_FILE={variables["AWS_CONFIG_FILE"]}"' in text


def test_the_property_list_is_one(tmp_path: Path) -> None:
    import plistlib

    environment = Environment.of({"HOME": str(tmp_path), "AWS_CONFIG_FILE": "/a&b<c>"})
    service = service_for(environment, ["prod"], platform="darwin")
    document = plistlib.loads(service.text.encode())
    assert document["ProgramArguments"][-2:] == ["agent", "prod"]
    assert document["EnvironmentVariables"]["AWS_CONFIG_FILE"] == "/a&b<c>"
