"""Who may talk to a server of this package: host names, tokens, origins, content policies.

The review page, the live page and ``pyojeong serve`` use the same checks. A server on this machine
is reachable by every page in the same browser and, by DNS rebinding, under foreign names. So each
request must be addressed to a name of the server, a request that a page sends must come from the
server's own page, and where there is a token, each request must carry it.
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


def security_headers(policy: str = POLICY) -> list[tuple[bytes, bytes]]:
    """Return the headers of every response: what browsers may load, no framing, no sniffing.

    Args:
        policy: Content security policy.
    """
    return [
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
    ]


_HEADERS = security_headers()


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


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers of a request, names in lower case."""
    return {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}


def is_own_origin(headers: dict[str, str]) -> bool:
    """Return whether a request comes from a page of this server, or from no page at all."""
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc == headers.get("host", "")
    except ValueError:  # http://[
        return False


class HostCheck:
    """Which ``Host`` headers name this server.

    Args:
        host: What the server is bound to.
        more: Further names, those of a reverse proxy for example.
    """

    def __init__(self, host: str, more: Iterable[str] = ()) -> None:
        self._names = names_of(host) | {name.lower() for name in more}
        # Behind a wildcard every address of this machine is right; an address, unlike a name,
        # could not be rebound.
        self._addresses = host in {"0.0.0.0", "::"}  # noqa: S104 - asked about, not bound

    def __call__(self, header: str) -> bool:
        """Return whether a ``Host`` header is right."""
        try:
            name = urlsplit(f"//{header}").hostname or ""
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


class Token:
    """The secret of a server, and where requests may carry it.

    Args:
        secret: The secret.

    Attributes:
        cookie: Name of the cookie that pages carry it in. Cookies know no ports: each server has
            its own name for it.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self.cookie = f"pyojeong-{hashlib.sha256(self._secret).hexdigest()[:10]}"

    def is_same(self, given: str) -> bool:
        """Return whether this is the secret; takes the same time for all that is not."""
        return hmac.compare_digest(given.encode(), self._secret)

    def in_query(self, scope: Scope) -> bool:
        """Return whether the address carries it: ``?token=...``."""
        try:
            query = parse_qs(scope["query_string"].decode("latin-1"))
            return any(self.is_same(t) for t in query.get("token", ()))
        except ValueError:
            return False

    def in_headers(self, headers: dict[str, str]) -> bool:
        """Return whether the headers carry it: bearer, ``x-pyojeong-token`` or the cookie."""
        given = [headers.get(TOKEN_HEADER, "")]
        kind, _, value = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            given.append(value.strip())
        for pair in headers.get("cookie", "").split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self.cookie:
                given.append(value)
        return any(self.is_same(g) for g in given)

    @property
    def set_cookie(self) -> tuple[bytes, bytes]:
        """The header that gives a page the cookie."""
        value = f"{self.cookie}={self._secret.decode()}; Path=/; HttpOnly; SameSite=Strict"
        return b"set-cookie", value.encode()


def _is_small(headers: dict[str, str]) -> bool:
    """Return whether a body has a stated length within the limit."""
    length = headers.get("content-length", "" if "transfer-encoding" in headers else "0")
    return length.isascii() and length.isdigit() and len(length) < 12 and int(length) <= MOST_BYTES


class Guard:
    """ASGI application in front of a page.

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
        self._token = Token(token)
        self._is_own_host = HostCheck(host)
        self.cookie = self._token.cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 400 or 403, or pass the request on and add the security headers."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = headers_of(scope)
        host = headers.get("host", "")
        fresh = scope["path"] == "/" and self._token.in_query(scope)
        if not self._is_own_host(host):
            await refuse(send, 400, f"not a name of this server: {host[:80]!r}")
        elif not fresh and not self._token.in_headers(headers):
            words = f"open the address that `{self._command}` printed: it carries the token"
            await refuse(send, 403, words)
        elif not is_own_origin(headers):
            await refuse(send, 403, "requests from other pages are refused")
        elif scope.get("method") not in {"GET", "HEAD"} and not _is_small(headers):
            words = f"expected a Content-Length of at most {MOST_BYTES} bytes"
            await refuse(send, 413, words)
        else:
            await self._app(scope, receive, self._adding(send, fresh=fresh))

    def _adding(self, send: Send, *, fresh: bool) -> Send:
        more = [*_HEADERS, *([self._token.set_cookie] if fresh else [])]

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
