"""Outages on demand: what AWS, a proxy or a network in between can do to a request."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from .refusals import refuse, render
from .wire import Call, Response

__all__ = ["MODES", "Mode", "Outage", "Outages"]

Mode = Literal["refuse", "hang", "500", "503", "throttle", "slow", "truncate", "html", "redirect", "garbage", "empty"]
MODES: tuple[str, ...] = get_args(Mode)


@dataclass
class Outage:
    """What a service does instead of answering.

    refuse    closes the connection              500, 503, throttle   fails in the service's own words
    hang      never answers, closes at the end   slow                 answers rightly, `delay_s` late
    garbage   sends what is not HTTP             truncate             sends half of its answer
    empty     answers 200 and nothing            html, redirect       answers as a proxy or a login page would
    """

    service: str
    """As in signatures (``sts``, ``s3`` …), or ``sso sso-oidc signin imds container issuer``; ``*`` is all."""
    mode: Mode
    operation: str | None = None
    until: datetime | None = None
    times: int | None = None
    delay_s: float = 2.0


class Outages:
    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._current: list[Outage] = []

    def start(self, outage: Outage) -> None:
        if outage.mode not in MODES:
            raise ValueError(f"no such outage {outage.mode!r}; there are {', '.join(MODES)}")
        with self._lock:
            self._current.append(outage)

    def clear(self, service: str | None = None) -> None:
        with self._lock:
            self._current = [] if service is None else [o for o in self._current if o.service != service]

    def over(self, outage: Outage) -> bool:
        """Whether an outage that a call met has been cleared or has ended since."""
        with self._lock:
            return outage not in self._current or (outage.until is not None and self._now() >= outage.until)

    def hit(self, call: Call) -> Outage | None:
        """The outage that this call meets, if any."""
        now = self._now()
        with self._lock:
            for outage in self._current:
                if (
                    outage.service in ("*", call.service)
                    and outage.operation in (None, call.operation)
                    and (outage.until is None or now < outage.until)
                    and outage.times != 0
                ):
                    if outage.times is not None:
                        outage.times -= 1
                    return outage
        return None

    def started(self, service: str, mode: Mode, seconds: float | None, **more: object) -> Outage:
        """Start one that ends by itself after `seconds`, or with `clear`."""
        until = None if seconds is None else self._now() + timedelta(seconds=seconds)
        outage = Outage(service, mode, until=until, **more)  # type: ignore[arg-type]
        self.start(outage)
        return outage


_PAGE = b"<!DOCTYPE html><html><head><title>Sign in to the network</title></head><body><h1>Welcome</h1></body></html>"


async def effect(outage: Outage, call: Call, method: str) -> Response | None:
    """What is answered instead of the right thing; None: answer after all (slow, truncate)."""
    if outage.mode == "slow":
        await asyncio.sleep(outage.delay_s)
    failures = {"500": "internal", "503": "unavailable", "throttle": "throttled"}
    if outage.mode in failures:
        return render(refuse(failures[outage.mode], call), call, method)
    name = f"outage:{outage.mode}"
    if outage.mode == "html":
        return Response(200, [("Content-Type", "text/html")], _PAGE, name)
    if outage.mode == "redirect":
        return Response(302, [("Location", "https://login.example.com/"), ("Content-Type", "text/html")], b"", name)
    if outage.mode == "empty":
        return Response(200, [], b"", name)
    return None
