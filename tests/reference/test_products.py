"""An error in AWS's words that comes from another product is left alone, unless AWS is named beside it."""

from __future__ import annotations

import pytest

from unexpire.reference import foreign
from unexpire.reference.match import match_text

_EXPIRED = "error: the token is expired"
_REFUSED = "InvalidAccessKeyId: The Access Key Id you provided does not exist in our records."

TEXTS = {
    "Microsoft Entra ID (Azure AD)": f"AADSTS700082: {_EXPIRED}",
    "Google Cloud": f"https://storage.googleapis.com/b/k: {_REFUSED}",
    "Huawei Cloud OBS": f"https://b.obs.eu.myhuaweicloud.com/k: {_REFUSED}",
    "Alibaba Cloud": f"https://b.oss-eu-central-1.aliyuncs.com/k: {_REFUSED}",
    "Tencent Cloud COS": f"https://b.cos.ap-chengdu.myqcloud.com/k: {_REFUSED}",
    "Backblaze B2": f"https://s3.us-west-002.backblazeb2.com/b/k: {_REFUSED}",
    "Cloudflare R2": f"https://a.r2.cloudflarestorage.com/b/k: {_REFUSED}",
    "DigitalOcean": f"https://b.fra1.digitaloceanspaces.com/k: {_REFUSED}",
    "Wasabi": f"https://s3.eu-central-1.wasabisys.com/b/k: {_REFUSED}",
    "another S3-compatible store": f"https://play.min.io/b/k: {_REFUSED}",
    "a JSON Web Token library": "jwt.exceptions.ExpiredSignatureError: Signature has expired",
    "GitHub": f"https://api.github.com/user: {_EXPIRED}",
    "GitLab": f"https://gitlab.example.com/api/v4/user: {_EXPIRED}",
    "HashiCorp Vault": f"vault: permission denied: {_EXPIRED}",
    "Amazon's consumer services (not AWS)": f"https://api.amazon.com/auth/o2/token: {_EXPIRED}",
    "Okta": "okta: the session is invalid, E0000011",
    "Keycloak": f"https://login.example.com/realms/main: {_EXPIRED}",
    "Slack": f"https://slack.com/api/chat.postMessage: {_EXPIRED}",
    "npm or PyPI": f"https://registry.npmjs.org/left-pad: {_EXPIRED}",
    "Docker Hub": "https://registry-1.docker.io/v2/: unauthorized: authentication required",
    "Snowflake's own login": "snowflake: 390114: Authentication token has expired. The user must authenticate again.",
    "Salesforce": "salesforce: INVALID_SESSION_ID: Session expired or invalid",
    "Kerberos": "GSSAPI failure: Ticket expired",
    "LDAP or Active Directory": f"ldap bind: {_EXPIRED}",
    "OpenAI or Anthropic": f"https://api.openai.com/v1/chat: {_EXPIRED}",
    "Stripe": f"stripe: api_key_expired: {_EXPIRED}",
    "Hugging Face": f"https://huggingface.co/api/models: {_EXPIRED}",
    "Facebook": f"https://graph.facebook.com/me: OAuthException: {_EXPIRED}",
    "Databricks' own tokens": f"https://x.cloud.databricks.com/api/2.0/token: {_EXPIRED}",
}


@pytest.mark.parametrize(("name", "text"), TEXTS.items())
def test_what_comes_from_another_product_is_left_alone(name: str, text: str) -> None:
    (found,) = match_text(text)
    assert (found.aws_auth, found.about) == (False, name)


def test_every_product_of_the_table_is_tried() -> None:
    assert set(TEXTS) == {name for _, name, _ in foreign.products()}


@pytest.mark.parametrize(
    "text",
    [
        f"https://s3.eu-west-1.amazonaws.com/b/k, a copy of https://play.min.io/b/k: {_REFUSED}",
        "api.github.com, boto3: An error occurred (ExpiredToken) when calling the GetObject operation: The provided token has expired.",
    ],
)
def test_aws_beside_it_outweighs_a_product(text: str) -> None:
    assert match_text(text)[0].aws_auth
