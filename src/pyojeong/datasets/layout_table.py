"""A folder of pictures and a table (CSV) that names their labels: ``--table legend.csv``."""

import csv
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pyojeong.core.errors import DataError
from pyojeong.core.file_search import is_file
from pyojeong.core.labels import FER7, LabelSet, folded
from pyojeong.datasets.csv_cells import ExtraCells, check_quotes
from pyojeong.datasets.label_map import LabelMap, images, some
from pyojeong.datasets.layout import open_text, pictures_in
from pyojeong.datasets.named_files import Outside
from pyojeong.datasets.notes import Notes
from pyojeong.datasets.own_pictures import Found, OwnOptions, Picture, nfc, samples_of
from pyojeong.datasets.samples import Sample, Split
from pyojeong.datasets.spelled_names import SpelledNames
from pyojeong.datasets.split_names import split_of

LAYOUT = "table"
IMAGE_COLUMNS = (
    "image", "file", "filename", "path", "file_name", "name", "image_path", "file_path", "filepath",
)  # fmt: skip
LABEL_COLUMNS = ("label", "emotion", "expression", "class", "category")
_SPLIT = "split"
_LIKE_SPLIT = ("usage", "subset", "set", "partition", "fold")
_REST = "\0"
"""Key of the cells behind the last column; no column has this name."""
_GROUP = "group"


@dataclass(frozen=True, slots=True)
class _Columns:
    image: str
    label: str
    split: str | None
    group: str | None


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    named: str
    picture: Picture


def read_table(
    path: Path,
    *,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
    own: OwnOptions,
    notes: Notes | None = None,
) -> Iterator[Sample]:
    """Read the pictures of a folder that a table names.

    The columns of file names and labels are named by ``own`` or detected; the columns ``split``
    (train, valid, test) and ``group`` are taken where there are such. Without ``split``, a column
    ``usage``, ``subset``, ``set``, ``partition`` or ``fold`` is taken when its cells name splits.
    File names are relative to the folder. Rows whose file is missing, rows without a label,
    repeated rows and pictures that no row names are counted. Without validation rows a part of the
    others is held out (``hold_out``).

    Args:
        path: The folder.
        labels: The label set of the samples.
        skipped: Here it is counted what is left out.
        own: The table, its columns, names of labels, groups.
        notes: Here warnings are noted.

    Raises:
        DataError: When the table or its columns are missing, no row names a file that is there, or
            rows contradict each other.
        LabelUnknown: When labels are not understood; all of them are listed.
    """
    if not path.is_dir():
        raise DataError(f"{path}: no such folder; --table needs the folder of its pictures")
    assert own.table is not None  # noqa: S101 - that is why it is called
    table = table_file(path, own.table)
    notes = Notes() if notes is None else notes
    rows, by_column = _rows(path, table, own, notes)
    counts: Counter[str] = Counter() if skipped is None else skipped
    present = _present(path, table, rows, counts)
    labelled = [row for row in present if row.picture.raw]
    counts[f"no label in {table.name}"] += len(present) - len(labelled)
    distinct = _distinct(table, labelled, own.label_map)
    counts[f"repeated row of {table.name}"] += len(labelled) - len(distinct)
    for why in [why for why, count in counts.items() if not count]:
        del counts[why]
    if not distinct:
        raise DataError(f"{table}: no row has a label")
    for row in present:
        notes.know(row.picture.file)
    _note_unnamed(path, table, present, notes)
    pictures = [row.picture for row in distinct]
    found = Found(
        place=table,
        pictures=pictures,
        seen=Counter(p.raw for p in pictures),
        has_valid=any(p.split is Split.VALID for p in pictures),
    )
    plain = replace(own, groups=None) if by_column else own
    yield from samples_of(found, plain, labels, skipped=counts, notes=notes)


def picture_folder(table: Path) -> Path | None:
    """Return the folder in which the file names of a table begin: the table's, or one in it.

    None when no folder there has a file of one of the first rows.
    """
    try:
        with open_text(table) as file:
            rows = csv.DictReader(file)
            columns = [h for h in rows.fieldnames or () if folded(h) in IMAGE_COLUMNS]
            named = [
                str(row[c] or "") for row, _ in zip(rows, range(5), strict=False) for c in columns
            ]
        below = sorted(f for f in table.parent.iterdir() if f.is_dir())
        return next(
            (f for f in (table.parent, *below) for n in named if n and is_file(f / n)), None
        )
    except (DataError, OSError, ValueError):
        return None


def table_file(path: Path, table: Path) -> Path:
    """Return the table as named, or in the folder of pictures.

    Raises:
        DataError: When it is in neither place.
    """
    for place in (table, path / table):
        if is_file(place):
            return place
    raise DataError(f"{table}: no such file, neither here nor in {path}")


def _rows(path: Path, table: Path, own: OwnOptions, notes: Notes) -> tuple[list[_Row], bool]:
    """Return all rows, and whether ``--groups`` names a column."""
    rows = []
    extra = ExtraCells(table)
    with open_text(table) as file:
        reader = csv.DictReader(file, restkey=_REST)
        header = [str(h) for h in reader.fieldnames or ()]
        columns = _columns(table, header, own)
        check_quotes(table)
        if columns.split is None:
            columns = replace(columns, split=_like_split(table, header, columns, notes))
        by_column = columns.group is not None and columns.group == own.groups
        for row in reader:
            extra.add(reader.line_num, row.get(_REST))
            named = (row[columns.image] or "").strip()
            if not named:
                raise DataError(f"{table}: line {reader.line_num} names no file")
            split = _split(table, reader.line_num, row[columns.split]) if columns.split else None
            group = (row[columns.group] or "").strip() if columns.group else ""
            inside = _inside(path, named)
            picture = Picture(
                file=path / named,
                raw=nfc(row[columns.label] or "").strip(),
                split=split or Split.TRAIN,
                source=inside,
                key=inside,
                group=group,
            )
            rows.append(_Row(reader.line_num, named, picture))
    if not rows:
        raise DataError(f"{table}: has no rows")
    notes.warnings += extra.warnings()
    return rows, by_column


def _like_split(table: Path, header: list[str], columns: _Columns, notes: Notes) -> str | None:
    """Return the column that names splits under another name, and say whether one is read.

    Such a column is read when all of its cells are names of splits.
    """
    taken = {columns.image, columns.label, columns.group}
    chosen: str | None = None
    for column in (h for h in header if folded(h) in _LIKE_SPLIT and h not in taken):
        with open_text(table) as file:
            cells = Counter((row[column] or "").strip() for row in csv.DictReader(file))
        others = [repr(cell) for cell in cells if cell and split_of(cell) is None]
        if others:
            notes.warnings.append(
                f"the column {column!r} of {table.name} is not read: {some(others)} are no "
                "splits; rename the column to 'split' and its cells to train, valid and test if it "
                "divides the images"
            )
        elif any(cells):
            if chosen is None:
                said = f"the column {column!r} of {table.name} is read as the split"
                chosen = column
            else:
                said = (
                    f"the column {column!r} of {table.name} is not read: {chosen!r} is the split; "
                    "rename the one that is meant to 'split'"
                )
            notes.warnings.append(said)
    return chosen


def _inside(path: Path, named: str) -> str:
    """Return a file's path relative to the folder, with slashes."""
    if Path(named).is_absolute():
        named = os.path.relpath(named, path.absolute())
    return os.path.normpath(named.replace("\\", "/")).replace(os.sep, "/")


def _columns(table: Path, header: list[str], own: OwnOptions) -> _Columns:
    shown = ", ".join(map(repr, header)) or "none"
    twice = [h for h, n in Counter(header).items() if n > 1]
    if twice:
        raise DataError(f"{table}: columns of one name: {', '.join(map(repr, twice))}")
    if header and header[0].lower().startswith("sep="):
        raise DataError(f"{table}: begins with a line for Excel ({header[0]}); delete that line")
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        raise DataError(f"{table}: expected commas between the columns, got {shown}; save it so")

    def column(option: str, stated: str | None, names: Sequence[str]) -> str:
        if stated is not None:
            if stated not in header:
                raise DataError(f"{table}: no column {stated!r} ({option}); it has {shown}")
            return stated
        fitting = [h for h in header if folded(h) in names]
        if len(fitting) != 1:
            several = "several columns" if fitting else "no column"
            raise DataError(
                f"{table}: {several} named {', '.join(fitting or names)}; name one with {option}; "
                f"it has {shown}"
            )
        return fitting[0]

    def optional(name: str) -> str | None:
        return next((h for h in header if folded(h) == name), None)

    group = own.groups if own.groups in header else None
    if own.groups is not None and group is None and "(" not in own.groups:
        raise DataError(
            f"{table}: --groups {own.groups!r} is neither a column nor a regular expression with a "
            f"group in parentheses; the columns are {shown}"
        )
    return _Columns(
        image=column("--image-column", own.image_column, IMAGE_COLUMNS),
        label=column("--label-column", own.label_column, LABEL_COLUMNS),
        split=optional(_SPLIT),
        group=group if own.groups is not None else optional(_GROUP),
    )


def _split(table: Path, line: int, written: str | None) -> Split | None:
    word = (written or "").strip()
    split = split_of(word)
    if word and split is None:
        raise DataError(
            f"{table}: line {line}: split {written!r}; expected train, valid or test, or nothing"
        )
    return split


def _present(path: Path, table: Path, rows: list[_Row], counts: Counter[str]) -> list[_Row]:
    """Return the rows whose file is there, under the name that it has on disk."""
    names = SpelledNames(path)
    present, missing = [], []
    outside = Outside(path, counts)
    for row in rows:
        # What is opened is ``key``: the name as written need not lead to the same file.
        if row.named in outside or row.picture.key in outside:
            continue
        file = path / row.named if Path(row.named).is_absolute() else names.find(row.named)
        if not is_file(file):
            file = names.find(row.picture.key)
        if is_file(file):
            present.append(replace(row, picture=replace(row.picture, file=file)))
        else:
            missing.append(row.named)
    outside.note()
    if not present and not missing:
        raise DataError(f"{table}: all of its {len(rows):,} rows name files outside of {path}")
    if not present:
        raise DataError(
            f"{table}: none of its {len(rows):,} rows names a file in {path}: the table names "
            f"{some(missing)}; the folder has {some(_pictures(path)) or 'no images'}"
        )
    if missing:
        counts[f"file is missing ({some(missing)})"] += len(missing)
    return present


def _pictures(path: Path) -> list[str]:
    """Return the names of a folder's images."""
    return [nfc(f.relative_to(path).as_posix()) for f in pictures_in(path, deep=True)]


def _distinct(table: Path, rows: list[_Row], label_map: LabelMap) -> list[_Row]:
    """Return one row of each file.

    Raises:
        DataError: When rows of one file differ in label, split or group; the first are named.
    """
    first: dict[Path, _Row] = {}
    contradicting: dict[Path, str] = {}
    for row in rows:
        before = first.setdefault(row.picture.file, row)
        for was, now in zip(_said(before, label_map), _said(row, label_map), strict=True):
            if was != now:
                said = (
                    f"{row.picture.key} is {was or 'none'!r} in line {before.line} and "
                    f"{now or 'none'!r} in line {row.line}"
                )
                contradicting.setdefault(row.picture.file, said)
    if contradicting:
        raise DataError(
            f"{table}: {images(len(contradicting))} with contradicting rows: "
            f"{some(list(contradicting.values()))}; correct the table"
        )
    return list(first.values())


def _said(row: _Row, label_map: LabelMap) -> tuple[str, str, str]:
    picture = row.picture
    label = "" if label_map.leaves_out(picture.raw) else label_map.label(picture.raw)
    return picture.raw if label is None else label, picture.split.value, picture.group


def _note_unnamed(path: Path, table: Path, rows: list[_Row], notes: Notes) -> None:
    """Note and count pictures of the folder that no row names."""
    named = {row.picture.file for row in rows}
    others = [f for f in pictures_in(path, deep=True) if f not in named]
    if others:
        notes.beside[f"named by no row of {table.name}"] += len(others)
        names = [nfc(f.relative_to(path).as_posix()) for f in others]
        notes.warnings.append(f"no row of {table.name} names {images(len(others))}: {some(names)}")
