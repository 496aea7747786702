"""Profiles, sso-sessions and services out of the two AWS files, merged as botocore merges them."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from ..errors import ConfigurationError, ProfileNotFound
from .files import AwsFile, Origin, Problem, Section, Sourced

__all__ = ["CREDENTIAL_SOURCES", "Profile", "RoleChain", "Settings"]

CREDENTIAL_SOURCES = ("Environment", "EcsContainer", "Ec2InstanceMetadata")
"""What `credential_source` may name, in exactly this spelling (botocore/credentials.py, `CanonicalNameCredentialSourcer`)."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile: its section of the config file, overlaid key by key with its section of the credentials file."""

    name: str
    config: Section | None = None
    credentials: Section | None = None

    @property
    def _layers(self) -> Iterator[Section]:
        return (layer for layer in (self.credentials, self.config) if layer is not None)

    def __contains__(self, key: object) -> bool:
        return any(key in layer for layer in self._layers)

    def keys(self) -> frozenset[str]:
        return frozenset[str]().union(*(layer.keys() for layer in self._layers))

    def get(self, key: str) -> Sourced[str] | None:
        """The plain value of `key`; None where it is absent or an indented block."""
        for layer in self._layers:
            if key in layer:
                return layer.get(key)
        return None

    def nested(self, key: str) -> Mapping[str, Sourced[str]] | None:
        """The indented block below ``key =``; None where there is none."""
        for layer in self._layers:
            if key in layer:
                return layer.nested(key)
        return None

    def where_is(self, key: str) -> Origin:
        """The line of `key`; that of the profile where the key is absent."""
        return next((layer.where(key) for layer in self._layers if key in layer), self.where)

    @property
    def where(self) -> Origin:
        """The header of the profile, in the config file if it is there."""
        section = self.config or self.credentials
        return section.origin if section is not None else Origin(note=f"profile {self.name}")

    @property
    def has_static_keys(self) -> bool:
        """Whether botocore takes this profile for one with keys of its own: one half of a pair is enough for that."""
        return "aws_access_key_id" in self or "aws_secret_access_key" in self

    @property
    def assumes_role(self) -> bool:
        """Whether this profile is AssumeRole's: with a token file it is AssumeRoleWithWebIdentity's."""
        return "role_arn" in self and "web_identity_token_file" not in self


@dataclass(frozen=True, slots=True)
class RoleChain:
    """The roles that lead to the one of a profile: its own first, then those of its sources; and what signs for the last.

    base    a profile with credentials of its own, or the `credential_source` that the last hop names.
    """

    hops: tuple[Profile, ...]
    base: Profile | Sourced[str]


@dataclass(frozen=True, eq=False)
class Settings:
    """Both AWS files. A file that botocore refuses still gives what could be read of it; `problems` say what is wrong."""

    config: AwsFile
    credentials: AwsFile
    profiles: Mapping[str, Profile] = field(repr=False, default_factory=dict)
    sso_sessions: Mapping[str, Section] = field(repr=False, default_factory=dict)
    services: Mapping[str, Section] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, config: AwsFile, credentials: AwsFile) -> Settings:
        """Sort the sections of both files, as `build_profile_map` (botocore/configloader.py) and `Session.full_config` do."""
        named: dict[str, dict[str, Section]] = {"profile": {}, "sso-session": {}, "services": {}}
        for header, section in config.sections.items():
            kind = next((prefix for prefix in named if header.startswith(prefix)), None)
            if kind is not None:
                name = _name_in(header)
                if name is not None:
                    named[kind][name] = section
            elif header == "default":
                named["profile"][header] = section
        profiles = {name: Profile(name, config=section) for name, section in named["profile"].items()}
        for name, section in credentials.sections.items():
            profiles[name] = Profile(name, named["profile"].get(name), section)
        return cls(
            config,
            credentials,
            MappingProxyType(profiles),
            MappingProxyType(named["sso-session"]),
            MappingProxyType(named["services"]),
        )

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """Everything odd in both files; the fatal ones first, for with one of them every SDK that uses botocore fails."""
        from .oddities import oddities

        found = (*self.config.problems, *self.credentials.problems, *oddities(self.config, self.credentials))
        return tuple(sorted(found, key=lambda problem: not problem.fatal))

    @property
    def refusal(self) -> Problem | None:
        """The problem that makes botocore refuse a file, and with it the whole chain; None where it reads both."""
        return self.config.refusal or self.credentials.refusal

    def profile(self, name: str) -> Profile:
        """The profile `name`; raises ProfileNotFound, with the names that come nearest."""
        found = self.profiles.get(name)
        if found is None:
            raise self.not_found(name)
        return found

    def not_found(self, name: str, chosen_by: Origin | None = None) -> ProfileNotFound:
        """The error for a profile that does not exist; a section that was meant to be it is named."""
        where = str(chosen_by) if chosen_by is not None else None
        error = ProfileNotFound(name, nearest=self.nearest(name), where=where)
        for section, right in (
            (self.config.sections.get(name), f"profile {name}"),
            (self.credentials.sections.get(f"profile {name}"), name),
        ):
            if section is not None and not section.name.startswith(("sso-session", "services")):
                error.hint = f"rename [{section.name}] in {section.origin} to [{right}]"
        unread = next((p for p in (*self.config.problems, *self.credentials.problems) if p.origin.line is None), None)
        if unread is not None and not error.nearest:
            error.message += f"; {unread.origin}: {unread.message}"
            error.hint = unread.hint or error.hint
        if not name:
            error.hint = (
                f"unset {chosen_by.variable}" if chosen_by is not None and chosen_by.variable else "name a profile"
            )
        return error

    def nearest(self, name: str) -> tuple[str, ...]:
        """Up to three existing profiles whose names come nearest, likeliest first."""
        by_lower = {known.lower(): known for known in self.profiles}
        near = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
        return tuple(by_lower[each] for each in near)

    def role_chain(self, name: str) -> RoleChain:
        """Follow `source_profile` from profile `name`, which assumes a role, as botocore's AssumeRoleProvider does.

        Raises ConfigurationError: finding ``source-profile-loop`` for a loop, told hop by hop, ``config-invalid`` for a hop without
        a source, with two, or with one that does not exist.
        """
        hops = [self.profile(name)]
        while True:
            hop = hops[-1]
            visited = tuple(each.name for each in hops)
            source_profile, source = hop.get("source_profile"), hop.get("credential_source")
            self._check_sources(hop)
            if source is not None:
                return RoleChain(tuple(hops), source)
            assert source_profile is not None
            following = self._source(hop, source_profile, visited)
            if following.has_static_keys or not following.assumes_role:
                return RoleChain(tuple(hops), following)
            hops.append(following)

    def _check_sources(self, hop: Profile) -> None:
        """Exactly one of `source_profile` and `credential_source`, the latter by one of its three names."""
        for key in ("duration_seconds", "source_profile", "credential_source"):
            if hop.nested(key) is not None:
                message = f"{key} of profile {hop.name!r} is an indented block"
                raise _at(hop.where_is(key), message, f"write {key} = … on one line")
        source = hop.get("credential_source")
        if "source_profile" in hop and source is not None:
            message = f"profile {hop.name!r} has both source_profile and credential_source"
            raise _at(source.origin, message, "remove one of the two lines")
        if "source_profile" not in hop and source is None:
            message = f"profile {hop.name!r} has a role_arn and no source_profile or credential_source"
            raise _at(hop.where_is("role_arn"), message, "add source_profile = NAME below it")
        if source is not None and source.value not in CREDENTIAL_SOURCES:
            near = difflib.get_close_matches(source.value.lower(), [each.lower() for each in CREDENTIAL_SOURCES], n=1)
            right = [each for each in CREDENTIAL_SOURCES if each.lower() in near] or list(CREDENTIAL_SOURCES)
            message = f"credential_source {source.value!r} of profile {hop.name!r} is none that exists"
            raise _at(source.origin, message, f"credential_source = {' | '.join(right)}")

    def _source(self, hop: Profile, named: Sourced[str], visited: tuple[str, ...]) -> Profile:
        following = self.profiles.get(named.value)
        if following is None:
            near = self.nearest(named.value)
            message = f"source_profile {named.value!r} of profile {hop.name!r} does not exist"
            raise _at(
                named.origin, message, f"did you mean {', '.join(near)}?" if near else "aws configure list-profiles"
            )
        # A profile may be its own source for the keys that stand in it; any other way back is a loop.
        if named.value in visited and not (named.value == hop.name and following.has_static_keys):
            message = f"source_profile runs in a circle: {' → '.join((*visited, named.value))}"
            hint = "let one of these profiles have keys, a credential_process or SSO of its own"
            raise _at(named.origin, message, hint, "source-profile-loop")
        return following


def _at(origin: Origin, message: str, hint: str, finding: str | None = None) -> ConfigurationError:
    return ConfigurationError(message, where=str(origin), hint=hint, finding=finding)


def _name_in(header: str) -> str | None:
    """The name in ``profile "a b"``; None for a header that botocore drops: unbalanced quotes, no name, or more than one."""
    try:
        words = shlex.split(header)
    except ValueError:
        return None
    return words[1] if len(words) == 2 else None
