"""FER2013 as one table: ``fer2013.csv``, ``icml_face_data.csv``, Kaggle's ``train.csv``."""

import csv
import io
import lzma
import re
import shlex
import sys
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TextIO

import numpy as np

from pyojeong.core.errors import DataError, ManifestInvalid
from pyojeong.core.labels import FER7, FER2013_TO_FER7, LabelSet
from pyojeong.datasets.label_map import some
from pyojeong.datasets.layout import coded, find_root, held_out, open_text, png
from pyojeong.datasets.layout_ferplus import JoinedVotes
from pyojeong.datasets.layout_table import picture_folder
from pyojeong.datasets.notes import Notes
from pyojeong.datasets.roots import need_root
from pyojeong.datasets.samples import Sample, Split
from pyojeong.datasets.split_names import split_of
from pyojeong.datasets.unpacking import Bounded, as_text, opened_bytes

SIDE = 48
USAGES = {"Training": Split.TRAIN, "PublicTest": Split.VALID, "PrivateTest": Split.TEST}
_LABELS = coded(FER2013_TO_FER7)
_TABLES = ("fer2013.csv", "icml_face_data.csv", "train.csv")
_NUMBERS = re.compile(r"[0-9 ]+")
_PACKED = ("", ".gz", ".xz", ".bz2")
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
MARKER = "a table with a column 'pixels' (fer2013.csv, icml_face_data.csv, train.csv)"


def find_table(path: Path) -> Path | None:
    """Return FER2013's table, or the archive that holds it; None when there is none.

    Args:
        path: The file itself, or a folder that holds it, at most two folders deep.
    """
    if path.is_dir():
        folder = find_root(path, lambda f: _table_in(f) is not None)
        return None if folder is None else _table_in(folder)
    if path.is_file() and (".csv" in "".join(path.suffixes).lower() or _archived(path)):
        return path
    return None


def _table_in(folder: Path) -> Path | None:
    named = (folder / f"{table}{end}" for table in _TABLES for end in _PACKED)
    table = next((file for file in named if file.is_file() and _has_pixels(file)), None)
    if table is not None:
        return table
    archives = sorted(f for f in folder.iterdir() if f.name.lower().endswith(_ARCHIVES))
    return next((file for file in archives if _archived(file)), None)


def _archived(path: Path) -> str | None:
    """Return the name of the table inside an archive; None for other files."""
    if not path.name.lower().endswith(_ARCHIVES):
        return None
    names = _members(path)
    return next((n for t in _TABLES for n in names if n.rpartition("/")[2] == t), None)


def _members(path: Path) -> list[str]:
    """Return the names of the files in an archive; nothing when it is damaged."""
    try:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                return [member.filename for member in archive.infolist() if not member.is_dir()]
        with _tar(path) as archive:
            return [member.name for member in archive if member.isreg()]
    except _BROKEN:
        return []


def _there(member: IO[bytes] | None, path: Path, inside: str) -> IO[bytes]:
    if member is None:
        raise DataError(f"{path}: {inside} is not a file")
    return member


_BROKEN = (
    OSError, EOFError, LookupError, ValueError, zlib.error, lzma.LZMAError,
    RuntimeError,  # encrypted, or compressed in a way that Python does not know
    zipfile.BadZipFile, tarfile.TarError,
)  # fmt: skip
"""What archives raise that are damaged, or made by other rules."""


@contextmanager
def _tar(path: Path) -> Iterator[tarfile.TarFile]:
    """Open a tar archive as a stream that is bounded; nothing is unpacked to disk."""
    with opened_bytes(path, lines=False) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        yield tar


@contextmanager
def _open_table(path: Path) -> Iterator[TextIO]:
    """Open the table, also inside a .zip or .tar archive.

    Raises:
        DataError: When it could not be read, also in the middle.
    """
    inside = _archived(path)
    if inside is None:
        with open_text(path) as file:
            yield file
        return
    try:
        with ExitStack() as stack:
            member: IO[bytes] | None
            if path.suffix.lower() == ".zip":
                member = stack.enter_context(
                    stack.enter_context(zipfile.ZipFile(path)).open(inside)
                )
            else:
                archive = stack.enter_context(_tar(path))
                found = next((m for m in archive if m.isreg() and m.name == inside), None)
                member = None if found is None else archive.extractfile(found)
            bounded = io.BufferedReader(Bounded(_there(member, path, inside), path))
            yield stack.enter_context(as_text(bounded))
    except DataError:
        raise
    except (*_BROKEN, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: could not be read: {error}") from error


def _has_pixels(path: Path) -> bool:
    with open_text(path) as file:
        return "pixels" in file.readline(1000).lower()


def read_fer2013(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,  # noqa: ARG001 - a table leaves nothing out
    notes: Notes | None = None,
) -> Iterator[Sample]:
    """FER2013 as one table, plain or .gz/.xz/.bz2, or inside a .zip or .tar archive.

    Columns are found by name with surrounding spaces ignored: ``emotion`` (0 angry 1 disgust
    2 fear 3 happy 4 sad 5 surprise 6 neutral), ``pixels`` (2,304 numbers of a 48 x 48 gray
    image), ``Usage``. The image becomes a lossless PNG. Kaggle's ``train.csv`` has no
    ``Usage``: all of it is for training, less a tenth held out by a digest of the image. Tables
    without ``Usage`` whose names are those of splits (train.csv, val.csv, test.csv) are read
    together.

    Args:
        path: The table, or the folder that holds it.
        votes: FER+'s ``fer2013new.csv``, whose rows are the same images in the same order.
        labels: Any set with FER7's names.
        skipped: Not used.
        notes: Get a line about tables beside it that are not read.

    Raises:
        DataError: When there are several tables, or the file could not be read, has no
            labels, or the votes are not those of its rows.
        ManifestInvalid: When a row is wrong.
    """
    notes = Notes() if notes is None else notes
    table = path
    parts: list[tuple[Split, Path]] = []
    if path.is_dir():
        root = need_root(path, _table_in, MARKER)
        table = _table_in(root) or path
        parts = _parts(root, table, notes)
    if (inside := _archived(table)) is not None:
        _note_archived(table, inside, notes)
    if parts and votes is not None:
        raise DataError(f"{votes}: votes are joined to one table, not to {len(parts)}")
    has_valid = any(split is Split.VALID for split, _ in parts)
    for split, part in parts:
        for sample in _samples(part, None, labels):
            held = sample.split is Split.VALID and split is Split.TRAIN and not has_valid
            yield sample if held else replace(sample, split=split)
    if not parts:
        yield from _samples(table, votes, labels)


def _samples(table: Path, votes: Path | None, labels: LabelSet) -> Iterator[Sample]:
    """Yield the rows of one table."""
    joined = None if votes is None else JoinedVotes(votes, table)
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    i = -1
    with _open_table(table) as file:
        rows = csv.reader(file)
        columns = _columns(table, next(rows, []))
        for i, row in enumerate(r for r in rows if any(cell.strip() for cell in r)):
            if joined is not None and i >= len(joined):
                break
            label, split, image = _picture(table, i, row, columns)
            if label not in labels.names:
                raise ManifestInvalid(f"{table}: {label!r} is not in {labels.id}", row=i)
            usage = None if columns[2] is None else row[columns[2]].strip()
            yield Sample(
                label=label,
                split=split,
                image=image,
                votes=None if joined is None else joined.of(i, label, usage),
                source=f"{table.name}:{i}",
            )
    if joined is not None:
        joined.check(i + 1)


def _parts(root: Path, table: Path, notes: Notes) -> list[tuple[Split, Path]]:
    """Return the splits of a folder that has a table for each; nothing when one table is read.

    Raises:
        DataError: When it is not clear which of several tables are meant.
    """
    headers = {file: _names_in(file) for file in _tables_in(root)}
    headers = {file: names for file, names in headers.items() if "pixels" in names}
    others = [file for file in headers if file != table]
    unlabelled = [file for file in others if "emotion" not in headers[file]]
    labelled = [file for file in others if file not in unlabelled]
    if unlabelled:
        notes.warnings.append(
            f"not read: {some([f.name for f in unlabelled])}, whose images have no labels"
        )
    if not labelled or "usage" in headers.get(table, ()):
        if labelled:
            notes.warnings.append(
                f"not read: {some([f.name for f in labelled])}; {table.name} names the splits of "
                "its images itself"
            )
        return []
    every = [table, *labelled]
    splits = [split_of(file.name.partition(".")[0]) for file in every]
    if (
        None in splits
        or len(set(splits)) < len(splits)
        or any("usage" in headers[file] for file in labelled)
    ):
        raise DataError(
            f"{root}: several tables of images: {some([f.name for f in every])}; name one of "
            "them, or import each and put the tables together with `pyojeong data merge`"
        )
    return [(split, file) for split, file in zip(splits, every, strict=True) if split is not None]


def _tables_in(folder: Path) -> list[Path]:
    """Return the tables of a folder, plain and packed."""
    ends = tuple(f".csv{end}" for end in _PACKED)
    return sorted(f for f in folder.iterdir() if f.name.lower().endswith(ends) and f.is_file())


def _names_in(table: Path) -> list[str]:
    """Return the columns of a table, in small letters; nothing when it could not be read."""
    try:
        with open_text(table) as file:
            return [name.strip().lower() for name in next(csv.reader(file), [])]
    except DataError:
        return []


def _note_archived(path: Path, inside: str, notes: Notes) -> None:
    """Say which other tables of an archive are not read."""
    others = [n for n in _members(path) if n != inside and n.lower().endswith(".csv")]
    if others:
        notes.warnings.append(
            f"of {path.name} only {inside} is read, not {some(others)}; unpack it to import those"
        )


def _columns(table: Path, header: list[str]) -> tuple[int, int, int | None]:
    """Return the positions of emotion, pixels and usage (None = there is none)."""
    names = [name.strip().lower() for name in header]
    shown = ", ".join(h.strip()[:20] for h in header[:12]) or "nothing"
    if "nf" in names and "image name" in names:
        raise ManifestInvalid(
            f"{table}: these are FER+'s votes, not images; give fer2013.csv, and this as --votes"
        )
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        raise ManifestInvalid(
            f"{table}: expected commas between the columns, got {shown}; save it so"
        )
    if "pixels" not in names:
        raise ManifestInvalid(
            f"{table}: column 'pixels' missing; expected emotion, pixels, Usage, got {shown}; "
            f"{_as_table_of_labels(table)}"
        )
    if "emotion" not in names:
        raise ManifestInvalid(
            f"{table}: has no labels (no column 'emotion', got {shown}), as Kaggle's test.csv; "
            "take train.csv or icml_face_data.csv"
        )
    usage = names.index("usage") if "usage" in names else None
    return names.index("emotion"), names.index("pixels"), usage


def _as_table_of_labels(table: Path) -> str:
    """Return the commands that read a table of labels, with the folder of its pictures."""
    folder = picture_folder(table)
    named = "FOLDER" if folder is None else shlex.quote(str(folder))
    where = "" if folder is not None else " (FOLDER: where the file names in the table begin)"
    given = f"{named} --table {shlex.quote(str(table))}"
    return (
        f"a table of labels is read with `pyojeong train --data {given}`, or with `pyojeong data "
        f"import {given} --out set.parquet`{where}"
    )


def _picture(
    table: Path, i: int, row: list[str], columns: tuple[int, int, int | None]
) -> tuple[str, Split, bytes]:
    at_label, at_pixels, at_usage = columns
    width = max(at_label, at_pixels, at_usage or 0) + 1
    if len(row) < width:
        raise ManifestInvalid(f"{table}: expected {width} columns, got {len(row)}", row=i)
    label = _LABELS.get(row[at_label].strip())
    if label is None:
        got = row[at_label].strip()[:20]
        raise ManifestInvalid(f"{table}: emotion must be 0 to 6, got {got!r}", row=i)
    if not _NUMBERS.fullmatch(row[at_pixels]):
        raise ManifestInvalid(f"{table}: pixels must be numbers from 0 to 255", row=i)
    values = np.fromstring(row[at_pixels], np.int64, sep=" ")
    if len(values) != SIDE * SIDE:
        raise ManifestInvalid(
            f"{table}: expected {SIDE * SIDE:,} pixels (48 x 48), got {len(values):,}", row=i
        )
    if values.max() > 255:
        raise ManifestInvalid(
            f"{table}: pixels must be numbers from 0 to 255, got {values.max()}", row=i
        )
    pixels = values.astype(np.uint8).reshape(SIDE, SIDE)
    image = png(pixels)
    if at_usage is None:
        return label, Split.VALID if held_out(pixels.tobytes()) else Split.TRAIN, image
    usage = row[at_usage].strip()
    if usage not in USAGES:
        raise ManifestInvalid(
            f"{table}: Usage must be {', '.join(USAGES)}, got {usage[:20]!r}", row=i
        )
    return label, USAGES[usage], image
