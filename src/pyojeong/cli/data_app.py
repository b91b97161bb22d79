"""``pyojeong data ...``: thin commands, as in ``app.py``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyojeong.cli.data_options import (
    GroupsOption,
    ImageColumnOption,
    LabelColumnOption,
    MapOption,
    TableOption,
    VotesOption,
)
from pyojeong.cli.options import (
    JOBS,
    AddressOption,
    DetectorOption,
    Engine,
    EngineOption,
    JobsOption,
    LangOption,
    Language,
    ObjectStoreOption,
    ProcessesOption,
)
from pyojeong.cli.study import ConfigOption

if TYPE_CHECKING:
    from rich.console import Console

data_app = typer.Typer(
    help="Import, check, clean and export labelled data sets.", no_args_is_help=True
)


class SplitName(StrEnum):
    """Names of splits."""

    TRAIN = "train"
    VALID = "valid"
    TEST = "test"


class LabelsName(StrEnum):
    """Label sets of a table."""

    FER7 = "fer7"
    FERPLUS8 = "ferplus8"


class ExportFormat(StrEnum):
    """Formats that a table can be exported to."""

    FOLDERS = "folders"
    IMAGEFOLDER = "imagefolder"
    IMAGEFOLDER_JSONL = "imagefolder-jsonl"
    DATASETS = "datasets"
    FER2013 = "fer2013"


ManifestArgument = Annotated[
    Path, typer.Argument(help="Data set: a .parquet table of `data import`.")
]
StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        help="Folder of findings and decisions. Default: set.curation next to set.parquet.",
    ),
]


NewTableOption = Annotated[Path, typer.Option("--out", "-o", help="New .parquet table to write.")]


def _stderr() -> "Console":
    from pyojeong.cli.console import make_console

    return make_console(stderr=True)


@data_app.command("import")
def data_import(
    source: Annotated[Path, typer.Argument(help="Data set: its table or its folder.")],
    out: NewTableOption,
    layout: Annotated[
        str,
        typer.Option(
            help="Layout of the data set: auto, or a name from docs/cli.md, such as rafdb."
        ),
    ] = "auto",
    votes: VotesOption = None,
    labels: Annotated[
        LabelsName,
        typer.Option(
            help="Label set of the table; ferplus8 keeps contempt if the data set has it."
        ),
    ] = LabelsName.FER7,
    embed: Annotated[
        bool, typer.Option(help="Store image files in the table, instead of their paths.")
    ] = False,
    jobs: JobsOption = JOBS,
    label_map: MapOption = None,
    groups: GroupsOption = None,
    table: TableOption = None,
    image_column: ImageColumnOption = None,
    label_column: LabelColumnOption = None,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Convert a data set to a single table; count and check its images."""
    from pyojeong.cli.conversion import OwnWords
    from pyojeong.cli.data import ImportRequest, run_import

    request = ImportRequest(
        source=source,
        out=out,
        layout=layout,
        votes=votes,
        labels=labels.value,
        embed=embed,
        jobs=jobs,
        own=OwnWords(label_map or (), groups, table, image_column, label_column),
    )
    raise typer.Exit(run_import(request, _stderr()))


@data_app.command("info")
def data_info(
    table: ManifestArgument,
    sheet: Annotated[
        Path | None,
        typer.Option(help="Image file to write: some faces and the size of each class."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Count classes, splits, people, identical images, unreadable images and votes."""
    from pyojeong.cli.data import show_info

    raise typer.Exit(show_info(table, sheet=sheet, as_json=json_, console=_stderr()))


@data_app.command("split")
def data_split(
    table: ManifestArgument,
    out: NewTableOption,
    valid: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the validation split.")
    ] = 0.1,
    test: Annotated[float, typer.Option(min=0, max=1, help="Share of the test split.")] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the splits.")] = 0,
    keep_test: Annotated[
        bool, typer.Option("--keep-test", help="Keep the test split; split the other rows.")
    ] = False,
    drop_leaks: Annotated[
        bool,
        typer.Option(
            "--drop-leaks",
            help="With --keep-test: leave out rows that share a person or image with a test row.",
        ),
    ] = False,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Split a data set again. Each person and identical images stay in one split."""
    from pyojeong.cli.data import run_split
    from pyojeong.datasets.splitting import SplitOptions

    options = SplitOptions(
        valid=valid, test=test, seed=seed, keep_test=keep_test, drop_leaks=drop_leaks
    )
    raise typer.Exit(run_split(table, out, options, _stderr()))


@data_app.command("merge")
def data_merge(
    tables: Annotated[list[Path], typer.Argument(help="Two or more .parquet tables to merge.")],
    out: NewTableOption,
    labels: Annotated[
        LabelsName | None,
        typer.Option(help="Label set to map all tables to; fer7 leaves contempt out."),
    ] = None,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Merge tables. Sample and person ids are prefixed with the name of their table."""
    from pyojeong.cli.data import run_merge

    raise typer.Exit(
        run_merge(tables, out, labels=labels.value if labels else None, console=_stderr())
    )


@data_app.command("export")
def data_export(
    table: ManifestArgument,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="New folder, or for fer2013 a new .csv file.")
    ],
    format_: Annotated[
        ExportFormat,
        typer.Option(
            "--format",
            "-f",
            help="Class folders, Hugging Face imagefolder or datasets (Parquet), or FER2013's CSV.",
        ),
    ] = ExportFormat.FOLDERS,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Export a table to files that other tools can read."""
    from pyojeong.cli.data import run_export

    raise typer.Exit(run_export(table, out, kind=format_.value, console=_stderr()))


@data_app.command("faces")
def faces(
    manifest: ManifestArgument,
    out: NewTableOption,
    detector: DetectorOption = "auto",
    margin: Annotated[
        float,
        typer.Option(min=0, max=2, help="Margin on each side of the box, as a share of its side."),
    ] = 0.15,
    size: Annotated[
        int,
        typer.Option(min=16, help="Largest side of a crop in pixels; larger crops are reduced."),
    ] = 224,
    like: Annotated[
        str | None,
        typer.Option(
            help="Id of a model: align the faces as in its training set, instead of cropping boxes."
        ),
    ] = None,
    side: Annotated[int, typer.Option(min=16, max=1024, help="With --like: side in pixels.")] = 128,
    every: Annotated[bool, typer.Option(help="Keep all faces, not only the largest.")] = False,
    min_face: Annotated[
        int | None,
        typer.Option(min=8, help="Smallest face to report: shorter side of its box, in pixels."),
    ] = None,
    jobs: JobsOption = JOBS,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Crop the faces from photographs. Images without a face are listed and left out."""
    from pyojeong.cli.curate import FacesRequest, run_faces

    request = FacesRequest(
        manifest=manifest,
        out=out,
        detector=detector,
        margin=margin,
        size_px=size,
        like=like,
        side_px=side,
        every=every,
        min_face=min_face,
        jobs=jobs,
    )
    raise typer.Exit(run_faces(request, _stderr()))


@data_app.command("curate")
def curate(
    manifest: ManifestArgument,
    checks: Annotated[
        list[str] | None,
        typer.Option(
            "--checks",
            "-c",
            help="Checks to run, separated by commas: NAME, NAME=THRESHOLD, default or all.",
        ),
    ] = None,
    store: StoreOption = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Predictions of `pyojeong train --folds`; needed by label-issue."),
    ] = None,
    detector: DetectorOption = "auto",
    least_px: Annotated[
        int,
        typer.Option(
            min=8, help="Side of a face, in pixels, that gets score 0.5 in check 'small'."
        ),
    ] = 32,
    jobs: ProcessesOption = JOBS,
    report: Annotated[
        Path | None, typer.Option(help="Write report.html to this folder, or to this .html file.")
    ] = None,
    pictures: Annotated[
        int, typer.Option(min=0, help="Images per check in the report; 0: none.")
    ] = 24,
    lang: LangOption = Language.EN,
    engine: EngineOption = Engine.LOCAL,
    address: AddressOption = None,
    object_store_mb: ObjectStoreOption = None,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Find faults: missing faces, occlusions, blur, copies, wrong labels. Nothing is deleted.

    Repeat the same command to resume an interrupted run.
    """
    from pyojeong.cli.curate import CurateRequest, run_curate
    from pyojeong.cli.ray_options import ray_options

    request = CurateRequest(
        manifest=manifest,
        checks=checks or [],
        store=store,
        predictions=predictions,
        detector=detector,
        least_px=least_px,
        jobs=jobs,
        report=report,
        pictures=pictures,
        lang=lang.value,
        ray=ray_options(engine.value, jobs, address, object_store_mb),
    )
    raise typer.Exit(run_curate(request, _stderr()))


@data_app.command("clean")
def clean(
    manifest: ManifestArgument,
    out: NewTableOption,
    store: StoreOption = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            help="First accept the suggestions of these checks, separated by commas: NAME or "
            "NAME=THRESHOLD.",
        ),
    ] = None,
    split: Annotated[
        list[SplitName] | None,
        typer.Option(
            help="Split in which suggestions are accepted. Default: train. Repeat the option for "
            "more than one."
        ),
    ] = None,
    relabel: Annotated[
        bool,
        typer.Option(help="Accept suggested labels; --no-relabel drops these rows instead."),
    ] = True,
    leaks_only: Annotated[
        bool,
        typer.Option(
            "--leaks-only", help="Drop copies only if the other copy is in another split."
        ),
    ] = False,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Write a new data set with all decisions applied. The original is not changed."""
    from pyojeong.cli.curate import CleanRequest, run_clean

    request = CleanRequest(
        manifest=manifest,
        store=store,
        out=out,
        accept=accept or [],
        splits=[s.value for s in split or [SplitName.TRAIN]],
        relabel=relabel,
        leaks_only=leaks_only,
    )
    raise typer.Exit(run_clean(request, _stderr()))


@data_app.command("review")
def review(
    manifest: ManifestArgument,
    store: StoreOption = None,
    reviewer: Annotated[
        str | None,
        typer.Option(help="Name to record with your decisions. Default: your user name."),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any free port.")] = 0,
    host: Annotated[
        str,
        typer.Option(help="Address to serve on; 0.0.0.0 makes the page available on the network."),
    ] = "127.0.0.1",
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = True,
    lang: LangOption = Language.EN,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Review the findings of the checks image by image, on a local page."""
    from pyojeong.cli.review import review as serve

    serve(
        manifest,
        _stderr(),
        store=store,
        reviewer=reviewer,
        port=port,
        host=host,
        open_page=open_page,
        lang=lang.value,
    )
