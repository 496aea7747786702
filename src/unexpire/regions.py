"""What is known of AWS Regions without asking AWS."""

from __future__ import annotations

__all__ = ["OPT_IN_REGIONS", "home_region"]

OPT_IN_REGIONS = frozenset(
    {
        "af-south-1",
        "ap-east-1",
        "ap-east-2",
        "ap-south-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ca-west-1",
        "eu-central-2",
        "eu-south-1",
        "eu-south-2",
        "il-central-1",
        "me-central-1",
        "me-south-1",
        "mx-central-1",
    }
)
"""Regions that an account has to enable first, and whose STS refuses tokens of the global endpoint.

AWS account management guide, "Enable or disable AWS Regions in your account", as of October 2025.
"""


def home_region(region: str) -> str | None:
    """The Region of the same partition that is always enabled; None where `region` is that one or the partition has none."""
    home = (
        "cn-north-1" if region.startswith("cn-") else "us-gov-west-1" if region.startswith("us-gov-") else "us-east-1"
    )
    return None if home == region else home
