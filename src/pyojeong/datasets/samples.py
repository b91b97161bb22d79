"""Labelled samples, and the table that holds a data set of them (the manifest, Parquet).

One row per image. Pixels are either inside the row (``image``, an encoded image) or named by
``path``. The label set's id, the table's version and its identity (``manifest_id``) are in the
Parquet metadata.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pyojeong.core.atomic_write import atomic_path
from pyojeong.core.errors import ManifestInvalid
from pyojeong.core.labels import LabelSet, label_set
from pyojeong.core.one_writer import one_writer
from pyojeong.datasets.manifest_files import (
    MADE_BY,
    changed_ns,
    refuse_stranding,
    require_replaceable,
)
from pyojeong.datasets.manifest_paths import check_path
from pyojeong.parquet import CheckedFile, load_pyarrow, open_parquet, parquet_writer

MANIFEST_VERSION = 3
"""3: rows by path have a ``file_state``; earlier tables are read, without it."""
_ROWS_PER_GROUP = 4096
_BYTES_PER_GROUP = 32 << 20
_ROWS_PER_BATCH = 256


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
    """One labelled image.

    Attributes:
        label: A name of the data set's label set.
        split: What it may be used for.
        image: The encoded image (PNG, JPEG ...), or None when ``path`` names it.
        path: File of the image, or None.
        votes: Counts of ten FER+ columns (8 expressions, unknown, not a face), or None.
        group: Samples of one group (person, sequence) must stay in one split; "" = alone.
        source: Name within the source, for example ``"fer2013.csv:17"``.
        content_hash: ``image.features.content_hash`` of the pixels; "" = unknown or unreadable.
        phash: ``image.features.perceptual_hash``, or None where ``content_hash`` is "".
        decision: What a reviewer decided, in words ("keep", "relabel from sad", ...); "" = nothing.
        file_state: ``manifest_files.file_state`` of ``path`` before it was read; None = unknown.
    """

    label: str
    split: Split
    image: bytes | None = None
    path: str | None = None
    votes: tuple[int, ...] | None = None
    group: str = ""
    source: str = ""
    content_hash: str = ""
    phash: int | None = None
    decision: str = ""
    file_state: int | None = None

    def __post_init__(self) -> None:
        if (self.image is None) == (self.path is None):
            raise ManifestInvalid(f"sample {self.source!r}: needs either image bytes or a path")


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
            ("content_hash", pa.string()),
            ("phash", pa.uint64()),
            ("decision", pa.string()),
            ("file_state", pa.uint64()),
        ],
        metadata={"pyojeong.manifest": str(MANIFEST_VERSION), "pyojeong.labels": labels.id},
    )


def write_manifest(
    path: Path, samples: Iterable[Sample], labels: LabelSet, *, made: str = ""
) -> int:
    """Write samples in streaming fashion, whole or not at all.

    Args:
        path: The ``.parquet`` file.
        samples: The rows; consumed once, never held all in memory.
        labels: The label set that every ``label`` belongs to.
        made: What it is made by (``made_by``), for whoever replaces it.

    Returns:
        Number of rows.

    Raises:
        ManifestInvalid: When a label is not in the set or there is no row.
        MissingExtra: When pyarrow is not installed.
        OutputBusy: When another process writes the file.
        OutputError: When there is a file of another kind.
    """
    pa, _ = load_pyarrow()
    schema = _schema(pa, labels)
    count = newest = 0
    identity, content = (hashlib.sha256(labels.id.encode()) for _ in range(2))
    require_replaceable(path)
    with one_writer(path), atomic_path(path) as temporary:
        with parquet_writer(temporary, schema) as writer:
            for rows in _groups(samples):
                for i, sample in enumerate(rows):
                    if sample.label not in labels.names:
                        raise ManifestInvalid(
                            f"label {sample.label!r} is not in {labels.id}", row=count + i
                        )
                    _identify(identity, sample)
                    _describe(content, sample)
                    if sample.file_state is None:
                        newest = max(newest, changed_ns(sample.path))
                columns = {
                    name: [getattr(s, name) for s in rows]
                    for name in schema.names
                    if name != "split"
                }
                columns["split"] = [s.split.value for s in rows]
                writer.write_table(pa.table(columns, schema=schema))
                count += len(rows)
            digests = {"pyojeong.id": identity.hexdigest()[:32], MADE_BY: made}
            digests["pyojeong.content"] = content.hexdigest()[:32]
            digests["pyojeong.newest_ns"] = str(newest)
            writer.add_key_value_metadata(digests)
        refuse_stranding(path, identity.hexdigest()[:32])
        if not count:
            raise ManifestInvalid("the data set has no samples")
    return count


def _identify(digest: Any, sample: Sample) -> None:
    """Add what makes a row itself: image, label, split, source; no path, no decision."""
    picture = sample.content_hash.encode() or sample.image or b""
    for part in (sample.label, sample.split.value, sample.source):
        digest.update(part.encode() + b"\0")
    digest.update(hashlib.sha256(picture).digest())


def _describe(digest: Any, sample: Sample) -> None:
    """Add everything of a row but where its image lies."""
    _identify(digest, sample)
    more = (sample.votes, sample.group, sample.decision, sample.phash)
    digest.update(json.dumps(more).encode() + b"\0")


def _groups(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    """Yield lists of at most 4,096 samples and about 32 MB of images."""
    rows: list[Sample] = []
    size = 0
    for sample in samples:
        rows.append(sample)
        size += len(sample.image or b"")
        if len(rows) == _ROWS_PER_GROUP or size >= _BYTES_PER_GROUP:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


@contextmanager
def _open(path: Path) -> Iterator[tuple[CheckedFile, LabelSet]]:
    if path.is_dir():
        raise ManifestInvalid(
            f"{path}: is a folder, not a table; make one with `pyojeong data import '{path}' "
            "--out SET.parquet`"
        )
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open_parquet(path))
            meta = file.schema_arrow.metadata or {}
            version = int(meta[b"pyojeong.manifest"])
            labels = label_set(meta[b"pyojeong.labels"].decode())
        except FileNotFoundError:
            raise ManifestInvalid(f"{path}: no such file") from None
        except KeyError:
            raise ManifestInvalid(
                f"{path}: is Parquet, but not a data-set table of pyojeong"
            ) from None
        except (OSError, ValueError) as error:
            raise ManifestInvalid(
                f"{path}: could not be read as a data-set table: {' '.join(str(error).split())}"
            ) from error
        if version > MANIFEST_VERSION:
            raise ManifestInvalid(
                f"{path}: table version {version} is newer than this pyojeong reads"
            )
        yield file, labels


def manifest_labels(path: Path) -> LabelSet:
    """Return the label set of a manifest."""
    with _open(path) as (_, labels):
        return labels


def manifest_id(path: Path) -> str:
    """Identity of a manifest: 32 hexadecimal digits over images, labels, splits and sources.

    Findings and decisions carry it, so that they could not be applied to another data set.
    """
    with _open(path) as (file, labels):
        stored = (file.metadata.metadata or {}).get(b"pyojeong.id")
    if stored is not None:
        return str(stored.decode())
    digest = hashlib.sha256(labels.id.encode())
    for _, sample in read_rows(path, splits=list(Split)):
        _identify(digest, sample)
    return digest.hexdigest()[:32]


def manifest_content(path: Path) -> str:
    """Digest of all that a manifest says, votes, groups and decisions included.

    Results that were made from it carry it; paths of images do not count.
    """
    with _open(path) as (file, labels):
        stored = (file.metadata.metadata or {}).get(b"pyojeong.content")
    if stored is not None:
        return str(stored.decode())
    digest = hashlib.sha256(labels.id.encode())
    for _, sample in read_rows(path, splits=list(Split)):
        _describe(digest, sample)
    return digest.hexdigest()[:32]


def manifest_size(path: Path) -> int:
    """Return the number of rows."""
    with _open(path) as (file, _):
        return int(file.metadata.num_rows)


def read_rows(
    path: Path, *, splits: Iterable[Split], images: bool = True
) -> Iterator[tuple[int, Sample]]:
    """Stream (row number, sample) of the named splits; others never leave this function.

    Args:
        path: The manifest.
        splits: Which splits.
        images: False leaves embedded images out (``image`` is ``b""``): much faster.

    Raises:
        ManifestInvalid: When the file is missing, damaged or of another kind.
    """
    wanted = {Split(s).value for s in splits}
    with _open(path) as (file, _):
        names = [n for n in file.schema_arrow.names if images or n != "image"]
        row = -1
        for batch in _batches(path, file, names):
            for values in batch.to_pylist():
                row += 1
                if values["split"] not in wanted:
                    continue
                votes = values.pop("votes")
                values["split"] = Split(values["split"])
                if not images and values["path"] is None:
                    values["image"] = b""
                check_path(path, row, values["path"])
                yield row, Sample(votes=None if votes is None else tuple(votes), **values)


def _batches(path: Path, file: CheckedFile, names: list[str]) -> Iterator[Any]:
    """Yield small batches of all rows."""
    batches = file.batches(_ROWS_PER_BATCH, names)
    while True:
        with undamaged(path):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


@contextmanager
def undamaged(path: Path) -> Iterator[None]:
    """Turn errors of pyarrow that a damaged table raises into ``ManifestInvalid``."""
    try:
        yield
    except (OSError, ValueError) as error:
        words = " ".join(str(error).split())
        raise ManifestInvalid(
            f"{path}: is damaged ({words}): restore it from a copy, or make it again"
        ) from error


def read_manifest(path: Path, *, splits: Iterable[Split], images: bool = True) -> Iterator[Sample]:
    """Stream the samples of the named splits; see ``read_rows``.

    Raises:
        ManifestInvalid: When the file is missing, damaged or of another kind.
    """
    for _, sample in read_rows(path, splits=splits, images=images):
        yield sample


def read_paths(path: Path) -> Iterator[str]:
    """Stream the files that the rows of all splits name; rows with their image inside name none.

    Raises:
        ManifestInvalid: When the file is missing, damaged or of another kind.
    """
    with _open(path) as (file, _):
        for batch in _batches(path, file, ["path"]):
            yield from (name for name in batch.column(0).to_pylist() if name is not None)


def read_states(path: Path) -> Iterator[tuple[str, str, int | None]]:
    """Stream (path, content_hash, file_state) of the rows that name a file; see ``Sample``.

    Raises:
        ManifestInvalid: When the file is missing, damaged or of another kind.
    """
    with _open(path) as (file, _):
        wanted = ("path", "content_hash", "file_state")  # the last is not in earlier tables
        names = [name for name in wanted if name in file.schema_arrow.names]
        row = 0
        for batch in _batches(path, file, names):
            for name, content, *state in zip(*(batch[n].to_pylist() for n in names), strict=True):
                if name is not None:
                    check_path(path, row, name)
                    yield name, content or "", state[0] if state else None
                row += 1


def read_picked(path: Path, rows: Iterable[int]) -> dict[int, Sample]:
    """Return the samples of given row numbers; reads only the row groups that hold them.

    Raises:
        ManifestInvalid: When a row is not there.
    """
    wanted = sorted(set(rows))
    out: dict[int, Sample] = {}
    with _open(path) as (file, _):
        if wanted and not 0 <= wanted[0] <= wanted[-1] < file.metadata.num_rows:
            raise ManifestInvalid(f"{path}: has {file.metadata.num_rows} rows", row=wanted[-1])
        first = 0
        for group in range(file.metadata.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            here = [r - first for r in wanted if first <= r < first + size]
            if here:
                with undamaged(path):
                    taken = _take(file, group, here)
                for at, values in zip(here, taken, strict=True):
                    votes = values.pop("votes")
                    values["split"] = Split(values["split"])
                    votes = None if votes is None else tuple(votes)
                    out[first + at] = Sample(votes=votes, **values)
            first += size
    return out


def _take(file: CheckedFile, group: int, positions: list[int]) -> list[dict[str, Any]]:
    return list(file.read_row_group(group).take(positions).to_pylist())


def split_hash(samples: Iterable[Sample], *, by_path: bool = False) -> str:
    """Return a digest of a split's images and labels, independent of their order.

    Cards carry it so that two figures can be known to speak of the same images. An image by path
    counts with its pixels (``content_hash``), by its path only where these are not known.

    Args:
        samples: The split.
        by_path: True: as earlier versions had it, images by path with their path. It says nothing
            of pixels; only uses of a test split that those versions wrote down are found by it.
    """
    total = 0
    for sample in samples:
        digest = hashlib.sha256(sample.label.encode() + b"\0" + (sample.image or b""))
        if sample.path is not None:
            pixels = "" if by_path else sample.content_hash
            digest.update((pixels or sample.path).encode())
        total = (total + int.from_bytes(digest.digest(), "big")) % (1 << 256)
    return f"{total:064x}"
