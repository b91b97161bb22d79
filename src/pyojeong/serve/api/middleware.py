"""What stands before every route: who may come in, headers, figures, logs, the end of bodies.

The checks are those of ``serve.security``. Health checks are open, everything else needs the token
where there is one.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import MutableMapping
from typing import Any

from pyojeong.serve.api.errors import ApiError, error_response
from pyojeong.serve.api.metrics import Metrics
from pyojeong.serve.api.request_log import LOGGER, error_fields, log_request
from pyojeong.serve.api.settings import ServerSettings
from pyojeong.serve.api.static_page import StaticPage
from pyojeong.serve.security import (
    App,
    HostCheck,
    Receive,
    Scope,
    Send,
    Token,
    headers_of,
    is_own_origin,
    security_headers,
)

POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Of responses that are no pages."""
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"})
"""Health checks of containers carry no token."""
PROTOCOL = "bearer."
"""WebSocket subprotocol that carries the token, where a browser may not set headers."""

_REST_SECONDS = 30.0
_HEADERS = security_headers(POLICY)
_UNKNOWN = "unknown"


class ApiMiddleware:
    """ASGI application in front of the routes.

    Args:
        app: The routes.
        settings: Who may come in.
        metrics: Counts requests.
        page: Static files at ``/``; None = there are none.
    """

    def __init__(
        self, app: App, settings: ServerSettings, metrics: Metrics, page: StaticPage | None
    ) -> None:
        self._app = app
        self._page = page
        self._metrics = metrics
        self._origins = frozenset(settings.allow_origins)
        self._is_own_host = HostCheck(settings.host, settings.allow_hosts)
        self._token = Token(settings.token) if settings.token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._stream(scope, receive, send)
        else:
            await self._request(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_s = time.perf_counter()
        exchange = _Exchange(scope, receive, send, self._more_headers(scope))
        scope["id"] = exchange.id
        self._metrics.open_requests.inc()
        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                response = error_response(refusal.status, refusal.words, refusal.headers)
                await response(scope, exchange.receive, exchange.send)
            elif self._is_preflight(scope):
                await exchange.answer(204, _preflight_headers())
            elif self._page is not None and self._page.has(scope):
                await self._page(scope, exchange.receive, exchange.send)
            else:
                await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:
            fields = {"id": exchange.id, "route": _route(scope), **error_fields(error)}
            logger = logging.getLogger(LOGGER)
            logger.error("failed", extra={"fields": fields})  # noqa: TRY400 - names no files
        finally:
            self._metrics.open_requests.dec()
            self._count(scope, exchange, started_s)

    def _count(self, scope: Scope, exchange: "_Exchange", started_s: float) -> None:
        route = _route(scope)
        self._metrics.requests.labels(route, exchange.status).inc()
        self._metrics.seconds.labels(route).observe(time.perf_counter() - started_s)
        if exchange.status in {408, 413, 429}:
            self._metrics.refused.labels(exchange.status).inc()
        log_request(
            started_s,
            id=exchange.id,
            method=scope["method"],
            route=route,
            status=exchange.status,
            bytes_in=exchange.bytes_in,
            bytes_out=exchange.bytes_out,
        )

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope, subprotocols=scope.get("subprotocols", ()))
        if refusal is None:
            await self._app(scope, receive, send)
            return
        await refuse_stream(receive, send, refusal)

    def _refusal(self, scope: Scope, subprotocols: Any = ()) -> ApiError | None:
        headers = headers_of(scope)
        host = headers.get("host", "")
        if not self._is_own_host(host):
            return ApiError(400, f"not a name of this server: {host[:80]!r}; --allow-host adds one")
        if not is_own_origin(headers) and headers["origin"] not in self._origins:
            return ApiError(403, "requests from other pages are refused; --allow-origin adds one")
        if self._token is None or scope["path"] in OPEN_PATHS or self._is_preflight(scope):
            return None
        given = [name.removeprefix(PROTOCOL) for name in subprotocols if name.startswith(PROTOCOL)]
        if (
            self._token.in_headers(headers)
            or self._is_page_request(scope)
            or any(self._token.is_same(each) for each in given)
        ):
            return None
        words = "the token is missing or wrong: send Authorization: Bearer TOKEN"
        return ApiError(401, words, headers={"www-authenticate": "Bearer"})

    def _is_page_request(self, scope: Scope) -> bool:
        page = scope.get("method") == "GET" and scope["path"] in {"/", "/docs"}
        return page and self._token is not None and self._token.in_query(scope)

    def _is_preflight(self, scope: Scope) -> bool:
        if scope.get("method") != "OPTIONS":
            return False
        headers = headers_of(scope)
        return "access-control-request-method" in headers and headers.get("origin") in self._origins

    def _more_headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Return the headers of the response that follow from the request."""
        more = []
        if self._token is not None and self._is_page_request(scope):
            more.append(self._token.set_cookie)
        origin = dict(scope["headers"]).get(b"origin", b"")
        if self._origins:
            more.append((b"vary", b"Origin"))
        if origin.decode("latin-1") in self._origins:
            exposed = b"Location, Retry-After, X-Request-ID"
            more.append((b"access-control-allow-origin", origin))
            more.append((b"access-control-expose-headers", exposed))
        return more


def _preflight_headers() -> list[tuple[bytes, bytes]]:
    return [
        (b"access-control-allow-methods", b"GET, POST, DELETE"),
        (b"access-control-allow-headers", b"Authorization, Content-Type"),
        (b"access-control-max-age", b"600"),
    ]


def _route(scope: Scope) -> str:
    """Return the pattern of the route, which holds neither ids nor names."""
    if (route := scope.get("route")) is not None:
        return str(getattr(route, "path", _UNKNOWN))
    return "page" if scope.get("page") else _UNKNOWN


async def refuse_stream(receive: Receive, send: Send, refusal: ApiError) -> None:
    """Answer the handshake of a WebSocket with a refusal, in JSON."""
    await receive()
    response = error_response(refusal.status, refusal.words, refusal.headers)
    start = {"type": "websocket.http.response.start", "status": response.status_code}
    await send({**start, "headers": [*response.raw_headers, *_HEADERS]})
    await send({"type": "websocket.http.response.body", "body": response.body})


class _Exchange:
    """One request and its response: counts bytes, adds headers, and waits for the rest of a body.

    A client that is still sending when its request is refused would lose the refusal if the
    connection were closed at once; so what it sends is read and dropped, for a limited time.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, more: list[tuple[bytes, bytes]]
    ) -> None:
        self.id = secrets.token_hex(8)
        self.status = 0
        self.bytes_in = self.bytes_out = 0
        self._receive = receive
        self._send = send
        self._more = more
        self._whole = scope["method"] in {"GET", "HEAD"}

    async def receive(self) -> MutableMapping[str, Any]:
        """Return the next part of the request."""
        message = await self._receive()
        if message["type"] == "http.request":
            self.bytes_in += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
        else:
            self._whole = True
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Send the next part of the response."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            own = {name.lower() for name, _ in headers}
            headers += [pair for pair in _HEADERS if pair[0] not in own]
            headers += [*self._more, (b"x-request-id", self.id.encode())]
            message["headers"] = headers
        else:
            self.bytes_out += len(message.get("body", b""))
            if not message.get("more_body", False) and not self._whole:
                await self._send({**message, "more_body": True})
                await self._drop_rest()
                message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def answer(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send a response without a body."""
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": b""})

    async def _drop_rest(self) -> None:
        try:
            async with asyncio.timeout(_REST_SECONDS):
                while not self._whole:
                    await self.receive()
        except TimeoutError:
            pass
