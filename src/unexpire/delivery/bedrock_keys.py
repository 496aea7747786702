"""Short-term API keys of Bedrock, which SDKs would send until they are over, where unexpire gives credentials that are renewed.

Such a key is over after twelve hours at most, and nothing renews it. A long-term key has no session behind it, and is the user's own
business.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

__all__ = ["SIGNERS", "VARIABLE", "short_term", "sign_instead"]

VARIABLE = "AWS_BEARER_TOKEN_BEDROCK"
SIGNERS = tuple(
    f"choose-signer.{service}" for service in ("bedrock", "bedrock-runtime", "bedrock-agent", "bedrock-agent-runtime")
)
"""botocore's events for the services that go by such a key: those that are signed for under the name `bedrock`."""


def short_term(variables: Mapping[str, str]) -> bool:
    """Whether a short-term key is set (aws-bedrock-token-generator, `AUTH_PREFIX`)."""
    return variables.get(VARIABLE, "").startswith("bedrock-api-key-")


def sign_instead(signature_version: Any = None, context: Mapping[str, Any] | None = None, **_: Any) -> Any:
    """A handler for `SIGNERS`: sign, unless whoever made the client asked for the key. None: as botocore would have it.

    botocore prefers the key otherwise (botocore/handlers.py, `_set_auth_scheme_preference_signer`), whose handler of the less specific
    name runs after this one and is not asked any more.
    """
    config = (context or {}).get("client_config")
    if getattr(config, "auth_scheme_preference", None) or not short_term(os.environ):
        return None
    return signature_version if isinstance(signature_version, str) and signature_version.startswith("v4") else None
