"""Errors of the HTTP interface: a status, one line, and nothing of what was sent."""

import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from pyojeong.core.errors import InputError, MissingExtra, ModelUnknown, OutputError, one_line

_LONGEST = 500

RETRY_AFTER = {"retry-after": "1"}
CLOSE = {"connection": "close"}


class ApiError(Exception):
    """A request that is refused.

    Attributes:
        status: Of the response.
        words: The line.
        headers: Of the response.
        reason: Short name in the metrics: ``"bytes"``, ``"busy"`` ...
    """

    def __init__(
        self, status: int, words: str, *, reason: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.reason = reason
        self.headers = headers or {}


class ClientGone(Exception):  # noqa: N818 - it says what happened
    """The client closed the connection: there is nobody to answer."""


def busy(words: str) -> ApiError:
    """Return the refusal of a request for which there is no room at present."""
    return ApiError(429, words, reason="busy", headers=RETRY_AFTER)


def error_response(
    status: int, words: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """Return an error as ``{"error": "one line"}``."""
    # Half a character, which JSON text may hold, has no bytes in UTF-8.
    words = re.sub(r"\s+", " ", words)[:_LONGEST].encode("utf-8", "backslashreplace").decode()
    return JSONResponse({"error": words, **more}, status, {**NO_STORE, **(headers or {})})


NO_STORE = {"cache-control": "no-store"}
_STATUS = {ModelUnknown: 404, OutputError: 507, MissingExtra: 501}


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error of an application as ``error_response`` does."""

    @app.exception_handler(ApiError)
    async def refused(_: Request, error: ApiError) -> Response:
        return error_response(error.status, error.words, error.headers)

    @app.exception_handler(RequestValidationError)
    async def wrong(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"] if p not in {"body", "query", "path"})
        return error_response(422, f"{place}: {first['msg']}" if place else str(first["msg"]))

    @app.exception_handler(HTTPException)
    async def routing(request: Request, error: HTTPException) -> Response:
        words = {404: "no such address; see /docs", 405: "method not allowed here; see /docs"}
        known = words.get(error.status_code, str(error.detail))
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        if error.status_code == 405:  # the framework names those of one route
            headers["allow"] = ", ".join(sorted(_methods_of(request)))
        return error_response(error.status_code, known, headers)

    @app.exception_handler(ClientGone)
    async def gone(_: Request, _error: ClientGone) -> Response:
        return Response(status_code=499)  # for the figures: nobody gets it

    @app.exception_handler(Exception)
    async def internal(request: Request, _error: Exception) -> Response:
        return error_response(500, f"internal error; the log has it under {request.scope['id']}")

    async def unusable(_: Request, error: Exception) -> Response:
        return error_response(status_of(error), one_line(error))

    for kind in (InputError, *_STATUS):
        app.add_exception_handler(kind, unusable)


def _methods_of(request: Request) -> set[str]:
    """Return the methods of an address, whichever route has them."""
    found: set[str] = set()
    for route in request.app.routes:
        pattern = getattr(route, "path_regex", None)
        if pattern is not None and pattern.match(request.url.path):
            found |= getattr(route, "methods", None) or set()
    return found


def status_of(error: Exception) -> int:
    """Return the status for an error of the package: 422 for input that could not be used."""
    found = (status for kind, status in _STATUS.items() if isinstance(error, kind))
    return next(found, 422)
