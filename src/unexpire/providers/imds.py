"""The instance metadata service of EC2, version 2 (EC2 user guide, "Use IMDS"; botocore/utils.py, `InstanceMetadataFetcher`)."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass

from ..credentials import Credentials, format_timestamp
from ..errors import RefreshFailed
from ..settings.environment import Environment
from ..settings.profile import Profile
from .candidate import Candidate
from .container import metadata_credentials
from .identity import identity_of
from .metadata_http import Reply, ask

__all__ = ["TURNED_OFF", "ImdsProvider"]

_IPV4, _IPV6 = "http://169.254.169.254", "http://[fd00:ec2::254]"
_CREDENTIALS = "/latest/meta-data/iam/security-credentials/"
_TOKEN_TTL_S = "21600"  # noqa: S105 - six hours, the most that the service gives
TURNED_OFF = (
    "turn it on for this instance, or keep a proxy out of the way (NO_PROXY=169.254.169.254): "
    "aws ec2 modify-instance-metadata-options --http-endpoint enabled --instance-id ID"
)
"""What a refused token means (AWS knowledge centre, "Troubleshoot instance metadata issues": 403; a forwarded request gets none)."""


@dataclass(frozen=True)
class ImdsProvider:
    """The role of the instance. Ends are told as the service tells them: an end that is over is never stretched."""

    environment: Environment
    candidate: Candidate
    profile: Profile | None = None

    method = "iam-role"
    renewable = True
    interactive = False

    @property
    def identity(self) -> str:
        return identity_of(self.method, self.environment, {"endpoint": self.endpoint})

    @property
    def endpoint(self) -> str:
        named = self._setting("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint")
        if named:
            return named.rstrip("/")
        mode = self._setting("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode") or ""
        return _IPV6 if mode.lower() == "ipv6" else _IPV4

    def describe(self) -> str:
        return self.candidate.description

    def fetch(self) -> Credentials:
        """The credentials of the instance's role. Findings: metadata-unreachable, metadata-stale."""
        token = self._get("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": _TOKEN_TTL_S})
        if token.status != 200 or not token.body:
            refused = self._failed(f"gives no session token (HTTP {token.status})", retryable=token.may_pass)
            if token.status == 403:
                refused.hint = TURNED_OFF
            raise refused
        headers = {"X-aws-ec2-metadata-token": token.text.strip()}
        named = self._get("GET", _CREDENTIALS, headers)
        if named.status == 404 or (named.status == 200 and not named.text.strip()):
            bare = self._failed("says that no role is attached to the instance", retryable=False)
            bare.finding = "no-credentials"
            bare.hint = "aws ec2 associate-iam-instance-profile --instance-id ID --iam-instance-profile Name=NAME"
            raise bare
        if named.status != 200:
            raise self._failed(f"answers HTTP {named.status}", retryable=named.may_pass)
        answer = self._get("GET", _CREDENTIALS + named.text.split()[0], headers)
        return self._judged(answer)

    def _judged(self, answer: Reply) -> Credentials:
        if answer.status != 200:
            raise self._failed(f"answers HTTP {answer.status}", retryable=answer.may_pass)
        now = self.environment.now()
        try:
            content = json.loads(answer.body)
            given = metadata_credentials(content, now)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._failed("answers something that is no credential document", retryable=True) from error
        if given.expiration is not None and given.expiration <= now:
            raise RefreshFailed(
                f"the instance metadata service hands out credentials that ended at {format_timestamp(given.expiration)}",
                retryable=True,
                where=self.endpoint,
                finding="metadata-stale",
                hint="look at the clock; then at the health of the instance (EC2 console, status checks)",
            )
        return given

    def _get(self, method: str, path: str, headers: dict[str, str]) -> Reply:
        timeout = self._number("AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout")
        attempts = self._number("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "metadata_service_num_attempts")
        try:
            return ask(
                self.endpoint + path,
                method=method,
                headers=headers,
                timeout_s=float(timeout),
                attempts=max(attempts, 1),
            )
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = (getattr(error, "strerror", None) or type(error).__name__).lower()
            raise self._failed(f"does not answer: {reason}", retryable=True) from error

    def _setting(self, variable: str, key: str) -> str | None:
        value = self.environment.variables.get(variable)
        if value is None and self.profile is not None and (found := self.profile.get(key)) is not None:
            value = found.value
        return value

    def _number(self, variable: str, key: str) -> int:
        try:
            return int(self._setting(variable, key) or 1)
        except ValueError:
            return 1

    def _failed(self, how: str, *, retryable: bool) -> RefreshFailed:
        return RefreshFailed(
            f"the instance metadata service {how}",
            retryable=retryable,
            where=self.endpoint,
            finding="metadata-unreachable",
            hint="in a container on EC2, raise the hop limit: aws ec2 modify-instance-metadata-options",
        )
