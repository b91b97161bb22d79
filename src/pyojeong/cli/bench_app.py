"""``pyojeong bench ...``: thin commands, as in ``app.py``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyojeong.cli.options import ThreadsOption
from pyojeong.cli.streams import echo

if TYPE_CHECKING:
    from rich.console import Console

bench_app = typer.Typer(
    help="Measure the speed of this installation and the accuracy of models.",
    no_args_is_help=True,
)


def _stderr() -> "Console":
    from pyojeong.cli.console import make_console

    return make_console(stderr=True)


@bench_app.command("speed")
def bench_speed(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Markdown file to write.")] = None,
    rounds: Annotated[int, typer.Option(min=3, help="Number of timed repetitions.")] = 30,
) -> None:
    """Measure the speed of analyze, classify, import and --help on this machine."""
    from pyojeong.core.output_files import require_new
    from pyojeong.speed import measure, to_markdown

    if out is not None:
        require_new(out, unless=lambda data: data.startswith(b"# Speed\n"))  # measured again
    with _stderr().status("measuring"):
        figures = measure(rounds=rounds)
    text = to_markdown(figures)
    if out is not None:
        _write(out, text)
    echo(text)


@bench_app.command("accuracy")
def bench_accuracy(
    data: Annotated[
        Path,
        typer.Option(
            "--data", help="Cropped faces: fer2013.csv, class folders or a .parquet table."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the result files.")],
    votes: Annotated[
        Path | None,
        typer.Option("--votes", help="File of the FER+ votes, fer2013new.csv, joined by row."),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="Model: an id, or the path of a card or ONNX file.")
    ] = "default",
    photographs: Annotated[
        Path | None,
        typer.Option(
            help="Folder of labelled photographs: legend.csv with images/, or class folders."
        ),
    ] = None,
    threads: ThreadsOption = None,
) -> None:
    """Measure a model: accuracy, calibration, views, corruptions, photographs, invariance.

    Takes minutes. Repeat the same command to resume after an interruption. Results on the test
    split are shown only for published models, whose cards already contain them.
    """
    from pyojeong.cli.console import as_markup
    from pyojeong.cli.conversion import manifest_with_progress
    from pyojeong.cli.sums import print_counts
    from pyojeong.core.inputs import InputCounts
    from pyojeong.core.one_writer import one_writer
    from pyojeong.evaluation.accuracy.measuring import measure, require_own_file, write_measured
    from pyojeong.runtime.classifier_names import find_classifier

    console = _stderr()
    file = require_own_file(out, find_classifier(model).card.id)
    manifest = manifest_with_progress(data, votes, console)
    with one_writer(file), console.status("measuring") as status:
        result = measure(
            model,
            manifest,
            photographs=photographs,
            threads=threads or 2,
            say=lambda words: status.update(f"measuring: {as_markup(words)}"),
            keep=out,
        )
        write_measured(result, out)
    echo(file)
    counts = InputCounts.from_dict(result["pictures"])
    raise typer.Exit(print_counts(counts, "pictures", console))


@bench_app.command("page")
def bench_page(
    results: Annotated[Path, typer.Argument(help="Folder of result files of `bench accuracy`.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="File to write: .md for text, .html with plots.")
    ],
) -> None:
    """Write one page that compares the result files of several models."""
    from pyojeong.cli.sums import print_counts
    from pyojeong.core.inputs import InputCounts
    from pyojeong.core.output_files import require_new
    from pyojeong.evaluation.accuracy.measuring import read_measured
    from pyojeong.evaluation.accuracy.page import to_page
    from pyojeong.evaluation.accuracy.tables import to_markdown

    measured = read_measured(results)
    if out.suffix == ".html":
        require_new(out, unless=lambda data: b"pyojeong" in data)  # a page is made again
        to_page(measured).write(out)
    elif out.suffix == ".md":
        require_new(out, unless=lambda data: data.startswith(b"# Accuracy\n"))
        _write(out, to_markdown(measured))
    else:
        raise typer.BadParameter("the page must end in .md or .html", param_hint="--out")
    echo(out)
    print_counts(InputCounts(read=len(measured)), "results", _stderr())


def _write(out: Path, text: str) -> None:
    from pyojeong.core.atomic_write import atomic_write

    with atomic_write(out, "w") as file:
        file.write(text)
