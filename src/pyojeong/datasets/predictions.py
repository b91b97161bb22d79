"""A model's probabilities for rows of a manifest, as a file (Parquet).

The lab writes it (``pyojeong train --folds``), curation reads it without torch. One row per
predicted sample; the metadata names the manifest, the label set and where the numbers come from.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.atomic_write import atomic_path
from pyojeong.core.errors import DataError, ManifestInvalid
from pyojeong.core.labels import LabelSet, label_set
from pyojeong.parquet import load_pyarrow, open_parquet, write_table

PREDICTIONS_VERSION = 1
_SUM_WITHIN = 0.01
"""Sums differ from 1 by so much at most; scores are kept to four digits."""
_CURE = "make the predictions again with `pyojeong train EXPERIMENT --folds 5`"


@dataclass(frozen=True, slots=True)
class Predictions:
    """Probabilities that no net gave for an image it was trained on.

    Attributes:
        rows: int64 (N,), row numbers of the manifest, ascending.
        folds: int8 (N,), the part a row was kept out with; -1 = mean over all nets, none of which
            was trained on it (rows outside the training split).
        scores: float32 (N, K), rows sum to 1, in the order of ``labels``.
        labels: The label set.
        manifest: ``manifest_id`` of the data set.
        origin: What made them, in words.
    """

    rows: NDArray[np.int64]
    folds: NDArray[np.int8]
    scores: NDArray[np.float32]
    labels: LabelSet
    manifest: str
    origin: str


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write the table, whole or not at all; scores are kept to four digits.

    Raises:
        MissingExtra: When pyarrow is not installed.
    """
    pa, _ = load_pyarrow()
    scores = np.round(predictions.scores, 4).astype(np.float32)
    columns = {"row": predictions.rows.astype(np.int32), "fold": predictions.folds}
    columns |= {name: scores[:, i] for i, name in enumerate(predictions.labels.names)}
    meta = {
        "pyojeong.predictions": str(PREDICTIONS_VERSION),
        "pyojeong.labels": predictions.labels.id,
        "pyojeong.manifest_id": predictions.manifest,
        "pyojeong.origin": predictions.origin,
    }
    with atomic_path(path) as temporary:
        write_table(temporary, pa.table(columns, metadata=meta))


def read_predictions(path: Path, *, manifest: str, size: int | None = None) -> Predictions:
    """Read the table, and check that all of it can be used.

    Args:
        path: The file.
        manifest: ``manifest_id`` of the data set it is wanted for.
        size: Number of rows of that data set; None = row numbers may be any.

    Raises:
        DataError: When it belongs to another data set.
        ManifestInvalid: When the file is missing, damaged or of another kind, or when a row is not
            in the data set or there twice, or its scores are no probabilities; the first is named.
    """
    try:
        with open_parquet(path) as file:
            table = file.read()
        meta = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
        labels = label_set(meta["pyojeong.labels"])
        of = meta["pyojeong.manifest_id"]
    except FileNotFoundError:
        raise ManifestInvalid(f"{path}: no such file") from None
    except (KeyError, OSError, ValueError) as error:
        words = " ".join(str(error).split())
        raise ManifestInvalid(f"{path}: is no table of predictions: {words}") from error
    if of != manifest:
        raise DataError(
            f"{path}: predictions of another data set (id {of}, wanted {manifest}); {_CURE}"
        )
    _check_columns(path, table, labels)
    rows = table["row"].to_numpy().astype(np.int64)
    scores = np.stack([table[name].to_numpy() for name in labels.names], 1).astype(np.float32)
    _check_rows(path, rows, size)
    _check_scores(path, rows, scores, labels)
    return Predictions(
        rows=rows,
        folds=table["fold"].to_numpy().astype(np.int8),
        scores=scores / scores.sum(1, keepdims=True),
        labels=labels,
        manifest=of,
        origin=meta.get("pyojeong.origin", ""),
    )


def _check_columns(path: Path, table: Any, labels: LabelSet) -> None:
    """Refuse a table without rows, or whose columns are missing or of another type."""
    pa, _ = load_pyarrow()
    whole, number = pa.types.is_integer, pa.types.is_floating
    wanted = {"row": whole, "fold": whole} | dict.fromkeys(labels.names, number)
    for name, fits in wanted.items():
        if table.column_names.count(name) != 1:
            raise ManifestInvalid(f"{path}: has no column {name!r}, or several; {_CURE}")
        if not fits(table[name].type):
            raise ManifestInvalid(f"{path}: column {name!r} is {table[name].type}; {_CURE}")
        if table[name].null_count:
            raise ManifestInvalid(f"{path}: column {name!r} has empty cells; {_CURE}")
    if not table.num_rows:
        raise ManifestInvalid(f"{path}: holds no predictions; {_CURE}")


def _check_rows(path: Path, rows: NDArray[np.int64], size: int | None) -> None:
    outside = rows[(rows < 0) | (rows >= (np.iinfo(np.int64).max if size is None else size))]
    if len(outside):
        known = "" if size is None else f", which has {size:,} rows"
        raise ManifestInvalid(f"{path}: row {outside[0]} is not in the data set{known}; {_CURE}")
    found, counts = np.unique(rows, return_counts=True)
    if (counts > 1).any():
        raise ManifestInvalid(f"{path}: row {found[counts > 1][0]} is there twice; {_CURE}")


def _check_scores(
    path: Path, rows: NDArray[np.int64], scores: NDArray[np.float32], labels: LabelSet
) -> None:
    for wrong, what in ((~np.isfinite(scores), "no finite number"), (scores < 0, "negative")):
        if wrong.any():
            at, column = np.argwhere(wrong)[0]
            said = f"{labels.names[column]} of row {rows[at]} is {scores[at, column]:g}, {what}"
            raise ManifestInvalid(f"{path}: {said}; {_CURE}")
    sums = scores.sum(1, dtype=np.float64)
    apart = np.flatnonzero(np.abs(sums - 1) > _SUM_WITHIN)
    if len(apart):
        said = f"the scores of row {rows[apart[0]]} sum to {sums[apart[0]]:.3g}, not to 1"
        raise ManifestInvalid(f"{path}: {said}; {_CURE}")
