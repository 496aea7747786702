"""Which cause is likeliest, from what the text shows: an ailment's own order, moved by evidence, each move with its reason.

A reason is given only for what the text shows. Causes without one stand in the order of how often they are behind the ailment;
how to tell those apart is on the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

from .ailments import AILMENTS
from .ranking import Ranking, Shown, words
from .refused_keys import ec2_auth_failure, image_pull, key_unknown, s3_token_invalid, token_invalid
from .signatures import header_malformed, signature_incomplete, signature_mismatch, signature_time
from .signed_urls import LONGEST_S

__all__ = ["rank"]


def rank(shown: Shown) -> Ranking:
    """The causes of the ailment in the order that the evidence gives them."""
    ailment = AILMENTS[shown.ailment]
    ranking = Ranking(ailment.causes, ailment.expiry)
    rule = _RULES.get(shown.ailment)
    if rule is not None:
        rule(shown, ranking)
    return ranking


_FIVE_MINUTES = timedelta(minutes=5)
_LONGEST_SESSION = timedelta(hours=12)  # of a role; GetSessionToken's of a user may have 36 hours (STS API reference)
_WEB_IDENTITY = ("AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "GetCredentialsForIdentity", "GetOpenIdToken")


def _session(shown: Shown, ranking: Ranking) -> None:
    seen = shown.seen
    if seen.says(r"169\.254|\becs\b|task role|instance role|imds|\beks\b|irsa|kube|pod\b|credential provider cache"):
        ranking.first("refresher_stale", "the text names a source that renews itself: the program kept an old set")
    if seen.says(
        r"\.env\b|environment variable|aws_session_token|kubernetes secret|export aws_|static credentials|pasted"
    ):
        ranking.first("expired_static_copy", "the text names keys that were copied")
    if seen.running:
        ranking.first("expired_mid_run", "the job was already under way")
    if seen.says(r"\bsso\b|identity center|awsapps"):
        ranking.second("sso_login_required", "the text names SSO")
    if shown.operation in _WEB_IDENTITY:
        ranking.first(
            "web_identity_token_expired", f"{shown.operation} is not signed: the token given to it is what expired"
        )
    elif shown.operation == "CreateToken" or shown.service == "sso-oidc":
        ranking.first("sso_login_required", "SSO's token service says so of the login, not of AWS keys")
    elif shown.operation == "AssumeRole":
        ranking.look("AssumeRole is signed by the caller: it is the caller's session that ended, not the role's")
    if seen.url is not None and (seen.url.temporary or seen.url.scheme == "SigV4"):
        ranking.first(
            "presigned_session_expired", "a presigned URL stands in the text: it ends with the session that signed it"
        )
    elif seen.xml_document:
        ranking.first(
            "presigned_session_expired",
            "the text is S3's bare answer, as a browser or curl shows it for a URL whose signing session ended",
        )
    elif seen.says(r"pre-?signed|signed url|x-amz-signature"):
        ranking.first("presigned_session_expired", "the text speaks of a signed URL")
    elif seen.says(_FETCHED):
        ranking.first(
            "presigned_session_expired",
            "a program that signs nothing fetched an address of S3's: whoever gave it the address signed it",
        )
    image_pull(seen, ranking)
    ranking.look("when the job began: a failure a whole number of hours later is a session that nobody renewed")


_FETCHED = (
    r"(?:http error 40[03]|\b40[03] client error|error: 40[03]|returned error:? 40[03]|status code 40[03]|\b40[03] \(?bad request\)?)"
    r"[^.]{0,60}https?://\S{1,100}\bs3[\w.-]{0,40}\.amazonaws\.com/"
)
"""How pip, curl, wget, requests and their like print a status beside the address that they fetched."""


def _web_identity(shown: Shown, ranking: Ranking) -> None:
    age = shown.seen.token_age
    if age is None:
        return
    if timedelta(0) <= age < _FIVE_MINUTES:
        ranking.second("clock_skew", f"the token was only {words(age)} past its end: the clocks may differ")
    ranking.first(
        "web_identity_token_expired", f"the two numbers say that the token ended {words(age)} before the call"
    )
    if age > timedelta(hours=1):
        ranking.look("who writes the token file, and when it was last written")


def _pod_identity(shown: Shown, ranking: Ranking) -> None:
    ranking.first("refresher_stale", "EKS Pod Identity says so when a program reads its token file only once")
    ranking.look(
        "the SDK's version (botocore before 1.34.41 read the token once), and whether it began a day after the pod did"
    )


def _request_expired(shown: Shown, ranking: Ranking) -> None:
    if shown.seen.url is not None:
        ranking.first("presigned_url_expired", "a signed URL stands in the text")
    ranking.look(
        "whether other services say the same: then it is the session; if EC2 alone fails on fresh keys, the clock"
    )


def _url_expired(shown: Shown, ranking: Ranking) -> None:
    seen = shown.seen
    if seen.token_age is not None:
        ranking.first(
            "presigned_url_expired", f"S3's two times say that the URL ended {words(seen.token_age)} before the request"
        )
    if seen.url is not None and seen.url.temporary:
        ranking.look("the URL was signed by a session: it would have ended with that session at the latest")
    ranking.look("whether a page or a cache handed out a URL that was older than it looked")


_WORKSTATION = (
    "the paths are a desktop's, which has no metadata service: it is asked last, when nothing else has credentials"
)


def _nothing(shown: Shown, ranking: Ranking) -> None:
    seen = shown.seen
    if seen.says(r"check your action inputs|id-token|actions_id_token"):
        ranking.first(
            "config_incomplete",
            "the action got no inputs it could use; often `permissions: id-token: write` is missing",
        )
    elif seen.says(r"sharedcredsload: failed to (?:load|get) profile, (?!default\b)[\w-]"):
        ranking.first("config_incomplete", "the profile that was named is not in the files that this program reads")
    elif seen.says(r"(?:-v|--volume|--mount)\b\S{0,3} ?\S{0,200}\.aws\b"):
        ranking.first(
            "config_incomplete", "AWS files are mounted into a container: where its user may not look, or read"
        )
    elif seen.says(r"(?:--profile[ =]|\baws_profile=)['\"]?[\w$]"):
        ranking.first(
            "config_incomplete", "a profile was named, and it gave no keys: it lacks them, or names no source"
        )
    if seen.says(r"access disabled|ec2_metadata_disabled"):
        ranking.second(
            "config_incomplete",
            "the SDK was told not to ask the metadata service: something else was to give credentials",
        )
    elif seen.metadata and seen.says(r"status ?code: 404|\b404\b"):
        ranking.first("no_credentials", "the metadata service answered 404: no role is attached")
    elif seen.metadata and seen.workstation:
        ranking.first("no_credentials", _WORKSTATION)
    elif seen.metadata and seen.says(r"host is down|ehostdown|enetunreach|network is unreachable"):
        ranking.first("no_credentials", "there is no way to the metadata service: this is no machine of EC2 or ECS")
    elif seen.metadata and (seen.unreachable or seen.says(r"status ?code: 401|\b401\b")):
        ranking.first("metadata_unreachable", "the metadata service did not answer, or not to this kind of request")
    elif seen.says(r"containercredentialsprovider\(\): failed to load"):
        ranking.first("metadata_unreachable", "the container's source was set, and gave nothing")
    elif seen.unreachable:
        ranking.first(
            "metadata_unreachable",
            "something timed out: of a chain's sources, the metadata services are those on a network",
        )
    elif seen.says(r"reconciler|admission webhook|\bcontroller\b|\bkubelet\b"):
        ranking.first(
            "metadata_unreachable", "a program of a cluster: from a pod the node's metadata service is a hop too far"
        )
    if seen.says(r"\bsso\b|aws_sdk_load_config"):
        ranking.second("sso_login_required", "an SSO session that ended is often reported so")
    elif seen.says(r"unable to resolve aws account to use|need to perform aws calls for account \S+ but no cred"):
        ranking.second("sso_login_required", "the CDK keeps the reason to itself: a login that is over looks the same")
    if seen.says(r"\bexpired aws credentials|\baws credentials (?:have |are )?expired"):
        ranking.first("expired_static_copy", "the text says that there were some, and that they had expired")
        ranking.expiry = True
    if seen.running:
        ranking.first(
            "expired_mid_run",
            "the job was already under way when the credentials went: a session ended and nothing renewed it",
        )
        ranking.expiry = True
    ranking.look(
        "earlier lines: the reason of each provider, of which this is only the sum",
        "which user, HOME and profile the program runs with",
    )


def _metadata(shown: Shown, ranking: Ranking) -> None:
    if shown.seen.says(r"\btoken is expired"):
        ranking.first("refresher_stale", "EKS Pod Identity says so of a token file that the program read long ago")
        ranking.expiry = True
    if shown.seen.says(r"status ?code: 404|\b404\b"):
        ranking.first("no_credentials", "404 means that no role is attached")
    elif shown.seen.says(r"\b401\b"):
        ranking.second("refresher_stale", "401 means that the token of IMDSv2 was missing, or past its end")
    elif shown.seen.says(r"no ec2 instance role found.{0,160}failed to make ec2metadata request"):
        ranking.first("no_credentials", "the metadata service answered, and named no role")
    elif shown.seen.says(r"no ec2 instance role found"):
        ranking.second("no_credentials", "the metadata service named no role")
    elif shown.seen.says(r"meta-data/placement/"):
        ranking.first("config_incomplete", "the Region was asked for, not keys: no setting names one")
    elif shown.seen.workstation:
        ranking.first("no_credentials", _WORKSTATION)
    ranking.look("the hop limit (2 for containers), HTTP tokens required, and proxies for 169.254.169.254")


def _container(shown: Shown, ranking: Ranking) -> None:
    if shown.seen.says(r"loopback|not a valid container metadata|can only retrieve metadata") and shown.seen.says(
        r"169\.254\.170\.23|fd00:ec2::23"
    ):
        ranking.first(
            "aws_side_or_tool_bug",
            "the address is EKS Pod Identity's: an SDK that refuses it is older than that service",
        )
    elif shown.seen.says(r"https?://\[::1\][^.]{0,160}invalid host\. host can only be one of"):
        ranking.first(
            "aws_side_or_tool_bug", "the address is this machine's own in IPv6, which older SDKs for Java do not know"
        )


def _unsigned(shown: Shown, ranking: Ranking) -> None:
    if shown.seen.says(r"no awsaccesskey was presented"):
        ranking.first("no_credentials", "the request carried no access key: the program found none to sign with")
    elif shown.operation is not None or shown.seen.says(r"sdk|botocore|asyncaws|\bat com\.amazonaws\."):
        ranking.first("no_credentials", "an SDK signs what it sends, unless it found nothing to sign with")


def _waiter(shown: Shown, ranking: Ranking) -> None:
    if shown.seen.says(r"exceeded wait attempts"):
        ranking.expiry = False
        ranking.look("how long the waiter waits: it gave up before the resource was ready")


def _retrieval(shown: Shown, ranking: Ranking) -> None:
    if shown.seen.says(r"retrieving credentials from (?:ec2instancemetadata|ecscontainer)\b"):
        ranking.first("metadata_unreachable", "the source that failed is the metadata service")
    elif shown.seen.says(r"from sso\b|\bsso session|aws sso login"):
        ranking.first("sso_login_required", "the source that failed is SSO")
    elif shown.seen.says(r"\btoken (?:has |is )?expired"):
        ranking.first("sso_login_required", "a token that is made by a login has expired")
        ranking.expiry = True


def _process(shown: Shown, ranking: Ranking) -> None:
    seen = shown.seen
    if seen.says(r"no such file|not found|exit status 127|cannot find"):
        ranking.first("config_incomplete", "the program or a file it needs is not there")
    elif seen.says(r"\bsso\b|log ?in|session (?:has )?expired|reauth|refresh token"):
        ranking.first("sso_login_required", "the helper speaks of a login")
    elif seen.says(r"expired"):
        ranking.first("expired_static_copy", "the helper speaks of something expired")
    ranking.look("what the helper itself writes to standard error: run its command by hand")


def _settings(shown: Shown, ranking: Ranking) -> None:
    if shown.seen.says(r"actions_id_token_request_"):
        ranking.first(
            "config_incomplete", "GitHub gives the job no token to show: it lacks `permissions: id-token: write`"
        )


def _provider(shown: Shown, ranking: Ranking) -> None:
    """Providers are of one account of one partition; a SAML login mostly asks the STS endpoint that its tool was built with."""
    seen = shown.seen
    if seen.says(r"govcloud|-gov-|aws-cn|\bchina\b|\bcn-north"):
        ranking.first(
            "wrong_region_or_partition",
            "the text names another partition (GovCloud, China): its STS has to be asked, in one of its Regions",
        )
    elif seen.says(r"authsamlmanifestnotfound|withsaml|\bsaml\b"):
        ranking.second(
            "wrong_region_or_partition", "a SAML provider is of one partition, and is unknown to the STS of another"
        )


def _assume(shown: Shown, ranking: Ranking) -> None:
    seen = shown.seen
    if seen.says(
        r"no identity-based policy allows|explicit deny|permissions boundary|service control policy|session policy"
    ):
        ranking.first("permission_denied", "AWS names the policy that is in the way: one of the caller's side")
    elif seen.says(r"no resource-based policy allows|trust"):
        ranking.first("trust_policy", "AWS names the role's trust policy")
    if seen.says(
        r":assumed-role/([\w+=,.@-]{1,64})/\S{1,64} is not authorized.{0,120}:role/(?:[\w+=,.@-]{1,64}/){0,8}\1(?![\w+=,.@-])"
    ):
        ranking.second("config_incomplete", "the role is to assume itself: it may be named twice in the settings")
    if seen.says(r"\barn:aws[\w-]{0,12}:iam:::role/"):
        ranking.first("config_incomplete", "the role's ARN has no account in it")
    if seen.says(r"resource: \"?arn:aws[\w-]{0,12}:iam::\d{12}:user/"):
        ranking.first("config_incomplete", "the resource is a user's ARN: a role's belongs there")
    ranking.look(
        "who the caller is (sts get-caller-identity), and the role's trust policy with its conditions (ExternalId, MFA, sub, aud)"
    )


def _mfa(shown: Shown, ranking: Ranking) -> None:
    if shown.seen.says(r"mfa.{0,80}\barn:aws[\w-]{0,12}:iam::\d{12}:user/"):
        ranking.first("config_incomplete", "the device is given as a user's ARN: that of an MFA device holds `:mfa/`")
    elif shown.seen.says(r"verify your mfa serial number|invalid mfa serial"):
        ranking.second("config_incomplete", "AWS asks whether the serial number is that of this user's device")
    ranking.look("the serial number of the device, and the clock of what makes the codes: each code counts once")


def _clusters(shown: Shown, ranking: Ranking) -> None:
    if shown.seen.says(r"expired|after \d+ ?min|token"):
        ranking.first("expired_static_copy", "the text speaks of a token or of something expired")
    elif shown.seen.says(r"\bhelm_release\b|\bkubernetes_\w|hashicorp/(?:kubernetes|helm)\b"):
        ranking.first(
            "expired_mid_run",
            "a provider of Terraform's asks: a token that it was given as a value lasts 15 min, `exec` fetches new ones",
        )
    elif shown.seen.running:
        ranking.first("expired_mid_run", "the command ran for longer than the 15 min that a token for a cluster lasts")
        ranking.expiry = True
    if shown.seen.says(r"token (?:may have|has) expired"):
        ranking.expiry = True
    ranking.look(
        "aws sts get-caller-identity as the same user: if that works, the cluster does not know this principal"
    )


def _exec(shown: Shown, ranking: Ranking) -> None:
    """The AWS CLI's exit statuses: 252 a command that it cannot read, 253 settings or credentials missing, 254 an answer of a
    service, 255 anything else, a login to SSO among them (AWS CLI user guide, "Return codes")."""
    if shown.seen.says(r"failed with exit code 12[67]\b|exit status 12[67]\b"):
        ranking.first("config_incomplete", "126 and 127 are a shell's: there is no such program, or it cannot be run")
    status = re.search(r"executable \S{0,80}aws\"? failed with exit code (25[2-5])", shown.seen.lower)
    if status is not None:
        label, why = _EXIT[status[1]]
        ranking.first(label, f"exit code {status[1]} of the AWS CLI: {why}")
    if shown.seen.says(r"\bsso\b"):
        ranking.first("sso_login_required", "the text names SSO")
    ranking.look("what the helper wrote above this line: run `aws eks get-token --cluster-name NAME` by hand")


_EXIT = {
    "252": ("config_incomplete", "it could not read the command"),
    "253": ("no_credentials", "settings or credentials are missing"),
    "254": ("expired_static_copy", "a service answered with an error; of those, a session that ended is the commonest"),
    "255": ("sso_login_required", "no service answered with an error; a login to SSO that is over ends so"),
}


def _duration(shown: Shown, ranking: Ranking) -> None:
    if shown.seen.says(r"role chaining"):
        ranking.first(
            "duration_limit", "a role assumed with a session's keys lasts an hour at most, whatever its maximum"
        )


def _sso(shown: Shown, ranking: Ranking) -> None:
    if shown.ailment == "sso-never" and shown.seen.says(r"error loading sso token:.{0,60}\bexpired\b"):
        ranking.first("sso_login_required", "the text says that the login expired")
        ranking.expiry = True
    ranking.look(
        "whether `aws sts get-caller-identity` works for the same profile: then the tool reads another token cache"
    )
    if shown.seen.says(r"rfc ?3339|parsing time|failed to (?:parse|decode|unmarshal).{0,60}\b(?:cache|token|json)"):
        ranking.first(
            "sso_cache_mismatch",
            "the token file is there and cannot be read: another tool wrote it in a form of its own",
        )
    missing = shown.seen.says(r"not present|no such file|cannot find the (?:file|path)")
    if missing and shown.seen.says(r"\bssoproviderinvalidtoken\b"):
        ranking.first(
            "sso_cache_mismatch",
            "the Go SDK v1 looks for the file of a start URL (before July 2023 always), a login through a session writes another",
        )
    elif missing and shown.seen.says(r"\bsso session has expired or is invalid\b"):
        ranking.second(
            "sso_cache_mismatch",
            "the file is that of a profile without sso_session: a login through a session, or in another tool, writes another",
        )
    elif missing and shown.seen.says(r"\bos error 2\b"):
        ranking.first(
            "sso_cache_mismatch",
            "the Rust SDK looks for the file of a profile without sso_session, which a login through a session does not write",
        )
    elif missing and shown.ailment == "sso-login":
        ranking.second("sso_cache_mismatch")


def _words(shown: Shown, ranking: Ranking) -> None:
    if shown.seen.says(r"\baws sso login\b"):
        ranking.first("sso_login_required", "the text asks for a login to SSO")


def _codecommit(shown: Shown, ranking: Ranking) -> None:
    if shown.seen.says(r"bad interpreter|no such file|command not found|credential-helper.{0,120}(?:error|failed)"):
        ranking.first("config_incomplete", "git's credential helper could not be started")
    ranking.look(
        "who answers git: `git config --show-origin --get-all credential.helper`; a keychain repeats a password that has ended"
    )


def _registry(shown: Shown, ranking: Ranking) -> None:
    if shown.seen.says(r"public\.ecr\.aws"):
        ranking.look("`docker logout public.ecr.aws`: a public image needs no login, and a dead one is worse than none")
    ranking.look("who reads the login: sudo, a daemon or a build node has another HOME")


def _bare(shown: Shown, ranking: Ranking) -> None:
    if shown.seen.says(r"no credentials are provided"):
        ranking.first("no_credentials", "the text says that the program had none")
    ranking.look("a GET or a list of the same bucket: unlike HEAD they come with a body that names the code")


def _database(shown: Shown, ranking: Ranking) -> None:
    ranking.look(
        "when the token was made (15 minutes), whether its session still lives, and rds-db:connect for this user"
    )


def _signed_url(shown: Shown, ranking: Ranking) -> None:
    url = shown.seen.url
    if url is None:
        return
    if url.lifetime is not None and url.lifetime > timedelta(seconds=LONGEST_S):
        ranking.first("duration_limit", f"the URL asks for {words(url.lifetime)}, and seven days are the most")
    elif shown.ailment == "signed-url-bad" and url.temporary:
        ranking.first(
            "presigned_session_expired", "S3 answers 400 when a session has ended, and a session signed this URL"
        )
        ranking.expiry = True
    elif url.temporary and url.lifetime is not None and url.lifetime > _LONGEST_SESSION:
        ranking.second(
            "presigned_session_expired", f"it asks for {words(url.lifetime)}, and hardly a session lasts so long"
        )
    ranking.look(
        "the body of the answer (curl without -f, response.text): it has AWS's code, which the status alone hides"
    )


_RULES: dict[str, Callable[[Shown, Ranking], None]] = {
    "session-expired": _session,
    "web-identity-expired": _web_identity,
    "cognito-login-expired": _web_identity,
    "pod-identity-expired": _pod_identity,
    "request-expired": _request_expired,
    "presigned-expired": _url_expired,
    "token-invalid": token_invalid,
    "s3-token-invalid": s3_token_invalid,
    "key-unknown": key_unknown,
    "ec2-auth-failure": ec2_auth_failure,
    "signature-expired": signature_time,
    "signature-early": signature_time,
    "signature-unclear": signature_time,
    "json-signature-unclear": signature_time,
    "clock-skewed": signature_time,
    "signature-mismatch": signature_mismatch,
    "signature-incomplete": signature_incomplete,
    "header-malformed": header_malformed,
    "unsigned": _unsigned,
    "container-refused": _container,
    "waiter": _waiter,
    "no-credentials": _nothing,
    "imds-role": _nothing,
    "imds-off": _nothing,
    "metadata": _metadata,
    "config-invalid": _settings,
    "process-failed": _process,
    "retrieval-failed": _retrieval,
    "assume-role-denied": _assume,
    "mfa-failed": _mfa,
    "oidc-provider": _provider,
    "assume-generic": _assume,
    "cluster-refused": _clusters,
    "exec-failed": _exec,
    "duration-limit": _duration,
    "sso-login": _sso,
    "sso-never": _sso,
    "sso-session-revoked": _sso,
    "sso-cache": _sso,
    "session-words": _words,
    "registry-expired": _registry,
    "registry-login": _registry,
    "codecommit": _codecommit,
    "s3-head": _bare,
    "s3-head-denied": _bare,
    "signed-url-denied": _signed_url,
    "signed-url-bad": _signed_url,
    "db-token": _database,
}
