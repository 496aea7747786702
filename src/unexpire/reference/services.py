"""Which service and operation an error text is about: from operation names, SDK class names and the hosts of AWS."""

from __future__ import annotations

import re

__all__ = ["XML_SERVICES", "operation_and_service", "status_of"]

XML_SERVICES = frozenset(
    [
        *(
            "autoscaling",
            "cloudformation",
            "cloudfront",
            "cloudsearch",
            "cloudwatch",
            "docdb",
            "ec2",
            "elasticache",
            "elasticbeanstalk",
        ),
        *(
            "elb",
            "elbv2",
            "iam",
            "importexport",
            "neptune",
            "rds",
            "redshift",
            "route53",
            "s3",
            "s3control",
            "sdb",
            "ses",
            "sns",
            "sqs",
        ),
        "sts",
    ]
)
"""Services whose protocol is or was query, EC2's or REST-XML (botocore's models): they spell the codes of expired and invalid
tokens otherwise than those that speak JSON."""


def _pairs(table: str) -> dict[str, str]:
    return {word: line.split(":")[0] for line in table.split("\n") if line for word in line.partition(":")[2].split()}


# How SDKs write the name of a service, without blanks and case.
_WORDS = _pairs(
    """\
dynamodb:amazondynamodbv2 dynamodbv2 dynamodbstreams
s3:amazons3 s3control
sqs:amazonsqs simplequeueservice
sns:amazonsns simplenotificationservice
ec2:amazonec2 elasticcomputecloud
lambda:awslambda
sts:awssecuritytokenservice securitytoken securitytokenservice
iam:amazonidentitymanagement identitymanagement identityandaccessmanagement
logs:awslogs cloudwatchlogs
kinesis:amazonkinesis
firehose:kinesisfirehose amazonkinesisfirehose
es:elasticsearch opensearchpy
kms:awskms keymanagementservice
secretsmanager:awssecretsmanager secretmanager
ssm:awssimplesystemsmanagement simplesystemsmanagement simplesystems
cloudwatch:amazoncloudwatch monitoring
cloudformation:amazoncloudformation
ecr:amazonecr
ecs:amazonecs
rds:amazonrds
route53:amazonroute53
elb:elasticloadbalancing
elbv2:elasticloadbalancingv2 amazonelasticloadbalancing
ses:amazonsimpleemailservice simpleemail email
cognito-identity:awscognitoidentity cognitoidentity amazoncognitoidentity
cognito-idp:cognitoidentityprovider awscognitoidentityprovider
states:awsstepfunctions sfn stepfunctions
events:cloudwatchevents eventbridge
bedrock:bedrockruntime bedrock-runtime
sso:portal
sso-oidc:ssooidc oidc
meteringmarketplace:awsmarketplacemetering marketplacemetering
eks-auth:eksauth
"""
)
_NAMES = (
    frozenset(_WORDS.values())
    | XML_SERVICES
    | frozenset(
        [
            "acm",
            "amplify",
            "apigateway",
            "apigatewayv2",
            "appconfig",
            "appsync",
            "athena",
            "backup",
            "batch",
            "bedrock",
            "cloudtrail",
            "codeartifact",
            "codebuild",
            "codecommit",
            "codedeploy",
            "codepipeline",
            "config",
            "dms",
            "dsql",
            "ebs",
            "efs",
            "eks",
            "emr",
            "emr-serverless",
            "es",
            "execute-api",
            "fsx",
            "glacier",
            "glue",
            "guardduty",
            "imagebuilder",
            "inspector",
            "iot",
            "kafka",
            "kendra",
            "kinesisvideo",
            "lakeformation",
            "macie2",
            "mediaconvert",
            "memorydb",
            "mq",
            "network-firewall",
            "opensearch",
            "organizations",
            "personalize",
            "pinpoint",
            "polly",
            "pricing",
            "quicksight",
            "ram",
            "redshift-data",
            "rekognition",
            "resourcegroupstaggingapi",
            "rolesanywhere",
            "sagemaker",
            "sagemaker-runtime",
            "scheduler",
            "securityhub",
            "servicecatalog",
            "servicediscovery",
            "sesv2",
            "shield",
            "signin",
            "storagegateway",
            "support",
            "swf",
            "synthetics",
            "textract",
            "timestream",
            "transcribe",
            "transfer",
            "translate",
            "waf",
            "wafv2",
            "workspaces",
            "xray",
        ]
    )
)
_SERVICE_OF_OPERATION = _pairs(
    """\
sts:AssumeRole AssumeRoleWithWebIdentity AssumeRoleWithSAML AssumeRoot GetCallerIdentity GetSessionToken GetFederationToken
sts:DecodeAuthorizationMessage GetAccessKeyInfo GetWebIdentityToken GetDelegatedAccessToken
s3:ListBuckets ListObjects ListObjectsV2 GetObject PutObject HeadObject HeadBucket CopyObject CreateMultipartUpload UploadPart
s3:CompleteMultipartUpload DeleteObject DeleteObjects GetBucketLocation CreateBucket ListObjectVersions GetBucketAcl GetBucketPolicy
ec2:DescribeInstances RunInstances DescribeRegions DescribeAddresses DescribeImages DescribeVpcs DescribeSubnets StopInstances
ec2:DescribeSecurityGroups DescribeAvailabilityZones DescribeVolumes DescribeNetworkInterfaces StartInstances TerminateInstances
ec2:DescribeSnapshots DescribeKeyPairs DescribeInstanceStatus DescribeTags DescribeInstanceTypes
dynamodb:ListTables GetItem PutItem UpdateItem DeleteItem Query Scan BatchGetItem BatchWriteItem DescribeTable TransactWriteItems
lambda:Invoke ListFunctions GetFunction UpdateFunctionCode UpdateFunctionConfiguration ListProvisionedConcurrencyConfigs
ssm:GetParameter GetParameters GetParametersByPath PutParameter DescribeParameters SendCommand StartSession
ssm:DescribeInstanceInformation UpdateInstanceInformation
secretsmanager:GetSecretValue PutSecretValue ListSecrets DescribeSecret
sqs:ReceiveMessage SendMessage SendMessageBatch DeleteMessage GetQueueUrl GetQueueAttributes ListQueues
sns:Publish ListTopics
iam:ListUsers ListRoles GetRole ListAccessKeys CreateRole ListPolicies ListAccountAliases CreateAccessKey
cloudformation:DescribeStacks CreateStack UpdateStack CreateChangeSet DescribeStackEvents ListStacks ExecuteChangeSet
cloudformation:ValidateTemplate DescribeChangeSet
logs:PutLogEvents DescribeLogGroups CreateLogStream DescribeLogStreams FilterLogEvents CreateLogGroup
cloudwatch:PutMetricData GetMetricData GetMetricStatistics DescribeAlarms ListMetrics
ecr:DescribeRepositories BatchGetImage BatchCheckLayerAvailability
ecs:DescribeServices UpdateService RegisterTaskDefinition RunTask DescribeTasks
eks:DescribeCluster
kms:Decrypt Encrypt GenerateDataKey DescribeKey
kinesis:PutRecords PutRecord GetRecords GetShardIterator DescribeStream ListShards
firehose:PutRecordBatch
sso:GetRoleCredentials ListAccounts ListAccountRoles
sso-oidc:CreateToken RegisterClient StartDeviceAuthorization
signin:CreateOAuth2Token
cognito-identity:GetCredentialsForIdentity GetId GetOpenIdToken
cognito-idp:InitiateAuth AdminInitiateAuth RespondToAuthChallenge AdminGetUser
bedrock:InvokeModel Converse ConverseStream InvokeModelWithResponseStream
states:StartExecution SendTaskSuccess SendTaskFailure SendTaskHeartbeat ListExecutions DescribeExecution GetExecutionHistory
glue:GetTable GetDatabase GetDatabases GetTables StartJobRun GetPartitions
athena:StartQueryExecution GetQueryExecution GetQueryResults
meteringmarketplace:ResolveCustomer
eks-auth:AssumeRoleForPodIdentity
route53:ListHostedZones ChangeResourceRecordSets
ses:SendEmail SendRawEmail GetSendQuota
"""
)

_OPERATION = re.compile(
    r"when calling the (?P<cli>\w{2,80}) operation"
    r"|operation error (?P<svc>[\w -]{2,40}): (?P<go>\w{2,80})[,:]"
    r"|Error executing \"(?P<php>\w{2,80})\" on"
    r"|deserializeAws_(?:json1_0|json1_1|query|ec2|restJson1|restXml)(?P<js>[A-Z]\w{1,80}?)CommandError"
    r"|\b(?P<short>[a-z0-9]{2,20})[:.](?P<call>[A-Z][a-z]\w{2,60})(?=[\s,:;)\"'])"
    r"|\bfrom (?P<eksctl>[a-z0-9]{2,20})/(?P<ecall>[A-Z][a-z]\w{2,60})"
    r"|[?&]Action=(?P<query>\w{2,80})"
    r"|[Xx]-[Aa]mz-[Tt]arget['\"]?[:=] ?['\"]?(?P<target>\w{2,80})\.(?P<tcall>\w{2,80})"
)
_SERVICE = re.compile(
    r"\(Service: (?P<java>[\w .]{2,60})[;,]|\bA(?:ws|WS)::(?P<ruby>\w{2,60})::Errors|\bAmazon\.(?P<net>\w{2,60})\.(?=[A-Z])"
    r"|@aws-sdk/client-(?P<js>[\w-]{2,60})|com\.amazonaws\.services\.(?P<j1>\w{2,60})\.|(?:software\.amazon\.awssdk|aws\.sdk\.kotlin)\.services\.(?P<j2>\w{2,60})\."
    r"|\baws[_-]sdk[_-](?P<rust>\w{2,60})::|aws-sdk-go(?:-v2)?/service/(?P<gosvc>\w{2,60})|\bAws\\+(?P<php>\w{2,60})\\+Exception"
    r"|\b(?P<search>elasticsearch|opensearchpy)\.exceptions\.\w|/services/(?P<jsv2>\w{2,40})\.js|\b(?:Amazon|AWS)(?P<base>\w{2,60}?)Exception\b"
    r"|\b(?P<jdbc>Athena)JDBC\b"
)
_HOST = re.compile(
    r"\b((?:[a-z0-9][a-z0-9-]{0,62}\.){1,12})(?:amazonaws\.com(?:\.cn)?|on\.aws|api\.aws)\b|\bpublic\.ecr\.aws\b",
    re.IGNORECASE,
)
_STATUS = re.compile(
    r"\b(?:Status ?Code|status code|statusCode|HTTPStatusCode|httpStatusCode|HTTP response code|response code|[Hh]ttp_code|status)"
    r"['\"]?[:=] ?(\d{3})\b"
    r"|\(HTTP (\d{3})\)|HTTP/[\d.]{1,3} (\d{3})\b|resulted in a `(\d{3}) |\bHTTP (?:status |error |code )?(\d{3})\b"
)
_SIGNED_URL = re.compile(r"[?&](?:x-amz-credential|x-amz-signature|awsaccesskeyid|key-pair-id)=")
_HEADERS_OF_S3 = re.compile(r"\bserver ?: ?amazons3\b|\bauthorization: aws(?:4-| a)")
_REFUSED = re.compile(
    r"\b(40[034])(?: client error| ?\(?(?:forbidden|bad request|not found))"
    r"|\b(?:http error|http|returned error:|returned|error|status:?|status code:?|code:?|got|response\.\.\.) (40[034])\b"
)
_FIELDS = ("cli", "go", "php", "js", "query", "tcall")


def operation_and_service(text: str, near: int = 0) -> tuple[str | None, str | None, str | None]:
    """(operation, service, AWS host) as far as the text names them, those nearest to the offset `near` first.

    The service is named as in its endpoint or in botocore.
    """
    window = text[max(0, near - 500) : near + 700]
    operation, service = _operation(window)
    if operation is None and len(window) < len(text):
        operation, service = _operation(text)
    host, hosted = _host(window)
    if host is None and len(window) < len(text):
        host, hosted = _host(text)
    return operation, service or _from_sdk(window) or hosted or _from_sdk(text), host


def _operation(text: str) -> tuple[str | None, str | None]:
    for match in _OPERATION.finditer(text):
        name = next((match[field] for field in _FIELDS if match[field]), None)
        if name is None:
            short, call = match["short"] or match["eksctl"], match["call"] or match["ecall"]
            if short in _NAMES and call:
                return call, short
            continue
        if (match["svc"] or "").strip() == "ec2imds":
            continue
        return name, _service(match["svc"] or "") or _SERVICE_OF_OPERATION.get(name)
    return None, None


def _host(text: str) -> tuple[str | None, str | None]:
    found: str | None = None
    for match in _HOST.finditer(text):
        service = "ecr" if match[1] is None else _service_of_labels(match[1].lower().rstrip(".").split("."))
        if service:
            return match[0], service
        found = found or match[0]
    return found, None


def _from_sdk(text: str) -> str | None:
    for match in _SERVICE.finditer(text):
        service = _service(match[match.lastgroup or 0])
        if service:
            return service
    return None


def _service(name: str) -> str | None:
    plain = name.lower().strip()
    key = re.sub(r"[ ._-]", "", plain).removesuffix("client").removesuffix("exception")
    short = key.removeprefix("amazon").removeprefix("aws")
    bare = short.removesuffix("service")
    for candidate in (key, short, bare):
        if candidate in _WORDS:
            return _WORDS[candidate]
    for candidate in (plain.replace(" ", "-").replace("_", "-"), key, short, bare):
        if candidate in _NAMES:
            return candidate
    return None


def _service_of_labels(labels: list[str]) -> str | None:
    if "dkr" in labels:
        return "ecr"
    for label in reversed(labels):
        if label == "s3" or label.startswith(("s3-", "s3express")):
            return "s3"
        if label.startswith("git-codecommit"):
            return "codecommit"
        if label == "oidc" and "eks" in labels:
            return "eks"
        if label in _NAMES or label in ("email", "monitoring", "portal", "oidc"):
            return _WORDS.get(label, label)
    return None


def status_of(text: str) -> int | None:
    """The HTTP status that the text prints, if one."""
    match = _STATUS.search(text)
    return int(next(group for group in match.groups() if group)) if match else None


def refused_url(lower: str) -> str | None:
    """The status, 400, 403 or 404, that any HTTP client prints in a text where a signed URL stands; `lower`: the text in small letters."""
    return _refusal(lower) if _SIGNED_URL.search(lower) else None


def refused_headers(lower: str) -> str | None:
    """The same where the headers of a signed request to S3, or of its answer, are printed."""
    return _refusal(lower) if _HEADERS_OF_S3.search(lower) else None


def _refusal(lower: str) -> str | None:
    match = _REFUSED.search(lower)
    return (match[1] or match[2]) if match else None
