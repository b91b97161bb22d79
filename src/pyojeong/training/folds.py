"""Out-of-fold predictions: every training image read by a net that never saw it.

The training split is cut into parts; one net per part is trained on the rest. Its last epoch, not
its best, predicts the part: nothing is chosen, so nothing leaks. Rows of Split.VALID get the mean
over the nets. Split.TEST is not read.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pyojeong.core.errors import DataError
from pyojeong.core.inputs import InputCounts
from pyojeong.core.output_files import require_new
from pyojeong.datasets.predictions import Predictions, read_predictions, write_predictions
from pyojeong.datasets.samples import Sample, Split, manifest_id, manifest_labels, read_rows
from pyojeong.training.data.datamodule import FaceDataset
from pyojeong.training.data.faces import load_faces
from pyojeong.training.data.portion import Fold
from pyojeong.training.experiment import Experiment
from pyojeong.training.fitting import TrainingCallbacks
from pyojeong.training.loop import run_name, train
from pyojeong.training.run import Run, load_last

FoldProgress = Callable[[int, dict[str, Any]], None]
"""Called with the fold and its line of ``curves.jsonl`` after every epoch."""

_BATCH = 256


def train_folds(  # noqa: PLR0913 - as for train
    text: str,
    manifest: Path,
    runs: Path,
    *,
    folds: int = 5,
    limit: int | None = None,
    min_steps: int | None = None,
    device: str = "auto",
    devices: int | None = None,
    progress: FoldProgress | None = None,
) -> Path:
    """Train one net per fold (or resume), then write all predictions.

    Args:
        text: The experiment, TOML. Its seed is shifted by the fold's number.
        manifest: The data set.
        runs: Folder of run folders; everything goes to ``<runs>/<name>-folds``.
        folds: Number of parts.
        limit: Only the first training samples of each (smoke tests).
        min_steps: As for ``train``.
        device: Likewise.
        devices: Likewise.
        progress: Called after every epoch.

    Returns:
        ``predictions.parquet``.

    Raises:
        ExperimentError: When the experiment is wrong or a folder belongs to another one.
        DataError: When the data could not be used.
    """
    name = Experiment.from_toml(text).name
    target = runs / f"{name}-folds" / "predictions.parquet"
    require_new(target, unless=lambda data: data.startswith(b"PAR1"))  # predictions are made again
    finished = []
    for index in range(folds):
        fold = Fold(index, folds)

        def show(line: dict[str, Any], index: int = index) -> None:
            if progress is not None:
                progress(index, line)

        run = train(
            text,
            manifest,
            runs,
            limit=limit,
            without=fold,
            min_steps=min_steps,
            device=device,
            devices=devices,
            watch=TrainingCallbacks(epoch=show),
        )
        assert run.folder == runs / run_name(name, fold)  # noqa: S101
        finished.append((fold, run))
    write_predictions(target, predict_folds(finished, manifest))
    return target


def predict_folds(finished: list[tuple[Fold, Run]], manifest: Path) -> Predictions:
    """Predictions of finished folds: train rows by the net that missed them, valid by all.

    Raises:
        DataError: When there is no row to predict.
    """
    labels = manifest_labels(manifest)
    rows: list[NDArray[np.int64]] = []
    scores: list[NDArray[np.float32]] = []
    parts: list[NDArray[np.int8]] = []
    valid = list(read_rows(manifest, splits=[Split.VALID]))
    valid_scores = np.zeros((len(valid), len(labels)), np.float64)
    kept = np.zeros(0, np.int64)
    for fold, run in finished:
        task = load_last(run, num_classes=len(labels))
        pre = run.experiment.preprocess
        missed = [(i, s) for i, s in read_rows(manifest, splits=[Split.TRAIN]) if fold.holds(s)]
        if missed:
            faces = load_faces((s for _, s in missed), labels, gray=pre.color == "gray")
            rows.append(np.array([i for i, _ in missed], np.int64)[faces.kept])
            scores.append(_predict(task.scored, FaceDataset(faces, pre)))
            parts.append(np.full(len(faces), fold.index, np.int8))
        if valid:
            faces = load_faces(_samples(valid), labels, gray=pre.color == "gray")
            kept = faces.kept
            valid_scores[kept] += _predict(task.scored, FaceDataset(faces, pre)) / len(finished)
    if not rows:
        raise DataError(f"{manifest} has no training rows to predict")
    rows.append(np.array([i for i, _ in valid], np.int64)[kept])
    scores.append(valid_scores[kept].astype(np.float32))
    parts.append(np.full(len(kept), -1, np.int8))
    order = np.argsort(np.concatenate(rows), kind="stable")
    first = finished[0][1].experiment
    origin = f"{first.name}, {len(finished)} folds, epoch {first.recipe.epochs}, seed {first.seed}"
    return Predictions(
        rows=np.concatenate(rows)[order],
        folds=np.concatenate(parts)[order],
        scores=np.concatenate(scores)[order],
        labels=labels,
        manifest=manifest_id(manifest),
        origin=origin,
    )


def predicted(file: Path, manifest: Path) -> InputCounts:
    """Return the sums of a file of ``train_folds``: rows of train and valid, those without failed.

    Raises:
        DataError: When the file belongs to another data set.
    """
    given = sum(1 for _ in read_rows(manifest, splits=[Split.TRAIN, Split.VALID], images=False))
    read = len(read_predictions(file, manifest=manifest_id(manifest)).rows)
    return InputCounts(read=read, failed=given - read)


def _samples(rows: list[tuple[int, Sample]]) -> list[Sample]:
    return [sample for _, sample in rows]


def _predict(net: nn.Module, data: FaceDataset) -> NDArray[np.float32]:
    """Return probabilities (N, K): mean over the image and its mirror image."""
    out = []
    with torch.inference_mode():
        for start in range(0, len(data), _BATCH):
            x = data.__getitems__(list(range(start, min(start + _BATCH, len(data))))).inputs
            straight, mirrored = net(x)[0], net(x.flip(-1))[0]
            out.append((straight.softmax(1) + mirrored.softmax(1)).numpy() / 2)
    return np.concatenate(out).astype(np.float32)
