"""botocore's own chain as an oracle: what its resolver picks in a given environment, with no network and no processes."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock

import botocore.credentials
import botocore.session
import botocore.utils

STATIC = ("env", "shared-credentials-file", "config-file", "ec2-credentials-file", "boto-config")
_ANSWER = {
    "AccessKeyId": "ASIAORACLE",
    "SecretAccessKey": "s",
    "SessionToken": "t",
    "Token": "t",
    "Expiration": "2090-01-01T00:00:00Z",
}


@dataclass(frozen=True)
class Pick:
    """`method` of the first provider that delivers, "none", or "error"; the key id of a static one; the error for messages."""

    method: str
    access_key_id: str | None = None
    error: str | None = None


class _Process:
    """Stands in for subprocess.Popen, which is a parameter of botocore's provider."""

    returncode = 0

    def __init__(self, words: list[str], **_: Any) -> None:
        words[0]  # an empty command fails as it does in Popen

    def communicate(self) -> tuple[bytes, bytes]:
        return json.dumps({"Version": 1, **_ANSWER}).encode(), b""


class _NoSession:
    def __init__(self, *_: Any, **__: Any) -> None: ...


class _Metadata(botocore.utils.InstanceMetadataFetcher):
    """An instance metadata service that is there, unless it is switched off."""

    def retrieve_iam_role_credentials(self) -> dict[str, str]:
        if os.environ.get("AWS_EC2_METADATA_DISABLED", "false").lower() == "true":
            return {}
        return {
            "role_name": "r",
            "access_key": "ASIAIMDS",
            "secret_key": "s",
            "token": "t",
            "expiry_time": "2090-01-01T00:00:00Z",
        }


class _Container(botocore.utils.ContainerMetadataFetcher):
    def _retrieve_credentials(self, full_url: str, extra_headers: Any = None) -> dict[str, str]:
        return _ANSWER


def pick(variables: Mapping[str, str], profile: str | None) -> Pick:
    """Walk the chain of a fresh session as `CredentialResolver.load_credentials` does."""
    with (
        mock.patch.dict(os.environ, variables, clear=True),
        mock.patch("botocore.httpsession.URLLib3Session", _NoSession),
        mock.patch("botocore.credentials.InstanceMetadataFetcher", _Metadata),
        mock.patch("botocore.credentials.ContainerMetadataFetcher", _Container),
        mock.patch(
            "botocore.credentials.ProcessProvider", partial(botocore.credentials.ProcessProvider, popen=_Process)
        ),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            session = botocore.session.Session(profile=profile, include_builtin_handlers=False)
            found = session.get_component("credential_provider").load_credentials()
        except Exception as error:
            return Pick("error", error=f"{type(error).__name__}: {error}")
        finally:
            logging.disable(logging.NOTSET)
        if found is None:
            return Pick("none")
        if found.method == "env":
            return Pick("env", variables["AWS_ACCESS_KEY_ID"])
        key = found.access_key if found.method in STATIC else None
        return Pick(found.method, key if isinstance(key, str) else None)
