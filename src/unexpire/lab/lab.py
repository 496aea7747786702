"""`Lab`: the running lab, and everything a test does to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from ..credentials import Credentials, format_timestamp
from . import home as _home
from .clock import LabClock, real_now
from .control import Control
from .front import Front
from .ledger import Entry
from .outages import Mode, Outage
from .server import Server
from .sso import Client, SsoToken
from .state import AccessKey, Role, State, Trust
from .world import ACCOUNT, SSO_ROLE, populate

__all__ = ["Lab"]


class Lab:
    """An AWS on loopback whose credentials expire; a context manager.

    lifetime    how long every session lasts, whatever its caller asks within AWS's limits; None: as AWS has it, by the kind of
                session and DurationSeconds.
    clock       the lab's time, aware UTC. Signatures are judged by the machine's real clock, because SDKs sign with that.
    port        0 takes a free one.

    Every method may be called from any thread. Times in seconds are floats or ints.
    """

    def __init__(
        self,
        lifetime: timedelta | None = None,
        *,
        clock: Callable[[], datetime] = real_now,
        port: int = 0,
        account: str = ACCOUNT,
    ) -> None:
        if lifetime is not None and lifetime < timedelta(seconds=1):
            raise ValueError("a lifetime is at least a second")
        self.clock = LabClock(clock)
        self.state = State(account, self.clock, lifetime)
        self.user: AccessKey = populate(self.state)
        self._front = Front(self.state)
        self._front.control = Control(self)
        self._server = Server(self._front.handle, port)
        self._front.server = self._server
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._front.sso.url = self.url
        self._front.issuer.url = f"{self.url}/_issuer"

    def start(self) -> Lab:
        self._server.start()
        return self

    def stop(self) -> None:
        self._server.stop()
        self._front.backend.close()

    def __enter__(self) -> Lab:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # what is there
    @property
    def account(self) -> str:
        return self.state.account

    def now(self) -> datetime:
        """What time AWS thinks it is."""
        return self.clock.now()

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def user_credentials(self) -> Credentials:
        """The long-term key of the user alice."""
        return Credentials(self.user.access_key_id, self.user.secret, account_id=self.account)

    @property
    def mfa_serial(self) -> str:
        return self.user.user.mfa_serial

    def mfa_code(self) -> str:
        """What alice's MFA device shows now; ``123456`` works always."""
        return self._front.sts.mfa_codes()[0]

    def role_arn(self, name: str) -> str:
        """The ARN of a role by its name: Deploy, Deep, Chained, Secure, Partner, Forbidden, Web, Instance, Task."""
        return self.state.roles[name].arn

    @property
    def start_url(self) -> str:
        """The SSO start URL."""
        return self._front.sso.start_url

    @property
    def container_url(self) -> str:
        return f"{self.url}{self._front.container.PATH}"

    @property
    def container_token(self) -> str:
        return self._front.container.token

    def environment(self, home: Path | None = None, *, imds: bool = False, container: bool = False) -> dict[str, str]:
        """Variables that point any AWS SDK at the lab, and at the AWS files of `home`. Without `imds` the metadata service is
        disabled, so that nothing looks for it at 169.254.169.254."""
        return _home.environment(self, home, imds=imds, container=container)

    def make_home(self, path: Path) -> dict[str, str]:
        """Write AWS files with a profile of every kind into `path` and return the environment for them (IMDS and container
        included). The profiles are listed in `unexpire.lab.home`."""
        _home.write(self, path)
        return self.environment(path, imds=True, container=True)

    def secrets(self) -> frozenset[str]:
        """Every secret that the lab ever issued: no program may show one."""
        return self.state.vault.issued()

    def describe(self) -> dict[str, Any]:
        """What is there, without a secret."""
        lifetime = self.state.lifetime
        return {
            "url": self.url,
            "account": self.account,
            "now": format_timestamp(self.clock.now()),
            "clock_offset_s": self.clock.offset.total_seconds(),
            "lifetime_s": None if lifetime is None else lifetime.total_seconds(),
            "user": {
                "arn": self.user.user.arn,
                "access_key_id": self.user.access_key_id,
                "mfa_serial": self.mfa_serial,
            },
            "roles": {name: role.arn for name, role in self.state.roles.items()},
            "sso": {
                "start_url": self.start_url,
                "assignments": {a: sorted(r) for a, r in self._front.portal.assignments.items()},
            },
            "issuer": self._front.issuer.url,
            "sessions": [
                {
                    "access_key_id": session.access_key_id,
                    "arn": session.arn,
                    "kind": session.kind,
                    "ends_at": format_timestamp(session.ends_at),
                }
                for session in self.state.live_sessions()
            ],
        }

    # making things
    def issue_session(
        self,
        role: str = "Deploy",
        *,
        name: str = "lab",
        seconds: float | None = None,
        ends_at: datetime | None = None,
    ) -> Credentials:
        """A role session out of thin air: with the lab's lifetime, with so many `seconds` left (negative: already ended), or
        ending at `ends_at`."""
        if seconds is not None:
            ends_at = self.clock.now() + timedelta(seconds=seconds)
        return self.state.issue_for_role(self.state.roles[role], name, ends_at=ends_at).credentials()

    def web_identity_token(
        self,
        subject: str = "system:serviceaccount:default:web",
        audience: str = "sts.amazonaws.com",
        seconds: float = 86400,
    ) -> str:
        return self._front.issuer.token(subject, audience, timedelta(seconds=seconds))

    def write_web_identity_token(self, path: Path, seconds: float = 86400, *, rotate: bool = False) -> None:
        """Write a fresh token to `path` in one step, as the kubelet does. `rotate`: and again, each time when four fifths of its
        life are gone, until `stop_rotation` or the end of the lab."""
        life = timedelta(seconds=seconds)
        if not rotate:
            self._front.issuer.let_go(path)
            self._front.issuer.write_token(path, life=life)
            return
        self._front.issuer.keep_fresh(path, life)
        self._server.every(0.25, self._front.issuer.rotate)

    def rotate_due(self) -> bool:
        """Rewrite the token files that are due now, as happens by itself four times a second; whether there are any at all."""
        return self._front.issuer.rotate()

    def stop_rotation(self) -> None:
        """Nobody rewrites the web identity token files any more."""
        self._front.issuer.let_go()

    def register_sso_client(self) -> Client:
        return self._front.sso.register_client()

    def issue_sso_token(self, client: Client, *, refresh: bool = True) -> SsoToken:
        return self._front.sso.issue_token(client, refresh=refresh)

    @property
    def login_session(self) -> str:
        """The name that `login_session` of a profile carries: an ARN."""
        return self._front.signin.session_name

    def login_document(self) -> dict[str, Any]:
        """A fresh console sign-in, as `aws login` caches it."""
        return self._front.signin.cached(*self._front.signin.log_in())

    def sso_login(self, home: Path, session: str = "lab", *, legacy: bool = False) -> Path:
        """Log in to SSO as `aws sso login` would: a token in the cache below `home`. Returns the file."""
        return _home.sso_login(self, home, session, legacy=legacy)

    # what was asked
    def count(
        self,
        service: str | None = None,
        operation: str | None = None,
        identity: str | None = None,
        outcome: str | None = None,
    ) -> int:
        """How many requests fit. `outcome`: ``ok``, an error code, ``expired`` (any code that means a dead session), ``error``."""
        return len(self._front.ledger.entries(service, operation, identity, outcome))

    def counts(self) -> list[dict[str, Any]]:
        """Rows of service, operation, identity, outcome, count."""
        return self._front.ledger.rows()

    def requests(self, **where: str) -> list[Entry]:
        """The log, oldest first; the same filters as `count`."""
        return self._front.ledger.entries(**where)

    def reset_counts(self) -> None:
        self._front.ledger.reset()

    # time
    def advance(self, seconds: float) -> None:
        """Let time pass for the lab: its clock, `Date` and every end move; signatures made by real clocks are still accepted. For
        programs under test whose own clock is moved by as much."""
        self.clock.advance(timedelta(seconds=seconds))

    def age(self, seconds: float) -> None:
        """Make everything issued so far older, and touch no clock: for programs that live by the machine's real clock."""
        by = timedelta(seconds=seconds)
        self.state.age(by)
        for part in (self._front.sso, self._front.signin, self._front.issuer):
            part.age(by)

    def set_clock_offset(self, seconds: float) -> None:
        """Put AWS's clock ahead of its callers' (negative: behind). Signatures meet it too."""
        self.clock.set_offset(timedelta(seconds=seconds))

    # trouble
    def outage(
        self,
        service: str,
        mode: Mode,
        *,
        seconds: float | None = None,
        operation: str | None = None,
        times: int | None = None,
        delay_s: float = 2.0,
    ) -> Outage:
        """From now on `service` (``*`` for all) misbehaves, see `unexpire.lab.outages.Outage`: for so many seconds of the lab's
        clock, so many requests, or until `clear_outages`."""
        return self._front.outages.started(service, mode, seconds, operation=operation, times=times, delay_s=delay_s)

    def clear_outages(self, service: str | None = None) -> None:
        self._front.outages.clear(service)

    def end_all_sessions(self) -> int:
        """Every session is over, now. How many were alive."""
        return self.state.end(list(self.state.sessions.values()))

    def revoke(self, access_key_id: str) -> int:
        return self.state.end([self.state.sessions[access_key_id]])

    def rotate_key(self, access_key_id: str | None = None) -> Credentials:
        """A new long-term key for the same user; the old one is gone."""
        old = self.state.keys[access_key_id or self.user.access_key_id]
        new = self.state.add_key(old.user)
        old.active = False
        if old is self.user:
            self.user = new
        return Credentials(new.access_key_id, new.secret, account_id=self.account)

    def deactivate_key(self, access_key_id: str | None = None) -> None:
        self.state.keys[access_key_id or self.user.access_key_id].active = False

    def activate_key(self, access_key_id: str | None = None) -> None:
        self.state.keys[access_key_id or self.user.access_key_id].active = True

    def set_role(
        self,
        name: str,
        *,
        principals: tuple[str, ...] | None = None,
        external_id: str | None = None,
        mfa: bool = False,
        trust_policy: str | None = None,
        max_session_s: float | None = None,
    ) -> str:
        """Make or change a role; its ARN. Without `principals` or `trust_policy` whom it trusts stays as it is."""
        role: Role = self.state.roles.get(name) or self.state.add_role(name, Trust())
        if trust_policy is not None:
            role.trust = Trust.of_policy(trust_policy)
        elif principals is not None:
            role.trust = Trust(tuple(principals), external_id, mfa)
        if max_session_s is not None:
            role.max_session = timedelta(seconds=max_session_s)
        return role.arn

    def disable_region(self, region: str) -> None:
        """As a Region that the account has not opted in to."""
        self.state.disabled_regions.add(region)

    def enable_region(self, region: str) -> None:
        self.state.disabled_regions.discard(region)

    def set_forget_after(self, seconds: float | None) -> None:
        """Sessions that ended this long ago are called invalid, no longer expired, as AWS does with very old ones."""
        self.state.forget_after = None if seconds is None else timedelta(seconds=seconds)

    # SSO, login, metadata
    def revoke_sso(self) -> int:
        """Sign out every SSO login: access and refresh tokens are dead, whatever the caches say."""
        return self._front.sso.revoke()

    def expire_sso_clients(self) -> None:
        self._front.sso.expire_clients()

    def unassign_sso_role(self, role: str = SSO_ROLE, account: str | None = None) -> None:
        self._front.portal.unassign(account or self.account, role)

    def assign_sso_role(self, role: str = SSO_ROLE, account: str | None = None) -> None:
        self._front.portal.assign(account or self.account, role)

    def approve_device(self, user_code: str | None = None, *, deny: bool = False) -> int:
        """Approve (or deny) the device logins that wait; how many."""
        return self._front.sso.approve(user_code, deny=deny)

    def set_auto_approve(self, on: bool = True) -> None:
        """Device logins need nobody."""
        self._front.sso.auto_approve = on

    def set_sso_lifetimes(self, *, token_s: float | None = None, portal_s: float | None = None) -> None:
        if token_s is not None:
            self._front.sso.token_life = timedelta(seconds=token_s)
        if portal_s is not None:
            self._front.sso.portal_life = timedelta(seconds=portal_s)

    def revoke_login(self, error: str = "TOKEN_EXPIRED") -> None:
        """Every `aws login` ends with this error of the sign-in service's model."""
        self._front.signin.revoke(error)

    def set_imds(
        self,
        *,
        v1: bool | None = None,
        role_attached: bool | None = None,
        enabled: bool | None = None,
        stale: bool | None = None,
    ) -> None:
        metadata = self._front.metadata
        for name, value in (("v1", v1), ("role_attached", role_attached), ("enabled", enabled)):
            if value is not None:
                setattr(metadata, name, value)
        if stale is not None:
            metadata.held.stale = stale

    def set_container(self, *, stale: bool) -> None:
        self._front.container.held.stale = stale
