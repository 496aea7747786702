"""The lines in the AWS files that make every SDK and tool ask `unexpire credential-process`, and how they are taken out again.

What is added stands between two marker lines, the first of which says all that is needed to undo it; every other byte stays.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from ..settings.environment import Environment
from ..settings.files import parse
from ..settings.profile import Profile
from ..stores import atomic, credentials_file

__all__ = ["Change", "apply", "command_line", "planned", "undone"]

_BEGIN = "# >>> unexpire setup "
_END = "# <<< unexpire setup"
_BLOCK = re.compile(rf"{re.escape(_BEGIN)}(\{{[^\r\n]*\}})\r?\n(?s:.*?){re.escape(_END)}[^\r\n]*(?:\r?\n|\Z)")
_HEADER = re.compile(r"^(?P<before>[^\S\r\n]*\[)(?P<name>[^\]\r\n]+)(?P<after>\].*)$", re.MULTILINE)

# What makes a profile a source of credentials, and so stays with the source; Region, output and the rest are for its user as well.
_OF_THE_SOURCE = frozenset({
    "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token", "aws_account_id",
    "credential_process", "credential_source", "duration_seconds", "external_id", "login_session", "mfa_serial", "role_arn",
    "role_session_name", "source_profile", "sso_account_id", "sso_auto_populated", "sso_region", "sso_registration_scopes",
    "sso_role_name", "sso_session", "sso_start_url", "web_identity_token_file",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One file's content before and after. `before` None: there is no such file; `after` None: there shall be none."""

    path: Path
    before: str | None
    after: str | None


def command_line(profile: str) -> str:
    """The value of credential_process: absolute, without variables or ``~``, and as short of quotes as the paths allow.

    minio-go splits it at blanks and knows no quotes; the others split as a shell does, or are one.
    """
    script = Path(sys.executable).with_name("unexpire")
    words = [str(script)] if os.access(script, os.X_OK) else [sys.executable, "-m", "unexpire"]
    words += ["credential-process", "--profile", profile]
    return (
        " ".join(f'"{word}"' if " " in word else word for word in words)
        if sys.platform == "win32"
        else shlex.join(words)
    )


def planned(environment: Environment, profile: str, name: str | None) -> list[Change]:
    """What gives `profile`'s credentials to whoever uses `name`. Raises ConfigurationError where that cannot work.

    `name` None: to whoever uses `profile` itself. Its settings then move to ``PROFILE-source``, as a role or keys that stood beside the
    process would win over it.
    """
    found = environment.settings().profile(profile)
    mine = found.get("credential_process")
    if mine is not None and "credential-process" in mine.value and "unexpire" in mine.value:
        raise ConfigurationError(f"profile {profile} is set up already", where=str(mine.origin), hint="use it as it is")
    source = profile if name is not None else f"{profile}-source"
    if name is not None and not (credentials_file.is_section_name(name) and not re.search(r"[\"\\]", name)):
        message = f"{name[:60]!r} cannot be the name of a profile"
        raise ConfigurationError(message, where="--as", hint=f"unexpire setup {profile} --as {profile}-fresh")
    new = name or profile
    taken = new if name is not None else source
    if taken in environment.settings().profiles:
        other = environment.settings().profiles[taken]
        process = other.get("credential_process")
        if name is not None and process is not None and process.value == command_line(source):
            raise ConfigurationError(
                f"profile {profile} is set up already, as {taken}",
                where=str(other.where),
                hint=f"export AWS_PROFILE={taken}",
            )
        raise ConfigurationError(
            f"profile {taken} exists", where=str(other.where), hint="choose another name with --as"
        )
    kept = [line for key in sorted(found.keys() - _OF_THE_SOURCE) for line in _setting(found, key)]
    moved, contents = [], {}
    for path in (environment.config_path, environment.credentials_path):
        contents[path] = _text(path)
        if name is None:
            renamed, old, now = _renamed(contents[path] or "", profile, source, environment.config_path == path)
            if old is not None:
                moved.append(
                    {"file": "config" if path == environment.config_path else "credentials", "was": old, "is": now}
                )
                contents[path] = renamed
    about = {"profile": profile, "as": new, "moved": moved}
    block = [f"[{_section_name(new)}]", *kept, f"credential_process = {command_line(source)}", _END]
    config = environment.config_path
    before = _text(config)
    contents[config] = _appended(contents[config], block, about)
    _check(environment, contents[config] or "", new, source)
    changes = [Change(config, before, contents[config])]
    other_path = environment.credentials_path
    if contents[other_path] != _text(other_path):
        changes.append(Change(other_path, _text(other_path), contents[other_path]))
    return changes


def _check(environment: Environment, text: str, name: str, source: str) -> None:
    """Raises ConfigurationError, before a byte is written, where SDKs would not read of the new file what is meant by it.

    What they refuse to read already is no worse for it.
    """
    origin = environment.origin_of(environment.config_path)
    file = parse(text.encode("utf-8", "surrogateescape"), origin)
    sections = [section for header, section in file.sections.items() if _profile_of(header, True) == name]
    told = sections[-1].get("credential_process") if sections else None
    refusal = file.refusal if environment.settings().config.refusal is None else None
    if refusal is None and told is not None and told.value == command_line(source):
        return
    raise ConfigurationError(
        f"the file cannot be changed so that SDKs read it: {refusal.message if refusal is not None else 'its sections are too odd'}",
        where=str(origin),
        hint="unexpire diagnose says what is odd in it",
    )


def undone(environment: Environment, profile: str) -> list[Change]:
    """What takes out again everything that was set up for `profile` or under that name. Raises ConfigurationError where nothing was."""
    config, credentials = environment.config_path, environment.credentials_path
    before = {path: _text(path) for path in (config, credentials)}
    after = dict(before)
    new_file = False
    # found anew each time: a header that gets its old name back moves whatever comes behind it
    while (found := _last_block(after[config] or "", profile)) is not None:
        block, about = found
        text = after[config] or ""
        start = _before_glue(text, block.start(), int(about.get("glue", 0)))
        after[config] = text[:start] + text[block.end() :]
        new_file = new_file or bool(about.get("new"))
        for move in about.get("moved", []):
            path = config if move["file"] == "config" else credentials
            after[path] = _back(after[path] or "", move["is"], move["was"])
    if after == before:
        raise ConfigurationError(
            f"nothing was set up for profile {profile}",
            where=str(environment.origin_of(config)),
            hint="unexpire setup PROFILE",
        )
    if new_file and not after[config]:
        after[config] = None
    return [Change(path, before[path], after[path]) for path in before if before[path] != after[path]]


def _last_block(text: str, profile: str) -> tuple[re.Match[str], dict[str, Any]] | None:
    """The last block that was set up for `profile` or under that name, and what its first line says."""
    blocks = [(block, _about(block[1])) for block in _BLOCK.finditer(text)]
    mine = [each for each in blocks if profile in (each[1].get("profile"), each[1].get("as"))]
    return mine[-1] if mine else None


def apply(changes: list[Change]) -> None:
    """Do it, a file at a time, each in one step and with one backup. Raises StoreError where a file has changed since it was read."""
    for change in changes:
        with atomic.lock(change.path):
            if _text(change.path) != change.before:
                raise ConfigurationError(f"{change.path} has just been changed by somebody else", hint="try again")
            if change.after is None:
                atomic.remove(change.path)
            else:
                atomic.replace(change.path, change.after.encode("utf-8", "surrogateescape"), backup=True)


def _text(path: Path) -> str | None:
    return credentials_file.read(path).decode("utf-8", "surrogateescape") if path.is_file() else None


def _about(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _section_name(name: str) -> str:
    if name == "default":
        return "default"
    return f"profile {name}" if re.fullmatch(r"[^\s'\"\\]+", name) else f'profile "{name}"'


def _setting(profile: Profile, key: str) -> list[str]:
    """The lines of a setting that is for the profile's user as well; a block, such as that of `s3`, with all that is in it."""
    value, block = profile.get(key), profile.nested(key)
    if block is not None:
        return [f"{key} =", *(f"  {name} = {each.value}" for name, each in block.items())]
    return [f"{key} = {value.value}"] if value is not None and value.value and "\n" not in value.value else []


def _appended(content: str | None, lines: list[str], about: Mapping[str, object]) -> str:
    text = content or ""
    newline = "\r\n" if "\r\n" in text else "\n"
    glue = 0 if not text else 1 if text.endswith("\n") else 2
    first = _BEGIN + json.dumps({**about, "glue": glue, "new": content is None})
    return text + newline * glue + "".join(line + newline for line in (first, *lines))


def _before_glue(text: str, start: int, glue: int) -> int:
    """Where the line ends begin that were put before the block."""
    for _ in range(glue):
        if text[:start].endswith("\r\n"):
            start -= 2
        elif text[:start].endswith("\n"):
            start -= 1
    return start


def _renamed(text: str, profile: str, source: str, is_config: bool) -> tuple[str, str | None, str]:
    """`text` with the profile's header renamed; the old name within the brackets (None: no such header), and the new one.

    Raises ConfigurationError where two headers name it, in two spellings: SDKs take the later one alone.
    """
    new = _section_name(source) if is_config else source
    headers = [header for header in _HEADER.finditer(text) if _profile_of(header["name"], is_config) == profile]
    if not headers:
        return text, None, new
    header = headers[0]
    if len(headers) > 1:
        lines = " and ".join(str(text.count("\n", 0, each.start()) + 1) for each in headers)
        raise ConfigurationError(
            f"profile {profile} stands twice, in lines {lines}: SDKs take the later one alone",
            where="--in-place",
            hint="remove the other, or leave both as they are: unexpire setup --as NAME",
        )
    return text[: header.start("name")] + new + text[header.end("name") :], header["name"], new


def _back(text: str, now: str, was: str) -> str:
    for header in _HEADER.finditer(text):
        if header["name"] == now:
            return text[: header.start("name")] + was + text[header.end("name") :]
    return text


def _profile_of(header: str, is_config: bool) -> str | None:
    if not is_config:
        return header
    try:
        words = shlex.split(header)
    except ValueError:
        return None
    if words == ["default"]:
        return "default"
    return words[1] if len(words) == 2 and words[0] == "profile" else None
