"""The way to AWS: settings of it, name, proxy, connection, TLS, Region."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...errors import UnexpireError
from ...findings import Evidence, Finding, Remedy, Severity
from ...providers.way import UnusableWay, endpoint_setting, endpoint_url
from .. import remedies
from ..reach import Reach, Stage
from ..snapshot import Snapshot, State

__all__ = ["OF_THE_WAY", "check_network"]

OF_THE_WAY = frozenset({"endpoint-unreachable", "throttled", "region-not-enabled"})
"""Findings of an error that are about the way to AWS, whoever met it."""


def check_network(s: Snapshot) -> Iterator[Finding]:
    """What kept the question from being answered: when the source was fetched, or when AWS was asked who it is."""
    error = s.fetch_error or (s.answer.error if s.answer is not None else None)
    if s.works_in_other_region:
        yield Finding(
            "region-not-enabled",
            f"these credentials work in {s.works_in_other_region} and not in {s.region}: the Region is not enabled",
            (Evidence("region", s.region or "", None), Evidence("answer of AWS", _code(s), None)),
            _region(s),
            Severity.ERROR,
        )
    elif isinstance(error, UnusableWay):
        yield Finding(
            "config-invalid",
            error.message,
            (Evidence("setting", error.message, error.where),),
            remedies.correction(error),
            Severity.ERROR,
        )
    elif error is not None and error.finding == "region-not-enabled":
        evidence = (Evidence("region", s.region or "", error.where), Evidence("answer of AWS", _code(s), None))
        yield Finding("region-not-enabled", error.message, evidence, _region(s), Severity.ERROR)
    elif error is not None and error.finding == "throttled":
        yield Finding(
            "throttled",
            error.message,
            (Evidence("answer of AWS", _code(s), error.where),),
            remedies.by_human(
                "wait, and let one keeper ask for all", "unexpire diagnose", never=(remedies.run_line(s.winner, s),)
            ),
            Severity.ERROR,
        )
    elif error is not None and s.state is State.UNREACHABLE and (s.fetch_error is None or error.finding in OF_THE_WAY):
        yield _unreachable(s, error)
    elif error is not None and s.fetch_error is None and s.state is State.DENIED:
        yield Finding(
            "access-denied",
            error.message,
            (Evidence("answer of AWS", _code(s), s.answer.endpoint if s.answer else None),),
            remedies.by_human("a policy (of the VPC endpoint, the organisation or the session) forbids the call"),
            Severity.ERROR,
        )


def _code(s: Snapshot) -> str:
    said = s.answer.aws_code if s.answer is not None else getattr(s.fetch_error, "aws_code", None)
    return said or "none"


# botocore/data/partitions.json: what a Region of any partition looks like.
_LIKE_A_REGION = re.compile(r"[a-z]{2,4}(-[a-z]{2,5})?-[a-z]+-\d+")


def _unreachable(s: Snapshot, error: UnexpireError) -> Finding:
    reach = s.reach
    seen = Evidence("seen", error.message, error.where)
    if reach is None:
        return Finding("endpoint-unreachable", error.message, (seen,), _look(s), Severity.ERROR)
    ours = endpoint_url(s.environment, s.prediction.profile, "sts") is None
    if reach.stage is Stage.DNS and ours and s.region and not _LIKE_A_REGION.fullmatch(s.region):
        where = next((n for n in ("AWS_DEFAULT_REGION", "AWS_REGION") if s.environment.variables.get(n)), "region")
        return Finding(
            "config-invalid",
            f"{s.region} is no Region of AWS, and so {_host(reach.url)} does not exist",
            (Evidence("region", s.region, where), Evidence("stage", reach.stage.value, reach.url)),
            remedies.edit_line("name a Region", "export AWS_REGION=us-east-1"),
            Severity.ERROR,
        )
    summary = error.message if reach.stage is Stage.REACHED else reach.detail
    if reach.private:
        summary += " (a private address: a VPC endpoint, or a name server that says so)"
    evidence = [Evidence("stage", reach.stage.value, reach.url), seen]
    if reach.proxy:
        evidence.append(Evidence("proxy", reach.proxy, "HTTPS_PROXY or HTTP_PROXY"))
    return Finding("endpoint-unreachable", summary, tuple(evidence), _for_stage(s, reach), Severity.ERROR)


def _for_stage(s: Snapshot, reach: Reach) -> Remedy:
    match reach.stage:
        case Stage.DNS:
            return remedies.by_human("check the name, the Region and the name server", f"nslookup {_host(reach.url)}")
        case Stage.PROXY:
            return remedies.by_human(
                "correct or unset the proxy", "unset HTTPS_PROXY HTTP_PROXY https_proxy http_proxy"
            )
        case Stage.TLS:
            return remedies.by_human(
                "tell SDKs the certificate of the proxy or the endpoint; one that is not valid yet, or no longer, may mean a wrong "
                "clock",
                "export AWS_CA_BUNDLE=/path/to/ca.pem",
            )
        case Stage.PLAIN:
            found = endpoint_setting(s.environment, s.prediction.profile, "sts")
            return remedies.by_human(
                "write http:// for an endpoint that is plain, or the port that speaks TLS"
                + (f", in {found.origin}" if found is not None else "")
            )
        case Stage.CONNECT:
            return remedies.by_human(
                "check the route, the firewall and the endpoint's security group", f"curl -sv {reach.url}"
            )
        case _:
            return _look(s)


def _look(s: Snapshot) -> Remedy:
    override = next(
        (name for name in ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL") if s.environment.variables.get(name)), None
    )
    if override:
        return remedies.by_human(f"{override} leads somewhere that does not answer as AWS does", f"echo ${override}")
    return remedies.by_human("try again in a moment", "unexpire diagnose")


def _region(s: Snapshot) -> Remedy:
    region = s.works_in_other_region or "us-east-1"
    return remedies.edit_line(
        f"enable {s.region}, or use one that is",
        f"export AWS_REGION={region}",
        f"aws account enable-region --region-name {s.region}",
    )


def _host(url: str) -> str:
    return url.split("://", 1)[-1].split("/", 1)[0].split(":", 1)[0]
