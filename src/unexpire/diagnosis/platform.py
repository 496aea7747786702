"""Where does this run? EC2, ECS, EKS, Lambda and the usual CI systems, told by what each of them puts in the environment."""

from __future__ import annotations

import os
from pathlib import Path

from ..settings.environment import Environment

__all__ = ["recognise"]

# A variable that only this place sets -> its name; the first hit wins, the more specific come first.
# Sources: Lambda "Using environment variables", ECS "Task metadata endpoint", EKS "Pod Identity" and "IRSA", CodeBuild "Environment
# variables", GitHub Actions "Default environment variables", GitLab CI "Predefined variables".
_SIGNS = (
    ("AWS_LAMBDA_FUNCTION_NAME", "lambda"),
    ("CODEBUILD_BUILD_ARN", "codebuild"),
    ("ECS_CONTAINER_METADATA_URI_V4", "ecs"),
    ("ECS_CONTAINER_METADATA_URI", "ecs"),
    ("GITHUB_ACTIONS", "github-actions"),
    ("GITLAB_CI", "gitlab-ci"),
    ("JENKINS_URL", "jenkins"),
    ("AWS_CLOUDSHELL_USER_ID", "cloudshell"),
    ("KUBERNETES_SERVICE_HOST", "kubernetes"),
)
_POD_IDENTITY = "169.254.170.23"
_EKS_TOKEN = "eks.amazonaws.com"  # noqa: S105 - the folder that EKS mounts its tokens in
# EC2 user guide, "Detect whether a host is an EC2 instance": on Nitro the DMI vendor says so, on Xen the hypervisor's uuid.
_DMI_VENDOR = Path("/sys/devices/virtual/dmi/id/sys_vendor")
_XEN_UUID = Path("/sys/hypervisor/uuid")


def recognise(environment: Environment) -> str | None:
    """``lambda``, ``ecs``, ``eks``, ``ec2``, a CI system, or None for a machine that shows nothing of the kind."""
    container = environment.variables.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
    web_identity = environment.variables.get("AWS_WEB_IDENTITY_TOKEN_FILE", "")
    if _POD_IDENTITY in container or _EKS_TOKEN in web_identity:
        return "eks"
    for variable, place in _SIGNS:
        if environment.variables.get(variable):
            return place
    if environment.variables.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        return "ecs"
    return "ec2" if _is_ec2() else None


def _is_ec2() -> bool:
    return _head(_DMI_VENDOR).startswith("Amazon EC2") or _head(_XEN_UUID).startswith("ec2")


def _head(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 64).decode("ascii", "replace")
    finally:
        os.close(descriptor)
