"""The pytest plugin: an AWS whose credentials expire, for the tests of other projects.

It is there as soon as unexpire is installed (``pip install 'unexpire[lab]'``), and costs nothing where it is not used::

    import pytest

    @pytest.mark.expiring_aws(lifetime=20, profile="role")
    def test_survives_expiry(expiring_aws):
        job = MyJob()                         # finds the lab through the environment, as it would find AWS
        job.step()
        expiring_aws.end_all_sessions()       # what an hour does to it, now
        job.step()
        assert expiring_aws.count(outcome="expired") == 0

The fixture is a running `unexpire.lab.Lab`: see there for what a test can do to it. Arguments of the marker, all optional:

lifetime   seconds (or a timedelta) that every session lasts; by default as AWS has it.
profile    the profile of `unexpire.lab.home` that the test runs as; ``role`` by default: a role that can be assumed again.
           ``copy`` is a static copy of a session, which nothing can renew. None: no profile, no credentials.
clock      a function that returns the lab's time, an aware datetime.

While the test runs, this process's variables point at the lab: every ``AWS_`` variable is replaced, HOME is a temporary folder, and
boto3's default session starts afresh. A program in another process gets them by inheriting. botocore reads HOME when it is
imported: the profiles ``sso``, ``sso-legacy`` and ``login`` are for programs in other processes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .lab import Lab

__all__ = ["expiring_aws"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "expiring_aws(lifetime=None, profile='role', clock=None): how the AWS of the fixture expiring_aws is"
    )


@pytest.fixture
def expiring_aws(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lab]:
    """A running lab that this process's environment points at; the marker ``expiring_aws`` sets it up."""
    options = _options(request)
    from .lab import Lab

    lifetime = options.pop("lifetime", None)
    profile = options.pop("profile", "role")
    if lifetime is not None and not isinstance(lifetime, timedelta):
        lifetime = timedelta(seconds=lifetime)
    with Lab(lifetime, **{name: value for name, value in options.items() if value is not None}) as lab:
        _enter(lab, tmp_path_factory.mktemp("expiring-aws"), profile, monkeypatch)
        yield lab


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The marker's arguments, or those of an indirect parametrisation, checked."""
    marker = request.node.get_closest_marker("expiring_aws")
    options: dict[str, Any] = dict(marker.kwargs) if marker is not None else {}
    options.update(getattr(request, "param", None) or {})
    unknown = sorted(set(options) - {"lifetime", "profile", "clock"})
    if unknown or (marker is not None and marker.args):
        raise pytest.UsageError(
            f"expiring_aws takes lifetime, profile and clock by name, not {', '.join(unknown) or 'a value'}"
        )
    return options


def _enter(lab: Lab, home: Path, profile: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    from .lab.home import PROFILES

    if profile is not None and profile not in PROFILES:
        raise pytest.UsageError(f"expiring_aws has no profile {profile!r}; it has {', '.join(PROFILES)}")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    lab.make_home(home)
    for name, value in lab.environment(home, imds=profile == "imds", container=profile == "container").items():
        monkeypatch.setenv(name, value)
    if profile is not None:
        monkeypatch.setenv("AWS_PROFILE", profile)
    if "boto3" in sys.modules:
        monkeypatch.setattr(sys.modules["boto3"], "DEFAULT_SESSION", None)
