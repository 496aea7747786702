"""IAM Identity Center's portal, which changes a login for the keys of a role that is assigned to it.

Wire format: botocore's model of `sso`.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from .refusals import Refused
from .sso import Sso
from .state import State
from .wire import Request, Response, json_response
from .world import OTHER_ACCOUNT, SSO_ROLE

__all__ = ["Portal"]


class Portal:
    """`assignments`: the roles of each account that the lab's human has."""

    def __init__(self, state: State, sso: Sso) -> None:
        self._state, self._sso = state, sso
        self.role_life = timedelta(hours=1)
        self.assignments: dict[str, set[str]] = {state.account: {SSO_ROLE, "PowerUser"}, OTHER_ACCOUNT: {SSO_ROLE}}

    def answer(self, request: Request) -> Response:
        token = self._sso.live_token(request.headers.get("x-amz-sso_bearer_token", ""))
        if token is None:
            raise Refused("UnauthorizedException", "Session token not found or invalid", 401)
        if request.path == "/logout":
            self._sso.revoke(token)
            return json_response(200, {})
        arguments = request.arguments
        if request.path == "/assignment/accounts":
            rows = [
                {
                    "accountId": account,
                    "accountName": f"lab-{account[-4:]}",
                    "emailAddress": f"aws+{account}@example.com",
                }
                for account in self.assignments
            ]
            return json_response(200, {"accountList": rows})
        account = arguments.get("account_id", "")
        roles = self.assignments.get(account, set())
        if request.path == "/assignment/roles":
            if not roles:
                raise Refused("ForbiddenException", "No access", 403)
            return json_response(
                200, {"roleList": [{"roleName": name, "accountId": account} for name in sorted(roles)]}
            )
        name = arguments.get("role_name", "")
        if name not in roles:
            raise Refused("ForbiddenException", "No access", 403)
        return self._role_credentials(account, name)

    def _role_credentials(self, account: str, name: str) -> Response:
        role = f"AWSReservedSSO_{name}_{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        session = self._state.issue(
            "sso",
            arn=f"arn:aws:sts::{account}:assumed-role/{role}/alice",
            user_id=f"AROA{hashlib.sha256(role.encode()).hexdigest()[:17].upper()}:alice",
            duration=self.role_life,
            role=role,
            account=account,
        )
        keys = {
            "accessKeyId": session.access_key_id,
            "secretAccessKey": session.secret,
            "sessionToken": session.token,
            "expiration": int(session.ends_at.timestamp() * 1000),
        }
        return json_response(200, {"roleCredentials": keys})

    def unassign(self, account: str, role: str) -> None:
        with self._state.lock:
            self.assignments.get(account, set()).discard(role)

    def assign(self, account: str, role: str) -> None:
        with self._state.lock:
            self.assignments.setdefault(account, set()).add(role)
