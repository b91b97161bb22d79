"""What commands print of files: short names in tables, and sums in their last line."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from pyojeong.cli.console import as_markup
from pyojeong.core.inputs import InputCounts
from pyojeong.core.json_record import read_record


def print_counts(counts: InputCounts, noun: str, console: Console) -> int:
    """Print one line, such as ``images: 12 given = 9 read + 1 failed + 2 left out (2 hidden)``.

    Returns:
        The exit code: 1 when something failed, else 0.
    """
    console.print(as_markup(f"{noun}: {counts}"), soft_wrap=True, highlight=False)
    return int(counts.failed > 0)


@contextmanager
def saying_what_is_replaced(
    out: Path, command: str, sources: Sequence[Path], console: Console
) -> Iterator[None]:
    """Say, after a data set's table was written, which other one it has replaced."""
    from pyojeong.datasets.manifest_files import made_by, replaced_table

    before = replaced_table(out, made_by(command, sources))
    yield
    if before:
        said = as_markup(f"replaces the table in {out}, made by `pyojeong data {before}`")
        console.print(said, soft_wrap=True)


def print_table_counts(
    table: Path, console: Console, *, left_out: Mapping[str, int] | None = None
) -> int:
    """Print which pictures of a table failed, and its sums; returns the exit code.

    Args:
        table: A data set's table.
        console: Gets the lines.
        left_out: Rows that are not in the table: why -> how many.
    """
    from pyojeong.datasets.picture_files import picture_counts

    counts, why = picture_counts(table, left_out=left_out)
    if why:
        console.print(f"[yellow]failed:[/] {as_markup(why)}", soft_wrap=True)
    return print_counts(counts, "samples", console)


def print_split_counts(table: Path, split: str, read: int, console: Console) -> int:
    """Print the sums of one split, of which so many pictures were read; returns the exit code."""
    from pyojeong.datasets.samples import Split, read_manifest

    given = sum(1 for _ in read_manifest(table, splits=[Split(split)], images=False))
    return print_counts(InputCounts(read=read, failed=given - read), "pictures", console)


PART_OF_A_COMMAND = "PYOJEONG_PART"
"""Environment variable of processes that share the work of one command, which prints the sums."""


def print_run_counts(names: Sequence[str], runs: Path, console: Console) -> int:
    """Print what became of runs, and of the pictures that the finished ones read.

    Args:
        names: Their folders' names.
        runs: Folder of run folders, each with its ``result.json``.
        console: Gets two lines; none in a process that does a part of the work.

    Returns:
        The exit code.
    """
    if os.environ.get(PART_OF_A_COMMAND):
        return 0
    from pyojeong.experiments.result_files import RESULT_CURE

    states, pictures = Counter[str](), InputCounts(read=0)
    for name in names:
        file = runs / name / "result.json"
        if not file.exists():
            states["without a result yet"] += 1  # interrupted, or at work in another process
            continue
        result = read_record(file, cure=RESULT_CURE, keys=["status"])
        states[result["status"]] += 1
        if result["status"] == "finished" and result.get("pictures"):  # older ones lack it
            pictures += InputCounts.from_dict(result["pictures"])
    finished = states.pop("finished", 0)
    unfinished = {"without a result yet": states.pop("without a result yet", 0)}
    counts = InputCounts(read=finished, failed=states.total(), left_out=unfinished)
    code = print_counts(pictures, "pictures, over all finished runs", console)
    return max(code, print_counts(counts, "runs", console))


def short_paths(paths: Sequence[str]) -> dict[str, str]:
    """Return path -> its name, with as many folders before it as tell it from the others."""
    parts = {path: Path(path).parts for path in paths}
    short: dict[str, str] = {}
    left, length = list(parts), 1
    while left:
        endings = {path: parts[path][-length:] for path in left}
        counts = Counter(endings.values())
        for path, ending in endings.items():
            if counts[ending] == 1 or length >= len(parts[path]):
                short[path] = str(Path(*ending)) if ending else path
        left = [path for path in left if path not in short]
        length += 1
    return short
