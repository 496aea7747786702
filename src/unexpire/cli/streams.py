"""The errors of a stream of bytes: a file, a pipe, a log of any size, packed by gzip or not."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Protocol

from ..reference.match import LONGEST, match_text
from ..reference.normalise import decode

if TYPE_CHECKING:
    from ..reference.match import Match

__all__ = ["matches_in"]


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


def matches_in(stream: IO[bytes]) -> list[Match]:
    """Every distinct error, the one that tells most first: of one text where it is short, of a log in blocks where it is long."""
    source = _unpacked(stream)
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


def _unpacked(stream: IO[bytes]) -> _Readable:
    """A rotated log is packed for the most part (RFC 1952: 1f 8b). One that is cut off or damaged ends where it cannot be read."""
    peek = getattr(stream, "peek", None)
    if peek is None or peek(2)[:2] != b"\x1f\x8b":
        return stream
    import gzip
    import zlib

    packed = gzip.GzipFile(fileobj=stream, mode="rb")

    class Unpacked:
        def read(self, size: int = -1) -> bytes:
            try:
                return packed.read1(size)
            except (EOFError, zlib.error, gzip.BadGzipFile):
                return b""

    return Unpacked()
