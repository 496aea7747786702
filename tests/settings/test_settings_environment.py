"""The snapshot: variables, home, paths, and the look at another process."""

from __future__ import annotations

import os
import posixpath
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unexpire.errors import ConfigurationError
from unexpire.settings.environment import Environment

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX paths")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")


def test_it_is_frozen(tmp_path: Path) -> None:
    variables = {"HOME": str(tmp_path), "AWS_PROFILE": "dev"}
    environment = Environment.of(variables)
    variables["AWS_PROFILE"] = "prod"
    assert environment.profile_name.value == "dev"
    (tmp_path / "x").write_text("one")
    assert environment.read_bytes(tmp_path / "x") == b"one"
    (tmp_path / "x").write_text("two")
    assert environment.read_bytes(tmp_path / "x") == b"one"
    before = environment.settings()
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\n")
    assert environment.settings() is before
    assert before.profiles == {}


def test_the_clock_is_the_given_one() -> None:
    moment = datetime(2026, 11, 22, 20, 55, tzinfo=UTC)
    assert Environment.current(clock=lambda: moment).now() == moment


@pytest.mark.parametrize("default", [None, "", "a", "b"])
@pytest.mark.parametrize("plain", [None, "", "a", "b"])
def test_the_profile_name_is_botocores(default: str | None, plain: str | None) -> None:
    variables = {
        name: value for name, value in (("AWS_DEFAULT_PROFILE", default), ("AWS_PROFILE", plain)) if value is not None
    }
    with mock.patch.dict(os.environ, variables, clear=True):
        theirs = botocore.session.Session(include_builtin_handlers=False).get_config_variable("profile")
    ours = Environment.of({"HOME": "/h", **variables}).profile_name
    assert ours.value == ("default" if theirs is None else theirs)
    assert (ours.origin.variable is None) == (theirs is None)


_PATHS = st.lists(
    st.sampled_from(
        ["~", "/", "$A", "${A}", "${HOME}", "$", "{", "}", "$NOPE", "x", ".", " ", "%A%", "~root", "~nobody-such"]
    ),
    max_size=5,
).map("".join)


@posix
@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(_PATHS, st.sampled_from(["/home/me", "/", "", "/h/"]))
def test_paths_are_expanded_as_botocore_expands_them(path: str, home: str) -> None:
    variables = {"HOME": home, "A": "/a$HOME"}
    with mock.patch.dict(os.environ, variables, clear=True):
        theirs = posixpath.expanduser(posixpath.expandvars(path))
    assert Environment.of(variables, cwd=Path("/cwd")).expand(path) == Path("/cwd") / theirs


@posix
def test_without_home_the_password_database_says() -> None:
    import pwd

    assert Environment.of({}).home == Path(pwd.getpwuid(os.getuid()).pw_dir)


@posix
def test_without_any_home_nothing_is_found_and_nothing_fails(tmp_path: Path) -> None:
    environment = Environment.of({}, cwd=tmp_path, uid=2**31 - 7)
    assert environment.home is None
    assert environment.config_path == tmp_path / "~/.aws/config"
    assert environment.settings().profiles == {}


def test_where_the_files_are(tmp_path: Path) -> None:
    environment = Environment.of(
        {"HOME": str(tmp_path), "AWS_CONFIG_FILE": "sub/c", "AWS_SHARED_CREDENTIALS_FILE": "$HOME/k"}, cwd=tmp_path
    )
    assert environment.config_path == tmp_path / "sub" / "c"
    assert environment.credentials_path == tmp_path / "k"
    plain = Environment.of({"HOME": str(tmp_path)})
    assert plain.config_path == tmp_path / ".aws" / "config"
    assert plain.credentials_path == tmp_path / ".aws" / "credentials"


def test_an_empty_file_variable_means_no_file(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[profile dev]\nregion = x\n")
    settings = Environment.of({"HOME": str(tmp_path), "AWS_CONFIG_FILE": ""}).settings()
    assert settings.profiles == {}
    assert [(str(problem.origin), problem.fatal, problem.hint) for problem in settings.problems] == [
        ("AWS_CONFIG_FILE", False, "unset AWS_CONFIG_FILE")
    ]


def test_a_folder_that_is_gone_is_no_trouble(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys; p = pathlib.Path(sys.argv[1]); p.mkdir(); os.chdir(p); p.rmdir()\n"
        "from unexpire.settings.environment import Environment as E\nprint(E.current().settings().problems)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "gone")], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "()\n")


# Another process


@contextmanager
def _sleeper(**options: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"], **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@linux
def test_another_process_is_seen_with_its_own_variables_home_and_folder(tmp_path: Path) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    (home / ".aws").mkdir(parents=True)
    here.mkdir()
    (home / ".aws" / "credentials").write_text("[dev]\naws_access_key_id = AKIA\n")
    (here / "config").write_text("[profile dev]\nregion = there\n")
    variables = {"PATH": os.environ["PATH"], "HOME": str(home), "AWS_CONFIG_FILE": "config", "AWS_PROFILE": "dev"}
    with _sleeper(env=variables, cwd=here) as process:
        environment = Environment.of_process(process.pid)
    assert environment.pid == process.pid
    assert dict(environment.variables) == variables
    assert (environment.home, environment.cwd) == (home, here)
    profile = environment.settings().profile(environment.profile_name.value)
    region = profile.get("region")
    assert region is not None
    assert (region.value, str(region.origin)) == ("there", f"{here}/config:2")
    assert str(profile.where_is("aws_access_key_id")) == "~/.aws/credentials:2"


@linux
def test_a_process_that_is_not_there() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    with pytest.raises(ConfigurationError, match=f"there is no process {process.pid}") as caught:
        Environment.of_process(process.pid)
    assert caught.value.where == f"--pid {process.pid}"
    assert caught.value.hint == "ps -u $USER"


@linux
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root starts another user's process")
def test_another_users_process_is_refused() -> None:
    with _sleeper(user=65534) as process, pytest.raises(ConfigurationError, match="belongs to another user") as caught:
        Environment.of_process(process.pid)
    assert str(caught.value.hint).startswith("sudo -u ")


@linux
def test_a_process_that_has_ended_and_is_not_yet_buried() -> None:
    process = subprocess.Popen(["true"])
    try:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(ConfigurationError):
            Environment.of_process(process.pid)
    finally:
        process.wait()


def test_only_linux_shows_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ConfigurationError, match="on Linux only"):
        Environment.of_process(1)


def test_reading_settings_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom unexpire.settings.environment import Environment\nfrom unexpire.providers.chain import predict\n"
        "predict(Environment.current())\n"
        "print([m for m in ('botocore', 'click', 'rich', 'dateutil', 'asyncio', 'http.server') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
