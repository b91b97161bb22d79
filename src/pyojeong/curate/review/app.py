"""The review page's server: JSON and images for one reviewer of one manifest.

======  ==============================  ====================================================
GET     ``/?token=...``                 the page; sets the cookie that the rest demands
GET     ``/web/NAME``                   its style sheet and scripts
GET     ``/api/index``                  rows, labels and findings, in columns
GET     ``/api/words?known=VERSION``    what has been decided, if that version is old
POST    ``/api/decisions``              ``{"id": "...", "words": [{"row": 3, ...}]}``
GET     ``/api/rows/ROW``               everything about one image
GET     ``/pictures/ROW/KEY``           thumbnail; KEY is the start of the content hash
GET     ``/pictures/ROW/KEY/large``     the same, large
======  ==============================  ====================================================

Faults are answered with ``{"error": "one line"}``. The token is in a cookie, or for scripts in the
header ``x-pyojeong-token``; see ``guard``.
"""

from importlib.resources import files
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from pyojeong.core.errors import DataError, OutputError
from pyojeong.core.labels import FERPLUS8
from pyojeong.core.texts import Texts
from pyojeong.curate.decisions import Decision
from pyojeong.curate.review.index import NO_KEY, ReviewIndex
from pyojeong.curate.review.pictures import Pictures, Sent
from pyojeong.curate.review.session import ReviewSession
from pyojeong.output.escaping import translated
from pyojeong.serve.security import Guard

_MEDIA = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_LASTING = "private, max-age=31536000, immutable"
_MOST_WORDS = 100_000
VOTES = (*FERPLUS8.names, "unknown", "not a face")
"""The ten columns of FER+'s votes."""


class DecisionRequest(BaseModel):
    """One decision; see ``curate.decisions.Decision``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    row: int = Field(ge=0)
    action: Literal["keep", "drop", "relabel", "undo"]
    label: str = Field("", max_length=40)
    check: str = Field("", max_length=80)
    final: bool = False


class DecisionBatch(BaseModel):
    """Decisions of one moment; the id makes a repeated request harmless."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(pattern=r"^[\w-]{1,64}$")
    words: list[DecisionRequest] = Field(min_length=1, max_length=_MOST_WORDS)


def create_app(session: ReviewSession, *, token: str, host: str = "127.0.0.1") -> Guard:
    """Return the page's server as an ASGI application.

    Args:
        session: The decisions, and the index of rows and findings; the page is in its language.
        token: The secret that each request must carry.
        host: What the server is bound to.
    """
    app = FastAPI(title="pyojeong review", docs_url=None, redoc_url=None, openapi_url=None)
    _add_page(app, session.index.say)
    pictures = Pictures(session.index.store.manifest)
    _add_answers(app, session)
    _add_details(app, session, pictures)
    _add_pictures(app, session.index, pictures)
    _add_faults(app)
    return Guard(app, token=token, host=host)


def _web_files() -> dict[str, tuple[bytes, str]]:
    """Return name -> (content, media type) of what the browser loads.

    Nothing else can be asked for.
    """
    folder = files("pyojeong.curate.review") / "web"
    return {
        f.name: (f.read_bytes(), _MEDIA[f.name.rpartition(".")[2]])
        for f in folder.iterdir()
        if f.name.rpartition(".")[2] in _MEDIA
    }


def _add_page(app: FastAPI, say: Texts) -> None:
    web = _web_files()
    html = translated(web["index.html"][0].decode(), say)
    unsaved = {"cache-control": "no-cache"}

    @app.get("/")
    async def page() -> Response:
        """Return the page."""
        return Response(html, media_type="text/html", headers=unsaved)

    @app.get("/web/{name}")
    async def part(name: str) -> Response:
        """Return a part of the page."""
        if name not in web:
            return _fault(404, f"no such file: {name[:40]}")
        content, media = web[name]
        return Response(content, media_type=media, headers=unsaved)


def _add_answers(app: FastAPI, session: ReviewSession) -> None:
    index = session.index

    @app.get("/api/index")
    def whole_index() -> Response:
        """Rows, labels and findings, in columns; findings made meanwhile are read again."""
        index.refresh()
        text = index.to_json(reviewer=session.reviewer, recent=session.recent(), votes=VOTES)
        return Response(text, media_type="application/json", headers={"cache-control": "no-store"})

    @app.get("/api/words")
    def words(known: Annotated[str, Query(max_length=80)] = "") -> dict[str, Any]:
        """Return what has been decided; ``{"version": known}`` alone when nothing was since."""
        return session.words(known)

    @app.post("/api/decisions")
    def decide(batch: DecisionBatch) -> dict[str, Any]:
        """Append to the ledger; answered when it is on disk."""
        decisions = [
            Decision(
                row=w.row,
                action=w.action,
                label=w.label,
                reviewer=session.reviewer,
                check=w.check,
                final=w.final,
            )
            for w in batch.words
        ]
        return session.decide(batch.id, decisions)


def _add_details(app: FastAPI, session: ReviewSession, pictures: Pictures) -> None:
    index = session.index

    @app.get("/api/rows/{row}")
    def details(row: int) -> dict[str, Any]:
        """Return everything about one image: findings of all checks, votes, who said what when."""
        _demand(index, row)
        return {
            "row": row,
            **dict.fromkeys(("group", "content_hash", "decision"), ""),  # older tables lack them
            **{k: v for k, v in pictures.row(row).items() if k != "phash"},
            "picture": pictures.facts(row),
            "findings": [check.about(row) for check in index.checks],
            "history": session.history(row),
        }


def _add_pictures(app: FastAPI, index: ReviewIndex, pictures: Pictures) -> None:

    @app.get("/pictures/{row}/{key}")
    async def thumbnail(row: int, key: str) -> Response:
        """Return a thumbnail, or a placeholder for an image that could not be read."""
        if not _fits(index, row, key):
            return _fault(404, f"no image {row}/{key[:20]}")
        sent = pictures.cached(row)
        if sent is None:
            sent = await run_in_threadpool(pictures.thumbnail, row)
        return _picture(sent, key)

    @app.get("/pictures/{row}/{key}/large")
    def large(row: int, key: str) -> Response:
        """Return the image at up to 1,600 pixels."""
        if not _fits(index, row, key):
            return _fault(404, f"no image {row}/{key[:20]}")
        return _picture(pictures.large(row), key)


def _picture(sent: Sent, key: str) -> Response:
    lasts = sent.lasting and key != NO_KEY
    headers = {"cache-control": _LASTING if lasts else "no-store"}
    return Response(sent.data, media_type=sent.media, headers=headers)


def _fits(index: ReviewIndex, row: int, key: str) -> bool:
    return 0 <= row < index.size and index.key[row] == key


def _demand(index: ReviewIndex, row: int) -> None:
    if not 0 <= row < index.size:
        raise DataError(f"row {row}: the manifest has {index.size} rows")


def _fault(status: int, words: str) -> JSONResponse:
    # Half a character, which JSON text may hold, has no bytes in UTF-8.
    words = words.encode("utf-8", "backslashreplace").decode("utf-8")
    return JSONResponse({"error": words}, status, headers={"cache-control": "no-store"})


def _add_faults(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def wrong(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"] if p != "body")
        return _fault(422, f"{place}: {first['msg']}" if place else str(first["msg"]))

    @app.exception_handler(DataError)
    async def unusable(_: Request, error: DataError) -> Response:
        return _fault(422, " ".join(str(error).split()))

    @app.exception_handler(OutputError)
    async def unwritten(_: Request, error: OutputError) -> Response:
        return _fault(507, " ".join(str(error).split()))
