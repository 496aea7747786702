"""What to type: remedies as data. `now` ends the trouble, `never` keeps it from coming back; `fix` acts on `action`."""

from __future__ import annotations

import re
import shlex
import sys

from ..errors import UnexpireError
from ..findings import Action, Remedy
from ..providers.candidate import Candidate
from .snapshot import Snapshot

__all__ = [
    "by_human",
    "copy_in_file",
    "correction",
    "edit_line",
    "editor",
    "for_variables",
    "login",
    "reference_of",
    "remove_token",
    "run_line",
    "uncover",
    "variables_of",
]

KEY_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
)


def reference_of(candidate: Candidate | None, snapshot: Snapshot) -> str:
    """The options that name a source to a command of ours: ``--profile prod``, ``--role-arn …``, or nothing."""
    if snapshot.role_arn and candidate is snapshot.winner:
        return f"--role-arn {shlex.quote(snapshot.role_arn)}"
    if candidate is not None and candidate.profile and candidate.profile != "default":
        return f"--profile {shlex.quote(candidate.profile)}"
    return "--profile default" if candidate is not None and candidate.profile else ""


def run_line(candidate: Candidate | None, snapshot: Snapshot) -> str:
    """The wrapped command that never sees an end."""
    options = reference_of(candidate, snapshot)
    return " ".join(filter(None, ("unexpire run", options, "--", snapshot.command)))


def variables_of(snapshot: Snapshot, names: tuple[str, ...] = KEY_VARIABLES) -> tuple[str, ...]:
    """Those of the credential variables that are set in the environment looked at."""
    return tuple(name for name in names if snapshot.environment.variables.get(name) is not None)


def unset_line(names: tuple[str, ...]) -> str:
    if sys.platform == "win32":
        return "Remove-Item " + ",".join(f"Env:{name}" for name in names)
    return "unset " + " ".join(names)


def for_variables(
    snapshot: Snapshot, summary: str, *, then: Candidate | None = None, names: tuple[str, ...] | None = None
) -> Remedy:
    """Take variables out of the calling shell; of another process, start it anew without them."""
    chosen = names if names is not None else variables_of(snapshot)
    if snapshot.environment.pid is not None:
        now: tuple[str, ...] = (f"kill {snapshot.environment.pid}",)
        summary = f"{summary}: nothing can change the variables of a running process, start it anew"
    elif then is None and names is None:
        # Without the dead keys nothing is left; the new ones come from where these came from.
        now = ('eval "$(unexpire env --profile NAME)"',)
    else:
        now = (unset_line(chosen),)
    never = (run_line(then, snapshot),) if then is not None else ("unexpire run --profile NAME -- " + snapshot.command,)
    return Remedy(Action.UNSET, summary, now, never, {"variables": " ".join(chosen)})


def uncover(snapshot: Snapshot, winner: Candidate, hidden: Candidate) -> Remedy:
    """Remove the dead copy from a file, so that the source behind it is found again."""
    profile = winner.profile or "default"
    return Remedy(
        Action.UNCOVER,
        f"remove the dead keys of profile {profile} from {_file_of(winner)}, so that {hidden.description} is used",
        (f"unexpire fix --profile {shlex.quote(profile)}",),
        (run_line(hidden, snapshot),),
        _place(snapshot, winner),
    )


def _place(snapshot: Snapshot, candidate: Candidate) -> dict[str, str]:
    """The file and the section that hold the keys of a static source; in the config file the header is not the profile's name."""
    profile = candidate.profile or "default"
    found = snapshot.environment.settings().profiles.get(profile)
    held = None
    if found is not None:
        held = found.config if candidate.method == "config-file" else found.credentials
    section = held.name if held is not None else profile
    return {"profile": profile, "section": section, "file": str(candidate.origin.path or "")}


def copy_in_file(snapshot: Snapshot, winner: Candidate) -> Remedy:
    """Renew a static copy where it stands, from the source it most likely came from; without one, say how to name it."""
    profile = winner.profile or "default"
    quoted = shlex.quote(profile)
    parameters = _place(snapshot, winner)
    if snapshot.likely is not None:
        source = snapshot.likely.candidate
        name = source.profile or "default"
        return Remedy(
            Action.RENEW,
            f"renew it from profile {name} ({snapshot.likely.why})",
            (f"unexpire fix --profile {quoted} --from {shlex.quote(name)}",),
            (run_line(source, snapshot),),
            {**parameters, "from": name, "certain": "yes" if snapshot.likely.certain else "no"},
        )
    return Remedy(
        Action.RENEW,
        f"renew profile {profile} from the source it was copied from",
        (f"unexpire fix --profile {quoted} --from SOURCE",),
        (f"unexpire run --profile SOURCE -- {snapshot.command}",),
        parameters,
    )


def remove_token(snapshot: Snapshot, holder: Candidate, winner: Candidate | None) -> Remedy:
    """Take the token of another session out of the profile that holds the keys."""
    profile = holder.profile or "default"
    return Remedy(
        Action.REMOVE_TOKEN,
        f"remove the session token of profile {profile}",
        (f"unexpire fix {reference_of(winner, snapshot)}".rstrip(),),
        (run_line(winner, snapshot),),
        _place(snapshot, holder),
    )


def login(snapshot: Snapshot, candidate: Candidate | None, *, action: Action = Action.SSO_LOGIN) -> Remedy:
    """A login in the browser; the AWS CLI's own does it as well."""
    profile = candidate.profile if candidate is not None and candidate.profile else "default"
    quoted = shlex.quote(profile)
    if action is Action.LOGIN:
        now: tuple[str, ...] = (f"aws login --profile {quoted}",)
    else:
        now = (f"unexpire fix --profile {quoted}", f"aws sso login --profile {quoted}")
    return Remedy(
        action, f"log in again with profile {profile}", now, (run_line(candidate, snapshot),), {"profile": profile}
    )


def edit_line(summary: str, *now: str, never: tuple[str, ...] = (), **parameters: str) -> Remedy:
    """A line of a configuration file that a human decides on."""
    return Remedy(Action.EDIT, summary, now, never, parameters)


def by_human(summary: str, *now: str, never: tuple[str, ...] = ()) -> Remedy:
    """Something outside the reach of any command of ours."""
    return Remedy(Action.HUMAN, summary, now, never)


# What a hint of an error starts with where it is a line to type, not an instruction.
_COMMANDS = re.compile(r"(aws|unset|export|ls|chmod|pip|unexpire|iconv|command|file|sudo|echo|curl) (?!.*, )")
_PLACE = re.compile(r"(?P<path>[~/].*?|[A-Za-z]:\\.*?)(?::(?P<line>\d+))?$")


def correction(error: UnexpireError, *, never: tuple[str, ...] = ()) -> Remedy:
    """The remedy of a setting that cannot be used: its hint where that can be typed, else the editor at the line it is about."""
    hint = error.hint or ""
    if _COMMANDS.match(hint):
        return Remedy(Action.EDIT, error.message, (hint,), never)
    line = editor(error.where)
    return Remedy(Action.EDIT, hint or "correct the setting", (line,) if line else (), never)


def editor(where: str | None) -> str | None:
    """The line that opens a file at the place of a setting; None for what is not in a file."""
    found = _PLACE.match(where or "")
    if found is None:
        return None
    if sys.platform == "win32":
        return f"notepad {found['path']}"
    path = found["path"]
    quoted = path if re.fullmatch(r"[~/\w.+-]+", path) else shlex.quote(path)
    return f"${{EDITOR:-vi}} +{found['line']} {quoted}" if found["line"] else f"${{EDITOR:-vi}} {quoted}"


def _file_of(candidate: Candidate) -> str:
    return str(candidate.origin).rsplit(":", 1)[0]
