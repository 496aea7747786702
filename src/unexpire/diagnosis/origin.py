"""Where a static copy of a session most likely came from: a cache entry proves it, the account suggests it."""

from __future__ import annotations

import re

from ..credentials import account_id_of_key
from ..providers.candidate import Candidate
from ..providers.chain import predict
from ..providers.ends import find_end, own_cache
from ..providers.resolve import provider_of
from ..settings.environment import Environment
from ..settings.profile import Profile
from ..stores import aws_caches
from .snapshot import Likely

__all__ = ["likely_origin"]

_ACCOUNT_IN_ARN = re.compile(r"^arn:[\w-]+:iam::(\d{12}):")


def likely_origin(environment: Environment, copy: Candidate) -> Likely | None:
    """The one profile that renews itself and gives sessions like `copy`; None where none or several could be it."""
    key = copy.access_key_id
    assert key is not None
    account = account_id_of_key(key)
    profiles = [
        candidate
        for name, profile in environment.settings().profiles.items()
        if _may_give(profile, account)
        and (candidate := _renewing(environment, name)) is not None
        and not _uses(candidate, copy)
    ]
    kept = own_cache(environment)
    entry = kept.find(key) if kept is not None else None
    if entry is not None:
        for candidate in profiles:
            if provider_of(environment, candidate).identity == entry.identity:
                return Likely(candidate, "unexpire fetched this very session from it", True)
    proven = _proven(environment, key, profiles)
    if proven is not None:
        return Likely(proven, "the AWS CLI's cache holds this very session for it", True)
    same = [candidate for candidate in profiles if account is not None and _account_of(candidate) == account]
    if len(same) == 1:
        return Likely(same[0], f"the only profile here that gives sessions of account {account}", False)
    return None


def _may_give(profile: Profile, account: str | None) -> bool:
    """Whether the profile, as it is written, can lead to sessions of `account`. Looking closer at ten thousand takes seconds."""
    arn, sso = profile.get("role_arn"), profile.get("sso_account_id")
    of_role = _ACCOUNT_IN_ARN.match(arn.value) if arn is not None else None
    found = of_role[1] if of_role is not None else sso.value if sso is not None and arn is None else None
    return account is None or found is None or found == account


def _proven(environment: Environment, key: str, profiles: list[Candidate]) -> Candidate | None:
    """The profile under whose name the AWS CLI cached the session with this key."""
    found = find_end(environment, key)
    if found is None:
        return None
    return next((candidate for candidate in profiles if found.path.stem == _cache_name(candidate)), None)


def _cache_name(candidate: Candidate) -> str | None:
    if candidate.method == "sso":
        account, role = candidate.value("sso_account_id"), candidate.value("sso_role_name")
        session, url = candidate.value("sso_session"), candidate.value("sso_start_url")
        return aws_caches.sso_cache_key(account or "", role or "", session=session, start_url=url)
    if candidate.method != "assume-role":
        return None
    # botocore's AssumeRoleProvider adds these arguments, in this spelling.
    names = (
        ("RoleArn", "role_arn"),
        ("RoleSessionName", "role_session_name"),
        ("ExternalId", "external_id"),
        ("SerialNumber", "mfa_serial"),
    )
    arguments: dict[str, object] = {name: value for name, key in names if (value := candidate.value(key)) is not None}
    duration = candidate.value("duration_seconds")
    if duration is not None and duration.isdigit():
        arguments["DurationSeconds"] = int(duration)
    return aws_caches.role_cache_key(arguments)


def _renewing(environment: Environment, name: str) -> Candidate | None:
    """What profile `name` gives when it is asked for by name, if that renews itself and is the profile's own."""
    candidate = predict(environment, name).winner
    if candidate is None or candidate.static or candidate.profile != name:
        return None
    return candidate if candidate.renewable or candidate.interactive else None


def _uses(candidate: Candidate, copy: Candidate) -> bool:
    """Whether the copy itself signs for the candidate: then it is no source of it."""
    return candidate.base.access_key_id == copy.access_key_id


def _account_of(candidate: Candidate) -> str | None:
    if candidate.method == "sso":
        return candidate.value("sso_account_id")
    found = _ACCOUNT_IN_ARN.match(candidate.value("role_arn") or "")
    return found[1] if found else None
