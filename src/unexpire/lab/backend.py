"""moto behind the gate: called in this process, as a WSGI application, for everything that is not about identity.

moto's backends are global to a process, so labs that live side by side in one process share their buckets and tables; the first
of them starts with empty ones.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import unquote, urlencode

from .state import State, as_policy_rows
from .wire import Call, Protocol, Request, Response

__all__ = ["Backend"]

_Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

_PRESIGNING = re.compile(
    r"(?:^|&)(?:X-Amz-(?:Algorithm|Credential|Date|Expires|SignedHeaders|Signature|Security-Token)|AWSAccessKeyId|Signature|Expires"
    r"|x-amz-security-token)=[^&]*"
)
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "date", "server", "transfer-encoding", "content-length"})
_users = 0
_users_lock = threading.Lock()


class Backend:
    def __init__(self, state: State) -> None:
        self._state = state
        self._application: _Application | None = None
        self._lock = threading.Lock()

    def answer(self, request: Request, call: Call, account: str) -> Response:
        """moto's answer to an admitted request. Loads moto at the first one: a second or two, which no other lab pays."""
        with _alone(request, call):
            return self._ask(self._load(), request, call, account)

    def _ask(self, application: _Application, request: Request, call: Call, account: str | None = None) -> Response:
        _keep_warnings_out()
        status, headers = [0], [("", "")]

        def start_response(line: str, found: list[tuple[str, str]], _: Any = None) -> None:
            status[0], headers[:] = int(line.split(" ", 1)[0]), found

        chunks = application(self._environment(request, call, account or self._state.account), start_response)
        try:
            body = b"".join(chunks)
        finally:
            getattr(chunks, "close", lambda: None)()
        kept = [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]
        outcome = "ok" if status[0] < 400 else _code_of(body, kept) or str(status[0])
        if request.method == "HEAD":
            kept += [(name, value) for name, value in headers if name.lower() == "content-length"]
        return Response(status[0], kept, body, outcome)

    def close(self) -> None:
        """Forget this lab's use of moto."""
        global _users
        with self._lock, _users_lock:
            if self._application is not None:
                self._application = None
                _users -= 1

    def _load(self) -> _Application:
        global _users
        with self._lock:
            if self._application is None:
                application = _moto_application()
                with _users_lock:
                    _users += 1
                    if _users == 1:
                        empty = Request("POST", "/moto-api/reset", "", {"host": "127.0.0.1"})
                        self._ask(application, empty, Call("moto_api", "Reset", Protocol.REST_JSON))
                self._seed(application)
                self._application = application
            return self._application

    def _seed(self, application: _Application) -> None:
        """Tell moto's IAM about the lab's users and roles, so that `iam get-role` agrees with the gate."""
        with self._state.lock:
            forms = [{"Action": "CreateUser", "UserName": name} for name in self._state.users]
            for name, path, policy, longest in as_policy_rows(self._state.roles):
                role = {
                    "RoleName": name,
                    "Path": path,
                    "AssumeRolePolicyDocument": policy,
                    "MaxSessionDuration": str(longest),
                }
                forms.append({"Action": "CreateRole", **role})
        for form in forms:
            body = urlencode({**form, "Version": "2010-05-08"}).encode()
            headers = {"host": "127.0.0.1", "content-type": "application/x-www-form-urlencoded"}
            self._ask(application, Request("POST", "/", "", headers, body), Call("iam", form["Action"], Protocol.QUERY))

    def _environment(self, request: Request, call: Call, account: str) -> dict[str, Any]:
        host, _, port = request.headers.get("host", "127.0.0.1:80").partition(":")
        headers = dict(request.headers)
        for name in ("x-amz-security-token", "expect", "connection", "transfer-encoding"):
            headers.pop(name, None)
        # moto finds service and Region in the scope of a signature, the account in its own header; who it was is settled.
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/{call.region}/{call.service}/aws4_request, "
            "SignedHeaders=host, Signature=0"
        )
        headers["x-moto-account-id"] = account
        environment: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(request.path, "latin-1"),
            "RAW_URI": request.path,
            "REQUEST_URI": request.path,
            "QUERY_STRING": _PRESIGNING.sub("", request.query).lstrip("&"),
            "SERVER_NAME": host,
            "SERVER_PORT": port or "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_LENGTH": str(len(request.body)),
            "CONTENT_TYPE": headers.pop("content-type", ""),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(request.body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        headers.pop("content-length", None)
        environment.update({"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()})
        return environment


# moto closes what an object held as soon as it is written again, also under the thread that still answers for it, with a 500.
_objects = tuple(threading.Lock() for _ in range(64))


def _alone(request: Request, call: Call) -> AbstractContextManager[Any]:
    """One request at a time to one object of S3, whichever lab of this process it came to: they share their buckets."""
    return _objects[hash(request.path) % len(_objects)] if call.service == "s3" else nullcontext()


def _code_of(body: bytes, headers: list[tuple[str, str]]) -> str | None:
    for name, value in headers:
        if name.lower() == "x-amzn-errortype":
            return value.partition(":")[0]
    found = re.search(rb"<Code>([\w.]+)</Code>|\"__type\":\s*\"(?:[\w.]*#)?([\w.]+)\"", body)
    return (found[1] or found[2]).decode() if found else None


_QUIET = (
    r"(moto|flask|flask_cors|werkzeug|botocore|boto3|jsonschema|openapi_\w+|docker|responses|py_partiql_parser)(\.|$)"
)


def _keep_warnings_out() -> None:
    """Deprecations inside moto are not the caller's: under ``-W error`` they would turn into answers of 500. The filter names
    modules, so it hides nothing of the program under test."""
    import warnings

    if not any(
        action == "ignore" and module is not None and module.pattern == _QUIET for action, _, _, module, _ in _filters()
    ):
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=_QUIET)


def _filters() -> list[tuple[str, Any, Any, re.Pattern[str] | None, int]]:
    import warnings

    return list(warnings.filters)


_application_lock = threading.Lock()
_application: _Application | None = None


def _moto_application() -> _Application:
    global _application
    with _application_lock:
        if _application is None:
            import warnings

            with warnings.catch_warnings():  # deprecations inside moto's dependencies are not the caller's
                warnings.simplefilter("ignore")
                try:
                    from moto.core.config import default_user_config
                    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
                except ImportError as error:
                    from ..errors import ConfigurationError

                    raise ConfigurationError(
                        f"the lab's services need moto, which is not installed here ({error.name})",
                        hint="pip install 'unexpire[lab]'",
                    ) from error
                # A function of the lab is stored and listed, and invoking it answers without a container engine.
                default_user_config["lambda"] = {"use_docker": False}
                _application = DomainDispatcherApplication(create_backend_app)
        return _application
