"""Results in parts: one Parquet file for each part of a list of inputs.

A part is written whole or not at all, and what it holds follows from its inputs alone. So a part
that a killed process did not finish is made again, one that two workers finish is the same twice,
and every input has its rows exactly once. Parts have the columns of ``results.parquet``, and before
them the input's position in the list and its content key.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pyojeong.core.atomic_write import atomic_path, remove_stale
from pyojeong.core.errors import DataError, ExperimentError
from pyojeong.core.face import SCHEMA_VERSION, FrameResult
from pyojeong.core.json_record import read_record, write_record
from pyojeong.core.labels import LabelSet, label_set
from pyojeong.core.output_names import as_unicode
from pyojeong.core.shards import Shard, content_key
from pyojeong.distributed.input_list import Entry, ListFacts, read_parts
from pyojeong.output.columns import columns_of
from pyojeong.output.rows import check_header, frames, rows
from pyojeong.output.tables import ROWS_PER_GROUP, arrow_schema, readable
from pyojeong.parquet import load_pyarrow, open_parquet, parquet_writer

FOLDER = "parts"
"""Folder of the parts, in a folder of results."""
LIST = "inputs.parquet"
RUN = "run.json"
_POSITION, _KEY = "position", "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What the parts of a folder are results of.

    Attributes:
        settings: Everything that decides the results, JSON types.
        shard: Which inputs they are of.
        inputs: What the list holds.
        labels: Id of the label set of the scores.
        timeline: Heads and eyes were measured.
        measures: What else was measured; see ``output.columns.MEASURES``.
        formats: Tables that were asked for.
        excel: CSV is for spreadsheets.
        schema: Version of the columns.
        finished: All parts are there.
    """

    settings: Mapping[str, Any]
    shard: Shard
    inputs: ListFacts
    labels: str
    timeline: bool
    measures: tuple[str, ...]
    formats: tuple[str, ...]
    excel: bool
    schema: int = SCHEMA_VERSION
    finished: bool = False

    @property
    def list_digest(self) -> str:
        """Digest of the list of inputs of all shards."""
        return self.inputs.digest

    @property
    def label_set(self) -> LabelSet:
        """The label set of the scores."""
        return label_set(self.labels)

    @property
    def table_options(self) -> dict[str, Any]:
        """Keyword arguments of the tables of these results."""
        return {
            "labels": self.label_set,
            "timeline": self.timeline,
            "measures": self.measures,
            "excel": self.excel,
        }


class PartStore:
    """The folder of parts of one command.

    Args:
        out: The folder of results.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out / FOLDER
        self.list = self.folder / LIST

    @property
    def begun(self) -> bool:
        """Whether a command has written its list of inputs here."""
        return (self.folder / RUN).is_file()

    def facts(self) -> RunFacts:
        """Return what the parts are results of.

        Raises:
            DataError: When the record is missing or damaged.
        """
        file = self.folder / RUN
        cure = f"remove {self.folder}, then give the command that made it again"
        try:
            known = read_record(file, cure=cure)
            inputs = ListFacts(**known.pop("inputs"))
            for name in ("measures", "formats"):
                known[name] = tuple(known[name])
            return RunFacts(**{**known, "shard": Shard(**known["shard"]), "inputs": inputs})
        except ExperimentError as error:
            raise DataError(str(error)) from error
        except (KeyError, TypeError) as error:
            raise DataError(
                f"{file}: was written by another version of pyojeong ({error}); {cure}"
            ) from error

    def write_facts(self, facts: RunFacts) -> None:
        """Write what the parts are results of, whole or not at all."""
        write_record(self.folder / RUN, asdict(facts))

    def clear(self) -> None:
        """Remove everything that a command wrote into the folder."""
        (self.folder / RUN).unlink(missing_ok=True)  # first: without it, the rest is nothing
        for path in (*self.folder.glob("part-*.parquet"), self.list):
            path.unlink(missing_ok=True)
        remove_stale(self.folder)

    def path(self, part: int) -> Path:
        """Return the file of a part."""
        return self.folder / f"part-{part:07d}.parquet"

    def missing(self, parts: int) -> list[int]:
        """Return the numbers of the parts that are not there."""
        there = {entry.name for entry in os.scandir(self.folder)}
        return [part for part in range(parts) if self.path(part).name not in there]

    def write(
        self,
        part: int,
        results: Iterable[tuple[Entry, FrameResult]],
        *,
        labels: LabelSet,
        timeline: bool,
        measures: Collection[str],
    ) -> None:
        """Write a part, whole or not at all.

        Args:
            part: Its number.
            results: Each input with its result, in order.
            labels: The label set of the scores.
            timeline: With the columns of heads and eyes.
            measures: Further groups of columns.

        Raises:
            OutputError: When it could not be written.
        """
        arrow, _ = load_pyarrow()
        columns = columns_of(labels, timeline=timeline, measures=measures)
        schema = arrow_schema(arrow, columns)
        own = [arrow.field(_POSITION, arrow.int64()), arrow.field(_KEY, arrow.string())]
        schema = arrow.schema([*own, *schema])
        found = [
            [entry.position, content_key(entry.source).hex(), *row]
            for entry, result in results
            for row in rows(result, columns, labels)
        ]
        arrays = [
            arrow.array(column, item.type)
            for column, item in zip(zip(*found, strict=True), schema, strict=True)
        ]
        table = arrow.Table.from_arrays(arrays, schema=schema)
        with atomic_path(self.path(part)) as temporary, parquet_writer(temporary, schema) as writer:
            writer.write_table(table)

    def results(self, facts: RunFacts) -> Iterator[tuple[int, FrameResult]]:
        """Yield (position in the list, result) of every input, in order.

        Raises:
            DataError: When a part is damaged or missing, or has other rows than the list.
        """
        for part, entries in read_parts(self.list, range(facts.inputs.parts)):
            path = self.path(part)
            found = 0
            with readable(path), open_parquet(path) as table:
                columns = check_header(table.schema_arrow.names)
                batches = table.batches(ROWS_PER_GROUP, columns=list(columns))
                flat = (row for batch in batches for row in batch.to_pylist())
                for found, result in enumerate(frames(flat, columns), 1):
                    yield _placed(path, entries, found - 1, result)
            if found != len(entries):
                raise _other_rows(path)


def _placed(
    path: Path, entries: Sequence[Entry], at: int, result: FrameResult
) -> tuple[int, FrameResult]:
    """Return a result with its position, and with the name of its input as the list has it."""
    entry = entries[at] if at < len(entries) else None
    if entry is None or as_unicode(entry.source) != result.source:
        raise _other_rows(path)
    error = result.error
    if result.source != entry.source:  # Parquet shows bytes that are no characters in another way
        error = error.replace(result.source, entry.source)
    return entry.position, replace(result, source=entry.source, error=error)


def _other_rows(path: Path) -> DataError:
    return DataError(
        f"{path}: has other rows than the list of inputs: remove this file, then give the command "
        "that made it again"
    )


@dataclass(slots=True)
class Totals:
    """Sums over the results of a list.

    Attributes:
        read: Inputs that were read.
        failed: Inputs that were not.
        faces: Faces.
        labels: Label -> number of faces with that answer.
        failures: The first failures: path and message.
    """

    read: int = 0
    failed: int = 0
    faces: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)
    most_failures: int = 1000

    def add(self, result: FrameResult) -> None:
        """Count one result."""
        if result.error:
            self.failed += 1
            if len(self.failures) < self.most_failures:
                self.failures.append((result.source, result.error))
            return
        self.read += 1
        self.faces += len(result.faces)
        for face in result.faces:
            if face.expression is not None:
                label = face.expression.label
                self.labels[label] = self.labels.get(label, 0) + 1
