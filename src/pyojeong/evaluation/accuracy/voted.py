"""A model on photographs with votes: does it give the label that most people would give?

``votes.csv`` (image, agree, one column a label of FERPLUS8) lies beside ``images/``. Images on
whose label the annotators agree count for accuracy; all images with votes count for calibration.
An image in which no face is found counts as wrong. Several faces: the largest is meant.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.calibration import PRIORS
from pyojeong.core.card import ModelCard
from pyojeong.core.errors import DataError
from pyojeong.core.labels import FER7, FERPLUS8
from pyojeong.datasets.layout_voted import person_of
from pyojeong.evaluation.scoring import SplitPredictions
from pyojeong.image.files import read_image
from pyojeong.metrics import (
    Metric,
    accuracy,
    balanced_accuracy,
    bootstrap,
    confusion,
    divergence,
    ece,
    macro_auroc,
    recalls,
    risk_coverage,
    vote_ece,
    widest_threshold,
)
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.runtime.output_head import OutputHead
from pyojeong.vote_calibration import (
    FOLDS,
    VotedFaces,
    cross_fit,
    pluralities,
    shares_of,
)

VOTES = "votes.csv"
TARGET = 0.9
"""The threshold of a bundled model is set where so many of the answers are right."""

SEVEN = tuple(FERPLUS8.names.index(name) for name in FER7.names)
"""Columns of FERPLUS8 in the order of FER7."""

Tick = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class VotedPhotograph:
    """A photograph and its votes.

    Attributes:
        path: The file.
        person: Who it shows: the file's name without its running number.
        votes: Weights of FERPLUS8's labels.
        agreed: The label on which all annotators agree; "" = they do not, or it is unknown.
    """

    path: Path
    person: str
    votes: tuple[float, ...]
    agreed: str


def read_voted_photographs(folder: Path) -> list[VotedPhotograph]:
    """Read ``votes.csv``; images without a vote for any of the labels are left out.

    Raises:
        DataError: When the file is missing, a row is wrong, an image is there twice or lies
            elsewhere, or no photograph has votes.
    """
    file = folder / VOTES
    out = []
    seen: set[Path] = set()
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            for number, row in enumerate(csv.DictReader(stream), start=2):
                found = _photograph(row, folder / "images", f"{file}, line {number}")
                if found.path in seen:
                    raise DataError(f"{file}, line {number}: {found.path.name} is there twice")
                seen.add(found.path)
                if sum(found.votes) > 0:
                    out.append(found)
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise DataError(f"{file} could not be read as votes: {error!r}") from error
    if not out:
        raise DataError(f"{file}: no photograph has a vote for one of the labels")
    return out


def _photograph(row: dict[str, str], images: Path, place: str) -> VotedPhotograph:
    """Return one row of ``votes.csv``; where two labels have most votes, none is agreed on."""
    if Path(row["image"]).name != row["image"]:
        raise DataError(f"{place}: expected the name of a file in images/, got {row['image']!r}")
    votes = tuple(float(row[name]) for name in FERPLUS8.names)
    unknown = float(row.get("unknown") or 0)
    if not all(0 <= v < float("inf") for v in (*votes, unknown)):
        raise DataError(f"{place}: votes must be finite numbers from 0 up")
    best = int(np.argmax(votes))
    alone = votes.count(max(votes)) == 1 and max(votes) > unknown
    agreed = FERPLUS8.names[best] if alone and float(row["agree"]) == 1 else ""
    path = images / row["image"]
    return VotedPhotograph(path, person_of(path.name), votes, agreed)


@dataclass(frozen=True, slots=True)
class VotedOutputs:
    """A network's outputs for N voted photographs.

    Attributes:
        photographs: The N photographs.
        outputs: (N, K) of the first output and (N, 8) of the vote head; zeros where not found.
        found: bool (N,), whether there was a face.
    """

    photographs: Sequence[VotedPhotograph]
    outputs: tuple[NDArray[np.float32], ...]
    found: NDArray[np.bool_]


def read_outputs(
    analyzer: Analyzer, photographs: Sequence[VotedPhotograph], tick: Tick = lambda _: None
) -> VotedOutputs:
    """Find and read the largest face of each photograph."""
    classifier = analyzer.classifier
    sets = [classifier.card.label_set]
    if classifier.card.votes is not None:
        sets.append(classifier.vote_set)
    empty = [np.zeros((1, len(names)), np.float32) for names in sets]
    rows: list[list[NDArray[np.float32]]] = []
    found = np.zeros(len(photographs), bool)
    for i, photograph in enumerate(photographs):
        image = read_image(photograph.path)
        faces = analyzer.detector.detect(image)
        found[i] = bool(faces)
        rows.append(classifier.face_outputs([(image, faces[:1])]) if faces else empty)
        tick(1)
    outputs = tuple(np.concatenate(part) for part in zip(*rows, strict=True))
    return VotedOutputs(photographs, outputs, found)


def voted_faces(read: VotedOutputs) -> VotedFaces:
    """Return the photographs with a found face and a vote for one of the seven labels."""
    votes = np.array([p.votes for p in read.photographs])[read.found]
    shares, some = shares_of(votes, SEVEN)
    kept = [p for p, f in zip(read.photographs, read.found, strict=True) if f]
    kept = [p for p, s in zip(kept, some, strict=True) if s]
    agreed = [FER7.names.index(p.agreed) if p.agreed in FER7.names else -1 for p in kept]
    logits = read.outputs[1][read.found][some][:, SEVEN]
    return VotedFaces(logits, shares, np.array(agreed), [p.person for p in kept])


def natural_faces(predictions: SplitPredictions) -> VotedFaces:
    """Return the faces of a split whose votes are known, with the vote head's logits.

    Raises:
        DataError: When the model has no vote head or the data no votes.
    """
    votes = np.maximum(predictions.votes[:, : len(FERPLUS8)], 0)
    shares, some = shares_of(votes, SEVEN)
    if predictions.vote_logits is None or not len(shares):
        raise DataError("calibrating votes needs a model with a vote head and data with votes")
    agreed = pluralities(votes[some][:, SEVEN])
    return VotedFaces(predictions.vote_logits[some][:, SEVEN], shares, agreed, [""] * len(shares))


def voted_figures(
    card: ModelCard,
    read: VotedOutputs,
    natural: VotedFaces | None,
    *,
    rounds: int = 1000,
) -> dict[str, Any]:
    """Return figures with 95 % intervals, under each named prior and of the FER2013 output.

    Args:
        card: The model's.
        read: Its outputs.
        natural: ``natural_faces`` of the validation split, for the cross-fitted figures.
        rounds: Bootstrap rounds.

    Returns:
        ``n`` (agreed images of the seven labels), ``found``, ``voted`` (all with votes),
        ``by_prior``, ``fer2013`` and, where the model answers with votes, ``default_prior`` and
        ``cross_fitted``.

    Raises:
        DataError: When no agreed photograph has a face.
    """
    truth = np.array(
        [FER7.names.index(p.agreed) if p.agreed in FER7.names else -1 for p in read.photographs]
    )
    votes = np.array([p.votes for p in read.photographs])
    out: dict[str, Any] = {
        "n": int((truth >= 0).sum()),
        "found": int(read.found[truth >= 0].sum()),
        "voted": int((read.found & (votes[:, SEVEN].sum(1) > 0)).sum()),
    }
    if not out["found"]:
        raise DataError("no face was found in any photograph with an agreed label")
    label_head = OutputHead.of(card, output="fer2013")
    if label_head.label_set == FER7:
        out["fer2013"] = _of_head(label_head, read, truth, votes, rounds)
    if card.vote_calibration is None:
        return out
    out["default_prior"] = card.vote_calibration.default_prior
    out["threshold"] = card.vote_calibration.threshold
    out["by_prior"] = {
        prior: _of_head(
            OutputHead.of(card, labels=FER7.id, prior=prior), read, truth, votes, rounds
        )
        for prior in PRIORS
    }
    if natural is not None:
        out["cross_fitted"] = _cross_fitted(card, read, natural, rounds)
    return out


def _of_head(
    head: OutputHead,
    read: VotedOutputs,
    truth: NDArray[np.int64],
    votes: NDArray[np.float64],
    rounds: int,
) -> dict[str, Any]:
    scores = np.zeros((len(truth), len(FER7) + 1))
    scores[:, :-1] = head.probabilities(read.outputs)
    scores[~read.found] = np.eye(len(FER7) + 1)[-1]
    shares, some = shares_of(votes, SEVEN)
    there = read.found & some
    agreed = truth >= 0
    return {
        **_agreed_figures(scores[agreed], truth[agreed], read.found[agreed], rounds),
        **_share_figures(scores[there][:, :-1], shares[read.found[some]], rounds),
        "answered": _answered(
            scores[agreed], truth[agreed], scores[agreed][:, :-1].max(1) >= head.threshold
        ),
    }


def _agreed_figures(
    scores: NDArray[np.float64],
    truth: NDArray[np.int64],
    found: NDArray[np.bool_],
    rounds: int,
) -> dict[str, Any]:
    """Score the images with an agreed label; the last column of the scores is "no face"."""
    out: dict[str, Any] = {}
    for name, metric in (("accuracy", accuracy), ("balanced_accuracy", balanced_accuracy)):
        out[name] = bootstrap(metric, scores, truth, rounds=rounds).to_dict()
    seen, labels = scores[found][:, :-1], truth[found]
    out["ece"] = bootstrap(ece, seen, labels, rounds=rounds).to_dict()
    several = len(np.unique(labels)) > 1
    out["auroc"] = (
        bootstrap(macro_auroc, seen, labels, rounds=rounds).to_dict() if several else None
    )
    values = recalls(scores, truth)[: len(FER7)]
    out["recall"] = {
        name: None if np.isnan(value) else round(float(value), 4)
        for name, value in zip(FER7.names, values, strict=True)
    }
    out["confusion"] = confusion(scores, truth)[: len(FER7)].tolist()
    out["risk_coverage"] = risk_coverage(seen, labels)
    threshold = widest_threshold(seen, labels, target=TARGET)
    out["answered_at_target"] = {
        "target": TARGET,
        "threshold": round(threshold, 4),
        **_answered(scores, truth, scores[:, :-1].max(1) >= threshold),
    }
    return out


def _share_figures(
    scores: NDArray[np.float64], shares: NDArray[Any], rounds: int
) -> dict[str, Any]:
    """Calibration against the votes' shares."""
    out: dict[str, Any] = {}
    metrics: tuple[tuple[str, Metric], ...] = (("vote_ece", vote_ece), ("divergence", divergence))
    for name, metric in metrics:
        out[name] = bootstrap(metric, scores, shares, rounds=rounds).to_dict()
    return out


def _answered(
    scores: NDArray[np.float64], truth: NDArray[np.int64], kept: NDArray[np.bool_]
) -> dict[str, float]:
    right = (scores.argmax(1) == truth)[kept]
    return {
        "share": round(float(kept.mean()), 5),
        "accuracy": round(float(right.mean()), 5) if kept.any() else 0.0,
    }


def _cross_fitted(
    card: ModelCard, read: VotedOutputs, natural: VotedFaces, rounds: int
) -> dict[str, Any] | None:
    """Return the figures of faces that took no part in the calibration: folds by person."""
    faces = voted_faces(read)
    shares = OutputHead.of(card, labels=FER7.id, prior="natural").shares
    assert shares is not None  # noqa: S101 - votes always state their base rates
    held = cross_fit(natural, faces, FER7, shares, target=TARGET)
    if held is None:
        return None
    agreed = faces.agreed >= 0
    n = sum(p.agreed in FER7.names for p in read.photographs)
    right = (held.scores.argmax(1) == faces.agreed)[agreed]
    answered = held.answered[agreed]
    return {
        "folds": FOLDS,
        "people": len(set(faces.groups)),
        "fits": [
            {
                "temperature": f.temperature,
                "balanced_temperature": f.balanced_temperature,
                "between": f.between,
                "prior": f.prior,
                "threshold": f.threshold,
            }
            for f in held.fits
        ],
        "accuracy": round(float(right.sum()) / n, 5),
        "ece": bootstrap(ece, held.scores[agreed], faces.agreed[agreed], rounds=rounds).to_dict(),
        **_share_figures(held.scores, faces.shares, rounds),
        "answered": {
            "share": round(float(answered.sum()) / n, 5),
            "accuracy": round(float(right[answered].mean()), 5) if answered.any() else 0.0,
        },
    }
