"""The lab's own HTTP API, under ``/_lab/``: what `Lab`'s methods do, for programs in other processes and other languages.

``GET /_lab/`` says what is there, ``GET /_lab/counts`` and ``/_lab/requests`` what was asked, ``POST /_lab/NAME`` with a JSON
object calls the method of that name with its members as arguments. Every answer is JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..credentials import format_timestamp
from .outages import MODES
from .wire import Request, Response, json_response

if TYPE_CHECKING:
    from .lab import Lab

__all__ = ["ACTIONS", "Control"]

# What may be called from outside, with the arguments that it takes.
ACTIONS: dict[str, frozenset[str]] = {
    "advance": frozenset({"seconds"}),
    "age": frozenset({"seconds"}),
    "set_clock_offset": frozenset({"seconds"}),
    "outage": frozenset({"service", "mode", "seconds", "operation", "times", "delay_s"}),
    "clear_outages": frozenset({"service"}),
    "end_all_sessions": frozenset(),
    "revoke": frozenset({"access_key_id"}),
    "rotate_key": frozenset({"access_key_id"}),
    "deactivate_key": frozenset({"access_key_id"}),
    "activate_key": frozenset({"access_key_id"}),
    "set_role": frozenset({"name", "trust_policy", "max_session_s", "principals", "external_id", "mfa"}),
    "disable_region": frozenset({"region"}),
    "enable_region": frozenset({"region"}),
    "revoke_sso": frozenset(),
    "expire_sso_clients": frozenset(),
    "assign_sso_role": frozenset({"account", "role"}),
    "unassign_sso_role": frozenset({"account", "role"}),
    "approve_device": frozenset({"user_code", "deny"}),
    "set_auto_approve": frozenset({"on"}),
    "revoke_login": frozenset({"error"}),
    "set_imds": frozenset({"v1", "role_attached", "enabled", "stale"}),
    "set_container": frozenset({"stale"}),
    "issue_session": frozenset({"role", "name", "seconds"}),
    "web_identity_token": frozenset({"subject", "audience", "seconds"}),
    "stop_rotation": frozenset(),
    "reset_counts": frozenset(),
    "set_forget_after": frozenset({"seconds"}),
}


class Control:
    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def answer(self, request: Request) -> Response:
        name = request.path.removeprefix("/_lab").strip("/").replace("-", "_")
        if request.method == "GET":
            return self._read(name, request)
        if request.method != "POST" or name not in ACTIONS:
            return json_response(
                404, {"error": f"no such action {name!r}", "actions": sorted(ACTIONS)}, outcome="NotFound"
            )
        arguments = request.document
        unknown = sorted(set(arguments) - ACTIONS[name])
        if unknown:
            return json_response(400, {"error": f"{name} does not take {', '.join(unknown)}"}, outcome="BadRequest")
        try:
            result = getattr(self._lab, name)(**arguments)
        except (TypeError, ValueError, KeyError) as error:
            return json_response(400, {"error": f"{name}: {error}"}, outcome="BadRequest")
        return json_response(200, {"ok": True, "result": _plain(result)})

    def _read(self, name: str, request: Request) -> Response:
        lab = self._lab
        if name == "":
            return json_response(200, lab.describe())
        if name == "counts":
            return json_response(200, lab.counts())
        if name == "requests":
            return json_response(200, [entry.as_json() for entry in lab.requests(**request.arguments)])
        if name == "outages":
            return json_response(200, {"modes": list(MODES)})
        return json_response(404, {"error": f"nothing at {request.path}"}, outcome="NotFound")


def _plain(result: Any) -> Any:
    from ..credentials import Credentials

    if isinstance(result, Credentials):
        return {
            "AccessKeyId": result.access_key_id,
            "SecretAccessKey": result.secret_access_key,
            "SessionToken": result.session_token,
            "Expiration": format_timestamp(result.expiration) if result.expiration else None,
        }
    return result if isinstance(result, str | int | float | bool | dict | list | None) else str(result)
