"""What only looks like an AWS credential error: other products, and other kinds of tokens inside AWS.

Two lists, because they are decided differently: a false friend is a code of AWS that is about something else; a product is a sign
that the whole text comes from somewhere else, which its words alone (Huawei and MinIO copy S3's) do not show.
"""

from __future__ import annotations

import os
import re
from functools import cache

__all__ = ["FALSE_FRIENDS", "false_friend_here", "names_aws", "products", "whose"]

FALSE_FRIENDS: dict[str, str] = {
    "ExpiredIteratorException": "a shard iterator of Kinesis is good for five minutes",
    "ExpiredNextTokenException": "a pagination token",
    "PaginationTokenExpiredException": "a pagination token",
    "InvalidNextToken": "a pagination token",
    "InvalidNextTokenException": "a pagination token",
    "InvalidPaginationTokenException": "a pagination token",
    "ExpiredCodeException": "a confirmation code that Cognito sent to a user",
    "CodeMismatchException": "a confirmation code that Cognito sent to a user",
    "ExpiredImportTokenException": "the import token of a KMS key",
    "InvalidGrantTokenException": "a grant token of KMS",
    "ReportExpired": "the IAM credential report",
    "CredentialReportExpired": "the IAM credential report",
    "ExpiredException": "a query or transaction of Lake Formation",
    "KMSInvalidSignatureException": "a signature that KMS was asked to verify",
    "InvalidCodeSignatureException": "the code signature of a Lambda function",
    "ClientTokenConflictException": "an idempotency token",
    "IdempotentParameterMismatch": "an idempotency token",
    "CloudTrailInvalidClientTokenIdException": "the SNS topic of a trail belongs to a suspended account",
    "TaskTimedOut": "a task token of Step Functions",
    "SlowDown": "the request rate of S3",
    "SlowDownException": "how often a login asks whether it was approved: normal while one waits",
    "AuthorizationPendingException": "a login that nobody has approved yet: normal while one waits",
    "UnauthorizedOperation": "a permission for EC2: the credentials themselves are good",
    "ExpiredTokenIdException": "a token that is no credential",
}

# (service, operation or "") -> what the code is about there. An empty service stands for "any operation of that name".
_ELSEWHERE: dict[str, tuple[tuple[str, str, str], ...]] = {
    "InvalidToken": (
        ("states", "", "the token of a Step Functions task"),
        ("", "SendTaskSuccess", "the token of a Step Functions task"),
        ("", "SendTaskFailure", "the token of a Step Functions task"),
        ("", "SendTaskHeartbeat", "the token of a Step Functions task"),
        ("", "ConfirmSubscription", "the token of an SNS subscription"),
    ),
    "ExpiredTokenException": (("meteringmarketplace", "", "a registration token of AWS Marketplace"),),
    "InvalidTokenException": (
        ("meteringmarketplace", "", "a registration token of AWS Marketplace"),
        ("network-firewall", "", "an update token of Network Firewall"),
        ("transfer", "", "a token of a callback"),
    ),
    "InvalidSignatureException": (("kms", "Verify", "a signature that KMS was asked to verify"),),
}

_AWS_SIGNS = re.compile(
    r"amazonaws\.com|\baws\b|\barn:aws|botocore|boto3?\b|@aws-sdk|aws-sdk|aws_sdk|\baws::|com\.amazonaws|awssdk|\bec2\b|\bdkr\.ecr"
    r"|\bsts\b|\bamazon\.(?:s3|sqs|runtime)|\bamazonec2\b|\boperation error \w{2,40}: \w"
)
_TLS = re.compile(
    r"certificate[ _]verify[ _]failed|x509: (?:certificate|failed to load system roots)|certificate has expired"
    r"|ssl(?:handshake|certverification)|unable to get local issuer|self[- ]signed certificate|pkix path"
)
_CONSUMER = "Amazon's consumer services"
_TABLE = os.path.join(os.path.dirname(__file__), "products.txt")


@cache
def products() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    """The table of `products.txt`: (``store`` or ``other``, name, signs in lowered text)."""
    with open(_TABLE, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split(" | ", 2) for line in file if line.strip() and not line.startswith("#")]
    return tuple((kind, name, re.compile(pattern)) for kind, name, pattern in rows)


def whose(lower: str) -> str | None:
    """Whose text this is, where it is not AWS's; None where nothing points elsewhere, or AWS is named as well.

    `lower`: flat and lowered. Stores that speak S3 are used through AWS's SDKs: only a host of AWS outweighs their names.
    """
    for kind, name, pattern in products():
        if pattern.search(lower):
            if name.startswith(_CONSUMER):
                return name
            outweighed = "amazonaws.com" in lower if kind == "store" else names_aws(lower)
            return None if outweighed else name
    return "TLS: a certificate, before anything was signed" if _TLS.search(lower) else None


def names_aws(lower: str) -> bool:
    """Does the text name AWS, one of its SDKs or hosts?"""
    return _AWS_SIGNS.search(lower) is not None


def false_friend_here(code: str, service: str | None, operation: str | None) -> str | None:
    """What `code` is about from this service and operation, where that is not a credential; else None."""
    if code in FALSE_FRIENDS:
        return FALSE_FRIENDS[code]
    for where, what, about in _ELSEWHERE.get(code, ()):
        if (not where or where == service) and (not what or what == operation):
            return about
    return None
