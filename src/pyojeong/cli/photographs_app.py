"""The commands ``pyojeong analyze``, ``merge`` and ``demo``, declared."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from pyojeong.cli.options import (
    JOBS,
    ActionUnitsOption,
    AddressOption,
    AllowOption,
    AnyRotationOption,
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
    LayoutName,
    LayoutOption,
    MeasureOption,
    MinFaceOption,
    ModelOption,
    ObjectStoreOption,
    PriorOption,
    RemoteOption,
    ShardOption,
    ThreadsOption,
    ThresholdOption,
    Views,
    ViewsOption,
    detector_named,
    formats_for_excel,
    measures_named,
)
from pyojeong.cli.study import ConfigOption, settings_beside


def analyze(
    ctx: typer.Context,
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Images, folders, glob patterns, or manifests (.parquet) that list images."
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the results.")] = None,
    formats: FormatOption = None,
    layouts: LayoutOption = None,
    excel: ExcelOption = False,
    annotate: Annotated[bool, typer.Option(help="Write annotated images to --out.")] = False,
    remote: RemoteOption = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results of other images in --out.")
    ] = False,
    detector: DetectorOption = "auto",
    model: ModelOption = "default",
    min_face: MinFaceOption = None,
    fast: FastOption = False,
    any_rotation: AnyRotationOption = False,
    jobs: JobsOption = JOBS,
    threads: ThreadsOption = None,
    views: ViewsOption = Views.ONE,
    device: DeviceOption = DeviceName.AUTO,
    allow: AllowOption = None,
    eyes: EyesOption = None,
    action_units: ActionUnitsOption = False,
    measure: MeasureOption = None,
    prior: PriorOption = None,
    threshold: ThresholdOption = None,
    labels: LabelsOption = None,
    shard: ShardOption = None,
    engine: EngineOption = Engine.LOCAL,
    address: AddressOption = None,
    object_store_mb: ObjectStoreOption = None,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Analyze facial expressions in photographs.

    Prints a table. Data is written to --out, or with --format alone to stdout.
    """
    from pyojeong.cli.analyze import run
    from pyojeong.cli.analyze_parts import run_in_parts
    from pyojeong.cli.analyze_request import AnalyzeRequest
    from pyojeong.cli.console import make_console

    if annotate and out is None:
        raise typer.BadParameter("annotated images need a folder: add --out DIR")
    if layouts and out is None:
        raise typer.BadParameter("--layout writes files: add --out DIR")
    if LayoutName.FACEREADER in (layouts or ()):
        raise typer.BadParameter(
            "--layout facereader holds clips only: use pyojeong video, or openface or pyfeat here"
        )
    chosen = [f.value for f in formats or ()]
    chosen = formats_for_excel(chosen) if excel else chosen
    if out is None and (len(chosen) > 1 or "parquet" in chosen):
        raise typer.BadParameter("stdout takes one of json and csv; add --out DIR for the rest")
    request = AnalyzeRequest(
        paths=paths,
        out=out,
        formats=chosen,
        layouts=list(dict.fromkeys(name.value for name in layouts or ())),
        excel=excel,
        annotate=annotate,
        remote=remote,
        overwrite=overwrite,
        detector=detector_named(detector, fast=fast),
        model=model,
        min_face=min_face,
        any_rotation=any_rotation,
        jobs=jobs,
        threads=threads,
        views=int(views),
        device=device.value,
        allow=allow,
        eyes=bool(eyes),
        measures=measures_named(measure, action_units=action_units),
        prior=prior,
        threshold=threshold,
        labels=labels and labels.value,
        shard=shard,
        engine=engine.value,
        address=address,
        object_store_mb=object_store_mb,
    )
    with nullcontext() if out is None else settings_beside(out, ctx):
        work = run_in_parts if request.in_parts else run
        code = work(request, make_console(stderr=True))
    raise typer.Exit(code)


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path(
        "demo-out"
    ),
) -> None:
    """Analyze two bundled photographs: table, JSON, CSV and annotated images."""
    from pyojeong.cli.analyze import run
    from pyojeong.cli.analyze_request import AnalyzeRequest
    from pyojeong.cli.console import make_console
    from pyojeong.runtime.golden import PICTURES

    request = AnalyzeRequest(
        paths=[str(PICTURES)],
        out=out,
        formats=["json", "csv"],
        annotate=True,
        annotate_as=".png",
        threads=1,
    )
    raise typer.Exit(run(request, make_console(stderr=True)))


def merge(
    shards: Annotated[
        list[Path], typer.Argument(help="Result folders of all shards, in any order.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the merged results.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results of other shards in --out.")
    ] = False,
) -> None:
    """Merge the results of analyze --shard or video --shard into the tables of a single run."""
    from pyojeong.cli.console import make_console
    from pyojeong.cli.merge import merge_shards

    raise typer.Exit(merge_shards(shards, out, make_console(stderr=True), overwrite=overwrite))
