"""Hugging Face's imagefolder: ``<root>/<split>/metadata.csv`` (or .jsonl) beside its images."""

import csv
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from pyojeong.core.errors import DataError, ManifestInvalid
from pyojeong.core.file_search import is_file
from pyojeong.core.labels import FER7, LabelSet
from pyojeong.datasets.csv_cells import ExtraCells, check_quotes
from pyojeong.datasets.label_map import images, some
from pyojeong.datasets.layout import find_root, no_votes, open_text, pictures_in
from pyojeong.datasets.named_files import Outside
from pyojeong.datasets.notes import Notes
from pyojeong.datasets.own_pictures import (
    NOTHING_STATED,
    Found,
    OwnOptions,
    Picture,
    nfc,
    samples_of,
)
from pyojeong.datasets.roots import need_root
from pyojeong.datasets.samples import Sample, Split
from pyojeong.datasets.spelled_names import SpelledNames
from pyojeong.datasets.split_names import split_of
from pyojeong.datasets.whole_set import split_folders

TABLES = ("metadata.csv", "metadata.jsonl")
MARKER = "train/metadata.csv or metadata.jsonl with file_name and label (imagefolder)"
_REST = "\0"
"""Key of the cells behind the last column; no column has this name."""


def _tables(path: Path) -> list[tuple[Split | None, Path]]:
    """Return the tables and their splits; None = the folder in a file's name tells its split."""
    parts = split_folders(path)
    tables: list[tuple[Split | None, Path]] = []
    tables += [(split, table) for split, part in parts if (table := _table_in(part))]
    whole = _table_in(path)
    if tables or whole is None:
        return tables
    return [(None if parts else Split.TRAIN, whole)]


def _table_in(folder: Path) -> Path | None:
    """Return the table of a folder.

    Raises:
        DataError: When there are two.
    """
    found = [
        folder / name
        for name in TABLES
        if (folder / name).is_file() and {"file_name", "label"} <= set(_header(folder / name))
    ]
    if len(found) > 1:
        raise DataError(f"{folder}: holds {' and '.join(TABLES)}: delete the one that is not meant")
    return found[0] if found else None


def _header(table: Path) -> list[str]:
    with open_text(table) as file:
        if table.suffix == ".jsonl":
            return list(_json_row(table, 0, next((line for line in file if line.strip()), "{}")))
        return [name.strip() for name in _first(csv.reader(file))]


def _json_row(table: Path, number: int, line: str) -> dict[str, Any]:
    try:
        return dict(json.loads(line))
    except (ValueError, TypeError, RecursionError) as error:
        raise ManifestInvalid(f"{table}: is no line of JSON ({error})", row=number) from None


def _first(rows: Iterator[list[str]]) -> list[str]:
    """Return the first row that is not blank."""
    return next((row for row in rows if any(cell.strip() for cell in row)), [])


def unread_table(path: Path) -> str:
    """Return what keeps a ``metadata.csv`` in a folder from being read; "" when there is none."""
    places = [path, *(part for _, part in split_folders(path))]
    tables = (place / name for place in places for name in TABLES)
    table = next((file for file in tables if file.is_file()), None)
    if table is None:
        return ""
    try:
        header = _header(table)
    except DataError as error:
        return str(error)
    shown = ", ".join(header) or "nothing"
    if len(header) == 1 and any(mark in header[0] for mark in ";\t"):
        return f"{table}: expected commas between the columns, got {shown}; save it so"
    return f"{table}: expected the columns file_name and label, got {shown}; rename them"


def _fits_imagefolder(path: Path) -> bool:
    return bool(_tables(path))


def is_imagefolder(path: Path) -> bool:
    """Return whether there are ``metadata.csv`` tables with file names and labels."""
    return find_root(path, _fits_imagefolder) is not None


def read_imagefolder(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
    own: OwnOptions = NOTHING_STATED,
    notes: Notes | None = None,
) -> Iterator[Sample]:
    """Hugging Face's ``imagefolder``: ``<root>/<split>/metadata.csv`` with file_name,label.

    A column ``group`` is taken over. Without a folder ``valid`` or ``validation`` a part of
    the training images is held out, as in ``read_class_folders``, or of the groups. Rows whose file
    is missing, repeated rows and images that no row names are left out and counted.

    Raises:
        DataError: When there is no such table, or rows of one image differ in label,
            group or split.
        LabelUnknown: When labels are not understood; all of them are listed.
        ManifestInvalid: When a row of a table is wrong.
    """
    no_votes(votes, "imagefolder")
    notes = Notes() if notes is None else notes
    root = need_root(path, _fits_imagefolder, MARKER)
    pictures: dict[Path, Picture] = {}
    missing: list[str] = []
    repeated = 0
    outside = Outside(root.absolute(), skipped)
    for split, table in _tables(root):
        for picture in _rows_of(root, split, table, outside, notes):
            if not is_file(picture.file):
                missing.append(picture.key)
                continue
            notes.know(picture.file)
            known = pictures.setdefault(picture.file, picture)
            divided = known.split is not picture.split
            labelled = [own.label_map.label(p.raw) or p.raw for p in (known, picture)]
            if labelled[0] != labelled[1] or known.group != picture.group or divided:
                raise DataError(
                    f"{table}: rows contradict each other: {picture.source} is "
                    f"{_said(known, split=divided)} and {_said(picture, split=divided)}; correct "
                    f"the table{'s' if divided else ''}"
                )
            repeated += known is not picture
    outside.note()
    if not pictures:
        raise DataError(f"{root}: no row of metadata.csv names an image that is there")
    if skipped is not None:
        for why, count in (
            (f"file is missing ({some(missing)})", len(missing)),
            ("repeated row of metadata.csv", repeated),
        ):
            if count:
                skipped[why] += count
    _note_unnamed(path, list(pictures.values()), notes)
    seen = Counter(picture.raw for picture in pictures.values())
    has_valid = any(split is Split.VALID for split, _ in split_folders(root))
    has_valid = has_valid or any(p.split is Split.VALID for p in pictures.values())
    found = Found(place=root, pictures=list(pictures.values()), seen=seen, has_valid=has_valid)
    yield from samples_of(found, own, labels, skipped=skipped, notes=notes)


def _note_unnamed(path: Path, pictures: list[Picture], notes: Notes) -> None:
    """Note images of an imagefolder that no table names."""
    named = {os.path.realpath(picture.file) for picture in pictures}
    others = [f for f in pictures_in(path, deep=True) if os.path.realpath(f) not in named]
    if others:
        notes.beside["named by no metadata.csv"] += len(others)
        names = [nfc(f.relative_to(path).as_posix()) for f in others]
        notes.warnings.append(f"no metadata.csv names {images(len(others))}: {some(names)}")


def _said(picture: Picture, *, split: bool) -> str:
    group = f" of group {picture.group!r}" if picture.group else ""
    return f"{picture.raw!r}{group}{f' in {picture.split.value}' if split else ''}"


def _rows_of(
    root: Path, split: Split | None, table: Path, outside: Outside, notes: Notes
) -> Iterator[Picture]:
    """Yield the rows of a table whose file lies in the data set's folder.

    Raises:
        DataError: When a quote is not closed.
        ManifestInvalid: When one lacks its file name or label.
    """
    extra = ExtraCells(table)
    names = SpelledNames(table.parent)
    with open_text(table) as file:
        for i, row in enumerate(_table_rows(table, file, extra)):
            if not row.get("file_name") or row.get("label") is None:
                raise ManifestInvalid(f"{table}: expected file_name and label", row=i)
            if os.path.join(table.parent.absolute(), row["file_name"]) in outside:  # noqa: PTH118
                continue
            path = names.find(row["file_name"])
            inside = path.relative_to(root)
            first = split_of(inside.parts[0]) if len(inside.parts) > 1 else None
            yield Picture(
                file=path,
                raw=row["label"],
                split=split or first or Split.TRAIN,
                source=inside.as_posix(),
                key=row["file_name"],
                group=row.get("group") or "",
            )
    notes.warnings += extra.warnings()


def _table_rows(table: Path, file: TextIO, extra: ExtraCells) -> Iterator[dict[str, Any]]:
    if table.suffix == ".jsonl":
        for number, line in enumerate(line for line in file if line.strip()):
            row = _json_row(table, number, line)
            said = {key: row.get(key) for key in ("file_name", "label", "group")}
            yield {key: str(value) for key, value in said.items() if value is not None}
        return
    check_quotes(table)
    header = [name.strip() for name in _first(csv.reader(file))]
    rows = csv.DictReader(file, header, restkey=_REST)
    for each in rows:
        extra.add(rows.line_num + 1, each.get(_REST))
        yield each
