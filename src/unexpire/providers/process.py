"""credential_process: another program that prints credentials (AWS SDKs and Tools Reference Guide, "Process credential provider")."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime

from ..credentials import Credentials, format_timestamp, without_user
from ..errors import ConfigurationError, RefreshFailed
from ..settings.environment import Environment
from ..stores.process_document import CHAIN_VARIABLE, chain_mark, chain_shown
from . import process_tree
from .candidate import Candidate
from .identity import identity_of
from .timestamps import NoZone, zoned_timestamp

__all__ = ["TIMEOUT_VARIABLE", "ProcessProvider", "parse_document"]

_TIMEOUT_S = 60.0
"""The Go SDK's, the shortest of those that set any (aws-sdk-go-v2, `processcreds.DefaultTimeout`)."""
TIMEOUT_VARIABLE = "UNEXPIRE_PROCESS_TIMEOUT"
"""Seconds that a credential process is given; without it `_TIMEOUT_S`."""
_MOST_STDERR = 400
_LARGEST_B = 256 * 1024
"""Java's limit is 64,000 B (aws-sdk-java-v2, `ProcessCredentialsProvider.processOutputLimit`); what is over ours is no credentials."""


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
            over = RefreshFailed(
                f"the credential process gives a session that is over since {format_timestamp(given.expiration)}",
                retryable=False,
                where=str(self.candidate.origin),
                finding="process-bad-output",
                hint="run it by hand: it hands out what it kept",
            )
            over.session_over = True  # type: ignore[attr-defined]
            raise over
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
        mark = chain_mark(me, self.environment.config_path, self.environment.credentials_path)
        if mark in above:
            raise self._cycle(f"the credential process of profile {me} calls itself: {chain_shown((*above, mark))}")
        variables = {**self.environment.variables, CHAIN_VARIABLE: ",".join((*above, mark))}
        patience = self._patience()
        try:
            done = process_tree.run(words, variables, self.environment.cwd, patience, most_b=_LARGEST_B)
        except process_tree.StartsItself as error:
            raise self._cycle(f"the credential process of profile {me} starts itself again and again") from error
        except subprocess.TimeoutExpired as error:
            raise self._failed(f"it did not end within {patience:g} s", retryable=True) from error
        except (OSError, ValueError) as error:
            reason = (getattr(error, "strerror", None) or "cannot be started").lower()
            raise self._failed(f"{os.path.basename(words[0])}: {reason}") from error
        if len(done.stdout) > _LARGEST_B:
            raise _bad(f"it prints more than {_LARGEST_B // 1024} kB", str(self.candidate.origin))
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "replace")
            if "calls itself" in said:
                raise self._cycle(f"the credential process of profile {me} calls itself")
            raise self._failed(f"it ended with {done.returncode}" + _last_words(said, self._secrets(done.stdout)))
        return done.stdout

    def _patience(self) -> float:
        try:
            named = float(self.environment.variables.get(TIMEOUT_VARIABLE, ""))
        except ValueError:
            return self.timeout_s
        return named if 0 < named < 3600 else self.timeout_s

    def _cycle(self, message: str) -> ConfigurationError:
        hint = "let the process read another profile than the one it serves"
        return ConfigurationError(message, where=str(self.candidate.origin), finding="process-cycle", hint=hint)

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
    said = _BARE_SECRET.sub("***", _NAMED_SECRET.sub(r"\1***", without_user(said)))
    line = " / ".join(part.strip() for part in said.strip().splitlines()[-3:])
    return f": {line[-_MOST_STDERR:]}" if line else ""


def parse_document(printed: bytes, *, where: str) -> Credentials:
    """Credentials out of the document; raises RefreshFailed (finding ``process-bad-output``) that names what is wrong, never what it holds."""
    try:
        found = json.loads(
            printed.decode("utf-8")
        )  # given bytes it would take UTF-16 and byte order marks, which SDKs do not
    except (ValueError, RecursionError) as error:
        what = "nothing" if not printed.strip() else f"{len(printed)} bytes that are not JSON in UTF-8"
        if printed.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
            what = "a byte order mark, or UTF-16, where SDKs want plain UTF-8"
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
    """The end, in any form that botocore takes, which is any that dateutil takes, but with a zone."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise _bad("Expiration is not a text", where)
    if not text.strip():
        raise _bad("Expiration is empty, which makes SDKs fail: leave it out where there is no end", where)
    try:
        return zoned_timestamp(text)
    except NoZone as error:
        raise _bad("Expiration has no time zone, which makes botocore fail", where) from error
    except (ValueError, OverflowError) as error:
        raise _bad("Expiration is not a time", where) from error


def _bad(how: str, where: str) -> RefreshFailed:
    return RefreshFailed(
        f"the output of the credential process cannot be used: {how}",
        retryable=False,
        where=where,
        finding="process-bad-output",
        hint='it has to print {"Version": 1, "AccessKeyId": …, "SecretAccessKey": …, "SessionToken": …, "Expiration": "…Z"}',
    )
