"""A model on the splits of cut-out faces: figures, calibration, annotators' votes, disturbances.

The test split of a data set is read only for a model whose card already carries a figure for
exactly these images, that is, for a published one: whoever still chooses between models sees
nothing of it here.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.calibration import PRIORS, softmax
from pyojeong.core.card import ModelCard
from pyojeong.core.labels import FER7, FERPLUS8, FERPLUS_TO_FER7
from pyojeong.datasets.layout_ferplus import majority
from pyojeong.datasets.picture_files import decoded
from pyojeong.datasets.samples import Split, read_manifest
from pyojeong.evaluation.accuracy.corruptions import CORRUPTIONS
from pyojeong.evaluation.accuracy.voted import SEVEN
from pyojeong.evaluation.scoring import SplitPredictions, figures, predict_split
from pyojeong.evaluation.test_split_guard import may_show, record_use
from pyojeong.image.preprocess import Pixels, to_gray
from pyojeong.image.tta import COUNTS
from pyojeong.metrics import (
    accuracy,
    answered,
    bootstrap,
    confusion,
    divergence,
    ece_by_chance,
    reliability,
    risk_coverage,
    vote_ece,
)
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.output_head import OutputHead
from pyojeong.vote_calibration import pluralities, shares_of

Say = Callable[[str], None]
Open = Callable[[int], Classifier]
"""Number of views -> the model, opened to read so many, with its ``fer2013`` output."""

_VOTED = len(FERPLUS8)


def split_figures(
    open_with: Open,
    manifest: Path,
    split: Split,
    copies: Sequence[int],
    *,
    say: Say,
    rounds: int = 1000,
) -> dict[str, Any] | None:
    """Return everything that is said of one split.

    Args:
        open_with: The model.
        manifest: The data.
        split: Which split.
        copies: Positions within the split of images that another split nearly repeats.
        say: Progress.
        rounds: Bootstrap rounds.

    Returns:
        The figures of ``scoring.figures`` with ``calibration``, ``votes`` and ``without_copies``,
        and ``more_views``: the same with 2 and 10 views, apart. None when the split is empty or
        may not be shown.
    """
    if next(read_manifest(manifest, splits=[split], images=False), None) is None:
        return None
    if not may_show(open_with(1).card, manifest, split):
        return None
    out: dict[str, Any] = {}
    for views in COUNTS:
        say(f"{split.value}, {views} view{'s' if views > 1 else ''}")
        classifier = open_with(views)
        predictions = predict_split(classifier, manifest, split)
        found = figures(classifier, predictions, rounds=rounds)
        if views > 1:
            found["votes"] = vote_figures(classifier, predictions, rounds=rounds)
            out["more_views"][str(views)] = found
            continue
        out = {**found, "more_views": {}}
        scores = classifier.probabilities(predictions.outputs)
        out["calibration"] = {
            "reliability": reliability(scores, predictions.labels),
            "risk_coverage": risk_coverage(scores, predictions.labels),
            "ece_by_chance": ece_by_chance(scores),
        }
        out["votes"] = vote_figures(classifier, predictions, rounds=rounds)
        out["without_copies"] = _without(scores, predictions, copies, rounds)
    if split is Split.TEST:
        name = open_with(1).card.id
        record_use(manifest, purpose="bench accuracy", model=name, figures=out)
    return out


def _without(
    scores: NDArray[np.float32], predictions: SplitPredictions, copies: Sequence[int], rounds: int
) -> dict[str, Any]:
    """Accuracy on images that no other split repeats, exactly or nearly, and on the others."""
    copied = np.isin(predictions.kept, list(copies))
    out: dict[str, Any] = {}
    for name, here in (("alone", ~copied), ("copied", copied)):
        if here.any():
            value = bootstrap(accuracy, scores[here], predictions.labels[here], rounds=rounds)
            out[name] = {"n": int(here.sum()), "accuracy": value.to_dict()}
    return out


def vote_figures(
    classifier: Classifier, predictions: SplitPredictions, *, rounds: int = 1000
) -> dict[str, Any] | None:
    """Return the model beside FER+'s ten annotators; None when the data has no votes.

    Returns:
        ``majority``: accuracy on images with a majority as FER+'s authors count it, for one of
        the classes; ``plurality``: on all with a single most frequent class; both by the vote head
        (8 classes) and by the main head (7). ``divergence``: mean KL from the votes' shares, nats.
        ``annotators``: per FER2013 label the share of annotators who gave it, beside the model's.
    """
    votes = predictions.votes[:, :_VOTED]
    named = votes.sum(1) > 0
    if not named.any():
        return None
    heads = {"seven": _seven(classifier.probabilities(predictions.outputs))}
    card = classifier.card
    if card.vote_calibration is not None:
        eight = OutputHead.of(card, output="votes", labels=FERPLUS8.id, prior="natural")
        heads["eight"] = eight.probabilities(predictions.outputs).astype(np.float64)
    elif predictions.vote_logits is not None:
        heads["eight"] = softmax(predictions.vote_logits)
    rules = {"majority": _majorities(predictions.votes), "plurality": pluralities(votes)}
    out: dict[str, Any] = {"n": int(named.sum())}
    for rule, target in rules.items():
        out[rule] = {}
        for head, scores in heads.items():
            here = target >= 0
            if head == "seven":
                here &= target != FERPLUS8.index("contempt")
            value = bootstrap(accuracy, scores[here], target[here], rounds=rounds).to_dict()
            out[rule][head] = {"n": int(here.sum()), "accuracy": value}
    shares = votes[named] / votes[named].sum(1, keepdims=True)
    out["divergence"] = {
        head: round(divergence(scores[named], shares), 5) for head, scores in heads.items()
    }
    out["annotators"] = _annotators(heads["seven"], predictions, named)
    if card.vote_calibration is not None:
        out["answers"] = _default_answers(card, predictions, rounds)
    return out


def _default_answers(
    card: ModelCard, predictions: SplitPredictions, rounds: int
) -> dict[str, dict[str, Any]]:
    """Return figures of the default answers (seven labels, each named prior) against the votes.

    Returns:
        Per prior: ``accuracy`` where one of the seven got most votes, ``vote_ece`` and
        ``divergence`` of all faces with votes, ``answered`` at the card's threshold.
    """
    votes = np.maximum(predictions.votes[:, :_VOTED], 0)
    shares, some = shares_of(votes, SEVEN)
    winners = pluralities(votes[some][:, SEVEN])
    clear = winners >= 0
    out = {}
    for prior in PRIORS:
        head = OutputHead.of(card, output="votes", labels=FER7.id, prior=prior)
        scores = head.probabilities(predictions.outputs)[some]
        share, right = answered(scores[clear], winners[clear], threshold=head.threshold)
        out[prior] = {
            "n": len(scores),
            "accuracy": bootstrap(accuracy, scores[clear], winners[clear], rounds=rounds).to_dict(),
            "vote_ece": bootstrap(vote_ece, scores, shares, rounds=rounds).to_dict(),
            "divergence": round(divergence(scores, shares), 5),
            "answered": {"share": round(share, 5), "accuracy": round(right, 5)},
        }
    return out


def _seven(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Scores (N, 7) in FER+'s eight columns; contempt gets nothing."""
    out = np.zeros((len(scores), _VOTED))
    for column, position in enumerate(FERPLUS_TO_FER7):
        if position is not None:
            out[:, column] = scores[:, position]
    return out


def _majorities(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Class of FERPLUS8 by the authors' rule, -1 = none of the eight."""
    names = {name: i for i, name in enumerate(FERPLUS8.names)}
    return np.array(
        [names.get(majority(tuple(row)), -1) if row[0] >= 0 else -1 for row in votes.tolist()]
    )


def _annotators(
    scores: NDArray[np.float64], predictions: SplitPredictions, named: NDArray[np.bool_]
) -> dict[str, dict[str, float]]:
    """Return how often one annotator, and how often the model, gives FER2013's label."""
    columns = [FERPLUS_TO_FER7.index(i) for i in range(len(FER7))]
    votes = predictions.votes[named][:, columns]
    labels, hits = predictions.labels[named], scores[named][:, columns].argmax(1)
    some = votes.sum(1) > 0
    votes, labels, hits = votes[some], labels[some], hits[some]
    share = votes[np.arange(len(votes)), labels] / votes.sum(1)
    out = {}
    for i, name in enumerate(FER7.names):
        here = labels == i
        if here.any():
            row = {"annotator": share[here].mean(), "model": (hits[here] == i).mean()}
            out[name] = {k: round(float(v), 4) for k, v in row.items()}
    return out


def corrupted_figures(
    classifier: Classifier, manifest: Path, split: Split, *, say: Say, rounds: int = 1000
) -> dict[str, Any]:
    """Accuracy on disturbed faces of a split, and the change against the undisturbed, in pairs."""
    gray = classifier.pre.color == "gray"
    samples = list(read_manifest(manifest, splits=[split]))
    read = list(decoded(samples))
    samples = [sample for _, sample, _ in read]
    crops = [to_gray(p) if gray else p for _, _, p in read]
    labels = np.array([classifier.label_set.index(s.label) for s in samples])
    plain = classifier.probabilities(classifier.crop_outputs(crops))
    out: dict[str, Any] = {"split": split.value, "n": len(samples), "slices": {}}
    for name, levels in CORRUPTIONS.items():
        rows = out["slices"][name] = {}
        for level, corrupt in levels.items():
            say(f"{name}: {level}")
            made: Iterable[Pixels] = (corrupt(crop, i) for i, crop in enumerate(crops))
            scores = classifier.probabilities(classifier.crop_outputs(made))
            rows[level] = {
                "accuracy": bootstrap(accuracy, scores, labels, rounds=rounds).to_dict(),
                "change": _change(scores, plain, labels, rounds),
                "answers": np.bincount(scores.argmax(1), minlength=scores.shape[1]).tolist(),
            }
    out["plain_answers"] = confusion(plain, labels).sum(0).tolist()
    return out


def _change(
    scores: NDArray[np.float32],
    plain: NDArray[np.float32],
    labels: NDArray[np.int64],
    rounds: int,
) -> dict[str, float]:
    width = scores.shape[1]
    return bootstrap(
        lambda p, y: accuracy(p[:, :width], y) - accuracy(p[:, width:], y),
        np.hstack([scores, plain]),
        labels,
        rounds=rounds,
    ).to_dict()
