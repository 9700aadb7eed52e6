"""Who may ask: the host name, the origin and the token of a request, and the headers every answer carries.

A server on a loopback address is protected from web pages the user happens to visit: the ``Host`` header must name the
loopback (a page whose own name resolves to 127.0.0.1 is turned away), and requests that a browser says come from
elsewhere are refused. A server on any other address asks for a token as well.
"""

import hashlib
import hmac
import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auricle.errors import AuricleError
from auricle.serve.errors import RefusalError, refuse

SHORTEST_TOKEN = 16  # characters
LOGIN = "/login"

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_SAFE = ("GET", "HEAD", "OPTIONS")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``, a name or an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def check_token(host: str, token: str | None) -> None:
    """Makes sure that a server others can reach has a token worth the name.

    Raises:
        AuricleError: it has none, or a short one.
    """
    if token is None and not is_loopback(host):
        raise AuricleError(f"Others can reach {host}, so a token is needed", "Start with --token, or on 127.0.0.1")
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise AuricleError(
            f"The token is too short: {len(token)} characters",
            f"Use at least {SHORTEST_TOKEN}, at random; without --token auricle serve makes one up",
        )


class Session:
    """The token of a server and the cookie that stands for it in a browser."""

    def __init__(self, token: str):
        self._token = token.encode()
        self._cookie = hmac.digest(self._token, b"auricle cookie", "sha256").hex().encode()

    @property
    def cookie(self) -> str:
        return self._cookie.decode()

    def knows(self, token: str) -> bool:
        """Whether ``token`` is the right one, in a time that does not tell how much of it is."""
        return hmac.compare_digest(_digest(token.encode(errors="replace")), _digest(self._token))

    def admits(self, connection: HTTPConnection) -> bool:
        """Whether a request carries the token, or the cookie."""
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.knows(token.strip())
        cookie = connection.cookies.get(cookie_name(connection), "")
        return hmac.compare_digest(_digest(cookie.encode(errors="replace")), _digest(self._cookie))


def cookie_name(connection: HTTPConnection) -> str:
    """Browsers share cookies between the ports of a host, so the name tells the port."""
    return f"auricle_{connection.url.port or 80}"


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()  # equally long, whatever is compared


class Guard:
    """ASGI middleware: turns away who may not ask, before anything else looks at the request."""

    def __init__(self, app: ASGIApp, host: str, session: Session | None):
        self.app, self.session = app, session
        self.hosts = {"localhost", "127.0.0.1", "::1", host.strip("[]").lower()} if is_loopback(host) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            self._check_host(connection.headers)
            self._check_origin(scope["method"], connection.headers)
            if self.session and scope["path"] != LOGIN and not self.session.admits(connection):
                if "text/html" in connection.headers.get("accept", ""):
                    await RedirectResponse(LOGIN, 303)(scope, receive, send)
                    return
                raise RefusalError(401, "A token is needed", "Send it as Authorization: Bearer TOKEN", _CHALLENGE)
        except RefusalError as refusal:
            await refuse(refusal, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _check_host(self, headers: Headers) -> None:
        if self.hosts is not None and _host(headers.get("host", "")) not in self.hosts:
            raise RefusalError(
                403, "This server answers only to localhost", "Open it as http://127.0.0.1 with its port"
            )

    def _check_origin(self, method: str, headers: Headers) -> None:
        """Fetch metadata where the browser sends it; the origin of what would change something in any case."""
        elsewhere = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if elsewhere and not (method in _SAFE and headers.get("sec-fetch-mode") == "navigate"):
            raise RefusalError(403, "The request comes from another site", "Open auricle's own page")
        origin = headers.get("origin")
        if method not in _SAFE and origin is not None and urlsplit(origin).netloc != headers.get("host"):
            raise RefusalError(403, "The request comes from another site", "Open auricle's own page")


_CHALLENGE = {"www-authenticate": "Bearer"}


def _host(header: str) -> str:
    """The host of a ``Host`` header, without port and brackets; empty if it makes no sense."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


class Headed:
    """ASGI middleware: the security headers on every answer, errors included; nothing is stored unless it says so."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def heading(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self.app(scope, receive, heading if scope["type"] == "http" else send)
