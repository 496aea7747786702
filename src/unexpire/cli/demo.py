"""``make demo``: an expired session dies, is diagnosed, is fixed, and then never expires again. Told in the terminal, checked by the lab."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..lab import Lab

__all__ = ["demo"]

LIFETIME = timedelta(seconds=6)
LIFETIMES = 5.5
BUCKET = "nightly-copy"

_JOB = '''\
"""Copies small files to S3, one every 0.2 s, for the seconds given: an ordinary boto3 program that knows nothing of unexpire."""
import sys, time
import boto3

s3 = boto3.client("s3")
end = time.monotonic() + float(sys.argv[1])
copied = 0
while time.monotonic() < end:
    s3.put_object(Bucket="nightly-copy", Key=f"part-{copied}", Body=b"x" * 1000)
    copied += 1
    print(f"copied part {copied}", flush=True)
    time.sleep(0.2)
'''


class Surprise(Exception):
    """The demo did not show what it says."""


def demo() -> int:
    """Run the story; 0 when everything happened as told."""
    began = time.monotonic()
    try:
        with _stage() as stage:
            _tell(stage)
    except Surprise as surprise:
        click.echo(click.style(f"✗ this is not as it should be: {surprise}", fg="red"), err=True)
        return 1
    click.echo(f"\nThe demo took {time.monotonic() - began:.0f} seconds.")
    return 0


class _Stage:
    """The lab, its home, and the commands that are shown."""

    def __init__(self, lab: Lab, home: Path) -> None:
        self.lab = lab
        self.home = home
        self.job = home / "copy_job.py"
        self.job.write_text(_JOB)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "UNEXPIRE_"))}
        self.variables = kept | lab.environment(home) | {"UNEXPIRE_CACHE_DIR": str(home / ".cache" / "unexpire")}
        if sys.stdout.isatty():
            self.variables["FORCE_COLOR"] = "1"

    def say(self, text: str) -> None:
        click.echo("\n" + click.style(text, bold=True))

    def command(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        """Show a command as it would be typed, and start it."""
        typed = [Path(words[0]).name if words[0] == sys.executable else words[0], *words[1:]]
        shown = " ".join([*(f"{name}={value}" for name, value in variables.items()), *typed]).replace(
            f"{self.home}/", ""
        )
        click.echo(click.style(f"$ {shown}", fg="cyan"))
        program = [sys.executable, "-m", *words] if words[0] == "unexpire" else list(words)
        return subprocess.Popen(
            program,
            env=self.variables | variables,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )

    def shown(self, *words: str, **variables: str) -> tuple[int, str]:
        """Run a command and print what it prints."""
        with self.command(*words, **variables) as running:
            assert running.stdout is not None
            output = running.stdout.read()
        click.echo("  " + output.rstrip().replace("\n", "\n  "))
        return running.returncode, re.sub(r"\x1b\[[0-9;]*m", "", output)


@contextmanager
def _stage() -> Iterator[_Stage]:
    from ..lab import Lab

    with (
        tempfile.TemporaryDirectory(prefix="unexpire-demo-", ignore_cleanup_errors=True) as folder,
        Lab(LIFETIME) as lab,
    ):
        home = Path(folder)
        lab.make_home(home)
        stage = _Stage(lab, home)
        with stage_bucket(stage):
            yield stage


@contextmanager
def stage_bucket(stage: _Stage) -> Iterator[None]:
    """The bucket that the job copies into. The first call also loads the lab's S3, so that no step of the story waits for it."""
    import boto3

    keys = stage.lab.user_credentials
    s3 = boto3.client(
        "s3",
        endpoint_url=stage.lab.url,
        region_name="us-east-1",
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
    )
    s3.create_bucket(Bucket=BUCKET)
    yield


def _tell(stage: _Stage) -> None:
    lab = stage.lab
    seconds = LIFETIME.total_seconds()
    click.echo(
        f"An AWS runs on this machine, at {lab.url}. Its sessions last {seconds:.0f} seconds instead of an hour."
    )

    stage.say("1. Somebody copied a session of role Deploy into profile nightly, and started a job on it.")
    _expect(stage.shown("unexpire", "sync", "role", "--to", "nightly")[0] == 0, "the copy was not written")
    code, output = _job(stage, seconds * 1.6, "AWS_PROFILE=nightly")
    _expect(code != 0 and "ExpiredToken" in output, "the job should have died of ExpiredToken")

    stage.say("2. Why?")
    code, output = stage.shown("unexpire", "diagnose", "--profile", "nightly")
    _expect(code == 3 and "static copy" in output, "diagnose should have named the static copy")

    stage.say("3. Make it work again.")
    code, output = stage.shown("unexpire", "fix", "--profile", "nightly", "--yes")
    _expect(code == 0 and "works until" in output, "fix should have ended green")

    lives = seconds * LIFETIMES
    stage.say(f"4. And never again: the same job for {lives:.0f} seconds, {LIFETIMES} lifetimes of a session.")
    lab.reset_counts()
    code, output = _job(stage, lives, "run")
    _expect(code == 0, f"the job failed with {code}")
    _count(lab, output)


def _count(lab: Lab, output: str) -> None:
    copied, expired = output.count("copied part"), lab.count(outcome="expired")
    failed = sum(1 for entry in lab.requests(service="s3") if entry.outcome != "ok")
    renewals = lab.count("sts", "AssumeRole", outcome="ok")
    _expect(copied >= 20, f"only {copied} parts were copied")
    _expect(expired == 0 and failed == 0, f"{expired} expired and {failed} failed requests")
    _expect(renewals >= 5, f"only {renewals} renewals: that is not five lifetimes")
    click.echo(
        click.style(
            f"✓ {copied} parts copied, 0 failed. The lab counted {renewals} renewals and {expired} expired requests.",
            fg="green",
            bold=True,
        )
    )


def _job(stage: _Stage, seconds: float, how: str) -> tuple[int, str]:
    """Run the job with a progress bar; its exit code and output."""
    from rich.progress import BarColumn, Progress, TextColumn

    words = [sys.executable, "copy_job.py", f"{seconds:.0f}"]
    if how == "run":
        running = stage.command("unexpire", "run", "--profile", "role", "--", *words)
    else:
        running = stage.command(*words, AWS_PROFILE=how.partition("=")[2])
    lines: list[str] = []
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(bar_width=40),
        TextColumn("{task.fields[copied]} parts copied"),
    )
    began = time.monotonic()
    with running, Progress(*columns, transient=False) as progress:
        task = progress.add_task("copying", total=seconds, copied=0)
        assert running.stdout is not None
        for line in running.stdout:
            lines.append(line)
            done = sum(1 for each in lines if each.startswith("copied"))
            progress.update(task, completed=min(time.monotonic() - began, seconds), copied=done)
        if running.wait() == 0:
            progress.update(task, completed=seconds)
    if running.returncode != 0:
        click.echo(click.style("  " + lines[-1].strip() if lines else "  (no output)", fg="red"))
    return running.returncode, "".join(lines)


def _expect(true: bool, otherwise: str) -> None:
    if not true:
        raise Surprise(otherwise)
