"""FER+ (Microsoft): ten annotators' votes for FER2013's images, as a table or in folders."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pyojeong.core.errors import DataError, ManifestInvalid
from pyojeong.core.labels import FER7, FERPLUS8, LabelSet
from pyojeong.datasets.layout import Labeller, find_root, need_root, no_votes, open_text
from pyojeong.datasets.named_files import Outside
from pyojeong.datasets.samples import Sample, Split

_FOLDERS = {
    "FER2013Train": Split.TRAIN,
    "FER2013Valid": Split.VALID,
    "FER2013Test": Split.TEST,
}
_COLUMNS = 10
MARKER = "FER2013Train/label.csv beside fer0000000.png (FER+ folders)"


def read_ferplus_votes(path: Path) -> list[tuple[int, ...] | None]:
    """Votes of ``fer2013new.csv``: ten counts a row, None where the image has no name.

    The counts are in the order of FERPLUS8 (neutral, happiness, surprise, sadness, anger,
    disgust, fear, contempt), then unknown and NF (not a face).

    Raises:
        DataError: When the file could not be read.
        ManifestInvalid: When a row is wrong.
    """
    out: list[tuple[int, ...] | None] = []
    with open_text(path) as file:
        rows = csv.reader(file)
        next(rows, None)
        for i, row in enumerate(rows):
            counts = _counts(path, i, row)
            out.append(counts if row[1].strip() else None)
    return out


def _counts(path: Path, i: int, row: list[str]) -> tuple[int, ...]:
    try:
        counts = tuple(int(v) for v in row[2 : 2 + _COLUMNS])
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


def read_ferplus_folders(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
) -> Iterator[Sample]:
    """``FER2013{Train,Valid,Test}/fer0000000.png`` with a headerless ``label.csv`` in each.

    The label is the majority of the votes, see ``majority``; images without one, or that
    most annotators took for unknown or not a face, are left out and counted. The votes are kept.

    Raises:
        DataError: When the folders are not there.
        ManifestInvalid: When a row of a ``label.csv`` is wrong.
    """
    no_votes(votes, "FER+ folders, which bring their own")
    root = need_root(path, _fits, MARKER)
    aside = ("unknown", "not a face", "no majority of votes")
    name = Labeller(
        root, {n: n for n in FERPLUS8.names}, labels, skipped, {why: why for why in aside}
    )
    found = False
    for folder, split in _FOLDERS.items():
        table = root / folder / "label.csv"
        outside = Outside(root / folder, skipped)
        if not table.is_file():
            continue
        with open_text(table) as file:
            for i, row in enumerate(csv.reader(file)):
                if len(row) < 2 + _COLUMNS:
                    raise ManifestInvalid(
                        f"{table}: expected name, box and 10 counts, got {len(row)} columns", row=i
                    )
                counts = _counts(table, i, row)
                if row[0].strip() in outside:
                    continue
                label = name(majority(counts))
                if label is None:
                    continue
                found = True
                yield Sample(
                    label=label,
                    split=split,
                    path=str(root / folder / row[0].strip()),
                    votes=counts,
                    source=f"{folder}/{row[0].strip()}",
                )
        outside.note()
    if not found:
        raise DataError(f"{root}: no image has a majority of votes for a class of {labels.id}")
