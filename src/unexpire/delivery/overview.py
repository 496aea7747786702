"""Everything that is known of sessions on this machine, without asking AWS: from the agent, and from our own store."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ..credentials import Credentials, KeyKind, format_timestamp, parse_timestamp
from ..errors import UnexpireError
from ..freshness import DEFAULT_POLICY, remaining
from ..providers.chain import predict
from ..settings.environment import Environment
from . import agent_protocol
from .sessions import session_store

__all__ = ["Line", "Overview", "overview"]


@dataclass(frozen=True, slots=True)
class Line:
    """One identity. `left` is what is left until the end that is advertised; None where there is none or it is not known."""

    name: str
    source: str
    known_from: str
    """``agent``, ``cache`` (sessions that our commands keep), ``environment`` (what the chain would pick now)."""
    held: bool
    temporary: bool = True
    left: timedelta | None = None
    lifetime: timedelta | None = None
    expires_at: datetime | None = None
    usable_until: datetime | None = None
    next_renewal: datetime | None = None
    renews_itself: bool | None = None
    waits_for: str | None = None
    error: str | None = None
    access_key_id: str | None = None

    def kept_back(self, now: datetime) -> bool:
        """Is it no longer handed out, while AWS would still take it: between the end that programs are told and its own?"""
        if self.usable_until is None or self.expires_at is None:
            return False
        return not remaining(self.usable_until, now) and bool(remaining(self.expires_at, now))

    def as_json(self) -> dict[str, Any]:
        def text(moment: datetime | None) -> str | None:
            return format_timestamp(moment) if moment is not None else None

        return {
            "name": self.name,
            "source": self.source,
            "known_from": self.known_from,
            "held": self.held,
            "access_key_id": self.access_key_id,
            "seconds_left": None if self.left is None else int(self.left.total_seconds()),
            "expires_at": text(self.expires_at),
            "usable_until": text(self.usable_until),
            "next_renewal": text(self.next_renewal),
            "renews_itself": self.renews_itself,
            "waits_for": self.waits_for,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Overview:
    """`agent` is what the agent says of itself, None where none runs."""

    lines: tuple[Line, ...]
    agent: dict[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        agent = None
        if self.agent is not None:
            agent = {name: self.agent[name] for name in ("pid", "version", "started_at", "endpoint")}
        return {"schema": 1, "agent": agent, "identities": [line.as_json() for line in self.lines]}


def overview(environment: Environment) -> Overview:
    """What is known now. A session that the agent keeps is shown as the agent's; the chain's own choice comes first."""
    now = environment.now()
    home = str(environment.home) if environment.home is not None else None
    answer = agent_protocol.ask(agent_protocol.socket_path(environment.variables, home), {"op": "status"}, timeout_s=5)
    agent = answer[1] if answer is not None and answer[0] == 200 else None
    lines = [_of_agent(each, now) for each in agent["identities"]] if agent is not None else []
    known = {line.access_key_id for line in lines if line.access_key_id}
    with contextlib.suppress(UnexpireError):
        for entry in session_store(environment).entries():
            if entry.credentials.access_key_id not in known:
                name = entry.label or entry.identity
                line = _of_credentials(name, "kept for unexpire's commands", "cache", entry.credentials, now)
                if line.left:
                    lines.append(line)
                    known.add(entry.credentials.access_key_id)
    chosen = _chosen(environment, now)
    if chosen is not None and chosen.access_key_id not in known:
        lines.insert(0, chosen)
    return Overview(tuple(lines), agent)


def _of_credentials(name: str, source: str, known_from: str, credentials: Credentials, now: datetime) -> Line:
    lifetime = None
    if credentials.expiration is not None and credentials.issued_at is not None:
        lifetime = credentials.expiration - credentials.issued_at
    end = DEFAULT_POLICY.advertised_end(credentials)
    return Line(
        name,
        source,
        known_from,
        held=True,
        temporary=credentials.kind is KeyKind.TEMPORARY,
        left=remaining(end, now),
        lifetime=lifetime,
        expires_at=credentials.expiration,
        usable_until=end,
        access_key_id=credentials.access_key_id,
    )


def _chosen(environment: Environment, now: datetime) -> Line | None:
    """What a program started here, without a flag, would use, where that is a pair of keys that stands written somewhere."""
    winner = predict(environment).winner
    if winner is None or not winner.static or winner.access_key_id is None:
        return None
    keys = Credentials(winner.access_key_id, "", "token" if winner.has_token else None, winner.expiration)
    line = _of_credentials(winner.profile or winner.method, winner.description, "environment", keys, now)
    # nothing of ours stands between these keys and AWS: they are good until their true end
    return replace(
        line, left=remaining(winner.expiration, now), usable_until=winner.expiration, renews_itself=winner.renewable
    )


def _of_agent(status: dict[str, Any], now: datetime) -> Line:
    def moment(name: str) -> datetime | None:
        return parse_timestamp(status[name]) if status.get(name) else None

    end, issued, usable = moment("expires_at"), moment("issued_at"), moment("usable_until")
    return Line(
        status["name"],
        status["source"],
        "agent",
        held=status["access_key_id"] is not None,
        temporary=not (status["access_key_id"] or "").startswith("AKIA"),
        left=remaining(usable, now),
        lifetime=end - issued if end is not None and issued is not None else None,
        expires_at=end,
        usable_until=usable,
        next_renewal=moment("next_look") if status["renews_itself"] else None,
        renews_itself=status["renews_itself"],
        waits_for=status["waits_for"],
        error=status["error"],
        access_key_id=status["access_key_id"],
    )
