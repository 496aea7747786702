"""The two endpoints that hand credentials to a machine: EC2's instance metadata (IMDSv2) and the container endpoint.

Wire formats: "Use the Instance Metadata Service" (EC2 user guide) and "Container credential provider" (AWS SDKs reference guide).
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .refusals import extended
from .state import Role, Session, State
from .wire import Request, Response, json_response

__all__ = ["Container", "Metadata"]

_IAM = "/latest/meta-data/iam"


class _Held:
    """The set of keys that an endpoint hands out until a new one is due."""

    def __init__(self, state: State, kind: str, role: str, name: str, life: timedelta) -> None:
        self._state, self._kind, self._role, self._name = state, kind, role, name
        self.life = life
        self.stale = False
        """Go on handing out a set that has ended, as a cut-off metadata service does."""
        self._session: Session | None = None

    def current(self) -> Session:
        """AWS puts a new set there at least five minutes before the old one ends; short lives in proportion."""
        state = self._state
        with state.lock:
            held = self._session
            if self.stale:
                if held is None:
                    over = state.clock.now() - timedelta(minutes=1)
                    held = self._session = state.issue_for_role(self.role, self._name, kind=self._kind, ends_at=over)
                return held
            if held is None or held.revoked or state.clock.now() >= held.ends_at - self._ahead(held):
                held = self._session = state.issue_for_role(self.role, self._name, kind=self._kind, duration=self.life)
            return held

    def _ahead(self, held: Session) -> timedelta:
        return min(timedelta(minutes=30), (held.ends_at - held.issued_at) / 4)

    @property
    def role(self) -> Role:
        return self._state.roles[self._role]


def _document(session: Session) -> dict[str, str]:
    return {
        "Code": "Success",
        "LastUpdated": extended(session.issued_at),
        "Type": "AWS-HMAC",
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret,
        "Token": session.token,
        "Expiration": extended(session.ends_at),
    }


@dataclass
class Metadata:
    """IMDSv2. `v1` also answers without a token; `role_attached` False is an instance without a role; `enabled` False refuses."""

    state: State
    v1: bool = False
    role_attached: bool = True
    enabled: bool = True
    tokens: dict[str, datetime] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.held = _Held(self.state, "imds", "Instance", "i-0123456789abcdef0", timedelta(hours=6))

    def answer(self, request: Request) -> Response:
        path = "/" + "/".join(part for part in request.path.split("/") if part)
        if not self.enabled:
            return _text(403, "", "Forbidden")
        if path == "/latest/api/token":
            return self._token(request)
        if not self._admitted(request):
            return _text(401, "", "Unauthorized")
        return self._read(path)

    def _token(self, request: Request) -> Response:
        name = "x-aws-ec2-metadata-token-ttl-seconds"
        life = request.headers.get(name, "")
        if request.method != "PUT":
            return _text(405, "", "MethodNotAllowed")
        if "x-forwarded-for" in request.headers:
            return _text(403, "", "Forbidden")
        if not life.isdigit() or not 1 <= int(life) <= 21600:
            return _text(400, "", "BadRequest")
        token = self.state.vault.opaque("AQAEA", 39)
        with self.state.lock:
            self.tokens[token] = self.state.clock.now() + timedelta(seconds=int(life))
        return Response(200, [("Content-Type", "text/plain"), (name, life)], token.encode())

    def _admitted(self, request: Request) -> bool:
        token = request.headers.get("x-aws-ec2-metadata-token")
        if token is None:
            return self.v1
        end = self.tokens.get(token)
        return end is not None and self.state.clock.now() < end

    def _read(self, path: str) -> Response:
        role = self.held.role
        if path == "/latest/dynamic/instance-identity/document":
            return _text(
                200,
                json.dumps(
                    {"region": "us-east-1", "accountId": self.state.account, "instanceId": "i-0123456789abcdef0"}
                ),
            )
        if path == "/latest/meta-data/placement/region":
            return _text(200, "us-east-1")
        if path == "/latest/meta-data/placement/availability-zone":
            return _text(200, "us-east-1a")
        if path == "/latest/meta-data/instance-id":
            return _text(200, "i-0123456789abcdef0")
        if not self.role_attached:
            return _text(404, "", "NotFound")
        for listing in ("security-credentials", "security-credentials-extended"):
            if path == f"{_IAM}/{listing}":
                return _text(200, role.name)
            if path == f"{_IAM}/{listing}/{role.name}":
                document = _document(self.held.current())
                if listing.endswith("extended"):
                    document["AccountId"] = self.state.account
                return _text(200, json.dumps(document, indent=2))
        if path == f"{_IAM}/info":
            arn = f"arn:aws:iam::{self.state.account}:instance-profile/{role.name}"
            return _text(200, json.dumps({"Code": "Success", "InstanceProfileArn": arn}))
        return _text(404, "", "NotFound")


def _text(status: int, body: str, outcome: str = "ok") -> Response:
    return Response(status, [("Content-Type", "text/plain")], body.encode(), outcome)


class Container:
    """The endpoint of ``AWS_CONTAINER_CREDENTIALS_FULL_URI``, which wants its authorization token."""

    PATH = "/_container/credentials"

    def __init__(self, state: State) -> None:
        self._state = state
        self.held = _Held(state, "container", "Task", "ecs-task", timedelta(hours=6))
        self.token = state.vault.opaque("lab-container-")

    def answer(self, request: Request) -> Response:
        given = request.headers.get("authorization")
        if given is None or not secrets.compare_digest(given.encode(), self.token.encode()):
            status, code = (400, "InvalidTokenException") if given is None else (403, "AccessDeniedException")
            message = (
                "Service account token cannot be empty" if given is None else "the authorization token is not valid"
            )
            document = {"code": code, "Code": code, "message": message, "Message": message}
            return json_response(status, document, outcome=code)
        session = self.held.current()
        return json_response(
            200, {**_document(session), "RoleArn": self.held.role.arn, "AccountId": self._state.account}
        )
