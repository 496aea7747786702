"""Edits one section of an AWS file (`~/.aws/credentials`, `~/.aws/config`) and keeps every other byte.

Which line belongs to what is decided as Python's `configparser` decides it, because botocore and the AWS CLI read these files
with it: an indented line continues the value above it, `=` and `:` both delimit, names of keys ignore case, comments start a line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..credentials import Credentials, KeyKind, kind_of_key
from ..errors import StoreError
from . import atomic

__all__ = ["edit", "edited", "is_section_name", "read", "remove_token", "values_of", "write_session"]

_TOKENS = ("aws_session_token", "aws_security_token")
_LARGEST = 4_000_000
"""Bytes. The largest files in the wild (thousands of generated profiles) are below 2 MB; more is no AWS file."""


def write_session(
    path: Path,
    profile: str,
    credentials: Credentials,
    *,
    replace_long_term: bool = False,
    backup: bool = True,
) -> bool:
    """Write a temporary session into `[profile]`: key id, secret and token; True if the file changed.

    Both spellings of the token become the one that all SDKs read. Raises StoreError, with nothing changed, if the file cannot be
    written, if `credentials` are long-term keys (they are never copied), or if the section holds long-term keys and the caller has
    not said `replace_long_term`: a long-term secret that is overwritten cannot be fetched again.
    """
    if credentials.kind is KeyKind.LONG_TERM or credentials.session_token is None:
        raise StoreError("long-term keys are never copied into a file: only temporary sessions are", where=str(path))
    with atomic.lock(path):
        content = read(path)
        held = values_of(content, profile)
        held_key = held.get("aws_access_key_id", "")
        token = any(held.get(name) for name in _TOKENS)
        long_term = kind_of_key(held_key) is KeyKind.LONG_TERM or (
            kind_of_key(held_key) is KeyKind.UNKNOWN and held_key and not token
        )
        if long_term and not replace_long_term:
            raise StoreError(
                f"[{profile}] holds the long-term key {held_key}, which a session would overwrite for good",
                where=str(path),
                hint="write the session to another profile, or allow it knowingly",
            )
        new = edited(
            content,
            profile,
            {
                "aws_access_key_id": credentials.access_key_id,
                "aws_secret_access_key": credentials.secret_access_key,
                "aws_session_token": credentials.session_token,
            },
            remove=("aws_security_token",),
        )
        return _write(path, content, new, backup)


def remove_token(path: Path, profile: str, *, backup: bool = True) -> bool:
    """Remove both spellings of the session token from `[profile]`; True if one was there. Raises StoreError."""
    return edit(path, profile, {}, remove=_TOKENS, backup=backup)


def edit(
    path: Path, section: str, values: Mapping[str, str], *, remove: Collection[str] = (), backup: bool = True
) -> bool:
    """`edited`, done to the file under its lock; True if the file changed. Raises StoreError."""
    with atomic.lock(path):
        content = read(path)
        return _write(path, content, edited(content, section, values, remove=remove), backup)


def read(path: Path) -> bytes:
    """The bytes of the file, none if it does not exist. Raises StoreError."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or type(error).__name__}") from error
    if len(content) > _LARGEST:
        raise StoreError(f"{path} is larger than {_LARGEST // 1_000_000} MB: that is no AWS file, it is left alone")
    return content


def values_of(content: bytes, section: str) -> dict[str, str]:
    """The keys of `[section]`, names in lower case, first line of each value; the last of duplicates, as in most SDKs."""
    found: dict[str, str] = {}
    for line in _lines(content):
        if line.section == section and line.key is not None and not line.continues:
            found[line.key] = line.text[line.value_start : line.value_end]
    return found


def edited(content: bytes, section: str, values: Mapping[str, str], *, remove: Collection[str] = ()) -> bytes:
    """`content` with the keys of `[section]` set and removed, every other byte as it was.

    A key that stands there keeps its place, spelling, indentation and delimiter; duplicates of it go, since botocore refuses them.
    New keys come behind the section's last; a section that is missing is made at the end. Keys are given in lower case. Raises
    ValueError for a name or value that cannot stand on one line.
    """
    _check(section, values)
    lines = _lines(content)
    newline = next((line.end for line in lines if line.end), "\n")
    wanted = dict(values)
    done: set[str] = set()
    kept: list[_Line] = []
    dropping = False
    for line in lines:
        ours = line.section == section and line.key is not None
        if ours and not line.continues:
            key = line.key or ""
            dropping = key in done or (key in remove and key not in wanted)
            if not dropping and key in wanted:
                kept.append(line.with_value(wanted[key]))
                done.add(key)
                continue
        if ours and line.continues and (dropping or line.key in done):
            continue  # the rest of a value that went
        if ours and dropping:
            continue
        kept.append(line)
    missing = {key: value for key, value in wanted.items() if key not in done}
    _insert(kept, section, missing, newline)
    return "".join(line.text + line.end for line in kept).encode("utf-8", "surrogateescape")


def _write(path: Path, old: bytes, new: bytes, backup: bool) -> bool:
    if new == old:
        return False
    atomic.replace(path, new, backup=backup)
    return True


def is_section_name(name: str) -> bool:
    """Whether a header can hold this name, in every parser of these files."""
    return bool(name) and name == name.strip() and name.isprintable() and not re.search(r"[\[\]]", name)


def _check(section: str, values: Mapping[str, str]) -> None:
    if not is_section_name(section):
        raise ValueError(f"not a name for a section: {section!r}")
    for key, value in values.items():
        if not re.fullmatch(r"[a-z0-9_.-]+", key):
            raise ValueError(f"not a name for a key: {key!r}")
        if value != value.strip() or not value or re.search(r"[\r\n]", value):
            raise ValueError(f"the value for {key} cannot stand on one line")


@dataclass(frozen=True, slots=True)
class _Line:
    """One line: `text` without its line end `end`; the `section` and `key` it belongs to; whether it `continues` a value."""

    text: str
    end: str
    section: str | None = None
    key: str | None = None
    continues: bool = False
    header: bool = False
    value_start: int = 0
    value_end: int = 0

    def with_value(self, value: str) -> _Line:
        text = self.text[: self.value_start] + value + self.text[self.value_end :]
        return _Line(
            text, self.end, self.section, self.key, False, False, self.value_start, self.value_start + len(value)
        )

    @property
    def indent(self) -> str:
        return self.text[: len(self.text) - len(self.text.lstrip())]


# The two expressions of configparser.RawConfigParser (Python 3.11 and later), on a stripped line.
_HEADER = re.compile(r"\[(?P<header>.+)\]")
_OPTION = re.compile(r"(?P<option>.*?)\s*(?:(?P<delimiter>[=:])\s*(?P<value>.*))$")
_BOM = "\ufeff"


def _lines(content: bytes) -> list[_Line]:
    """The lines of the file, each with what configparser takes it for."""
    parts = re.split(r"(\r\n|\r|\n)", content.decode("utf-8", "surrogateescape"))
    found: list[_Line] = []
    section: str | None = None
    key: str | None = None
    level = 0
    for number, (text, end) in enumerate(zip(parts[::2], [*parts[1::2], ""], strict=True)):
        if not text and not end:
            continue
        # A byte order mark before the first header is no part of it: that botocore stumbles over it is said elsewhere.
        start = len(_BOM) if number == 0 and text.startswith(_BOM) else 0
        stripped = text[start:].strip()
        indent = len(text) - start - len(text[start:].lstrip())
        if not stripped or stripped[0] in "#;":
            found.append(_Line(text, end, section))
        elif section is not None and key is not None and indent > level:
            found.append(_Line(text, end, section, key, continues=True))
        else:
            level = indent
            header, option = _HEADER.match(stripped), _OPTION.match(stripped)
            if header is not None:
                section, key = header["header"], None
                found.append(_Line(text, end, section, header=True))
            elif section is not None and option is not None and option["option"]:
                key = option["option"].rstrip().lower()
                base = start + indent
                found.append(
                    _Line(text, end, section, key, False, False, base + option.start("value"), base + option.end())
                )
            else:
                found.append(_Line(text, end, section))
    return found


def _insert(lines: list[_Line], section: str, values: Mapping[str, str], newline: str) -> None:
    """Put the new keys behind the section's last key, else behind its header, else behind everything under a new header."""
    if not values:
        return
    place = next((i for i in reversed(range(len(lines))) if lines[i].section == section and lines[i].key), None)
    if place is not None:
        first = next(i for i in reversed(range(place + 1)) if not lines[i].continues and lines[i].key)
        indent = lines[first].indent
    else:
        place = next((i for i in reversed(range(len(lines))) if lines[i].header and lines[i].section == section), None)
        if place is None:
            _end_last_line(lines, newline)
            if lines:
                lines.append(_Line("", newline))
            lines.append(_Line(f"[{section}]", newline))
            place, indent = len(lines) - 1, ""
        else:
            indent = _indent_below(lines, place)
    ended = bool(lines[place].end)
    if not ended:
        _end_last_line(lines, newline)
    new = [_Line(f"{indent}{key} = {value}", newline) for key, value in values.items()]
    if not ended:
        new[-1] = _Line(new[-1].text, "")
    lines[place + 1 : place + 1] = new


def _end_last_line(lines: list[_Line], newline: str) -> None:
    if lines and not lines[-1].end:
        lines[-1] = _Line(lines[-1].text, newline, lines[-1].section, lines[-1].key)


def _indent_below(lines: list[_Line], header: int) -> str:
    """The indentation for a section's first key: that of the header that follows, which would else continue its value."""
    below = (line for line in lines[header + 1 :] if line.text.strip() and line.text.lstrip()[0] not in "#;")
    follower = next(below, None)
    return follower.indent if follower is not None else ""
