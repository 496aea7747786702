"""credential_process: another program that prints credentials (AWS SDKs and Tools Reference Guide, "Process credential provider")."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from ..credentials import Credentials, parse_timestamp
from ..errors import ConfigurationError, RefreshFailed
from ..settings.environment import Environment
from ..stores.process_document import CHAIN_VARIABLE
from .candidate import Candidate
from .identity import identity_of

__all__ = ["ProcessProvider", "parse_document"]

_TIMEOUT_S = 60.0
"""The Go SDK's, the shortest of those that set any (aws-sdk-go-v2, `processcreds.DefaultTimeout`)."""
_MOST_STDERR = 400
_LARGEST_B = 256 * 1024
"""Java's limit is 64,000 B (aws-sdk-java-v2, `ProcessCredentialsProvider.processOutputLimit`); what is over ours is no credentials."""
_LAST_WORDS_S = 1.0


@dataclass(frozen=True)
class ProcessProvider:
    """Runs the command of a profile as botocore does, without a shell, and believes nothing it prints unseen."""

    environment: Environment
    candidate: Candidate
    timeout_s: float = _TIMEOUT_S

    method = "custom-process"
    renewable = True
    interactive = False

    @property
    def identity(self) -> str:
        command = self.candidate.value("credential_process")
        return identity_of(self.method, self.environment, {"command": command, "profile": self.candidate.profile})

    def describe(self) -> str:
        return self.candidate.description

    def fetch(self) -> Credentials:
        """What the process prints. Findings: process-failed, process-bad-output, process-cycle."""
        if self.candidate.problem is not None:
            raise self.candidate.problem
        printed = self._run(self._words())
        given = parse_document(printed, where=str(self.candidate.origin))
        now = self.environment.now()
        if given.expiration is not None and given.expiration <= now:
            raise RefreshFailed(
                "the credential process gives a session that is over",
                retryable=False,
                where=str(self.candidate.origin),
                finding="process-bad-output",
                hint="run it by hand: it hands out what it kept",
            )
        return given if given.expiration is None else Credentials(
            given.access_key_id, given.secret_access_key, given.session_token, given.expiration,
            issued_at=now.replace(microsecond=0), account_id=given.account_id,
        )  # fmt: skip

    def _words(self) -> list[str]:
        command = self.candidate.value("credential_process") or ""
        try:
            words = shlex.split(command) if sys.platform != "win32" else command.split()
        except ValueError as error:
            raise self._failed("its command has an unbalanced quote") from error
        if not words:
            raise self._failed("its command is empty")
        return words

    def _run(self, words: list[str]) -> bytes:
        above = [name for name in self.environment.variables.get(CHAIN_VARIABLE, "").split(",") if name]
        me = self.candidate.profile or "default"
        if me in above:
            raise ConfigurationError(
                f"the credential process of profile {me} calls itself: {' → '.join((*above, me))}",
                where=str(self.candidate.origin),
                finding="process-cycle",
                hint="let the process read another profile than the one it serves",
            )
        variables = {**self.environment.variables, CHAIN_VARIABLE: ",".join((*above, me))}
        try:
            done = _run(words, variables, self.environment.cwd, self.timeout_s)
        except subprocess.TimeoutExpired as error:
            raise self._failed(f"it did not end within {self.timeout_s:.0f} s", retryable=True) from error
        except (OSError, ValueError) as error:
            reason = (getattr(error, "strerror", None) or "cannot be started").lower()
            raise self._failed(f"{os.path.basename(words[0])}: {reason}") from error
        if len(done.stdout) > _LARGEST_B:
            raise _bad(f"it prints more than {_LARGEST_B // 1024} kB", str(self.candidate.origin))
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace")
            if "calls itself" in said:
                raise ConfigurationError(
                    f"the credential process of profile {me} calls itself",
                    where=str(self.candidate.origin),
                    finding="process-cycle",
                    hint="let the process read another profile than the one it serves",
                )
            raise self._failed(f"it ended with {done.returncode}" + _last_words(said, self._secrets(done.stdout)))
        return done.stdout

    def _failed(self, how: str, *, retryable: bool = False) -> RefreshFailed:
        return RefreshFailed(
            f"the credential process of profile {self.candidate.profile} failed: {how}",
            retryable=retryable,
            where=str(self.candidate.origin),
            finding="process-failed",
            hint=f"run it by hand: the line stands in {self.candidate.origin}",
        )

    def _secrets(self, stdout: bytes) -> tuple[str, ...]:
        """Values that must not be repeated: what the environment holds, and what was printed before it failed."""
        held = [value for name, value in self.environment.variables.items() if "SECRET" in name or "TOKEN" in name]
        try:
            printed = json.loads(stdout)
            held += [v for k, v in printed.items() if isinstance(v, str) and k in ("SecretAccessKey", "SessionToken")]
        except (ValueError, AttributeError):
            pass
        return tuple(value for value in held if len(value) > 7)


def _run(
    words: list[str], variables: Mapping[str, str], cwd: Path, timeout_s: float
) -> subprocess.CompletedProcess[bytes]:
    """As `subprocess.run`, but a program that prints without end is stopped, and one that leaves a child behind is not waited for.

    Raises OSError, ValueError and TimeoutExpired.
    """
    process = subprocess.Popen(
        words, env=dict(variables), cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    printed, said = bytearray(), bytearray()
    readers = [
        threading.Thread(target=_drain, args=(pipe, kept, process), daemon=True)
        for pipe, kept in ((process.stdout, printed), (process.stderr, said))
    ]
    try:
        for reader in readers:
            reader.start()
        process.wait(timeout_s)
    except BaseException:
        process.kill()
        process.wait()
        raise
    for reader in readers:
        # A child of the child may hold the pipes open; what came until its parent's end is all that counts.
        reader.join(_LAST_WORDS_S)
    return subprocess.CompletedProcess(words, process.returncode, bytes(printed), bytes(said))


def _drain(pipe: IO[bytes], kept: bytearray, process: subprocess.Popen[bytes]) -> None:
    with pipe:
        while chunk := os.read(pipe.fileno(), 65536):
            if len(kept) <= _LARGEST_B:
                kept += chunk
            else:
                process.kill()


# What a helper that is verbose prints of what it holds: named values, and runs of characters that only a token or a secret has.
_NAMED_SECRET = re.compile(
    r"""((?:secret|token|password|authorization)[\w.-]*["']?\s*[:=]\s*["']?)([^\s"',]{8,})""", re.IGNORECASE
)
_BARE_SECRET = re.compile(
    r"(?<![\w/+=.-])(?:[A-Za-z0-9/+=_.-]{100,}|(?=\S*[a-z])(?=\S*[A-Z])(?=\S*\d)[A-Za-z0-9/+]{40})(?![\w/+=.-])"
)


def _last_words(said: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        said = said.replace(secret, "***")
    said = _BARE_SECRET.sub("***", _NAMED_SECRET.sub(r"\1***", said))
    line = " / ".join(part.strip() for part in said.strip().splitlines()[-3:])
    return f": {line[-_MOST_STDERR:]}" if line else ""


def parse_document(printed: bytes, *, where: str) -> Credentials:
    """Credentials out of the document; raises RefreshFailed (finding ``process-bad-output``) that names what is wrong, never what it holds."""
    try:
        found = json.loads(printed)
    except (ValueError, RecursionError) as error:
        what = "nothing" if not printed.strip() else f"{len(printed)} bytes that are not JSON"
        raise _bad(f"it prints {what}", where) from error
    if not isinstance(found, dict):
        raise _bad("it prints JSON that is no object", where)
    if found.get("Version") != 1 or isinstance(found.get("Version"), bool):
        raise _bad("Version is not the number 1", where)
    for name in ("AccessKeyId", "SecretAccessKey"):
        if not isinstance(found.get(name), str) or not found[name]:
            raise _bad(f"{name} is missing", where)
    token = found.get("SessionToken")
    if token is not None and not isinstance(token, str):
        raise _bad("SessionToken is not a text", where)
    account = found.get("AccountId")
    return Credentials(
        found["AccessKeyId"],
        found["SecretAccessKey"],
        token or None,
        expiration=_end(found.get("Expiration"), where),
        account_id=account if isinstance(account, str) else None,
    )


def _end(text: object, where: str) -> datetime | None:
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        raise _bad("Expiration is not a text", where)
    try:
        end = parse_timestamp(text)
    except ValueError as error:
        raise _bad("Expiration is not an ISO 8601 time", where) from error
    if not text.strip().upper().endswith(("Z", "UTC")) and "+" not in text and "-" not in text[11:]:
        raise _bad("Expiration has no time zone, which makes botocore fail", where)
    return end


def _bad(how: str, where: str) -> RefreshFailed:
    return RefreshFailed(
        f"the output of the credential process cannot be used: {how}",
        retryable=False,
        where=where,
        finding="process-bad-output",
        hint='it has to print {"Version": 1, "AccessKeyId": …, "SecretAccessKey": …, "SessionToken": …, "Expiration": "…Z"}',
    )
