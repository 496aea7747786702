"""Settings: what botocore refuses, what stops the chain, and what works today and hurts tomorrow."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from ...credentials import KeyKind
from ...errors import ProfileNotFound, UnexpireError
from ...findings import CODES, Action, Evidence, Finding, Remedy, Severity
from ...providers.candidate import Candidate, Standing
from ...providers.way import client_problems
from ...settings.files import Sourced
from .. import remedies
from ..snapshot import Snapshot, State

__all__ = ["check_configuration"]

# botocore renews 15 minutes before the end (botocore/credentials.py, `_advisory_refresh_timeout`): a session that never has
# more left than that is renewed at every signing.
_LIVELY_SECONDS = 1800


def check_configuration(s: Snapshot) -> Iterator[Finding]:
    """Errors that end the chain, then oddities that are worth a line."""
    hidden = _hidden_file(s)
    if hidden is not None:
        yield hidden
    else:
        yield from _refused(s)
        if s.prediction.error is None and s.winner is None and s.fetch_error is None and s.credentials is None:
            yield _nothing(s)
    mangled = _mangled(s)
    if mangled is not None:
        yield mangled
    used = _lines_in_use(s)
    for problem in s.environment.settings().problems:
        said = mangled is not None and str(problem.origin) == mangled.evidence[0].where
        if not problem.fatal and s.prediction.error is None and hidden is None and not said:
            # what stands in a line that AWS has just refused is the reason; anywhere else it may be nobody's business
            refused = s.fetch_error is not None and str(problem.origin) in used
            yield Finding(
                "config-invalid",
                f"{problem.message} ({problem.origin})",
                (Evidence("setting", problem.message, str(problem.origin)),),
                remedies.correction(problem.error()),
                Severity.ERROR if refused else Severity.NOTE,
            )
    for unusable in client_problems(s.environment, s.prediction.profile):
        yield Finding(
            "config-invalid",
            f"{unusable.message}: boto3 and the AWS CLI fail over it",
            (Evidence("setting", unusable.message, unusable.where),),
            remedies.correction(unusable),
            Severity.WARNING,
        )
    if s.winner is not None and s.fetch_error is None:
        yield from _tomorrow(s, s.winner)


def _lines_in_use(s: Snapshot) -> set[str]:
    """Where the settings of the source stand, and of the sources that it stands on."""
    lines: set[str] = set()
    candidate = s.winner
    while candidate is not None:
        lines.update(str(setting.origin) for setting in candidate.settings.values())
        candidate = candidate.source
    return lines


def _hidden_file(s: Snapshot) -> Finding | None:
    """A file that SDKs silently skip, where what is missing is likely to stand in it."""
    if s.winner is not None or not (s.prediction.error is None or isinstance(s.prediction.error, ProfileNotFound)):
        return None
    settings = s.environment.settings()
    own = (*settings.config.problems, *settings.credentials.problems)
    skipped = next((p for p in own if not p.fatal and p.origin.line is None), None)
    if skipped is None:
        return None
    missing = s.prediction.error.message if s.prediction.error is not None else "no source in the chain has credentials"
    return Finding(
        "config-invalid",
        f"{skipped.message}; so {missing}",
        (Evidence("file", skipped.message, str(skipped.origin)),),
        remedies.correction(skipped.error()),
        Severity.ERROR,
    )


_MANGLED = (
    (re.compile(r"""^(["']).*\1$"""), "stands in quotes"),
    (re.compile(r"^(?:\$\{?\w|\{\{|%\w+%$)"), "holds a name that nothing replaced by its value"),
    (
        re.compile(r"^(?:none|null|nil|undefined)$|^<.*>$|^(?:your|my)[ _-]|^x+$|changeme", re.IGNORECASE),
        "is a placeholder",
    ),
    (re.compile(r"\s[#;]"), "has a comment behind it"),
    (re.compile(r"[\r\n]"), "has a line break in it"),
    (re.compile(r"\s"), "has a blank in it"),
    (re.compile(r"[^\x21-\x7e]"), "has a character in it that no key has"),
)


def _mangled(s: Snapshot) -> Finding | None:
    """A key that is none, or came with something else: AWS then says that it does not know the key, or the signature is wrong."""
    base = s.winner.base if s.winner is not None else None
    if base is None or not base.static or s.state is State.WORKS:
        return None
    swapped = _swapped(s, base)
    if swapped is not None or s.state is State.DENIED:
        return swapped
    for name in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token"):
        found = base.settings.get(name)
        how = next((words for sign, words in _MANGLED if found is not None and sign.search(found.value)), None)
        if found is None or how is None:
            continue
        named = found.origin.variable or name
        line = remedies.editor(str(found.origin))
        now = (line,) if line else (f"export {named}='…'",) if s.environment.pid is None else ()
        part = "" if how.startswith(("holds", "is ")) else ", which SDKs take for a part of the value"
        return Finding(
            "config-invalid",
            f"{named} {how}{part}",
            (Evidence(named, how, str(found.origin)),),
            remedies.edit_line("keep the bare value" if part else "give it the value itself", *now),
            Severity.ERROR,
        )
    return None


_KEY_ID = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,}")


def _swapped(s: Snapshot, base: Candidate) -> Finding | None:
    """The two values in each other's place: a classic of copying by hand."""
    key, secret = base.settings.get("aws_access_key_id"), base.settings.get("aws_secret_access_key")
    if key is None or secret is None or _KEY_ID.fullmatch(key.value) or not _KEY_ID.fullmatch(secret.value):
        return None
    names = " and ".join(found.origin.variable or name for name, found in (("the key id", key), ("the secret", secret)))
    line = remedies.editor(str(key.origin))
    now = (
        (line,)
        if line
        else ("export AWS_ACCESS_KEY_ID='…' AWS_SECRET_ACCESS_KEY='…'",)
        if s.environment.pid is None
        else ()
    )
    return Finding(
        "config-invalid",
        f"{names} stand in each other's place",
        (Evidence("access key id", "stands where the secret belongs", str(secret.origin)),),
        remedies.edit_line("exchange them", *now),
        Severity.ERROR,
    )


def _refused(s: Snapshot) -> Iterator[Finding]:
    error = s.prediction.error
    if error is None:
        return
    code = error.finding if error.finding in CODES else "config-invalid"
    assert code is not None
    place = error.where or str(s.prediction.profile_name.origin)
    remedy = _other_profile(s, error) if isinstance(error, ProfileNotFound) else _repair(s, code, error)
    nearest = f": {error.hint}" if isinstance(error, ProfileNotFound) and error.nearest else ""
    evidence = [Evidence("setting", error.message, place)]
    files = s.environment.settings()
    if isinstance(error, ProfileNotFound):
        evidence += [
            Evidence("file", "does not exist", str(file.origin))
            for file in (files.config, files.credentials)
            if not file.exists
        ]
    yield Finding(code, error.message + nearest, tuple(evidence), remedy, Severity.ERROR)


def _repair(s: Snapshot, code: str, error: UnexpireError) -> Remedy:
    broken = next((c for c in s.prediction.incomplete if c.problem is error), None)
    if code == "login-needed" and not (error.hint or "").startswith("pip"):
        return remedies.login(s, broken, action=Action.LOGIN)
    return remedies.correction(error)


def _other_profile(s: Snapshot, error: ProfileNotFound) -> Remedy:
    variable = s.prediction.profile_name.origin.variable
    if error.nearest and not (error.hint or "").startswith("rename"):
        now = [f"unexpire diagnose --profile {shlex.quote(error.nearest[0])}"]
        if variable:
            now.insert(0, f"export {variable}={shlex.quote(error.nearest[0])}")
        return remedies.edit_line(f"name a profile that exists: {', '.join(error.nearest)}", *now)
    misnamed = re.fullmatch(r"rename \[.*\] in (.*) to \[.*\]", error.hint or "")
    if misnamed is not None:
        line = remedies.editor(misnamed[1])
        return remedies.edit_line(error.hint or "", *((line,) if line else ()))
    now = ["aws configure list-profiles"]
    if variable:
        now.insert(0, f"unset {variable}")
    return remedies.edit_line("name a profile that exists", *now)


def _nothing(s: Snapshot) -> Finding:
    """No source at all; half a source is named as such."""
    half = next((c for c in s.prediction.incomplete if c.problem is not None and c.standing is Standing.SKIPPED), None)
    if half is not None and half.problem is not None:
        code = half.problem.finding if half.problem.finding in CODES else "no-credentials"
        assert code is not None
        return Finding(
            code,
            half.problem.message,
            (Evidence("incomplete source", half.description, str(half.origin)),),
            remedies.correction(half.problem),
            Severity.ERROR,
        )
    name = s.prediction.profile_name
    others = sorted(_giving(s))
    summary = (
        f"no source in the chain has credentials, and profile {name.value} has none"
        if s.prediction.profile is not None
        else "no source in the chain has credentials"
    )
    now = f"unexpire diagnose --profile {shlex.quote(others[0])}" if others else "aws configure"
    if s.platform in ("ecs", "eks", "ec2", "lambda"):
        summary += f" (this is {s.platform}, which would give them a role)"
    return Finding(
        "no-credentials",
        summary,
        (Evidence("looked at", "environment, profile, container and instance metadata", str(name.origin)),),
        remedies.edit_line("choose a profile that has credentials" if others else "set up credentials", now),
        Severity.ERROR,
    )


def _giving(s: Snapshot) -> Iterator[str]:
    """Profiles that look as if they gave credentials."""
    signs = ("aws_access_key_id", "role_arn", "sso_role_name", "credential_process", "login_session")
    for name, profile in s.environment.settings().profiles.items():
        if any(sign in profile for sign in signs):
            yield name


def _tomorrow(s: Snapshot, winner: Candidate) -> Iterator[Finding]:
    """What works now and will hurt: each a warning or a note, never a root cause of today's trouble."""
    for candidate in _with_sources(winner):
        duration = candidate.value("duration_seconds")
        if duration and duration.isdigit() and 900 <= int(duration) < _LIVELY_SECONDS:
            yield Finding(
                "duration-too-short",
                f"duration_seconds = {duration}: SDKs that renew 15 minutes ahead call AssumeRole at every request",
                (Evidence("duration_seconds", duration, str(candidate.settings["duration_seconds"].origin)),),
                _at("ask for an hour", candidate.settings["duration_seconds"]),
                Severity.WARNING,
            )
        if candidate.method == "sso" and not candidate.value("sso_session"):
            yield Finding(
                "sso-legacy-config",
                f"{candidate.description} has no sso_session: its token cannot renew itself",
                (Evidence("sso_start_url", candidate.value("sso_start_url") or "", str(candidate.origin)),),
                remedies.edit_line("move it to an [sso-session]", f"aws configure sso --profile {candidate.profile}"),
                Severity.NOTE,
            )
    if (
        winner.method == "custom-process"
        and s.credentials is not None
        and s.credentials.expiration is None
        and (s.credentials.session_token or s.credentials.kind is KeyKind.TEMPORARY)
    ):
        dead = s.state in (State.EXPIRED, State.REJECTED)
        yield Finding(
            "process-no-expiration",
            "the process gives a session without Expiration: SDKs keep the first one for ever",
            (Evidence("credential_process", "prints no Expiration", str(winner.origin)),),
            remedies.edit_line(
                'have it print "Expiration", or let unexpire stand in for it',
                f"unexpire setup {winner.profile or 'default'}",
                never=(remedies.run_line(winner, s),),
            ),
            Severity.ERROR if dead else Severity.WARNING,
        )


def _at(summary: str, found: Sourced[str]) -> Remedy:
    line = remedies.editor(str(found.origin))
    return remedies.edit_line(f"{summary}: duration_seconds = 3600", *((line,) if line else ()))


def _with_sources(candidate: Candidate) -> Iterator[Candidate]:
    current: Candidate | None = candidate
    while current is not None:
        yield current
        current = current.source
