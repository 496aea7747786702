"""All of a diagnosis's input and output: files, the source that wins, one GetCallerIdentity, and the way to AWS where that fails.

What is asked of AWS is what the user's own program would ask at its next start: the winner is fetched as an SDK fetches it, and
nothing that comes back is kept. Only an SSO token that is due is renewed and written back, as every SDK does, because a rotated
refresh token that is thrown away would log the user out.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..credentials import Credentials, KeyKind
from ..errors import UnexpireError
from ..providers import aws
from ..providers.candidate import Candidate, Prediction, Standing
from ..providers.chain import predict
from ..providers.ends import find_end
from ..providers.resolve import provider_for, provider_of
from ..providers.web_identity import token_end
from ..stores import aws_caches
from . import reach
from .origin import likely_origin
from .platform import recognise
from .seen import SeenError
from .snapshot import REJECTED_CODES, Answer, Hidden, KnownEnd, Snapshot, State, Token

if TYPE_CHECKING:
    from ..providers.resolve import RoleRequest
    from ..settings.environment import Environment

__all__ = ["gather"]


def gather(
    environment: Environment,
    *,
    profile: str | None = None,
    role: RoleRequest | None = None,
    online: bool = True,
    seen: SeenError | None = None,
    until: datetime | None = None,
    command: str = "CMD",
) -> Snapshot:
    """Collect the facts. Raises nothing for what it finds: an error of a source, of AWS or of the network is a fact."""
    prediction = predict(environment, profile)
    s = Snapshot(
        environment=environment,
        now=environment.now(),
        prediction=prediction,
        online=online,
        command=command,
        role_arn=role.role_arn if role is not None else None,
        platform=recognise(environment),
        region=aws.region_of(environment, prediction.profile),
        seen=_dated(environment, seen),
        seen_source=_named_in(environment, prediction, seen),
        until=until,
    )
    if prediction.error is not None:
        return s
    if prediction.winner is not None:
        s = _fetch(s, prediction.winner, profile, role)
        s = dataclasses.replace(s, known_end=_known_end(s), token=_token(s))
    if s.credentials is not None and online:
        s = _ask(s)
    s = _clock_of_fetch(s)
    return _behind(s)


def _dated(environment: Environment, seen: SeenError | None) -> SeenError | None:
    """The end of the session whose key the text names, where a cache here knows it."""
    key = seen.access_key_id if seen is not None else None
    found = find_end(environment, key) if key else None
    return dataclasses.replace(seen, expired_at=found.expiration) if seen is not None and found is not None else seen


def _named_in(environment: Environment, prediction: Prediction, seen: SeenError | None) -> Candidate | None:
    key = seen.access_key_id if seen is not None else None
    if key is None:
        return None
    here = [prediction.winner, *prediction.shadowed, *prediction.ignored]
    elsewhere = (predict(environment, name).winner for name in environment.settings().profiles)
    return next((c for c in (*here, *elsewhere) if c is not None and c.access_key_id == key), None)


def _fetch(s: Snapshot, winner: Candidate, profile: str | None, role: RoleRequest | None) -> Snapshot:
    """What the winner gives; offline only what stands written."""
    if not s.online and (role is not None or not winner.static):
        return dataclasses.replace(s, fetch_error=winner.problem)
    try:
        provider = provider_for(s.environment, profile=profile, role=role)
        return dataclasses.replace(s, credentials=provider.fetch())
    except UnexpireError as error:
        return dataclasses.replace(s, fetch_error=error)


def _known_end(s: Snapshot) -> KnownEnd | None:
    """The end as the source says it, as the settings say it, or as a cache that holds the same access key id says it."""
    credentials, winner = s.credentials, s.winner
    if credentials is None or winner is None or credentials.kind is KeyKind.LONG_TERM:
        return None
    if not winner.static and credentials.expiration is not None:
        return KnownEnd(credentials.expiration, winner.description, credentials.issued_at)
    found = find_end(s.environment, credentials.access_key_id)
    if winner.expiration is not None:
        issued = found.issued_at if found is not None and found.expiration == winner.expiration else None
        return KnownEnd(winner.expiration, winner.expiration_known_from or str(winner.origin), issued)
    if found is not None:
        return KnownEnd(found.expiration, str(found.origin), found.issued_at)
    if credentials.expiration is not None:
        return KnownEnd(credentials.expiration, winner.description, credentials.issued_at)
    return None


def _token(s: Snapshot) -> Token | None:
    """The login or the web identity token that stands behind the winner."""
    base = s.winner.base if s.winner is not None else None
    if base is None:
        return None
    if base.method == "sso":
        name = base.value("sso_session") or base.value("sso_start_url")
        if name is None:
            return None
        home = s.environment.home
        token = aws_caches.read_sso_token(home, name) if home is not None else None
        if token is None:
            return Token(where=name, exists=False)
        return Token(
            where=str(s.environment.origin_of(token.path)),
            exists=True,
            expires_at=token.expires_at,
            refreshable=bool(token.refresh_token) and bool(base.value("sso_session")),
            registration_expires_at=token.registration_expires_at,
        )
    if base.method == "assume-role-with-web-identity":
        path = base.value("web_identity_token_file") or ""
        end = _token_file_end(s.environment, path)
        # A projected service account token is rewritten by the kubelet, others by whoever set them up.
        kept = "/serviceaccount/" in path or s.platform in ("eks", "kubernetes")
        return Token(where=path, exists=end is not None, expires_at=end, refreshable=kept)
    return None


def _token_file_end(environment: Environment, path: str) -> datetime | None:
    try:
        return token_end(environment.read_bytes(environment.cwd / path).decode("ascii", "replace").strip())
    except OSError:
        return None


def _ask(s: Snapshot) -> Snapshot:
    """One GetCallerIdentity, and what its failure needs to be told apart."""
    credentials = s.credentials
    assert credentials is not None
    answer = _identity(s, credentials, s.region)
    s = dataclasses.replace(s, answer=answer, clock_offset=answer.clock_offset)
    if answer.error is None:
        return s
    if answer.aws_code in REJECTED_CODES and s.region and aws.is_opt_in(s.region) and not s.past_end:
        elsewhere = aws.home_region(s.region)
        if elsewhere and _identity(s, credentials, elsewhere).error is None:
            s = dataclasses.replace(s, works_in_other_region=elsewhere)
    if s.state is State.UNREACHABLE and answer.endpoint:
        proxy, bundle = aws.way_to(s.environment, s.prediction.profile, answer.endpoint)
        s = dataclasses.replace(s, reach=reach.trace(answer.endpoint, proxy=proxy, ca_bundle=bundle))
    return s


def _identity(s: Snapshot, credentials: Credentials, region: str | None) -> Answer:
    asked = aws.caller_identity(s.environment, credentials, profile=s.prediction.profile, region=region)
    return Answer(
        arn=asked.arn,
        account=asked.account,
        user_id=asked.user_id,
        error=asked.error,
        aws_code=asked.aws_code,
        message=asked.message,
        clock_offset=asked.clock_offset,
        endpoint=asked.endpoint,
    )


def _clock_of_fetch(s: Snapshot) -> Snapshot:
    offset = getattr(s.fetch_error, "clock_offset", None)
    return (
        dataclasses.replace(s, clock_offset=offset) if s.clock_offset is None and isinstance(offset, timedelta) else s
    )


def _behind(s: Snapshot) -> Snapshot:
    """What a static copy hides, and what it was most likely copied from. The hidden source is asked only when the copy is dead."""
    winner, credentials = s.winner, s.credentials
    if winner is None:
        return s
    if winner.static and credentials is not None and credentials.kind is KeyKind.TEMPORARY:
        dead = s.state in (State.EXPIRED, State.REJECTED)
        candidate = next((c for c in s.prediction.shadowed if _would_renew(c, s.platform) and _meant(c, s)), None)
        if candidate is not None:
            error = _try(s, candidate) if dead and s.online else None
            s = dataclasses.replace(s, hidden=Hidden(candidate, dead and s.online, error))
    copy = winner.base
    if copy.static and copy.has_token and copy.access_key_id is not None:
        s = dataclasses.replace(s, likely=likely_origin(s.environment, copy))
    return s


def _would_renew(candidate: Candidate, platform: str | None) -> bool:
    return (
        candidate.standing is Standing.USABLE
        and candidate.renewable
        and not candidate.static
        and (candidate.probed or platform == "ec2")
    )


def _meant(candidate: Candidate, s: Snapshot) -> bool:
    """A profile that was asked for by name hides only what is its own: whoever names it does not mean the machine's role."""
    winner = s.winner
    if (
        winner is None
        or winner.profile is None
        or not (s.prediction.explicit or s.environment.profile_name.origin.variable)
    ):
        return True
    return candidate.profile == winner.profile


def _try(s: Snapshot, candidate: Candidate) -> UnexpireError | None:
    try:
        provider_of(s.environment, candidate).fetch()
    except UnexpireError as error:
        return error
    return None
