"""``pyojeong experiments ...``: list, run and compare experiments."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyojeong.cli.data_options import (
    DataOption,
    EpochsOption,
    GroupsOption,
    ImageColumnOption,
    LabelColumnOption,
    LearningRateOption,
    LimitOption,
    MapOption,
    TableOption,
    VotesOption,
)
from pyojeong.cli.options import (
    JOBS,
    DevicesOption,
    ProcessesOption,
    ScoredSplit,
    TrainingDevice,
    TrainingDeviceOption,
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

FolderOption = Annotated[Path, typer.Option("--folder", help="Folder of the experiments.")]
RunsOption = Annotated[Path, typer.Option("--runs", help="Folder of the run folders.")]
KeepOption = Annotated[Path | None, typer.Option("--keep", help="Folder to copy every result to.")]
ResultsOption = Annotated[
    Path, typer.Option("--results", help="Folder of results (see --keep), or of run folders.")
]


class Logger(StrEnum):
    """Tools that training curves can be logged to."""

    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"


class TableFormat(StrEnum):
    """Formats of the table of results."""

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
    names: Annotated[
        list[str] | None, typer.Argument(help="Names or folders of experiments. Default: all.")
    ] = None,
) -> None:
    """List the experiments and the progress of each run."""
    from pyojeong.cli.experiments import list_experiments

    list_experiments(folder, runs, names or [])


@experiments_app.command()
def run(
    names: Annotated[
        list[str], typer.Argument(help="Names of experiments, or a folder such as seed2021.")
    ],
    data: DataOption,
    votes: VotesOption = None,
    folder: FolderOption = Path("experiments"),
    runs: RunsOption = Path("runs"),
    keep: KeepOption = None,
    jobs: ProcessesOption = JOBS,
    seed: Annotated[
        list[int] | None,
        typer.Option(
            help="Seed, instead of those of the experiment. Repeat the option for more than one."
        ),
    ] = None,
    epochs: EpochsOption = None,
    lr: LearningRateOption = None,
    limit: LimitOption = None,
    device: TrainingDeviceOption = TrainingDevice.AUTO,
    devices: DevicesOption = None,
    again: Annotated[bool, typer.Option("--again", help="Retry failed runs.")] = False,
    log: Annotated[Logger | None, typer.Option(help="Also log training curves here.")] = None,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Train and evaluate experiments. Finished runs are skipped, interrupted ones resumed."""
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
    """Resume every run that was started and has no result yet."""
    from pyojeong.cli.experiments import resume_all

    console = _stderr()
    manifest = _manifest(data, votes, console)
    raise typer.Exit(resume_all(manifest, runs, console, keep=keep, jobs=jobs))


@experiments_app.command()
def table(
    results: ResultsOption = Path("runs"),
    only: Annotated[
        list[str] | None, typer.Argument(help="Names or folders. Default: all.")
    ] = None,
    format_: Annotated[
        TableFormat | None,
        typer.Option(
            "--format",
            "-f",
            help="terminal: the main columns in 80 characters. Default: terminal on a terminal, "
            "markdown for pipes and files.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File; default: stdout.")] = None,
) -> None:
    """Print the table of results: settings, accuracy with interval, cost.

    The rows of seed2021 also have the accuracy that the students of 2021 measured.
    """
    from pyojeong.cli.experiments import show_table

    show_table(results, only or [], None if format_ is None else format_.value, out)


@experiments_app.command("compare")
def compare_(
    one: Annotated[str, typer.Argument(help="Name of a result, or with --data a model.")],
    other: Annotated[str, typer.Argument(help="Result or model to compare it with.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Compare two models (ids or .onnx files) on this data set."),
    ] = None,
    split: Annotated[
        ScoredSplit,
        typer.Option(help="Split of --data to use. Every use of the test split is recorded."),
    ] = ScoredSplit.VALID,
    label_map: MapOption = None,
    groups: GroupsOption = None,
    table: TableOption = None,
    image_column: ImageColumnOption = None,
    label_column: LabelColumnOption = None,
    results: ResultsOption = Path("runs"),
) -> None:
    """Compare two results on the same images: paired differences, 95 % confidence intervals."""
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
    only: Annotated[
        list[str] | None, typer.Argument(help="Names or folders. Default: all.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")] = Path(
        "results.html"
    ),
) -> None:
    """Write an HTML page: sortable table, curves, confusion matrices, accuracy and latency."""
    from pyojeong.cli.experiments import write_report

    echo(write_report(results, only or [], out))


@experiments_app.command("time")
def time_(
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON file to write.")],
    results: ResultsOption = Path("runs"),
    rounds: Annotated[int, typer.Option(min=3, help="Number of timed repetitions.")] = 20,
) -> None:
    """Measure the latency of all networks, and of the bundled model, as ONNX on one thread."""
    from pyojeong.cli.experiments import time_nets

    time_nets(results, out, _stderr(), rounds=rounds)


@experiments_app.command("score-test")
def score_test(
    run_: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    data: DataOption,
    votes: VotesOption = None,
    keep: KeepOption = None,
) -> None:
    """Score a run on the test split, once. The use is recorded and a second one refused."""
    from pyojeong.cli.experiments import score_test_once

    console = _stderr()
    manifest = _manifest(data, votes, console)
    raise typer.Exit(score_test_once(run_, manifest, console, keep=keep))


@experiments_app.command("distill")
def distill(
    teachers: Annotated[list[Path], typer.Argument(help="Folders of finished runs.")],
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="File of soft labels (.npz).")],
    like: Annotated[
        str,
        typer.Option(help="Name of the student's experiment; its \\[augment] defines the views."),
    ],
    votes: VotesOption = None,
    folder: FolderOption = Path("experiments"),
    views: Annotated[int, typer.Option(min=1, help="Number of views per face.")] = 8,
    weight: Annotated[
        list[float] | None,
        typer.Option(
            help="Weight of a teacher, once for each. Default: fitted on the validation split."
        ),
    ] = None,
    average: Annotated[
        bool, typer.Option(help="Store one prediction per face: the mean over its views.")
    ] = False,
) -> None:
    """Store predictions of finished runs as soft labels, for several views of each face."""
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
    share: Annotated[float, typer.Option(help="Share of the new labels in that mix.")] = 0.5,
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
    runs: Annotated[list[Path], typer.Argument(help="Folders of finished runs.")],
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="Record of the ensemble (.json).")],
    votes: VotesOption = None,
    views: Annotated[int, typer.Option(help="Views of each face to average: 1, 2 or 10.")] = 1,
    score_test: Annotated[
        bool,
        typer.Option(
            "--score-test", "--look", help="Score the recorded ensemble on the test split, once."
        ),
    ] = False,
) -> None:
    """Evaluate several runs as an ensemble; weights are fitted on the validation split."""
    from pyojeong.cli.ensembles import measure_ensemble

    console = _stderr()
    manifest = _manifest(data, votes, console)
    code = measure_ensemble(runs, manifest, out, console, views=views, score_test=score_test)
    raise typer.Exit(code)


@experiments_app.command()
def pack(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for packed runs.")],
) -> None:
    """Copy a finished run with only the weights of its result, for storage or transfer."""
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
