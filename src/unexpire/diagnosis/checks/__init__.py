"""Pure functions from a Snapshot to Findings, one file a subject."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ...findings import Finding
from ..snapshot import Snapshot
from .bedrock import check_bedrock
from .clock import check_clock
from .configuration import check_configuration
from .ending import check_ending
from .network import check_network
from .session import check_session
from .source import check_source, last_resort
from .text import check_text

__all__ = ["CHECKS", "check_ending", "check_text", "last_resort"]

CHECKS: tuple[Callable[[Snapshot], Iterator[Finding]], ...] = (
    check_configuration,
    check_session,
    check_source,
    check_clock,
    check_network,
    check_bedrock,
)
