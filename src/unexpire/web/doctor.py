"""What is wrong with the profiles, by the diagnosis: offline and often, or of one profile and by asking AWS."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..diagnosis.gather import gather
from ..diagnosis.judge import judge
from ..errors import UnexpireError
from ..findings import CODES, Diagnosis, Finding, Severity

if TYPE_CHECKING:
    from ..settings.environment import Environment

__all__ = ["MOST_PROFILES", "Ailing", "CheckUp", "ask_aws", "look"]

MOST_PROFILES = 200


@dataclass(frozen=True, slots=True)
class Ailing:
    """A finding and the profiles that have it; `profiles` holds None for the chain without a profile."""

    finding: Finding
    profiles: tuple[str | None, ...]
    root: bool

    @property
    def meaning(self) -> str:
        return CODES[self.finding.code].meaning


@dataclass(frozen=True, slots=True)
class CheckUp:
    """The findings, worst first, and how many of the profiles were looked at."""

    ailing: tuple[Ailing, ...]
    looked_at: int
    profiles: int


def look(environment: Environment, *, patience_s: float = 5.0) -> CheckUp:
    """The findings of the chain without a profile and of every profile. Asks nobody; notes are left out.

    One that several profiles share in the same words stands once. After `patience_s` no further profile is begun: among ten
    thousand, finding out which of them a copy came from takes seconds for each.
    """
    try:
        names = tuple(environment.settings().profiles)
    except UnexpireError:
        names = ()
    until = time.monotonic() + patience_s
    looked_at = 0
    found: dict[tuple[str, str], Ailing] = {}
    for name in (None, *names[:MOST_PROFILES]):
        if time.monotonic() > until:
            break
        looked_at += name is not None
        try:
            diagnosis = judge(gather(environment, profile=name, online=False))
        except UnexpireError:
            continue
        for finding in diagnosis.findings:
            if finding.weight is Severity.NOTE or (name is None and not _concerns(diagnosis)):
                continue
            key = (finding.code, finding.summary)
            held = found.get(key)
            profiles = (*held.profiles, name) if held else (name,)
            found[key] = Ailing(
                held.finding if held else finding,
                profiles,
                finding is diagnosis.root_cause or (held is not None and held.root),
            )
    order = list(Severity)
    ailing = sorted(found.values(), key=lambda each: (order.index(each.finding.weight), not each.root))
    return CheckUp(tuple(ailing), looked_at, len(names))


def _concerns(diagnosis: Diagnosis) -> bool:
    """That nothing is configured outside the profiles is how most people live."""
    return diagnosis.root_cause is None or diagnosis.root_cause.code != "no-credentials"


def ask_aws(environment: Environment, profile: str | None) -> Diagnosis:
    """The whole diagnosis of one profile, as the command gives it. Raises UnexpireError."""
    return judge(gather(environment, profile=profile))
