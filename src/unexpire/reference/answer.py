"""`unexpire.explain`: an exception or a text in, what it is out."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from .match import Match, match_text
from .normalise import decode

__all__ = ["explain"]

_DEEPEST = 20


def explain(exception_or_text: BaseException | str | bytes) -> Match | None:
    """The AWS error that an exception or a text shows, offline; None when nothing in it was recognised.

    Of an exception, its causes and contexts are read as well, as a library's own error often hides botocore's; so are its notes, the
    exceptions of a group, and what a command wrote whose failure it is (`subprocess.CalledProcessError`). Where several errors are
    shown, the answer is the one that tells most; `reference.match.match_text` gives all of them. Raises TypeError for what is neither.
    """
    if isinstance(exception_or_text, BaseException):
        text = "\n".join(_lines(exception_or_text))
    elif isinstance(exception_or_text, bytes):
        text = decode(exception_or_text)
    elif isinstance(exception_or_text, str):
        text = exception_or_text
    else:
        raise TypeError(f"an exception or a text is explained, not {type(exception_or_text).__name__}")
    matches = match_text(text)
    return matches[0] if matches else None


def _lines(error: BaseException) -> Iterator[str]:
    """What each exception of the chain says, the innermost first, as a traceback prints them."""
    chain: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting and len(chain) < _DEEPEST:
        at = waiting.pop(0)
        if at is None or at in chain:
            continue
        chain.append(at)
        waiting.append(at.__cause__ or (None if at.__suppress_context__ else at.__context__))
        if isinstance(at, BaseExceptionGroup):
            waiting += at.exceptions
    for one in reversed(chain):
        yield from _said(one)


def _said(one: BaseException) -> Iterator[str]:
    yield f"{type(one).__module__}.{type(one).__qualname__}: {one}"
    yield from getattr(one, "__notes__", ())
    response = getattr(one, "response", None)
    details = response.get("Error") if isinstance(response, dict) else None
    if isinstance(details, dict) and isinstance(details.get("Code"), str):
        yield f"{{'Error': {{'Code': '{details['Code']}', 'Message': '{details.get('Message', '')}'}}}}"
    aws_code = getattr(one, "aws_code", None)
    if isinstance(aws_code, str):
        yield f"ErrorCode: {aws_code}"
    failed_command = getattr(sys.modules.get("subprocess"), "SubprocessError", ())
    if isinstance(one, failed_command):
        for written in (getattr(one, "stdout", None), getattr(one, "stderr", None)):
            if written:
                yield decode(written) if isinstance(written, bytes) else str(written)
