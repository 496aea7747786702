"""Which exit code a command ends with when it ends with an error of ours."""

from __future__ import annotations

import contextlib
import os
import sys

from ..errors import ConfigurationError, InteractionRequired, RefreshFailed, Rejected, Unavailable, UnexpireError
from ..findings import CODES, Exit

__all__ = ["exit_code_of", "give_up_stdout"]


def exit_code_of(error: UnexpireError) -> Exit:
    """The exit code of the finding that the error names, else of its place in the tree."""
    if error.finding is not None and error.finding in CODES:
        return CODES[error.finding].exit
    if isinstance(error, InteractionRequired):
        return Exit.NEEDS_HUMAN
    if isinstance(error, ConfigurationError):
        return Exit.CONFIGURATION
    if isinstance(error, Unavailable):
        return Exit.NO_CREDENTIALS
    if isinstance(error, Rejected) and error.aws_code and error.aws_code.startswith(("ExpiredToken", "RequestExpired")):
        return Exit.EXPIRED
    if isinstance(error, RefreshFailed):
        return Exit.NETWORK if error.retryable else Exit.REJECTED
    return Exit.FAILED


def give_up_stdout() -> None:
    """Nobody reads any more: the interpreter would report it again while it closes stdout, with what is left in its buffer."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
