"""The ready-made AWS account of the lab: who is there, which roles, and whom they trust."""

from __future__ import annotations

from datetime import timedelta

from .state import AccessKey, State, Trust

__all__ = ["ACCOUNT", "OTHER_ACCOUNT", "SSO_ROLE", "populate"]

ACCOUNT = "123456789012"
OTHER_ACCOUNT = "210987654321"
SSO_ROLE = "ReadOnly"


def populate(state: State) -> AccessKey:
    """Users and roles; returns the key of the user ``alice``.

    Deploy    trusts the account                      Deep       trusts the account, sessions up to 12 h
    Chained   trusts the role Deploy                  Secure     trusts the account with MFA
    Partner   needs the external id partner-42        Forbidden  trusts nobody here
    Web       for web identities                      Instance, Task   EC2's and ECS's
    """
    account = f"arn:aws:iam::{state.account}:root"
    alice = state.add_user("alice")
    key = state.add_key(alice)
    state.add_role("Deploy", Trust((account,)))
    state.add_role("Deep", Trust((account,)), timedelta(hours=12))
    state.add_role("Chained", Trust((f"arn:aws:iam::{state.account}:role/Deploy",)))
    state.add_role("Secure", Trust((account,), mfa=True))
    state.add_role("Partner", Trust((account,), external_id="partner-42"))
    state.add_role("Forbidden", Trust((f"arn:aws:iam::{OTHER_ACCOUNT}:root",)))
    state.add_role("Web", Trust(federated=True))
    state.add_role("Instance", Trust())
    state.add_role("Task", Trust())
    return key
