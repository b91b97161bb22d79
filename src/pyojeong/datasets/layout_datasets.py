"""Parquet files as Hugging Face's ``datasets`` keeps them: images and labels in columns.

``data/train-00000-of-00001.parquet`` and the like: ``image`` holds ``bytes`` (and a ``path``),
``label`` is a number whose names are in the metadata, or a name. What ``export_datasets`` writes.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyojeong.core.errors import DataError, ManifestInvalid
from pyojeong.core.labels import FER7, LabelSet
from pyojeong.datasets.label_map import expression
from pyojeong.datasets.layout import Labeller, find_root, held_out, no_votes
from pyojeong.datasets.notes import Notes
from pyojeong.datasets.roots import need_root
from pyojeong.datasets.samples import Sample, Split
from pyojeong.datasets.split_names import split_of
from pyojeong.parquet import open_parquet

MARKER = "data/train-00000-of-00001.parquet with columns image and label (Hugging Face datasets)"
_SHARD = re.compile(r"(?P<split>.+?)-\d{5}-of-\d{5}(-[0-9a-f]+)?")
_BATCH = 256


def _files(path: Path) -> list[Path]:
    """Return the Parquet files of a folder, or of ``data`` in it."""
    places = [path] if path.is_file() else [path / "data", path]
    for place in places:
        files = [place] if place.is_file() else sorted(place.glob("*.parquet"))
        files = [file for file in files if _has_images(file)]
        if files:
            return files
    return []


def _has_images(file: Path) -> bool:
    try:
        with open_parquet(file) as table:
            schema = table.schema_arrow
            if not {"image", "label"} <= set(schema.names):
                return False
            kind = schema.field("image").type
            return bool(kind.num_fields) and kind.get_field_index("bytes") >= 0
    except (OSError, ValueError):
        return False


def is_datasets(path: Path) -> bool:
    """Return whether there are Parquet files with images and labels."""
    return bool(_files(path)) if path.is_file() else find_root(path, _fits) is not None


def _fits(path: Path) -> bool:
    return bool(_files(path))


def _split(file: Path) -> Split | None:
    match = _SHARD.fullmatch(file.stem)
    return split_of(match["split"] if match else file.stem)


def _names(table: Any, file: Path) -> list[str] | None:
    """Return the names of the numbers in ``label``; None where labels are text.

    Raises:
        DataError: When they are numbers without names.
    """
    kind = str(table.schema_arrow.field("label").type)
    if kind in {"string", "large_string"} or kind.startswith("dictionary"):
        return None
    try:
        about = json.loads((table.schema_arrow.metadata or {})[b"huggingface"])
        return [str(name) for name in about["info"]["features"]["label"]["names"]]
    except (KeyError, TypeError, ValueError):
        raise DataError(
            f"{file}: label holds numbers, and the file does not say what they mean (no ClassLabel "
            "of datasets): cast it to ClassLabel, or write the names"
        ) from None


def read_datasets(
    path: Path,
    *,
    votes: Path | None = None,
    labels: LabelSet = FER7,
    skipped: Counter[str] | None = None,
    notes: Notes | None = None,
) -> Iterator[Sample]:
    """Read Parquet files with the columns ``image`` and ``label``; ``group`` is taken over.

    The split is named by the file (``train-00000-of-00001.parquet``); files that name none are for
    training. Without a validation split a tenth of the training images, by a digest of their
    bytes, is held out. Images are kept in the table as they are.

    Raises:
        DataError: When there are no such files, or numbers have no names.
        LabelUnknown: When labels are not understood; all of them are listed.
        ManifestInvalid: When a row holds no image.
    """
    no_votes(votes, "datasets of Hugging Face")
    notes = Notes() if notes is None else notes
    root = path if path.is_file() else need_root(path, _fits, MARKER)
    files = _files(root)
    if not files:
        raise DataError(f"{path}: expected {MARKER}, found nothing of the kind")
    has_valid = any(_split(file) is Split.VALID for file in files)
    known = {name: name for name in labels.names}
    name = Labeller(root, known, labels, skipped)
    for file in files:
        split = _split(file) or Split.TRAIN
        with open_parquet(file) as table:
            columns = [c for c in ("image", "label", "group") if c in table.schema_arrow.names]
            names = _names(table, file)
            rows = (row for batch in table.batches(_BATCH, columns) for row in batch.to_pylist())
            for number, row in enumerate(rows):
                yield from _sample(file, number, row, split, names, name, hold=not has_valid)
    name.finish()


def _sample(
    file: Path,
    number: int,
    row: dict[str, Any],
    split: Split,
    names: list[str] | None,
    name: Labeller,
    *,
    hold: bool,
) -> Iterator[Sample]:
    raw = row["label"]
    if names is not None:
        if not isinstance(raw, int) or not 0 <= raw < len(names):
            name.skip("no label")
            return
        raw = names[raw]
    label = name(expression(str(raw)) or str(raw))
    if label is None:
        return
    cell = row["image"] or {}
    if not cell.get("bytes"):
        raise ManifestInvalid(
            f"{file}: holds no bytes of the image; save the data set with its images embedded",
            row=number,
        )
    if hold and split is Split.TRAIN and held_out(cell["bytes"]):
        split = Split.VALID
    yield Sample(
        label=label,
        split=split,
        image=cell["bytes"],
        group=str(row.get("group") or ""),
        source=f"{file.name}:{number}",
    )
