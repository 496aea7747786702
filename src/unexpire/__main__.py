"""``python -m unexpire`` and the console script: picks the fast lane before anything heavy is imported."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # the names would cost more than the fast lane may
    from collections.abc import Callable
    from typing import NoReturn

# Commands that must answer in about the time the interpreter needs to start. Each names a function (arguments) -> exit code, or
# None to say "not mine after all": then the full command line, with click and its help, takes over.
_FAST_LANES: dict[str, str] = {
    "credential-process": "unexpire.delivery.fast_lane:credential_process",
    "prompt": "unexpire.delivery.fast_lane:prompt",
    "explain": "unexpire.cli.explain_lane:answer",
}


def main() -> None:
    arguments = sys.argv[1:]
    lane = _FAST_LANES.get(arguments[0]) if arguments else None
    if lane is not None:
        module, _, function = lane.partition(":")
        __import__(module)
        answer: Callable[[list[str]], int | None] = getattr(sys.modules[module], function)
        try:
            code = answer(arguments[1:])
        except KeyboardInterrupt:
            sys.stderr.write("unexpire: interrupted\n")
            code = 130
        if code is not None:
            _leave(code)
    import gc

    # What is imported stays: looking for garbage in it takes a tenth of a start. The command turns the collector on again.
    gc.disable()
    from unexpire.cli.main import run

    try:
        run()
    finally:
        gc.freeze()  # what is left goes with the process: the interpreter would look for garbage in all of botocore's models first


def _leave(code: int) -> NoReturn:
    """End at once: a lane registers nothing for the end, and taking the interpreter apart takes as long as the answer did."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:  # closed by whoever started this (`2>&-`), or there is none (pythonw)
            continue
        try:
            stream.flush()
        except (OSError, ValueError):  # nobody reads any more, or closed
            code = code or 1
    os._exit(code)


if __name__ == "__main__":
    main()
