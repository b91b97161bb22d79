"""Options that several commands share: one meaning, one default and one help text each."""

import functools
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pyojeong.runtime.detection.registry import DEFAULT, DETECTORS


class Format(StrEnum):
    """Tables of results."""

    PARQUET = "parquet"
    CSV = "csv"
    JSON = "json"


class LayoutName(StrEnum):
    """Layouts of other tools; docs/layouts.md."""

    OPENFACE = "openface"
    PYFEAT = "pyfeat"
    FACEREADER = "facereader"


class DeviceName(StrEnum):
    """Where networks run."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    COREML = "coreml"
    DIRECTML = "directml"


class TrainingDevice(StrEnum):
    """Where networks are trained."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class LabelSetName(StrEnum):
    """Label sets of answers."""

    FER7 = "fer7"
    FERPLUS8 = "ferplus8"


class Measure(StrEnum):
    """What is measured on request."""

    ACTION_UNITS = "action-units"
    BLENDSHAPES = "blendshapes"


class Answers(StrEnum):
    """Which output of a model answers."""

    AUTO = "auto"
    LABELS = "labels"
    FER2013 = "fer2013"


class Language(StrEnum):
    """Languages of pages and reports."""

    EN = "en"
    KO = "ko"


class Engine(StrEnum):
    """What does the work of a command."""

    LOCAL = "local"
    RAY = "ray"


class Views(StrEnum):
    """How many views of each face are averaged."""

    ONE = "1"
    TWO = "2"
    TEN = "10"


class ScoredSplit(StrEnum):
    """Splits that models are scored on."""

    VALID = "valid"
    TEST = "test"


DetectorOption = Annotated[
    str,
    typer.Option(
        "--detector",
        "-d",
        help=f"auto ({DEFAULT}), {', '.join(DETECTORS.own[1:])}, or that of another package.",
    ),
]
ModelOption = Annotated[
    str, typer.Option("--model", "-m", help="Model id, card or ONNX file; see `pyojeong models`.")
]
MinFaceOption = Annotated[
    int | None, typer.Option("--min-face", min=8, help="Smallest face, shorter side in pixels.")
]
FastOption = Annotated[
    bool,
    typer.Option(
        "--fast",
        help="Look at a small copy only: twice as fast, misses most faces narrower than a seventh "
        "of the image (72 of 512 pixels).",
    ),
]
AnyRotationOption = Annotated[
    bool,
    typer.Option(
        "--any-rotation", help="Also find faces on their side and upside down; four times as slow."
    ),
]
AllowOption = Annotated[
    str | None,
    typer.Option(
        "--allow", help="Licence flags that the model may carry, comma between; data:* too."
    ),
]
JobsOption = Annotated[
    int,
    typer.Option("--jobs", "-j", min=1, help="Images or frames read in parallel (threads)."),
]
ProcessesOption = Annotated[
    int,
    typer.Option(
        "--processes", "--jobs", "-j", min=1, help="Processes that share the work, one thread each."
    ),
]
JOBS = 2
"""Default of both."""

ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        help="Threads inside each network. Default: the CPUs, at most 4; fewer with --jobs.",
    ),
]
ViewsOption = Annotated[
    Views,
    typer.Option("--views", help="Views of each face that are averaged; slower and steadier."),
]
_DEVICE = (
    "Where networks run; auto: the best that is offered here. Only the CPU gives the same results "
    "to the last bit."
)
DeviceOption = Annotated[
    DeviceName,
    typer.Option(
        "--device",
        help=_DEVICE,
    ),
]
TrainingDeviceOption = Annotated[
    TrainingDevice,
    typer.Option(
        "--device",
        help=_DEVICE,
    ),
]
DevicesOption = Annotated[
    int | None,
    typer.Option(
        "--devices",
        min=1,
        help="Processes that share every batch of a training, one device each. Default: 1, or as "
        "the run was begun.",
    ),
]
RemoteOption = Annotated[
    bool,
    typer.Option(
        "--remote",
        help="Read addresses (s3://, gs://, https:// ...) too: a file, a folder/ or a pattern.",
    ),
]
FormatOption = Annotated[
    list[Format] | None,
    typer.Option("--format", "-f", help="Tables to write; several times for several."),
]
LayoutOption = Annotated[
    list[LayoutName] | None,
    typer.Option(
        "--layout",
        help="Also write the results in the layout of another tool, beside the tables; several "
        "times for several. facereader: clips only, one file a person.",
    ),
]
EyesOption = Annotated[
    bool | None,
    typer.Option(
        "--eyes/--no-eyes",
        help="Head pose, eyes and gaze. Default: on for clips and the webcam, off for photographs.",
    ),
]
ActionUnitsOption = Annotated[
    bool,
    typer.Option(
        "--action-units", help="Intensities of 18 facial action units, with head pose and eyes."
    ),
]
MeasureOption = Annotated[
    list[Measure] | None,
    typer.Option("--measure", help="Further measures as columns; several times for several."),
]


def measures_named(measures: Sequence[Measure] | None, *, action_units: bool) -> tuple[str, ...]:
    """Return the measures that were asked for, as ``Analyzer`` names them, in a fixed order."""
    wanted = {*(measures or ()), *([Measure.ACTION_UNITS] if action_units else [])}
    return tuple(each.value.replace("-", "_") for each in Measure if each in wanted)


ExcelOption = Annotated[
    bool,
    typer.Option(
        "--excel", help="CSV that Excel opens right: marked as UTF-8, and no text is a formula."
    ),
]


LangOption = Annotated[
    Language,
    typer.Option("--lang", help="Language of the page or report; tables are the same in both."),
]


def formats_for_excel(formats: Sequence[str] | None) -> list[str]:
    """Return the formats with --excel: CSV where none was named.

    Raises:
        typer.BadParameter: When formats were named without CSV.
    """
    if formats and "csv" not in formats:
        raise typer.BadParameter("--excel is for CSV tables: add --format csv")
    return list(formats or ["csv"])


DataOption = Annotated[
    Path,
    typer.Option("--data", help="fer2013.csv (.gz, .xz), folders of images or a .parquet table."),
]
VotesOption = Annotated[
    Path | None, typer.Option("--votes", help="FER+'s fer2013new.csv, joined by row.")
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map", help="NAME=LABEL: a class by another name; NAME=skip leaves it out. Repeatable."
    ),
]
GroupsOption = Annotated[
    str | None,
    typer.Option(
        "--groups",
        help=r"What names the person: a regex with one group, as '^(.*?)_\d+', or a column.",
    ),
]
TableOption = Annotated[
    Path | None,
    typer.Option("--table", help="CSV of images and labels for a folder of pictures."),
]
ImageColumnOption = Annotated[
    str | None,
    typer.Option("--image-column", help="Its column of file names, relative to the folder."),
]
LabelColumnOption = Annotated[
    str | None, typer.Option("--label-column", help="Its column of labels.")
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="Only the first training samples (a trial).")
]
EpochsOption = Annotated[
    int | None, typer.Option("--epochs", min=1, help="Instead of the recipe's, exactly so many.")
]
LearningRateOption = Annotated[
    float | None, typer.Option("--lr", help="Peak learning rate, instead of the recipe's.")
]
SmoothOption = Annotated[
    float | None,
    typer.Option(
        "--smooth",
        help="Seconds over which scores are averaged: standard deviation of a Gaussian (clips; "
        "default none), time constant (webcam; default 0.25).",
    ),
]
PriorOption = Annotated[
    str | None,
    typer.Option(
        "--prior",
        help="Base rates that answers assume: natural, between, balanced (posed or selected sets), "
        "or a share for each label: angry=0.1,happy=0.3,... Default: the model's (bundled ones: "
        "between).",
    ),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        min=0,
        max=1,
        help="Best scores below it are unclear; 0: always answer. Default: the model's.",
    ),
]
LabelsOption = Annotated[
    LabelSetName | None,
    typer.Option("--labels", help="fer7, or ferplus8 (also contempt). Default: the model's."),
]
OutputOption = Annotated[
    Answers,
    typer.Option(
        "--output",
        help="auto: what analyze answers (shares of votes, if the model has them); labels: the "
        "label that the model's training data would give (fer2013: the same, of bundled models).",
    ),
]


ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        help="INDEX/COUNT, as 2/8: read this share of the inputs only; join with pyojeong merge.",
    ),
]
EngineOption = Annotated[
    Engine,
    typer.Option("--engine", help="local: this process; ray: --jobs workers of Ray, one CPU each."),
]
AddressOption = Annotated[
    str | None,
    typer.Option("--address", help="Of a Ray cluster that is running. Default: this machine."),
]
ObjectStoreOption = Annotated[
    int | None,
    typer.Option(
        "--object-store-mb", min=1, help="Ray's object store on this machine. Default: 256."
    ),
]


def deprecated_alias(command: Callable[..., None], old: str, new: str) -> Callable[..., None]:
    """Return a command under its earlier name; it says in one line what to use instead."""

    @functools.wraps(command)
    def alias(*args: object, **kwargs: object) -> None:
        typer.echo(f"pyojeong {old} is deprecated: use pyojeong {new}", err=True)
        command(*args, **kwargs)

    return alias


FAST_MISSES = (
    "--fast looked at small copies: it misses most faces narrower than a seventh of the image"
)


def detector_named(detector: str, *, fast: bool) -> str:
    """Return the detector that the options ask for.

    Raises:
        typer.BadParameter: When they contradict each other.
    """
    if fast and detector not in {"auto", "fast"}:
        raise typer.BadParameter(
            f"--fast is a detector of its own: leave --detector {detector} out"
        )
    return "fast" if fast else detector
