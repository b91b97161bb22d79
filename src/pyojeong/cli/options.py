"""Options that several commands share: one meaning, one default and one help text each."""

import functools
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated

import typer

from pyojeong.runtime.detection.registry import DEFAULT, DETECTORS


class Format(StrEnum):
    """File formats of result tables."""

    PARQUET = "parquet"
    CSV = "csv"
    JSON = "json"


class LayoutName(StrEnum):
    """Layouts of other tools; see docs/layouts.md."""

    OPENFACE = "openface"
    PYFEAT = "pyfeat"
    FACEREADER = "facereader"


class DeviceName(StrEnum):
    """Devices that networks run on."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    COREML = "coreml"
    DIRECTML = "directml"


class TrainingDevice(StrEnum):
    """Devices that networks are trained on."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"


class LabelSetName(StrEnum):
    """Label sets of results."""

    FER7 = "fer7"
    FERPLUS8 = "ferplus8"


class Measure(StrEnum):
    """Optional measures."""

    ACTION_UNITS = "action-units"
    BLENDSHAPES = "blendshapes"


class Answers(StrEnum):
    """Outputs of a model."""

    AUTO = "auto"
    LABELS = "labels"
    FER2013 = "fer2013"


class Language(StrEnum):
    """Languages of pages and reports."""

    EN = "en"
    KO = "ko"


class Engine(StrEnum):
    """How a command distributes its work."""

    LOCAL = "local"
    RAY = "ray"


class Views(StrEnum):
    """Number of views of each face that are averaged."""

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
        help=f"Face detector: auto ({DEFAULT}), {', '.join(DETECTORS.own[1:])}, or one that "
        "another package adds.",
    ),
]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="Model: an id, or the path of a card or ONNX file. `pyojeong models` lists the ids.",
    ),
]
MinFaceOption = Annotated[
    int | None,
    typer.Option(
        "--min-face", min=8, help="Smallest face to report: shorter side of its box, in pixels."
    ),
]
FastOption = Annotated[
    bool,
    typer.Option(
        "--fast",
        help="Search only a small copy of the image: twice as fast, but misses most faces narrower "
        "than a seventh of the image (72 of 512 pixels).",
    ),
]
AnyRotationOption = Annotated[
    bool,
    typer.Option(
        "--any-rotation",
        help="Also find faces that are sideways or upside down; takes four times as long.",
    ),
]
AllowOption = Annotated[
    str | None,
    typer.Option(
        "--allow",
        help="Licence flags that the model may carry, separated by commas; patterns such as data:* "
        "are allowed.",
    ),
]
JobsOption = Annotated[
    int,
    typer.Option(
        "--jobs", "-j", min=1, help="Number of threads that process images or frames in parallel."
    ),
]
ProcessesOption = Annotated[
    int,
    typer.Option(
        "--processes",
        "--jobs",
        "-j",
        min=1,
        help="Number of processes that share the work, one thread each.",
    ),
]
JOBS = 2
"""Default of ``--jobs`` and ``--processes``."""

ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        help="Number of threads inside each network. Default: the number of CPUs, at most 4, or 1 "
        "if --jobs is more than 1; evaluate and bench accuracy: 2.",
    ),
]
ViewsOption = Annotated[
    Views,
    typer.Option(
        "--views",
        help="Number of views of each face to average: more are more accurate and slower.",
    ),
]
_DEVICE = (
    "Device that networks run on; auto: the best one available. Results are identical to the last "
    "bit only on the CPU."
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
        help="Number of processes that share each training batch, one device each. Default: 1, or "
        "the number that an unfinished run was started with.",
    ),
]
RemoteOption = Annotated[
    bool,
    typer.Option(
        "--remote",
        help="Also read remote addresses (s3://, gs://, https:// ...): a file, a folder that ends "
        "in /, or a pattern.",
    ),
]
FormatOption = Annotated[
    list[Format] | None,
    typer.Option(
        "--format", "-f", help="Table format to write. Repeat the option for more than one."
    ),
]
LayoutOption = Annotated[
    list[LayoutName] | None,
    typer.Option(
        "--layout",
        help="Also write the results in the layout of another tool, next to the tables. Repeat the "
        "option for more than one. facereader: clips only, one file per person.",
    ),
]
EyesOption = Annotated[
    bool | None,
    typer.Option(
        "--eyes/--no-eyes",
        help="Measure head pose, eyes and gaze. Default: on for clips and the webcam, off for "
        "photographs and the server.",
    ),
]
ActionUnitsOption = Annotated[
    bool,
    typer.Option(
        "--action-units",
        help="Measure the intensities of 18 facial action units, and head pose, eyes and gaze.",
    ),
]
MeasureOption = Annotated[
    list[Measure] | None,
    typer.Option(
        "--measure",
        help="Additional measure to include in the results. Repeat the option for more than one.",
    ),
]


def measures_named(measures: Sequence[Measure] | None, *, action_units: bool) -> tuple[str, ...]:
    """Return the requested measures by their names in ``Analyzer``, in a fixed order."""
    wanted = {*(measures or ()), *([Measure.ACTION_UNITS] if action_units else [])}
    return tuple(each.value.replace("-", "_") for each in Measure if each in wanted)


ExcelOption = Annotated[
    bool,
    typer.Option(
        "--excel",
        help="Write CSV for Excel: with a UTF-8 byte order mark, and with formulas neutralised.",
    ),
]


LangOption = Annotated[
    Language,
    typer.Option(
        "--lang", help="Language of the page or report. Tables are the same in both languages."
    ),
]


def formats_for_excel(formats: Sequence[str] | None) -> list[str]:
    """Return the table formats to write with --excel: CSV if none is given.

    Raises:
        typer.BadParameter: When formats are given and CSV is not among them.
    """
    if formats and "csv" not in formats:
        raise typer.BadParameter("--excel is for CSV tables: add --format csv")
    return list(formats or ["csv"])


SmoothOption = Annotated[
    float | None,
    typer.Option(
        "--smooth",
        help="Smooth the scores over time, in seconds: standard deviation of a Gaussian for clips "
        "(default: no smoothing), time constant for the webcam (default: 0.25).",
    ),
]
PriorOption = Annotated[
    str | None,
    typer.Option(
        "--prior",
        help="Base rates that the scores assume: natural, between, balanced (for posed or selected "
        "sets), or a share for each label: angry=0.1,happy=0.3,... Default: the base rates of the "
        "model (bundled models: between).",
    ),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        min=0,
        max=1,
        help="Report a face as unclear if its best score is below this; 0: always give a label. "
        "Default: the threshold of the model.",
    ),
]
LabelsOption = Annotated[
    LabelSetName | None,
    typer.Option(
        "--labels",
        help="Label set: fer7, or ferplus8 (also contempt). Default: fer7, or the label set of a "
        "model with other labels.",
    ),
]
OutputOption = Annotated[
    Answers,
    typer.Option(
        "--output",
        help="Output of the model. auto: the one that analyze uses (shares of votes, if the model "
        "has them); labels: the label in the model's training data (fer2013: for bundled models).",
    ),
]


ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        help="INDEX/COUNT, such as 2/8: read only this share of the inputs. Join the results with "
        "pyojeong merge.",
    ),
]
EngineOption = Annotated[
    Engine,
    typer.Option(
        "--engine",
        help="How work is distributed. local: on this machine; ray: to --jobs Ray workers, one CPU "
        "each.",
    ),
]
AddressOption = Annotated[
    str | None,
    typer.Option("--address", help="Address of a running Ray cluster. Default: this machine."),
]
ObjectStoreOption = Annotated[
    int | None,
    typer.Option(
        "--object-store-mb",
        min=1,
        help="Size of Ray's object store on this machine, in MB. Default: 256.",
    ),
]


def deprecated_alias(command: Callable[..., None], old: str, new: str) -> Callable[..., None]:
    """Return a command under its earlier name, which prints the name to use instead."""

    @functools.wraps(command)
    def alias(*args: object, **kwargs: object) -> None:
        typer.echo(f"pyojeong {old} is deprecated: use pyojeong {new}", err=True)
        command(*args, **kwargs)

    return alias


FAST_MISSES = (
    "--fast looked at small copies: it misses most faces narrower than a seventh of the image"
)


def detector_named(detector: str, *, fast: bool) -> str:
    """Return the name of the detector that the options select.

    Raises:
        typer.BadParameter: When the options contradict each other.
    """
    if fast and detector not in {"auto", "fast"}:
        raise typer.BadParameter(
            f"--fast is a detector of its own: leave --detector {detector} out"
        )
    return "fast" if fast else detector
