"""Routes for images: ``POST /v1/analyze`` and ``GET /v1/models``."""

import asyncio
import json
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import cv2
from fastapi import FastAPI, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from pyojeong.core.face import FrameResult, Image
from pyojeong.output.media import annotate as draw
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.serve.api.batching import Answer
from pyojeong.serve.api.errors import (
    NO_STORE,
    ApiError,
    ClientGone,
    busy,
    error_response,
)
from pyojeong.serve.api.schemas import (
    EXAMPLE_RESULT,
    MULTIPART_FILES,
    AnalyzeBody,
    ModelsBody,
    failures,
)
from pyojeong.serve.api.state import Models, ServerState
from pyojeong.serve.api.uploads import BufferBudget, Upload, read_images
from pyojeong.serve.security import Receive, Scope, Send

JSON_LINES = "application/x-ndjson"
_MANY_FACES = 50
"""JSON of so many faces takes milliseconds, in which no other request would be served."""
T = TypeVar("T")

_ANSWER: dict[str, Any] = {
    "model": AnalyzeBody,
    "description": "A result for each image, in order. Images that could not be read "
    "have an `error`; when all of them failed, the status is 413 or 422.",
    "content": {
        "application/json": {"example": {"results": [EXAMPLE_RESULT]}},
        JSON_LINES: {"schema": {"type": "string"}},
        "image/png": {"schema": {"type": "string", "format": "binary"}},
    },
}

ModelQuery = Annotated[
    str, Query(max_length=200, description="Id or short name, as /v1/models lists them.")
]


def add_image_routes(app: FastAPI, state: ServerState) -> None:
    """Add the routes to an application."""

    @app.post(
        "/v1/analyze",
        tags=["images"],
        summary="Read the expressions in images",
        openapi_extra={"requestBody": MULTIPART_FILES},
        responses={
            200: _ANSWER,
            **failures(404, 408, 413, 415, 422, 429),
        },
    )
    async def analyze(
        request: Request,
        model: ModelQuery = "",
        annotate: Annotated[
            bool, Query(description="Return the annotated image as PNG; one image only.")
        ] = False,
    ) -> Response:
        """Read images; JSON in the schema of `results.jsonl`, one result for each file.

        With `Accept: application/x-ndjson` the results come as lines of `results.jsonl`.
        """
        analyzer = state.models.find(model)
        require_room(state)
        with state.queue.arriving():
            uploads, held = await read_images(request, state.settings, state.budget)
        try:
            if annotate and len(uploads) > 1:
                raise ApiError(422, f"annotate: expected one image, got {len(uploads)}")
            images = [(bytes(u.data), _name(u, i)) for i, u in enumerate(uploads, 1)]
            extra = _png if annotate else None
            with in_work(state):
                work = state.queue.analyze(analyzer, images, extra)
                answers = await unless_gone(request, work)
        finally:
            state.budget.give(held)
        few = sum(len(answer.result.faces) for answer in answers) < _MANY_FACES
        if few or annotate:
            return _response(request, answers, state, annotate=annotate)
        return await run_in_threadpool(_response, request, answers, state, annotate=annotate)

    _add_models(app, state)


def _add_models(app: FastAPI, state: ServerState) -> None:
    @app.get(
        "/v1/models",
        tags=["images"],
        summary="List the models of this server",
        responses={200: {"model": ModelsBody}, **failures()},
    )
    async def models() -> Response:
        """Return the models that requests may name, the default first."""
        listed = [describe(state.models, each) for each in state.models.by_id.values()]
        return JSONResponse({"models": listed}, headers=NO_STORE)


def _name(upload: Upload, number: int) -> str:
    return upload.name or f"file-{number}"


def _png(image: Image, result: FrameResult) -> bytes:
    """Return the annotated image."""
    drawn = draw(image, result)
    _, data = cv2.imencode(".png", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
    return bytes(data)


class _Held(Response):
    """An annotated image, whose bytes count among those in memory until it is sent.

    Raises:
        ApiError: 429, when there is no room for it.
    """

    def __init__(self, png: bytes, budget: BufferBudget) -> None:
        super().__init__(png, media_type="image/png", headers=NO_STORE)
        self._budget = budget
        budget.take(len(png))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._budget.give(len(self.body))


def _response(
    request: Request, answers: list[Answer], state: ServerState, *, annotate: bool
) -> Response:
    results = [answer.result.to_dict() for answer in answers]
    if all(answer.result.error for answer in answers):
        large = all(answer.too_large for answer in answers)
        first = answers[0].result.error
        more = f" (and {len(answers) - 1} more)" if len(answers) > 1 else ""
        return error_response(413 if large else 422, first + more, results=results)
    if annotate:
        return _Held(answers[0].extra, state.budget)
    if JSON_LINES in request.headers.get("accept", ""):
        text = "".join(f"{_json(result)}\n" for result in results)
        return Response(text, media_type=JSON_LINES, headers=NO_STORE)
    return Response(_json({"results": results}), media_type="application/json", headers=NO_STORE)


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def require_room(state: ServerState) -> None:
    """Refuse a request when as many are in work as may be.

    Raises:
        ApiError: 429.
    """
    if state.in_work >= state.settings.max_requests:
        raise busy(f"{state.in_work} requests are in work, which is the limit; try again")


@contextmanager
def in_work(state: ServerState) -> Iterator[None]:
    """Count a request whose images wait or are read.

    Raises:
        ApiError: 429, when there are too many.
    """
    require_room(state)
    state.in_work += 1
    try:
        yield
    finally:
        state.in_work -= 1


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns; it is cancelled when the client closes the connection.

    Raises:
        ClientGone: When the client did.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


def describe(models: Models, analyzer: Analyzer) -> dict[str, Any]:
    """Return what a client may want to know of a model."""
    card, head = analyzer.classifier.card, analyzer.classifier.head
    label_set = analyzer.classifier.label_set
    return {
        "id": card.id,
        "default": analyzer is models.default,
        "names": models.names(card.id),
        "labels": list(label_set.names),
        "label_set": label_set.id,
        "prior": head.prior,
        "threshold": float(head.threshold),
        "measures": list(analyzer.measures),
        "detector": analyzer.detector.id,
        "model_ids": list(analyzer.model_ids),
        "license": card.license,
        "license_flags": list(card.license_flags),
        "sha256": card.sha256,
        "description": card.description,
    }
