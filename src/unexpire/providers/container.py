"""The container credential endpoint: ECS tasks, EKS Pod Identity, and whatever else speaks their protocol.

Format and the list of hosts: AWS SDKs and Tools Reference Guide, "Container credential provider"; botocore/utils.py,
`ContainerMetadataFetcher`.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..credentials import Credentials, format_timestamp, parse_timestamp
from ..errors import ConfigurationError, RefreshFailed
from ..settings.environment import Environment
from .candidate import Candidate
from .identity import identity_of
from .metadata_http import Reply, ask
from .timestamps import NoZone, zoned_timestamp
from .tls import distrust

__all__ = ["ContainerProvider", "metadata_credentials"]

_TIMEOUT_S, _ATTEMPTS = 2.0, 3


@dataclass(frozen=True)
class ContainerProvider:
    """Asks the endpoint that the environment names, with the token it names; the token file is read anew each time."""

    environment: Environment
    candidate: Candidate

    method = "container-role"
    renewable = True
    interactive = False

    @property
    def identity(self) -> str:
        return identity_of(self.method, self.environment, {"uri": self.url})

    @property
    def url(self) -> str:
        return self.candidate.settings["container_uri"].value

    def describe(self) -> str:
        return self.candidate.description

    def fetch(self) -> Credentials:
        """What the endpoint gives. Findings: container-refused, also for an address that SDKs refuse to ask."""
        if self.candidate.problem is not None:
            raise self.candidate.problem
        url = self.url
        headers = {"Accept": "application/json"}
        token = self._token()
        if token:
            headers["Authorization"] = token
        try:
            reply = ask(url, headers=headers, timeout_s=_TIMEOUT_S, attempts=_ATTEMPTS)
        except (OSError, http.client.HTTPException) as error:
            found = distrust(error)
            if found is not None:
                raise self._failed(f"cannot be asked: {found.why}", retryable=False) from error
            reason = (getattr(error, "strerror", None) or type(error).__name__).lower()
            raise self._failed(f"does not answer: {reason}", retryable=True) from error
        except ValueError as error:
            # A port that is no number, a token that no header can carry.
            raise self._failed("cannot be asked: its address or its token is malformed", retryable=False) from error
        if reply.status != 200:
            raise self._failed(f"answers HTTP {reply.status}{_code_in(reply)}", retryable=reply.may_pass)
        now = self.environment.now()
        try:
            given = metadata_credentials(json.loads(reply.body), now)
        except NoZone as error:
            raise self._failed(
                "gives an Expiration without a time zone, over which SDKs fail", retryable=False
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise self._failed("answers something that is no credential document", retryable=False) from error
        if given.expiration is not None and given.expiration <= now:
            # whatever AWS would say to them: botocore takes them for over, and fails ("the refreshed credentials are still expired")
            over = RefreshFailed(
                f"the container credential endpoint gives a session that is over since {format_timestamp(given.expiration)}",
                retryable=True,
                where=str(self.candidate.origin),
                finding="metadata-stale",
                hint="look at what serves the endpoint",
            )
            over.session_over = True  # type: ignore[attr-defined]
            raise over
        return given

    def _token(self) -> str | None:
        named = self.environment.variables.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        if named:
            try:
                token = self.environment.expand(named).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigurationError(
                    "the token file of the container endpoint cannot be read",
                    where="AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                    finding="container-refused",
                    hint="ls -l $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                ) from error
        else:
            token = self.environment.variables.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
        if "\r" in token or "\n" in token:
            raise ConfigurationError(
                "the token of the container endpoint has a line break in it, and SDKs refuse that",
                where="AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" if named else "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                finding="container-refused",
                hint="write the token without a newline",
            )
        return token or None

    def _failed(self, how: str, *, retryable: bool) -> RefreshFailed:
        return RefreshFailed(
            f"the container credential endpoint {how}",
            retryable=retryable,
            where=str(self.candidate.origin),
            finding="container-refused",
            hint="check AWS_CONTAINER_CREDENTIALS_FULL_URI and its token",
        )


def _code_in(reply: Reply) -> str:
    try:
        content = json.loads(reply.body)
        code = content.get("code") or content.get("Code")
    except (ValueError, AttributeError):
        return ""
    return f" ({code})" if isinstance(code, str) and len(code) < 80 else ""


def metadata_credentials(content: Any, now: datetime) -> Credentials:
    """Credentials out of the JSON that both metadata services give. Raises ValueError, KeyError or TypeError for anything else."""
    if not isinstance(content, dict) or content.get("Code") not in (None, "Success"):
        raise ValueError("no document, or one whose Code is not Success")
    for name in ("AccessKeyId", "SecretAccessKey", "Token", "Expiration"):
        if not isinstance(content[name], str) or not content[name]:
            raise ValueError(f"{name} is empty")
    end = zoned_timestamp(content["Expiration"])
    issued = now.replace(microsecond=0)
    updated = content.get("LastUpdated")
    if isinstance(updated, str):
        issued = min(parse_timestamp(updated), issued)
    account = content.get("AccountId")
    return Credentials(
        content["AccessKeyId"],
        content["SecretAccessKey"],
        content["Token"],
        expiration=end,
        issued_at=issued,
        account_id=account if isinstance(account, str) else None,
    )
