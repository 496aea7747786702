"""Long logs: every distinct error of a stream of bytes, with how often it stands there, and where and when first and last.

The stream is read in large pieces. A piece that holds none of a few byte strings, of which every recognisable error holds at least
one, is passed over without being cut into lines; round every other hit a block of lines is matched as a text of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from .match import Match, match_text
from .normalise import decode

__all__ = ["scan"]

PIECE = 1 << 20
"""Bytes read at a time: large enough that per-piece work does not show, small enough to stay in memory twice."""

# Nearly every error that a long log can be expected to hold has one of these (a test holds them against the pages; texts of a terminal's
# last lines are read as a whole anyway). `in` on bytes runs at two gigabytes a second for a string that is not there, and an expression
# that begins with a rare letter at three: their number is what a log without errors costs. Strings that ordinary lines hold are avoided.
_SIGNS: tuple[bytes, ...] = (
    *(b"redential", b"time is too large", b"api error ", b"169.254.1", b"codecommit", b"nstance profile"),
    *(b"operation error ec2imds", b"config profile", b"parse config file", b"configured t", b"be assumed", b"assume "),
    *(b"invalid apiVersion", b".dkr.ecr.", b"does not exist in our records", b"response code: 40"),
)
_BY_RARE_LETTER: tuple[re.Pattern[bytes], ...] = tuple(
    map(
        re.compile,
        (
            rb"k(?:(?<=ok)en)",
            rb"x(?:pired)",
            rb"g(?:nature)",
            rb"z(?:(?<=thoriz))",
            rb"A(?:ccess(?:Denied| Key| denied for user)|ssumeRole|WS_A(?:UTH_|CCESS_KEY)|WS account to use|(?<=MultiFactorA)uthentication)",
            rb"D(?:urationSeconds|(?<=ionD)isabled)",
            rb"E(?:C2 ?Metadata)",
            rb"I(?:nvalid(?:Activation|AccessKeyId|Grant)|nTheFuture|DPRejected)",
            rb"P(?:AM authentication fail|acked size of|rofileNotFound)",
            rb"R(?:esourceNotReady|equest ARN|(?<=Bad R)equest|(?<=BadR)equest)",
            rb"S(?:ASL [Aa]uth|aslAuth)",
            rb"\((?:(?<=rror occurred \()|(?<=client error \()|Service: |HTTP 40[03]\))",
            rb"_(?:(?<=source_)profile|(?<=pam_)authenticate|(?<=ID_)TOKEN_R)",
        ),
    )
)
# Ordinary lines hold some of them too (`GET /oauth/token`, `user authorized`): an error also says, in one of these words, that
# something went wrong.
_WRONG: tuple[bytes, ...] = (
    *(
        b"err",
        b"exce",
        b"fail",
        b"denied",
        b"invalid",
        b"incomplete",
        b"incorrect",
        b"malformed",
        b"partial ",
        b"unexpected",
    ),
    *(
        b"expire",
        b"unable",
        b"neither",
        b"cannot",
        b"could",
        b"n't",
        b"not ",
        b"no ",
        b"must",
        b"should",
        b"require",
        b"missing",
        b"empty",
    ),
    *(
        b"too ",
        b"refus",
        b"reject",
        b"forbidden",
        b"unauth",
        b"untrusted",
        b"bad ",
        b"badrequest",
        b"timeout",
        b"timed out",
    ),
    *(b"exit ", b"dial ", b"future", b"infinite loop", b"unreachable", b"doesnotmatch"),
)
_AFTER = 12
"""Lines behind a hit that belong to its block: a wrapped sentence, the frames of a trace, the status line of a Go error."""
_BEFORE = 7
_WIDEST = 16_384
"""Bytes of one line that are looked at round a hit: a line of megabytes is data with an error somewhere in it."""
_MOST_DISTINCT = 500
_DIGITS = re.compile(r"[0-9a-f]{8,}|\d+")


def scan(read: Callable[[int], bytes], *, progress: Callable[[int], None] | None = None) -> list[Match]:
    """The distinct errors of what `read(size)` gives until it gives nothing; the one that tells most first, then by first line.

    `progress` is told the bytes read so far. Memory stays bounded: two pieces, and one entry a distinct error. Lines count from 1.
    """
    found: dict[tuple[str | None, str | None, str | None, str | None], Match] = {}
    known: dict[str, list[Match]] = {}
    for first_line, before, lines in _blocks(read, progress):
        lower = lines.lower()
        if not any(word in lower for word in _WRONG):
            continue
        block = decode(lines)
        shape = _DIGITS.sub("0", block)
        matches = known.get(shape)
        if matches is None:
            matches = match_text(block, ours_only=True) or _without_its_head(block, before)
            if len(known) < 4 * _MOST_DISTINCT:
                known[shape] = matches
        else:
            matches = _with_times(matches, block)
        for match in matches:
            _add(found, match, first_line)
    return sorted(found.values(), key=lambda match: (-match.tier, match.first_line or 0))


def _without_its_head(block: str, before: int) -> list[Match]:
    """What the block says without its first `before` lines, which may have been of another record."""
    if not before:
        return []
    tail = "\n".join(block.split("\n")[before:])
    matches = match_text(tail, ours_only=True)
    return [
        replace(match, first_line=(match.first_line or 1) + before, last_line=(match.last_line or 1) + before)
        for match in matches
    ]


def _add(
    found: dict[tuple[str | None, str | None, str | None, str | None], Match], match: Match, first_line: int
) -> None:
    key = (match.code, match.ailment, match.service, match.operation)
    offset = first_line - 1
    first, last = (match.first_line or 1) + offset, (match.last_line or 1) + offset
    held = found.get(key)
    if held is None:
        if len(found) < _MOST_DISTINCT:
            found[key] = replace(match, first_line=first, last_line=last)
        return
    found[key] = replace(
        held,
        count=held.count + match.count,
        last_line=last,
        last_time=match.last_time or held.last_time,
        first_time=held.first_time or match.first_time,
    )


def _with_times(matches: list[Match], block: str) -> list[Match]:
    """The same errors as in a block that differs in numbers only, with this block's times."""
    from .occurrences import TIME

    lines = block.splitlines()
    again = []
    for match in matches:
        times = [TIME.search(lines[min(at or 1, len(lines)) - 1][:400]) for at in (match.first_line, match.last_line)]
        first, last = (time[0] if time else None for time in times)
        again.append(replace(match, first_time=first or match.first_time, last_time=last or match.last_time))
    return again


def _blocks(read: Callable[[int], bytes], progress: Callable[[int], None] | None) -> Iterator[tuple[int, int, bytes]]:
    """(number of its first line, lines before the one with the sign, bytes) of every block of lines that may hold an error."""
    line, rest, done = 1, b"", 0
    while True:
        piece = read(PIECE)
        done += len(piece)
        if progress is not None:
            progress(done)
        data = rest + piece if rest else piece
        if not data:
            return
        if piece:
            cut = data.rfind(b"\n") + 1
            if not cut and len(data) < 8 * PIECE:  # one line longer than a piece: wait for its end, but not for ever
                rest = data
                continue
            cut = cut or len(data)
            data, rest = data[:cut], data[cut:]
        else:
            rest = b""
        hits = _hits(data)
        if hits:
            yield from _around(data, hits, line)
        line += data.count(b"\n")
        if not piece:
            return


_COMMON = b"0123456789 aeiouts=/:-\"',"
"""What makes up three quarters of a log. Without it a piece is looked through in a quarter of the time, and it is taken out in what two
or three looks through the whole cost."""
_THIN = tuple((sign.translate(None, _COMMON), sign) for sign in _SIGNS)
_LETTERS = tuple((sign.pattern.removeprefix(b"\\")[:1], sign) for sign in _BY_RARE_LETTER)


def _hits(data: bytes) -> list[int]:
    """Offsets of one hit or more on every line that has one; empty for most pieces of most logs."""
    thin = data.translate(None, _COMMON)
    present = [re.escape(sign) for rare, sign in _THIN if rare in thin and sign in data]
    present += [sign.pattern for letter, sign in _LETTERS if letter in thin and sign.search(data)]
    if not present:
        return []
    pattern = re.compile(b"|".join(present))
    hits: list[int] = []
    at = 0
    while True:
        match = pattern.search(data, at)
        if match is None:
            return hits
        hits.append(match.start())
        end = data.find(b"\n", match.end(), match.end() + _WIDEST)
        at = end if end >= 0 else match.end() + _WIDEST


def _around(data: bytes, hits: list[int], first_line: int) -> Iterator[tuple[int, int, bytes]]:
    """Blocks: lines that continue one another stay together, but a log line with its own time ends the block before it."""
    end, counted, line = 0, 0, first_line
    for hit in hits:
        if hit < end:
            continue
        start = max(data.rfind(b"\n", end, hit) + 1 or end, hit - _WIDEST)
        for _ in range(_BEFORE):
            if start <= end or _begins_record(data, start):
                break
            start = max(data.rfind(b"\n", end, start - 1) + 1 or end, start - _WIDEST)
        stop = data.find(b"\n", hit, hit + 2 * _WIDEST) + 1 or min(len(data), hit + 2 * _WIDEST)
        for _ in range(_AFTER):
            if stop >= len(data) or _begins_record(data, stop):
                break
            stop = data.find(b"\n", stop, stop + _WIDEST) + 1 or min(len(data), stop + _WIDEST)
        line += data.count(b"\n", counted, start)
        counted, end = start, stop
        yield line, data.count(b"\n", start, hit), data[start:stop]


_RECORD = re.compile(
    rb"\W{0,2}(?:\d{4}[-/]\d\d[-/]\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:|[IWEF]\d{4} \d\d:|time=|ts=|\{\"|<\d+>"
    rb"|\d{1,2}:\d\d:\d\d|\d{10}[. ]|\d{1,3}(?:\.\d{1,3}){3} )|(?:INFO|WARN|ERROR|DEBUG|FATAL|TRACE)\b"
)


def _begins_record(data: bytes, at: int) -> bool:
    return _RECORD.match(data, at, at + 40) is not None
