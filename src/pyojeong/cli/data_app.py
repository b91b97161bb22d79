"""``pyojeong data ...``: thin commands, as in ``app.py``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyojeong.cli.options import (
    JOBS,
    AddressOption,
    DetectorOption,
    Engine,
    EngineOption,
    GroupsOption,
    ImageColumnOption,
    JobsOption,
    LabelColumnOption,
    LangOption,
    Language,
    MapOption,
    ObjectStoreOption,
    ProcessesOption,
    TableOption,
    VotesOption,
)
from pyojeong.cli.study import ConfigOption

if TYPE_CHECKING:
    from rich.console import Console

data_app = typer.Typer(
    help="Import, examine, clean and export labelled data sets.", no_args_is_help=True
)


class SplitName(StrEnum):
    """Splits by name."""

    TRAIN = "train"
    VALID = "valid"
    TEST = "test"


class LabelsName(StrEnum):
    """Label sets that a table can have."""

    FER7 = "fer7"
    FERPLUS8 = "ferplus8"


class ExportFormat(StrEnum):
    """What a table can be written as."""

    FOLDERS = "folders"
    IMAGEFOLDER = "imagefolder"
    IMAGEFOLDER_JSONL = "imagefolder-jsonl"
    DATASETS = "datasets"
    FER2013 = "fer2013"


ManifestArgument = Annotated[Path, typer.Argument(help="A data set: .parquet from `data import`.")]
StoreOption = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of findings and decisions; default: SET.curation."),
]


NewTableOption = Annotated[Path, typer.Option("--out", "-o", help="The new .parquet table.")]


def _stderr() -> "Console":
    from pyojeong.cli.console import make_console

    return make_console(stderr=True)


@data_app.command("import")
def data_import(
    source: Annotated[Path, typer.Argument(help="The data set: its table or its folder.")],
    out: NewTableOption,
    layout: Annotated[
        str, typer.Option(help="auto, or a name of docs/cli.md, such as rafdb.")
    ] = "auto",
    votes: VotesOption = None,
    labels: Annotated[
        LabelsName, typer.Option(help="ferplus8 keeps contempt where the data set has it.")
    ] = LabelsName.FER7,
    embed: Annotated[
        bool, typer.Option(help="Take image files into the table, instead of their paths.")
    ] = False,
    jobs: JobsOption = JOBS,
    label_map: MapOption = None,
    groups: GroupsOption = None,
    table: TableOption = None,
    image_column: ImageColumnOption = None,
    label_column: LabelColumnOption = None,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Convert a data set in its own layout into one table; count it and check it."""
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
        Path | None, typer.Option(help="Image to draw: faces and size of every class.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Count classes, splits, people, copies, unreadable images and votes."""
    from pyojeong.cli.data import show_info

    raise typer.Exit(show_info(table, sheet=sheet, as_json=json_, console=_stderr()))


@data_app.command("split")
def data_split(
    table: ManifestArgument,
    out: NewTableOption,
    valid: Annotated[float, typer.Option(min=0, max=1, help="Share of validation rows.")] = 0.1,
    test: Annotated[float, typer.Option(min=0, max=1, help="Share of test rows.")] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other splits.")] = 0,
    keep_test: Annotated[
        bool, typer.Option("--keep-test", help="Keep the test rows; split the others.")
    ] = False,
    drop_leaks: Annotated[
        bool, typer.Option("--drop-leaks", help="Leave out what shares a face with a test row.")
    ] = False,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Split a data set again; people and identical images stay in one split."""
    from pyojeong.cli.data import run_split
    from pyojeong.datasets.splitting import SplitOptions

    options = SplitOptions(
        valid=valid, test=test, seed=seed, keep_test=keep_test, drop_leaks=drop_leaks
    )
    raise typer.Exit(run_split(table, out, options, _stderr()))


@data_app.command("merge")
def data_merge(
    tables: Annotated[list[Path], typer.Argument(help="Two or more .parquet tables.")],
    out: NewTableOption,
    labels: Annotated[
        LabelsName | None, typer.Option(help="Map all onto fer7; contempt is left out.")
    ] = None,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Put tables together; names of samples and people get their table's name as a prefix."""
    from pyojeong.cli.data import run_merge

    raise typer.Exit(
        run_merge(tables, out, labels=labels.value if labels else None, console=_stderr())
    )


@data_app.command("export")
def data_export(
    table: ManifestArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder, or a .csv file.")],
    format_: Annotated[
        ExportFormat,
        typer.Option(
            "--format", "-f", help="Class folders, Hugging Face's imagefolder or Parquet, or CSV."
        ),
    ] = ExportFormat.FOLDERS,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Write a table as files that other tools read."""
    from pyojeong.cli.data import run_export

    raise typer.Exit(run_export(table, out, kind=format_.value, console=_stderr()))


@data_app.command("faces")
def faces(
    manifest: ManifestArgument,
    out: NewTableOption,
    detector: DetectorOption = "auto",
    margin: Annotated[float, typer.Option(min=0, max=2, help="Room around the box.")] = 0.15,
    size: Annotated[
        int, typer.Option(min=16, help="Larger crops are shrunk to this side, in pixels.")
    ] = 224,
    like: Annotated[
        str | None,
        typer.Option(
            help="Model id: align the faces as in its training set, instead of cutting out boxes."
        ),
    ] = None,
    side: Annotated[int, typer.Option(min=16, max=1024, help="With --like: side in pixels.")] = 128,
    every: Annotated[bool, typer.Option(help="All faces, not only the largest.")] = False,
    min_face: Annotated[
        int | None, typer.Option(min=8, help="Smallest face, shorter side in pixels.")
    ] = None,
    jobs: JobsOption = JOBS,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Cut the faces out of photographs; images without one are listed and left out."""
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
            help="Names, or NAME=THRESHOLD, separated by commas; also default and all.",
        ),
    ] = None,
    store: StoreOption = None,
    predictions: Annotated[
        Path | None, typer.Option(help="From `pyojeong train --folds`, for label-issue.")
    ] = None,
    detector: DetectorOption = "auto",
    least_px: Annotated[
        int, typer.Option(min=8, help="Face side that the check 'small' scores 0.5.")
    ] = 32,
    jobs: ProcessesOption = JOBS,
    report: Annotated[
        Path | None, typer.Option(help="Write report.html to this folder (or this .html file).")
    ] = None,
    pictures: Annotated[
        int, typer.Option(min=0, help="Images per check in the report; 0 = none.")
    ] = 24,
    lang: LangOption = Language.EN,
    engine: EngineOption = Engine.LOCAL,
    address: AddressOption = None,
    object_store_mb: ObjectStoreOption = None,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Look for faults: no face, covers, blur, copies, wrong labels. Resumable, deletes nothing."""
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
            help="Accept the suggestions of these checks (NAME or NAME=THRESHOLD, commas) first.",
        ),
    ] = None,
    split: Annotated[
        list[SplitName] | None, typer.Option(help="Accept them in these splits; default: train.")
    ] = None,
    relabel: Annotated[
        bool, typer.Option(help="Accept new labels; --no-relabel drops such rows.")
    ] = True,
    leaks_only: Annotated[
        bool, typer.Option("--leaks-only", help="Of copies, only those of a row in another split.")
    ] = False,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Write a new data set with all decisions applied; the old one stays as it is."""
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
        str | None, typer.Option(help="Your name in the decisions; default: your user name.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    host: Annotated[
        str,
        typer.Option(help="Address to serve on; 0.0.0.0 opens it to the network."),
    ] = "127.0.0.1",
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = True,
    lang: LangOption = Language.EN,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Decide on the findings of the checks, image by image, on a page on this machine."""
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
