"""How programs in containers get fresh sessions: what docs/containers.md says, with real SDKs in real network namespaces."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from container_hosts import INSIDE, Agent, App, Host, connect, what_is_missing

from unexpire.lab import Lab

_MISSING = what_is_missing()
pytestmark = pytest.mark.skipif(_MISSING is not None, reason=_MISSING or "")

DEPLOY = "ok arn:aws:sts::123456789012:assumed-role/Deploy/lab-role"
URI, TOKEN_FILE = "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(lifetime=timedelta(hours=1)) as running:
        yield running


@pytest.fixture
def container(lab: Lab, tmp_path: Path) -> Iterator[Host]:
    """Sees `given` at INSIDE and nothing else of this machine's user; reaches AWS."""
    with Host() as host:
        host.reach(lab.port)
        (tmp_path / "given").mkdir(mode=0o700)
        (tmp_path / "home").mkdir()
        host.mount(tmp_path / "given")
        host.hide(tmp_path)
        yield host


@pytest.fixture
def machine(lab: Lab) -> Iterator[Host]:
    """A host with a network of its own and this machine's files, so that nothing is changed on this machine."""
    with Host() as host:
        host.reach(lab.port)
        yield host


def home_of(lab: Lab, tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    return lab.make_home(home) | {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(home)}


def inside(address: dict[str, str]) -> dict[str, str]:
    return {**address, TOKEN_FILE: f"{INSIDE}/{Path(address[TOKEN_FILE]).name}"}


def get(host: Host, url: str, token: str, **headers: str) -> tuple[int, dict[str, str]]:
    """What a program that is no SDK gets from there."""
    script = """
import json, sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], headers=json.loads(sys.argv[2]))
try:
    answer = urllib.request.urlopen(request, timeout=20)
except urllib.error.HTTPError as error:
    answer = error
with answer:
    print(json.dumps([answer.status, json.loads(answer.read())]))
"""
    given = json.dumps({"Authorization": token, **headers})
    status, body = json.loads(host.do(sys.executable, "-c", script, url, given))
    return status, body


# --- a sidecar in the network of the program


def test_programs_beside_the_agent_share_one_session(lab: Lab, container: Host, tmp_path: Path) -> None:
    agent = Agent(container, home_of(lab, tmp_path), "--token-dir", str(tmp_path / "given"), "role")
    variables = inside(agent.address())
    apps = [App(container, lab, **variables) for _ in range(3)]
    for app in apps:
        app.tell()
    assert [app.call() for app in apps] == [DEPLOY] * 3
    assert lab.count("sts", "AssumeRole") == 1
    assert container.do("ls", "-A", str(tmp_path)) == "", "nothing else of the user is to be seen there"


def test_sessions_end_and_no_program_beside_the_agent_sees_it(container: Host, tmp_path: Path, lab: Lab) -> None:
    with Lab(lifetime=timedelta(seconds=3)) as short:
        container.reach(short.port)
        agent = Agent(container, home_of(short, tmp_path), "--token-dir", str(tmp_path / "given"), "role")
        app = App(container, short, **inside(agent.address()))
        while short.count("sts", "AssumeRole") < 5:
            assert app.call() == DEPLOY
        assert short.count(outcome="expired") == 0
        assert short.count("sts", "GetCallerIdentity") > 5


def test_a_program_without_its_network_is_refused_by_nobody_as_nobody_is_there(
    lab: Lab, container: Host, machine: Host, tmp_path: Path
) -> None:
    agent = Agent(machine, home_of(lab, tmp_path), "--token-dir", str(tmp_path / "given"), "role")
    said = App(container, lab, **inside(agent.address())).call()
    assert said.startswith("CredentialRetrievalError: "), said
    assert "127.0.0.1" in said, said
    assert lab.count("sts", "GetCallerIdentity") == 0


def test_a_token_that_changed_is_read_again_by_a_program_that_runs(lab: Lab, container: Host, tmp_path: Path) -> None:
    with Lab(lifetime=timedelta(minutes=10)) as short:  # under 15 min left, botocore asks at every signing
        container.reach(short.port)
        variables = home_of(short, tmp_path)
        agent = Agent(container, variables, "--port", "9911", "--token-dir", str(tmp_path / "given"), "role")
        app = App(container, short, **inside(agent.address()))
        assert app.call() == DEPLOY
        token = (tmp_path / "given" / "role").read_text()
        agent.stop()
        shutil.rmtree(tmp_path / "home" / ".cache" / "unexpire")  # as for an agent in a container that was made anew
        agent.start()
        agent.address()
        assert (tmp_path / "given" / "role").read_text() != token
        assert app.call() == DEPLOY
        assert short.count("sts", "GetCallerIdentity") == 2


def test_only_the_group_of_the_token_files_reads_them(lab: Lab, container: Host, tmp_path: Path) -> None:
    folder = tmp_path / "given" / "tokens"
    Agent(container, home_of(lab, tmp_path), "--token-dir", str(folder), "--token-group", "5678", "role").address()
    assert (folder.stat().st_mode & 0o777, folder.stat().st_gid) == (0o750, 5678)
    (tmp_path / "given").chmod(0o711)

    def read(*groups: str) -> subprocess.CompletedProcess[str]:
        who = ["setpriv", "--reuid", "1234", "--regid", "1234", *groups]
        line = container.line(*who, "cat", f"{INSIDE}/tokens/role")
        return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)

    assert read("--groups", "5678").stdout == (folder / "role").read_text()
    refused = read("--clear-groups")
    assert (refused.stdout, refused.returncode) == ("", 1)


# --- the socket, mounted


def process_settings(tmp_path: Path, profile: str = "role") -> dict[str, str]:
    """An AWS config in the container that holds no more than the way to the agent."""
    command = f"{sys.executable} -m unexpire credential-process --profile {profile} --from-agent"
    (tmp_path / "given" / "config").write_text(f"[default]\ncredential_process = {command}\n")
    return {"AWS_CONFIG_FILE": f"{INSIDE}/config", "UNEXPIRE_AGENT_SOCKET": f"{INSIDE}/agent.sock"}


def test_programs_with_the_socket_and_no_settings_share_one_session(
    lab: Lab, container: Host, machine: Host, tmp_path: Path
) -> None:
    socket = {"UNEXPIRE_AGENT_SOCKET": str(tmp_path / "given" / "agent.sock")}
    agent = Agent(machine, home_of(lab, tmp_path) | socket, "role")
    assert agent.socket.parent == tmp_path / "given"
    apps = [App(container, lab, **process_settings(tmp_path)) for _ in range(4)]
    for app in apps:
        app.tell()
    assert [app.call() for app in apps] == [DEPLOY] * 4
    assert lab.count("sts", "AssumeRole") == 1
    agent.stop()
    agent.start()  # which makes the socket anew: it is the folder that is mounted
    assert App(container, lab, **process_settings(tmp_path)).call() == DEPLOY
    assert lab.count("sts", "AssumeRole") == 1


def ask_agent(
    container: Host, *words: str, user: int = 0, socket: str = "agent.sock"
) -> subprocess.CompletedProcess[str]:
    script = (
        "import os, sys; from unexpire.cli.main import run; import unexpire.delivery.agent_protocol, json, socket\n"
    )
    script += "import unexpire.cli.credential_process, unexpire.delivery.process, unexpire.providers.resolve\n"
    script += f"os.setuid({user}); run(sys.argv[1:])"
    line = container.line(sys.executable, "-c", script, "credential-process", *words, "--from-agent")
    variables = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "UNEXPIRE_AGENT_SOCKET": f"{INSIDE}/{socket}"}
    return subprocess.run(line, env=variables, capture_output=True, text=True, timeout=60, check=False)


def test_an_agent_of_one_profile_gives_a_container_no_other(
    lab: Lab, container: Host, machine: Host, tmp_path: Path
) -> None:
    socket = {"UNEXPIRE_AGENT_SOCKET": str(tmp_path / "given" / "agent.sock")}
    Agent(machine, home_of(lab, tmp_path) | socket, "--only", "role")
    given = ask_agent(container, "--profile", "role")
    assert json.loads(given.stdout)["AccessKeyId"].startswith("ASIA"), given.stderr
    for words in (["--profile", "external"], [], ["--role-arn", lab.role_arn("Deploy")]):
        refused = ask_agent(container, *words)
        assert refused.stdout == ""
        assert "gives the sessions that it was started for" in refused.stderr
    assert lab.count("sts", "AssumeRole") == 1


def test_another_user_of_a_container_gets_nothing_and_is_told_who_it_is(
    lab: Lab, container: Host, machine: Host, tmp_path: Path
) -> None:
    socket = {"UNEXPIRE_AGENT_SOCKET": str(tmp_path / "given" / "agent.sock")}
    agent = Agent(machine, home_of(lab, tmp_path) | socket, "role")
    (tmp_path / "given").chmod(0o777)
    agent.socket.chmod(0o777)
    refused = ask_agent(container, "--profile", "role", user=65534)
    assert (refused.stdout, refused.returncode) == ("", 10), refused.stderr
    assert "no agent of this user (id 65534) answers at" in refused.stderr
    nobody = ask_agent(container, "--profile", "role", socket="nothing.sock")
    assert "unexpire agent role, with the folder of its socket mounted here" in nobody.stderr


# --- over a network


def test_an_sdk_asks_no_other_host_over_http_and_the_agent_answers_to_no_other_name(
    lab: Lab, container: Host, machine: Host, tmp_path: Path
) -> None:
    connect(machine, container, ("10.77.0.1/24", "10.77.0.2/24"))
    agent = Agent(machine, home_of(lab, tmp_path), "--port", "9911", "--token-dir", str(tmp_path / "given"), "role")
    address = agent.address()
    machine.forward(9911, at="10.77.0.1")
    url = address[URI].replace("127.0.0.1", "10.77.0.1")
    said = App(container, lab, **inside({**address, URI: url})).call()
    assert "Unsupported host '10.77.0.1'" in said
    token = Path(address[TOKEN_FILE]).read_text()
    assert get(machine, address[URI], token)[0] == 200
    status, body = get(container, url, token)
    assert (status, body["Code"]) == (403, "ForbiddenHost")
    assert lab.count("sts", "GetCallerIdentity") == 0


def test_a_tunnel_that_keeps_address_and_port_is_loopback_at_both_ends(
    lab: Lab, container: Host, machine: Host, tmp_path: Path
) -> None:
    agent = Agent(machine, home_of(lab, tmp_path), "--port", "9911", "--token-dir", str(tmp_path / "given"), "role")
    container.tunnel(9911, machine)
    assert App(container, lab, **inside(agent.address())).call() == DEPLOY


def test_on_the_address_of_ecs_the_programs_of_its_network_are_answered(
    lab: Lab, container: Host, machine: Host, tmp_path: Path
) -> None:
    connect(machine, container, ("169.254.170.2/24", "169.254.170.5/24"))
    connect(machine, container, ("10.77.0.1/24", "10.77.0.2/24"))
    words = ["--listen", "169.254.170.2", "--port", "9911", "--token-dir", str(tmp_path / "given"), "role"]
    agent = Agent(machine, home_of(lab, tmp_path), *words)
    address = agent.address()
    assert address[URI] == "http://169.254.170.2:9911/credentials/role"
    apps = [App(container, lab, **inside(address)) for _ in range(2)]
    assert [app.call() for app in apps] == [DEPLOY] * 2
    assert lab.count("sts", "AssumeRole") == 1

    token = Path(address[TOKEN_FILE]).read_text()
    base = "http://169.254.170.2:9911"
    assert get(container, address[URI], "wrong")[0] == 401
    assert get(container, f"{base}/credentials/external", token)[0] == 401
    for path in ("/metrics", "/health"):
        assert get(container, base + path, token)[0] == 401, "only credentials are given over a network"
    assert get(container, address[URI], token, Host="rebound.example:9911")[1]["Code"] == "ForbiddenHost"
    container.do("ip", "address", "del", "169.254.170.5/24", "dev", _link_of(container, "169.254.170.5"))
    container.do("ip", "route", "add", "169.254.170.2/32", "via", "10.77.0.1")
    status, body = get(container, address[URI], token)
    assert (status, body["Code"]) == (403, "ForbiddenPeer"), "Linux answers for any address on any network"
    assert get(machine, "http://127.0.0.1:9911/credentials/role", token)[0] == 200


def _link_of(host: Host, address: str) -> str:
    links = json.loads(host.do("ip", "-json", "address", "show", "to", address))
    return str(next(link["ifname"] for link in links if link))


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("10.77.0.1", "SDKs ask plain http only of loopback and of 169.254.170.2 and 169.254.170.23, not of 10.77.0.1"),
        ("0.0.0.0", "not of 0.0.0.0"),
        ("169.254.170.2", "169.254.170.2:9911 cannot be listened on: cannot assign requested address (--listen)"),
    ],
)
def test_no_other_address_is_listened_on(address: str, says: str, lab: Lab, machine: Host, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    words = [sys.executable, "-m", "unexpire", "agent", "--listen", address, "--port", "9911", "role"]
    line = machine.line(*words, mounts=False)
    variables = home_of(lab, tmp_path)
    done = subprocess.run(line, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 10
    assert says in done.stderr
    assert "Traceback" not in done.stderr
