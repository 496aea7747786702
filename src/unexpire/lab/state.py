"""Everything the lab's AWS knows: users and their keys, roles and whom they trust, and every session it ever issued."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..credentials import Credentials
from .clock import LabClock
from .keys import Vault, access_key_id, unique_id

__all__ = ["AccessKey", "Role", "Session", "State", "Trust", "User"]


@dataclass
class User:
    name: str
    arn: str
    user_id: str
    mfa_serial: str


@dataclass
class AccessKey:
    """A long-term key of a user."""

    access_key_id: str
    secret: str = field(repr=False)
    user: User
    active: bool = True


@dataclass(frozen=True)
class Trust:
    """Who may assume a role. `principals`: ARNs, an account (its root), or ``*``; `audiences` and `subjects` for web identities."""

    principals: tuple[str, ...] = ()
    external_id: str | None = None
    mfa: bool = False
    federated: bool = False
    audiences: tuple[str, ...] = ("sts.amazonaws.com",)
    subjects: tuple[str, ...] = ("*",)

    @classmethod
    def of_policy(cls, document: str) -> Trust:
        """What a trust policy says, as far as the lab can tell: principals, external id, MFA, audience, subject."""
        statements = json.loads(document).get("Statement", [])
        found: dict[str, Any] = {"principals": ()}
        for statement in statements if isinstance(statements, list) else [statements]:
            if statement.get("Effect") != "Allow":
                continue
            principal = statement.get("Principal", {})
            if principal == "*":
                principal = {"AWS": "*"}
            found["principals"] += _texts(principal.get("AWS"))
            found["federated"] = found.get("federated") or "Federated" in principal
            for test in statement.get("Condition", {}).values():
                for name, wanted in test.items():
                    if name.lower() == "sts:externalid":
                        found["external_id"] = _texts(wanted)[0]
                    elif name.lower() == "aws:multifactorauthpresent":
                        found["mfa"] = _texts(wanted)[0].lower() == "true"
                    elif name.endswith(":aud"):
                        found["audiences"] = _texts(wanted)
                    elif name.endswith(":sub"):
                        found["subjects"] = _texts(wanted)
        return cls(**found)

    def policy(self) -> str:
        """The trust policy that says the same."""
        condition: dict[str, dict[str, str]] = {}
        if self.external_id:
            condition["StringEquals"] = {"sts:ExternalId": self.external_id}
        if self.mfa:
            condition["Bool"] = {"aws:MultiFactorAuthPresent": "true"}
        principal: dict[str, list[str]] = {"AWS": list(self.principals)}
        action = "sts:AssumeRoleWithWebIdentity" if self.federated else "sts:AssumeRole"
        statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


@dataclass
class Role:
    name: str
    arn: str
    role_id: str
    trust: Trust
    max_session: timedelta = timedelta(hours=1)
    path: str = "/"


@dataclass
class Session:
    """A temporary set of keys. `kind`: assumed-role, web-identity, sso, imds, container, session-token, federated, login."""

    access_key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    kind: str
    arn: str
    user_id: str
    account: str
    issued_at: datetime
    ends_at: datetime
    role: str | None = None
    mfa: bool = False
    revoked: bool = False

    @property
    def is_chain_link(self) -> bool:
        """Whether assuming a role from here is role chaining: so it is from a role's session and from GetSessionToken's."""
        return self.role is not None or self.kind == "session-token"

    def credentials(self) -> Credentials:
        return Credentials(
            self.access_key_id,
            self.secret,
            self.token,
            expiration=self.ends_at,
            issued_at=self.issued_at,
            account_id=self.account,
        )


class State:
    """The tables, each change under one lock: requests arrive on the server's thread, tests meddle from theirs."""

    def __init__(self, account: str, clock: LabClock, lifetime: timedelta | None) -> None:
        self.account = account
        self.clock = clock
        self.lifetime = lifetime
        self.vault = Vault()
        self.lock = threading.RLock()
        self.keys: dict[str, AccessKey] = {}
        self.users: dict[str, User] = {}
        self.roles: dict[str, Role] = {}
        self.sessions: dict[str, Session] = {}
        self.by_token: dict[str, Session] = {}
        self.disabled_regions: set[str] = set()
        self.forget_after: timedelta | None = None

    # users and keys
    def add_user(self, name: str) -> User:
        arn = f"arn:aws:iam::{self.account}:"
        user = User(name, f"{arn}user/{name}", unique_id("AIDA"), f"{arn}mfa/{name}")
        with self.lock:
            self.users[name] = user
        return user

    def add_key(self, user: User, key: str | None = None, secret: str | None = None) -> AccessKey:
        found = AccessKey(
            key or access_key_id(self.account, "AKIA"),
            self.vault.keep(secret) if secret else self.vault.secret_key(),
            user,
        )
        with self.lock:
            self.keys[found.access_key_id] = found
        return found

    # roles
    def add_role(self, name: str, trust: Trust, max_session: timedelta = timedelta(hours=1), path: str = "/") -> Role:
        role = Role(name, f"arn:aws:iam::{self.account}:role{path}{name}", unique_id("AROA"), trust, max_session, path)
        with self.lock:
            self.roles[name] = role
        return role

    def role_of_arn(self, arn: str) -> Role | None:
        with self.lock:
            return next((role for role in self.roles.values() if role.arn == arn), None)

    # sessions
    def issue(
        self,
        kind: str,
        *,
        arn: str,
        user_id: str,
        duration: timedelta,
        role: str | None = None,
        mfa: bool = False,
        account: str | None = None,
        ends_at: datetime | None = None,
    ) -> Session:
        """A new session: it lasts `duration`, or the lab's own lifetime where that is set, or until `ends_at`, also in the past."""
        now = self.clock.now()
        lasts = self.lifetime if self.lifetime is not None else duration
        end = ends_at if ends_at is not None else now + lasts
        account = account or self.account
        session = Session(
            access_key_id=access_key_id(account, "ASIA"),
            secret=self.vault.secret_key(),
            token=self.vault.session_token(),
            kind=kind,
            arn=arn,
            user_id=user_id,
            account=account,
            issued_at=min(now, end - min(lasts, duration)) if ends_at is not None else now,
            ends_at=end.replace(microsecond=0),  # whole seconds, as AWS tells it: the end that is told is the true one
            role=role,
            mfa=mfa,
        )
        with self.lock:
            self.sessions[session.access_key_id] = session
            self.by_token[session.token] = session
        return session

    def issue_for_role(
        self,
        role: Role,
        name: str,
        *,
        kind: str = "assumed-role",
        duration: timedelta = timedelta(hours=1),
        ends_at: datetime | None = None,
    ) -> Session:
        return self.issue(
            kind,
            arn=f"arn:aws:sts::{self.account}:assumed-role/{role.name}/{name}",
            user_id=f"{role.role_id}:{name}",
            duration=duration,
            role=role.name,
            ends_at=ends_at,
        )

    def ended(self, session: Session) -> bool:
        return session.revoked or self.clock.now() >= session.ends_at

    def forgotten(self, session: Session) -> bool:
        """Whether a session ended so long ago that AWS calls its token invalid, not expired."""
        return self.forget_after is not None and self.clock.now() >= session.ends_at + self.forget_after

    def live_sessions(self) -> list[Session]:
        with self.lock:
            return [session for session in self.sessions.values() if not self.ended(session)]

    def end(self, sessions: Iterable[Session]) -> int:
        """End these now; how many were alive."""
        with self.lock:
            alive = [session for session in sessions if not self.ended(session)]
            for session in alive:
                session.ends_at = min(session.ends_at, self.clock.now())
                session.revoked = True
        return len(alive)

    def age(self, by: timedelta) -> None:
        with self.lock:
            for session in self.sessions.values():
                session.issued_at -= by
                session.ends_at -= by

    def owner_of(self, key: str) -> tuple[str, str, str] | None:
        """(arn, user id, account) of an access key id, dead or alive."""
        with self.lock:
            if (session := self.sessions.get(key)) is not None:
                return session.arn, session.user_id, session.account
            if (long_term := self.keys.get(key)) is not None:
                return long_term.user.arn, long_term.user.user_id, self.account
        return None


def opaque_name(prefix: str) -> str:
    """A session name as SDKs invent one."""
    return f"{prefix}-{secrets.randbelow(10**10):010d}"


def as_policy_rows(roles: Mapping[str, Role]) -> list[tuple[str, str, str, int]]:
    """(name, path, trust policy, longest session in seconds) of every role, for moto's IAM."""
    return [
        (role.name, role.path, role.trust.policy(), int(role.max_session.total_seconds())) for role in roles.values()
    ]
