"""``python -m unexpire`` and the console script: picks the fast lane before anything heavy is imported."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # the names would cost more than the fast lane may
    from collections.abc import Callable

# Commands that must answer in about the time the interpreter needs to start. Each names a function (arguments) -> exit code, or
# None to say "not mine after all": then the full command line, with click and its help, takes over.
_FAST_LANES: dict[str, str] = {
    "credential-process": "unexpire.delivery.fast_lane:credential_process",
    "prompt": "unexpire.delivery.fast_lane:prompt",
}


def main() -> None:
    arguments = sys.argv[1:]
    lane = _FAST_LANES.get(arguments[0]) if arguments else None
    if lane is not None:
        module, _, function = lane.partition(":")
        __import__(module)
        answer: Callable[[list[str]], int | None] = getattr(sys.modules[module], function)
        code = answer(arguments[1:])
        if code is not None:
            sys.exit(code)
    from unexpire.cli.main import run

    run()


if __name__ == "__main__":
    main()
