"""A finished run's figures: scores on Split.VALID, cost, time. Split.TEST is not read here."""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pyojeong.core.calibration import softmax
from pyojeong.core.errors import DataError
from pyojeong.core.labels import LabelSet
from pyojeong.datasets.samples import Split, manifest_labels, read_manifest, split_hash
from pyojeong.experiments.cost import measure_cost, milliseconds
from pyojeong.experiments.result_files import RESULT_VERSION
from pyojeong.metrics import fit_temperature, summary
from pyojeong.training.data.datamodule import FaceDataset
from pyojeong.training.data.faces import Faces, load_faces
from pyojeong.training.experiment import Experiment
from pyojeong.training.run import Run, load_picked, read_curves
from pyojeong.training.tta import averaged_views

_BATCH = 128


def logits_of(net: nn.Module, faces: Faces, experiment: Experiment) -> NDArray[np.float32]:
    """Return logits (N, K) of one view of every face.

    ``net`` is a ``HeadedNet`` in evaluation mode.
    """
    data = FaceDataset(faces, experiment.preprocess)
    out = []
    with torch.inference_mode():
        for start in range(0, len(data), _BATCH):
            x = data.__getitems__(list(range(start, min(start + _BATCH, len(data))))).inputs
            out.append(net(x)[0].float().numpy())
    return np.concatenate(out)


def score_split(
    run: Run, manifest: Any, split: Split, *, temperature: float | None = None
) -> dict[str, Any]:
    """Return the figures of one split with 95 % intervals, single view.

    ``answers`` holds the position of every answer in the label set, one digit per image in the
    manifest's order, so that two runs can be compared image by image.

    Args:
        run: A finished run.
        manifest: The data set's Parquet file.
        split: Which split.
        temperature: Divides the logits; None = fitted on this very split (VALID only).

    Raises:
        DataError: When pictures of the split could not be decoded.
    """
    labels: LabelSet = manifest_labels(manifest)
    samples = list(read_manifest(manifest, splits=[split]))
    experiment = run.experiment
    faces = load_faces(iter(samples), labels, gray=experiment.preprocess.color == "gray")
    if len(faces) < len(samples):
        raise DataError(
            f"{manifest}: {len(samples) - len(faces):,} pictures of the {split.value} split could "
            "not be decoded, so its answers could not be compared image by image: find them with "
            "`pyojeong data curate --checks unreadable`, leave them out with `pyojeong data clean`"
        )
    net = load_picked(run, num_classes=len(labels)).scored
    logits = logits_of(net, faces, experiment)
    if temperature is None:
        temperature = round(fit_temperature(logits, faces.labels), 4)
    figures = summary(softmax(logits, temperature), faces.labels, labels.names, threshold=0.0)
    figures.pop("answered")
    return {
        "split": split.value,
        "split_sha256": split_hash(samples),
        "views": 1,
        "temperature": temperature,
        "labels": list(labels.names),
        "answers": "".join(map(str, logits.argmax(1))),
        **figures,
    }


def score_views(run: Run, manifest: Any) -> dict[str, Any]:
    """Return the figures of Split.VALID with perturbed views of each face averaged.

    No temperature.
    """
    labels: LabelSet = manifest_labels(manifest)
    experiment = run.experiment
    samples = read_manifest(manifest, splits=[Split.VALID])
    faces = load_faces(samples, labels, gray=experiment.preprocess.color == "gray")
    net: Any = load_picked(run, num_classes=len(labels)).scored.net
    scores = averaged_views(net, faces, experiment.preprocess, count=experiment.views)
    figures = summary(scores, faces.labels, labels.names, threshold=0.0)
    figures.pop("answered")
    answers = "".join(map(str, scores.argmax(1)))
    return {"split": Split.VALID.value, "views": experiment.views, "answers": answers, **figures}


def settings(experiment: Experiment) -> dict[str, Any]:
    """Return what the table shows of an experiment."""
    pre, recipe, augment = experiment.preprocess, experiment.recipe, experiment.augment
    feature = getattr(pre, "feature", None)
    return {
        "net": experiment.net,
        "net_options": experiment.net_options,
        "size_hw": list(pre.size_hw),
        "color": pre.color,
        "feature": None if feature is None else feature_words(feature),
        "augmented": augment != type(augment)(),
        "loss": recipe.loss,
        "smoothing": recipe.smoothing,
        "class_weights": recipe.class_weights,
        "optimizer": recipe.optimizer,
        "lr": recipe.lr,
        "frozen_lr": recipe.frozen_lr if recipe.frozen_epochs else None,
        "frozen_epochs": recipe.frozen_epochs,
        "schedule": recipe.schedule,
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "ema": recipe.ema,
        "votes": recipe.vote_weight > 0,
        "teacher": recipe.teacher or recipe.soft_labels,
        "mixup": recipe.mixup,
        "pretrained": experiment.pretrained,
        "start": experiment.start,
        "subset": experiment.subset,
        "pick": recipe.pick,
    }


def feature_words(feature: Any) -> str:
    """Return a feature in a few words, for example ``"clahe(clip 5, grid 4)"``."""
    values = {k: v for k, v in asdict(feature).items() if k != "name"}
    words = [f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items()]
    inner = ", ".join(words)
    return f"{feature.name}({inner})" if inner else str(feature.name)


def measure_run(run: Run, manifest: Any) -> dict[str, Any]:
    """Return everything the table needs of a finished run, as JSON types."""
    run.check_files()
    experiment = run.experiment
    pre = experiment.preprocess
    shape = (pre.channels, *pre.size_hw)
    net: Any = load_picked(run, num_classes=len(manifest_labels(manifest))).scored.net
    cost = measure_cost(net, shape)
    curves = read_curves(run.folder / "curves.jsonl")
    done = run.summary
    return {
        **describe(run, experiment),
        "status": "finished",
        "reason": None,
        "picked_epoch": done["epoch"],
        "train_samples": done.get("train_samples"),
        "pictures": done.get("pictures"),
        "valid": score_split(run, manifest, Split.VALID),
        "valid_views": score_views(run, manifest) if experiment.views else None,
        "test": None,
        "params": cost.params,
        "macs": cost.macs,
        "torch_ms": round(milliseconds(net, shape), 3),
        "minutes": round(sum(row["seconds"] for row in curves) / 60, 2),
        "core_minutes": round(sum(row.get("cpu_seconds", 0) for row in curves) / 60, 2),
        "curves": curves,
        "environment": run.environment,
    }


def describe(run: Run, experiment: Experiment) -> dict[str, Any]:
    """Return what identifies a run in the table, finished or not."""
    return {
        "version": RESULT_VERSION,
        "name": experiment.name,
        "seed": experiment.seed,
        "about": experiment.about,
        "settings": settings(experiment),
        "test_split_uses": run.test_split_uses,
    }
