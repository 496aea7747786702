"""What is wrong with the profiles, by the diagnosis: offline and often, or of one profile and by asking AWS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..diagnosis.gather import gather
from ..diagnosis.judge import judge
from ..errors import UnexpireError
from ..findings import CODES, Diagnosis, Finding, Severity

if TYPE_CHECKING:
    from ..settings.environment import Environment

__all__ = ["MOST_PROFILES", "Ailing", "ask_aws", "look"]

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


def look(environment: Environment) -> list[Ailing]:
    """The findings of every profile and of the chain without one, worst first. Asks nobody; notes are left out.

    One that several profiles share in the same words stands once.
    """
    try:
        names = tuple(environment.settings().profiles)[:MOST_PROFILES]
    except UnexpireError:
        names = ()
    found: dict[tuple[str, str], Ailing] = {}
    for name in (None, *names):
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
    return sorted(found.values(), key=lambda each: (order.index(each.finding.weight), not each.root))


def _concerns(diagnosis: Diagnosis) -> bool:
    """That nothing is configured outside the profiles is how most people live."""
    return diagnosis.root_cause is None or diagnosis.root_cause.code != "no-credentials"


def ask_aws(environment: Environment, profile: str | None) -> Diagnosis:
    """The whole diagnosis of one profile, as the command gives it. Raises UnexpireError."""
    return judge(gather(environment, profile=profile))
