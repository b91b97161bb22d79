"""Several clips together: one table of all frames, and one row per clip and person."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pyojeong.core.atomic_write import atomic_write, remove_stale
from pyojeong.core.errors import OutputError
from pyojeong.core.face import FrameResult
from pyojeong.core.input_record import earlier_command, earlier_outputs, forget_outputs
from pyojeong.core.labels import LabelSet
from pyojeong.core.output_files import changed_files
from pyojeong.core.output_names import as_unicode
from pyojeong.output.rows import text_line
from pyojeong.output.spreadsheet import MARK, is_marked, open_csv, plain_cell
from pyojeong.output.tables import SINKS, TABLE_READERS
from pyojeong.video.epochs import read_epochs, write_epochs
from pyojeong.video.options import ENDINGS, EPOCHS

PEOPLE = "people.csv"
JOINED = (PEOPLE, *(f"results.{ending}" for ending in ENDINGS.values()), EPOCHS)
"""Names of the tables of several clips."""


def join(
    parts: Sequence[Path | FrameResult],
    out: Path,
    formats: Sequence[str],
    labels: LabelSet,
    *,
    measures: Sequence[str] = (),
    epochs: bool = False,
) -> None:
    """Write ``results.*`` and ``people.csv`` of several clips into one folder.

    CSV is for spreadsheets where that of the clips is.

    Args:
        parts: Folders with finished results of the clips, in order; for a clip that could not be
            read, a row with its error.
        out: Gets the files.
        formats: Tables that every clip has and that are joined.
        labels: The classifier's label set.
        measures: What was measured on request; see ``output.columns.MEASURES``.
        epochs: Write ``epochs.csv`` too, with a column ``clip``.

    Raises:
        OutputError: When a file could not be written.
    """
    folders = [part for part in parts if isinstance(part, Path)]
    excel = "csv" in formats and any(is_marked(part / "results.csv") for part in folders)
    for name in formats:
        file = f"results.{ENDINGS[name]}"
        with SINKS[name](
            out / file, labels=labels, timeline=True, measures=measures, excel=excel
        ) as sink:
            for part in parts:
                frames = [part] if isinstance(part, FrameResult) else _frames(name, part / file)
                for result in frames:
                    sink.write(result)
    if epochs:
        measured = [
            {"clip": as_unicode(part.name), **row}
            for part in folders
            for row in read_epochs(part / EPOCHS)
        ]
        write_epochs(out / EPOCHS, measured, excel=excel)
    rows = [row for part in folders for row in _people(part)]
    names = list(dict.fromkeys(key for row in rows for key in row))
    with atomic_write(out / PEOPLE, "w") as stream:
        stream.write(MARK if excel else "")
        stream.write(text_line(names or ["clip"]))
        for row in rows:
            stream.write(text_line([row.get(name) for name in names], excel=excel))


def _frames(name: str, file: Path) -> Iterable[FrameResult]:
    return TABLE_READERS[name](file)


def joined_clips(out: Path) -> set[str]:
    """Return the folders of the clips that the joined tables in a folder are about."""
    try:
        with open_csv(out / PEOPLE) as (stream, marked):
            clips = {row["clip"] for row in csv.DictReader(stream)}
            return set(map(plain_cell, clips)) if marked else clips
    except (OSError, ValueError, KeyError, csv.Error):
        return set()


def joined_files(out: Path) -> list[str]:
    """Return names of the tables of several clips in a folder.

    Files of these names that ``join`` did not write are the user's.

    Raises:
        OutputError: When one was changed after it was written.
    """
    if earlier_command(out) == "analyze":
        return []
    listed = earlier_outputs(out)
    if listed:
        known = {n: listed[n] for n in JOINED if n in listed and (out / n).exists()}
        changed = changed_files(out, known)
        if changed:
            raise OutputError(
                f"{out / changed[0]}: was changed after it was written and may show people: move "
                "or delete it, then give the command again"
            )
        return list(known)
    try:  # of earlier versions, which did not write down what they wrote
        with open_csv(out / PEOPLE) as (stream, _):
            columns = csv.DictReader(stream).fieldnames or []
    except (OSError, ValueError, csv.Error):
        return []
    ours = {"clip", "track_id", "first_s"} <= set(columns)
    return [name for name in JOINED if ours and (out / name).exists()]


def drop_joined(out: Path) -> list[str]:
    """Delete the tables of several clips in a folder; returns their names.

    Raises:
        OutputError: When one was changed after it was written.
    """
    names = joined_files(out)
    for name in names:
        (out / name).unlink()
    forget_outputs(out, names)
    remove_stale(out)
    return names


def _people(folder: Path) -> list[dict[str, Any]]:
    """Return one flat row per person of a clip."""
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(f"{folder}: its summary.json could not be read ({error})") from error
    rows = []
    for person in summary["people"]:
        shares = {f"share_{name}": value for name, value in person["share"].items()}
        plain = {k: v for k, v in person.items() if k != "share"}
        prior = summary.get("answers", {}).get("prior", "")
        rows.append({"clip": as_unicode(folder.name), **plain, **shares, "prior": prior})
    return rows
