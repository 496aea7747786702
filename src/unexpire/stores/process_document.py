"""The document that a `credential_process` prints, in the one spelling that every SDK reads.

The format is the AWS SDKs and Tools Reference Guide's "Process credential provider". Narrower than what it allows, because the
parsers are: `Version` is a number, the end is whole seconds and a literal Z, everything stands on one line of ASCII. It stands
among the stores because a cached session lies on the disk in this form, ready to go out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from ..credentials import Credentials, KeyKind, format_timestamp
from ..errors import RefreshFailed
from ..freshness import DEFAULT_POLICY, RefreshPolicy

__all__ = [
    "ASK_AGAIN_AFTER",
    "CHAIN_VARIABLE",
    "LARGEST_DOCUMENT_B",
    "chain_mark",
    "chain_shown",
    "document",
    "fields",
]

CHAIN_VARIABLE = "UNEXPIRE_PROCESS_CHAIN"
"""Which profiles' credential processes run above this one, separated by commas: how a process notices that it calls itself."""


def chain_mark(profile: str, *files: Path) -> str:
    """What stands for a profile in CHAIN_VARIABLE: its name, and of which AWS files, as others may have one of that name."""
    return f"{profile}~{hashlib.sha256(repr([str(file) for file in files]).encode()).hexdigest()[:8]}"


def chain_shown(marks: Sequence[str]) -> str:
    """The way that marks tell, for people: each name once, and the last one in any case."""
    names = [mark.removeprefix("@").rpartition("~")[0] for mark in marks]
    return " → ".join([*dict.fromkeys(names[:-1]), names[-1]])


LARGEST_DOCUMENT_B = 64_000
"""The Java SDK's default `processOutputLimit`; other SDKs set no limit."""

ASK_AGAIN_AFTER = timedelta(minutes=20)
"""When a program is to come back for a session whose end nobody knows: over the 15 minutes below which botocore always asks."""


def document(credentials: Credentials, *, now: datetime, policy: RefreshPolicy = DEFAULT_POLICY) -> str:
    """One line of JSON, with its newline: `fields` as they go out."""
    return _line(fields(credentials, now=now, policy=policy))


def fields(credentials: Credentials, *, now: datetime, policy: RefreshPolicy = DEFAULT_POLICY) -> dict[str, object]:
    """The document: the keys and the end that `policy` advertises for them.

    Long-term keys go without an end. A temporary session whose end is not known is given one in 20 minutes all the same:
    without an Expiration an SDK would never ask again, and would keep the session until AWS refuses it. Raises RefreshFailed
    for a document that the Java SDK would refuse for its length.
    """
    content: dict[str, object] = {
        "Version": 1,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
    }
    if credentials.session_token:
        content["SessionToken"] = credentials.session_token
    end = policy.advertised_end(credentials)
    if end is None and credentials.kind is KeyKind.TEMPORARY:
        end = now + ASK_AGAIN_AFTER
    if end is not None:
        content["Expiration"] = format_timestamp(end)
    if credentials.account_id:
        content["AccountId"] = credentials.account_id
    length = len(_line(content))
    if length > LARGEST_DOCUMENT_B:
        raise RefreshFailed(
            f"the session token is too long for a credential process ({length} bytes with the keys, SDKs read 64,000)",
            retryable=False,
            hint="make the session policy or the session tags shorter",
        )
    return content


def _line(content: dict[str, object]) -> str:
    return json.dumps(content, separators=(",", ":")) + "\n"
