"""Manifests: Parquet files with a column of paths or addresses, read as a stream."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pyojeong.core.addresses import is_address, without_password
from pyojeong.core.errors import DataError, InputError, one_line
from pyojeong.core.file_search import Failure
from pyojeong.image.remote import copied_remote
from pyojeong.parquet import load_pyarrow

COLUMNS = ("uri", "url", "path", "file", "file_name", "filename", "source", "image")
"""Names of the column that is read: the first of them that the file has."""
_ROWS = 8192


def is_manifest(name: str) -> bool:
    """Return whether an input is a manifest: a file that ends in ``.parquet``."""
    return name.partition("?")[0].lower().endswith(".parquet")


def read_manifest_paths(name: str, *, remote: bool = False) -> Iterator[str | Failure]:
    """Yield the inputs that a manifest lists, in order; memory holds one batch of rows.

    Args:
        name: Path of a Parquet file; an address with ``remote``.
        remote: Fetch a manifest behind an address through fsspec, into a temporary file.

    Yields:
        Addresses as they are; paths relative to the manifest's folder, joined to it. Empty cells
        are failures.

    Raises:
        DataError: When it could not be read, or has no column of paths.
        MissingExtra: When pyarrow, or fsspec for an address, is not installed.
    """
    _, parquet = load_pyarrow("a manifest")
    shown = without_password(name)
    try:
        with _opened(name, remote=remote) as stream:
            file = parquet.ParquetFile(stream, pre_buffer=False)
            column = _column(shown, file.schema_arrow)
            base = "" if is_address(name) else os.path.dirname(name)  # noqa: PTH120 - as given
            row = 0
            for group in range(file.num_row_groups):
                batches = file.iter_batches(
                    _ROWS, row_groups=[group], columns=[column], use_threads=False
                )
                for batch in batches:
                    for row, cell in enumerate(batch.column(0).to_pylist(), row + 1):  # noqa: B020
                        yield _joined(base, cell) if cell else _empty(shown, row)
    except (DataError, InputError):
        raise
    except (OSError, ValueError) as error:
        raise DataError(
            f"{shown}: could not be read as a manifest: {one_line(error)}; expected a Parquet file "
            f"with a column {COLUMNS[0]!r} of paths or addresses"
        ) from error


def _opened(name: str, *, remote: bool) -> AbstractContextManager[Any]:
    if is_address(name):
        if not remote:
            raise InputError(f"{without_password(name)}: is an address: add --remote to read it")
        return copied_remote(name)
    return Path(name).open("rb")


def _column(name: str, schema: Any) -> str:
    texts = {field.name for field in schema if str(field.type) in {"string", "large_string"}}
    found = next((column for column in COLUMNS if column in texts), None)
    if found is None:
        there = ", ".join(f"{field.name} ({field.type})" for field in schema)[:200]
        raise DataError(
            f"{name}: has no column of paths: expected text in a column {', '.join(COLUMNS)}; it "
            f"has {there or 'none'}"
        )
    return found


def _joined(base: str, cell: str) -> str:
    return cell if is_address(cell) else os.path.join(base, cell)  # noqa: PTH118 - not normalised


def _empty(name: str, row: int) -> Failure:
    place = f"{name}, row {row:,}"
    return Failure(place, f"{place}: has no path")
