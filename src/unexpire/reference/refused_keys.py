"""Which cause is likeliest where AWS does not take the keys or the token: unknown, incomplete, of another place, or just very old."""

from __future__ import annotations

from ..regions import OPT_IN_REGIONS
from .evidence import Evidence
from .ranking import Ranking, Shown

__all__ = ["ec2_auth_failure", "image_pull", "key_unknown", "s3_token_invalid", "token_invalid"]


def token_invalid(shown: Shown, ranking: Ranking) -> None:
    """A temporary key without its token is the commonest reason. A token that is days old comes back as invalid, not as expired
    (aws-sdk-ruby counts both codes among those of expired credentials: aws-sdk-core, retries/error_inspector.rb). STS itself,
    which a program asks first, is mostly asked by its name for another partition or Region; a service that comes later is called
    with a set that worked somewhere: over by now, or put together from two."""
    seen = shown.seen
    if shown.code != "InvalidClientTokenId":
        ranking.second("stale_session_token")
        ranking.second("expired_static_copy")
    key = seen.access_key_id or ""
    if shown.operation in ("GetSessionToken", "GetFederationToken"):
        ranking.first("bad_access_key", f"{shown.operation} is called with a long-term key")
    elif seen.says(r"configuring terraform aws provider|validating provider credentials"):
        ranking.first(
            "bad_access_key", "Terraform asks STS first, with the keys as they stand: one that was deleted or mistyped"
        )
        ranking.second("missing_session_token")
    if seen.says(r"\baws-(?:runas|okta)\b|\bawsume\b|saml2aws"):
        ranking.first(
            "expired_static_copy",
            "the text names a tool that keeps sessions: it passes on one that is long past its end",
        )
        ranking.expiry = True
    if seen.says(_ALL_REGIONS):
        ranking.first("wrong_region_or_partition", "the text goes through Regions: one that is not enabled answers so")
    if seen.says(_AGENTS):
        ranking.first("refresher_stale", "a service that runs on says so: its keys worked, and nobody renewed them")
    if seen.says(
        r"after (?:a few|some|several|\d+) (?:hours?|days?)|worked (?:yesterday|before|until)|is expired|has expired"
    ):
        ranking.first(
            "expired_static_copy", "it worked before: a token long past its end is called invalid, not expired"
        )
        ranking.expiry = True
    if key.startswith("AKIA"):
        ranking.first(
            "bad_access_key", "the key in the text is a long-term one (AKIA): deleted, inactive or of another account"
        )
        ranking.second("stale_session_token", "a session token left over beside a long-term key gives the same words")
    elif key.startswith("ASIA"):
        ranking.first(
            "missing_session_token", "the key in the text is a temporary one (ASIA), which needs its session token"
        )
    if seen.says(
        r"security_token|session_?token['\"]?[:= ]{1,3}['\"]?(?:undefined|null|none\b|''|\"\"|missing)"
        r"|without (?:a |the )?session token|no session token"
    ):
        ranking.first("missing_session_token", "the text shows that the session token is missing")
    _region(seen, ranking)
    if shown.code == "InvalidClientTokenId":
        _session_without_mfa(shown, ranking)
    image_pull(seen, ranking)
    ranking.look(
        "the prefix of the access key: ASIA needs a session token, AKIA must have none",
        "whether the Region is enabled for the account",
    )


_AGENTS = (
    r"\bfluent-?(?:d|bit)\b|\.flb\b|\[output:\w|\bout_(?:cloudwatch|kinesis|firehose|s3|es|opensearch)|\blogstash\b"
    r"|amazon-(?:cloudwatch|ssm)-agent"
)
"""Programs that send for weeks with the keys of the machine or pod that they run on."""


def _session_without_mfa(shown: Shown, ranking: Ranking) -> None:
    """Credentials of GetSessionToken may not call IAM unless MFA was used for them (STS API reference, "GetSessionToken")."""
    seen = shown.seen
    if seen.says(r"aws-vault") and shown.service == "iam":
        ranking.first(
            "permission_denied",
            "aws-vault's sessions are GetSessionToken's, which may not call IAM unless MFA was used",
        )
    elif seen.says(r"aws-vault"):
        ranking.first(
            "bad_access_key", "aws-vault asks with the long-term key that it keeps: deleted or entered wrongly"
        )
    elif seen.says(r"\b(?:creating|reading|updating|deleting|listing) iam \w"):
        ranking.first(
            "permission_denied",
            "only IAM refuses keys that STS took before: a session of GetSessionToken without MFA may not call IAM",
        )
        ranking.second("missing_session_token")


def image_pull(seen: Evidence, ranking: Ranking) -> None:
    """A registry's token holds the session that made it: a container client has no other keys."""
    if seen.says(r"(?<!access )denied: the security token included in the request") and seen.says(r"\.ecr\.|\bdocker"):
        ranking.first("registry_token_expired", "a registry refused a pull: the client's login outlived its session")
        ranking.expiry = True


# Cloud Custodian, Prowler, ScoutSuite, aws-nuke and Steampipe (whose errors come as PostgreSQL's) ask every Region in turn.
_ALL_REGIONS = (
    r"\ball[ _-]?regions|every region|--regions?[ =]all\b"
    r"|\bc7n\b|c7n[_-]|cloud-?custodian|\bprowler\b|scout ?suite|aws-nuke|steampipe|\bpq: rpc error"
)


def _region(seen: Evidence, ranking: Ranking) -> None:
    region = seen.region or ""
    if region in OPT_IN_REGIONS:
        ranking.first("wrong_region_or_partition", f"{region} is a Region that must be enabled first")
    elif region.startswith("cn-") or "-gov-" in region or seen.says(r"amazonaws\.com\.cn|\baws-cn\b|\baws-us-gov\b"):
        ranking.first(
            "wrong_region_or_partition",
            "the text names another partition (China, GovCloud), where other keys are valid",
        )


def s3_token_invalid(shown: Shown, ranking: Ranking) -> None:
    _region(shown.seen, ranking)
    if (shown.seen.token_prefix or "").startswith("FwoG"):
        ranking.first(
            "wrong_region_or_partition",
            "a token that begins so is the global STS endpoint's: opt-in Regions refuse it",
        )
    ranking.look(
        "the STS endpoint that made the token, and the Region of the bucket",
        "whether key, secret and token are of one set",
    )


_NO_AWS_KEY = r"<awsaccesskeyid>(?!a[ks]ia|redact|exampl|hidden|your|x{3})[a-z0-9/+=_-]{3,128}<"


def key_unknown(shown: Shown, ranking: Ranking) -> None:
    key = shown.seen.access_key_id or ""
    if key.startswith("ASIA"):
        ranking.first(
            "missing_session_token",
            "the key in the text is a temporary one (ASIA): without its token S3 does not know it",
        )
    elif key.startswith("AKIA"):
        ranking.first(
            "bad_access_key", "the key in the text is a long-term one (AKIA): deleted, mistyped or of another partition"
        )
    elif shown.seen.says(_NO_AWS_KEY):
        ranking.first("bad_access_key", "the key in the answer is none of AWS's, which begin with AKIA or ASIA")
    elif shown.seen.says(r"(?<!aws )access key id you provided"):
        ranking.first("bad_access_key", "these are the words of another store that speaks S3's language, without `AWS`")
    _region(shown.seen, ranking)
    ranking.look("the endpoint: another S3-compatible store knows no AWS keys")


def ec2_auth_failure(shown: Shown, ranking: Ranking) -> None:
    seen = shown.seen
    _region(seen, ranking)
    if seen.says(_ALL_REGIONS + r"|describeregions|in region"):
        ranking.first("wrong_region_or_partition", "the text goes through Regions: one that is not enabled answers so")
    if seen.says(r"\bntp\b|clock|skew|system time|signature expired"):
        ranking.first("clock_skew", "the text speaks of the clock")
    if seen.says(r"<response> ?<errors> ?<error> ?<code>authfailure"):
        ranking.second("missing_session_token", "EC2's own XML: a program that signs by itself often sends no token")
    ranking.look("what STS says at the same moment: it names the clock, EC2 does not", "whether only some Regions fail")
