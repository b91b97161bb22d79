"""``/openapi.json`` and ``/docs``: Swagger UI from an installed package, without any network."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse, RedirectResponse, Response

from pyojeong.serve.api.errors import NO_STORE, ApiError

DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Swagger UI sets styles on elements."""
_SWAGGER = ("swagger-ui-bundle.js", "swagger-ui.css")
_TYPES = {"js": "text/javascript", "css": "text/css", "html": "text/html"}

DESCRIPTION = """\
Reads the appearance of facial expressions. A score is the share of people who would give a label,
for stated base rates; it says nothing about what somebody feels.

`WS /v1/stream` takes frames and returns results: each binary message is the frame's id (uint32,
little-endian), width and height (uint16 each; 0 = the image is encoded), then the image; each
result is a JSON text with `id`, `result`, `age_ms` and `dropped`. The newest frame wins.

Errors are `{"error": "one line"}`.
"""


def add_documentation(app: FastAPI, *, page: bool, token: bool) -> None:
    """Add the routes to an application.

    Args:
        app: The application.
        page: There is a page at ``/``; else it leads here.
        token: Requests carry a token, which OpenAPI then says.
    """

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        """Return the page."""
        return _file("docs.html", {"content-security-policy": DOCS_POLICY, **NO_STORE})

    @app.get("/docs/{name}", include_in_schema=False)
    async def part(name: str) -> Response:
        """Return a part of the page."""
        if name not in {*_SWAGGER, "docs.js"}:
            raise ApiError(404, "no such file")
        return _file(name, {"cache-control": "private, max-age=3600"})

    if not page:

        @app.get("/", include_in_schema=False)
        async def root() -> Response:
            """Lead to the documentation."""
            return RedirectResponse("docs", 307)

    own = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = own()
            _clean(schema)
            if token:
                schemes = schema["components"].setdefault("securitySchemes", {})
                schemes["bearer"] = {"type": "http", "scheme": "bearer"}
                schema["security"] = [{"bearer": []}]
        assert app.openapi_schema is not None  # noqa: S101 - own() sets it
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _clean(schema: dict[str, Any]) -> None:
    """Take out FastAPI's own form of errors, which no response has."""
    for path in schema["paths"].values():
        for operation in path.values():
            refused = operation["responses"].get("422")
            if refused and "HTTPValidationError" in str(refused):
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)


def _file(name: str, headers: dict[str, str]) -> Response:
    package = "fastapi_offline" if name in _SWAGGER else "pyojeong.serve.api"
    folder = files(package) / ("static" if name in _SWAGGER else "web")
    kind = _TYPES[name.rpartition(".")[2]]
    return FileResponse(Path(str(folder / name)), media_type=kind, headers=headers)
