"""``pyojeong data ...``: thin commands, as in ``app.py``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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


ManifestArgument = Annotated[Path, typer.Argument(help="A data set: .parquet from `data import`.")]
StoreOption = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of findings and decisions; default: SET.curation."),
]


def _stderr() -> "Console":
    from rich.console import Console

    return Console(stderr=True, highlight=False)


@data_app.command("faces")
def faces(
    manifest: ManifestArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="The new .parquet.")],
    detector: Annotated[
        str, typer.Option("--detector", "-d", help="auto, mtcnn, centerface or blazeface.")
    ] = "auto",
    margin: Annotated[float, typer.Option(min=0, max=2, help="Room around the box.")] = 0.15,
    every: Annotated[bool, typer.Option(help="All faces, not only the largest.")] = False,
    min_face: Annotated[
        int | None, typer.Option(min=8, help="Smallest face, shorter side in pixels.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Pictures at once.")] = 2,
) -> None:
    """Cut the faces out of photographs; pictures without one are listed and left out."""
    from pyojeong.cli.curate import FacesRequest, run_faces

    request = FacesRequest(
        manifest=manifest,
        out=out,
        detector=detector,
        margin=margin,
        every=every,
        min_face=min_face,
        jobs=jobs,
    )
    run_faces(request, _stderr())


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
    detector: Annotated[
        str, typer.Option("--detector", "-d", help="auto, mtcnn, centerface or blazeface.")
    ] = "auto",
    least_px: Annotated[
        int, typer.Option(min=8, help="Face side that the check 'small' scores 0.5.")
    ] = 32,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes.")] = 2,
    report: Annotated[
        Path | None, typer.Option(help="Write report.html to this folder (or this .html file).")
    ] = None,
    pictures: Annotated[
        int, typer.Option(min=0, help="Pictures per check in the report; 0 = none.")
    ] = 24,
) -> None:
    """Look for faults: no face, covers, blur, copies, wrong labels. Resumable, deletes nothing."""
    from pyojeong.cli.curate import CurateRequest, run_curate

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
    )
    run_curate(request, _stderr())


@data_app.command("clean")
def clean(
    manifest: ManifestArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="The new .parquet.")],
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
    )
    run_clean(request, _stderr())


@data_app.command("review")
def review(
    manifest: ManifestArgument,
    store: StoreOption = None,
    reviewer: Annotated[
        str | None, typer.Option(help="Your name in the decisions. [default: your user name]")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    host: Annotated[
        str, typer.Option(help="Address to serve on; others than this machine see the pictures.")
    ] = "127.0.0.1",
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Decide on the findings of the checks, picture by picture, on a page on this machine."""
    from pyojeong.cli.review import review as serve

    serve(
        manifest,
        _stderr(),
        store=store,
        reviewer=reviewer,
        port=port,
        host=host,
        open_page=open_page,
    )
