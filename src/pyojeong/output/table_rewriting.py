"""Take people out of finished tables; everything else stays as it is in the file.

Rows are copied, not read into results and written again: columns of other versions and columns
that users added survive.
"""

import csv
import io
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from pyojeong.core.atomic_write import atomic_path, atomic_write
from pyojeong.core.errors import DataError
from pyojeong.output.columns import COLUMNS
from pyojeong.output.rows import FORMATS, check_header
from pyojeong.output.tables import ROWS_PER_GROUP, load_pyarrow, readable

_OF_FRAME = frozenset(column.name for column in COLUMNS if column.group == "frame")

Row = dict[str, Any]


def _without(rows: Iterable[Row], tracks: Collection[int], empty: Any) -> Iterator[Row]:
    """Rows without the people's; a frame that loses all of its faces keeps one empty row."""

    def frame_of(row: Row) -> tuple[Any, Any]:
        return row["source"], row["index"]

    for _, group in groupby(rows, frame_of):
        whole = list(group)
        kept = [r for r in whole if r["track_id"] in (None, "") or int(r["track_id"]) not in tracks]
        if len(kept) < len(whole):
            for number, row in enumerate(kept):
                row["face"] = type(row["face"])(number)
        if not kept:
            first = whole[0]
            kept = [{name: v if name in _OF_FRAME else empty for name, v in first.items()}]
        yield from kept


def _csv(path: Path, tracks: Collection[int]) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        header = list(table.fieldnames or ())
        check_header(header)
        quoted = FORMATS["text"]
        with atomic_write(path, "w") as out:
            out.write(",".join(map(quoted, header)) + "\n")
            for row in _without(table, tracks, ""):
                out.write(",".join(quoted(row[name] or "") for name in header) + "\n")


def _json(path: Path, tracks: Collection[int]) -> None:
    with path.open(encoding="utf-8-sig", newline="\n") as file, atomic_write(path, "w") as out:
        for line in file:
            frame = json.loads(line)
            frame["faces"] = [f for f in frame["faces"] if f.get("track_id") not in tracks]
            out.write(json.dumps(frame, ensure_ascii=False) + "\n")


def _parquet(path: Path, tracks: Collection[int]) -> None:
    arrow, parquet = load_pyarrow()
    # Read whole: a file that is open may not be replaced on every system.
    with parquet.ParquetFile(io.BytesIO(path.read_bytes())) as table:
        schema = table.schema_arrow
        check_header(schema.names)
        rows = (row for batch in table.iter_batches() for row in batch.to_pylist())
        with atomic_path(path) as temporary, parquet.ParquetWriter(str(temporary), schema) as out:
            waiting: list[Row] = []
            for row in _without(rows, tracks, None):
                waiting.append(row)
                if len(waiting) == ROWS_PER_GROUP:
                    out.write_table(arrow.Table.from_pylist(waiting, schema=schema))
                    waiting = []
            if waiting:
                out.write_table(arrow.Table.from_pylist(waiting, schema=schema))


_REWRITERS: dict[str, Callable[[Path, Collection[int]], None]] = {
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
}


def remove_tracks(kind: str, path: Path, tracks: Collection[int]) -> None:
    """Rewrite a table without the faces of some people; every frame stays.

    Args:
        kind: A key of ``output.tables.SINKS``.
        path: The table.
        tracks: Numbers of the people.

    Raises:
        DataError: When the table could not be read.
        OutputError: When it could not be written; then it is as it was.
    """
    if kind not in _REWRITERS:
        raise DataError(f"unknown kind of table {kind!r}")
    with readable(path):
        _REWRITERS[kind](path, tracks)
