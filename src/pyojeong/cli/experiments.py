"""``pyojeong experiments ...``: progress and tables; torch is imported only to train."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from pyojeong.cli.bars import bars
from pyojeong.cli.console import as_markup, make_console
from pyojeong.cli.sums import PART_OF_A_COMMAND, print_counts, print_run_counts
from pyojeong.core.errors import ExperimentError, MissingExtra
from pyojeong.core.inputs import InputCounts
from pyojeong.core.json_record import write_record
from pyojeong.core.output_files import require_new
from pyojeong.core.printable import printable

if TYPE_CHECKING:
    from pyojeong.experiments.catalogue import Catalogue, Planned


@contextmanager
def needs_training() -> Iterator[None]:
    """Turn a failed import inside into an error that names the extra ``train``."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtra("training", "train") from error


def open_catalogue(folder: Path) -> "Catalogue":
    """Return the experiments of a folder."""
    with needs_training():  # writes TOML, which the base install cannot
        from pyojeong.experiments.catalogue import Catalogue
    return Catalogue(folder)


def list_experiments(folder: Path, runs: Path, names: Sequence[str]) -> None:
    """Print every experiment with the state of its runs.

    Raises:
        ExperimentError: When the folder is missing or a name matches nothing.
    """
    catalogue = open_catalogue(folder)
    chosen = catalogue.matching(names) if names else catalogue.names
    table = Table("experiment", "done", "runs", box=None, header_style="bold", pad_edge=False)
    for name in chosen:
        states = [(plan, *_state(runs / plan.name)) for plan in catalogue.plan(name)]
        done = sum(over for _, over, _ in states)
        words = (
            f"s{plan.seed} {said}" if len(states) > 1 else said for plan, _, said in states if said
        )
        table.add_row(as_markup(name), f"{done} / {len(states)}", as_markup(", ".join(words)))
    console = make_console()
    if not console.is_terminal:
        console.width = 400  # a file or a pipe has no edge
    console.print(table)


def _state(folder: Path) -> tuple[bool, str]:
    """Return whether a run is over, and what there is to say of it."""
    from pyojeong.experiments.result_files import read_run_result

    try:
        if (folder / "result.json").exists():
            result = read_run_result(folder)
            if result["status"] != "finished":
                return True, str(result["status"])
            return True, f"{100 * result['valid']['accuracy']['value']:.1f} %"
    except (OSError, ValueError, KeyError, TypeError):
        return True, "result.json is damaged or of another run"
    try:
        lines = (folder / "curves.jsonl").read_text(encoding="utf-8").split("\n")
    except OSError:
        return False, "begun" if (folder / "experiment.toml").exists() else ""
    for line in reversed(lines[:-1]):  # after the last line end lies nothing, or half a line
        try:
            row = json.loads(line)
            return False, f"epoch {row['epoch'] + 1} of {row['epochs']}"
        except (ValueError, KeyError, TypeError):
            continue
    return False, "begun"


def run_named(  # noqa: PLR0913 - one for every option of the command
    folder: Path,
    names: Sequence[str],
    manifest: Path,
    runs: Path,
    console: Console,
    *,
    seeds: Sequence[int] | None = None,
    keep: Path | None = None,
    jobs: int = 1,
    again: bool = False,
    logger: str | None = None,
    epochs: int | None = None,
    lr: float | None = None,
    limit: int | None = None,
    device: str = "auto",
    devices: int | None = None,
) -> int:
    """Train and measure experiments; returns 0, or 1 when a run failed.

    Raises:
        ExperimentError: When a name matches nothing.
        MissingExtra: When torch is not installed.
    """
    catalogue = open_catalogue(folder)
    chosen = catalogue.matching(names)
    _keep_truth(manifest, keep or runs, console)
    planned = [
        plan for name in chosen for plan in catalogue.plan(name, seeds=seeds, epochs=epochs, lr=lr)
    ]
    jobs = min(jobs, len(planned))  # a single run gets all threads
    if jobs > 1:
        arguments = ["run", *chosen, "--data", str(manifest), "--folder", str(folder)]
        arguments += ["--runs", str(runs), *_given("--keep", keep), *_given("--log", logger)]
        arguments += [*_given("--epochs", epochs), *_given("--lr", lr), *_given("--limit", limit)]
        arguments += [] if device == "auto" else ["--device", device]
        arguments += [] if devices is None else ["--devices", str(devices)]
        for seed in seeds or ():
            arguments += ["--seed", str(seed)]
        code = _in_processes([*arguments, *(["--again"] if again else [])], jobs)
        return max(code, print_run_counts([plan.name for plan in planned], runs, console))
    with needs_training():
        from pyojeong.training.data_size import MIN_STEPS
    options = {"keep": keep, "again": again, "logger": logger, "limit": limit, "device": device}
    options["devices"] = devices
    options["min_steps"] = MIN_STEPS if epochs is None else 0
    code = _run(planned, manifest, runs, console, options)
    return max(code, print_run_counts([plan.name for plan in planned], runs, console))


def resume_all(
    manifest: Path, runs: Path, console: Console, *, keep: Path | None = None, jobs: int = 1
) -> int:
    """Continue every run without a result; returns 0, or 1 when one failed.

    Raises:
        ExperimentError: When the folder of runs is missing.
        MissingExtra: When torch is not installed.
    """
    if not runs.is_dir():
        raise ExperimentError(f"{runs} is not a folder of runs: nothing was begun there")
    with needs_training():
        from pyojeong.experiments.runner import unfinished
    planned = unfinished(runs)
    if not planned:
        console.print(f"every run in {as_markup(runs)} has its result")
        return 0
    jobs = min(jobs, len(planned))
    if jobs > 1:
        arguments = ["resume", "--data", str(manifest), "--runs", str(runs)]
        code = _in_processes([*arguments, *_given("--keep", keep)], jobs)
        return max(code, print_run_counts([plan.name for plan in planned], runs, console))
    code = _run(planned, manifest, runs, console, {"keep": keep})
    return max(code, print_run_counts([plan.name for plan in planned], runs, console))


def _given(option: str, value: object) -> list[str]:
    return [] if value is None else [option, str(value)]


def _keep_truth(manifest: Path, folder: Path, console: Console) -> None:
    """Keep the labels beside the results, so that runs can be compared image by image."""
    from pyojeong.experiments.reference_labels import TRUTH_FILE, write_truth

    if (folder / TRUTH_FILE).exists():
        return
    try:
        write_truth(manifest, folder)
    except ExperimentError as error:  # a folder of older results is no reason not to train
        console.print(f"no {TRUTH_FILE}: {as_markup(error)}", soft_wrap=True)


def _in_processes(arguments: list[str], jobs: int) -> int:
    with needs_training():
        from pyojeong.experiments.runner import in_processes
    # Bars and sums of several processes would overlap.
    changed = {"OMP_NUM_THREADS": "1", "TERM": "dumb", PART_OF_A_COMMAND: "1"}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        return in_processes(["experiments", *arguments], jobs)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _run(
    planned: "Sequence[Planned]",
    manifest: Path,
    runs: Path,
    console: Console,
    options: dict[str, Any],
) -> int:
    """Return one bar over the current run's epochs, one line per finished run."""
    with needs_training():
        from pyojeong.experiments.runner import RunOptions, run_all
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with bars(console, *columns, TimeRemainingColumn(), transient=True) as progress:
        task = progress.add_task("preparing", total=None)
        current = ""

        def show(plan: "Planned", line: dict[str, Any]) -> None:
            nonlocal current
            if plan.name != current:
                current = plan.name
                progress.reset(task, total=line["epochs"])
            at = next(i for i, p in enumerate(planned) if p.name == plan.name)
            said = f"{printable(plan.name)} ({at + 1} of {len(planned)})"
            progress.update(task, completed=line["epoch"] + 1, description=said)

        def say(words: str) -> None:
            console.print(as_markup(words), soft_wrap=True)
            progress.reset(task, total=None, description="preparing")

        def go(plans: "Sequence[Planned]") -> list[dict[str, Any]]:
            return run_all(
                plans, manifest, runs, options=RunOptions(**options), say=say, progress=show
            )

        results = go(planned)
        # What another process had is looked at once more: that process may have been killed.
        over = {result["name"] for result in results}
        left = [plan for plan in planned if plan.name not in over]
        results += go(left) if left else []
    return int(any(result["status"] != "finished" for result in results))


def show_table(results: Path, only: Sequence[str], format_: str | None, out: Path | None) -> None:
    """Print the table of results, or write it to a file.

    Args:
        results: Folder of results.
        only: Names or folders; all.
        format_: "terminal", "markdown", "csv"; None = terminal on a terminal, else markdown.
        out: File; None = stdout.

    Raises:
        ExperimentError: When the folder is missing, a file is damaged or a name matches nothing.
    """
    from pyojeong.experiments.result_table import to_csv, to_markdown
    from pyojeong.experiments.results import APART, over_seeds, sort_by

    rows = sort_by(_rows(results, only), "accuracy")
    format_ = format_ or ("terminal" if out is None and sys.stdout.isatty() else "markdown")
    if format_ == "terminal":
        text = _terminal_table(rows)
    elif format_ == "csv":
        text = to_csv(sort_by(rows, "name"))
    else:
        text = to_markdown(rows)
        every = over_seeds(rows)
        means = [row for row in every if row.runs > 1]
        if means:
            text += "\nMeans over seeds:\n\n" + to_markdown(sort_by(means, "accuracy"))
        apart = dict.fromkeys(row.name for row in every if row.reason == APART)
        if apart:
            text += f"\nNot averaged ({APART}): {', '.join(apart)}.\n"
    if out is None:
        print(text, end="")  # noqa: T201 - this is the command's data
        return
    from pyojeong.core.atomic_write import atomic_write

    require_new(out, unless=lambda data: data.lstrip().startswith(b"|"))  # a table is made again
    with atomic_write(out, "w") as file:
        file.write(text)


_IN_TERMINAL = ("name", "accuracy", "95 % interval", "ECE", "params", "seed")


def _terminal_table(rows: Sequence[Any]) -> str:
    """Return the main columns as text of 80 characters a line, names cut at the left."""
    from pyojeong.experiments.result_table import COLUMNS, is_number

    table = Table(box=None, header_style="bold", pad_edge=False)
    shown = [next(c for c in COLUMNS if c.heading == heading) for heading in _IN_TERMINAL]
    for column in shown:
        heading = column.heading.replace(" interval", "")
        table.add_column(heading, justify="right" if is_number(column) else "left", no_wrap=True)
    for row in rows:
        cells = [as_markup(column.words(row)) for column in shown]
        name = row.name if len(row.name) <= _LONGEST_NAME else "…" + row.name[1 - _LONGEST_NAME :]
        table.add_row(as_markup(name), *cells[1:])
    with (console := make_console(width=80)).capture() as printed:
        console.print(table)
        console.print("Settings and the other columns: --format markdown or csv")
    return printed.get()


_LONGEST_NAME = 33


def _rows(results: Path, only: Sequence[str]) -> list[Any]:
    from pyojeong.experiments.result_files import read_results
    from pyojeong.experiments.results import matching_results, read_costs, row_of

    costs = read_costs(results) if results.is_dir() else None
    return [row_of(result, costs) for result in matching_results(read_results(results), only)]


def write_report(results: Path, only: Sequence[str], out: Path) -> Path:
    """Write the page; costs and labels are taken from beside the results when they are there.

    Raises:
        ExperimentError: When there are no results, or a name matches nothing.
    """
    from pyojeong.experiments.reference_labels import read_truth
    from pyojeong.experiments.result_files import read_results
    from pyojeong.experiments.results import matching_results, read_costs
    from pyojeong.experiments.results_page import write_page

    found = matching_results(read_results(results), only)
    require_new(out, unless=lambda data: b"pyojeong" in data)  # a page is made again
    return write_page(found, out, costs=read_costs(results), truth=read_truth(results))


def score_test_once(
    run: Path, manifest: Path, console: Console, *, keep: Path | None = None
) -> int:
    """Score a run on the test split, once, and print the figures; returns the exit code.

    Raises:
        ExperimentError: When the run is unfinished, failed, or was scored before.
    """
    with needs_training():
        from pyojeong.experiments.score_test import score_test
    result = score_test(run, manifest, keep=keep)
    for split in ("valid", "test"):
        figures = result[split]
        for name in ("accuracy", "balanced_accuracy", "macro_f1"):
            value = "{value:.4f}  [{low:.4f}, {high:.4f}]".format(**figures[name])
            console.print(as_markup(f"{split:>5} {name:>18} {value}"))
    print(result["test"]["accuracy"]["value"])  # noqa: T201 - this is the command's data
    # A split with pictures that could not be decoded is refused: all were read.
    return print_counts(InputCounts(read=result["test"]["n"]), "pictures", console)


def time_nets(results: Path, out: Path, console: Console, *, rounds: int) -> None:
    """Time the nets of all results and write ``costs.json``.

    Raises:
        ExperimentError: When there are no results.
    """
    from pyojeong.experiments.result_files import read_results

    require_new(out, unless=lambda data: b'"nets"' in data)
    found = read_results(results)
    if not any(result["status"] == "finished" for result in found):
        raise ExperimentError(f"{results} holds no finished run: there is nothing to time")
    with needs_training():
        from pyojeong.experiments import timing
    with console.status("timing") as status:
        costs = timing.time_nets(
            found, rounds=rounds, say=lambda words: status.update(as_markup(words))
        )
    require_new(out, unless=lambda data: b'"nets"' in data)
    write_record(out, costs, indent=1)
    console.print(f"timed {len(costs['nets'])} nets; wrote {as_markup(out)}", soft_wrap=True)


def pack_run(run: Path, out: Path) -> Path:
    """Copy a finished run with its weights alone; see ``training.packing``."""
    with needs_training():
        from pyojeong.training.packing import pack
        from pyojeong.training.run import Run
    return pack(Run(run), out)
