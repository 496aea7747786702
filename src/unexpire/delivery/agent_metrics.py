"""The agent's numbers in Prometheus' text format, through its own client library, which is the extra `agent`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from ..credentials import parse_timestamp
from .server import Response

__all__ = ["Metrics"]

Statuses = Callable[[], list[dict[str, Any]]]


class Metrics:
    """Counts requests by door and status, and reads everything else from the statuses when it is asked for."""

    def __init__(self, statuses: Statuses) -> None:
        self._statuses = statuses
        self._registry: Any = None
        try:
            import prometheus_client as client
            import prometheus_client.core as core
        except ImportError:
            return
        self._client = client
        self._registry = client.CollectorRegistry()
        self._requests = client.Counter(
            "unexpire_requests", "Requests for credentials", ["door", "status"], registry=self._registry
        )
        self._seconds = client.Histogram(
            "unexpire_request_seconds",
            "How long a request for credentials took",
            ["door"],
            registry=self._registry,
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0),
        )
        self._registry.register(_PerIdentity(core, statuses))

    def count(self, door: str, status: int, seconds: float | None = None) -> None:
        if self._registry is not None:
            self._requests.labels(door, str(status)).inc()
            if seconds is not None:
                self._seconds.labels(door).observe(seconds)

    def timed(self, door: str, answer: Response | Awaitable[Response]) -> Response | Awaitable[Response]:
        """The same answer, counted."""
        if isinstance(answer, Response):
            self.count(door, answer.status, 0.0)
            return answer
        return self._wait(door, answer)

    async def _wait(self, door: str, answer: Awaitable[Response]) -> Response:
        start = time.perf_counter()
        response = await answer
        self.count(door, response.status, time.perf_counter() - start)
        return response

    def response(self) -> Response:
        """``/metrics``; 501 where the library is not installed."""
        if self._registry is None:
            return Response(501, b"pip install 'unexpire[agent]'\n", "text/plain; charset=utf-8")
        return Response(200, self._client.generate_latest(self._registry), self._client.CONTENT_TYPE_LATEST)


class _PerIdentity:
    """A collector: one sample an identity, made when Prometheus asks."""

    def __init__(self, core: Any, statuses: Statuses) -> None:
        self._core, self._statuses = core, statuses

    def collect(self) -> Iterator[Any]:
        core = self._core
        left = core.GaugeMetricFamily("unexpire_seconds_to_expiry", "Life left until the true end", labels=["identity"])
        up = core.GaugeMetricFamily("unexpire_usable", "1 where a usable session is held", labels=["identity"])
        renewals = core.CounterMetricFamily("unexpire_renewals", "Successful renewals", labels=["identity"])
        failures = core.CounterMetricFamily("unexpire_failures", "Failed renewals", labels=["identity"])
        waits = core.GaugeMetricFamily("unexpire_waits_for_human", "1 where a human must act", labels=["identity"])
        now = datetime.now(UTC)
        for status in self._statuses():
            name = [status["name"]]
            end, usable = status["expires_at"], status["usable_until"]
            if end:
                left.add_metric(name, max((parse_timestamp(end) - now).total_seconds(), 0.0))
            held = status["access_key_id"] is not None
            up.add_metric(name, float(held and (usable is None or parse_timestamp(usable) > now)))
            renewals.add_metric(name, status["renewals"])
            failures.add_metric(name, status["failures"])
            waits.add_metric(name, float(status["waits_for"] is not None))
        yield from (left, up, renewals, failures, waits)
