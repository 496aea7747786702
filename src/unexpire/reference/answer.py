"""`unexpire.explain`: an exception or a text in, what it is out."""

from __future__ import annotations

from collections.abc import Iterator

from .match import Match, match_text

__all__ = ["explain"]

_DEEPEST = 20


def explain(exception_or_text: BaseException | str) -> Match | None:
    """The AWS error that an exception or a text shows, offline; None when nothing in it was recognised.

    Of an exception, its causes and contexts are read as well: a library's own error often hides botocore's. Where several errors
    are shown, the answer is the one that tells most; `reference.match.match_text` gives all of them.
    """
    text = exception_or_text if isinstance(exception_or_text, str) else "\n".join(_lines(exception_or_text))
    matches = match_text(text)
    return matches[0] if matches else None


def _lines(error: BaseException) -> Iterator[str]:
    """What each exception of the chain says, the innermost first, as a traceback prints them."""
    chain: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in chain and len(chain) < _DEEPEST:
        chain.append(at)
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    for one in reversed(chain):
        yield f"{type(one).__module__}.{type(one).__qualname__}: {one}"
        response = getattr(one, "response", None)
        details = response.get("Error") if isinstance(response, dict) else None
        if isinstance(details, dict) and isinstance(details.get("Code"), str):
            yield f"{{'Error': {{'Code': '{details['Code']}', 'Message': '{details.get('Message', '')}'}}}}"
        aws_code = getattr(one, "aws_code", None)
        if isinstance(aws_code, str):
            yield f"ErrorCode: {aws_code}"
