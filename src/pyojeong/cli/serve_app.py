"""The options of the command ``pyojeong serve``."""

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

WHO, LIMITS = "Access", "Limits"


def serve(
    host: Annotated[
        str,
        typer.Option(
            help="Address to serve on; all but loopback addresses need --token-file.",
            rich_help_panel=WHO,
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port; 0: any free port.", rich_help_panel=WHO)
    ] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the bearer token that requests must send.", rich_help_panel=WHO
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Origin whose pages may use the server (CORS), such as https://example.org. "
            "Repeat the option for more than one.",
            rich_help_panel=WHO,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="Additional host name of the server, for example of a reverse proxy. Repeat the "
            "option for more than one.",
            rich_help_panel=WHO,
        ),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(help="Folder of a page from `page build`, served at /.", rich_help_panel=WHO),
    ] = None,
    max_bytes: Annotated[
        int,
        typer.Option(
            min=1,
            help="Maximum bytes of a request with images, or of a frame of a stream.",
            rich_help_panel=LIMITS,
        ),
    ] = 20_000_000,
    max_pixels: Annotated[
        int, typer.Option(min=1, help="Maximum pixels of an image.", rich_help_panel=LIMITS)
    ] = 50_000_000,
    max_files: Annotated[
        int, typer.Option(min=1, help="Maximum images of a request.", rich_help_panel=LIMITS)
    ] = 32,
    max_requests: Annotated[
        int,
        typer.Option(
            min=1,
            help="Maximum requests with images at a time; further ones get status 429.",
            rich_help_panel=LIMITS,
        ),
    ] = 64,
    max_streams: Annotated[
        int,
        typer.Option(
            min=0,
            help="Maximum open streams; further ones get status 429.",
            rich_help_panel=LIMITS,
        ),
    ] = 4,
    body_timeout: Annotated[
        float,
        typer.Option(
            min=0.1,
            help="Timeout for the upload of images, in seconds; then status 408.",
            rich_help_panel=LIMITS,
        ),
    ] = 30.0,
    idle_timeout: Annotated[
        float,
        typer.Option(
            min=0.1,
            help="Timeout in seconds without a byte of an upload (then status 408) or a frame of a "
            "stream (then the stream is closed).",
            rich_help_panel=LIMITS,
        ),
    ] = 10.0,
    max_videos: Annotated[
        int,
        typer.Option(
            min=0,
            help="Maximum clips that are queued, processed or stored; further ones get status 429. "
            "0: no clips are accepted.",
            rich_help_panel=LIMITS,
        ),
    ] = 8,
    max_video_bytes: Annotated[
        int, typer.Option(min=1, help="Maximum bytes of a clip.", rich_help_panel=LIMITS)
    ] = 500_000_000,
    max_video_seconds: Annotated[
        float, typer.Option(min=0.1, help="Maximum seconds of a clip.", rich_help_panel=LIMITS)
    ] = 600.0,
    max_video_frames: Annotated[
        int, typer.Option(min=1, help="Maximum frames of a clip.", rich_help_panel=LIMITS)
    ] = 20_000,
    keep: Annotated[
        float,
        typer.Option(
            min=0.01,
            help="Minutes until the results of a clip are deleted.",
            rich_help_panel=LIMITS,
        ),
    ] = 60.0,
    batch_window: Annotated[
        float,
        typer.Option(
            min=0, max=1000, help="Milliseconds within which requests form one batch.",
            rich_help_panel=LIMITS,
        ),
    ] = 1.0,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", help="Model: an id, or the path of a card or ONNX file. Repeat the "
            "option for more than one: the first is the default, ?model= selects another.",
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
        bool, typer.Option(help="Write one line of JSON per request to stderr.")
    ] = True,
    config: ConfigOption = None,
) -> None:  # fmt: skip
    """Run an HTTP server that analyzes images, clips and streams.

    By default it accepts requests from this machine only.
    """
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
