"""Parquet files with checksums: of every page, and of the index behind them.

Parquet has checksums of pages (``crc`` in their headers), which writers leave out and readers
ignore unless they are asked for. Nothing protects the index: column types, offsets, metadata. Its
SHA-256 is put before it, where readers that do not know it never look.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pyojeong.core.errors import MissingExtra

_MAGIC = b"PAR1"
_SEAL = b"PYJSEAL1"
_SEAL_BYTES = len(_SEAL) + 32
_END_BYTES = 8  # length of the index, then the magic


def load_pyarrow(use: str = "reading and writing data-set tables") -> tuple[Any, Any]:
    """Return the modules ``pyarrow`` and ``pyarrow.parquet``, imported when first needed.

    Args:
        use: What they are needed for, for the error.

    Raises:
        MissingExtra: When pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtra(use, "tables") from None
    return pa, pq


@contextmanager
def parquet_writer(path: Path, schema: Any, *, compression: str = "zstd") -> Iterator[Any]:
    """Yield a ``pyarrow.parquet.ParquetWriter``; the file gets checksums.

    Args:
        path: A temporary file.
        schema: The ``pyarrow.Schema``.
        compression: Of its pages.

    Raises:
        MissingExtra: When pyarrow is not installed.
    """
    arrow, parquet = load_pyarrow()
    # The name is given as bytes, because as text it must be valid Unicode.
    with arrow.OSFile(os.fsencode(path), "wb") as file:
        options = {"compression": compression, "write_page_checksum": True}
        with parquet.ParquetWriter(file, schema, **options) as writer:
            yield writer
    seal(path)


def write_table(path: Path, table: Any, *, rows_per_group: int | None = None) -> None:
    """Write a ``pyarrow.Table`` with checksums into a temporary file.

    Args:
        path: The file.
        table: What is written.
        rows_per_group: Rows of a row group; None = as pyarrow has it.

    Raises:
        MissingExtra: When pyarrow is not installed.
    """
    with parquet_writer(path, table.schema) as writer:
        writer.write_table(table, row_group_size=rows_per_group)


def seal(path: Path) -> None:
    """Put the digest of its index into a finished Parquet file."""
    with path.open("r+b") as file:
        start, index = _index(file)
        file.seek(start)
        end = len(index).to_bytes(4, "little") + _MAGIC
        file.write(_SEAL + hashlib.sha256(index).digest() + index + end)
        file.flush()


def _index(file: IO[bytes]) -> tuple[int, bytes]:
    """Return where the index of an open file begins, and the index."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _END_BYTES, 0))
    end = file.read(_END_BYTES)
    length = int.from_bytes(end[:4], "little")
    start = size - _END_BYTES - length
    if len(end) < _END_BYTES or end[4:] != _MAGIC or start < len(_MAGIC):
        raise OSError("it is no Parquet file, or its end is missing")
    file.seek(start)
    return start, file.read(length)


def is_sealed(path: Path) -> bool:
    """Return whether a Parquet file has checksums; those of others and of earlier versions do not.

    Raises:
        OSError: When the file could not be read, is damaged, or is no Parquet file.
    """
    with path.open("rb") as file:
        start, index = _index(file)
        if start < len(_MAGIC) + _SEAL_BYTES:
            return False
        file.seek(start - _SEAL_BYTES)
        mark = file.read(_SEAL_BYTES)
    if mark[: len(_SEAL)] != _SEAL:
        return False
    if mark[len(_SEAL) :] != hashlib.sha256(index).digest():
        raise OSError("its index is damaged: the checksum differs")
    return True


class CheckedFile:
    """An open Parquet file that compares checksums, and the number of rows with its index.

    A damaged header of a page may hide the page, of which the checksum tells nothing.

    Args:
        file: A ``pyarrow.parquet.ParquetFile``.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self.metadata = file.metadata
        self.schema_arrow = file.schema_arrow
        self.num_row_groups: int = file.num_row_groups

    def read(self, columns: Sequence[str] | None = None) -> Any:
        """Return all rows as a ``pyarrow.Table``.

        Raises:
            OSError: When it is damaged.
            ValueError: Likewise.
        """
        table = self._file.read(columns=columns, use_threads=False)
        return _complete(table, self.metadata.num_rows)

    def read_row_group(self, group: int) -> Any:
        """Return the rows of a group as a ``pyarrow.Table``.

        Raises:
            OSError: When it is damaged.
            ValueError: Likewise.
        """
        table = self._file.read_row_group(group, use_threads=False)
        return _complete(table, self.metadata.row_group(group).num_rows)

    def batches(self, size: int, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """Yield all rows as ``pyarrow.RecordBatch``, of at most ``size`` rows.

        Raises:
            OSError: When it is damaged.
            ValueError: Likewise.
        """
        # By row groups: one call for all would keep what it read.
        for group in range(self.num_row_groups):
            missing = self.metadata.row_group(group).num_rows
            options = {"batch_size": size, "row_groups": [group], "columns": columns}
            for batch in self._file.iter_batches(**options, use_threads=False):
                missing -= batch.num_rows
                yield batch
            if missing:
                raise OSError(f"{abs(missing):,} rows are missing or too many: it is damaged")


def _complete(table: Any, rows: int) -> Any:
    if table.num_rows != rows:
        raise OSError(f"it should have {rows:,} rows and has {table.num_rows:,}: it is damaged")
    return table


@contextmanager
def open_parquet(path: str | os.PathLike[str]) -> Iterator[CheckedFile]:
    """Yield an open Parquet file that checks what it reads.

    Files without checksums are read as they are.

    Raises:
        OSError: When the file could not be read or is damaged.
        ValueError: When it is no Parquet file.
        MissingExtra: When pyarrow is not installed.
    """
    _, parquet = load_pyarrow("a Parquet table")
    is_sealed(Path(path))
    # Opened here, because pyarrow takes only names that are valid Unicode.
    with Path(path).open("rb") as source:
        # Reading ahead starts threads, of which some abort when the process ends (pyarrow 26).
        options = {"page_checksum_verification": True, "pre_buffer": False}
        yield CheckedFile(parquet.ParquetFile(source, **options))
