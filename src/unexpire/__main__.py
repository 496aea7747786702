"""``python -m unexpire`` and the console script: picks the fast lane before anything heavy is imported."""

from __future__ import annotations

import sys
from collections.abc import Callable

# Commands that must answer in about the time the interpreter needs to start. Each names a function (arguments) -> exit code, or
# None to say "not mine after all": then the full command line, with click and its help, takes over.
_FAST_LANES: dict[str, str] = {}


def main() -> None:
    arguments = sys.argv[1:]
    lane = _FAST_LANES.get(arguments[0]) if arguments else None
    if lane is not None:
        from importlib import import_module

        module, _, function = lane.partition(":")
        answer: Callable[[list[str]], int | None] = getattr(import_module(module), function)
        code = answer(arguments[1:])
        if code is not None:
            sys.exit(code)
    from unexpire.cli.main import run

    run()


if __name__ == "__main__":
    main()
