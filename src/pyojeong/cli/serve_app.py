"""The command ``pyojeong serve``: its options, and nothing else."""

from pathlib import Path
from typing import Annotated

import typer

from pyojeong.cli.options import (
    JOBS,
    ActionUnitsOption,
    AllowOption,
    DetectorOption,
    DeviceName,
    DeviceOption,
    EyesOption,
    FastOption,
    JobsOption,
    LabelsOption,
    MeasureOption,
    MinFaceOption,
    PriorOption,
    ThreadsOption,
    ThresholdOption,
    detector_named,
    measures_named,
)
from pyojeong.cli.study import ConfigOption

WHO, LIMITS = "Who may use it", "Limits"


def serve(
    host: Annotated[
        str,
        typer.Option(
            help="Address to serve on; any but loopback needs --token-file.", rich_help_panel=WHO
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0 takes a free one.", rich_help_panel=WHO)
    ] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with the token of all requests (bearer).", rich_help_panel=WHO),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Origin whose pages may use it (CORS): https://example.org. Repeatable.",
            rich_help_panel=WHO,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="Further name of the server, that of a reverse proxy. Repeatable.",
            rich_help_panel=WHO,
        ),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Folder of a built page, served at /.", rich_help_panel=WHO)
    ] = None,
    max_bytes: Annotated[
        int, typer.Option(min=1, help="Of a request with images.", rich_help_panel=LIMITS)
    ] = 20_000_000,
    max_pixels: Annotated[
        int, typer.Option(min=1, help="Of an image.", rich_help_panel=LIMITS)
    ] = 50_000_000,
    max_files: Annotated[
        int, typer.Option(min=1, help="Images of a request.", rich_help_panel=LIMITS)
    ] = 32,
    max_requests: Annotated[
        int, typer.Option(min=1, help="Requests in work; then 429.", rich_help_panel=LIMITS)
    ] = 64,
    max_streams: Annotated[
        int, typer.Option(min=0, help="Open streams; then 429.", rich_help_panel=LIMITS)
    ] = 4,
    body_timeout: Annotated[
        float,
        typer.Option(
            min=0.1, help="Seconds for a body with images; then 408.", rich_help_panel=LIMITS
        ),
    ] = 30.0,
    idle_timeout: Annotated[
        float,
        typer.Option(
            min=0.1, help="Seconds without a byte or frame; then 408.", rich_help_panel=LIMITS
        ),
    ] = 10.0,
    max_videos: Annotated[
        int,
        typer.Option(
            min=0, help="Clips that are kept; then 429. 0: no clips.", rich_help_panel=LIMITS
        ),
    ] = 8,
    max_video_bytes: Annotated[
        int, typer.Option(min=1, help="Of a clip.", rich_help_panel=LIMITS)
    ] = 500_000_000,
    max_video_seconds: Annotated[
        float, typer.Option(min=0.1, help="Of a clip.", rich_help_panel=LIMITS)
    ] = 600.0,
    max_video_frames: Annotated[
        int, typer.Option(min=1, help="Of a clip.", rich_help_panel=LIMITS)
    ] = 20_000,
    keep: Annotated[
        float,
        typer.Option(
            min=0.01, help="Minutes until results of a clip are deleted.", rich_help_panel=LIMITS
        ),
    ] = 60.0,
    batch_window: Annotated[
        float,
        typer.Option(
            min=0, max=1000, help="Milliseconds in which requests form a batch.",
            rich_help_panel=LIMITS,
        ),
    ] = 1.0,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", help="Model id, card or ONNX file; the first answers by default, "
            "others by ?model=. Repeatable.",
        ),
    ] = None,
    detector: DetectorOption = "auto",
    fast: FastOption = False,
    min_face: MinFaceOption = None,
    jobs: JobsOption = JOBS,
    threads: ThreadsOption = None,
    device: DeviceOption = DeviceName.AUTO,
    allow: AllowOption = None,
    eyes: EyesOption = None,
    action_units: ActionUnitsOption = False,
    measure: MeasureOption = None,
    prior: PriorOption = None,
    threshold: ThresholdOption = None,
    labels: LabelsOption = None,
    log_requests: Annotated[
        bool, typer.Option(help="Write a line of JSON to stderr for each request.")
    ] = True,
    config: ConfigOption = None,
) -> None:  # fmt: skip
    """Serve images, clips and streams over HTTP; on this machine only unless you say otherwise."""
    from pyojeong.cli.console import make_console
    from pyojeong.cli.serve import ServeRequest, run

    del config  # it has set the defaults
    measures = measures_named(measure, action_units=action_units)
    request = ServeRequest(
        host=host,
        port=port,
        token_file=token_file,
        models=model or ["default"],
        analyzer={
            "detector": detector_named(detector, fast=fast),
            "min_face": min_face,
            "threads": threads or (1 if jobs > 1 else None),
            "device": device.value,
            "allow": allow,
            "eyes": bool(eyes),
            "action_units": "action_units" in measures,
            "blendshapes": "blendshapes" in measures,
            "prior": prior,
            "threshold": threshold,
            "labels": labels and labels.value,
        },
        limits={
            "allow_origins": tuple(allow_origin or ()),
            "allow_hosts": tuple(allow_host or ()),
            "page": page,
            "max_bytes": max_bytes,
            "max_buffered_bytes": max(128_000_000, 4 * max_bytes),
            "max_pixels": max_pixels,
            "max_files": max_files,
            "max_requests": max_requests,
            "max_streams": max_streams,
            "body_seconds": body_timeout,
            "idle_seconds": idle_timeout,
            "max_videos": max_videos,
            "max_video_bytes": max_video_bytes,
            "max_video_seconds": max_video_seconds,
            "max_video_frames": max_video_frames,
            "keep_seconds": 60 * keep,
            "window_s": batch_window / 1000,
            "jobs": jobs,
        },
        log_requests=log_requests,
    )
    raise typer.Exit(run(request, make_console(stderr=True)))
