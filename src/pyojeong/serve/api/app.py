"""The application of ``pyojeong serve``: images, clips, streams, models, health and figures.

=========  ==============================  ====================================================
POST       ``/v1/analyze``                 images -> results, or an annotated image
POST       ``/v1/videos``                  a clip, read in the background
GET        ``/v1/videos/ID``               its state, and the addresses of its results
GET        ``/v1/videos/ID/results/NAME``  one of them
POST       ``/v1/videos/ID/cancel``        stop reading it
DELETE     ``/v1/videos/ID``               delete it
WebSocket  ``/v1/stream``                  frames -> results
GET        ``/v1/models``                  what may be named as ``?model=``
GET        ``/healthz /readyz /metrics``   for orchestrators and Prometheus
GET        ``/openapi.json /docs``         the interface, for programs and people
GET, POST  ``/v2...``                      Open Inference Protocol
GET        ``/``                           the page that runs in the browser, where it is there
=========  ==============================  ====================================================
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response

from pyojeong._version import __version__
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.serve.api.batching import AnalysisQueue
from pyojeong.serve.api.documentation import DESCRIPTION, add_documentation
from pyojeong.serve.api.errors import NO_STORE, add_error_handlers
from pyojeong.serve.api.images import add_image_routes
from pyojeong.serve.api.inference_protocol import add_inference_protocol
from pyojeong.serve.api.metrics import CONTENT_TYPE, Metrics
from pyojeong.serve.api.middleware import ApiMiddleware
from pyojeong.serve.api.schemas import HealthBody, ReadyBody, failures
from pyojeong.serve.api.settings import ServerSettings
from pyojeong.serve.api.state import Models, ServerState
from pyojeong.serve.api.static_page import find_page
from pyojeong.serve.api.stream import add_stream_route
from pyojeong.serve.api.uploads import BufferBudget
from pyojeong.serve.api.video_jobs import VideoJobs
from pyojeong.serve.api.videos import add_video_routes


def create_api_app(
    analyzers: list[Analyzer], settings: ServerSettings, *, root: Path | None = None
) -> ApiMiddleware:
    """Return the server as an ASGI application, with a lifespan.

    Args:
        analyzers: The models, the default first.
        settings: Limits, and who may come in.
        root: Folder for clips and their results; None = that of the system.

    Raises:
        InputError: When ``settings.page`` is no page.
    """
    metrics = Metrics()
    queue = AnalysisQueue(
        metrics,
        jobs=settings.jobs,
        window_s=settings.window_s,
        max_batch=settings.max_batch,
        max_pixels=settings.max_pixels,
    )
    videos = VideoJobs(settings, metrics, root=root) if settings.max_videos else None
    budget = BufferBudget(settings.max_buffered_bytes)
    state = ServerState(settings, Models(analyzers), queue, budget, metrics, videos)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if videos is not None:
            await videos.start()
        yield
        if videos is not None:
            await videos.close()
        queue.close()

    app = FastAPI(
        title="pyojeong",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.server = state
    add_error_handlers(app)
    add_image_routes(app, state)
    if videos is not None:
        add_video_routes(app, state, videos)
    add_stream_route(app, state)
    add_inference_protocol(app, state)
    _add_operations(app, state)
    page = find_page(settings.page)
    add_documentation(app, page=page is not None, token=bool(settings.token))
    return ApiMiddleware(app, settings, metrics, page)


def _add_operations(app: FastAPI, state: ServerState) -> None:
    @app.get(
        "/healthz", tags=["operations"], summary="Say that the server runs",
        responses={200: {"model": HealthBody}},
    )  # fmt: skip
    async def health() -> Response:
        """Return 200 while the process answers."""
        return JSONResponse({"status": "ok"}, headers=NO_STORE)

    @app.get(
        "/readyz", tags=["operations"], summary="Say that the models are loaded",
        responses={200: {"model": ReadyBody}},
    )  # fmt: skip
    async def ready() -> Response:
        """Return 200 with the models that are loaded."""
        models = list(state.models.by_id)
        return JSONResponse({"status": "ready", "models": models}, headers=NO_STORE)

    @app.get(
        "/metrics", tags=["operations"], summary="Return figures for Prometheus",
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **failures(),
        },
        response_class=Response,
    )  # fmt: skip
    async def metrics() -> Response:
        """Return all figures in Prometheus's text format."""
        state.metrics.buffered.set(state.budget.held)
        return Response(state.metrics.text(), media_type=CONTENT_TYPE, headers=NO_STORE)
