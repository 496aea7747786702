"""Recognises what a profile offers besides a role: keys in either file, a web identity token, a credential_process."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import PurePath

from ...credentials import shown_key
from ...errors import ConfigurationError
from ...settings.environment import Environment, unreadable
from ...settings.files import Section, Sourced
from ..candidate import Candidate, Standing
from .ambient import refused
from .scope import Scope, block_problem, invalid
from .sign_in import login, sso

__all__ = ["config_file", "process", "profile_sources", "shared_credentials_file", "web_identity"]


def profile_sources(scope: Scope) -> Iterator[Candidate]:
    """What the profile offers besides a role, in botocore's order (botocore/credentials.py, `ProfileProviderBuilder.providers`)."""
    recognisers: tuple[Callable[[Scope], Candidate | None], ...] = (
        web_identity,
        sso,
        shared_credentials_file,
        login,
        process,
        config_file,
    )
    for recognise in recognisers:
        found = recognise(scope)
        if found is not None:
            yield found


def shared_credentials_file(scope: Scope) -> Candidate | None:
    """The profile's section of the credentials file, without what the config file adds to it."""
    return _static("shared-credentials-file", scope.profile.name, scope.profile.credentials)


def config_file(scope: Scope) -> Candidate | None:
    """The profile's section of the config file, without what the credentials file adds to it."""
    return _static("config-file", scope.profile.name, scope.profile.config)


def _static(method: str, profile: str, section: Section | None) -> Candidate | None:
    if section is None:
        return None
    # The older spelling of the token wins, as in the environment.
    token = next((key for key in ("aws_security_token", "aws_session_token") if key in section), None)
    key, secret = section.get("aws_access_key_id"), section.get("aws_secret_access_key")
    settings = {
        name: found
        for name, found in (
            ("aws_access_key_id", key),
            ("aws_secret_access_key", secret),
            ("aws_session_token", section.get(token) if token else None),
            ("aws_account_id", section.get("aws_account_id")),
        )
        if found is not None
    }
    written = next(
        (name for name in ("aws_access_key_id", "aws_secret_access_key", token) if name and name in section), None
    )
    if written is None:
        return None
    candidate = Candidate(
        method,
        profile,
        section.where(written),
        f"{'a static copy of a session' if token else 'static keys'} in profile {profile} ({section.where(written)})",
        access_key_id=shown_key(key.value) if key else None,
        has_token=token is not None and (token in section.blocks or bool(section.values[token].value)),
        settings=settings,
    )
    return _judge_pair(candidate, section, profile)


_HALVES = ("aws_access_key_id", "aws_secret_access_key")


def _judge_pair(candidate: Candidate, section: Section, profile: str) -> Candidate:
    """Both halves must be there. botocore takes whatever they hold, and fails when it signs."""
    missing = next((half for half in _HALVES if half not in section), None)
    if missing is not None:
        beside = next((half for half in _HALVES if half in section), "session token")
        problem = ConfigurationError(
            f"profile {profile!r} has no {missing} beside its {beside}",
            where=str(candidate.origin),
            hint=f"add {missing} = … there, or remove the rest",
            finding="partial-credentials",
        )
        return refused(candidate, problem, Standing.SKIPPED if missing == "aws_access_key_id" else Standing.FATAL)
    for half in _HALVES:
        found = section.get(half)
        if found is None or not found.value:
            how = "is an indented block" if found is None else "is empty"
            where = str(section.where(half))
            message = f"{half} of profile {profile!r} {how}"
            hint = f"write {half} = … there, or remove it"
            problem = ConfigurationError(message, where=where, hint=hint, finding="partial-credentials")
            return replace(candidate, problem=problem)
    return candidate


def web_identity(scope: Scope) -> Candidate | None:
    """AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, else the profile's keys; each of them may come from either side."""
    token_file = _pick(scope, "web_identity_token_file", "AWS_WEB_IDENTITY_TOKEN_FILE")
    role = _pick(scope, "role_arn", "AWS_ROLE_ARN")
    block = block_problem(scope.profile, "web_identity_token_file")
    if token_file is None and block is None:
        return _role_without_token(scope)
    if token_file is not None and not token_file.value:
        return None
    session_name = _pick(scope, "role_session_name", "AWS_ROLE_SESSION_NAME")
    used = {"web_identity_token_file": token_file, "role_arn": role, "role_session_name": session_name}
    origin = token_file.origin if token_file else scope.profile.where_is("web_identity_token_file")
    named = role.value.rpartition("/")[2] if role else "?"
    candidate = Candidate(
        "assume-role-with-web-identity",
        None if token_file is not None and token_file.origin.variable else scope.profile.name,
        origin,
        f"role {named} through a web identity token ({origin})",
        renewable=True,
        settings={name: found for name, found in used.items() if found is not None},
        problem=block,
    )
    if role is None and block_problem(scope.profile, "role_arn") is not None:
        return replace(candidate, problem=block_problem(scope.profile, "role_arn"))
    if role is None or not role.value:
        hint = "export AWS_ROLE_ARN=…" if origin.variable else "add role_arn = arn:aws:iam::ACCOUNT:role/NAME below it"
        message = "a web identity token file without a role ARN"
        return refused(candidate, ConfigurationError(message, where=str(origin), hint=hint))
    return candidate if token_file is None else _with_token_file(candidate, scope.environment, token_file)


def _pick(scope: Scope, key: str, variable: str) -> Sourced[str] | None:
    """The variable, which counts even where it is empty; else the profile's key."""
    found = scope.environment.get(variable) if scope.variables else None
    return found if found is not None else scope.profile.get(key)


def _role_without_token(scope: Scope) -> Candidate | None:
    named = scope.environment.get("AWS_ROLE_ARN") if scope.variables else None
    if named is None:
        return None
    candidate = Candidate(
        "assume-role-with-web-identity", None, named.origin, "a role in AWS_ROLE_ARN", settings={"role_arn": named}
    )
    hint = "export AWS_WEB_IDENTITY_TOKEN_FILE=…, or unset AWS_ROLE_ARN"
    message = "AWS_ROLE_ARN does nothing without AWS_WEB_IDENTITY_TOKEN_FILE"
    return refused(candidate, invalid(message, named, hint), Standing.SKIPPED)


def _with_token_file(candidate: Candidate, environment: Environment, named: Sourced[str]) -> Candidate:
    """botocore opens the path as it stands, with no ``~`` and no variables, and only when it asks AWS."""
    path = environment.cwd / named.value
    try:
        environment.read_bytes(path)
    except OSError as error:
        where = environment.origin_of(path)
        problem = unreadable(
            f"the web identity token file of {named.origin}", error, where, finding="web-identity-token-missing"
        )
        return replace(candidate, problem=problem)
    return candidate


def process(scope: Scope) -> Candidate | None:
    """`credential_process`. Its command may hold secrets: nothing here shows more of it than the program's name."""
    profile = scope.profile
    if "credential_process" not in profile:
        return None
    where = profile.where_is("credential_process")
    command = profile.get("credential_process")
    candidate = Candidate(
        "custom-process", profile.name, where, f"credential_process of profile {profile.name} ({where})", renewable=True,
        settings={"credential_process": command} if command else {},
    )  # fmt: skip
    if command is None:
        problem = block_problem(profile, "credential_process")
        assert problem is not None
        return refused(candidate, problem)
    try:
        words = shlex.split(command.value) if sys.platform != "win32" else command.value.split()
    except ValueError:
        return refused(
            candidate,
            invalid("credential_process has an unbalanced quote", command, "close the quote", "process-failed"),
        )
    if not words:
        return refused(candidate, invalid("credential_process is empty", command, "remove the line", "process-failed"))
    problem = _calls_itself(scope, command, words) or _no_program(scope.environment, command, words[0])
    return candidate if problem is None else replace(candidate, problem=problem)


def _calls_itself(scope: Scope, command: Sourced[str], words: list[str]) -> ConfigurationError | None:
    """``unexpire`` or ``aws`` asked for the very profile whose process they are, at once or by way of other profiles' processes."""
    name, chosen = scope.profile.name, scope.environment.profile_name.value
    way, asked = [name], _asked(words, chosen)
    while asked is not None and asked not in way:
        way.append(asked)
        following = scope.settings.profiles.get(asked)
        told = following.get("credential_process") if following is not None else None
        if following is None or told is None or following.keys() & _BEFORE_A_PROCESS:
            return None
        try:
            asked = _asked(shlex.split(told.value) or [""], chosen)
        except ValueError:
            return None
    if asked != name:
        return None
    message = f"credential_process of profile {name!r} asks for the same profile, and so starts itself"
    if len(way) > 1:
        message = f"credential_process of profile {name!r} leads back to itself: {' → '.join((*way, name))}"
    return invalid(message, command, "name the profile that has the credentials behind --profile", "process-cycle")


# What botocore looks for in a profile before it comes to the process (botocore/credentials.py, `create_credential_resolver`).
_BEFORE_A_PROCESS = frozenset({"role_arn", "sso_role_name", "sso_account_id", "aws_access_key_id", "login_session"})


def _asked(words: list[str], chosen: str) -> str | None:
    """The profile that a command of ours or of the AWS CLI asks for, whatever shell it is wrapped in; None where it is no such command."""
    flat = words
    if PurePath(words[0]).stem in ("sh", "bash", "dash", "zsh", "ksh") and "-c" in words[1:-1]:
        try:
            flat = shlex.split(words[words.index("-c") + 1])
        except ValueError:
            return None
    rest = _after_program(flat)
    if rest is None:
        return None
    asked = [after for word, after in pairwise(rest) if word == "--profile"]
    asked += [word.removeprefix("--profile=") for word in rest if word.startswith("--profile=")]
    if asked:
        return asked[0]
    return chosen if "export-credentials" in rest or "credential-process" in rest else None


_ASSIGNMENT = re.compile(r"(\w+)=")
_OTHER_FILES = frozenset({"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "HOME"})


def _after_program(words: list[str]) -> list[str] | None:
    """What follows ``unexpire`` or ``aws`` where that is what is started, on the files at hand; None for any other command."""
    for place, word in enumerate(words):
        assigned = _ASSIGNMENT.match(word)
        if assigned is not None and assigned[1] in _OTHER_FILES:
            return None
        if assigned is None and word not in ("env", "exec", "command"):
            name = PurePath(word).stem
            if name.startswith("python") and words[place + 1 : place + 3] == ["-m", "unexpire"]:
                return words[place + 3 :]
            return words[place + 1 :] if name in ("unexpire", "aws") else None
    return None


def _no_program(environment: Environment, command: Sourced[str], program: str) -> ConfigurationError | None:
    if sys.platform == "win32":
        return None
    if os.sep in program:
        found = os.path.exists(
            environment.cwd / program
        )  # which is False, not an error, where a folder may not be searched
    else:
        found = shutil.which(program, path=environment.variables.get("PATH", os.defpath)) is not None
    if found:
        return None
    message = f"credential_process starts {program!r}, which is not there"
    return invalid(message, command, f"command -v {shlex.quote(program)}", "process-failed")
