"""What the gate learns from IAM: keys and roles that a program makes through moto are real to the lab's STS as well."""

from __future__ import annotations

import re
from datetime import timedelta

from .state import AccessKey, Role, State, Trust

__all__ = ["learn"]


def learn(state: State, form: dict[str, str], answer: bytes) -> None:
    """Take over what an IAM call that succeeded has changed."""
    action, name = form.get("Action", ""), form.get("RoleName", "")
    with state.lock:
        if action == "CreateRole":
            trust = Trust.of_policy(form.get("AssumeRolePolicyDocument", "{}"))
            role = state.add_role(name, trust, _longest(form) or timedelta(hours=1), form.get("Path") or "/")
            role.role_id = _element("RoleId", answer) or role.role_id
        elif action == "DeleteRole":
            state.roles.pop(name, None)
        elif action == "UpdateAssumeRolePolicy" and name in state.roles:
            state.roles[name].trust = Trust.of_policy(form.get("PolicyDocument", "{}"))
        elif action == "UpdateRole" and name in state.roles:
            _update(state.roles[name], form)
        elif action in ("CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey"):
            _learn_key(state, action, form, answer)
        elif action == "CreateUser":
            user = state.add_user(form.get("UserName", ""))
            user.user_id = _element("UserId", answer) or user.user_id


def _learn_key(state: State, action: str, form: dict[str, str], answer: bytes) -> None:
    if action == "CreateAccessKey":
        key, secret = _element("AccessKeyId", answer), _element("SecretAccessKey", answer)
        name = _element("UserName", answer) or form.get("UserName", "alice")
        if key and secret:
            user = state.users.get(name) or state.add_user(name)
            state.keys[key] = AccessKey(key, state.vault.keep(secret), user)
    elif (known := state.keys.get(form.get("AccessKeyId", ""))) is not None:
        known.active = action == "UpdateAccessKey" and form.get("Status") == "Active"


def _update(role: Role, form: dict[str, str]) -> None:
    longest = _longest(form)
    if longest is not None:
        role.max_session = longest


def _longest(form: dict[str, str]) -> timedelta | None:
    text = form.get("MaxSessionDuration", "")
    return timedelta(seconds=int(text)) if text.isdigit() else None


def _element(name: str, answer: bytes) -> str | None:
    found = re.search(rb"<%s>([^<]+)</%s>" % (name.encode(), name.encode()), answer)
    return found[1].decode() if found else None
