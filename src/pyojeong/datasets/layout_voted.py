"""Photographs with annotators' votes: ``images/`` beside ``labels.csv`` or ``votes.csv``.

The table has a column ``image`` and one a label of FERPLUS8 with the votes for it, which need not
be whole numbers; optional are ``unknown`` and ``publisher_label`` (for images that nobody rated).
File names end in a running number after the person.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pyojeong.core.errors import DataError, ManifestInvalid
from pyojeong.core.labels import FER7, FERPLUS8, LabelSet
from pyojeong.datasets.csv_cells import check_quotes
from pyojeong.datasets.label_map import expression
from pyojeong.datasets.layout import (
    Labeller,
    find_root,
    held_out_groups,
    no_votes,
    open_text,
)
from pyojeong.datasets.named_files import leads_out
from pyojeong.datasets.notes import Notes
from pyojeong.datasets.roots import need_root
from pyojeong.datasets.samples import Sample, Split
from pyojeong.datasets.spelled_names import SpelledNames

TABLES = ("labels.csv", "votes.csv")
MARKER = "labels.csv or votes.csv (image, one column a label with its votes) beside images/"
VOTE_SCALE = 10
"""A vote of 1 is kept as so many, so that parts of votes become whole numbers."""


def person_of(name: str) -> str:
    """Return a photograph's file name without ending and running number."""
    return re.sub(r"[_\-. ]?\d+$", "", Path(name).stem)


def _fits(path: Path) -> bool:
    return _table(path) is not None


def _table(path: Path) -> Path | None:
    """Return the table of votes in a folder, None without."""
    if not (path / "images").is_dir():
        return None
    for name in TABLES:
        if (path / name).is_file():
            with open_text(path / name) as file:
                header = next(csv.reader(file), [])
            if {"image", *FERPLUS8.names} <= set(header):
                return path / name
    return None


def is_voted(path: Path) -> bool:
    """Return whether there is a table of votes beside ``images/``."""
    return find_root(path, _fits) is not None


def read_voted(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
    notes: Notes | None = None,
) -> Iterator[Sample]:
    """Read photographs with votes.

    The label is the one with the most votes; where two share the lead or most annotators chose
    ``unknown``, and where nobody voted, it is the publisher's. Votes are kept times ten, in FER+'s
    ten columns. The group is the person; one person in ten, by a digest of the names, becomes
    valid, the rest is for training.

    Raises:
        DataError: When there is no such table, or no image has a label.
        LabelUnknown: When publishers' labels are not understood; all of them are listed.
        ManifestInvalid: When a row is wrong.
    """
    no_votes(votes, "photographs with votes, which bring their own")
    notes = Notes() if notes is None else notes
    root = need_root(path, _fits, MARKER)
    table = _table(root)
    assert table is not None  # noqa: S101 - it fits
    check_quotes(table)
    with open_text(table) as file:
        rows = list(csv.DictReader(file))
    kept = []
    pictures = SpelledNames(root / "images")
    spelled = {r.get("publisher_label") or "" for r in rows} - {""}
    names = {raw: found for raw in spelled if (found := expression(raw))}
    name = Labeller(root, {**{n: n for n in FERPLUS8.names}, **names}, labels, skipped)
    for i, row in enumerate(rows):
        if Path(row["image"]).name != row["image"] or leads_out(root / "images", row["image"]):
            raise ManifestInvalid(f"{table}: expected the name of a file in images/", row=i)
        picture = pictures.find(row["image"])
        notes.know(picture)
        counts = _counts(table, i, row)
        raw = _best(counts) or row.get("publisher_label") or ""
        if not raw:
            name.skip("no label: votes are divided or for unknown")
        elif (label := name(raw)) is not None:
            kept.append((row["image"], picture, label, counts))
    name.finish()
    if not kept:
        raise DataError(f"{table}: no image has a label")
    valid = held_out_groups(person_of(image) for image, *_ in kept)
    for image, picture, label, counts in kept:
        person = person_of(image)
        yield Sample(
            label=label,
            split=Split.VALID if person in valid else Split.TRAIN,
            path=str(picture),
            votes=counts,
            group=person,
            source=image,
        )


def _counts(table: Path, i: int, row: dict[str, str]) -> tuple[int, ...] | None:
    """Return ten counts, None when nobody rated the image."""
    try:
        written = [(row.get(n) or "").strip() for n in (*FERPLUS8.names, "unknown")]
        values = [float(w or 0) for w in written]
    except ValueError as error:
        raise ManifestInvalid(f"{table}: votes are not numbers ({error})", row=i) from error
    if not all(0 <= v < 1000 for v in values):
        raise ManifestInvalid(f"{table}: votes must be numbers from 0 to 1000", row=i)
    if not any(values):
        return None
    return (*(round(v * VOTE_SCALE) for v in values), 0)


def _best(counts: tuple[int, ...] | None) -> str:
    """Return the label with the most votes, "" when there is no single one."""
    if counts is None or counts.count(max(counts)) > 1 or max(counts) == counts[8]:
        return ""
    return FERPLUS8.names[counts.index(max(counts))]
