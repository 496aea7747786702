"""The front door of the lab: which part of its AWS a request is for, what comes back, and the line in the ledger."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from email.utils import format_datetime

from .backend import Backend
from .control import Control
from .gate import Caller, Gate, call_of_broken
from .iam import learn
from .issuer import PATH as ISSUER_PATH
from .issuer import Issuer
from .ledger import Entry, Ledger
from .metadata import Container, Metadata
from .outages import Outage, Outages, effect
from .portal import Portal
from .refusals import Refused, refuse, render
from .server import Broken, Server, in_pool, truncated
from .signin import Signin
from .sigv4 import Claim
from .sso import Sso
from .state import State
from .sts import Sts
from .wire import Call, Protocol, Request, Response

__all__ = ["Front"]

_log = logging.getLogger(__name__)

_PORTAL = {
    "/federation/credentials": "GetRoleCredentials",
    "/assignment/accounts": "ListAccounts",
    "/assignment/roles": "ListAccountRoles",
    "/logout": "Logout",
}
_OIDC = {
    "/client/register": "RegisterClient",
    "/device_authorization": "StartDeviceAuthorization",
    "/token": "CreateToken",
}


class Front:
    """Everything that answers, behind one port."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.ledger = Ledger()
        self.outages = Outages(state.clock.now)
        self.gate = Gate(state)
        self.backend = Backend(state)
        self.issuer = Issuer(state.clock, state.vault)
        self.sts = Sts(state, self.issuer)
        self.sso = Sso(state)
        self.portal = Portal(state, self.sso)
        self.signin = Signin(state)
        self.metadata = Metadata(state)
        self.container = Container(state)
        self.control: Control | None = None
        self.server: Server | None = None

    async def handle(self, request: Request) -> Response:
        if request.path.startswith("/_lab") and self.control is not None:
            return self._dated(self.control.answer(request))
        claim: Claim | None = None
        refused: Refused | None = None
        local = self._local(request)
        if local is not None:
            call = local[0]
        else:
            try:
                claim, call = self.gate.claim_of(request)
            except Refused as error:
                refused, call = error, call_of_broken(request)
        outage = self.outages.hit(call)
        if outage is not None:
            met = await self._outage(outage, request, call, claim)
            if met is not None:
                return self._recorded(request, met, call, claim)
        try:
            if refused is not None:
                raise refused
            response = local[1](request) if local is not None else await self._aws(request, claim, call)
        except Refused as error:
            response = render(error, call, request.method, _json_version(request))
        except Exception:
            # A fault of the lab or of moto must not leave the caller waiting for ever.
            _log.exception("%s %s failed in the lab", call.service, call.operation)
            response = render(refuse("internal", call), call, request.method, _json_version(request))
        response = self._recorded(request, response, call, claim)
        if outage is not None and outage.mode == "truncate":
            raise Broken(truncated(response))
        return response

    async def _outage(self, outage: Outage, request: Request, call: Call, claim: Claim | None) -> Response | None:
        """What an outage answers; None where the right answer follows after all. Raises Broken."""
        if outage.mode in ("refuse", "garbage", "hang"):
            self._recorded(request, Response(0, outcome=f"outage:{outage.mode}"), call, claim)
        if outage.mode == "hang":
            while not self.outages.over(outage):
                await asyncio.sleep(0.1)
        if outage.mode in ("refuse", "hang"):
            raise Broken
        if outage.mode == "garbage":
            raise Broken(secrets.token_bytes(512))
        return await effect(outage, call, request.method)

    async def _aws(self, request: Request, claim: Claim | None, call: Call) -> Response:
        if call.service == "sts" and call.operation in Sts.UNSIGNED and claim is None:
            return self.sts.answer(request, None, call)
        caller = self.gate.admit(request, claim, call)
        if call.service == "sts":
            return self.sts.answer(request, caller, call)
        self._check_may_call(caller, call)
        assert self.server is not None
        response = await in_pool(self.server, self.backend.answer, request, call, caller.account)
        if call.service == "iam" and response.status == 200:
            learn(self.state, request.form, response.body)
        return response

    def _check_may_call(self, caller: Caller, call: Call) -> None:
        """IAM is closed to GetSessionToken's sessions without MFA (STS API reference, GetSessionToken)."""
        session = caller.session
        if call.service == "iam" and session is not None and session.kind == "session-token" and not session.mfa:
            raise refuse("unknown-key", call)

    def _local(self, request: Request) -> tuple[Call, Callable[[Request], Response]] | None:
        """The parts that take no signature: SSO, sign-in, metadata, container, issuer and the pages for humans."""
        path, headers = request.path, request.headers
        if path == self.container.PATH:
            return Call("container", "GetCredentials", Protocol.REST_JSON), self.container.answer
        if path.startswith(ISSUER_PATH):
            return Call("issuer", "Get", Protocol.REST_JSON), self.issuer.answer
        if path == "/_sso/device":
            return Call("sso-oidc", "Page", Protocol.REST_JSON), self.sso.page
        if path == "/authorize":
            return Call("sso-oidc", "Authorize", Protocol.REST_JSON), self.sso.authorize
        if "authorization" in headers or "X-Amz-Signature" in request.arguments:
            return None
        if path.lstrip("/").startswith("latest/"):
            name = "PutToken" if request.method == "PUT" else "Get"
            return Call("imds", name, Protocol.REST_JSON), self.metadata.answer
        if path in _PORTAL and "x-amz-sso_bearer_token" in headers:
            return Call("sso", _PORTAL[path], Protocol.REST_JSON), self.portal.answer
        if request.method == "POST" and path in _OIDC:
            return Call("sso-oidc", _OIDC[path], Protocol.REST_JSON), self.sso.oidc
        if request.method == "POST" and path == "/v1/token":
            return Call("signin", "CreateOAuth2Token", Protocol.REST_JSON), self.signin.answer
        return None

    def _recorded(self, request: Request, response: Response, call: Call, claim: Claim | None) -> Response:
        key = claim.access_key_id if claim else None
        owner = self.state.owner_of(key) if key else None
        now = self.state.clock.now()
        entry = Entry(
            now, call.service, call.operation, key, owner[0] if owner else None, response.status, response.outcome
        )
        self.ledger.add(entry)
        return self._dated(response)

    def _dated(self, response: Response) -> Response:
        response.headers.append(("Date", format_datetime(self.state.clock.now(), usegmt=True)))
        return response


def _json_version(request: Request) -> str:
    found = request.headers.get("content-type", "").rpartition("x-amz-json-")[2][:3]
    return found if found in ("1.0", "1.1") else "1.0"
