"""`aws_caches`: other tools' caches are read whatever state they are in, and tokens are written as those tools read them."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from unexpire.errors import StoreError
from unexpire.stores import aws_caches

END = datetime(2026, 11, 22, 20, 50, tzinfo=UTC)


def put(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(json.dumps(content))


def role(key: str, end: object = "2026-11-22T20:50:00Z", **more: Any) -> dict[str, Any]:
    return {"Credentials": {"AccessKeyId": key, "Expiration": end, "SecretAccessKey": "s", "SessionToken": "t", **more}}


@pytest.mark.parametrize("end", ["2026-11-22T20:50:00Z", "2026-11-22T20:50:00UTC", "2026-11-22T21:50:00+01:00"])
def test_every_spelling_of_an_end_is_read(tmp_path: Path, end: str) -> None:
    put(tmp_path / ".aws/cli/cache/a.json", role("ASIA1", end, AccountId="123456789012"))
    (found,) = aws_caches.ends(tmp_path)
    assert (found.access_key_id, found.expiration, found.account_id) == ("ASIA1", END, "123456789012")


def test_all_caches_are_looked_through(tmp_path: Path) -> None:
    put(tmp_path / ".aws/cli/cache/a.json", role("ASIACLI"))
    put(tmp_path / ".aws/boto/cache/a.json", role("ASIABOTO"))
    login = {"accessToken": {"accessKeyId": "ASIALOGIN", "expiresAt": "2026-11-22T20:50:00Z"}, "refreshToken": "r"}
    put(tmp_path / ".aws/login/cache/a.json", login)
    put(tmp_path / "elsewhere/a.json", {"accessToken": {**login["accessToken"], "accessKeyId": "ASIAELSE"}})
    assert {found.access_key_id for found in aws_caches.ends(tmp_path)} == {"ASIACLI", "ASIABOTO", "ASIALOGIN"}
    assert "ASIAELSE" in {found.access_key_id for found in aws_caches.ends(tmp_path, tmp_path / "elsewhere")}


RUBBISH: list[object] = [
    b"",
    b"{",
    b'{"Credentials": {"AccessKeyId": "ASIA1", "Expira',
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b"\x00" * 2_000_000,
    [],
    None,
    7,
    {"Credentials": None},
    {"Credentials": ["AccessKeyId"]},
    {"Credentials": {"AccessKeyId": 5, "Expiration": "2026-11-22T20:50:00Z"}},
    role("ASIA1", None),
    role("ASIA1", 1700000000),
    role("ASIA1", "later"),
    {"startUrl": "https://x", "accessToken": "a", "expiresAt": "2026-11-22T20:50:00Z"},
]


@pytest.mark.parametrize("content", RUBBISH, ids=range(len(RUBBISH)))
def test_rubbish_is_passed_over(tmp_path: Path, content: object) -> None:
    for cache in ("cli", "boto", "login"):
        put(tmp_path / f".aws/{cache}/cache/rubbish.json", content)
        put(tmp_path / f".aws/{cache}/cache/not-json.txt", b"x")
        (tmp_path / f".aws/{cache}/cache/folder.json").mkdir()
    put(tmp_path / ".aws/cli/cache/z.json", role("ASIAGOOD"))
    assert [found.access_key_id for found in aws_caches.ends(tmp_path)] == ["ASIAGOOD"]
    put(aws_caches.token_path(tmp_path, "work"), content)
    token = aws_caches.read_sso_token(tmp_path, "work")
    assert token is None or token.access_token == "a"


def test_no_caches_at_all(tmp_path: Path) -> None:
    assert list(aws_caches.ends(tmp_path / "nobody")) == []
    assert aws_caches.read_sso_token(tmp_path, "work") is None


def test_a_token_comes_back_as_it_was_written(tmp_path: Path) -> None:
    token = aws_caches.SsoToken(
        aws_caches.token_path(tmp_path, "work"),
        "access",
        END,
        "https://x/start",
        "eu-west-1",
        "id",
        "secret",
        END,
        "refresh",
    )
    aws_caches.write_sso_token(token)
    assert aws_caches.read_sso_token(tmp_path, "work") == token
    name = hashlib.sha1(b"work", usedforsecurity=False).hexdigest()
    assert token.path == tmp_path / ".aws" / "sso" / "cache" / f"{name}.json"
    assert json.loads(token.path.read_text()) == {
        "startUrl": "https://x/start",
        "region": "eu-west-1",
        "accessToken": "access",
        "expiresAt": "2026-11-22T20:50:00Z",
        "clientId": "id",
        "clientSecret": "secret",
        "registrationExpiresAt": "2026-11-22T20:50:00Z",
        "refreshToken": "refresh",
    }
    if os.name == "posix":
        assert token.path.stat().st_mode & 0o777 == 0o600
        assert token.path.parent.stat().st_mode & 0o777 == 0o700
    for secret in ("access'", "secret", "refresh'"):
        assert secret not in repr(token).replace("client_secret", "")


def test_a_token_of_the_older_kind_has_no_empty_fields(tmp_path: Path) -> None:
    token = aws_caches.SsoToken(aws_caches.token_path(tmp_path, "https://x"), "access", END)
    aws_caches.write_sso_token(token)
    assert set(json.loads(token.path.read_text())) == {"accessToken", "expiresAt"}


def test_a_cache_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / ".aws").write_text("a file where a folder should be")
    with pytest.raises(StoreError):
        aws_caches.write_sso_token(aws_caches.SsoToken(aws_caches.token_path(tmp_path, "x"), "access", END))


def test_names_are_those_that_botocore_makes(tmp_path: Path) -> None:
    from botocore.utils import SSOTokenLoader

    loader = SSOTokenLoader(cache={})
    for session, url in (("work", "https://x"), (None, "https://x")):
        expected = loader._generate_cache_key(url, session)
        assert aws_caches.token_path(tmp_path, session or url).stem == expected
    utils = pytest.importorskip("botocore.utils")
    key = utils.generate_login_cache_key("arn:aws:iam::1:user/x")
    assert aws_caches.login_path(tmp_path, "arn:aws:iam::1:user/x").stem == key
