"""The gate: who signed this request, with which session, and may it still pass?

The order is AWS's own as far as its answers show it: the token is looked at before the signature, so that an ended session is
called expired and not wrongly signed, and the clock before the signature, so that a late request is told how late it is.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from .refusals import Refused, basic, extended, refuse
from .sigv4 import Claim, Malformed, Verdict, chunks_are_signed, read_claim, verify
from .state import AccessKey, Session, State
from .wire import Call, Protocol, Request, identify

__all__ = ["Caller", "Gate", "call_of_broken"]

_REGION = re.compile(r"(aws-global|[a-z]{2}(-[a-z]+)+-\d+)")
_FIVE, _FIFTEEN = timedelta(minutes=5), timedelta(minutes=15)
_STS_ACTIONS = frozenset({
    "AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "DecodeAuthorizationMessage", "GetAccessKeyInfo",
    "GetCallerIdentity", "GetFederationToken", "GetSessionToken",
})  # fmt: skip


@dataclass(frozen=True)
class Caller:
    """Whose request this is: the claim it made, and the key or the session that belongs to it."""

    claim: Claim
    arn: str
    user_id: str
    account: str
    session: Session | None = None
    key: AccessKey | None = None


class Gate:
    def __init__(self, state: State) -> None:
        self._state = state

    def claim_of(self, request: Request) -> tuple[Claim | None, Call]:
        """Who the request says signed it and what it is for; raises Refused where it can't be read."""
        try:
            claim = read_claim(request)
        except Malformed as error:
            raise _malformed(error, call_of_broken(request), request) from None
        if claim is None:
            return None, identify(request)
        return claim, identify(request, claim.service, claim.region)

    def admit(self, request: Request, claim: Claim | None, call: Call) -> Caller:
        """The caller of a signed request; raises Refused in the words of the service."""
        if claim is None:
            raise refuse("missing", call)
        caller, secret = self._holder(claim, call)
        self._check_scope(claim, call)
        self._check_time(claim, call)
        verdict = verify(request, claim, secret)
        if not verdict.right:
            raise _wrong_signature(claim, call, verdict)
        _check_body(request, claim, call, secret)
        return caller

    def _holder(self, claim: Claim, call: Call) -> tuple[Caller, str]:
        state = self._state
        if call.region in state.disabled_regions:
            raise self._region_disabled(call)
        with state.lock:
            session = state.sessions.get(claim.access_key_id)
            key = state.keys.get(claim.access_key_id)
            of_token = state.by_token.get(claim.token or "")
        # AWS opens the token first: one that has ended is expired, whatever key stands beside it.
        if of_token is not None and state.ended(of_token):
            raise self._expired(of_token, claim, call)
        if session is not None:
            if claim.token is None:
                raise refuse("unknown-key", call, fields=[("AWSAccessKeyId", claim.access_key_id)])
            if session is not of_token:
                raise refuse("wrong-token", call, fields=[("Token-0", claim.token)])
            return Caller(claim, session.arn, session.user_id, session.account, session=session), session.secret
        if key is None or not key.active:
            raise refuse("unknown-key", call, fields=[("AWSAccessKeyId", claim.access_key_id)])
        if claim.token is not None:
            raise refuse("wrong-token", call, fields=[("Token-0", claim.token)])
        return Caller(claim, key.user.arn, key.user.user_id, state.account, key=key), key.secret

    def _expired(self, session: Session, claim: Claim, call: Call) -> Refused:
        failure = "wrong-token" if self._state.forgotten(session) else "expired"
        return refuse(failure, call, fields=[("Token-0", claim.token or "")])

    def _region_disabled(self, call: Call) -> Refused:
        if call.service == "sts":
            return Refused(
                "RegionDisabledException",
                f"STS is not activated in this region for account:{self._state.account}. Your account administrator can "
                "activate STS in this region using the IAM Console.",
                403,
            )
        return refuse("region-disabled", call)

    def _check_scope(self, claim: Claim, call: Call) -> None:
        if claim.version == 2:
            return
        if not _REGION.fullmatch(claim.region):
            message = f"Credential should be scoped to a valid region, not '{claim.region}'. "
            if call.protocol is Protocol.S3:
                message = f"The authorization header is malformed; the region '{claim.region}' is wrong; expecting 'us-east-1'"
            raise refuse("wrong-scope", call, message, [("Region", "us-east-1")])
        if call.operation in _STS_ACTIONS and claim.service != "sts":
            raise refuse("wrong-scope", call, "Credential should be scoped to correct service: 'sts'. ")
        if claim.date != claim.time.strftime("%Y%m%d"):
            message = (
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                f"'{claim.date}' != '{claim.time:%Y%m%d}', from '{basic(claim.time)}'."
            )
            raise refuse("wrong-scope", call, message)

    def _check_time(self, claim: Claim, call: Call) -> None:
        if claim.presigned:
            self._check_url_life(claim, call)
            return
        now = self._state.clock.signing_now()
        window = _FIFTEEN if call.protocol in (Protocol.QUERY, Protocol.S3, Protocol.SQS) else _FIVE
        if claim.time < now - window:
            raise _late(claim.time, now, window, call)
        ahead = _FIFTEEN if call.protocol is Protocol.S3 else _FIVE
        if claim.time > now + ahead:
            message = (
                f"Signature not yet current: {basic(claim.time)} is still later than {basic(now + ahead)} "
                f"({basic(now)} + {int(ahead.total_seconds()) // 60} min.)"
            )
            raise refuse("wrong-time", call, message, _skew_fields(claim.time, now))

    def _check_url_life(self, claim: Claim, call: Call) -> None:
        clock = self._state.clock
        end, now = claim.time + timedelta(seconds=claim.expires_s or 0), clock.url_now()
        if now >= end:
            fields = [("Expires", extended(end)), ("ServerTime", extended(now))]
            if claim.version == 4:
                fields.insert(0, ("X-Amz-Expires", str(claim.expires_s)))
            message = (
                f"Signature expired: {basic(claim.time)} is now earlier than "
                f"{basic(now - timedelta(seconds=claim.expires_s or 0))} ({basic(now)} - {(claim.expires_s or 0) // 60} min.)"
            )
            raise refuse("url-expired", call, message, fields)
        if claim.version == 4 and claim.time > clock.signing_now() + _FIFTEEN:
            if call.protocol is Protocol.S3:
                fields = [("X-Amz-Date", extended(claim.time)), ("ServerTime", extended(now))]
                raise Refused("AccessDenied", "Request is not valid yet", 403, tuple(fields))
            raise _late(claim.time, now, _FIFTEEN, call)


def call_of_broken(request: Request) -> Call:
    """What a request is for whose signature can't be read: the service that it still names, else by its looks."""
    return identify(request, _service_in_header(request))


def _service_in_header(request: Request) -> str | None:
    text = request.headers.get("authorization", "") + " " + request.arguments.get("X-Amz-Credential", "")
    found = re.search(r"/\d{8}/[^/\s,]*/([a-z0-9-]+)/aws4_request", text)
    if found:
        return found[1]
    return "s3" if request.arguments.get("Signature") else None


def _malformed(error: Malformed, call: Call, request: Request) -> Refused:
    if call.protocol is Protocol.S3:
        if error.presigned:
            return Refused("AuthorizationQueryParametersError", error.message, 400)
        if not request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256"):
            return Refused("InvalidArgument", "Unsupported Authorization Type", 400)
        return refuse("malformed", call, f"The authorization header is malformed; {error.message}")
    return refuse("malformed", call, error.message)


def _late(signed: datetime, now: datetime, window: timedelta, call: Call) -> Refused:
    message = (
        f"Signature expired: {basic(signed)} is now earlier than {basic(now - window)} "
        f"({basic(now)} - {int(window.total_seconds()) // 60} min.)"
    )
    return refuse("wrong-time", call, message, _skew_fields(signed, now))


def _skew_fields(signed: datetime, now: datetime) -> list[tuple[str, str]]:
    return [("RequestTime", basic(signed)), ("ServerTime", extended(now)), ("MaxAllowedSkewMilliseconds", "900000")]


def _wrong_signature(claim: Claim, call: Call, verdict: Verdict) -> Refused:
    def octets(text: str) -> str:
        return text.encode().hex(" ")

    fields = [
        ("AWSAccessKeyId", claim.access_key_id),
        ("StringToSign", verdict.string_to_sign),
        ("SignatureProvided", claim.signature),
        ("StringToSignBytes", octets(verdict.string_to_sign)),
    ]
    if verdict.canonical_request:
        fields += [
            ("CanonicalRequest", verdict.canonical_request),
            ("CanonicalRequestBytes", octets(verdict.canonical_request)),
        ]
    return refuse("wrong-signature", call, fields=fields)


def _check_body(request: Request, claim: Claim, call: Call, secret: str) -> None:
    """The signature covers a hash of the body; now see that the body has it."""
    stated = request.headers.get("x-amz-content-sha256")
    if stated is None or stated == "UNSIGNED-PAYLOAD" or claim.presigned:
        return
    if stated in ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"):
        if not chunks_are_signed(request, claim, secret):
            raise refuse("wrong-signature", call)
        return
    if stated == "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
        return
    found = hashlib.sha256(request.body).hexdigest()
    if found != stated.lower():
        if call.protocol is not Protocol.S3:
            raise refuse("wrong-signature", call)
        raise Refused(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            400,
            (("ClientComputedContentSHA256", stated), ("S3ComputedContentSHA256", found)),
        )
