"""Every program of every page runs against the lab and prints what the page says."""

from __future__ import annotations

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
CANNOT = 4
"""How many examples may say that they cannot run here. It goes down, never up."""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the pages' shell examples are bash")


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


@pytest.fixture
def world(lab: Lab, tmp_path: Path) -> World:
    home = tmp_path / "home"
    lab.make_home(home)
    return World(lab, home)


@pytest.mark.parametrize(("name", "example"), RUN, ids=TOLD_APART)
def test_an_example_does_what_its_page_says(name: str, example: page.Example, world: World, tmp_path: Path) -> None:
    assert example.world is not None
    variables = WORLDS[example.world](world)
    folder = tmp_path / "work"
    folder.mkdir()
    bash = shutil.which("bash")
    assert bash is not None
    command = [bash, "-c"] if example.language == "bash" else [sys.executable, "-c"]
    done = subprocess.run(
        [*command, example.text], env=variables, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
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
