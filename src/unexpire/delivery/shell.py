"""Export lines: the same variables in the words of bash, zsh, fish, PowerShell, cmd, dotenv, JSON and GitHub Actions.

Each format quotes so that its own reader gives back exactly the value, whatever stands in it, or refuses the value.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterator, Mapping

from ..credentials import Credentials, format_timestamp
from ..errors import ConfigurationError

__all__ = ["CONFUSING", "Format", "detect", "export_lines", "github_lines", "how_to_load", "masks", "variables_of"]

Variables = Mapping[str, str | None]
"""What to set, by name; None says: unset."""

CONFUSING = (
    # botocore prefers this old spelling of the token, so that one left over beside a new key is a signature of two halves.
    "AWS_SECURITY_TOKEN",
    # botocore believes that the environment can renew itself, and dies of RuntimeError at that moment.
    "AWS_CREDENTIAL_EXPIRATION",
    # The JavaScript SDK passes over the keys in the environment where a profile is named; others fail where it does not exist.
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
)
"""Variables that, left over beside three new ones, make a program use something else."""


class Format(enum.StrEnum):
    """Who reads the lines."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"
    CMD = "cmd"
    DOTENV = "dotenv"
    JSON = "json"
    GITHUB_ACTIONS = "github-actions"


def variables_of(
    credentials: Credentials, *, region: str | None = None, with_end: bool = False
) -> dict[str, str | None]:
    """The variables that give a program this set and nothing else: three to set, the confusing ones to unset.

    `with_end` also sets AWS_CREDENTIAL_EXPIRATION, to the true end. It is off by default: botocore takes the variable for a
    promise that the environment renews itself (`botocore.credentials.EnvProvider`), and where a program would get ExpiredToken,
    which it may handle, it gets a RuntimeError, which nothing handles.
    """
    variables: dict[str, str | None] = {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
    }
    variables.update(dict.fromkeys(CONFUSING))
    if with_end and credentials.expiration is not None:
        variables["AWS_CREDENTIAL_EXPIRATION"] = format_timestamp(credentials.expiration)
    if region is not None:
        variables["AWS_REGION"] = variables["AWS_DEFAULT_REGION"] = region
    return variables


def detect(variables: Mapping[str, str], parent: str | None) -> Format:
    """The format of the shell that asked: `parent` is the name of the parent process, `variables` this process's.

    The parent decides; SHELL only says which shell the user logs in with. Where nothing is known, bash: every POSIX shell reads it.
    """
    name = re.split(r"[\\/]", (parent or "").strip().lower())[-1].removeprefix("-").removesuffix(".exe")
    known = {"bash": Format.BASH, "sh": Format.BASH, "dash": Format.BASH, "ksh": Format.BASH, "zsh": Format.ZSH}
    known |= {"fish": Format.FISH, "pwsh": Format.POWERSHELL, "powershell": Format.POWERSHELL, "cmd": Format.CMD}
    if name in known:
        return known[name]
    login = re.split(r"[\\/]", variables.get("SHELL", ""))[-1]
    if login in known:
        return known[login]
    if variables.get("OS") == "Windows_NT":
        return Format.POWERSHELL if "PSModulePath" in variables else Format.CMD
    return Format.BASH


def export_lines(variables: Variables, form: Format) -> str:
    """What `form`'s reader executes or reads. Raises ConfigurationError for a value that it cannot carry.

    For GITHUB_ACTIONS this is the content for the file that GITHUB_ENV names; `masks` gives what goes to stdout before it.
    """
    for name, value in variables.items():
        if value is not None and "\0" in value:
            raise _cannot(form, name, "a NUL character")
    if form is Format.JSON:
        return json.dumps({name: value for name, value in variables.items() if value is not None}, indent=2) + "\n"
    write = {
        Format.BASH: _posix,
        Format.ZSH: _posix,
        Format.FISH: _fish,
        Format.POWERSHELL: _powershell,
        Format.CMD: _cmd,
        Format.DOTENV: _dotenv,
        Format.GITHUB_ACTIONS: _github,
    }[form]
    return "".join(line + "\n" for name, value in variables.items() for line in write(name, value))


def how_to_load(form: Format, command: str) -> str:
    """The line that a person types so that their shell takes the variables over."""
    return {
        Format.BASH: f'eval "$({command})"',
        Format.ZSH: f'eval "$({command})"',
        Format.FISH: f"{command} | source",
        Format.POWERSHELL: f"{command} | Out-String | Invoke-Expression",
        Format.CMD: f"{command} > %TEMP%\\u.cmd && call %TEMP%\\u.cmd && del %TEMP%\\u.cmd",
        Format.DOTENV: f"{command} > .env",
        Format.JSON: command,
        Format.GITHUB_ACTIONS: command,
    }[form]


def _posix(name: str, value: str | None) -> Iterator[str]:
    if value is None:
        yield f"unset {name}"
    else:
        quoted = value.replace("'", "'\\''")
        yield f"export {name}='{quoted}'"


def _fish(name: str, value: str | None) -> Iterator[str]:
    """With semicolons, and newlines written outside the quotes, so that `eval (…)`, which joins lines by blanks, works too."""
    if value is None:
        yield f"set -e {name};"
    else:
        quoted = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "'\\n'")
        yield f"set -gx {name} '{quoted}';"


def _powershell(name: str, value: str | None) -> Iterator[str]:
    """PowerShell also ends a quoted string at any of the typographic quotes U+2018 to U+201B; doubled, each stands for itself."""
    if value is None:
        yield f"Remove-Item Env:{name} -ErrorAction SilentlyContinue"
    else:
        quoted = re.sub("['\u2018-\u201b]", lambda quote: quote[0] * 2, value)
        yield f"$Env:{name} = '{quoted}'"


def _cmd(name: str, value: str | None) -> Iterator[str]:
    """For a batch file, where a percent sign is doubled."""
    if value is None:
        yield f'set "{name}="'
        return
    if re.search(r'["\r\n]', value):
        raise _cannot(Format.CMD, name, "a double quote or a line break")
    doubled = value.replace("%", "%%")
    yield f'set "{name}={doubled}"'


_PLAIN = re.compile(r"[A-Za-z0-9+/=_.:,@%-]*")


def _dotenv(name: str, value: str | None) -> Iterator[str]:
    """Bare where that is safe, as `docker --env-file` takes quotes for a part of the value; a file cannot unset."""
    if value is None:
        return
    if _PLAIN.fullmatch(value):
        yield f"{name}={value}"
    elif re.search(r"['\\\r\n]", value):
        raise _cannot(Format.DOTENV, name, "a single quote, a backslash or a line break")
    else:
        yield f"{name}='{value}'"


def _github(name: str, value: str | None) -> Iterator[str]:
    """One line of the file that GITHUB_ENV names; the runner's file commands can set but not unset."""
    if value is None:
        return
    if re.search(r"[\r\n]", value):
        raise _cannot(Format.GITHUB_ACTIONS, name, "a line break")
    yield f"{name}={value}"


def github_lines(variables: Variables, present: Mapping[str, str]) -> str:
    """The content to append to the file that GITHUB_ENV names.

    That file cannot unset, and an empty AWS_SECURITY_TOKEN or AWS_CREDENTIAL_EXPIRATION is worse than an old one: of the confusing
    variables that are `present`, the token's old spelling gets the new token, and AWS_PROFILE stays (the keys win over it).
    """
    lasting = dict(variables)
    if present.get("AWS_SECURITY_TOKEN") and variables.get("AWS_SESSION_TOKEN"):
        lasting["AWS_SECURITY_TOKEN"] = variables["AWS_SESSION_TOKEN"]
    return export_lines(lasting, Format.GITHUB_ACTIONS)


def masks(variables: Variables) -> str:
    """The workflow commands, for stdout, that keep the secrets out of a GitHub Actions log from here on."""
    secret = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return "".join(f"::add-mask::{value}\n" for name in secret if (value := variables.get(name)))


def _cannot(form: Format, name: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"{form.value} cannot carry {what} in {name}", hint="choose another --format")
