"""The two AWS files, read line by line: the values that botocore reads, and where each of them stands.

botocore reads both files with `configparser.RawConfigParser` (botocore/configloader.py, `raw_config_parse`), and one bad line
makes it refuse the whole file. This reader keeps the same values, knows the line of each, and where botocore refuses it notes a
`Problem` and reads on, so that a diagnosis can name the line and still tell what else the file says.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Generic, TypeVar

from ..errors import ConfigurationError

__all__ = [
    "FILE_LIMIT",
    "AwsFile",
    "Origin",
    "Problem",
    "Section",
    "Sourced",
    "is_secret_name",
    "parse",
    "read_aws_file",
]

FILE_LIMIT = 8 * 1024 * 1024
"""Bytes. A larger file is not read: ten thousand profiles take about 2 MB, and what is larger is no AWS file."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from: a line of a file, a variable, or, as `note`, some other place in words."""

    path: Path | None = None
    line: int | None = None
    variable: str | None = None
    note: str | None = None
    home: Path | None = field(default=None, repr=False, compare=False)
    """The home folder of the snapshot, which `str` writes as ``~``."""

    def __str__(self) -> str:
        if self.variable is not None:
            return self.variable
        if self.path is None:
            return self.note or "built in"
        shown = shorten(self.path, self.home)
        return f"{shown}:{self.line}" if self.line is not None else shown

    def at(self, line: int | None) -> Origin:
        """Another line of the same file."""
        return Origin(path=self.path, line=line, home=self.home)


def shorten(path: Path, home: Path | None) -> str:
    """``~/.aws/config`` for a path below `home`, the whole path for any other."""
    if home is not None and home != Path(home.anchor):
        try:
            return str(Path("~") / path.relative_to(home))
        except ValueError:
            pass
    return str(path)


@dataclass(frozen=True, slots=True)
class Sourced(Generic[T]):
    """A value with its origin. The representation of a secret one does not hold it."""

    value: T
    origin: Origin
    secret: bool = field(default=False, repr=False)

    def __repr__(self) -> str:
        return f"Sourced({'<hidden>' if self.secret else repr(self.value)}, {str(self.origin)!r})"


_SECRET = re.compile(r"secret|token|password|passwd|authorization|credential_process|proxy", re.IGNORECASE)
_HARMLESS = re.compile(r"(file|ttl|_uri|_path|no_proxy)$", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether the value under this key or variable may be, or may carry, a secret: a command line or a proxy's URL can."""
    return _SECRET.search(name) is not None and _HARMLESS.search(name) is None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something odd in a file. `fatal`: botocore refuses the file because of it, and with the file the whole chain."""

    message: str
    origin: Origin
    hint: str | None = None
    fatal: bool = True

    def error(self) -> ConfigurationError:
        return ConfigurationError(self.message, where=str(self.origin), hint=self.hint)


@dataclass(frozen=True, slots=True)
class Section:
    """One ``[header]``. Keys are lower case.

    A key is either plain (`values`), or an indented block below an empty value (`blocks`), as botocore tells them apart.
    """

    name: str
    origin: Origin
    values: Mapping[str, Sourced[str]] = field(default_factory=dict)
    blocks: Mapping[str, Mapping[str, Sourced[str]]] = field(default_factory=dict)

    def __contains__(self, key: object) -> bool:
        return key in self.values or key in self.blocks

    def keys(self) -> frozenset[str]:
        return frozenset(self.values) | frozenset(self.blocks)

    def get(self, key: str) -> Sourced[str] | None:
        """The plain value of `key`; None where it is absent or a block."""
        return self.values.get(key)

    def nested(self, key: str) -> Mapping[str, Sourced[str]] | None:
        """The indented block below ``key =``; None where there is none."""
        return self.blocks.get(key)

    def where(self, key: str) -> Origin:
        """The line of `key`, plain or block; the header where the key is absent."""
        if key in self.values:
            return self.values[key].origin
        block = self.blocks.get(key)
        return next(iter(block.values())).origin if block else self.origin


@dataclass(frozen=True, slots=True)
class AwsFile:
    """What one file says. `sections` are by header as written, with the values of ``[DEFAULT]`` mixed in as configparser does."""

    origin: Origin
    exists: bool = False
    sections: Mapping[str, Section] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def path(self) -> Path:
        assert self.origin.path is not None
        return self.origin.path

    @property
    def refusal(self) -> Problem | None:
        """The first reason for which botocore refuses the file; None where it reads it."""
        return next((problem for problem in self.problems if problem.fatal), None)


def read_aws_file(path: Path, home: Path | None = None) -> AwsFile:
    """Read and parse `path`. Never raises: what is wrong stands in `problems`.

    As for botocore, what is not a regular file does not exist, and a file that may not be read is as good as empty.
    """
    origin = Origin(path=path, home=home)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return AwsFile(origin, problems=_irregular(path, origin))
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return AwsFile(origin)
    except OSError as error:
        hint = _to_read(path, home)
        reason = (error.strerror or type(error).__name__).lower()
        return AwsFile(
            origin, problems=(Problem(f"the file cannot be read ({reason}); SDKs skip it", origin, hint, fatal=False),)
        )
    if len(data) > FILE_LIMIT:
        size = FILE_LIMIT // (1024 * 1024)
        problem = Problem(
            f"the file is larger than {size} MiB: not an AWS file", origin, f"ls -lh {shorten(path, home)}"
        )
        return AwsFile(origin, exists=True, problems=(problem,))
    return parse(data, origin)


def _to_read(path: Path, home: Path | None) -> str:
    """What makes the file readable: its own mode, its owner (after ``sudo aws configure``), or a folder above it."""
    try:
        owner = path.stat().st_uid
    except OSError:
        return f"ls -ld {shorten(path.parent, home)}"
    shown = shorten(path, home)
    return f"chmod u+r {shown}" if os.name == "nt" or owner == os.geteuid() else f'sudo chown "$USER" {shown}'


def _irregular(path: Path, origin: Origin) -> tuple[Problem, ...]:
    if not os.path.isdir(path):
        return ()
    return (Problem("a folder stands where the file should be; SDKs skip it", origin, f"ls -ld {origin}", fatal=False),)


def parse(data: bytes, origin: Origin) -> AwsFile:
    """The sections and problems of a file's bytes."""
    reader = _Reader(origin)
    text, problem = _decode(data, origin)
    if problem is not None:
        reader.problems.append(problem)
    # Text mode's universal newlines, and no other line ends: configparser sees the file through `open`.
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        reader.take(number, line)
    return AwsFile(origin, True, MappingProxyType(dict(reader.sections())), tuple(reader.problems))


def _decode(data: bytes, origin: Origin) -> tuple[str, Problem | None]:
    """The text, and a problem where botocore cannot decode it or stumbles over a byte order mark."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        hint = f"iconv -f WINDOWS-1252 -t UTF-8 {origin.at(None)} > fixed, then put it in its place"
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return data.decode("utf-16", "replace"), Problem(
                "the file is UTF-16, not UTF-8", origin.at(1), hint.replace("WINDOWS-1252", "UTF-16")
            )
        return data.decode("utf-8", "replace"), Problem("the file is not UTF-8 here", origin.at(line), hint)
    if text.startswith("\ufeff"):
        return text[1:], Problem(
            "the file starts with a byte order mark (BOM), which SDKs take for part of the first line",
            origin.at(1),
            f"save {origin.at(None)} as UTF-8 without BOM",
        )
    return text, None


# configparser's own expressions (Lib/configparser.py: SECTCRE, OPTCRE), so that both cut a line at the same place.
_HEADER = re.compile(r"\[(?P<header>.+)\]")
_OPTION = re.compile(r"(?P<option>.*?)\s*(?:=|:)\s*(?P<value>.*)$")
_NOT_SPACE = re.compile(r"\S")
_DEFAULTS = "DEFAULT"
_FIRST_PROBLEMS = 50


@dataclass(slots=True)
class _Option:
    line: int
    parts: list[tuple[int, str]]


class _Reader:
    """configparser's line machine (RawConfigParser._read, strict, no inline comments), with line numbers and without exceptions."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._headers: dict[str, int] = {}
        self._options: dict[str, dict[str, _Option]] = {_DEFAULTS: {}}
        self._section: str | None = None
        self._option: _Option | None = None
        self._indent = 0
        self._headless = False
        self.problems: list[Problem] = []

    def take(self, number: int, line: str) -> None:
        value = line.strip()
        if value.startswith(("#", ";")):
            return
        if not value:
            if self._option is not None:
                self._option.parts.append((number, ""))
            return
        found = _NOT_SPACE.search(line)
        indent = found.start() if found else 0
        if self._option is not None and indent > self._indent:
            self._option.parts.append((number, value))
            return
        self._indent = indent
        header = _HEADER.match(value)
        if header:
            self._start_section(header["header"], number)
        elif self._section is None:
            if not self._headless:
                self._report(number, "a setting stands before any [section]", "put [default] above it")
            self._headless = True
        else:
            self._start_option(value, number)

    def _start_section(self, name: str, number: int) -> None:
        self._section, self._option = name, None
        if name == _DEFAULTS:
            return
        if name in self._headers:
            first = self._headers[name]
            self._report(number, f"[{name}] appears twice, first in line {first}", "merge the two sections")
            return
        self._headers[name] = number
        self._options[name] = {}

    def _start_option(self, value: str, number: int) -> None:
        assert self._section is not None
        found = _OPTION.match(value)
        if found is None:
            if value.startswith("["):
                self._report(number, "a section header without its closing bracket", "add the ]")
            else:
                self._report(number, "neither a [section] nor key = value", "complete the line, or remove it")
            return
        name = found["option"].rstrip().lower()
        if not name:
            self._report(number, "a value without a key", "write key = value, or remove the line")
            self._option = None
            return
        options = self._options[self._section]
        if name in options:
            first = options[name].line
            self._report(
                number, f"{name} appears twice in [{self._section}], first in line {first}", "remove one of them"
            )
        self._option = options[name] = _Option(number, [(number, found["value"].strip())])

    def _report(self, number: int, message: str, hint: str) -> None:
        if len(self.problems) < _FIRST_PROBLEMS:
            self.problems.append(Problem(message, self._origin.at(number), hint))

    def sections(self) -> Iterator[tuple[str, Section]]:
        for name, line in self._headers.items():
            values: dict[str, Sourced[str]] = {}
            blocks: dict[str, Mapping[str, Sourced[str]]] = {}
            for key, option in {**self._options[_DEFAULTS], **self._options[name]}.items():
                text = "\n".join(part for _, part in option.parts).rstrip()
                if text.startswith("\n"):
                    blocks[key] = MappingProxyType(self._block(option))
                else:
                    origin = self._origin.at(option.line)
                    values[key] = Sourced(text, origin, is_secret_name(key))
            yield name, Section(name, self._origin.at(line), MappingProxyType(values), MappingProxyType(blocks))

    def _block(self, option: _Option) -> dict[str, Sourced[str]]:
        """The lines below ``key =``, as botocore's `_parse_nested` takes them: every one must hold an equals sign."""
        block: dict[str, Sourced[str]] = {}
        for number, part in option.parts:
            for line in filter(None, map(str.strip, part.splitlines())):
                name, equals, value = line.partition("=")
                if not equals:
                    self._report(
                        number, "an indented line that is not key = value", "complete it, or remove its indent"
                    )
                    continue
                name = name.strip()
                block[name] = Sourced(value.strip(), self._origin.at(number), is_secret_name(name))
        return block
