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
    """A group whose first command runs when no command is named: ``pyojeong video clip.mp4``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the first command's name before arguments that begin with none."""
        if not args or args[0] not in self.commands:
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)


video_app = typer.Typer(
    cls=_DefaultCommand,
    help="Read clips: a table, a report page and events for each; take people out of results.",
)


@video_app.command(
    "process", epilog="Take people out of finished results: pyojeong video redact --help"
)
def video(
    ctx: typer.Context,
    clips: Annotated[list[str], typer.Argument(help="Clips, or folders that hold some.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder; one folder in it per clip.")],
    formats: FormatOption = None,
    layouts: LayoutOption = None,
    excel: ExcelOption = False,
    annotate: Annotated[bool, typer.Option(help="Also write annotated.mp4, with sound.")] = False,
    report: Annotated[bool, typer.Option(help="Write report.html.")] = True,
    lang: LangOption = Language.EN,
    pictures: Annotated[bool, typer.Option(help="Show key frames in the report.")] = True,
    aggregate: Annotated[
        bool, typer.Option(help="Keep shares, events and counts only: no frames, no images.")
    ] = False,
    eyes: EyesOption = None,
    action_units: ActionUnitsOption = False,
    measure: MeasureOption = None,
    stride: Annotated[int, typer.Option(min=1, help="Read every so many frames.")] = 1,
    fps: Annotated[
        float | None, typer.Option(help="Read at most so many frames a second instead.")
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="From here: seconds from the clip's beginning, or 1:02.5.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="Up to here, exclusive.")] = None,
    detect_every: Annotated[
        int, typer.Option(min=1, help="Search for faces every so many frames, else follow them.")
    ] = 5,
    smooth: SmoothOption = None,
    baseline: Annotated[
        str | None,
        typer.Option(help="Own neutral face: a time such as 0:00-0:10, or an image."),
    ] = None,
    hold: Annotated[float, typer.Option(min=0, help="Shortest event, in seconds.")] = 0.5,
    events: Annotated[
        Path | None,
        typer.Option(help="Coded events of BORIS, ELAN or CSV (label,start,end): epochs.csv."),
    ] = None,
    event_window: Annotated[
        float | None, typer.Option(help="Seconds measured from events without a length.")
    ] = None,
    observation: Annotated[
        str | None, typer.Option(help="Observation of a BORIS file; else the clip's.")
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
    """Read clips: a table, a report page and events for each; the same command resumes."""
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
    folder: Annotated[Path, typer.Argument(help="A clip's folder of results.")],
    track: Annotated[
        list[int] | None, typer.Option("--track", "-t", help="Number of a person.")
    ] = None,
    edits: Annotated[
        Path | None,
        typer.Option(help="Edits that the player of report.html saved."),
    ] = None,
) -> None:
    """Take people out of a clip's results: rows, numbers, events and images.

    With --edits also join people, name them, and exclude times.
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
            "--source", "-s", help="Number or path of a camera, a clip, or rtsp:// or http://."
        ),
    ] = "0",
    record: Annotated[
        Path | None, typer.Option(help="Folder; the page then has a button that records results.")
    ] = None,
    eyes: EyesOption = None,
    action_units: ActionUnitsOption = False,
    measure: MeasureOption = None,
    lsl: Annotated[
        bool, typer.Option("--lsl", help="Offer the results as LSL streams on the network.")
    ] = False,
    boxes: Annotated[bool, typer.Option(help="Draw boxes and scores into the image.")] = True,
    smooth: SmoothOption = None,
    loop: Annotated[bool, typer.Option(help="Start a clip again when it is over.")] = False,
    size: Annotated[str, typer.Option(help="Requested size of the frames.")] = "640x480",
    rate: Annotated[int, typer.Option(min=1, help="Requested frames per second.")] = 30,
    detector: DetectorOption = "auto",
    fast: FastOption = False,
    model: ModelOption = "default",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    host: Annotated[
        str,
        typer.Option(help="Address to serve on; 0.0.0.0 opens it to the network."),
    ] = "127.0.0.1",
    open_page: Annotated[bool, typer.Option("--open/--no-open", help="Open a browser.")] = True,
    prior: PriorOption = None,
    threshold: ThresholdOption = None,
    labels: LabelsOption = None,
    device: DeviceOption = DeviceName.AUTO,
    lang: LangOption = Language.EN,
    config: ConfigOption = None,
) -> None:
    """Read a camera live on a local page; nothing is stored unless you ask."""
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
