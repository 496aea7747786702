"""The errors that a flat text may show: codes and sentences that belong together, joined."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .ailments import AILMENT_IN, AILMENT_OF_CODE, AILMENTS
from .foreign import names_aws
from .formats import Mention, mentions
from .normalise import Flat
from .sentences import BARE, CONTAINER, GENERIC, OTHER, SPECIFIC, Rule, sentences
from .services import XML_SERVICES

__all__ = ["Candidate", "as_expected", "belongs", "candidates", "code_of"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A code, a sentence, or both, at one place of the text. `printed`: the code stands in the text itself."""

    ailment: str | None
    code: str | None
    start: int
    end: int
    tier: int
    printed: bool
    rule: Rule | None = None
    mention: Mention | None = None


_CLIENT_CODES = frozenset(
    ("CredentialRetrievalError", "PartialCredentials", "ProfileNotFound", "InvalidConfig", "EmptyStaticCreds")
)
_GENERIC_CODES = frozenset(
    (
        "NoCredentialProviders",
        "NoCredentials",
        "CredentialsError",
        "CredentialsProviderError",
        "MissingCredentialsError",
        "NoEC2IMDSRole",
        "ExecPluginFailed",
        "CredentialsEndpointError",
    )
)
_BARE_CODES = frozenset(("EC2RoleRequestError", "EC2MetadataError", "WebIdentityErr", "ResourceNotReady"))
_STATUS_CODES = {
    "400": ("s3-head", "HTTP400"),
    "403": ("s3-head-denied", "HTTP403"),
    "401": ("denied-status", "HTTP401"),
}
_STATUS_NAMES = {"BadRequest": "s3-head", "Forbidden": "s3-head-denied"}
_ASSUMING = {
    "AssumeRole": "assume-role-denied",
    "AssumeRoot": "assume-role-denied",
    "AssumeRoleWithWebIdentity": "federation-denied",
    "AssumeRoleWithSAML": "federation-denied",
}
_MOST = 200
"""Places of one sentence that are looked at: a log of a million repetitions is `scan`'s."""


def candidates(flat: Flat) -> list[Candidate]:
    """Every sentence and every code of the text, likeliest first: by how much it tells, then by where it stands."""
    named = mentions(flat.text)
    found: list[Candidate] = []
    taken: set[int] = set()
    for rule in sentences():
        if rule.needle not in flat.lower:
            continue
        for place, match in enumerate(rule.pattern.finditer(flat.lower)):
            if place == _MOST:
                break
            if rule.ailment.startswith("page:"):
                found.append(Candidate(None, rule.code, match.start(), match.end(), rule.tier, False, rule))
                continue
            mention = _code_beside(rule, named, match.start(), match.end())
            if mention is not None:
                taken.add(mention.start)
            start = min(match.start(), mention.start) if mention else match.start()
            code = mention.code if mention else rule.code
            ailment = AILMENT_IN.get((rule.ailment, code or ""), rule.ailment)
            found.append(Candidate(ailment, code, start, match.end(), rule.tier, mention is not None, rule, mention))
    found += [_of_mention(mention) for mention in named if mention.start not in taken]
    return sorted(found, key=lambda c: (-c.tier, c.start))


def _code_beside(rule: Rule, named: list[Mention], start: int, end: int) -> Mention | None:
    """The mention of a code that goes with a sentence: one that belongs to its ailment, or failing that the very next one in a
    layout that puts code and sentence side by side (a service may give a familiar sentence with a code of its own)."""
    codes = AILMENTS[rule.ailment].codes
    fitting = [m for m in named if m.code in codes or (rule.ailment, m.code) in AILMENT_IN]
    if fitting:
        return min(fitting, key=lambda m: abs(m.start - start))
    if rule.tier < SPECIFIC:
        return None
    beside = [
        m
        for m in named
        if m.structured
        and (0 <= start - m.start < 160 or 0 <= m.start - end < 120)
        and not m.code.isdigit()
        and m.code not in AILMENT_OF_CODE
        and m.code not in _STATUS_NAMES
    ]
    return min(beside, key=lambda m: abs(m.start - start)) if beside else None


def _of_mention(mention: Mention) -> Candidate:
    code: str | None = mention.code
    ailment = AILMENT_OF_CODE.get(mention.code)
    tier = SPECIFIC if ailment else OTHER
    if mention.code in _STATUS_CODES:
        (ailment, code), tier = _STATUS_CODES[mention.code], BARE
    elif mention.code in _STATUS_NAMES and mention.layout in ("ruby", "go", "dotnet", "cpp", "rust"):
        ailment, tier = _STATUS_NAMES[mention.code], BARE
    elif mention.code in ("AccessDenied", "AccessDeniedException") and mention.operation in _ASSUMING:
        ailment, tier = _ASSUMING[mention.operation or ""], SPECIFIC
    elif mention.code in _CLIENT_CODES:
        tier = SPECIFIC - 1
    elif mention.code in _GENERIC_CODES:
        tier = GENERIC
    elif mention.code == "NoValidCredentialSources":
        tier = CONTAINER
    elif mention.code in _BARE_CODES:
        tier = BARE
    return Candidate(ailment, code, mention.start, mention.start + len(mention.code), tier, True, None, mention)


def code_of(candidate: Candidate, service: str | None, flat: Flat) -> str | None:
    """The code that the text names, or the one that the service gives with this sentence."""
    rule = candidate.rule
    if candidate.printed or rule is None or rule.json_code is None:
        return candidate.code
    if service is not None:
        return rule.code if service in XML_SERVICES else rule.json_code
    # Query services grant a signature fifteen minutes, those that speak JSON five.
    if candidate.ailment == "signature-expired" and re.search(r"- 5 min\.?\)", flat.lower[candidate.end :][:160]):
        return rule.json_code
    # To a session that is over, or a token that is not known, query services answer 403, those that speak JSON 400 for the most part.
    if candidate.ailment in ("session-expired", "token-invalid") and _STATUS_400.search(flat.lower):
        return rule.json_code
    if _BEDROCK.search(flat.text[: candidate.start][-40:]):
        return rule.json_code
    if _JSON_BODY.search(flat.text[: candidate.start][-40:]) or _JSON_BODY.search(
        flat.text[candidate.start : candidate.end]
    ):
        return rule.json_code
    # A body of JSON alone comes from API Gateway or a JSON service; a log's record in JSON may come from anywhere.
    body = flat.text.startswith("{") and _LOG_RECORD.search(flat.text) is None
    return rule.json_code if body else rule.code


_LOG_RECORD = re.compile(r'"(?:level|severity|levelname|logger|ts)" ?:')
_STATUS_400 = re.compile(r"\bstatus(?: ?code)?['\"]?[=:]? ?400\b")
_JSON_BODY = re.compile(r"""[{,] ?(?P<q>["'])[Mm]essage(?P=q) ?: ?["'](?:The )?$""")

_BEDROCK = re.compile(r"(?:^|: |\()40[03] (?:The )?$")
"""Status and sentence, as Anthropic's SDKs print an answer of Bedrock, which speaks JSON."""

_REGISTRY = re.compile(r"\b(?:[a-z0-9-]+\.){1,6}(?:com|io|net|org|dev|cloud|internal|local|ai|me)\b(?=[:/])")
_OTHER_CLUSTERS = (
    "azmk8s",
    "kubelogin",
    "gke_",
    "gke-gcloud",
    "container.googleapis",
    "openshift",
    "digitalocean",
    "doctl",
)
_AWS_HELPERS = (
    "aws",
    "granted",
    "saml2aws",
    "leapp",
    "eksctl",
    "chamber",
    "heptio-authenticator-aws",
    "okta-aws",
    "gimme-aws",
)
_STARTS_MACHINES = re.compile(r"\bkitchen\b|\bpacker\b|\bvagrant\b|\bami-[0-9a-f]{8}|\bi-[0-9a-f]{8}")
"""What drives EC2, whose words for an expired session are nobody else's in such a text."""
_ANYBODYS = frozenset(
    (
        *("InvalidToken", "UnauthorizedException", "ForbiddenException", "NotAuthorizedException", "AuthFailure"),
        *(
            "InvalidClientException",
            "UnauthorizedClientException",
            "InvalidSignature",
            "InvalidConfig",
            "ProfileNotFound",
        ),
    )
)
_AS_EXPECTED = re.compile(r"\b(?:info|debug)\b|refreshing|found in cache")
_USER_TOKENS = ("cognito", "notauthorized", "not authorized exception", "amplify")


def belongs(candidate: Candidate, flat: Flat, service: str | None) -> bool:
    """Is it AWS's at all? Words that other systems use too count only where something of AWS stands beside them."""
    lower, ailment, code = flat.lower, candidate.ailment, candidate.code
    if _anybodys(candidate) and len(lower) > len(code or "") + 8 and not names_aws(lower):
        return False  # alone, a code is asked about; before a sentence of another, it is another's
    if ailment in ("exec-failed", "exec-missing"):
        helper = re.search(r"exec: executable \"?(?:\S{0,80}/)?([\w.-]{1,80})", lower)
        return helper[1].startswith(_AWS_HELPERS) if helper else not any(sign in lower for sign in _OTHER_CLUSTERS)
    if ailment == "cluster-refused":
        return not any(sign in lower for sign in _OTHER_CLUSTERS)
    if ailment == "registry-login":
        return ".ecr." in lower or _REGISTRY.search(lower) is None
    if ailment in ("s3-head", "s3-head-denied") and candidate.mention is not None and candidate.rule is None:
        operation = candidate.mention.operation
        return operation is None or operation.startswith("Head") or candidate.code == "HTTP400"
    if ailment == "cognito-user":
        return _user_token(candidate, lower)
    if ailment in ("presigned-expired", "request-expired") and not candidate.printed:
        return (
            names_aws(lower)
            or "amz" in lower
            or len(lower) < 40
            or "<servertime>" in lower
            or "authorization token" in lower
            or "accessdenied: request has expired" in lower
            or "requestexpired" in lower
            or _STARTS_MACHINES.search(lower) is not None
        )
    if ailment == "sso-session-revoked" and candidate.rule is None:
        return service in (None, "sso") and (
            len(lower) < 60 or "getrolecredentials" in lower or "list account" in lower
        )
    if ailment == "sso-role-forbidden" and candidate.rule is None:
        return service in (None, "sso") and "forbidden" not in lower.replace("forbiddenexception", "").replace(
            "403 forbidden", ""
        )
    if ailment == "session-words":
        return not as_expected(candidate, flat)
    return not (code == "ForbiddenException" and candidate.rule is None)


def as_expected(candidate: Candidate, flat: Flat) -> bool:
    """Does its line only note that a session ended, as a program does that renews it by itself?"""
    return candidate.ailment == "session-words" and (
        _AS_EXPECTED.search(flat.around(candidate.start, candidate.end)) is not None
    )


def _anybodys(candidate: Candidate) -> bool:
    """A plain word before a sentence that is none of ours: `InvalidToken: the form is too old`."""
    mention = candidate.mention
    return candidate.rule is None and mention is not None and mention.layout == "word" and candidate.code in _ANYBODYS


def _user_token(candidate: Candidate, lower: str) -> bool:
    """A user's own token at Cognito: its sentences are short and common, and a wrong password is nobody's expired token."""
    if candidate.rule is None:
        return len(lower) < 40 or "token" in lower
    return candidate.printed or names_aws(lower) or any(sign in lower for sign in _USER_TOKENS)
