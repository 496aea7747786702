"""Every program of every page runs against the lab and prints what the page says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from unexpire.credentials import Credentials
from unexpire.lab import Lab
from unexpire.reference import page

EXAMPLES = [(name, example) for name in page.names() for example in page.load(name).examples]
RUN = [(name, example) for name, example in EXAMPLES if example.world]
TOLD_APART = [f"{name}-{example.language}-{number}" for number, (name, example) in enumerate(RUN)]
CANNOT = 3
"""How many examples may say that they cannot run here. It goes down, never up."""

# They use GNU's date, base64 and sha1sum, as the pages' readers on servers and in CI have them.
pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the pages' shell examples are written for bash on Linux"
)


@dataclass(frozen=True)
class World:
    """What a program finds: the lab, a home with the profile `static` (SOURCE_PROFILE) and a role (ROLE_ARN), and its keys."""

    lab: Lab
    home: Path

    def variables(self, keys: Credentials | None = None, *, bare: bool = False, imds: bool = False) -> dict[str, str]:
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
        found = {"PATH": path, "LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "ignore", "AWS_PAGER": ""}
        found |= self.lab.environment(self.home, imds=imds)
        if bare:
            del found["AWS_CONFIG_FILE"], found["AWS_SHARED_CREDENTIALS_FILE"]
            shutil.rmtree(self.home / ".aws")
        else:
            found |= {"SOURCE_PROFILE": "static", "ROLE_ARN": self.lab.role_arn("Deploy")}
        if keys is not None:
            found |= {
                "AWS_ACCESS_KEY_ID": keys.access_key_id,
                "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
                "AWS_SESSION_TOKEN": keys.session_token or "",
            }
        return found


def _live(world: World) -> dict[str, str]:
    return world.variables(world.lab.issue_session("Deploy"))


def _expired(world: World) -> dict[str, str]:
    return world.variables(world.lab.issue_session("Deploy", seconds=-14 * 60))


def _web_identity(world: World) -> dict[str, str]:
    token = world.home / "token"
    world.lab.write_web_identity_token(token)
    role = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token), "AWS_ROLE_ARN": world.lab.role_arn("Web")}
    return world.variables(bare=True) | role


WORLDS: dict[str, Callable[[World], dict[str, str]]] = {
    "live": _live,
    "expired": _expired,
    "none": lambda world: world.variables(bare=True),
    "ec2": lambda world: world.variables(bare=True, imds=True),
    "web-identity": _web_identity,
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        keys = lab.user_credentials
        s3 = boto3.client(
            "s3",
            endpoint_url=lab.url,
            region_name="us-east-1",
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
        )
        s3.create_bucket(Bucket="unexpire-example")
        yield lab


@pytest.fixture(scope="module")
def forks() -> Iterator[subprocess.Popen[str]]:
    """The process whose forks are the Python examples."""
    program = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("forked_python.py"))]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=30) == 0


@pytest.fixture
def world(lab: Lab, tmp_path: Path) -> World:
    home = tmp_path / "home"
    lab.make_home(home)
    return World(lab, home)


def _python(forks: subprocess.Popen[str], text: str, environment: dict[str, str], folder: Path) -> tuple[int, str]:
    output = folder.with_name("output")
    job = {"text": text, "environment": environment, "folder": str(folder), "output": str(output)}
    assert forks.stdin is not None
    assert forks.stdout is not None
    forks.stdin.write(json.dumps(job) + "\n")
    forks.stdin.flush()
    return int(forks.stdout.readline()), output.read_text(encoding="utf-8")


def _bash(text: str, environment: dict[str, str], folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-c", text],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


# The AWS CLI takes half a second to start, and bash examples start it once or more: they are run by `make examples`, all the others always.
SLOW_ONES = [
    pytest.param(name, example, id=told, marks=pytest.mark.examples if example.language == "bash" else ())
    for (name, example), told in zip(RUN, TOLD_APART, strict=True)
]


@pytest.mark.parametrize(("name", "example"), SLOW_ONES)
def test_an_example_does_what_its_page_says(
    name: str, example: page.Example, world: World, tmp_path: Path, forks: subprocess.Popen[str]
) -> None:
    assert example.world is not None
    variables = WORLDS[example.world](world)
    folder = tmp_path / "work"
    folder.mkdir()
    if example.language == "bash":
        code, output = _bash(example.text, variables, folder)
    else:
        code, output = _python(forks, example.text, variables, folder)
    assert code == 0, output
    assert [line for line in example.expected if line not in output] == [], output
    assert not [secret for secret in world.lab.secrets() if secret and secret in output], "an example prints a secret"


@pytest.mark.parametrize(("name", "example"), RUN, ids=TOLD_APART)
def test_an_example_says_what_it_prints(name: str, example: page.Example) -> None:
    assert example.expected
    assert all(len(line) >= 1 for line in example.expected)
    assert example.world in WORLDS


def test_few_examples_cannot_run_and_they_say_why() -> None:
    cannot = {name: example.reason for name, example in EXAMPLES if example.world is None}
    assert len(cannot) <= CANNOT
    assert all(reason and reason.startswith("needs ") for reason in cannot.values())
