"""How a command of ours talks to the agent: one line of JSON there, one line back, over a Unix socket of the user's alone.

The socket is ``$UNEXPIRE_AGENT_SOCKET``, else ``$XDG_RUNTIME_DIR/unexpire/agent.sock``, else ``agent.sock`` in the folder of our cache; 0600
in a 0700 folder, and the agent asks the kernel who connected (peer credentials): it answers its own user and nobody else. The client asks
the same of the agent before it believes an answer.

A request is one JSON object and a line end, at most 64 KiB, UTF-8::

    {"op": "credentials", "profile": "prod" | null, "role": {…RoleRequest's fields…} | null, "identity": "assume-role-3f2a…" | null}
    {…, "form": "process"}                      the same, answered with the document of a credential process, ready to go out
    {"op": "status"}
    {"op": "keep", "profile": "prod"}           keep it fresh from now on
    {"op": "endpoint", "profile": "prod"}       the loopback URL of a profile and its token file
    {"op": "sync", "profile": "prod", "to": "prod-static"}     write its session there, ever anew; "stop": true ends that
    {"op": "ping"}

The answer is three digits, a space, one JSON object, and a line end; then the agent closes::

    200 {"AccessKeyId": …, "SecretAccessKey": …, "SessionToken": …, "Expiration": "2026-11-22T20:50:00+00:00" | null,
         "IssuedAt": … | null, "AccountId": … | null, "Label": "prod"}          credentials: usable now; Expiration is the true end
    200 {"identities": […], …}                                                 status, see `agent.Agent.status`
    400 {"message": …}           not a request that this agent knows
    403 {"message": …, "hint": …, "finding": …}  the source says no, or a human must act: the client goes to the source itself, and asks there;
                                   or an agent of `--only` some profiles is asked for another
    404 {"message": …}           no such profile here
    409 {"message": …}           by the agent's settings and variables this is another identity than by the client's
    503 {"message": …, "again_in_s": 1.5}  an outage, and nothing usable is held; `again_in_s` while it is short enough to be waited out

`identity` is what the client's own `provider_for(…).identity` says: an agent that was started with other variables or files must not
answer with another account's keys. A client without settings of its own (in a container that was given the socket) sends null, and
takes what the agent's settings say. Everything but a 200 means: do it yourself. Sessions that lie in the shared cache need no agent
at all; it is asked where the cache has none, or keeps none on the disk.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..credentials import Credentials
    from ..providers.resolve import RoleRequest

__all__ = [
    "LARGEST_LINE_B",
    "PROCESS_ANSWER",
    "ask",
    "ask_for_credentials",
    "document_of",
    "exchange",
    "from_agent_alone",
    "peer_user",
    "process_request",
    "socket_path",
]

LARGEST_LINE_B = 65_536
_LARGEST_ANSWER_B = 64 * 1024 * 1024
_LONGEST_PATH_B = 100
"""sockaddr_un holds 108 bytes on Linux and 104 on macOS."""
_LONGEST_WAIT_S = 30.0
"""With the agent's own patience for one question well below the 60 s after which Go ends a credential process."""


def socket_path(variables: Mapping[str, str], home: str | None = None) -> str | None:
    """Where the agent listens; None where there is no place for it, or the path is too long for a socket."""
    from ..stores import session_files

    named, runtime = variables.get("UNEXPIRE_AGENT_SOCKET"), variables.get("XDG_RUNTIME_DIR", "")
    if named:
        path = named
    elif os.path.isabs(runtime):
        path = os.path.join(runtime, "unexpire", "agent.sock")
    else:
        folder = session_files.folder(variables, home)
        if folder is None:
            return None
        path = os.path.join(folder, "agent.sock")
    return path if len(os.fsencode(path)) <= _LONGEST_PATH_B else None


def ask(path: str | None, request: Mapping[str, Any], *, timeout_s: float = 10.0) -> tuple[int, dict[str, Any]] | None:
    """The agent's answer; None where no agent of this user answers, for whatever reason. Never raises."""
    if path is None or not os.path.exists(path):
        return None
    import json

    received = exchange(path, json.dumps(request).encode() + b"\n", timeout_s)
    if received is None:
        return None
    status, _, body = received.partition(b" ")
    try:
        answer = json.loads(body)
        return (int(status), answer) if isinstance(answer, dict) else None
    except ValueError:
        return None


def exchange(path: str, line: bytes, timeout_s: float) -> bytes | None:
    """What the agent at `path` answers to a line; None where no agent of this user does. Never raises.

    For the fast lane as well, so without the module `socket`, whose import takes longer than the question.
    """
    if sys.platform == "win32":
        return None
    import _socket

    connection = None
    try:
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        connection.connect(path)
        if peer_user(connection) not in (None, os.geteuid()):
            return None
        connection.sendall(line)
        received = b""
        while not received.endswith(b"\n") and len(received) <= _LARGEST_ANSWER_B:
            chunk = connection.recv(LARGEST_LINE_B)
            if not chunk:
                break
            received += chunk
        return received
    except (OSError, ValueError):
        return None
    finally:
        if connection is not None:
            connection.close()


def peer_user(connection: Any) -> int | None:
    """The user id at the other end of a Unix socket: SO_PEERCRED (unix(7)) or LOCAL_PEERCRED; None where the system tells neither."""
    platform: str = sys.platform
    told = b""
    if platform.startswith("linux"):
        import _socket

        told = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)  # struct ucred: process, user, group
    elif platform == "darwin":
        # struct xucred of sys/ucred.h: version, user id, …; level SOL_LOCAL is 0, option LOCAL_PEERCRED is 1
        told = connection.getsockopt(0, 1, 76)
    return int.from_bytes(told[4:8], sys.byteorder) if len(told) >= 8 else None


def ask_for_credentials(
    variables: Mapping[str, str],
    home: str | None,
    *,
    profile: str | None,
    role: RoleRequest | None,
    identity: str,
    wait: bool = True,
    timeout_s: float = 10.0,
) -> Credentials | None:
    """The agent's set for this identity; None where it has none to give. Never raises.

    ``wait=False``: what it holds, and no renewal that it would first have to make. For who holds the identity's lock, which the
    agent would wait for in its turn.
    """
    path = socket_path(variables, home)
    if path is None or not os.path.exists(path):
        return None
    answer = ask(path, {**_request(profile, role, identity), "wait": wait}, timeout_s=timeout_s)
    if answer is None or answer[0] != 200:
        return None
    return _credentials(answer[1])


def process_request(profile: str | None) -> bytes:
    """The line that asks for a profile's credentials in the form of a credential process, by the agent's own settings.

    Written without `json`, for names that need nothing escaped.
    """
    named = "null" if profile is None else f'"{profile}"'
    request = f'{{"op":"credentials","profile":{named},"role":null,"identity":null,"form":"process"}}\n'
    return request.encode("ascii")


PROCESS_ANSWER = b'200 {"Version":1,'
"""How the answer to a `process_request` begins."""


def from_agent_alone(
    variables: Mapping[str, str], home: str | None, *, profile: str | None, role: RoleRequest | None
) -> str:
    """The document of a credential process by the agent's own settings, for a program that has none.

    Waits an outage out as long as the agent says that it is worth it. Raises UnexpireError with what the agent says.
    """
    import json
    import time

    from ..errors import ConfigurationError, RefreshFailed

    path = socket_path(variables, home)
    deadline = time.monotonic() + _LONGEST_WAIT_S
    while True:
        answer = ask(path, {**_request(profile, role, None), "form": "process"}, timeout_s=30.0)
        if answer is None:
            raise ConfigurationError(
                f"no agent of this user (id {os.geteuid()}) answers at {path}",  # type: ignore[attr-defined,unused-ignore]
                where="UNEXPIRE_AGENT_SOCKET",
                hint=f"unexpire agent {profile or 'PROFILE'}, with the folder of its socket mounted here",
            )
        status, document = answer
        if status == 200 and document.get("Version") == 1:
            return json.dumps(document, separators=(",", ":")) + "\n"
        again = document.get("again_in_s")
        if status == 503 and isinstance(again, int | float) and time.monotonic() + again < deadline:
            time.sleep(max(again, 0.1))
            continue
        message = f"the agent: {document.get('message', f'answers {status}')}"
        hint, finding = document.get("hint"), document.get("finding")
        raise RefreshFailed(message, retryable=status == 503, hint=hint, finding=finding)


def _request(profile: str | None, role: RoleRequest | None, identity: str | None) -> dict[str, Any]:
    import dataclasses

    asked = None
    if role is not None:
        asked = {each.name: getattr(role, each.name) for each in dataclasses.fields(role)}
        asked["tags"] = dict(role.tags)
    return {"op": "credentials", "profile": profile, "role": asked, "identity": identity}


def document_of(credentials: Credentials, label: str) -> dict[str, Any]:
    """The body of a 200 to ``credentials``."""
    end, issued = credentials.expiration, credentials.issued_at
    return {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": end.isoformat() if end is not None else None,
        "IssuedAt": issued.isoformat() if issued is not None else None,
        "AccountId": credentials.account_id,
        "Label": label,
    }


def _credentials(document: Mapping[str, Any]) -> Credentials | None:
    from ..credentials import Credentials, parse_timestamp

    try:
        end, issued = document["Expiration"], document["IssuedAt"]
        return Credentials(
            document["AccessKeyId"],
            document["SecretAccessKey"],
            document["SessionToken"],
            parse_timestamp(end) if end else None,
            parse_timestamp(issued) if issued else None,
            document["AccountId"],
        )
    except (KeyError, TypeError, ValueError):
        return None
