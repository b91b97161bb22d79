"""A model's probabilities for rows of a manifest, as a file (Parquet).

The lab writes it (``pyojeong train --folds``), curation reads it without torch. One row per
predicted sample; the metadata names the manifest, the label set and where the numbers come from.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.atomic_write import atomic_path
from pyojeong.core.errors import DataError, ManifestInvalid
from pyojeong.core.labels import LabelSet, label_set
from pyojeong.parquet import load_pyarrow, open_parquet, write_table

PREDICTIONS_VERSION = 1


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


def read_predictions(path: Path, *, manifest: str) -> Predictions:
    """Read the table.

    Args:
        path: The file.
        manifest: ``manifest_id`` of the data set it is wanted for.

    Raises:
        DataError: When it belongs to another data set.
        ManifestInvalid: When the file is missing, damaged or of another kind.
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
            f"{path}: predictions of another data set (id {of}, wanted {manifest}); make them "
            "again with `pyojeong train EXPERIMENT --folds 5`"
        )
    scores = np.stack([table[name].to_numpy() for name in labels.names], 1).astype(np.float32)
    return Predictions(
        rows=table["row"].to_numpy().astype(np.int64),
        folds=table["fold"].to_numpy().astype(np.int8),
        scores=scores / scores.sum(1, keepdims=True),
        labels=labels,
        manifest=of,
        origin=meta.get("pyojeong.origin", ""),
    )
