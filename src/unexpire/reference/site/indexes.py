"""The ways to a page: by who answers, by what went wrong, by its words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..labels import LABELS
from ..page import GROUPS, Cause, Page
from .markup import plain

__all__ = ["Shelf", "by_cause", "by_service", "likeliest", "search_index", "slug"]


@dataclass(frozen=True, slots=True)
class Shelf:
    """A heading, what it means, and the pages below it, each with what is said of it here."""

    name: str
    meaning: str
    entries: list[tuple[Page, str]] = field(default_factory=list)
    group: str = ""

    @property
    def slug(self) -> str:
        return slug(self.name)


# Who answers, in the words of the pages' `services`; the first that fits, several names in one cell fit several.
_WHO: tuple[tuple[str, str, str], ...] = (
    ("AWS services", "STS", r"\bSTS\b"),
    ("AWS services", "IAM", r"\bIAM\b(?! Roles Anywhere)"),
    ("AWS services", "S3", r"\bS3\b(?! backend)"),
    ("AWS services", "EC2", r"\bEC2\b"),
    (
        "AWS services",
        "DynamoDB, Lambda and other JSON services",
        r"JSON services|DynamoDB|Lambda|Bedrock|Cloud Control|Kinesis Video",
    ),
    ("AWS services", "SQS, SNS and other query APIs", r"query (?:APIs|and)|\bSQS\b|\bSNS\b|ElastiCache|CloudFormation"),
    ("AWS services", "API Gateway", r"API Gateway"),
    ("AWS services", "CloudTrail", r"CloudTrail"),
    ("AWS services", "every service", r"(?:every|any|most|many) services?\b|listed by AWS SDKs"),
    ("Signing in", "IAM Identity Center (SSO)", r"\bSSO\b|sso_session"),
    ("Signing in", "aws login", r"\bSign-in\b|aws login"),
    ("Signing in", "Amazon Cognito", r"Cognito"),
    ("Signing in", "IAM Roles Anywhere", r"Roles Anywhere"),
    ("Signing in", "EKS Pod Identity", r"EKS Auth"),
    ("Derived from AWS credentials", "Amazon ECR and container clients", r"\bECR\b|Docker"),
    ("Derived from AWS credentials", "Kubernetes and Amazon EKS", r"kubectl|Kubernetes"),
    ("Derived from AWS credentials", "databases (RDS, Aurora)", r"\bRDS\b|MemoryDB"),
    ("Derived from AWS credentials", "CodeCommit", r"CodeCommit"),
    ("Derived from AWS credentials", "Systems Manager", r"Systems Manager"),
    ("SDKs and tools", "botocore, boto3 and the AWS CLI", r"botocore|AWS CLI|boto3"),
    ("SDKs and tools", "AWS SDK for Go", r"for Go\b"),
    ("SDKs and tools", "AWS SDK for Java", r"for Java\b"),
    ("SDKs and tools", "AWS SDK for JavaScript", r"for JavaScript"),
    ("SDKs and tools", "AWS SDK for .NET", r"for \.NET"),
    ("SDKs and tools", "AWS SDKs for PHP and Ruby", r"for (?:PHP|Ruby)"),
    ("SDKs and tools", "Terraform", r"Terraform"),
    ("SDKs and tools", "CDK and GitHub Actions", r"\bCDK\b|GitHub"),
)
_ELSEWHERE = ("SDKs and tools", "others")


def by_service(pages: Iterable[Page]) -> list[Shelf]:
    """Who answers with which error. What no pattern knows comes under "others", so that no page is lost."""
    shelves = {name: Shelf(name, "", group=group) for group, name, _ in (*_WHO, (*_ELSEWHERE, ""))}
    for page in pages:
        said: dict[str, list[str]] = {}
        for service in page.services:
            statuses = " or ".join(map(str, service.statuses))
            names = [name for _, name, pattern in _WHO if re.search(pattern, service.name)] or [_ELSEWHERE[1]]
            for name in names:
                said.setdefault(name, []).extend([statuses] if statuses else [])
        for name, found in said.items():
            shelves[name].entries.append((page, ", ".join(dict.fromkeys(found))))
    return [shelf for shelf in shelves.values() if shelf.entries]


def by_cause(pages: Sequence[Page]) -> list[tuple[str, list[Shelf]]]:
    """The groups of causes, in each the labels that occur there, in each the pages with what happened in the page's words."""
    found: list[tuple[str, list[Shelf]]] = []
    for group in GROUPS:
        shelves: dict[str, Shelf] = {}
        for page in pages:
            for cause in page.causes:
                if cause.group == group:
                    shelf = shelves.setdefault(cause.label, Shelf(cause.label, LABELS[cause.label], group=group))
                    if all(entry[0] is not page for entry in shelf.entries):
                        shelf.entries.append((page, plain(cause.title)))
        ordered = sorted(shelves.values(), key=lambda shelf: (-len(shelf.entries), list(LABELS).index(shelf.name)))
        found.append((group, ordered))
    return found


def search_index(pages: Iterable[Page]) -> list[dict[str, Any]]:
    """A row a page: its name, title, other names, who answers, and the words of its text, each once."""
    return [
        {
            "n": page.name,
            "t": page.title,
            "k": [name for name in page.names if name != page.name],
            "s": ", ".join(dict.fromkeys(service.name for service in page.services)),
            "w": " ".join(_words(page)),
        }
        for page in pages
    ]


def likeliest(pages: Iterable[Page], most: int = 3) -> dict[str, list[tuple[str, str, str]]]:
    """The causes that come first where the text says no more than the code: group, title, and how to tell; Markdown, of which
    only code in backticks is used there."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for page in pages:
        first: dict[str, Cause] = {}
        for cause in page.causes:
            first.setdefault(cause.label, cause)
        ranked = [first[label] for label in page.causes_ranked if label in first]
        found[page.name] = [(cause.group, cause.title, cause.tell) for cause in ranked[:most]]
    return found


def javascript(name: str, value: Any) -> str:
    """A script that leaves `value` in ``UNEXPIRE.name``: a page opened from a folder may load scripts, and not fetch JSON."""
    return f"(window.UNEXPIRE = window.UNEXPIRE || {{}}).{name} = {json.dumps(value, ensure_ascii=False, separators=(',', ':'))};\n"


_COMMON = set(
    re.findall(
        r"\w+",
        "the and for that with not are was has have its this from but one can which what who when then than only also into",
    )
)


def _words(page: Page) -> list[str]:
    text = " ".join(
        (page.sections["Meaning"], *(_cause_words(cause) for cause in page.causes), *(s.message for s in page.services))
    )
    words = re.findall(r"[a-z0-9][a-z0-9_.-]{2,40}", plain(text).lower())
    return list(dict.fromkeys(word.rstrip(".-") for word in words if word not in _COMMON))


def _cause_words(cause: Cause) -> str:
    return f"{cause.title} {cause.label} {cause.text} {cause.tell}"


def slug(name: str) -> str:
    """A name as an anchor."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
