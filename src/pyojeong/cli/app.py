"""The command line: thin commands; everything heavy is imported inside them.

What machines read goes to files or stdout; tables, progress and errors go to stderr whenever
stdout carries data. Exit codes: 0 all fine, 1 some inputs failed, 2 wrong usage, 130 interrupted.
"""

import os
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from pyojeong._version import __version__
from pyojeong.cli.bench_app import bench_app
from pyojeong.cli.data_app import data_app
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
from pyojeong.cli.experiments_app import experiments_app
from pyojeong.cli.options import (
    Answers,
    DetectorOption,
    DevicesOption,
    ModelOption,
    OutputOption,
    PriorOption,
    ScoredSplit,
    ThreadsOption,
    ThresholdOption,
    TrainingDevice,
    TrainingDeviceOption,
    deprecated_alias,
)
from pyojeong.cli.page_app import page_app
from pyojeong.cli.photographs_app import analyze, demo, merge
from pyojeong.cli.serve_app import serve
from pyojeong.cli.streams import (
    RootGroup,
    echo,
    one_line_warning,
    replace_unknown_characters,
    stdout_errors,
)
from pyojeong.cli.study import ConfigOption
from pyojeong.cli.table_app import table_app
from pyojeong.cli.tools_app import doctor, models
from pyojeong.cli.video_app import redact, video_app, webcam
from pyojeong.core.errors import PyojeongError

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    name="pyojeong",
    cls=RootGroup,
    help="표정 · Analyze the appearance of facial expressions in images and video; train models.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
READ, LIVE, DATA, TRAIN, TOOLS = "Read", "Live", "Data", "Train", "Tools"
"""Groups of commands in the help text."""

for reading in (analyze, merge, demo):
    app.command(rich_help_panel=READ)(reading)
app.add_typer(video_app, name="video", rich_help_panel=READ)
app.command(rich_help_panel=LIVE)(webcam)
app.command(rich_help_panel=LIVE)(serve)
app.command("forget", hidden=True)(deprecated_alias(redact, "forget", "video redact"))
app.add_typer(table_app, name="table", rich_help_panel=READ)
app.add_typer(page_app, name="page", rich_help_panel=LIVE)
for command in (models, doctor):
    app.command(rich_help_panel=TOOLS)(command)
app.add_typer(bench_app, name="bench", rich_help_panel=TOOLS)
app.add_typer(data_app, name="data", rich_help_panel=DATA)
app.add_typer(experiments_app, name="experiments", rich_help_panel=TRAIN)


class Storage(StrEnum):
    """Number formats for the weights of an exported model."""

    FLOAT16 = "float16"
    INT8 = "int8"
    BOTH = "both"


def _stderr() -> "Console":
    from pyojeong.cli.console import make_console

    return make_console(stderr=True)


def _show_version(value: bool) -> None:
    if value:
        echo(f"pyojeong {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass


def _manifest(data: Path, votes: Path | None, console: "Console", *own: Any) -> Path:
    """Return the table of ``--data``; ``own``: arguments of ``OwnWords``."""
    from pyojeong.cli.conversion import OwnWords, manifest_with_progress

    label_map, *others = own
    return manifest_with_progress(data, votes, console, OwnWords(label_map or (), *others))


@app.command(rich_help_panel=TRAIN)
def train(
    data: DataOption,
    experiment: Annotated[
        Path | None,
        typer.Argument(help="Experiment file (TOML). Default: fine-tune a bundled model."),
    ] = None,
    start: Annotated[
        str,
        typer.Option(help="Model to fine-tune if no experiment is given; see `pyojeong models`."),
    ] = "default",
    votes: VotesOption = None,
    label_map: MapOption = None,
    groups: GroupsOption = None,
    table: TableOption = None,
    image_column: ImageColumnOption = None,
    label_column: LabelColumnOption = None,
    runs: Annotated[Path, typer.Option(help="Folder of the run folders.")] = Path("runs"),
    limit: LimitOption = None,
    epochs: EpochsOption = None,
    lr: LearningRateOption = None,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Train N networks, each without one of N folds; write out-of-fold predictions.",
        ),
    ] = None,
    device: TrainingDeviceOption = TrainingDevice.AUTO,
    devices: DevicesOption = None,
    config: ConfigOption = None,  # noqa: ARG001 - it has set the defaults
) -> None:
    """Train a model. Repeat the same command to resume an interrupted run.

    Without --epochs, the number of epochs, the batch size and the learning rate are adapted to
    small data sets.
    """
    from pyojeong.cli.train import (
        read_experiment,
        train_folds_with_progress,
        train_with_progress,
    )

    console = _stderr()
    asked: dict[str, Any] = {"epochs": epochs, "lr": lr, "limit": limit, "device": device.value}
    asked["devices"] = devices
    text, options = read_experiment(experiment, start=start, **asked)
    own = (label_map, groups, table, image_column, label_column)
    manifest = _manifest(data, votes, console, *own)
    if folds is not None:
        file, code = train_folds_with_progress(
            text, manifest, runs, console, folds=folds, options=options
        )
        made: Path | None = file
    else:
        made, code = train_with_progress(text, manifest, runs, console, options=options)
    if made is not None:  # torchrun has started several processes, and this is another one
        echo(made)
    raise typer.Exit(code)


@app.command(rich_help_panel=TRAIN)
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    data: DataOption,
    id_: Annotated[
        str, typer.Option("--id", help="Id of the model, for example net-s-data-fer7.v1.")
    ],
    votes: VotesOption = None,
    label_map: MapOption = None,
    groups: GroupsOption = None,
    table: TableOption = None,
    image_column: ImageColumnOption = None,
    label_column: LabelColumnOption = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model files.")] = Path(),
    about: Annotated[
        Path | None,
        typer.Option(
            help="TOML file with fields of the card (description, license, license_flags, source, "
            "limits) and spared: names of ONNX nodes to keep as float in int8."
        ),
    ] = None,
    storage: Annotated[
        Storage,
        typer.Option(
            help="Number format of the weights. int8 is smaller and faster, and is refused if it "
            "loses accuracy; both: int8 and float16."
        ),
    ] = Storage.FLOAT16,
    detector: DetectorOption = "auto",
    threshold: ThresholdOption = None,
) -> None:
    """Export a finished run as an ONNX file with a model card.

    The model is calibrated on the validation split and scored once on the test split.
    """
    from pyojeong.cli.train import export_with_card, read_about

    console = _stderr()
    own = (label_map, groups, table, image_column, label_column)
    manifest = _manifest(data, votes, console, *own)
    words = {**read_about(about), "storage": storage.value, "threshold": threshold}
    raise typer.Exit(
        export_with_card(run, manifest, out, id_, words=words, detector=detector, console=console)
    )


@app.command(rich_help_panel=TRAIN)
def evaluate(
    data: DataOption,
    model: ModelOption = "default",
    votes: VotesOption = None,
    label_map: MapOption = None,
    groups: GroupsOption = None,
    table: TableOption = None,
    image_column: ImageColumnOption = None,
    label_column: LabelColumnOption = None,
    split: Annotated[
        ScoredSplit, typer.Option(help="Split to score. Every use of the test split is recorded.")
    ] = ScoredSplit.VALID,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON file to write.")] = None,
    threads: ThreadsOption = None,
    output: OutputOption = Answers.AUTO,
    prior: PriorOption = None,
    threshold: ThresholdOption = None,
    config: ConfigOption = None,  # noqa: ARG001 - as above
) -> None:
    """Score a model on the cropped faces of a labelled data set, with 95 % confidence intervals."""
    from pyojeong.cli.evaluate import evaluate_split

    console = _stderr()
    own = (label_map, groups, table, image_column, label_column)
    manifest = _manifest(data, votes, console, *own)
    answers = {"output": output.value, "prior": prior, "threshold": threshold}
    answers["threads"] = threads or 2
    raise typer.Exit(
        evaluate_split(model, manifest, split.value, out=out, answers=answers, console=console)
    )


def _fail(error: PyojeongError, code: int) -> NoReturn:
    from pyojeong.cli.console import as_markup

    text = str(error)
    if (cache := sys.modules.get("pyojeong.datasets.cache")) is not None:
        text = cache.as_named(text)  # users know their folder, not the table made of it
    _stderr().print(f"[red]pyojeong:[/] {as_markup(text)}", soft_wrap=True)
    sys.exit(code)


def main(args: list[str] | None = None) -> Any:
    """Run the command line: print the package's own errors as one line, others with traceback."""
    from pyojeong.core.errors import OutputError

    warnings.formatwarning = one_line_warning
    replace_unknown_characters()
    try:
        with stdout_errors():
            app(args, standalone_mode=True)
    except OutputError as error:
        if isinstance(error.__cause__, BrokenPipeError):  # the reader, `head` for example, is done
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        _fail(error, 1)
    except PyojeongError as error:
        _fail(error, 2)
