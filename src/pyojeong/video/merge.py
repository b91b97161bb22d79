"""Several clips together: one table of all frames, and one row per clip and person."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.errors import OutputError
from pyojeong.core.labels import LabelSet
from pyojeong.output.tables import SINKS, TABLE_READERS
from pyojeong.video.options import ENDINGS

PEOPLE = "people.csv"


def join(folders: Sequence[Path], out: Path, formats: Sequence[str], labels: LabelSet) -> None:
    """Write ``results.*`` and ``people.csv`` of several clips into one folder.

    Args:
        folders: Finished results of the clips, in order.
        out: Gets the files.
        formats: Tables that every clip has and that are joined.
        labels: The classifier's label set.

    Raises:
        OutputError: When a file could not be written.
    """
    for name in formats:
        file = f"results.{ENDINGS[name]}"
        with SINKS[name](out / file, labels=labels, timeline=True) as sink:
            for folder in folders:
                for result in TABLE_READERS[name](folder / file):
                    sink.write(result)
    rows = [row for folder in folders for row in _people(folder)]
    names = list(dict.fromkeys(key for row in rows for key in row))
    with atomic_write(out / PEOPLE, "w") as stream:
        writer = csv.DictWriter(stream, names or ["clip"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def drop_joined(out: Path) -> list[str]:
    """Delete the tables of several clips in a folder; returns their names."""
    names = []
    if (out / PEOPLE).exists():
        for path in (out / PEOPLE, *(out / f"results.{ending}" for ending in ENDINGS.values())):
            if path.exists():
                path.unlink()
                names.append(path.name)
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
        rows.append({"clip": folder.name, **plain, **shares, "prior": prior})
    return rows
