"""What `static/match.js` needs to lead a pasted text to its page: the matcher's own tables, as JSON.

The script does what `candidates` and `pages_of` do and no more: it finds the page, and leaves the ranking of causes to
`unexpire explain`. It carries no rule of its own, so a sentence is added in one place; a test holds both to one answer.
"""

from __future__ import annotations

import re
from typing import Any

from ...findings import CODES
from .. import candidates, foreign, formats, match, normalise, pages_of, services
from ..ailments import AILMENT_IN, AILMENT_OF_CODE, AILMENTS
from ..page import index
from ..sentences import sentences

__all__ = ["javascript", "tables"]


def tables() -> dict[str, Any]:
    """Everything the script looks at; patterns are JavaScript's."""
    return {
        "rules": [[rule.ailment, rule.tier, rule.code, rule.json_code, javascript(rule.regex)] for rule in sentences()],
        "layouts": [[name, javascript(pattern.pattern)] for name, _, pattern in formats._COMPILED],
        "classes": [[name, javascript(pattern.pattern)] for name, pattern in formats._CLASSES],
        "notCodes": sorted(formats._NOT_CODES),
        "codes": {name: list(ailment.codes) for name, ailment in AILMENTS.items()},
        "pageOf": {name: ailment.page for name, ailment in AILMENTS.items() if ailment.page},
        "ailmentOf": AILMENT_OF_CODE,
        "ailmentIn": [[ailment, code, other] for (ailment, code), other in AILMENT_IN.items()],
        "plain": sorted(formats.PLAIN_WORDS),
        "canonical": formats.CANONICAL,
        "tiers": {
            "client": sorted(candidates._CLIENT_CODES),
            "generic": sorted(candidates._GENERIC_CODES),
            "bare": sorted(candidates._BARE_CODES),
        },
        "statusCodes": {code: list(meant) for code, meant in candidates._STATUS_CODES.items()},
        "statusNames": candidates._STATUS_NAMES,
        "assuming": candidates._ASSUMING,
        "registry": javascript(candidates._REGISTRY.pattern),
        "otherClusters": list(candidates._OTHER_CLUSTERS),
        "awsHelpers": list(candidates._AWS_HELPERS),
        "userTokens": list(candidates._USER_TOKENS),
        "familiar": sorted(match._FAMILIAR),
        "anybodys": sorted(candidates._ANYBODYS),
        "status400": javascript(candidates._STATUS_400.pattern),
        "bedrock": javascript(candidates._BEDROCK.pattern),
        "jsonBody": javascript(candidates._JSON_BODY.pattern),
        "logRecord": javascript(candidates._LOG_RECORD.pattern),
        "asExpected": javascript(candidates._AS_EXPECTED.pattern),
        "sums": javascript(match._SUMS.pattern),
        "startsMachines": javascript(candidates._STARTS_MACHINES.pattern),
        "pages": [[ailment, says, page] for ailment, says, page in pages_of._PAGES],
        "pageOfCode": pages_of._OF_CODE,
        "own": sorted(CODES),
        "index": {key: page for key, (page, _, _) in index().items()},
        "products": [[kind, name, javascript(pattern.pattern)] for kind, name, pattern in foreign.products()],
        "awsSigns": javascript(foreign._AWS_SIGNS.pattern),
        "tls": javascript(foreign._TLS.pattern),
        "consumer": foreign._CONSUMER,
        "falseFriends": foreign.FALSE_FRIENDS,
        "elsewhere": {code: [list(row) for row in rows] for code, rows in foreign._ELSEWHERE.items()},
        "xmlServices": sorted(services.XML_SERVICES),
        "serviceWords": services._WORDS,
        "serviceNames": sorted(services._NAMES),
        "serviceOfOperation": services._SERVICE_OF_OPERATION,
        "operation": javascript(services._OPERATION.pattern),
        "service": javascript(services._SERVICE.pattern),
        "host": javascript(services._HOST.pattern),
        "status": javascript(services._STATUS.pattern),
        "signedUrl": javascript(services._SIGNED_URL.pattern),
        "refused": javascript(services._REFUSED.pattern),
        "refusedUrl": match._REFUSED_URL,
        "headersOfS3": javascript(services._HEADERS_OF_S3.pattern),
        "refusedHeaders": match._REFUSED_HEADERS,
        "nothingThere": match._NOTHING_THERE,
        "gutter": javascript(normalise._GUTTER.pattern),
    }


def javascript(pattern: str) -> str:
    """A pattern of `re` as JavaScript's: groups are named otherwise there, and not every browser switches case inside a pattern."""
    named = re.sub(r"\(\?P=(\w+)\)", r"\\k<\1>", pattern).replace("(?P<", "(?<")
    return _ANY_CASE.sub(lambda match: f"(?:{_both_cases(match[1])})", named)


def _both_cases(pattern: str) -> str:
    return re.sub(r"(?<!\\)[a-z]", lambda letter: f"[{letter[0].upper()}{letter[0]}]", pattern)


_ANY_CASE = re.compile(r"\(\?i:([^()]*)\)")
