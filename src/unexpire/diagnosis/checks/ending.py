"""Will they last? The finding of the preflight."""

from __future__ import annotations

from collections.abc import Iterator

from ...credentials import format_timestamp
from ...findings import Action, Evidence, Finding, Forecast, Remedy, Severity
from .. import remedies
from ..snapshot import Snapshot, State
from ..spoken import ago

__all__ = ["check_ending"]

_WORDS = {
    "static-copy": "nothing renews a static copy",
    "source-session": "the session that signs for the role ends",
    "sso-portal-session": "the SSO login ends",
    "mfa": "the next session needs an MFA code",
    "web-identity-token": "the web identity token ends, unless something writes a new one",
    "process": "the process gives no Expiration, so nobody asks it again",
    "login-session": "the `aws login` session ends",
    "role-chain": "a role assumed by a role lasts one hour",
    "session": "the session ends",
}


def check_ending(s: Snapshot, forecast: Forecast) -> Iterator[Finding]:
    """`ends-too-soon` where a time was asked for and it cannot be shown that the credentials last."""
    if s.until is None or forecast.lasts or s.state not in (State.WORKS, State.UNKNOWN):
        return
    why = _WORDS.get(forecast.ended_by or "", "they end")
    when = f"end {ago(forecast.ends_at, s.true_now)}" if forecast.ends_at else "end at a time that nothing here tells"
    evidence = [Evidence("asked for", format_timestamp(s.until), "--for")]
    if forecast.ends_at:
        evidence.append(
            Evidence("end", format_timestamp(forecast.ends_at), s.known_end.known_from if s.known_end else None)
        )
    yield Finding(
        "ends-too-soon", f"these credentials {when}: {why}", tuple(evidence), _remedy(s, forecast), Severity.ERROR
    )


def _remedy(s: Snapshot, forecast: Forecast) -> Remedy:
    source = s.hidden.candidate if s.hidden is not None else s.likely.candidate if s.likely is not None else None
    if forecast.ended_by == "static-copy":
        run = remedies.run_line(source, s) if source else f"unexpire run --profile NAME -- {s.command}"
        return Remedy(Action.HUMAN, "start it from a source that renews itself", (run,), (run,))
    if forecast.ended_by == "sso-portal-session":
        again = remedies.login(s, s.winner.base if s.winner else None)
        return Remedy(again.action, "log in just before the start", again.now, again.never, again.parameters)
    run = remedies.run_line(s.winner, s)
    return Remedy(Action.HUMAN, "let unexpire keep it fresh", (run,), (run,))
