"""All of a diagnosis's input and output: files, the source that wins, one GetCallerIdentity, and the way to AWS where that fails.

What is asked of AWS is what the user's own program would ask at its next start: the winner is fetched as an SDK fetches it, and
nothing that comes back is kept. Only an SSO token that is due is renewed and written back, as every SDK does, because a rotated
refresh token that is thrown away would log the user out.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..credentials import Credentials, KeyKind, shown_key, without_user
from ..errors import InteractionRequired, UnexpireError
from ..providers import aws
from ..providers.candidate import Candidate, Prediction, Standing
from ..providers.chain import predict
from ..providers.ends import find_end, own_cache
from ..providers.process import TIMEOUT_VARIABLE
from ..providers.resolve import provider_for, provider_of
from ..providers.web_identity import token_end
from ..reference.signed_urls import read_bedrock_key
from ..regions import OPT_IN_REGIONS, home_region
from ..stores import aws_caches
from . import reach
from .foreseen import foreseen
from .origin import likely_origin
from .platform import recognise
from .seen import SeenError
from .snapshot import REJECTED_CODES, BedrockKey, Hidden, KnownEnd, Snapshot, State, Token

if TYPE_CHECKING:
    from ..providers.resolve import RoleRequest
    from ..settings.environment import Environment

__all__ = ["gather"]

_PATIENCE = "20"
"""Seconds. For a credential_process: a program that waits longer is in trouble, and so is the person who waits for the diagnosis."""


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
        bedrock=_bedrock(environment),
        seen=_dated(environment, seen),
        seen_source=_named_in(environment, prediction, seen),
        known=_known(environment) if seen is not None else (),
        until=until,
    )
    if prediction.error is not None:
        return s
    if prediction.winner is not None:
        s = dataclasses.replace(s, token=_token(s))
        s = _fetch(s, prediction.winner, profile, role) if online else _foresee(s, prediction.winner, role)
        s = dataclasses.replace(s, known_end=_known_end(s))
    if online:
        s = _ask(s) if s.credentials is not None else _look_after(s)
    return _presentable(_behind(s))


def _presentable(s: Snapshot) -> Snapshot:
    """All questions have been asked: from here on a key id is only shown, and may be a secret that somebody put in its place."""
    held = s.credentials
    if held is None:
        return s
    return dataclasses.replace(s, credentials=dataclasses.replace(held, access_key_id=shown_key(held.access_key_id)))


def _dated(environment: Environment, seen: SeenError | None) -> SeenError | None:
    """The end of the session whose key the text names, where a cache here knows it."""
    key = seen.access_key_id if seen is not None else None
    found = find_end(environment, key) if key else None
    return dataclasses.replace(seen, expired_at=found.expiration) if seen is not None and found is not None else seen


def _bedrock(environment: Environment) -> BedrockKey | None:
    """What the API key of Bedrock in the environment says of itself, and the end of the session that signed it, if that is sooner."""
    key = environment.variables.get("AWS_BEARER_TOKEN_BEDROCK", "").strip()
    if not key:
        return None
    url = read_bedrock_key(key)
    if url is None:
        return BedrockKey()
    session = find_end(environment, url.access_key_id) if url.access_key_id else None
    ends = [end for end in (url.ends_at, session.expiration if session is not None else None) if end is not None]
    return BedrockKey(min(ends, default=None), url.access_key_id, url.region)


_MOST_PROFILES = 300


def _known(environment: Environment) -> tuple[Candidate, ...]:
    names = list(environment.settings().profiles)[:_MOST_PROFILES]
    found = (predict(environment, name).winner for name in names)
    return tuple(candidate for candidate in found if candidate is not None and candidate.profile)


def _named_in(environment: Environment, prediction: Prediction, seen: SeenError | None) -> Candidate | None:
    key = seen.access_key_id if seen is not None else None
    if key is None:
        return None
    here = [prediction.winner, *prediction.shadowed, *prediction.ignored]
    elsewhere = (predict(environment, name).winner for name in environment.settings().profiles)
    return next((c for c in (*here, *elsewhere) if c is not None and c.access_key_id == key), None)


def _fetch(s: Snapshot, winner: Candidate, profile: str | None, role: RoleRequest | None) -> Snapshot:
    """What the winner gives, as an SDK would fetch it; of a source that asks for a code, the session that was kept."""
    try:
        provider = provider_for(_hurried(s.environment, winner), profile=profile, role=role)
        try:
            return dataclasses.replace(s, credentials=provider.fetch())
        except InteractionRequired:
            kept = _kept(s, provider.identity) if provider.interactive else None
            if kept is None:
                raise
            return dataclasses.replace(s, credentials=kept)
    except UnexpireError as error:
        return dataclasses.replace(s, fetch_error=error)


def _hurried(environment: Environment, winner: Candidate) -> Environment:
    if winner.base.method != "custom-process" or TIMEOUT_VARIABLE in environment.variables:
        return environment
    return dataclasses.replace(environment, variables={**environment.variables, TIMEOUT_VARIABLE: _PATIENCE})


def _kept(s: Snapshot, identity: str) -> Credentials | None:
    """The session that `fix`, `run` or `credential-process` got for a code and kept: what the next of them uses."""
    cache = own_cache(s.environment)
    held = cache.load(identity) if cache is not None else None
    return held if held is not None and held.expiration is not None and held.expiration > s.now else None


def _foresee(s: Snapshot, winner: Candidate, role: RoleRequest | None) -> Snapshot:
    """Offline: what stands written, and what can be told of a source without asking it."""
    if winner.static and role is None:
        try:
            return dataclasses.replace(s, credentials=provider_of(s.environment, winner).fetch())
        except UnexpireError as error:
            return dataclasses.replace(s, fetch_error=error)
    if winner.interactive and role is None:
        kept = _kept(s, provider_of(s.environment, winner).identity)
        if kept is not None:
            return dataclasses.replace(s, credentials=kept)
    base = winner.base
    end = None
    if base.static and base.has_token and base.access_key_id:
        found = find_end(s.environment, base.access_key_id)
        if base.expiration is not None:
            end = KnownEnd(base.expiration, base.expiration_known_from or str(base.origin))
        elif found is not None:
            end = KnownEnd(found.expiration, str(found.origin))
    until = end.expiration if end is not None else s.token.expires_at if s.token is not None else None
    certain = foreseen(winner, s.token, end, over=until is not None and until <= s.now)
    return dataclasses.replace(s, fetch_error=certain)


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
            registration_over=token.registration_expires_at is not None and token.registration_expires_at <= s.now,
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
    if answer.aws_code in REJECTED_CODES and not s.past_end:
        s = _elsewhere(s, credentials)
    return _traced(s, answer.endpoint) if s.state is State.UNREACHABLE else s


def _elsewhere(s: Snapshot, credentials: Credentials) -> Snapshot:
    """A Region that must be enabled first does not know keys that are good elsewhere."""
    region = home_region(s.region) if s.region and s.region in OPT_IN_REGIONS else None
    if region is None or _identity(s, credentials, region).error is not None:
        return s
    return dataclasses.replace(s, works_in_other_region=region)


def _traced(s: Snapshot, endpoint: str | None) -> Snapshot:
    if endpoint is None:
        return s
    proxy, bundle = aws.way_to(s.environment, s.prediction.profile, endpoint)
    return dataclasses.replace(s, reach=reach.trace(without_user(endpoint), proxy=proxy, ca_bundle=bundle))


# The first word of what a provider was doing -> the service it asked.
_ASKED = {"AssumeRole": "sts", "AssumeRoleWithWebIdentity": "sts", "GetRoleCredentials": "sso", "renewal": "sso-oidc"}


def _look_after(s: Snapshot) -> Snapshot:
    """The source did not deliver: by how much the clock is off, how far the connection gets, whether another Region knows the keys."""
    error = s.fetch_error
    if error is None:
        return s
    offset = getattr(error, "clock_offset", None)
    s = dataclasses.replace(s, clock_offset=offset if isinstance(offset, timedelta) else None)
    service = _ASKED.get(error.message.split(" ", 1)[0].rstrip(":"))
    if s.state is State.UNREACHABLE and service is not None and not isinstance(error, aws.UnusableWay):
        return _traced(s, aws.endpoint_of(s.environment, s.prediction.profile, service))
    if s.clock_offset is None and error.finding in _JUDGED_BY_OUR_CLOCK:
        s = dataclasses.replace(s, clock_offset=_identity(s, None, s.region).clock_offset)
    base = s.winner.base if s.winner is not None else None
    if getattr(error, "aws_code", None) in REJECTED_CODES and base is not None and base.static:
        try:
            return _elsewhere(s, provider_of(s.environment, base).fetch())
        except UnexpireError:
            return s
    return s


_JUDGED_BY_OUR_CLOCK = frozenset(
    {"sso-login-needed", "sso-legacy-config", "sso-registration-expired", "metadata-stale", "process-bad-output"}
)
"""Findings that a wrong clock alone can bring about: then AWS's is asked for, once."""


def _identity(s: Snapshot, credentials: Credentials | None, region: str | None) -> aws.Identity:
    return aws.caller_identity(s.environment, credentials, profile=s.prediction.profile, region=region)


def _behind(s: Snapshot) -> Snapshot:
    """What a static copy hides, and what it was most likely copied from. The hidden source is asked only when the copy is dead."""
    winner, credentials = s.winner, s.credentials
    if winner is None:
        return s
    if winner.static and credentials is not None and credentials.kind is KeyKind.TEMPORARY:
        dead = s.state in (State.EXPIRED, State.REJECTED)
        # What comes next is what is used without the copy; what stands further back is not reached.
        candidate = next(iter(s.prediction.shadowed), None)
        if candidate is not None and _would_renew(candidate, s.platform) and _meant(candidate, s):
            error = _try(s, candidate) if dead and s.online else None
            s = dataclasses.replace(s, hidden=Hidden(candidate, dead and s.online, error))
        if dead and winner.has_token:
            s = dataclasses.replace(s, token_of=_holder_of_token(s, winner))
    copy = winner.base
    if copy.static and copy.has_token and copy.access_key_id is not None:
        s = dataclasses.replace(s, likely=likely_origin(s.environment, copy))
    return s


def _holder_of_token(s: Snapshot, winner: Candidate) -> str | None:
    """Where the same session token stands beside another key: then it is that one's, and here it is left over."""
    token, key = winner.value("aws_session_token"), winner.access_key_id
    for profile in s.environment.settings().profiles.values():
        for section in (profile.credentials, profile.config):
            theirs = section.get("aws_session_token") if section is not None else None
            other = section.get("aws_access_key_id") if section is not None else None
            if theirs is not None and other is not None and theirs.value == token and other.value != key:
                return str(theirs.origin)
    return None


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
