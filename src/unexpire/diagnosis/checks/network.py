"""The way to AWS: name, proxy, connection, TLS, Region."""

from __future__ import annotations

from collections.abc import Iterator

from ...findings import Evidence, Finding, Remedy, Severity
from .. import remedies
from ..reach import Reach, Stage
from ..snapshot import Snapshot, State

__all__ = ["check_network"]


def check_network(s: Snapshot) -> Iterator[Finding]:
    """What kept the question from being answered, when GetCallerIdentity was asked."""
    error = s.answer.error if s.answer is not None else None
    if s.works_in_other_region:
        yield Finding(
            "region-not-enabled",
            f"these credentials work in {s.works_in_other_region} and not in {s.region}: the Region is not enabled",
            (
                Evidence("region", s.region or "", None),
                Evidence("answer of AWS", s.answer.aws_code or "" if s.answer else "", None),
            ),
            _region(s),
            Severity.ERROR,
        )
    elif error is not None and error.finding == "region-not-enabled":
        yield Finding(
            "region-not-enabled",
            error.message,
            (Evidence("region", s.region or "", error.where),),
            _region(s),
            Severity.ERROR,
        )
    elif error is not None and error.finding == "throttled":
        yield Finding(
            "throttled",
            error.message,
            (Evidence("answer of AWS", s.answer.aws_code or "" if s.answer else "", error.where),),
            remedies.by_human("wait, and let one keeper ask for all", never=(remedies.run_line(s.winner, s),)),
            Severity.ERROR,
        )
    elif error is not None and s.state is State.UNREACHABLE:
        yield _unreachable(s, error.message, error.where)
    elif error is not None and s.state is State.DENIED:
        yield Finding(
            "access-denied",
            error.message,
            (
                Evidence(
                    "answer of AWS",
                    (s.answer.aws_code or "") if s.answer else "",
                    s.answer.endpoint if s.answer else None,
                ),
            ),
            remedies.by_human("a policy (of the VPC endpoint, the organisation or the session) forbids the call"),
            Severity.ERROR,
        )
    if s.reach is not None and s.reach.private and s.reach.stage is Stage.REACHED and s.state is State.WORKS:
        yield Finding(
            "endpoint-unreachable",
            f"{s.reach.url} resolves to the private address {s.reach.address}: a VPC endpoint",
            (Evidence("address", s.reach.address or "", s.reach.url),),
            None,
            Severity.NOTE,
        )


def _unreachable(s: Snapshot, message: str, where: str | None) -> Finding:
    reach = s.reach
    if reach is None:
        return Finding("endpoint-unreachable", message, (Evidence("seen", message, where),), _look(s), Severity.ERROR)
    summary = f"{message}" if reach.stage is Stage.REACHED else reach.detail
    if reach.private:
        summary += " (a private address: a VPC endpoint, or a name server that says so)"
    evidence = [Evidence("stage", reach.stage.value, reach.url), Evidence("seen", message, where)]
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
                "tell SDKs the certificate of the proxy or the endpoint", "export AWS_CA_BUNDLE=/path/to/ca.pem"
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
        return remedies.by_human(f"{override} leads somewhere that does not answer as STS does", f"echo ${override}")
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
