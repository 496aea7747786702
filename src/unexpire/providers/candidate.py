"""A source of credentials as it can be told offline, and what botocore's chain would make of all of them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ..errors import UnexpireError
from ..settings.files import Origin, Sourced
from ..settings.profile import Profile

__all__ = ["Candidate", "Prediction", "Standing"]


_STATIC = frozenset(("env", "shared-credentials-file", "config-file", "ec2-credentials-file", "boto-config"))


class Standing(enum.StrEnum):
    """What botocore's chain does when it comes to a source."""

    USABLE = "usable"
    """Takes it. Whether it then delivers shows only when it is asked."""
    SKIPPED = "skipped"
    """Passes over it without a word: something is set up, not enough of it."""
    FATAL = "fatal"
    """Raises, and never looks at what comes behind."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One source of credentials, as far as it can be told without asking it.

    method       botocore's name of the kind: env, assume-role, assume-role-with-web-identity, sso, shared-credentials-file, login,
                 custom-process, config-file, ec2-credentials-file, boto-config, container-role, iam-role.
    profile      the profile it belongs to; None for a source that has none.
    origin       the setting that decides it: file:line or variable.
    description  one short phrase for people.
    renewable    whether a program that holds it gets new credentials without a human: false for static keys, for a role with
                 MFA and for a role whose source is a static copy of a session. Of a process it is assumed.
    interactive  whether fetching asks a human for a code (MFA).
    probed       False for the instance metadata service, of which nobody knows offline whether it is there.
    settings     what it uses, by the name of the key or of the kind of variable: role_arn, role_session_name, external_id,
                 mfa_serial, duration_seconds, credential_source, source_profile, sso_session, sso_start_url, sso_region,
                 sso_account_id, sso_role_name, web_identity_token_file, credential_process, login_session, container_uri,
                 aws_access_key_id, aws_secret_access_key, aws_session_token, aws_account_id, metadata_endpoint. Secrets are
                 among them; their representation is hidden.
    source       for a role, what signs for it; a role that is assumed by a role has a source that has one, and so on.
    problem      what is wrong with it, for a usable one as far as it can be told in advance.
    """

    method: str
    profile: str | None
    origin: Origin
    description: str
    renewable: bool = False
    interactive: bool = False
    access_key_id: str | None = None
    """As it may be shown (`shown_key`); the value itself is in `settings`."""
    has_token: bool = False
    expiration: datetime | None = None
    expiration_known_from: str | None = None
    problem: UnexpireError | None = None
    standing: Standing = Standing.USABLE
    probed: bool = True
    source: Candidate | None = field(default=None, repr=False)
    settings: Mapping[str, Sourced[str]] = field(default_factory=dict, repr=False)

    @property
    def static(self) -> bool:
        """Whether it is a pair of keys that stands written somewhere."""
        return self.method in _STATIC

    @property
    def base(self) -> Candidate:
        """What signs first: the end of the chain of sources; itself for what is no role."""
        last = self
        while last.source is not None:
            last = last.source
        return last

    def value(self, name: str) -> str | None:
        """The value of one of `settings`, None where it is not set."""
        found = self.settings.get(name)
        return None if found is None else found.value


@dataclass(frozen=True, slots=True)
class Prediction:
    """What botocore's chain does in an environment, in its order.

    winner      what it takes; None where it finds nothing, or fails.
    shadowed    usable sources that come behind the winner, or behind the one that fails.
    incomplete  sources that are set up in part or wrongly: passed over, or fatal (the one that fails is among them).
    error       with what the chain ends where it fails; None where it only finds nothing.
    ignored     sources that an explicitly chosen profile takes out of the chain: the environment's keys.
    """

    profile_name: Sourced[str]
    profile: Profile | None = None
    winner: Candidate | None = None
    shadowed: tuple[Candidate, ...] = ()
    incomplete: tuple[Candidate, ...] = ()
    error: UnexpireError | None = None
    ignored: tuple[Candidate, ...] = ()
    explicit: bool = False
    """Whether the profile was chosen by flag or argument, not by a variable or by default."""
