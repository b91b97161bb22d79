"""Soft labels of the training faces, stacked from FER+ votes and out-of-fold predictions.

FER2013 has one label a face, and many are wrong. Two other sources never saw that label: FER+'s
ten annotators, and a net that was trained without the face (``training.folds``). A classifier that
is fitted to both on other faces gives each face a distribution over the labels. It varies far less
than a single label does, so a net that is fitted to it has less noise to memorise.

Papers: stacking, Wolpert, Neural Networks 1992, pages 241-259; learning from soft answers, Hinton
et al. 2015 (arXiv 1503.02531).
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import DataError, ExperimentError, MissingExtra
from pyojeong.core.labels import LabelSet
from pyojeong.datasets.predictions import Predictions, read_predictions
from pyojeong.datasets.samples import (
    Split,
    manifest_id,
    manifest_labels,
    manifest_size,
    read_manifest,
    read_rows,
    split_hash,
)
from pyojeong.training.soft_labels import SoftLabels, in_steps

_FOLDS = 5
_LEAST = 1e-3
"""Added to an answer before its logarithm, so that a zero is no infinity."""

StackingFeatures = NDArray[np.float64]


def relabel(
    manifest: Path,
    predictions: Path,
    *,
    teacher: SoftLabels | None = None,
    share: float = 0.5,
    seed: int = 0,
    done: Callable[[float, float], None] = lambda *_: None,
) -> SoftLabels:
    """Return a distribution for every training face, from votes and out-of-fold answers.

    Args:
        manifest: The data set, with FER+ votes; only Split.TRAIN is read.
        predictions: Out-of-fold answers to that data set (``training.folds``).
        teacher: Cached answers to be mixed with, each view's for itself; they have seen the labels
            of the very faces, but know more of faces than the votes do. None = none.
        share: Of the new labels in the mixture, in (0, 1]; without a teacher it is 1.
        seed: Of the folds the classifier is fitted in.
        done: Called with how well the new labels predict the old ones: accuracy, and mean negative
            log-likelihood.

    Raises:
        DataError: When there are no votes, or a face was not answered.
        ExperimentError: When the share is none, or the teacher answered for other faces.
        MissingExtra: When scikit-learn is not installed.
    """
    if not 0 < share <= 1:
        raise ExperimentError(f"share: expected a number in (0, 1], got {share:g}")
    labels = manifest_labels(manifest)
    digest = split_hash(read_manifest(manifest, splits=[Split.TRAIN]))
    size = manifest_size(manifest)
    answers = read_predictions(predictions, manifest=manifest_id(manifest), size=size)
    witnesses, targets = _stacking_features(manifest, answers, labels)
    mixed = _cross_fitted(witnesses, targets, classes=len(labels), seed=seed)
    right = mixed[np.arange(len(targets)), targets]
    done(float((mixed.argmax(1) == targets).mean()), float(-np.log(right).mean()))
    origin = f"votes and {answers.origin}"
    facts: dict[str, Any] = {
        "augment": None,
        "seed": seed,
        "labels": labels.id,
        "split_sha256": digest,
    }
    if teacher is None:
        return SoftLabels(in_steps(mixed)[None], {"teachers": {origin: 1.0}, **facts})
    teacher.check_faces(labels, digest)
    views = np.stack(
        [
            in_steps(share * mixed + (1 - share) * teacher.probabilities(view))
            for view in range(teacher.views)
        ]
    )
    shares = {
        name: round((1 - share) * part, 4) for name, part in teacher.facts["teachers"].items()
    }
    facts = {**teacher.facts, "teachers": {origin: share, **shares}}
    return replace(teacher, log_probabilities=views, facts=facts)


def _stacking_features(
    manifest: Path, answers: Predictions, labels: LabelSet
) -> tuple[StackingFeatures, NDArray[np.int64]]:
    """Return what is known of each training face beside its label, and the label."""
    index = {name: at for at, name in enumerate(labels.names)}
    row_of = {int(row): at for at, row in enumerate(answers.rows)}
    columns = [answers.labels.names.index(name) for name in labels.names]
    known: list[NDArray[np.float64]] = []
    targets: list[int] = []
    voted = False
    for row, sample in read_rows(manifest, splits=[Split.TRAIN]):
        if row not in row_of:
            raise DataError(
                f"{manifest}: row {row} has no out-of-fold prediction; compute the predictions "
                "of this file"
            )
        votes = np.zeros(10) if sample.votes is None else np.asarray(sample.votes, np.float64)
        voted = voted or bool(votes.any())
        scores = answers.scores[row_of[row], columns].astype(np.float64)
        known.append(np.concatenate([votes / max(votes.sum(), 1), np.log(scores + _LEAST)]))
        targets.append(index[sample.label])
    if not voted:
        raise DataError(
            f"{manifest} has no FER+ votes: import the data set with `pyojeong data import "
            "--votes fer2013new.csv`"
        )
    return np.stack(known), np.array(targets, np.int64)


def _cross_fitted(
    witnesses: StackingFeatures, targets: NDArray[np.int64], *, classes: int, seed: int
) -> NDArray[np.float64]:
    """Return probabilities (N, classes), each by a classifier that did not learn from that face."""
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.model_selection import StratifiedKFold
    except ModuleNotFoundError as error:
        raise MissingExtra("new labels", "train") from error
    out = np.zeros((len(targets), classes))
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    for rest, part in folds.split(witnesses, targets):
        classifier = HistGradientBoostingClassifier(
            max_depth=5, learning_rate=0.06, max_iter=120, random_state=seed
        )
        classifier.fit(witnesses[rest], targets[rest])
        out[np.ix_(part, classifier.classes_)] = classifier.predict_proba(witnesses[part])
    return np.asarray(np.maximum(out, 1e-12), np.float64)
