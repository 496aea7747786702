"""The errors of a stream of bytes: a file, a pipe, a log of any size, packed or not."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Protocol

import click

from ..reference.match import LONGEST, match_text
from ..reference.normalise import UTF_16_MARKS, decode

if TYPE_CHECKING:
    import bz2
    import gzip
    import lzma

    from ..reference.match import Match

__all__ = ["matches_in"]


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def matches_in(stream: IO[bytes]) -> list[Match]:
    """Every distinct error, the one that tells most first: of one text where it is short, of a log in blocks where it is long.

    Raises UsageError for a file that is packed in a way that nothing here unpacks.
    """
    source = _Text(_unpacked(stream))
    head = b""
    while len(head) <= LONGEST:
        piece = source.read(LONGEST)
        if not piece:
            return match_text(decode(head))
        head += piece
    from ..reference.scan import scan

    return scan(_Chained(head, source).read)


class _Chained:
    """What was read already, and then the rest of the stream."""

    def __init__(self, head: bytes, rest: _Readable) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int = -1) -> bytes:
        if self._head:
            end = size if size >= 0 else len(self._head)
            piece, self._head = self._head[:end], self._head[end:]
            return piece
        return self._rest.read(size)


class _Text:
    """A stream's text in UTF-8. Windows PowerShell 5 writes UTF-16: with a mark in a new file, without one at the end of an old one.

    The second kind is read as what stands between its zero bytes, of which no text in another encoding has any.
    """

    def __init__(self, source: _Readable) -> None:
        self._source = source
        self._decoder: codecs.IncrementalDecoder | None = None
        self._began = False

    def read(self, size: int = -1) -> bytes:
        while True:
            piece = self._source.read(size)
            if not self._began:
                self._began = True
                if piece.startswith(UTF_16_MARKS):
                    self._decoder = codecs.getincrementaldecoder("utf-16")("replace")
            decoder = self._decoder
            text = piece.replace(b"\0", b"") if decoder is None else decoder.decode(piece, final=not piece).encode()
            if text or not piece:
                return text


class _Unpacked:
    """What a packed stream holds. One that is cut off or damaged ends where it cannot be read."""

    def __init__(self, packed: gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile, *damage: type[Exception]) -> None:
        self._packed = packed
        self._damage: tuple[type[Exception], ...] = (EOFError, *damage)

    def read(self, size: int = -1) -> bytes:
        try:
            return self._packed.read1(size)
        except self._damage:
            return b""


def _unpacked(stream: IO[bytes]) -> _Readable:
    """The text of a rotated log, which is packed for the most part. Raises UsageError for what nothing here unpacks."""
    peek = getattr(stream, "peek", None)
    start = peek(6) if peek is not None else b""
    for sign, (name, tool, unpack) in _PACKED.items():
        if start.startswith(sign):
            try:
                return unpack(stream)
            except ImportError:  # bz2 and lzma: where Python was built without them
                text = f"this is packed by {name}, which is not unpacked here: {tool} FILE | unexpire explain -"
                raise click.UsageError(text) from None
    return stream


def _gzip(stream: IO[bytes]) -> _Readable:
    import gzip
    import zlib

    return _Unpacked(gzip.GzipFile(fileobj=stream, mode="rb"), zlib.error, gzip.BadGzipFile)


def _bzip2(stream: IO[bytes]) -> _Readable:
    import bz2

    return _Unpacked(bz2.BZ2File(stream), OSError)


def _xz(stream: IO[bytes]) -> _Readable:
    import lzma

    return _Unpacked(lzma.LZMAFile(stream), lzma.LZMAError)


def _not_here(stream: IO[bytes]) -> _Readable:
    raise ImportError


_PACKED: dict[bytes, tuple[str, str, Callable[[IO[bytes]], _Readable]]] = {
    b"\x1f\x8b": ("gzip", "gzip -dc", _gzip),  # RFC 1952, section 2.3.1
    b"BZh": ("bzip2", "bzip2 -dc", _bzip2),
    b"\xfd7zXZ\0": ("xz", "xz -dc", _xz),  # the .xz file format, section 2.1.1.1
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -dc", _not_here),  # RFC 8878, section 3.1.1
    b"PK\x03\x04": ("zip", "unzip -p", _not_here),
}
"""How a packed file starts: what packed it, what a shell unpacks it with, and what does here."""
