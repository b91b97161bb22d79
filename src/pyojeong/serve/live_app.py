"""The live page's server.

======  ==================  =====================================================
GET     ``/?token=...``     the page; sets the cookie that the rest demands
GET     ``/web/NAME``       its style sheet and script
GET     ``/picture``        motion JPEG of the annotated image
GET     ``/events``         server-sent events: answers, speed, recording, end
POST    ``/api/record``     ``{"on": true}``: begin or end a recording
======  ==================  =====================================================
"""

from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict

from pyojeong.core.errors import OutputError
from pyojeong.output.escaping import translated
from pyojeong.output.media import COLORS
from pyojeong.output.timeline_svg import css
from pyojeong.serve.live_session import LiveSession
from pyojeong.serve.security import Guard

_MEDIA = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_UNSAVED = {"cache-control": "no-store"}


class RecordRequest(BaseModel):
    """Whether results are to be written."""

    model_config = ConfigDict(extra="forbid", strict=True)

    on: bool


def create_live_app(session: LiveSession, *, token: str, host: str = "127.0.0.1") -> Guard:
    """Return the page's server as an ASGI application.

    Args:
        session: Reads the camera; the page is in its language.
        token: The secret that each request must carry.
        host: What the server is bound to.
    """
    app = FastAPI(title="pyojeong live", docs_url=None, redoc_url=None, openapi_url=None)
    web = _web_files()
    html = translated(web["live.html"][0].decode(), session.say)

    @app.get("/")
    async def page() -> Response:
        """Return the page."""
        return Response(html, media_type="text/html", headers=_UNSAVED)

    @app.get("/web/{name}")
    async def part(name: str) -> Response:
        """Return a part of the page."""
        if name not in web:
            return JSONResponse({"error": f"no such file: {name[:40]}"}, 404)
        content, media = web[name]
        return Response(content, media_type=media, headers=_UNSAVED)

    @app.get("/picture")
    def picture() -> Response:
        """Return the moving image."""
        kind = "multipart/x-mixed-replace; boundary=frame"
        return StreamingResponse(session.pictures(), media_type=kind, headers=_UNSAVED)

    @app.get("/events")
    def events() -> Response:
        """Answers as they come."""
        return StreamingResponse(session.events(), media_type="text/event-stream", headers=_UNSAVED)

    @app.get("/api/about")
    def about() -> dict[str, Any]:
        """Labels, colours and the state of things."""
        colors = {name: css(color) for name, color in COLORS.items()}
        return {"colors": colors, **session.state()}

    @app.post("/api/record")
    def record(request: RecordRequest) -> Response:
        """Begin or end a recording."""
        try:
            file = session.start_recording() if request.on else session.stop_recording()
        except OutputError as error:
            return JSONResponse({"error": session.say.said(str(error), "error")}, 409)
        return JSONResponse({**session.state(), "file": None if file is None else file.name})

    @app.exception_handler(RequestValidationError)
    async def wrong(_: Request, error: RequestValidationError) -> Response:
        # What was sent is not repeated: JSON has no form for 1e400 or half a character.
        return JSONResponse({"error": f'expected {{"on": true or false}}: {_kind(error)}'}, 422)

    return Guard(app, token=token, host=host, command="pyojeong webcam")


def _web_files() -> dict[str, tuple[bytes, str]]:
    """Return name -> (content, media type) of what the browser loads."""
    return {
        f.name: (f.read_bytes(), _MEDIA[f.name.rpartition(".")[2]])
        for f in (files("pyojeong.serve") / "web").iterdir()
        if f.name.rpartition(".")[2] in _MEDIA
    }


def _kind(error: RequestValidationError) -> str:
    return str(error.errors()[0]["type"])
