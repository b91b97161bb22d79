"""Routes for clips: ``/v1/videos``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi import Path as PathParameter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse, Response

from pyojeong.core.errors import MissingExtra, OutputError
from pyojeong.serve.api.errors import NO_STORE, ApiError
from pyojeong.serve.api.images import ModelQuery
from pyojeong.serve.api.schemas import MULTIPART_CLIP, VideoBody, failures
from pyojeong.serve.api.state import ServerState
from pyojeong.serve.api.uploads import read_clip
from pyojeong.serve.api.video_jobs import VideoJob, VideoJobs
from pyojeong.stream.segments import Selection

REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src 'self' data:; media-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox allow-scripts"
)
"""Of reports, which are one file: their scripts run, and reach nothing of this server."""
_TYPES = {
    ".jsonl": "application/x-ndjson",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".html": "text/html; charset=utf-8",
    ".vtt": "text/vtt",
    ".eaf": "application/xml",
    ".tsv": "text/tab-separated-values; charset=utf-8",
    ".mp4": "video/mp4",
}

_LINKS = {
    name: {"operationId": name, "parameters": {"id": "$response.body#/id"}}
    for name in ("get_video", "cancel_video", "delete_video")
}
_LINKS["get_video_result"] = {
    "operationId": "get_video_result",
    "parameters": {"id": "$response.body#/id", "name": "results.csv"},
}
"""What a client may do next, for OpenAPI."""

JobId = Annotated[str, PathParameter(max_length=60)]
Seconds = Annotated[float | None, Query(ge=0, le=1e6, allow_inf_nan=False)]


def add_video_routes(app: FastAPI, state: ServerState, videos: VideoJobs) -> None:
    """Add the routes to an application."""
    _add_post(app, state, videos)
    _add_others(app, videos)


def _add_post(app: FastAPI, state: ServerState, videos: VideoJobs) -> None:
    @app.post(
        "/v1/videos",
        tags=["videos"],
        summary="Read a clip",
        status_code=202,
        openapi_extra={"requestBody": MULTIPART_CLIP},
        responses={
            202: {
                "model": VideoBody,
                "headers": {"Location": {"schema": {"type": "string"}}},
                "links": _LINKS,
            },
            **failures(404, 408, 413, 415, 422, 429, 501, 507),
        },
    )
    async def create_video(
        request: Request,
        model: ModelQuery = "",
        fps: Annotated[
            float | None,
            Query(
                gt=0,
                le=1000,
                allow_inf_nan=False,
                description="Read at most so many frames a second of the clip; all without it.",
            ),
        ] = None,
        start_s: Seconds = None,
        end_s: Seconds = None,
        smooth_s: Annotated[
            float | None,
            Query(
                gt=0, le=60, allow_inf_nan=False, description="Average scores over so many seconds."
            ),
        ] = None,
        annotate: Annotated[bool, Query(description="Also write annotated.mp4.")] = False,
    ) -> Response:
        """Take a clip, which is read when it is its turn; ask for its state at `Location`."""
        analyzer = state.models.find(model)
        if not videos_possible():
            raise MissingExtra("reading clips", "video")
        selection = Selection(fps=fps, start_s=start_s or 0.0, end_s=end_s)
        job = videos.new()
        job.selection = asdict(selection)
        job.options = {"smooth_s": smooth_s, "annotate": annotate}
        try:
            with (job.folder / "clip").open("wb") as file:
                upload = await read_clip(request, state.settings, file)
            await videos.submit(job, upload, analyzer)
        except OSError as error:
            videos.drop(job)
            words = f"the clip could not be stored, or its process not started: {error.strerror}"
            raise OutputError(words) from None
        except BaseException:
            videos.drop(job)
            raise
        where = {"location": f"/v1/videos/{job.id}", **NO_STORE}
        return JSONResponse(job.to_dict(), 202, headers=where)


def _add_others(app: FastAPI, videos: VideoJobs) -> None:
    @app.get(
        "/v1/videos/{id}",
        tags=["videos"],
        summary="Return the state of a clip",
        responses={200: {"model": VideoBody}, **failures(404, 422)},
    )
    async def get_video(id: JobId) -> Response:  # noqa: A002 - the name in the address
        """Return the state of a clip, its progress, and the addresses of its results."""
        return JSONResponse(videos.find(id).to_dict(), headers=NO_STORE)

    @app.post(
        "/v1/videos/{id}/cancel",
        tags=["videos"],
        summary="Stop reading a clip",
        responses={200: {"model": VideoBody}, **failures(404, 409, 422)},
    )
    async def cancel_video(id: JobId) -> Response:  # noqa: A002
        """Stop reading a clip, and delete it; its state stays until it expires."""
        job = videos.find(id)
        await videos.cancel(job)
        return JSONResponse(job.to_dict(), headers=NO_STORE)

    @app.delete(
        "/v1/videos/{id}",
        tags=["videos"],
        summary="Delete a clip",
        status_code=204,
        response_class=Response,
        responses=failures(404, 422),
    )
    async def delete_video(id: JobId) -> Response:  # noqa: A002
        """Stop reading a clip, and delete it with its results and its state."""
        await videos.delete(videos.find(id))
        return Response(status_code=204)

    @app.get(
        "/v1/videos/{id}/results/{name}",
        tags=["videos"],
        summary="Return a file of results",
        response_class=Response,
        responses={
            200: {
                "description": "results.jsonl, results.csv, results.parquet, summary.json, "
                "report.html, events.vtt ...",
                "content": {
                    kind.partition(";")[0]: {"schema": {"type": "string"}}
                    for kind in _TYPES.values()
                },
            },
            **failures(404, 409, 422),
        },
    )
    async def get_video_result(
        id: JobId,  # noqa: A002
        name: Annotated[str, PathParameter(max_length=60)],
    ) -> Response:
        """Return a result of a clip: the table, the report, the events."""
        return await run_in_threadpool(_file, videos.find(id), name)


def _file(job: VideoJob, name: str) -> Response:
    path = job.files().get(name)
    if job.state != "done":
        yet = " yet" if job.state in {"waiting", "running"} else ""
        raise ApiError(409, f"the clip is {job.state}: it has no results{yet}")
    if path is None:
        known = ", ".join(job.files()) or "none"
        raise ApiError(404, f"no such result; there are: {known}")
    return _response(path)


def _response(path: Path) -> Response:
    headers = dict(NO_STORE)
    if path.suffix == ".html":
        headers["content-security-policy"] = REPORT_POLICY
    return FileResponse(path, media_type=_TYPES[path.suffix], headers=headers)


def videos_possible() -> bool:
    """Return whether PyAV is installed."""
    from importlib.util import find_spec

    return find_spec("av") is not None
