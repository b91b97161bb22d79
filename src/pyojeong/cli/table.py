"""``pyojeong table convert``: find the table, choose the output files, print notes."""

import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pyojeong.cli.console import as_markup
from pyojeong.cli.streams import echo
from pyojeong.cli.study import SETTINGS
from pyojeong.core.errors import DataError, OutputError
from pyojeong.core.input_record import INPUTS, earlier_outputs
from pyojeong.output.layouts.facereader import is_log
from pyojeong.output.layouts.registry import layout_named
from pyojeong.output.layouts.writing import write_layout
from pyojeong.output.records import read_table
from pyojeong.video.finished import earlier_results, require_no_redaction
from pyojeong.video.options import DONE

_TABLES = ("results.jsonl", "results.parquet", "results.csv")
"""Tables of a folder, the one that keeps most first."""


def convert_results(
    results: Path, layout: str, out: Path | None, *, overwrite: bool, console: Console
) -> None:
    """Write results in a layout; see ``pyojeong table convert --help``.

    Raises:
        DataError: When there is no table of results, or the layout has no place for them.
        OutputError: When a file is there already, or could not be written, or people were being
            taken out of the results when that was interrupted.
    """
    table = _table(results)
    if _of_clip(table):  # people may be half out of it
        require_no_redaction(table.parent, earlier_results(table.parent))
    target = _target(results, layout, out)
    _refuse_results(target)

    def refuse_existing(files: Sequence[Path]) -> None:
        for file in files:
            _refuse_inputs(file, table)
        there = [*(file for file in files if file.exists()), *_of_others(layout, target, files)]
        if there and not overwrite:
            more = f" and {len(there) - 1:,} more" if len(there) > 1 else ""
            raise OutputError(
                f"{there[0]}{more} is there already: add --overwrite, or name another place with "
                "--out"
            )

    written = write_layout(
        layout, lambda: read_table(table), target, clip=_of_clip(table), may_replace=refuse_existing
    )
    for file in _of_others(layout, target, written.files):  # --overwrite was given
        file.unlink()
        console.print(f"removed, of an earlier conversion: {as_markup(file)}", soft_wrap=True)
    for note in written.notes:
        console.print(f"[yellow]note[/] {as_markup(note)}", soft_wrap=True)
    for file in written.files:
        echo(file)


def _table(results: Path) -> Path:
    if not results.is_dir():
        if not results.exists():
            raise DataError(f"{results}: no such file or folder")
        return results
    found = next((results / name for name in _TABLES if (results / name).is_file()), None)
    if found is None:
        raise DataError(
            f"{results}: holds no {', '.join(_TABLES)}; results of --aggregate keep no rows: name "
            "the folder of a clip, a folder of `pyojeong analyze`, or a table"
        )
    return found


def _of_clip(table: Path) -> bool | None:
    """Return whether a table lies in the folder of a clip; None = its rows say."""
    return True if (table.parent / DONE).is_file() else None


def _target(results: Path, layout: str, out: Path | None) -> Path:
    """Return the file: by default beside the folder of results, or beside a table of its own."""
    ending = f"{layout}{layout_named(layout).ending}"
    folder = results if results.is_dir() else results.parent
    whole = results.is_dir() or _is_of_results(folder)
    named = folder.resolve() if whole else results
    name = f"{named.name if whole else named.stem}.{ending}"
    if out is None:
        return named.parent / name
    return out / name if out.is_dir() else out


def _is_of_results(folder: Path) -> bool:
    return (folder / DONE).is_file() or (folder / INPUTS).is_file()


def _refuse_results(target: Path) -> None:
    """Refuse the folder of a clip: who is taken out of its results must be gone from all files."""
    if (target.parent / DONE).is_file():
        raise OutputError(
            f"{target.parent} holds results, which are a complete set: name another place with "
            "--out, or give --layout to the command that makes the results"
        )


def _refuse_inputs(file: Path, table: Path) -> None:
    """Refuse to replace the table that is read, and results that a command wrote down.

    Raises:
        OutputError: When the file is one of these.
    """
    if file.exists() and file.samefile(table):
        raise OutputError(f"{file} is the table that is converted: name another place with --out")
    written = {INPUTS, SETTINGS, *earlier_outputs(file.parent)}
    if _is_of_results(file.parent) and file.name in written:
        raise OutputError(
            f"{file} belongs to the results in {file.parent}: name another place with --out"
        )


def _of_others(layout: str, target: Path, files: Sequence[Path]) -> list[Path]:
    """Return files of an earlier conversion of people who are no longer in the results."""
    if not layout_named(layout).of_person or not target.parent.is_dir():
        return []
    person = re.compile(f"{re.escape(target.stem)}_(person[0-9]+|nobody){re.escape(target.suffix)}")
    found = [path for path in target.parent.iterdir() if person.fullmatch(path.name)]
    names = {file.name for file in files}
    return sorted(path for path in found if path.name not in names and is_log(path))
