"""Convert results to flat records, data frames, Arrow tables and files.

The columns are those of ``output.columns``. A frame without a face is one row with empty face
columns.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyojeong.core.atomic_write import atomic_path
from pyojeong.core.errors import BadArray, DataError, LabelUnknown, MissingExtra
from pyojeong.core.face import Face, FrameResult
from pyojeong.core.labels import FER7, LabelSet
from pyojeong.core.video_result import VideoResult
from pyojeong.output.column_spec import ColumnSpec
from pyojeong.output.columns import MEASURES, columns_of
from pyojeong.output.rows import column_values, rows
from pyojeong.output.tables import TABLE_READERS, CsvSink, JsonSink, ParquetSink, arrow_schema
from pyojeong.parquet import load_pyarrow

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Results = FrameResult | Iterable[FrameResult]
"""One frame, or several in order."""

NEVER_EMPTY = frozenset({"source", "index", "time_s", "unclear", "smooth_unclear", "schema"})
"""Columns that have a value in every row."""


def to_records(
    results: Results, *, labels: LabelSet | None = None, timeline: bool | None = None
) -> list[dict[str, Any]]:
    """Convert results to one dictionary per face, from column name to plain value.

    Values that were not measured are None. A frame without faces gives one record with empty face
    columns.

    Args:
        results: One frame, or several in order.
        labels: Label set of the ``score_`` columns; None = the label set of the first face.
        timeline: Include the columns of clips and eyes; None = if a face has values for them.

    Raises:
        LabelUnknown: When faces have scores of different label sets.

    Example:
        >>> from pyojeong import Box, Face, FrameResult, to_records
        >>> result = FrameResult("a.jpg", 0, 0.0, (640, 480), (Face(Box(8, 8, 80, 80), 0.9),))
        >>> to_records(result)[0]["box_x2"]
        80.0
    """
    frames, columns, names = _prepared(results, labels, timeline)
    heads = [column.name for column in columns]
    return [
        dict(zip(heads, row, strict=True))
        for frame in frames
        for row in rows(frame, columns, names)
    ]


def to_dataframe(
    results: Results, *, labels: LabelSet | None = None, timeline: bool | None = None
) -> "pd.DataFrame":
    """Convert results to a pandas DataFrame with one row per face.

    ``unclear`` and ``smooth_unclear`` are booleans without missing values, so ``d[d.unclear]``
    works. ``head_valid``, ``eyes_valid`` and ``gaze_valid`` have pandas' nullable dtype ``boolean``
    (<NA>: not attempted). Integer columns are ``int64``, or ``Int64`` if they can
    be empty.

    Args:
        results: One frame, or several in order.
        labels: Label set of the ``score_`` columns; None = the label set of the first face.
        timeline: Include the columns of clips and eyes; None = if a face has values for them.

    Raises:
        MissingExtra: When pandas is not installed.
        LabelUnknown: When faces have scores of different label sets.

    Example:
        >>> from pyojeong import Box, Face, FrameResult, to_dataframe
        >>> result = FrameResult("a.jpg", 0, 0.0, (640, 480), (Face(Box(8, 8, 80, 80), 0.9),))
        >>> to_dataframe(result)[["source", "box_x1", "score"]].to_dict("records")
        [{'source': 'a.jpg', 'box_x1': 8.0, 'score': 0.9}]
    """
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise MissingExtra("a DataFrame", "pandas") from error
    frames, columns, names = _prepared(results, labels, timeline)
    kinds = _pandas_types(int(pd.__version__.partition(".")[0]))
    values = column_values(frames, columns, names)
    return pd.DataFrame(
        {
            column.name: pd.Series(cells, dtype=kinds[column.dtype, column.name in NEVER_EMPTY])
            for column, cells in zip(columns, values, strict=True)
        }
    )


def _pandas_types(major: int) -> dict[tuple[str, bool], str]:
    text = "str" if major >= 3 else "object"
    return {
        ("text", True): text,
        ("text", False): text,
        ("int", True): "int64",
        ("int", False): "Int64",
        ("float", True): "float64",
        ("float", False): "float64",
        ("float32", False): "float32",
        ("bool", True): "bool",
        ("bool", False): "boolean",
    }


def to_arrow(
    results: Results, *, labels: LabelSet | None = None, timeline: bool | None = None
) -> "pa.Table":
    """Convert results to a pyarrow table with one row per face, as ``to_parquet`` writes it.

    Args:
        results: One frame, or several in order.
        labels: Label set of the ``score_`` columns; None = the label set of the first face.
        timeline: Include the columns of clips and eyes; None = if a face has values for them.

    Raises:
        MissingExtra: When pyarrow is not installed.
        LabelUnknown: When faces have scores of different label sets.

    Example:
        >>> from pyojeong import Box, Face, FrameResult, to_arrow
        >>> result = FrameResult("a.jpg", 0, 0.0, (640, 480), (Face(Box(8, 8, 80, 80), 0.9),))
        >>> to_arrow(result).num_rows
        1
    """
    arrow, _ = load_pyarrow("an Arrow table")
    frames, columns, names = _prepared(results, labels, timeline)
    schema = arrow_schema(arrow, columns)
    values = column_values(frames, columns, names)
    arrays = [arrow.array(c, f.type) for c, f in zip(values, schema, strict=True)]
    return arrow.Table.from_arrays(arrays, schema=schema)


def _prepared(
    results: Results, labels: LabelSet | None, timeline: bool | None
) -> tuple[list[FrameResult], list[ColumnSpec], LabelSet]:
    frames = frames_of(results)
    faces = [face for frame in frames for face in frame.faces]
    sets = [face.expression.label_set for face in faces if face.expression is not None]
    labels = labels or next(iter(sets), FER7)
    others = sorted({each.id for each in sets} - {labels.id})
    if others:
        raise LabelUnknown(
            f"results with scores of {labels.id} and of {', '.join(others)}: a table holds those "
            "of one label set; read the images with one model, or make a table of each"
        )
    if timeline is None:
        timeline = any(map(_has_timeline, faces))
    measures = [name for name in MEASURES if any(getattr(f, name) is not None for f in faces)]
    return frames, columns_of(labels, timeline=timeline, measures=measures), labels


def frames_of(results: Any) -> list[FrameResult]:
    """Return results as a list of frames; results of several clips come one after the other.

    Raises:
        BadArray: When something is no result.
    """
    if isinstance(results, FrameResult):
        return [results]
    frames: list[FrameResult] = []
    for each in results if isinstance(results, Iterable) else [results]:
        if isinstance(each, FrameResult):
            frames.append(each)
        elif isinstance(each, VideoResult | list | tuple):
            frames += frames_of(each)
        else:
            raise BadArray(
                "results",
                expected="a FrameResult or several",
                got=type(results if isinstance(each, str) else each).__name__,
                cure="Pass what Analyzer.analyze, analyze_files or read_video return.",
            )
    return frames


def _has_timeline(face: Face) -> bool:
    parts = (face.pose, face.eyes, face.smoothed, face.baseline_delta, face.luma)
    return any(part is not None for part in parts)


def _written(
    sink: type[CsvSink | ParquetSink],
    results: Results,
    path: str | os.PathLike[str],
    labels: LabelSet | None,
    timeline: bool | None,
    **options: Any,
) -> Path:
    frames, columns, labels = _prepared(results, labels, timeline)
    groups = {column.group for column in columns}
    options |= {"timeline": "timeline" in groups, "measures": groups & set(MEASURES)}
    with (
        atomic_path(Path(path)) as temporary,
        sink(temporary, labels=labels, **options) as table,
    ):
        for frame in frames:
            table.write(frame)
    return Path(path)


def to_csv(
    results: Results,
    path: str | os.PathLike[str],
    *,
    labels: LabelSet | None = None,
    timeline: bool | None = None,
    excel: bool = False,
) -> Path:
    """Write results to a CSV file, as ``pyojeong analyze --format csv`` does.

    The file is written completely or not at all.

    Args:
        results: One frame, or several in order.
        path: Path of the file; an existing file is replaced.
        labels: Label set of the ``score_`` columns; None = the label set of the first face.
        timeline: Include the columns of clips and eyes; None = if a face has values for them.
        excel: Write for Excel: with a UTF-8 byte order mark, and with formulas neutralised.

    Returns:
        The path.

    Raises:
        OutputError: When the file could not be written.
        LabelUnknown: When faces have scores of different label sets.

    Example:
        >>> from pyojeong import FrameResult, to_csv
        >>> to_csv(FrameResult("a.jpg", 0, 0.0, (640, 480)), "results.csv").name
        'results.csv'
    """
    return _written(CsvSink, results, path, labels, timeline, excel=excel)


def to_jsonl(results: Results, path: str | os.PathLike[str]) -> Path:
    """Write results to a JSON Lines file, one frame per line.

    The file is written completely or not at all.

    Args:
        results: One frame, or several in order.
        path: Path of the file; an existing file is replaced.

    Returns:
        The path.

    Raises:
        OutputError: When the file could not be written.

    Example:
        >>> from pyojeong import FrameResult, to_jsonl
        >>> to_jsonl(FrameResult("a.jpg", 0, 0.0, (640, 480)), "results.jsonl").name
        'results.jsonl'
    """
    frames = frames_of(results)
    with atomic_path(Path(path)) as temporary, JsonSink(temporary) as table:
        for frame in frames:
            table.write(frame)
    return Path(path)


def to_parquet(
    results: Results,
    path: str | os.PathLike[str],
    *,
    labels: LabelSet | None = None,
    timeline: bool | None = None,
) -> Path:
    """Write results to a Parquet file with checksums.

    The file is written completely or not at all.

    Args:
        results: One frame, or several in order.
        path: Path of the file; an existing file is replaced.
        labels: Label set of the ``score_`` columns; None = the label set of the first face.
        timeline: Include the columns of clips and eyes; None = if a face has values for them.

    Returns:
        The path.

    Raises:
        OutputError: When the file could not be written.
        MissingExtra: When pyarrow is not installed.
        LabelUnknown: When faces have scores of different label sets.

    Example:
        >>> from pyojeong import FrameResult, to_parquet
        >>> to_parquet(FrameResult("a.jpg", 0, 0.0, (640, 480)), "results.parquet").name
        'results.parquet'
    """
    return _written(ParquetSink, results, path, labels, timeline)


def read_table(path: str | os.PathLike[str]) -> Iterator[FrameResult]:
    """Yield the frames of a result table, in order: CSV, JSON Lines or Parquet, by extension.

    Args:
        path: File written by ``to_csv``, ``to_jsonl``, ``to_parquet``, ``pyojeong analyze`` or
            ``pyojeong video``.

    Raises:
        DataError: When the extension is not supported; while iterating, when the file is missing,
            damaged or not a result table.
        MissingExtra: When pyarrow is required and not installed.

    Example:
        >>> from pyojeong import FrameResult, read_table, to_csv
        >>> [r.source for r in read_table(to_csv(FrameResult("a.jpg", 0, 0.0, (8, 8)), "r.csv"))]
        ['a.jpg']
    """
    kinds = {".csv": "csv", ".jsonl": "json", ".json": "json", ".parquet": "parquet"}
    kind = kinds.get(Path(path).suffix.lower())
    if kind is None:
        raise DataError(f"table {os.fspath(path)}: expected a file that ends in {', '.join(kinds)}")
    return TABLE_READERS[kind](path)
