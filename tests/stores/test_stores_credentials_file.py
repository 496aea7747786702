"""`credentials_file`: one section changes, every other byte stays, and botocore reads what was written."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unexpire.credentials import Credentials
from unexpire.errors import StoreError
from unexpire.stores import atomic, credentials_file
from unexpire.stores.credentials_file import edited, values_of

SESSION = Credentials("ASIANEWNEWNEWNEW1234", "new/secret+key", "new=token==")
KEYS = {
    "aws_access_key_id": SESSION.access_key_id,
    "aws_secret_access_key": SESSION.secret_access_key,
    "aws_session_token": SESSION.session_token or "",
}
OURS = (*KEYS, "aws_security_token")


def as_botocore_reads(content: bytes) -> dict[str, dict[str, str]] | None:
    """The sections as botocore parses them; None where it refuses the file."""
    from botocore.configloader import raw_config_parse
    from botocore.exceptions import ConfigParseError

    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(content)
    try:
        found: dict[str, dict[str, str]] = raw_config_parse(file.name, parse_subsections=False)
        return found
    except ConfigParseError:
        return None
    finally:
        Path(file.name).unlink()


# --- files as people and tools write them

names = st.sampled_from(["default", "prod", "dev", "profile prod", "sso-session x"])
indents = st.sampled_from(["", "", "", " ", "  ", "\t", "    "])
keys = st.sampled_from(
    [*OURS, "AWS_Access_Key_Id", "region", "role_arn", "s3", "max_concurrent_requests", "aws_session_token"]
)
values = st.sampled_from(["", "x", "a = b", "AKIAIOSFODNN7EXAMPLE", "with ; no comment", "é", "[odd]", "#5"])
delimiters = st.sampled_from([" = ", "=", " =", ": ", "  =   "])
headers = st.builds(lambda i, n, tail: f"{i}[{n}]{tail}", indents, names, st.sampled_from(["", " ", " ; see wiki"]))
options = st.builds(lambda i, k, d, v: f"{i}{k}{d}{v}", indents, keys, delimiters, values)
others = st.sampled_from(
    ["", "", "  ", "# a comment", "  ; another", "\t# aws_session_token = commented", "no delimiter here"]
)
line_ends = st.sampled_from(["\n", "\n", "\r\n", "\r"])


wild = st.lists(st.one_of(headers, options, options, options, others), max_size=14)


@st.composite
def orderly(draw: st.DrawFn) -> list[str]:
    """Lines that mostly parse: sections by different names, keys once in each, whatever may stand between them."""
    lines = draw(st.lists(st.sampled_from(["", "# top"]), max_size=2))
    for name in draw(st.lists(names, max_size=3, unique=True)):
        lines.append(f"[{name}]")
        for key in draw(st.lists(keys, max_size=5, unique_by=str.lower)):
            lines.append(f"{draw(indents)}{key}{draw(delimiters)}{draw(values)}")
            if draw(st.integers(0, 3)) == 0:
                lines.append(draw(st.sampled_from(["", "  ", "# a comment", "  ; another", "    folded = on"])))
    return lines


@st.composite
def files(draw: st.DrawFn) -> bytes:
    lines = draw(st.one_of(wild, orderly(), orderly(), orderly()))
    end = draw(line_ends)
    text = end.join(lines) + (end if draw(st.booleans()) else "")
    bom = "\ufeff" if draw(st.integers(0, 9)) == 0 else ""
    junk = b"\n\xff\xfe\n" if draw(st.integers(0, 9)) == 0 else b""
    return bom.encode() + text.encode() + junk


def is_subsequence(part: list[bytes], whole: list[bytes]) -> bool:
    rest = iter(whole)
    return all(any(line == other for other in rest) for line in part)


def foreign_lines(content: bytes) -> list[bytes]:
    """Lines that mention none of our keys: whatever else happens, they have to be there afterwards, in order."""
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return [line for line in lines if line.strip() and not any(key.encode() in line.lower() for key in OURS)]


@settings(max_examples=600, deadline=None)
@given(files(), st.sampled_from(["default", "prod", "new-one"]))
def test_botocore_reads_the_new_values_and_everything_else_as_before(content: bytes, section: str) -> None:
    before = as_botocore_reads(content)
    new = edited(content, section, KEYS, remove=["aws_security_token"])
    after = as_botocore_reads(new)
    assert values_of(new, section).items() >= KEYS.items()
    if before is not None:
        assert edited(new, section, KEYS, remove=["aws_security_token"]) == new
        expected = {name: dict(held) for name, held in before.items()}
        mine = expected.setdefault(section, {})
        mine.pop("aws_security_token", None)
        mine.update(KEYS)
        assert after == expected


def test_the_property_above_meets_files_that_botocore_reads() -> None:
    """A generator whose files botocore always refused would prove nothing."""
    seen = []

    @settings(max_examples=200, deadline=None, database=None, derandomize=True)
    @given(files())
    def look(content: bytes) -> None:
        found = as_botocore_reads(content)
        seen.append(found is not None and any(held for held in found.values()))

    look()
    assert sum(seen) > 40


@settings(max_examples=400, deadline=None)
@given(files(), st.sampled_from(["default", "prod"]), st.sets(st.sampled_from(OURS), min_size=1))
def test_keys_that_go_are_gone_and_everything_else_is_as_before(content: bytes, section: str, gone: set[str]) -> None:
    before = as_botocore_reads(content)
    new = edited(content, section, {}, remove=gone)
    assert not gone & values_of(new, section).keys()
    if before is not None:
        expected = {
            name: {k: v for k, v in held.items() if name != section or k not in gone} for name, held in before.items()
        }
        assert as_botocore_reads(new) == expected
    if not gone & values_of(content, section).keys():
        assert new == content


@settings(max_examples=400, deadline=None)
@given(files(), st.sampled_from(["default", "prod", "new-one"]))
def test_every_other_byte_survives(content: bytes, section: str) -> None:
    new = edited(content, section, KEYS, remove=["aws_security_token"])
    # Continuation lines of a value of ours go with the value; everything that belongs to nobody or to another stays.
    kept = [line for line in foreign_lines(content) if not line[:1].isspace()]
    assert is_subsequence(kept, foreign_lines(new))
    if content.startswith("\ufeff".encode()):
        assert new.startswith("\ufeff".encode())
    if b"\xff\xfe" in content:
        assert b"\xff\xfe" in new


@settings(max_examples=200, deadline=None)
@given(files())
def test_removing_nothing_changes_nothing(content: bytes) -> None:
    assert edited(content, "prod", {}, remove=[]) == content


FILE = """\
# my keys; do not touch
[default]
aws_access_key_id=AKIAIOSFODNN7EXAMPLE
aws_secret_access_key=long-term

[prod]   ; the hot one
  Aws_Access_Key_Id   =  ASIAOLD
  region = eu-west-1
  # renewed by hand, sigh
  aws_secret_access_key: old
  aws_security_token = older
  aws_session_token =
    old
    and folded
[last]
x = 1"""

EDITED = """\
# my keys; do not touch
[default]
aws_access_key_id=AKIAIOSFODNN7EXAMPLE
aws_secret_access_key=long-term

[prod]   ; the hot one
  Aws_Access_Key_Id   =  ASIANEWNEWNEWNEW1234
  region = eu-west-1
  # renewed by hand, sigh
  aws_secret_access_key: new/secret+key
  aws_session_token =new=token==
[last]
x = 1"""


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_a_file_with_everything_in_it(newline: str, start: str) -> None:
    content = (start + FILE.replace("\n", newline)).encode()
    expected = (start + EDITED.replace("\n", newline)).encode()
    assert edited(content, "prod", KEYS, remove=["aws_security_token"]) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", b"[prod]\nk = v\n"),
        (b"[a]\nx = 1", b"[a]\nx = 1\n\n[prod]\nk = v\n"),
        (b"[a]\r\nx = 1\r\n", b"[a]\r\nx = 1\r\n\r\n[prod]\r\nk = v\r\n"),
        (b"[prod]", b"[prod]\nk = v"),
        (b"[prod]\n# all of it\n", b"[prod]\nk = v\n# all of it\n"),
        (b"[prod]\n  x = 1\n\n# next\n[b]\n", b"[prod]\n  x = 1\n  k = v\n\n# next\n[b]\n"),
        (b"[prod]\n  [b]\n  y = 2\n", b"[prod]\n  k = v\n  [b]\n  y = 2\n"),
        (b"[prod]\nk = 1\nk = 2\n", b"[prod]\nk = v\n"),
        (b"[prod]\nk = 1\n[b]\n[prod]\nK: 2\nz = 3\n", b"[prod]\nk = v\n[b]\n[prod]\nz = 3\n"),
        (b"[prod]\nx =\n  k = nested\n", b"[prod]\nx =\n  k = nested\nk = v\n"),
        (b"[ prod ]\nk = 1\n", b"[ prod ]\nk = 1\n\n[prod]\nk = v\n"),
        (b"k = before any section\n[prod]\n", b"k = before any section\n[prod]\nk = v\n"),
        (b"[prod]\nk =\n", b"[prod]\nk =v\n"),
    ],
)
def test_where_a_key_goes(content: bytes, expected: bytes) -> None:
    assert edited(content, "prod", {"k": "v"}) == expected


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("", {"k": "v"}),
        ("a]\n[b", {"k": "v"}),
        (" a", {"k": "v"}),
        ("a", {"k": "two\nlines"}),
        ("a", {"k": ""}),
        ("a", {"k": " v"}),
        ("a", {"k = 1\nx": "v"}),
        ("a", {"K": "v"}),
    ],
)
def test_what_cannot_stand_on_a_line_is_refused(section: str, change: Mapping[str, str]) -> None:
    with pytest.raises(ValueError, match=r"not a name|cannot stand"):
        edited(b"[a]\n", section, change)


# --- sessions in files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "credentials"


def test_a_session_replaces_the_old_one_with_one_backup(path: Path) -> None:
    path.write_text(FILE)
    assert credentials_file.write_session(path, "prod", SESSION) is True
    assert path.read_text() == EDITED
    assert path.with_name(path.name + atomic.BACKUP_SUFFIX).read_text() == FILE
    before = path.stat().st_mtime_ns
    assert credentials_file.write_session(path, "prod", SESSION) is False
    assert path.stat().st_mtime_ns == before


def test_a_session_in_no_file_makes_one(path: Path) -> None:
    assert credentials_file.write_session(path, "prod", SESSION) is True
    assert as_botocore_reads(path.read_bytes()) == {"prod": KEYS}


@pytest.mark.parametrize(
    "held", ["aws_access_key_id = AKIAIOSFODNN7EXAMPLE", "aws_access_key_id = minio\naws_secret_access_key = x"]
)
def test_long_term_keys_are_overwritten_only_with_consent(path: Path, held: str) -> None:
    text = f"[prod]\n{held}\n"
    path.write_text(text)
    with pytest.raises(StoreError, match="long-term key") as caught:
        credentials_file.write_session(path, "prod", SESSION)
    assert caught.value.hint
    assert path.read_text() == text
    credentials_file.write_session(path, "prod", SESSION, replace_long_term=True)
    assert values_of(path.read_bytes(), "prod") == KEYS


@pytest.mark.parametrize(
    "keys",
    [
        Credentials("AKIAIOSFODNN7EXAMPLE", "long"),
        Credentials("AKIAIOSFODNN7EXAMPLE", "long", "odd"),
        Credentials("ASIA1", "no token"),
    ],
)
def test_long_term_keys_are_never_written(path: Path, keys: Credentials) -> None:
    with pytest.raises(StoreError, match="never copied"):
        credentials_file.write_session(path, "prod", keys, replace_long_term=True)
    assert not path.exists()


def test_both_spellings_of_the_token_go(path: Path) -> None:
    path.write_text("[a]\naws_security_token=1\nx=1\naws_session_token=2\n[b]\naws_session_token=3\n")
    assert credentials_file.remove_token(path, "a") is True
    assert path.read_text() == "[a]\nx=1\n[b]\naws_session_token=3\n"
    assert credentials_file.remove_token(path, "a") is False


def test_no_message_holds_a_secret(path: Path) -> None:
    path.write_text("[prod]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = hush\n")
    for secret, act in itertools.product(
        ("hush", SESSION.secret_access_key, SESSION.session_token or ""),
        (
            lambda: credentials_file.write_session(path, "prod", SESSION),
            lambda: credentials_file.edit(path, "prod", {"k": SESSION.secret_access_key + "\n"}),
        ),
    ):
        with pytest.raises((StoreError, ValueError)) as caught:
            act()
        assert secret not in str(caught.value) + repr(caught.value) + str(getattr(caught.value, "hint", ""))


def test_an_enormous_file_is_left_alone(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(64_000_000)
    with pytest.raises(StoreError, match="larger"):
        credentials_file.write_session(path, "prod", SESSION)
    assert path.stat().st_size == 64_000_000


def test_a_folder_in_its_place_is_a_store_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreError):
        credentials_file.write_session(path, "prod", SESSION)
