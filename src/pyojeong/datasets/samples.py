"""Labelled samples, and the table that holds a data set of them (the manifest, Parquet).

One row per image. Pixels are either inside the row (``image``, an encoded picture) or named by
``path``. The label set's id and the table's version stand in the Parquet metadata.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pyojeong.core.errors import ManifestInvalid, MissingExtra
from pyojeong.core.labels import LabelSet, label_set

MANIFEST_VERSION = 1
_ROWS_PER_GROUP = 4096


class Split(StrEnum):
    """What a sample may be used for."""

    TRAIN = "train"
    """Weights are fitted on it (FER2013: Training)."""
    VALID = "valid"
    """Everything is chosen on it: epoch, temperature, thresholds (FER2013: PublicTest)."""
    TEST = "test"
    """Looked at once per published model (FER2013: PrivateTest)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One labelled picture.

    Attributes:
        label: A name of the data set's label set.
        split: What it may be used for.
        image: The encoded picture (PNG, JPEG ...), or None when ``path`` names it.
        path: File of the picture, or None.
        votes: Counts of ten FER+ columns (8 expressions, unknown, not a face), or None.
        group: Samples of one group (person, sequence) must stay in one split; "" = alone.
        source: Name within the source, for example ``"fer2013.csv:17"``.
    """

    label: str
    split: Split
    image: bytes | None = None
    path: str | None = None
    votes: tuple[int, ...] | None = None
    group: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if (self.image is None) == (self.path is None):
            raise ManifestInvalid(f"sample {self.source!r}: needs either image bytes or a path")


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtra("reading and writing data-set tables", "tables") from None
    return pa, pq


def _schema(pa: Any, labels: LabelSet) -> Any:
    return pa.schema(
        [
            ("image", pa.binary()),
            ("path", pa.string()),
            ("label", pa.string()),
            ("votes", pa.list_(pa.int16())),
            ("split", pa.string()),
            ("group", pa.string()),
            ("source", pa.string()),
        ],
        metadata={"pyojeong.manifest": str(MANIFEST_VERSION), "pyojeong.labels": labels.id},
    )


def write_manifest(path: Path, samples: Iterable[Sample], labels: LabelSet) -> int:
    """Write samples in streaming fashion, whole or not at all.

    Args:
        path: The ``.parquet`` file.
        samples: The rows; consumed once, never held all in memory.
        labels: The label set that every ``label`` belongs to.

    Returns:
        Number of rows.

    Raises:
        ManifestInvalid: When a label is not in the set or there is no row.
        MissingExtra: When pyarrow is not installed.
    """
    pa, pq = _pyarrow()
    schema = _schema(pa, labels)
    temporary = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    try:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for rows in _groups(samples):
                for i, sample in enumerate(rows):
                    if sample.label not in labels.names:
                        raise ManifestInvalid(
                            f"label {sample.label!r} is not in {labels.id}", row=count + i
                        )
                columns = {
                    name: [getattr(s, name) for s in rows]
                    for name in schema.names
                    if name != "split"
                }
                columns["split"] = [s.split.value for s in rows]
                writer.write_table(pa.table(columns, schema=schema))
                count += len(rows)
        if not count:
            raise ManifestInvalid("the data set has no samples")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _groups(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    rows: list[Sample] = []
    for sample in samples:
        rows.append(sample)
        if len(rows) == _ROWS_PER_GROUP:
            yield rows
            rows = []
    if rows:
        yield rows


def _open(path: Path) -> tuple[Any, LabelSet]:
    _, pq = _pyarrow()
    try:
        file = pq.ParquetFile(path)
        meta = file.schema_arrow.metadata or {}
        version = int(meta[b"pyojeong.manifest"])
        labels = label_set(meta[b"pyojeong.labels"].decode())
    except FileNotFoundError:
        raise ManifestInvalid(f"{path}: no such file") from None
    except KeyError:
        raise ManifestInvalid(f"{path}: is Parquet, but not a data-set table of pyojeong") from None
    except (OSError, ValueError) as error:
        raise ManifestInvalid(f"{path}: cannot be read as a data-set table: {error}") from error
    if version > MANIFEST_VERSION:
        raise ManifestInvalid(f"{path}: table version {version} is newer than this pyojeong reads")
    return file, labels


def manifest_labels(path: Path) -> LabelSet:
    """The label set of a manifest."""
    return _open(path)[1]


def read_manifest(path: Path, *, splits: Iterable[Split]) -> Iterator[Sample]:
    """Stream the rows of the named splits; rows of other splits never leave this function.

    Raises:
        ManifestInvalid: When the file is missing, damaged or of another kind.
    """
    wanted = {Split(s).value for s in splits}
    file, _ = _open(path)
    with file:
        for batch in file.iter_batches(batch_size=_ROWS_PER_GROUP):
            for row in batch.to_pylist():
                if row["split"] in wanted:
                    votes = row.pop("votes")
                    row["split"] = Split(row["split"])
                    yield Sample(votes=None if votes is None else tuple(votes), **row)


def split_hash(samples: Iterable[Sample]) -> str:
    """A digest of a split's pictures and labels, independent of their order.

    Cards carry it so that two figures can be known to speak of the same pictures.
    """
    total = 0
    for sample in samples:
        digest = hashlib.sha256(sample.label.encode() + b"\0" + (sample.image or b""))
        digest.update((sample.path or "").encode())
        total = (total + int.from_bytes(digest.digest(), "big")) % (1 << 256)
    return f"{total:064x}"
