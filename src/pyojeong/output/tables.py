r"""Write and read result tables: one schema, three formats (JSON Lines, CSV, Parquet).

A sink writes to ``<name>.<random>.part`` next to its target, one complete frame at a time. At the
end of the ``with`` block, also after an exception or Ctrl-C, the file is finished with the frames
written so far and renamed to the target; the file under the final name is therefore always
complete. JSON Lines and CSV grow with every frame; Parquet is written in groups of rows.

JSON Lines has one frame per line (``FrameResult.to_dict``). CSV and Parquet have one row per face,
and one row with empty face columns for a frame without faces. Numbers are read back exactly. Text
that is not valid Unicode (a file name in another encoding) is preserved in JSON Lines only; CSV and
Parquet show the invalid bytes as ``\udc..``.
"""

import csv
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self, TextIO

from pyojeong.core.atomic_write import GrowingFile, TextStream, output_errors
from pyojeong.core.errors import DataError, LabelUnknown, OutputError
from pyojeong.core.face import SCHEMA_VERSION, FrameResult
from pyojeong.core.labels import FER7, LabelSet
from pyojeong.core.printable import is_unicode, is_utf8
from pyojeong.core.protocols import Sink
from pyojeong.output.column_spec import ColumnSpec
from pyojeong.output.columns import columns_of
from pyojeong.output.rows import (
    FORMATS,
    PARSERS,
    Row,
    check_header,
    frames,
    rows,
    spreadsheet_text,
    wrong_cell,
)
from pyojeong.output.spreadsheet import MARK, open_csv, plain_cell
from pyojeong.parquet import load_pyarrow, open_parquet, seal

ROWS_PER_GROUP = 1024
"""Number of Parquet rows that are collected in memory and written together."""


class FileSink(ABC):
    """Base class of file sinks: the end of the ``with`` block closes the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Finish the file and rename it to the target; a second call has no effect."""


class _TextSink(FileSink):
    """Base class of the two text sinks."""

    suffix: ClassVar[str]

    def __init__(
        self,
        target: str | os.PathLike[str] | TextIO,
        *,
        labels: LabelSet = FER7,
        timeline: bool = False,
        measures: Collection[str] = (),
        excel: bool = False,
        in_place: bool = False,
    ) -> None:
        self.labels = labels
        self.timeline = timeline
        self.measures = tuple(measures)
        self._excel = excel
        self._columns = columns_of(labels, timeline=timeline, measures=measures)
        self._closed = False
        if isinstance(target, str | os.PathLike):
            self._out: GrowingFile | TextStream = GrowingFile(Path(target), in_place=in_place)
        else:
            self._out = TextStream(target)
        try:
            if head := self._head():
                self._out.append(head)
        except BaseException:
            self._out.discard()
            raise

    def write(self, result: FrameResult, /) -> None:
        """Write the result of one frame.

        Raises:
            OutputError: When the disk is full, the stream is broken or the sink is closed.
            LabelUnknown: When scores have another label set than the table (CSV).
        """
        if self._closed:
            raise OutputError("cannot write: the table is already closed")
        self._out.append(self._text(result))

    def close(self) -> None:
        """Finish the file and rename it to the target; a second call has no effect.

        Raises:
            OutputError: When the finished file could not be renamed.
        """
        if not self._closed:
            self._closed = True
            self._out.finish()

    def _head(self) -> str:
        return ""

    @abstractmethod
    def _text(self, result: FrameResult) -> str:
        """Return the text of one frame."""


class JsonSink(_TextSink):
    r"""Writer of JSON Lines: one frame per line, in UTF-8, or ASCII (``\ud45c``) on other streams.

    Args:
        target: A path (``.jsonl``), or an open text stream, which is not closed.
        labels: Ignored; every line has its own label set.
        timeline: Ignored; every line has all fields.
        measures: Ignored.
        excel: Ignored.
    """

    suffix = ".jsonl"

    def _text(self, result: FrameResult) -> str:
        data = result.to_dict()
        text = json.dumps(data, ensure_ascii=False) + "\n"
        if not is_utf8(self._out.encoding) or not is_unicode(text):
            text = json.dumps(data) + "\n"
        return text


class CsvSink(_TextSink):
    """Writer of CSV in UTF-8 with a header and one row per face; quotes are minimal.

    Args:
        target: A path, or an open text stream, which is not closed.
        labels: Label set of the ``score_`` columns.
        timeline: Include the columns of clips and eyes; see ``output.columns``.
        measures: Additional groups of columns; see ``output.columns.MEASURES``.
        excel: Write for spreadsheets; see ``output.spreadsheet``.
    """

    suffix = ".csv"

    def _head(self) -> str:
        head = ",".join(column.name for column in self._columns) + "\n"
        return MARK + head if self._excel else head

    def _text(self, result: FrameResult) -> str:
        formats = [FORMATS[column.dtype] for column in self._columns]
        if self._excel:
            formats = [spreadsheet_text if f is FORMATS["text"] else f for f in formats]
        text = "".join(
            ",".join("" if v is None else f(v) for f, v in zip(formats, row, strict=True)) + "\n"
            for row in rows(result, self._columns, self.labels)
        )
        encoding = self._out.encoding
        return text.encode(encoding, "backslashreplace").decode(encoding)


def arrow_schema(arrow: Any, columns: Iterable[ColumnSpec]) -> Any:
    """Return the columns as a pyarrow schema."""
    types = {"text": arrow.string(), "int": arrow.int64(), "float": arrow.float64()}
    types |= {"float32": arrow.float32(), "bool": arrow.bool_()}
    return arrow.schema([(c.name, types[c.dtype]) for c in columns])


class ParquetSink(FileSink):
    """Writer of Parquet files with the columns of the CSV table, typed and compressed.

    The file is readable only after it is closed, because its index is written last. If the disk is
    full, there is no file under the final name.

    Args:
        target: A path.
        labels: Label set of the ``score_`` columns.
        timeline: Include the columns of clips and eyes; see ``output.columns``.
        measures: Additional groups of columns; see ``output.columns.MEASURES``.
        excel: Ignored.

    Raises:
        MissingExtra: When pyarrow is not installed.
        OutputError: When the file could not be created.
    """

    suffix = ".parquet"

    def __init__(
        self,
        target: str | os.PathLike[str],
        *,
        labels: LabelSet = FER7,
        timeline: bool = False,
        measures: Collection[str] = (),
        excel: bool = False,
    ) -> None:
        del excel  # for CSV
        if not isinstance(target, str | os.PathLike):
            raise OutputError("a Parquet table cannot go down a stream: name a file or folder")
        arrow, parquet = load_pyarrow("a Parquet table")
        self.labels = labels
        self.timeline = timeline
        self.measures = tuple(measures)
        self._columns = columns_of(labels, timeline=timeline, measures=measures)
        self._schema = arrow_schema(arrow, self._columns)
        self._table = arrow.Table.from_arrays
        self._array = arrow.array
        self._rows: list[Row] = []
        self._closed = False
        self._part = GrowingFile(Path(target))
        # Arrow opens the file, not Python: Ctrl-C cannot strike in the middle of its writing. The
        # name is given as bytes, because as text it must be valid Unicode.
        try:
            with output_errors(target):
                self._file = arrow.OSFile(os.fsencode(self._part.path), "wb")
                self._writer = parquet.ParquetWriter(
                    self._file, self._schema, write_page_checksum=True
                )
        except BaseException:
            self._part.discard()
            raise

    def write(self, result: FrameResult, /) -> None:
        """Write the result of one frame.

        Raises:
            OutputError: When the disk is full or the sink is closed.
            LabelUnknown: When scores have another label set than the table.
        """
        if self._closed:
            raise OutputError("cannot write: the table is already closed")
        self._rows.extend(list(rows(result, self._columns, self.labels)))
        if len(self._rows) >= ROWS_PER_GROUP:
            try:
                self._flush()
            except OSError:
                self._give_up()
                raise

    def close(self) -> None:
        """Write the remaining rows and the index, and rename the file to the target.

        Raises:
            OutputError: When the disk is full or the finished file could not be renamed.
        """
        if self._closed:
            return
        try:
            self._flush()
            with output_errors(self._part.target):
                self._writer.close()
                self._file.close()
                seal(self._part.path)
        except OSError:
            self._give_up()
            raise
        self._closed = True
        self._part.finish()

    def _flush(self) -> None:
        collected, self._rows = self._rows, []
        if collected:
            by_column = zip(*collected, strict=True)
            arrays = [self._array(c, f.type) for c, f in zip(by_column, self._schema, strict=True)]
            with output_errors(self._part.target):
                self._writer.write_table(self._table(arrays, schema=self._schema))

    def _give_up(self) -> None:
        self._closed = True
        self._writer.is_open = False  # a second attempt to close it would fail again
        with suppress(OSError):
            self._file.close()
        self._part.discard()


@contextmanager
def readable(path: str | os.PathLike[str]) -> Iterator[None]:
    """Convert errors of damaged tables to a ``DataError`` with the name of the file."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"table {path}: no such file") from None
    except UnicodeDecodeError as error:
        raise DataError(f"table {path} is not UTF-8: save it as UTF-8") from error
    except (DataError, OSError, ValueError, csv.Error) as error:
        words = " ".join(str(error).split())
        raise DataError(f"table {path} could not be read: {words}") from error


def read_json(path: str | os.PathLike[str]) -> Iterator[FrameResult]:
    """Yield the frames of a JSON Lines file, in order.

    Raises:
        DataError: While iterating, when the file is missing or a line is not a frame.
    """
    with readable(path), Path(path).open(encoding="utf-8-sig", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            try:
                data = json.loads(line)
                if data["schema"] > SCHEMA_VERSION:
                    raise DataError(f"schema {data['schema']}: written by a newer pyojeong")
                result = FrameResult.from_dict(data)
            except RecursionError:
                raise DataError(f"line {number} is not a frame (nested too deeply)") from None
            except (KeyError, TypeError, ValueError, AttributeError, LabelUnknown) as error:
                raise DataError(f"line {number} is not a frame ({error})") from error
            yield result


def read_csv(path: str | os.PathLike[str]) -> Iterator[FrameResult]:
    """Yield the frames of a CSV file, in order; unknown columns are ignored.

    Raises:
        DataError: While iterating, when the file is missing or a row is not a face of a frame.
    """
    with readable(path), open_csv(Path(path)) as (file, marked):
        table = csv.DictReader(file)
        columns = check_header(table.fieldnames or ())
        yield from frames(_typed(table, columns, marked=marked), columns)


def _typed(
    table: Iterable[dict[str, Any]], columns: dict[str, ColumnSpec], *, marked: bool
) -> Iterator[dict[str, Any]]:
    parsers = {**PARSERS, "text": plain_cell} if marked else PARSERS
    kinds = {name: column.dtype for name, column in columns.items()}
    for number, row in enumerate(table, start=1):
        if None in row or None in row.values():
            how = "more" if None in row else "fewer"
            raise DataError(
                f"row {number} is not of this table: it has {how} cells than its header"
            )
        try:
            yield {
                name: None if row[name] == "" and kind != "text" else parsers[kind](row[name])
                for name, kind in kinds.items()
            }
        except (KeyError, TypeError, ValueError) as error:
            wrong = wrong_cell(row, kinds, parsers)
            raise DataError(f"row {number} is not of this table ({wrong})") from error


def read_parquet(path: str | os.PathLike[str]) -> Iterator[FrameResult]:
    """Yield the frames of a Parquet file, in order; unknown columns are ignored.

    Raises:
        MissingExtra: When pyarrow is not installed.
        DataError: While iterating, when the file is missing or a row is not a face of a frame.
    """
    with readable(path), open_parquet(path) as table:
        columns = check_header(table.schema_arrow.names)
        found = (row for batch in table.batches(ROWS_PER_GROUP) for row in batch.to_pylist())
        yield from frames(found, columns)


def require(kinds: Iterable[str]) -> None:
    """Import the libraries for these table formats, before long work starts.

    Raises:
        MissingExtra: When pyarrow is required and not installed.
    """
    if "parquet" in kinds:
        arrow, _ = load_pyarrow("a Parquet table")
        arrow.array([0.0])  # its first array loads pandas where that is installed: 40 MB


SINKS: dict[str, Callable[..., AbstractContextManager[Sink]]] = {
    "json": JsonSink,
    "csv": CsvSink,
    "parquet": ParquetSink,
}
"""Table format -> sink, created with a path (json and csv also with an open text stream)."""

TABLE_READERS: dict[str, Callable[[str | os.PathLike[str]], Iterator[FrameResult]]] = {
    "json": read_json,
    "csv": read_csv,
    "parquet": read_parquet,
}
"""Table format -> reader."""
