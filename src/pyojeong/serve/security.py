"""Who may talk to the review page: the token, the host name, and what a browser may load.

A page on this machine is reachable by every other page in the same browser and, by DNS rebinding,
under foreign names. So each request must carry the token that was printed in the terminal, must be
addressed to a name of this server, and a request that changes something must come from the page
itself.
"""

import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN_HEADER = "x-pyojeong-token"  # noqa: S105 - a name
LOOPBACK = ("127.0.0.1", "localhost", "::1")

MOST_BYTES = 32_000_000
"""Largest body of a request."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


def names_of(host: str) -> frozenset[str]:
    """Return names under which a server bound to ``host`` may be addressed."""
    own = {*LOOPBACK, host.lower()}
    if host not in LOOPBACK:
        own |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(own)


def is_loopback(host: str) -> bool:
    """Return whether a server bound to ``host`` is reachable from this machine alone."""
    if host.lower() in LOOPBACK:
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _place(origin: str) -> str | None:
    """Return the host and port of an ``Origin``; None when it is none (``null``, ``http://[``)."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _is_small(headers: dict[str, str]) -> bool:
    """Return whether a body has a stated length within the limit."""
    length = headers.get("content-length", "" if "transfer-encoding" in headers else "0")
    return length.isascii() and length.isdigit() and len(length) < 12 and int(length) <= MOST_BYTES


class Guard:
    """ASGI application in front of the page.

    Args:
        app: What is guarded.
        token: The secret.
        host: What the server is bound to; decides which ``Host`` headers are right.
        command: Named to whoever comes without the token.
    """

    def __init__(
        self,
        app: App,
        *,
        token: str,
        host: str = "127.0.0.1",
        command: str = "pyojeong data review",
    ) -> None:
        self._app = app
        self._command = command
        self._token = token.encode()
        self._names = names_of(host)
        # Behind a wildcard every address of this machine is right; an address, unlike a name,
        # could not be rebound.
        self._addresses = host in {"0.0.0.0", "::"}  # noqa: S104 - asked about, not bound
        # Cookies know no ports: each server has its own name for it.
        self.cookie = f"pyojeong-{hashlib.sha256(self._token).hexdigest()[:10]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 400 or 403, or pass the request on and add the security headers."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        host = headers.get("host", "")
        fresh = self._is_page_request(scope)
        if not self._is_own(host):
            await refuse(send, 400, f"not a name of this server: {host[:80]!r}")
        elif not fresh and not self._has_valid_token(headers):
            words = f"open the address that `{self._command}` printed: it carries the token"
            await refuse(send, 403, words)
        elif "origin" in headers and _place(headers["origin"]) != host:
            await refuse(send, 403, "requests from other pages are refused")
        elif scope.get("method") not in {"GET", "HEAD"} and not _is_small(headers):
            words = f"expected a Content-Length of at most {MOST_BYTES} bytes"
            await refuse(send, 413, words)
        else:
            await self._app(scope, receive, self._adding(send, fresh=fresh))

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._names:
            return True
        if not self._addresses:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _same(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token)

    def _is_page_request(self, scope: Scope) -> bool:
        if scope["path"] != "/":
            return False
        try:
            query = parse_qs(scope["query_string"].decode("latin-1"))
            return any(self._same(t) for t in query.get("token", ()))
        except ValueError:
            return False

    def _has_valid_token(self, headers: dict[str, str]) -> bool:
        given = [headers.get(TOKEN_HEADER, "")]
        for pair in headers.get("cookie", "").split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self.cookie:
                given.append(value)
        return any(self._same(g) for g in given)

    def _adding(self, send: Send, *, fresh: bool) -> Send:
        more = list(_HEADERS)
        if fresh:
            value = f"{self.cookie}={self._token.decode()}; Path=/; HttpOnly; SameSite=Strict"
            more.append((b"set-cookie", value.encode()))

        async def add(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        return add


async def refuse(send: Send, status: int, words: str) -> None:
    """Answer with one line of text."""
    headers: Iterable[tuple[bytes, bytes]] = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
        *_HEADERS,
    ]
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": f"{words}\n".encode()})
