"""Take people or times out of finished tables, or join people; everything else stays as it is.

Rows are copied, not read into results and written again: columns of other versions and columns
that users added survive.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pyojeong.core.atomic_write import atomic_path, atomic_write
from pyojeong.core.errors import DataError
from pyojeong.core.printable import is_unicode
from pyojeong.core.track_edits import TrackEdits
from pyojeong.output.columns import COLUMNS
from pyojeong.output.rows import FORMATS, cell_of_spreadsheet, check_header, parse_int
from pyojeong.output.spreadsheet import MARK, open_csv
from pyojeong.output.tables import ROWS_PER_GROUP, readable
from pyojeong.parquet import load_pyarrow, open_parquet, write_table

_OF_FRAME = frozenset(column.name for column in COLUMNS if column.group == "frame")
_EMPTY = {column.name: column.missing for column in COLUMNS if column.missing is not None}
"""Values in a row without a face, where they are not empty."""
_NEEDED = ("source", "index", "time_s", "track_id", "face")

R = TypeVar("R")


class _Kept(NamedTuple):
    """A row that stays.

    Attributes:
        row: The row.
        face: Its new number in its frame; None = as it was.
        track: Its new track id; None = as it was.
        emptied: Only what belongs to the frame stays.
    """

    row: Any
    face: int | None = None
    track: int | None = None
    emptied: bool = False


def _track(value: Any) -> int | None:
    """Return the track id in a table.

    Other programs write NaN for empty and 2.0 for whole numbers.
    """
    if value is None or value == "" or value != value:  # noqa: PLR0124 - NaN differs from itself
        return None
    return parse_int(value) if isinstance(value, str) else int(value)


def _check(header: list[str]) -> None:
    """Refuse a table that does not say which face is whose."""
    check_header(header)
    if "track_id" not in header:
        raise DataError("no column track_id: the table does not say which face is whose")


def _kept(rows: Iterable[tuple[Any, Any, Any, R]], edits: TrackEdits) -> Iterator[_Kept]:
    """Decide on rows; a frame that loses all of its faces keeps one row without a face.

    Columns of users are emptied in that row, because they may describe the face.

    Args:
        rows: (frame, time and track id as they are in the table, the row), in order.
        edits: What happens to which faces.
    """
    seen = set()
    for frame, group in groupby(rows, itemgetter(0)):
        if frame in seen:
            raise DataError(
                f"the faces of frame {frame[1]} are not in successive rows: sort the table by "
                "source, index and face"
            )
        seen.add(frame)
        whole = [(row, _track(track), float(time_s)) for _, time_s, track, row in group]
        kept = [(row, track) for row, track, time_s in whole if edits.keeps(track, time_s)]
        edits.check_frame(frame[1], [track for _, track in kept])
        all_stay = len(kept) == len(whole)
        for number, (row, track) in enumerate(kept):
            joined = edits.merged.get(track) if track is not None else None
            yield _Kept(row, None if all_stay else number, joined)
        if not kept:
            yield _Kept(whole[0][0], emptied=True)


def _csv(path: Path, edits: TrackEdits) -> None:
    with open_csv(path) as (file, marked):
        quoted = cell_of_spreadsheet if marked else FORMATS["text"]
        table = csv.reader(file)
        header = next(table, [])
        _check(header)
        source, index, time_s, track, face = map(header.index, _NEEDED)
        padded = (row + [""] * (len(header) - len(row)) for row in table if row)
        with atomic_write(path, "w") as out:
            out.write((MARK if marked else "") + ",".join(map(quoted, header)) + "\n")
            for row, number, joined, emptied in _kept(
                (((row[source], row[index]), row[time_s], row[track], row) for row in padded),
                edits,
            ):
                if number is not None:
                    row[face] = str(number)
                if joined is not None:
                    row[track] = str(joined)
                if emptied:
                    row[:] = [
                        v if n in _OF_FRAME else FORMATS["bool"](_EMPTY[n]) if n in _EMPTY else ""
                        for n, v in zip(header, row, strict=False)
                    ]
                out.write(",".join(map(quoted, row)) + "\n")


def _json(path: Path, edits: TrackEdits) -> None:
    with path.open(encoding="utf-8-sig", newline="\n") as file, atomic_write(path, "w") as out:
        for line in file:
            frame = json.loads(line)
            time_s = float(frame["time_s"])
            kept = [f for f in frame["faces"] if edits.keeps(f.get("track_id"), time_s)]
            edits.check_frame(frame["index"], [f.get("track_id") for f in kept])
            for face in kept:
                if face.get("track_id") in edits.merged:
                    face["track_id"] = edits.merged[face["track_id"]]
            frame["faces"] = kept
            text = json.dumps(frame, ensure_ascii=False)
            # Names of files that are not valid Unicode carry lone surrogates, which UTF-8 cannot.
            out.write((text if is_unicode(text) else json.dumps(frame)) + "\n")


def _parquet(path: Path, edits: TrackEdits) -> None:
    arrow, _ = load_pyarrow("a Parquet table")
    import pyarrow.compute as pc

    with open_parquet(path) as file:
        table = file.read()
    _check(table.column_names)
    source, index, time_s, track, face = (table[name].to_pylist() for name in _NEEDED)
    rows = zip(zip(source, index, strict=True), time_s, track, range(len(track)), strict=True)
    kept = list(_kept(rows, edits))
    numbers = [face[k.row] if k.face is None else k.face for k in kept]
    emptied = arrow.array([k.emptied for k in kept], arrow.bool_())
    out = table.take(arrow.array([k.row for k in kept], arrow.int64()))
    at = table.column_names.index("face")
    of_face = arrow.array(numbers, table.schema.field(at).type, from_pandas=True)
    out = out.set_column(at, table.schema.field(at), of_face)
    at = table.column_names.index("track_id")
    tracks = [track[k.row] if k.track is None else k.track for k in kept]
    of_track = arrow.array(tracks, table.schema.field(at).type, from_pandas=True)
    out = out.set_column(at, table.schema.field(at), of_track)
    if any(k.emptied for k in kept):
        for at, field in enumerate(table.schema):
            if field.name not in _OF_FRAME:
                empty = arrow.scalar(_EMPTY.get(field.name), field.type)
                column = pc.if_else(emptied, empty, out.column(at))
                out = out.set_column(at, field.with_nullable(True), column)
    out = out.replace_schema_metadata(table.schema.metadata)
    with atomic_path(path) as temporary:
        write_table(temporary, out, rows_per_group=ROWS_PER_GROUP)


_REWRITERS: dict[str, Callable[[Path, TrackEdits], None]] = {
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
}


def rewrite_tracks(kind: str, path: Path, edits: TrackEdits) -> None:
    """Rewrite a table without some faces, and with joined tracks; every frame stays.

    Args:
        kind: A key of ``output.tables.SINKS``.
        path: The table.
        edits: What happens to which faces.

    Raises:
        DataError: When the table could not be read, or two people who shall be one are in a frame
            together.
        OutputError: When it could not be written; then it is as it was.
    """
    if kind not in _REWRITERS:
        raise DataError(f"unknown kind of table {kind!r}")
    with readable(path):
        _REWRITERS[kind](path, edits)


def remove_tracks(kind: str, path: Path, tracks: Iterable[int]) -> None:
    """Rewrite a table without the faces of some people; see ``rewrite_tracks``."""
    rewrite_tracks(kind, path, TrackEdits(removed=frozenset(tracks)))
