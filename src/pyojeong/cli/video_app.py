"""The command ``pyojeong video``, declared."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pyojeong.cli.options import (
    JOBS,
    ActionUnitsOption,
    AddressOption,
    AllowOption,
    DetectorOption,
    DeviceName,
    DeviceOption,
    Engine,
    EngineOption,
    ExcelOption,
    EyesOption,
    FastOption,
    FormatOption,
    JobsOption,
    LabelsOption,
    LangOption,
    Language,
    LayoutOption,
    MeasureOption,
    MinFaceOption,
    ModelOption,
    ObjectStoreOption,
    PriorOption,
    ShardOption,
    SmoothOption,
    ThresholdOption,
    detector_named,
    formats_for_excel,
    measures_named,
)
from pyojeong.cli.streams import echo
from pyojeong.cli.study import ConfigOption, settings_beside


class _DefaultCommand(TyperGroup):
    """A group that runs its first command by default: ``pyojeong video clip.mp4``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the name of the first command if the arguments do not start with a command."""
        if not args or args[0] not in self.commands:
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)


video_app = typer.Typer(
    cls=_DefaultCommand,
    help="Analyze clips: a table, a report page and events for each. Remove people from results.",
)


@video_app.command(
    "process", epilog="To remove people from finished results: pyojeong video redact --help"
)
def video(
    ctx: typer.Context,
    clips: Annotated[list[str], typer.Argument(help="Video files, or folders that contain them.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the results, with a subfolder per clip.")
    ],
    formats: FormatOption = None,
    layouts: LayoutOption = None,
    excel: ExcelOption = False,
    annotate: Annotated[bool, typer.Option(help="Also write annotated.mp4, with sound.")] = False,
    report: Annotated[bool, typer.Option(help="Write report.html.")] = True,
    lang: LangOption = Language.EN,
    pictures: Annotated[bool, typer.Option(help="Show key frames in the report.")] = True,
    aggregate: Annotated[
        bool, typer.Option(help="Keep only shares, events and counts: no frames and no images.")
    ] = False,
    eyes: EyesOption = None,
    action_units: ActionUnitsOption = False,
    measure: MeasureOption = None,
    stride: Annotated[int, typer.Option(min=1, help="Read every N-th frame.")] = 1,
    fps: Annotated[
        float | None, typer.Option(help="Read at most N frames per second, instead of --stride.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(help="Start time: seconds from the beginning of the clip, or 1:02.5."),
    ] = None,
    end: Annotated[str | None, typer.Option(help="End time, exclusive.")] = None,
    detect_every: Annotated[
        int,
        typer.Option(min=1, help="Search for faces in every N-th frame; track them in between."),
    ] = 5,
    smooth: SmoothOption = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Neutral face to report differences from: a time range of the clip, such as "
            "0:00-0:10, or an image."
        ),
    ] = None,
    hold: Annotated[float, typer.Option(min=0, help="Shortest event, in seconds.")] = 0.5,
    events: Annotated[
        Path | None,
        typer.Option(
            help="File of coded events to measure, from BORIS, ELAN or a CSV table "
            "(label,start,end). Writes epochs.csv."
        ),
    ] = None,
    event_window: Annotated[
        float | None,
        typer.Option(
            help="Duration in seconds to use for coded events without one. Default: leave them out."
        ),
    ] = None,
    observation: Annotated[
        str | None,
        typer.Option(help="Observation to read from a BORIS file. Default: the one of the clip."),
    ] = None,
    detector: DetectorOption = "auto",
    model: ModelOption = "default",
    min_face: MinFaceOption = None,
    fast: FastOption = False,
    workers: JobsOption = JOBS,
    device: DeviceOption = DeviceName.AUTO,
    allow: AllowOption = None,
    prior: PriorOption = None,
    threshold: ThresholdOption = None,
    labels: LabelsOption = None,
    shard: ShardOption = None,
    engine: EngineOption = Engine.LOCAL,
    address: AddressOption = None,
    object_store_mb: ObjectStoreOption = None,
    config: ConfigOption = None,
) -> None:
    """Analyze clips: a table, a report page and events for each.

    Repeat the same command to resume an interrupted run.
    """
    from pyojeong.cli.console import make_console
    from pyojeong.cli.video import run
    from pyojeong.cli.video_request import VideoRequest

    del config  # it has set the defaults
    if excel and aggregate:
        raise typer.BadParameter("--excel: --aggregate writes no table; leave one of them out")
    named = [name.value for name in formats or ()]
    chosen = formats_for_excel(named) if excel else named
    request = VideoRequest(
        clips=clips,
        out=out,
        formats=chosen or ["parquet"],
        layouts=[name.value for name in layouts or ()],
        excel=excel,
        annotate=annotate,
        report=report,
        lang=lang.value,
        pictures=pictures,
        aggregate=aggregate,
        eyes=eyes is not False,
        measures=measures_named(measure, action_units=action_units),
        stride=stride,
        fps=fps,
        start=start,
        end=end,
        detect_every=detect_every,
        smooth=smooth,
        baseline=baseline,
        hold=hold,
        events=events,
        event_window=event_window,
        observation=observation,
        detector=detector_named(detector, fast=fast),
        model=model,
        min_face=min_face,
        workers=workers,
        device=device.value,
        allow=allow,
        prior=prior,
        threshold=threshold,
        labels=labels and labels.value,
        shard=shard,
        engine=engine.value,
        address=address,
        object_store_mb=object_store_mb,
    )
    with settings_beside(out, ctx):
        code = run(request, make_console(stderr=True))
    raise typer.Exit(code)


@video_app.command("redact")
def redact(
    folder: Annotated[Path, typer.Argument(help="Folder with the results of one clip.")],
    track: Annotated[
        list[int] | None,
        typer.Option(
            "--track",
            "-t",
            help="Number of a person to remove. Repeat the option for more than one.",
        ),
    ] = None,
    edits: Annotated[
        Path | None,
        typer.Option(help="File of edits saved in the player of report.html."),
    ] = None,
) -> None:
    """Remove people from the results of a clip: table rows, figures, events and images.

    With --edits, also merge and name people, and exclude time ranges.
    """
    from pyojeong.core.track_edits import TrackEdits
    from pyojeong.video.redact import edit_people

    if not track and edits is None:
        raise typer.BadParameter("name people by --track, or a file by --edits")
    given = TrackEdits() if edits is None else TrackEdits.read(edits)
    given = given.without(track or ())
    for name in edit_people(folder, given):
        echo(f"{folder / name}: rewritten or deleted")


def webcam(
    source: Annotated[
        str,
        typer.Option(
            "--source",
            "-s",
            help="Number or path of a camera, path of a clip, or rtsp:// or http:// address.",
        ),
    ] = "0",
    record: Annotated[
        Path | None,
        typer.Option(help="Folder for recorded results; adds a record button to the page."),
    ] = None,
    eyes: EyesOption = None,
    action_units: ActionUnitsOption = False,
    measure: MeasureOption = None,
    lsl: Annotated[
        bool, typer.Option("--lsl", help="Also publish results as LSL streams on the network.")
    ] = False,
    boxes: Annotated[bool, typer.Option(help="Draw boxes and scores on the image.")] = True,
    smooth: SmoothOption = None,
    loop: Annotated[bool, typer.Option(help="Restart a clip when it ends.")] = False,
    size: Annotated[str, typer.Option(help="Requested frame size.")] = "640x480",
    rate: Annotated[int, typer.Option(min=1, help="Requested frames per second.")] = 30,
    detector: DetectorOption = "auto",
    fast: FastOption = False,
    model: ModelOption = "default",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any free port.")] = 0,
    host: Annotated[
        str,
        typer.Option(help="Address to serve on; 0.0.0.0 makes the page available on the network."),
    ] = "127.0.0.1",
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = True,
    prior: PriorOption = None,
    threshold: ThresholdOption = None,
    labels: LabelsOption = None,
    device: DeviceOption = DeviceName.AUTO,
    lang: LangOption = Language.EN,
    config: ConfigOption = None,
) -> None:
    """Analyze a camera live on a local page. Nothing is stored without --record."""
    from pyojeong.cli.console import make_console
    from pyojeong.cli.webcam import WebcamRequest, run

    del config  # it has set the defaults
    width, _, height = size.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise typer.BadParameter(f"--size {size}: expected for example 640x480")
    request = WebcamRequest(
        source=source,
        record=record,
        eyes=eyes is not False,
        measures=measures_named(measure, action_units=action_units),
        lsl=lsl,
        boxes=boxes,
        smooth=0.25 if smooth is None else smooth,
        loop=loop,
        size_wh=(int(width), int(height)),
        rate=rate,
        detector=detector_named(detector, fast=fast),
        model=model,
        port=port,
        host=host,
        open_page=open_page,
        prior=prior,
        threshold=threshold,
        labels=labels and labels.value,
        device=device.value,
        lang=lang.value,
    )
    raise typer.Exit(run(request, make_console(stderr=True)))
