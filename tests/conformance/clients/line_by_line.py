"""What all client programs have in common: one call for every line on standard input, one line of answer: ``ok`` or ``fail …``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

URL = os.environ["CONFORMANCE_URL"]
BUCKET = os.environ["CONFORMANCE_BUCKET"]
REGION = "us-east-1"


def serve(call: Callable[[int], object]) -> None:
    """Call `call` with the number of the line, until standard input ends."""
    print("ready", flush=True)
    for number, _ in enumerate(sys.stdin):
        try:
            call(number)
        except Exception as error:  # whatever goes wrong is the result
            text = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"fail {text[:400]}", flush=True)
        else:
            print("ok", flush=True)
