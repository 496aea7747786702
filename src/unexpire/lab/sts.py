"""The lab's STS. moto's is never asked: an identity is what the lab's own table of sessions says.

Limits and sentences: the STS API reference (AssumeRole, AssumeRoleWithWebIdentity, GetSessionToken, GetFederationToken), and the
answers in 99designs/aws-vault#263, aws-actions/configure-aws-credentials#299, external-secrets/external-secrets#6648.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import hmac
import re
import struct
from collections.abc import Callable
from datetime import timedelta
from xml.sax.saxutils import escape

from .gate import Caller
from .issuer import Issuer, TokenExpired, TokenInvalid
from .refusals import Refused, extended, refuse, request_id
from .state import Role, Session, State
from .wire import Call, Request, Response

__all__ = ["FIXED_MFA_CODE", "Sts"]

FIXED_MFA_CODE = "123456"
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)


class Sts:
    """Answers every STS operation, for a caller that the gate admitted, or for none where the operation is unsigned."""

    UNSIGNED = frozenset({"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})

    def __init__(self, state: State, issuer: Issuer) -> None:
        self._state = state
        self._issuer = issuer
        self.mfa_seed = base64.b32encode(hashlib.sha256(state.account.encode()).digest()[:20]).decode()

    def answer(self, request: Request, caller: Caller | None, call: Call) -> Response:
        form = request.form
        if call.operation == "AssumeRoleWithWebIdentity":
            return self._assume_role_with_web_identity(form, call)
        if call.operation == "AssumeRoleWithSAML":
            raise Refused("InvalidIdentityToken", "Invalid base64 SAMLResponse", 400)  # the lab has no SAML provider
        if caller is None:
            raise refuse("missing", call)
        operations: dict[str, Callable[[dict[str, str], Caller], Response]] = {
            "AssumeRole": self._assume_role,
            "GetCallerIdentity": self._get_caller_identity,
            "GetSessionToken": self._get_session_token,
            "GetFederationToken": self._get_federation_token,
            "GetAccessKeyInfo": self._get_access_key_info,
        }
        found = operations.get(call.operation)
        if found is None:
            raise Refused(
                "InvalidAction",
                f"Could not find operation {call.operation} for version {form.get('Version', 'NO_VERSION_SPECIFIED')}",
                400,
            )
        return found(form, caller)

    def _get_caller_identity(self, form: dict[str, str], caller: Caller) -> Response:
        fields = {"Arn": caller.arn, "UserId": caller.user_id, "Account": caller.account}
        return _result("GetCallerIdentity", "".join(f"<{n}>{escape(v)}</{n}>" for n, v in fields.items()))

    def _get_access_key_info(self, form: dict[str, str], caller: Caller) -> Response:
        from ..credentials import account_id_of_key

        account = account_id_of_key(form.get("AccessKeyId", "")) or self._state.account
        return _result("GetAccessKeyInfo", f"<Account>{account}</Account>")

    def _assume_role(self, form: dict[str, str], caller: Caller) -> Response:
        arn, name = _role_arn(form), _session_name(form)
        duration = self._duration(form, longest=43200)
        role = self._state.role_of_arn(arn)
        denied = Refused(
            "AccessDenied", f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}", 403
        )
        if role is None or (caller.session and caller.session.kind in ("federated",)):
            raise denied
        mfa = self._checked_mfa(form, caller) or (caller.session is not None and caller.session.mfa)
        if not self._trusts(role, caller, form.get("ExternalId"), mfa):
            raise denied
        if caller.session is not None and caller.session.is_chain_link and duration > timedelta(hours=1):
            raise _validation(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
            )
        _check_role_limit(role, duration)
        session = self._state.issue_for_role(role, name, duration=duration)
        session.mfa = mfa
        source = (
            f"<SourceIdentity>{escape(form['SourceIdentity'])}</SourceIdentity>" if form.get("SourceIdentity") else ""
        )
        return _result("AssumeRole", _role_user(session) + source + _credentials(session))

    def _trusts(self, role: Role, caller: Caller, external_id: str | None, mfa: bool) -> bool:
        trust, root = role.trust, f"arn:aws:iam::{caller.account}:root"
        names = {"*", caller.account, root, caller.arn}
        if caller.session is not None and caller.session.role in self._state.roles:
            names.add(self._state.roles[caller.session.role or ""].arn)
        return (
            bool(names & set(trust.principals))
            and (trust.external_id is None or trust.external_id == external_id)
            and (mfa or not trust.mfa)
        )

    def _assume_role_with_web_identity(self, form: dict[str, str], call: Call) -> Response:
        arn, name = _role_arn(form), _session_name(form)
        duration = self._duration(form, longest=43200)
        try:
            claims = self._issuer.read(form.get("WebIdentityToken", ""))
        except TokenExpired as error:
            raise Refused(
                "ExpiredTokenException",
                f"Token expired: current date/time {error.now} must be before the expiration date/time{error.end}",
                400,
            ) from None
        except TokenInvalid as error:
            raise Refused("InvalidIdentityToken", str(error), 400) from None
        role = self._state.role_of_arn(arn)
        denied = Refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)
        if role is None or not role.trust.federated:
            raise denied
        audience, subject = str(claims.get("aud", "")), str(claims.get("sub", ""))
        if audience not in role.trust.audiences:
            raise Refused("InvalidIdentityToken", "Incorrect token audience", 400)
        if not any(fnmatch.fnmatchcase(subject, pattern) for pattern in role.trust.subjects):
            raise denied
        _check_role_limit(role, duration)
        session = self._state.issue_for_role(role, name, kind="web-identity", duration=duration)
        told = {
            "SubjectFromWebIdentityToken": subject,
            "Audience": audience,
            "Provider": self._issuer.provider_arn(self._state.account),
        }
        more = "".join(f"<{n}>{escape(v)}</{n}>" for n, v in told.items())
        return _result("AssumeRoleWithWebIdentity", more + _role_user(session) + _credentials(session))

    def _get_session_token(self, form: dict[str, str], caller: Caller) -> Response:
        if caller.key is None:
            raise Refused("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
        duration = self._duration(form, longest=129600, default=43200)
        mfa = self._checked_mfa(form, caller)
        session = self._state.issue("session-token", arn=caller.arn, user_id=caller.user_id, duration=duration, mfa=mfa)
        return _result("GetSessionToken", _credentials(session))

    def _get_federation_token(self, form: dict[str, str], caller: Caller) -> Response:
        if caller.key is None:
            raise Refused("AccessDenied", "Cannot call GetFederationToken with session credentials", 403)
        name = form.get("Name", "")
        if not re.fullmatch(r"[\w+=,.@-]{2,32}", name, re.ASCII):
            raise _constraint(name, "name", r"satisfy regular expression pattern: [\w+=,.@-]*")
        duration = self._duration(form, longest=129600, default=43200)
        account = self._state.account
        arn, user_id = f"arn:aws:sts::{account}:federated-user/{name}", f"{account}:{name}"
        session = self._state.issue("federated", arn=arn, user_id=user_id, duration=duration)
        user = f"<FederatedUser><Arn>{arn}</Arn><FederatedUserId>{user_id}</FederatedUserId></FederatedUser>"
        return _result("GetFederationToken", user + _credentials(session))

    def _duration(self, form: dict[str, str], *, longest: int, default: int = 3600) -> timedelta:
        """DurationSeconds within its limits; the lower one gives way where the lab's own sessions are shorter still."""
        text = form.get("DurationSeconds")
        if text is None:
            return timedelta(seconds=default)
        if not text.isdigit():
            raise Refused("MalformedInput", "Invalid Argument", 400)
        seconds, shortest = int(text), 900
        if self._state.lifetime is not None:
            shortest = min(shortest, int(self._state.lifetime.total_seconds()))
        if seconds < shortest:
            raise _constraint(text, "durationSeconds", "have value greater than or equal to 900")
        if seconds > longest:
            raise _constraint(text, "durationSeconds", f"have value less than or equal to {longest}")
        return timedelta(seconds=seconds)

    def _checked_mfa(self, form: dict[str, str], caller: Caller) -> bool:
        """Whether the call carried a right code; raises Refused for a wrong one or for half of the two parameters."""
        serial, code = form.get("SerialNumber"), form.get("TokenCode")
        if serial is None and code is None:
            return False
        failed = "MultiFactorAuthentication failed"
        if serial is None or code is None:
            raise Refused("AccessDenied", f"{failed}, must provide both MFA serial number and one time pass code.", 403)
        user = caller.key.user if caller.key else None
        if user is None or serial != user.mfa_serial:
            raise Refused(
                "AccessDenied",
                f"{failed}, unable to validate MFA code.  Please verify your MFA serial number is valid and associated "
                "with this user.",
                403,
            )
        if code != FIXED_MFA_CODE and code not in self.mfa_codes():
            raise Refused("AccessDenied", f"{failed} with invalid MFA one time pass code. ", 403)
        return True

    def mfa_codes(self) -> tuple[str, ...]:
        """The codes that the virtual MFA device shows now and showed one step ago (TOTP, RFC 6238)."""
        step = int(self._state.clock.now().timestamp()) // 30
        return _totp(self.mfa_seed, step), _totp(self.mfa_seed, step - 1)


def _totp(seed: str, step: int) -> str:
    digest = hmac.new(base64.b32decode(seed), struct.pack(">Q", step), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(int.from_bytes(digest[offset : offset + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"


def _role_arn(form: dict[str, str]) -> str:
    arn = form.get("RoleArn", "")
    if len(arn) < 20:
        raise _constraint(arn, "roleArn", "have length greater than or equal to 20")
    if not _ROLE_ARN.fullmatch(arn):
        raise _validation(f"{arn} is invalid")
    return arn


def _session_name(form: dict[str, str]) -> str:
    name = form.get("RoleSessionName", "")
    if not _SESSION_NAME.fullmatch(name):
        raise _constraint(name, "roleSessionName", r"satisfy regular expression pattern: [\w+=,.@-]*")
    return name


def _check_role_limit(role: Role, duration: timedelta) -> None:
    if duration > role.max_session:
        raise _validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")


def _constraint(value: str, member: str, must: str) -> Refused:
    return _validation(
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {must}"
    )


def _validation(message: str) -> Refused:
    return Refused("ValidationError", message, 400)


def _role_user(session: Session) -> str:
    return (
        f"<AssumedRoleUser><Arn>{escape(session.arn)}</Arn>"
        f"<AssumedRoleId>{escape(session.user_id)}</AssumedRoleId></AssumedRoleUser>"
    )


def _credentials(session: Session) -> str:
    return (
        f"<Credentials><AccessKeyId>{session.access_key_id}</AccessKeyId>"
        f"<SecretAccessKey>{session.secret}</SecretAccessKey><SessionToken>{session.token}</SessionToken>"
        f"<Expiration>{extended(session.ends_at)}</Expiration></Credentials>"
    )


def _result(operation: str, content: str) -> Response:
    body = (
        f'<{operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{operation}Result>{content}'
        f"</{operation}Result><ResponseMetadata><RequestId>{request_id()}</RequestId></ResponseMetadata>"
        f"</{operation}Response>"
    )
    return Response(200, [("Content-Type", "text/xml")], body.encode())
