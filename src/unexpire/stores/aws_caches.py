"""What other AWS tools keep below ``~/.aws``: role sessions, SSO tokens, `aws login` sessions. Read tolerantly; only tokens are written.

Layouts: awscli/customizations and botocore/utils.py (`JSONFileCache`), botocore/tokens.py (`SSOTokenProvider`), botocore/credentials.py
(`LoginProvider`). The AWS CLI v2 truncates in place, so a file that is half there is taken for absent and read again the next time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ..credentials import format_timestamp, names_zone, parse_timestamp
from . import atomic

__all__ = [
    "CachedEnd",
    "SsoToken",
    "ends",
    "login_path",
    "read_document",
    "read_sso_token",
    "role_cache_key",
    "sso_cache_key",
    "token_path",
    "write_document",
    "write_sso_token",
]

_LARGEST_B = 1024 * 1024
_MOST_FILES = 5000


@dataclass(frozen=True, slots=True)
class CachedEnd:
    """The end of a session that a cache holds, and the file that says so."""

    access_key_id: str
    expiration: datetime
    path: Path
    account_id: str | None = None


def ends(home: Path, login_folder: Path | None = None) -> Iterator[CachedEnd]:
    """Every session with an end in the caches of the AWS CLI, of `aws login` and of boto's `JSONFileCache`. Never raises."""
    for folder in (home / ".aws/cli/cache", home / ".aws/boto/cache"):
        for path, content in _documents(folder):
            found = _end_in(content.get("Credentials"), path, "AccessKeyId", "Expiration", "AccountId")
            if found is not None:
                yield found
    for path, content in _documents(login_folder or home / ".aws/login/cache"):
        found = _end_in(content.get("accessToken"), path, "accessKeyId", "expiresAt", "accountId")
        if found is not None:
            yield found


def _end_in(held: Any, path: Path, key: str, end: str, account: str) -> CachedEnd | None:
    if not isinstance(held, dict) or not isinstance(held.get(key), str) or not isinstance(held.get(end), str):
        return None
    try:
        expiration = parse_timestamp(held[end])
    except ValueError:
        return None
    return CachedEnd(held[key], expiration, path, held.get(account) if isinstance(held.get(account), str) else None)


def _documents(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    try:
        paths = sorted(folder.glob("*.json"))[:_MOST_FILES]
    except OSError:
        return
    for path in paths:
        content = read_document(path)
        if content is not None:
            yield path, content


def read_document(path: Path) -> dict[str, Any] | None:
    """The JSON object that a file holds; None for a file that is missing, unreadable, half-written, enormous or something else."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_B + 1)
        content = json.loads(raw) if len(raw) <= _LARGEST_B else None
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def role_cache_key(arguments: Mapping[str, Any]) -> str:
    """The name under which the AWS CLI keeps an AssumeRole with these arguments (botocore/credentials.py, `_create_cache_key`).

    `arguments` are those of the call, without the session name where it was made up. The source profile is not among them.
    """
    text = json.dumps(dict(arguments), sort_keys=True)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def sso_cache_key(account_id: str, role_name: str, *, session: str | None, start_url: str | None) -> str:
    """The name under which the AWS CLI keeps a role's credentials from SSO (botocore/credentials.py, `SSOCredentialFetcher`)."""
    held = {"accountId": account_id, "roleName": role_name}
    if session is not None:
        held["sessionName"] = session
    else:
        held["startUrl"] = start_url or ""
    text = json.dumps(held, sort_keys=True, separators=(",", ":"))
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class SsoToken:
    """A login to IAM Identity Center as AWS's tools keep it. Times are aware UTC."""

    path: Path
    access_token: str = field(repr=False)
    expires_at: datetime
    start_url: str | None = None
    region: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    registration_expires_at: datetime | None = None
    refresh_token: str | None = field(default=None, repr=False)


def token_path(home: Path, session_or_start_url: str) -> Path:
    """The file of a token: named after the sso-session, in the older configuration after the portal's URL."""
    name = hashlib.sha1(session_or_start_url.encode(), usedforsecurity=False).hexdigest()
    return home / ".aws/sso/cache" / f"{name}.json"


def read_sso_token(home: Path, session_or_start_url: str) -> SsoToken | None:
    """The token that is kept, whatever is left of its life; None where there is none, or no whole one.

    The end of an sso-session's token names its zone, or the token is none: SDKs compare it with now and fail
    (botocore/tokens.py, `SSOTokenProvider`). They do not look at the end of a token that is kept by its start URL.
    """
    path = token_path(home, session_or_start_url)
    content = read_document(path)
    if content is None or not isinstance(content.get("accessToken"), str):
        return None
    end = str(content.get("expiresAt", ""))
    try:
        expires_at = parse_timestamp(end)
    except ValueError:
        return None
    if "://" not in session_or_start_url and not names_zone(end):
        return None
    try:
        registered = parse_timestamp(str(content.get("registrationExpiresAt", "")))
    except ValueError:
        registered = None
    text = {key: value for key, value in content.items() if isinstance(value, str)}
    return SsoToken(
        path,
        text["accessToken"],
        expires_at,
        start_url=text.get("startUrl"),
        region=text.get("region"),
        client_id=text.get("clientId"),
        client_secret=text.get("clientSecret"),
        registration_expires_at=registered,
        refresh_token=text.get("refreshToken"),
    )


def write_sso_token(token: SsoToken) -> None:
    """Keep a token where every SDK reads it, in the AWS CLI's form, 0600. Raises StoreError."""
    held: dict[str, str | None] = {
        "startUrl": token.start_url,
        "region": token.region,
        "accessToken": token.access_token,
        "expiresAt": format_timestamp(token.expires_at),
        "clientId": token.client_id,
        "clientSecret": token.client_secret,
        "registrationExpiresAt": format_timestamp(token.registration_expires_at)
        if token.registration_expires_at
        else None,
        "refreshToken": token.refresh_token,
    }
    write_document(token.path, {key: value for key, value in held.items() if value is not None})


def write_document(path: Path, content: Mapping[str, Any]) -> None:
    """Keep a JSON object in a cache, whole, 0600. Raises StoreError."""
    atomic.replace(path, json.dumps(dict(content)), mode=0o600)


def login_path(folder: Path, session: str) -> Path:
    """The file of an `aws login` session (botocore/utils.py, `generate_login_cache_key`)."""
    return folder / f"{hashlib.sha256(session.encode()).hexdigest()}.json"
