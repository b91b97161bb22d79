"""Checks of labels: against what nets read that never saw the image, and against votes."""

import hashlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import DataError, MissingExtra
from pyojeong.core.labels import FERPLUS8, LabelSet
from pyojeong.curate.base_check import BaseCheck
from pyojeong.curate.findings import Finding
from pyojeong.datasets.predictions import Predictions, read_predictions
from pyojeong.datasets.samples import Split, manifest_id, manifest_labels, manifest_size, read_rows


class LabelIssue(BaseCheck):
    """The label is not what out-of-fold predictions say.

    Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset
    Labels" (JAIR 70, arXiv 1911.00068), as cleanlab implements it. The score is one minus
    cleanlab's label quality by normalised margin: 0.5 where the label and the best other class are
    equally likely, 1 where the label is ruled out. Only rows with predictions are judged.

    Args:
        threshold: From this score on an image is suggested for a decision.
        predictions: What ``pyojeong train EXPERIMENT --folds 5`` wrote.

    Raises:
        DataError: When no predictions are named.
    """

    name = "label-issue"
    states = "the label differs from the predictions of nets not trained on the image"
    threshold = 0.7

    def __init__(self, *, threshold: float | None = None, predictions: Path | None = None) -> None:
        super().__init__(threshold=threshold)
        if predictions is None:
            raise DataError(
                "label-issue needs out-of-fold predictions: run `pyojeong train EXPERIMENT --data "
                "SET --folds 5` and give its predictions.parquet with --predictions"
            )
        self.predictions = predictions

    def settings(self) -> dict[str, Any]:
        """Return what decides the scores."""
        return {
            **super().settings(),
            "predictions": self.predictions.name,
            "sha256": file_digest(self.predictions),
        }

    def check_table(
        self,
        manifest: Path,
        *,
        tick: Callable[[int, int], None] | None = None,  # noqa: ARG002 - these are fast
    ) -> Iterator[Finding]:
        """Yield the score of every row that has a prediction."""
        labels = manifest_labels(manifest)
        size = manifest_size(manifest)
        predicted = read_predictions(self.predictions, manifest=manifest_id(manifest), size=size)
        if predicted.labels != labels:
            raise DataError(
                f"{self.predictions} predicts {predicted.labels.id}, {manifest} has {labels.id}"
            )
        given = _given(manifest, predicted, labels)
        scores, sure = label_scores(given, predicted.scores)
        for k, row in enumerate(predicted.rows):
            best = int(predicted.scores[k].argmax())
            wrong = bool(best != given[k])
            share = predicted.scores[k, best]
            said = f"{labels.names[given[k]]}, read as {labels.names[best]} ({share:.2f})"
            yield self.found(
                int(row),
                scores[k],
                said + ("; confident" if sure[k] else ""),
                suggest="relabel" if wrong else "drop",
                label=labels.names[best] if wrong else "",
            )


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file: tables of one name may hold other predictions.

    Raises:
        DataError: When it could not be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: could not be read: {error.strerror or error}") from error


def _given(manifest: Path, predicted: Predictions, labels: LabelSet) -> NDArray[np.int64]:
    label_of = {
        row: labels.index(sample.label)
        for row, sample in read_rows(manifest, splits=list(Split), images=False)
    }
    return np.array([label_of[int(row)] for row in predicted.rows], np.int64)


def label_scores(
    given: NDArray[np.int64], scores: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return one minus label quality, and what confident learning calls an issue.

    Args:
        given: Labels, (N,).
        scores: Out-of-fold probabilities, (N, K).

    Returns:
        float (N,) in [0, 1], higher = worse; bool (N,).

    Raises:
        MissingExtra: When cleanlab is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from cleanlab.filter import find_label_issues
            from cleanlab.rank import get_label_quality_scores
    except ImportError:
        raise MissingExtra("the check for label issues", "curate") from None
    exact = scores.astype(np.float64)
    exact /= exact.sum(1, keepdims=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quality = get_label_quality_scores(given, exact, method="normalized_margin")
        sure = find_label_issues(given, exact, n_jobs=1)
    return np.clip(1 - np.asarray(quality), 0, 1), np.asarray(sure, bool)


class VotesDisagree(BaseCheck):
    """People who voted did not vote for the label.

    The score is one minus the label's share of all votes, those for "unknown" and "not a face"
    included. Rows without votes score 0.
    """

    name = "votes-disagree"
    states = "nobody voted for the label"
    reads_votes = True
    threshold = 0.9

    def check_table(
        self,
        manifest: Path,
        *,
        tick: Callable[[int, int], None] | None = None,  # noqa: ARG002 - these are fast
    ) -> Iterator[Finding]:
        """Yield the score of every row with votes."""
        labels = manifest_labels(manifest)
        for row, sample in read_rows(manifest, splits=list(Split), images=False):
            if sample.votes is None or sum(sample.votes) == 0:
                continue
            shares, other = votes_by_label(sample.votes, labels)
            share = shares[labels.index(sample.label)]
            best = int(np.argmax(shares))
            name = labels.names[best]
            wrong = shares[best] > 0.5 and name != sample.label
            said = f"{sample.label} got {share:.0%} of the votes; {shares[best]:.0%} {name}"
            yield self.found(
                row,
                1 - float(share),
                said + (f", {other:.0%} unknown or no face" if other > 0 else ""),
                suggest="relabel" if wrong else "drop",
                label=name if wrong else "",
            )


def votes_by_label(votes: tuple[int, ...], labels: LabelSet) -> tuple[NDArray[np.float64], float]:
    """Shares of ten FER+ counts by label, and the share of "unknown" and "not a face".

    Contempt, where ``labels`` has none, counts among all votes but for no label.
    """
    counts = np.asarray(votes, np.float64)
    total = max(float(counts.sum()), 1.0)
    shares = np.zeros(len(labels))
    for i, name in enumerate(FERPLUS8.names):
        if name in labels.names:
            shares[labels.names.index(name)] += counts[i]
    return shares / total, float(counts[8:].sum()) / total
