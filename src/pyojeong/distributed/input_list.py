"""The list of inputs of one command as a file: each input once, in order, with its content key.

The list is written before anything is read and does not change while the command is resumed. It is
divided into parts of successive rows, one row group each: a part is what one worker reads at a
time. Memory holds one batch of rows; duplicates are found by their keys, a range of keys at a time.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.addresses import is_address
from pyojeong.core.atomic_write import atomic_path, work_folder
from pyojeong.core.errors import DataError, one_line
from pyojeong.core.file_search import REPEATED, Failure
from pyojeong.core.shards import KEY_BYTES, Shard, content_key
from pyojeong.parquet import load_pyarrow, open_parquet, parquet_writer

MOST_ROWS = 1024
"""Inputs of a part."""
_LEAST_ROWS = 32
_PARTS = 128
"""Parts that a short list has at least, so that no worker waits long for the last one."""
_BATCH = 8192
_KEYS_AT_ONCE = 1_000_000


class Entry(NamedTuple):
    """One input of a list.

    Attributes:
        position: In the list without duplicates, from 0; the same in all shards.
        source: Path or address.
        error: Why it could not be found; "" = it is there to be read.
    """

    position: int
    source: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class ListFacts:
    """What a list holds.

    Attributes:
        rows: Inputs of the shard.
        total: Inputs of all shards.
        digest: Of all keys in order: the same in all shards.
        state: Of sizes and times of change of the shard's files, addresses left out.
        part_rows: Inputs of a part; the last one may have fewer.
        left_out: Why inputs are left out -> how many, of all shards.
    """

    rows: int
    total: int
    digest: str
    state: str
    part_rows: int
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return -(-self.rows // self.part_rows)


def write_list(
    path: Path, items: Iterable[str | Failure], shard: Shard, left_out: dict[str, int]
) -> ListFacts:
    """Write the list of a shard's inputs.

    Args:
        path: The file.
        items: All inputs, from a generator perhaps.
        shard: Which of them are kept.
        left_out: Why other inputs are left out; duplicates are added.

    Raises:
        OutputError: When it could not be written.
        MissingExtra: When pyarrow is not installed.
    """
    with work_folder(path) as folder:
        raw = folder / "given.parquet"
        given = _write_raw(raw, items)
        repeated, rows = _repeated(raw, given, shard)
        size = min(MOST_ROWS, max(_LEAST_ROWS, rows // _PARTS))
        if len(repeated):
            left_out = {**left_out, REPEATED: left_out.get(REPEATED, 0) + len(repeated)}
        with atomic_path(path) as whole:
            digest, state = _write_shard(whole, raw, repeated, shard, size)
    return ListFacts(rows, given - len(repeated), digest, state, size, left_out)


def _schema() -> Any:
    arrow, _ = load_pyarrow("a list of inputs")
    # Names of files need not be valid Unicode.
    return arrow.schema(
        [
            ("position", arrow.int64()),
            ("key", arrow.binary(KEY_BYTES)),
            ("source", arrow.binary()),
            ("error", arrow.binary()),
        ]
    )


class _Writer:
    """Writes rows in groups of one size."""

    def __init__(self, writer: Any, size: int) -> None:
        self._arrow, _ = load_pyarrow()
        self._schema = _schema()
        self._writer = writer
        self._size = size
        self._rows: list[tuple[int, bytes, bytes, bytes]] = []

    def add(self, row: tuple[int, bytes, bytes, bytes]) -> None:
        self._rows.append(row)
        if len(self._rows) == self._size:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            columns = zip(*self._rows, strict=True)
            arrays = [
                self._arrow.array(c, f.type) for c, f in zip(columns, self._schema, strict=True)
            ]
            self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
            self._rows = []


def _write_raw(path: Path, items: Iterable[str | Failure]) -> int:
    """Write all inputs as they were given; returns how many."""
    given = 0
    with parquet_writer(path, _schema()) as writer:
        rows = _Writer(writer, _BATCH)
        for given, item in enumerate(items, 1):
            source, error = (item, "") if isinstance(item, str) else (item.path, item.message)
            rows.add((given - 1, content_key(source), os.fsencode(source), os.fsencode(error)))
        rows.flush()
    return given


def _keys(path: Path) -> Iterator[NDArray[np.uint64]]:
    """Yield the keys of successive batches of rows: uint64 (N, 2)."""
    with open_parquet(path) as table:
        for batch in table.batches(_BATCH, columns=["key"]):
            column = batch.column(0)
            data = np.frombuffer(column.buffers()[1], np.uint64)
            yield data.reshape(-1, 2)[column.offset : column.offset + len(column)]


def _repeated(path: Path, given: int, shard: Shard) -> tuple[NDArray[np.int64], int]:
    """Return the rows whose key an earlier row has, and the number of others in the shard."""
    found: list[NDArray[np.int64]] = []
    ranges = max(1, -(-given // _KEYS_AT_ONCE))
    kept = 0
    for turn in range(ranges):
        keys: list[NDArray[np.uint64]] = []
        rows: list[NDArray[np.int64]] = []
        first = 0
        for batch in _keys(path):
            mine = np.flatnonzero(batch[:, 1] % np.uint64(ranges) == turn)
            keys.append(batch[mine])
            rows.append(mine + first)
            first += len(batch)
        every = np.concatenate(keys) if keys else np.zeros((0, 2), np.uint64)
        places = np.concatenate(rows) if rows else np.zeros(0, np.int64)
        order = np.lexsort((places, every[:, 0], every[:, 1]))
        ordered = every[order]
        same = np.zeros(len(order), bool)
        same[1:] = (ordered[1:] == ordered[:-1]).all(axis=1)
        found.append(places[order[same]])
        own = ordered[:, 0] % np.uint64(shard.count) == shard.index - 1
        kept += int((own & ~same).sum())
    return np.sort(np.concatenate(found)), kept


def _write_shard(
    path: Path, raw: Path, repeated: NDArray[np.int64], shard: Shard, size: int
) -> tuple[str, str]:
    """Write the shard's rows; returns the digest of all keys, and that of the files' state."""
    digest, state = hashlib.sha256(), hashlib.sha256()
    position = 0
    with open_parquet(raw) as table, parquet_writer(path, _schema()) as writer:
        rows = _Writer(writer, size)
        for batch in table.batches(_BATCH):
            columns = [column.to_pylist() for column in batch.columns]
            first, last = columns[0][0], columns[0][-1]
            low, high = np.searchsorted(repeated, (first, last + 1))
            skipped = set(repeated[low:high].tolist())
            for row, key, source, error in zip(*columns, strict=True):
                if row in skipped:
                    continue
                digest.update(key)
                if shard.takes(key):
                    state.update(_state(source))
                    rows.add((position, key, source, error))
                position += 1
        rows.flush()
    return digest.hexdigest(), state.hexdigest()


def _state(source: bytes) -> bytes:
    """Return size and time of change of a file; only the name of an address or a missing file."""
    known = ""
    if not is_address(os.fsdecode(source)):
        with suppress(OSError, ValueError):
            file = os.stat(source)  # noqa: PTH116 - names need not be valid Unicode
            known = f"{file.st_size} {file.st_mtime_ns}"
    return source + b"\0" + known.encode() + b"\0"


def read_part(path: Path, part: int) -> list[Entry]:
    """Return the inputs of one part of a list.

    Raises:
        DataError: When the list is damaged.
    """
    try:
        with open_parquet(path) as table:
            return _entries(table.read_row_group(part))
    except (OSError, ValueError, IndexError) as error:
        raise _damaged(path, error) from error


def read_parts(path: Path, parts: Iterable[int]) -> Iterator[tuple[int, list[Entry]]]:
    """Yield the number and the inputs of parts of a list, in the given order.

    Raises:
        DataError: When the list is damaged.
    """
    try:
        with open_parquet(path) as table:
            for part in parts:
                yield part, _entries(table.read_row_group(part))
    except (OSError, ValueError, IndexError) as error:
        raise _damaged(path, error) from error


def _entries(table: Any) -> list[Entry]:
    columns = [table[name].to_pylist() for name in ("position", "source", "error")]
    return [
        Entry(position, os.fsdecode(source), os.fsdecode(error))
        for position, source, error in zip(*columns, strict=True)
    ]


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path}: the list of inputs is damaged ({one_line(error)}): remove its folder, then give "
        "the command again"
    )
