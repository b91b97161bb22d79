"""FER+ (Microsoft): ten annotators' votes for FER2013's images, as a table or in folders."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pyojeong.core.errors import DataError, ManifestInvalid
from pyojeong.core.labels import FER7, FERPLUS8, LabelSet, folded
from pyojeong.datasets.layout import Labeller, find_root, no_votes, open_text
from pyojeong.datasets.named_files import Outside
from pyojeong.datasets.notes import Notes
from pyojeong.datasets.roots import several, some_roots
from pyojeong.datasets.samples import Sample, Split

_FOLDERS = {
    "FER2013Train": Split.TRAIN,
    "FER2013Valid": Split.VALID,
    "FER2013Test": Split.TEST,
}
_COLUMNS = 10
_HEADER = (
    "Usage", "Image name", "neutral", "happiness", "surprise", "sadness", "anger", "disgust",
    "fear", "contempt", "unknown", "NF",
)  # fmt: skip
_USAGES = ("Training", "PublicTest", "PrivateTest")
_ENOUGH = 200
"""Rows from which on the share of agreeing labels is judged."""
_LEAST_AGREEING = 0.4
"""The tables of the authors agree in 0.63 of rows, unrelated rows in 0.16 to 0.18."""
MARKER = "FER2013Train/label.csv beside fer0000000.png (FER+ folders)"


def read_ferplus_votes(path: Path) -> list[tuple[int, ...] | None]:
    """Votes of ``fer2013new.csv``: ten counts a row, None where the image has no name.

    The counts are in the order of FERPLUS8 (neutral, happiness, surprise, sadness, anger,
    disgust, fear, contempt), then unknown and NF (not a face).

    Raises:
        DataError: When the file could not be read.
        ManifestInvalid: When a row is wrong.
    """
    return [counts for _, counts in _vote_rows(path)]


def _vote_rows(path: Path) -> list[tuple[str, tuple[int, ...] | None]]:
    """Return the ``Usage`` and the counts of each row."""
    out: list[tuple[str, tuple[int, ...] | None]] = []
    with open_text(path) as file:
        rows = csv.reader(file)
        places = _places(path, next(rows, []))
        for i, row in enumerate(r for r in rows if any(cell.strip() for cell in r)):
            if len(row) <= max(places):
                raise ManifestInvalid(
                    f"{path}: expected {max(places) + 1} columns, got {len(row)}", row=i
                )
            usage, name, *cells = (row[place] for place in places)
            counts = _counts(path, i, cells)
            out.append((usage.strip(), counts if name.strip() else None))
    return out


def _places(path: Path, header: list[str]) -> list[int]:
    """Return where a table has its columns, in the order of ``_HEADER``.

    Raises:
        ManifestInvalid: When one is missing.
    """
    names = [folded(name) for name in header]
    votes = [name for name in _HEADER[2:10] if folded(name) in names]
    if not votes:  # a header in other words: the columns are those of the authors
        return list(range(len(_HEADER)))
    missing = [name for name in _HEADER if folded(name) not in names]
    at = [_HEADER.index(name) for name in missing]
    renamed = len(header) == len(_HEADER) and all(
        names[i] not in map(folded, _HEADER) for i in at if i < len(names)
    )
    if renamed and not {*_HEADER[2:10]} & {*missing}:
        return [_HEADER.index(n) if n in missing else names.index(folded(n)) for n in _HEADER]
    if missing:
        shown = ", ".join(name[:20] for name in header[:14]) or "nothing"
        raise ManifestInvalid(
            f"{path}: no column {', '.join(missing)}; FER+'s fer2013new.csv has "
            f"{', '.join(_HEADER)}, this table has {shown}"
        )
    return [names.index(folded(name)) for name in _HEADER]


class JoinedVotes:
    """FER+'s votes, joined to the rows of FER2013's table by their position.

    Nothing in the two tables names an image, so that a table in another order would get the votes
    of other images. ``Usage``, which both have, and the labels tell it.

    Args:
        votes: FER+'s ``fer2013new.csv``.
        table: FER2013's table, for messages.

    Raises:
        DataError: When the votes could not be read.
        ManifestInvalid: When a row of them is wrong.
    """

    def __init__(self, votes: Path, table: Path) -> None:
        self._votes, self._table = votes, table
        self._rows = _vote_rows(votes)
        self._other_usage: list[str] = []
        self._compared = self._agreeing = 0

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def of(self, i: int, label: str, usage: str | None) -> tuple[int, ...] | None:
        """Return the votes of a row, and note whether the row is the same image.

        Args:
            i: The row's number.
            label: Its label in FER2013.
            usage: Its ``Usage``; None when the table has none.
        """
        theirs, counts = self._rows[i]
        if usage is not None and theirs in _USAGES and theirs != usage:
            self._other_usage.append(f"row {i} is {usage}, with the votes {theirs}")
        if counts is not None and counts.count(max(counts)) == 1:
            self._compared += 1
            self._agreeing += (*FERPLUS8.names, "", "")[counts.index(max(counts))] == label
        return counts

    def check(self, rows: int) -> None:
        """Refuse votes that are not those of the table's rows.

        Args:
            rows: Number of rows of the table.

        Raises:
            DataError: When the number of rows or the Usage of any differs, or so few labels agree
                that the rows are those of other images.
        """
        cure = "they belong together only row by row: give the fer2013.csv in its own order"
        if rows != len(self._rows):
            raise DataError(
                f"{self._votes} has {len(self._rows)} rows, {self._table} has another number; they "
                "belong together only row by row: give the complete fer2013.csv"
            )
        if self._other_usage:
            raise DataError(
                f"{self._votes}: Usage differs from that of {self._table} in "
                f"{len(self._other_usage):,} of {rows:,} rows: {self._other_usage[0]}; {cure}"
            )
        if self._compared >= _ENOUGH and self._agreeing < _LEAST_AGREEING * self._compared:
            raise DataError(
                f"{self._votes}: most votes agree with the label of {self._table} in only "
                f"{self._agreeing:,} of {self._compared:,} rows (usual are six of ten); one of the "
                f"tables was sorted, shuffled or is another one: {cure}"
            )


def _counts(path: Path, i: int, row: list[str]) -> tuple[int, ...]:
    try:
        counts = tuple(int(v) for v in row)
    except ValueError as error:
        raise ManifestInvalid(f"{path}: votes are not numbers ({error})", row=i) from error
    if len(counts) != _COLUMNS or min(counts) < 0:
        raise ManifestInvalid(
            f"{path}: expected {_COLUMNS} counts from 0 up, got {list(counts)}", row=i
        )
    return counts


def majority(votes: tuple[int, ...]) -> str:
    """Return the label that FER+'s authors call the majority.

    Single votes are dropped as noise; the winner needs more than half of what is left.

    Args:
        votes: Ten counts, see ``read_ferplus_votes``.

    Returns:
        A name of FERPLUS8, ``"unknown"``, ``"not a face"`` or ``"no majority of votes"``.
    """
    kept = np.where(np.asarray(votes) > 1, votes, 0)
    if not kept.max() * 2 > kept.sum():
        return "no majority of votes"
    return (*FERPLUS8.names, "unknown", "not a face")[int(kept.argmax())]


def _fits(path: Path) -> bool:
    return any((path / name / "label.csv").is_file() for name in _FOLDERS)


def is_ferplus(path: Path) -> bool:
    """Return whether there are FER+ folders."""
    return find_root(path, _fits) is not None


def _table_of(path: Path, roots: list[Path], folder: str, notes: Notes) -> Path | None:
    """Return the table of a split, which may lie beside the others or in a folder of its own.

    Raises:
        DataError: When there are several.
    """
    places = [root / folder for root in roots if (root / folder).is_dir()]
    tables = [place / "label.csv" for place in places if (place / "label.csv").is_file()]
    if len(tables) > 1:
        raise several(path, roots, MARKER)
    if places and not tables:
        notes.warnings.append(f"{folder}/ has no label.csv: none of its images is read")
    return tables[0] if tables else None


def read_ferplus_folders(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
    notes: Notes | None = None,
) -> Iterator[Sample]:
    """``FER2013{Train,Valid,Test}/fer0000000.png`` with a headerless ``label.csv`` in each.

    The label is the majority of the votes, see ``majority``; images without one, or that
    most annotators took for unknown or not a face, are left out and counted. The votes are kept.

    Raises:
        DataError: When the folders are not there, or there several times.
        ManifestInvalid: When a row of a ``label.csv`` is wrong.
    """
    no_votes(votes, "FER+ folders, which bring their own")
    notes = Notes() if notes is None else notes
    roots = some_roots(path, _fits, MARKER)
    aside = ("unknown", "not a face", "no majority of votes")
    name = Labeller(
        path, {n: n for n in FERPLUS8.names}, labels, skipped, {why: why for why in aside}
    )
    found = False
    for folder, split in _FOLDERS.items():
        table = _table_of(path, roots, folder, notes)
        if table is None:
            continue
        outside = Outside(table.parent, skipped)
        with open_text(table) as file:
            filled = (r for r in csv.reader(file) if any(cell.strip() for cell in r))
            for i, row in enumerate(filled):
                if len(row) < 2 + _COLUMNS:
                    raise ManifestInvalid(
                        f"{table}: expected name, box and 10 counts, got {len(row)} columns", row=i
                    )
                counts = _counts(table, i, row[2 : 2 + _COLUMNS])
                if row[0].strip() in outside:
                    continue
                notes.know(table.parent / row[0].strip())
                label = name(majority(counts))
                if label is None:
                    continue
                found = True
                yield Sample(
                    label=label,
                    split=split,
                    path=str(table.parent / row[0].strip()),
                    votes=counts,
                    source=f"{folder}/{row[0].strip()}",
                )
        outside.note()
    if not found:
        raise DataError(f"{path}: no image has a majority of votes for a class of {labels.id}")
