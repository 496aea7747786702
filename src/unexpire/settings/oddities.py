"""What botocore reads without complaint and hardly anybody means."""

from __future__ import annotations

from collections.abc import Iterator

from .files import AwsFile, Problem, Section

__all__ = ["oddities"]

_PROFILE_KEYS = frozenset(
    {
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "role_arn",
        "source_profile",
        "credential_process",
        "region",
        "output",
        "sso_session",
        "sso_account_id",
        "sso_role_name",
        "sso_start_url",
        "web_identity_token_file",
        "login_session",
    }
)
_EXACT = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "role_arn", "source_profile", "region")


def oddities(config: AwsFile, credentials: AwsFile) -> Iterator[Problem]:
    """Non-fatal problems of both files: sections under a wrong header, and comments or quotes that became part of a value."""
    for section in config.sections.values():
        known = section.name == "default" or section.name.startswith(("profile", "sso-session", "services"))
        if not known and section.keys() & _PROFILE_KEYS:
            message = f"[{section.name}] is no profile here: profiles of this file start with the word profile"
            yield Problem(message, section.origin, f"write [profile {section.name}]", fatal=False)
        yield from _values(section)
    for section in credentials.sections.values():
        if section.name.startswith("profile "):
            message = (
                f"[{section.name}] is a profile of that whole name: this file takes names without the word profile"
            )
            yield Problem(message, section.origin, f"write [{section.name.removeprefix('profile ')}]", fatal=False)
        yield from _values(section)


def _values(section: Section) -> Iterator[Problem]:
    for key in _EXACT:
        found = section.get(key)
        if found is None:
            continue
        if " #" in found.value or " ;" in found.value:
            yield Problem(f"{key} has a comment behind it, which SDKs take for a part of the value", found.origin,
                          "put the comment on a line of its own", fatal=False)  # fmt: skip
        elif found.value[:1] in "\"'" and found.value[:1] == found.value[-1:] and len(found.value) > 1:
            yield Problem(f"{key} stands in quotes, which SDKs take for a part of the value", found.origin,
                          "remove the quotes", fatal=False)  # fmt: skip
