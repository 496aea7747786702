"""Who may see the dashboard: the browser that was given the link, and no page that another site shows in it.

The link's token is good once. What takes its place is a cookie that scripts cannot read and that no other site's page can send
(SameSite=Strict). A browser tells where a request comes from (Origin, Sec-Fetch-Site); a rebound DNS name shows in Host.
Cookies do not know ports: a server of somebody else's on this machine, visited at 127.0.0.1 with the same browser, is sent this one
too. The pages hold no secret; still, do not visit strangers' servers on a machine that you share.
"""

from __future__ import annotations

import hmac
import threading
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from ..delivery.guard import Refusal, new_token
from ..delivery.server import Request

__all__ = ["Guard"]

_PROXIED = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via")


class Guard:
    """The link's token, the cookie that follows it, and the rules for both. Thread-safe."""

    def __init__(self, port: int) -> None:
        self.hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self.cookie_name = f"unexpire-{port}"
        self._token: str | None = new_token()
        self._session = new_token()
        self._lock = threading.Lock()

    def link(self) -> str:
        """The address that opens the dashboard, once. A new one each time; the one before it is good no more."""
        with self._lock:
            self._token = new_token()
            return f"http://{self.hosts[0]}/login?token={self._token}"

    def check_origin(self, request: Request) -> Refusal | None:
        """None where the request is for this server and comes from its own pages, from a typed address, or from no browser.

        The login link may be followed from anywhere: its token is what counts.
        """
        hosts = request.all("host")
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            return Refusal(403, "ForbiddenHost", "the Host header does not name this dashboard")
        if any(request.all(name) for name in _PROXIED):
            return Refusal(403, "ForbiddenOrigin", "forwarded requests are refused")
        if not request.target.startswith("/") or request.target.startswith("//"):
            return Refusal(400, "BadRequest", "the target must be a path")
        own = f"http://{hosts[0].lower()}"
        if any(origin.lower() != own for origin in request.all("origin")):
            return Refusal(403, "ForbiddenOrigin", "requests of other sites are refused")
        to_login = (
            request.method == "GET"
            and urlsplit(request.target).path == "/login"
            and request.all("sec-fetch-mode") == ["navigate"]
        )
        if not to_login and any(site not in ("same-origin", "none") for site in request.all("sec-fetch-site")):
            return Refusal(403, "ForbiddenOrigin", "requests of other sites are refused")
        if request.method not in ("GET", "HEAD") and not request.all("origin"):
            return Refusal(403, "ForbiddenOrigin", "a request that does something says where it comes from")
        return None

    def login(self, request: Request) -> str | None:
        """The Set-Cookie value for the right token, which is then used up; None for any other."""
        given = parse_qs(urlsplit(request.target).query).get("token", [])
        with self._lock:
            if (
                self._token is None
                or len(given) != 1
                or not hmac.compare_digest(given[0].encode("utf-8", "replace"), self._token.encode())
            ):
                return None
            self._token = None
        return f"{self.cookie_name}={self._session}; Path=/; HttpOnly; SameSite=Strict"

    def admits(self, request: Request) -> bool:
        """Whether the request carries the cookie."""
        for header in request.all("cookie"):
            try:
                held = SimpleCookie(header).get(self.cookie_name)
            except CookieError:
                continue
            if held is not None and hmac.compare_digest(held.value.encode("utf-8", "replace"), self._session.encode()):
                return True
        return False
