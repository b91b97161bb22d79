"""``pyojeong experiments ...``: what can be run, running it, and the table of what came out."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyojeong.cli.options import (
    JOBS,
    DataOption,
    DevicesOption,
    EpochsOption,
    GroupsOption,
    ImageColumnOption,
    LabelColumnOption,
    LearningRateOption,
    LimitOption,
    MapOption,
    ProcessesOption,
    ScoredSplit,
    TableOption,
    TrainingDevice,
    TrainingDeviceOption,
    VotesOption,
    deprecated_alias,
)
from pyojeong.cli.streams import echo
from pyojeong.cli.study import ConfigOption

if TYPE_CHECKING:
    from rich.console import Console

    from pyojeong.cli.conversion import OwnWords

experiments_app = typer.Typer(
    help="Run named experiments and compare their results.", no_args_is_help=True
)

FolderOption = Annotated[Path, typer.Option("--folder", help="Folder of experiments.")]
RunsOption = Annotated[Path, typer.Option("--runs", help="Folder of run folders.")]
KeepOption = Annotated[
    Path | None, typer.Option("--keep", help="Folder that gets a copy of every result.")
]
ResultsOption = Annotated[
    Path, typer.Option("--results", help="Folder of kept results, or of run folders.")
]


class Logger(StrEnum):
    """Where curves can also go."""

    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"


class TableFormat(StrEnum):
    """Forms of the table."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    CSV = "csv"


def _stderr() -> "Console":
    from pyojeong.cli.console import make_console

    return make_console(stderr=True)


@experiments_app.command("list")
def list_(
    folder: FolderOption = Path("experiments"),
    runs: RunsOption = Path("runs"),
    names: Annotated[list[str] | None, typer.Argument(help="Names or folders; all.")] = None,
) -> None:
    """Name the experiments and say how far each run is."""
    from pyojeong.cli.experiments import list_experiments

    list_experiments(folder, runs, names or [])


@experiments_app.command()
def run(
    names: Annotated[list[str], typer.Argument(help="Names, or a folder such as seed2021.")],
    data: DataOption,
    votes: VotesOption = None,
    folder: FolderOption = Path("experiments"),
    runs: RunsOption = Path("runs"),
    keep: KeepOption = None,
    jobs: ProcessesOption = JOBS,
    seed: Annotated[
        list[int] | None, typer.Option(help="Instead of the experiment's own seeds.")
    ] = None,
    epochs: EpochsOption = None,
    lr: LearningRateOption = None,
    limit: LimitOption = None,
    device: TrainingDeviceOption = TrainingDevice.AUTO,
    devices: DevicesOption = None,
    again: Annotated[bool, typer.Option("--again", help="Retry what failed before.")] = False,
    log: Annotated[Logger | None, typer.Option(help="Log curves there as well.")] = None,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Train and measure; finished runs are left alone, interrupted ones continued."""
    from pyojeong.cli.experiments import run_named

    console = _stderr()
    manifest = _manifest(data, votes, console)
    code = run_named(
        folder,
        names,
        manifest,
        runs,
        console,
        seeds=seed,
        keep=keep,
        jobs=jobs,
        again=again,
        logger=None if log is None else log.value,
        epochs=epochs,
        lr=lr,
        limit=limit,
        device=device.value,
        devices=devices,
    )
    raise typer.Exit(code)


@experiments_app.command()
def resume(
    data: DataOption,
    votes: VotesOption = None,
    runs: RunsOption = Path("runs"),
    keep: KeepOption = None,
    jobs: ProcessesOption = JOBS,
) -> None:
    """Continue every run that was begun and has no result yet."""
    from pyojeong.cli.experiments import resume_all

    console = _stderr()
    manifest = _manifest(data, votes, console)
    raise typer.Exit(resume_all(manifest, runs, console, keep=keep, jobs=jobs))


@experiments_app.command()
def table(
    results: ResultsOption = Path("runs"),
    only: Annotated[list[str] | None, typer.Argument(help="Names or folders; all.")] = None,
    format_: Annotated[
        TableFormat | None,
        typer.Option(
            "--format",
            "-f",
            help="terminal: the main columns, in 80 characters. Default: terminal on a terminal, "
            "markdown in a pipe or file.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File; else stdout.")] = None,
) -> None:
    """Print the table of results: settings, accuracy with interval, cost, the students' figure."""
    from pyojeong.cli.experiments import show_table

    show_table(results, only or [], None if format_ is None else format_.value, out)


@experiments_app.command("compare")
def compare_(
    one: Annotated[str, typer.Argument(help="A result's name; with --data a model.")],
    other: Annotated[str, typer.Argument(help="What it is compared with.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Compare two models (ids or .onnx files) on this data set."),
    ] = None,
    split: Annotated[
        ScoredSplit, typer.Option(help="Of --data; a use of the test split is recorded.")
    ] = ScoredSplit.VALID,
    label_map: MapOption = None,
    groups: GroupsOption = None,
    table: TableOption = None,
    image_column: ImageColumnOption = None,
    label_column: LabelColumnOption = None,
    results: ResultsOption = Path("runs"),
) -> None:
    """Compare two results on the same pictures: paired differences with 95 % intervals."""
    from pyojeong.cli.compare import compare_models, compare_results
    from pyojeong.cli.conversion import OwnWords

    console = _stderr()
    if data is None:
        code = compare_results(one, other, results, console)
    else:
        own = OwnWords(label_map or (), groups, table, image_column, label_column)
        manifest = _manifest(data, None, console, own)
        code = compare_models(one, other, manifest, split.value, console)
    raise typer.Exit(code)


@experiments_app.command()
def report(
    results: ResultsOption = Path("runs"),
    only: Annotated[list[str] | None, typer.Argument(help="Names or folders; all.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file.")] = Path("results.html"),
) -> None:
    """Write one page: sortable table, curves, confusion matrices, accuracy against latency."""
    from pyojeong.cli.experiments import write_report

    echo(write_report(results, only or [], out))


@experiments_app.command("time")
def time_(
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON file.")],
    results: ResultsOption = Path("runs"),
    rounds: Annotated[int, typer.Option(min=3, help="Timed repetitions.")] = 20,
) -> None:
    """Time the nets of all results as ONNX on one thread, in one go, beside the bundled model."""
    from pyojeong.cli.experiments import time_nets

    time_nets(results, out, _stderr(), rounds=rounds)


@experiments_app.command("score-test")
def score_test(
    run_: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run folder.")],
    data: DataOption,
    votes: VotesOption = None,
    keep: KeepOption = None,
) -> None:
    """Score a run on the test split, once: the use is recorded, a second one is refused."""
    from pyojeong.cli.experiments import score_test_once

    console = _stderr()
    manifest = _manifest(data, votes, console)
    raise typer.Exit(score_test_once(run_, manifest, console, keep=keep))


@experiments_app.command("distill")
def distill(
    teachers: Annotated[list[Path], typer.Argument(help="Finished run folders.")],
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="File of soft labels (.npz).")],
    like: Annotated[
        str, typer.Option(help="Name of the student's experiment: its \\[augment] draws the views.")
    ],
    votes: VotesOption = None,
    folder: FolderOption = Path("experiments"),
    views: Annotated[int, typer.Option(min=1, help="Views of each face.")] = 8,
    weight: Annotated[
        list[float] | None, typer.Option(help="One per teacher; else fitted on the valid split.")
    ] = None,
    average: Annotated[
        bool, typer.Option(help="One answer for each face: the mean over its views.")
    ] = False,
) -> None:
    """Cache teachers' predictions on several augmented views of each training face."""
    from pyojeong.cli.soft_labels import keep, teach_students

    console = _stderr()
    manifest = _manifest(data, votes, console)
    augment_of = (folder, like)
    soft = teach_students(
        teachers,
        manifest,
        console,
        augment_of=augment_of,
        views=views,
        weights=weight or None,
        average=average,
    )
    raise typer.Exit(keep(soft, out, manifest, console))


@experiments_app.command()
def relabel(
    data: DataOption,
    folds: Annotated[
        Path, typer.Option(help="Out-of-fold predictions for the same data (predictions.parquet).")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File of soft labels (.npz).")],
    teacher: Annotated[
        Path | None, typer.Option(help="Soft labels of teachers (.npz) to mix in.")
    ] = None,
    share: Annotated[float, typer.Option(help="Of the new labels in that mixture.")] = 0.5,
    votes: VotesOption = None,
) -> None:
    """Compute soft labels of the training faces from FER+ votes and out-of-fold predictions."""
    from pyojeong.cli.soft_labels import keep, relabel_faces

    console = _stderr()
    manifest = _manifest(data, votes, console)
    soft = relabel_faces(manifest, folds, console, teacher=teacher, share=share)
    raise typer.Exit(keep(soft, out, manifest, console))


@experiments_app.command()
def ensemble(
    runs: Annotated[list[Path], typer.Argument(help="Finished run folders.")],
    data: DataOption,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="File of the ensemble's record (.json).")
    ],
    votes: VotesOption = None,
    views: Annotated[int, typer.Option(help="Views of each face, averaged: 1, 2 or 10.")] = 1,
    score_test: Annotated[
        bool,
        typer.Option(
            "--score-test", "--look", help="Score the recorded ensemble on the test split, once."
        ),
    ] = False,
) -> None:
    """Evaluate several runs as an ensemble: weights and figures of the validation split."""
    from pyojeong.cli.ensembles import measure_ensemble

    console = _stderr()
    manifest = _manifest(data, votes, console)
    code = measure_ensemble(runs, manifest, out, console, views=views, score_test=score_test)
    raise typer.Exit(code)


@experiments_app.command()
def pack(
    run: Annotated[Path, typer.Argument(help="A finished run folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of packed runs.")],
) -> None:
    """Copy a finished run with its result's weights alone: small enough to keep or send."""
    from pyojeong.cli.experiments import pack_run

    echo(pack_run(run, out))


for _old, _new, _name in (("look", score_test, "score-test"), ("teach", distill, "distill")):
    experiments_app.command(_old, hidden=True)(
        deprecated_alias(_new, f"experiments {_old}", f"experiments {_name}")
    )


def _manifest(
    data: Path, votes: Path | None, console: "Console", own: "OwnWords | None" = None
) -> Path:
    from pyojeong.cli.conversion import NOTHING_SAID, manifest_with_progress

    return manifest_with_progress(data, votes, console, own or NOTHING_SAID)
