"""Choosing how logits become probabilities, on the validation split alone.

Two candidates from Guo et al. 2017 (arXiv 1706.04599), section 4.2: one temperature, or vector
scaling (a factor and an offset per class). Cross-validation within the split decides, by negative
log-likelihood; the winner is then fitted on the whole split.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pyojeong.core.calibration import calibrated
from pyojeong.core.card import VoteCalibration
from pyojeong.core.labels import FERPLUS8, LabelSet
from pyojeong.metrics import (
    answered,
    ece,
    fit_temperature,
    fit_threshold,
    fit_vote_temperature,
    nll,
)
from pyojeong.runtime.output_head import checked_threshold
from pyojeong.vote_calibration import natural_prior, pluralities, rounded_shares, shares_of
from pyojeong.zoo import DEFAULT_MODEL, find

RIDGE = 1e-3
"""Pulls the factors of vector scaling towards one another and its offsets towards 0."""

FOLDS, REPEATS = 5, 3

TARGET_ACCURACY, TARGET_RISK = 0.85, 0.05
"""The threshold for "unclear" is set on VALID so that this share of the given answers is right, on
other faces of the same kind too, but for this risk."""

MIN_CLEAR = 300
"""So many pictures of VALID are needed to set a threshold."""

WEIGHT_OF_ONE = 100
"""Images that the temperature 1 counts for where a validation split is small."""

MIN_VOTED = 200
"""So many faces of VALID need votes before the vote head is calibrated and answers."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """probabilities = softmax(scale * logits / temperature + offset).

    Attributes:
        temperature: One number for all classes.
        scale: Factor per class, or None for 1.
        offset: Added per class, or None for 0.
    """

    temperature: float
    scale: tuple[float, ...] | None = None
    offset: tuple[float, ...] | None = None

    def __call__(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return logits (N, K) -> probabilities (N, K)."""
        return calibrated(logits, self.temperature, self.scale, self.offset)


Fit = Callable[[NDArray[np.floating], NDArray[np.integer]], Calibration]


def temperature_scaling(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> Calibration:
    """Return the one temperature with the least negative log-likelihood."""
    return Calibration(round(fit_temperature(logits, labels), 4))


def cautious_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> Calibration:
    """Return the fitted temperature, drawn towards 1 as if by ``WEIGHT_OF_ONE`` images."""
    share = len(labels) / (len(labels) + WEIGHT_OF_ONE)
    return Calibration(round(fit_temperature(logits, labels) ** share, 4))


def vector_scaling(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> Calibration:
    """Factor and offset per class with the least penalised negative log-likelihood (L-BFGS)."""
    z = torch.tensor(np.asarray(logits), dtype=torch.float64)
    y = torch.tensor(np.asarray(labels), dtype=torch.int64)
    scale = torch.ones(z.shape[1], dtype=torch.float64, requires_grad=True)
    offset = torch.zeros(z.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([scale, offset], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(z * scale + offset, y)
        loss = loss + RIDGE * ((scale - scale.mean()).square().sum() + offset.square().sum())
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    rounded = [tuple(round(float(v), 4) for v in part.detach()) for part in (scale, offset)]
    return Calibration(1.0, rounded[0], rounded[1])


FITS: dict[str, Fit] = {"temperature": temperature_scaling, "vector": vector_scaling}


def choose_calibration(
    logits: NDArray[np.floating], labels: NDArray[np.integer]
) -> tuple[Calibration, dict[str, dict[str, float]]]:
    """Return the better of ``FITS``, fitted on everything, and the cross-validated figures of all.

    Fewer than ``MIN_CLEAR`` images say too little for a factor per class, and drive a temperature
    to extremes: then it is drawn towards 1. A factor of a class that is not positive would turn
    the network's answers round, and is no calibration: then the temperature is taken.

    Args:
        logits: (N, K) of the validation split.
        labels: (N,).
    """
    fits = FITS if len(labels) >= MIN_CLEAR else {"temperature": cautious_temperature}
    fitted = {name: fit(logits, labels) for name, fit in fits.items()}
    usable = [name for name, found in fitted.items() if min(found.scale or (1.0,)) > 0]
    figures = {name: _cross_validate(fits[name], logits, labels) for name in usable}
    best = min(figures, key=lambda name: figures[name]["nll"])
    return fitted[best], figures


def _cross_validate(
    fit: Fit, logits: NDArray[np.floating], labels: NDArray[np.integer]
) -> dict[str, float]:
    scores = []
    for repeat in range(REPEATS):
        fold = np.random.default_rng(repeat).permutation(len(labels)) % FOLDS
        out = np.zeros(logits.shape)
        for k in range(FOLDS):
            held = fold == k
            out[held] = fit(logits[~held], labels[~held])(logits[held])
        right = float((out.argmax(1) == labels).mean())
        scores.append((nll(out, labels), ece(out, labels), right))
    means = np.mean(scores, axis=0)
    return {k: round(float(v), 5) for k, v in zip(("nll", "ece", "accuracy"), means, strict=True)}


def choose_threshold(
    scores: NDArray[np.floating], labels: NDArray[np.integer], *, given: float | None
) -> tuple[float, str]:
    """Return the threshold for "unclear", and one sentence that says where it comes from.

    Fewer than ``MIN_CLEAR`` pictures say too little: the threshold that holds on other pictures
    too would leave most of them unanswered. Then the bundled model's is taken.

    Args:
        scores: (N, K), calibrated, of the validation split.
        labels: (N,).
        given: The threshold that was asked for; None = fit it.
    """
    if given is not None:
        value, words = checked_threshold(given), "as asked for"
    elif len(labels) < MIN_CLEAR:
        votes = find(DEFAULT_MODEL).card.vote_calibration
        assert votes is not None  # noqa: S101 - the bundled model has them
        value = votes.threshold
        words = (
            f"that of {DEFAULT_MODEL}, because {len(labels):,} validation pictures are too few "
            f"to set one (at least {MIN_CLEAR}; --threshold sets your own)"
        )
    else:
        value = fit_threshold(scores, labels, target=TARGET_ACCURACY, risk=TARGET_RISK)
        words = f"set so that {TARGET_ACCURACY:.0%} of the answers are right on other pictures too"
    value = round(value, 4)
    share, right = answered(scores, labels, threshold=value)
    rightly = f", {right:.1%} of those rightly" if share else ""
    return value, (
        f"unclear below {value}, {words}: {share:.1%} of the validation pictures are "
        f"answered{rightly}"
    )


def label_shares(labels: NDArray[np.integer], names: LabelSet) -> dict[str, float] | None:
    """Return the base rates of labels (N,); None for fewer than two of the names.

    A name that does not occur counts as half an image: base rates of 0 allow no others.
    """
    counts = np.bincount(labels, minlength=len(names))
    if (counts > 0).sum() < 2:
        return None
    return rounded_shares(np.maximum(counts, 0.5), names)


def calibrate_votes(
    logits: NDArray[np.floating],
    votes: NDArray[np.integer],
    trained: NDArray[np.floating],
    labels: LabelSet,
) -> VoteCalibration | None:
    """Fit a vote head on the votes of the validation split alone.

    Args:
        logits: (N, 8) of the head, in the order of FERPLUS8.
        votes: Counts (N, 8) of the same faces; rows below 0 have none.
        trained: Counts (M, 8) of the training faces, whose mean shares are the base rates.
        labels: The labels that the model answers with.

    Returns:
        The calibration under the natural base rates; None when fewer than ``MIN_VOTED`` faces have
        votes, no label won any, a label got none in training, or the head does not know the labels.
    """
    if not set(labels.names) <= set(FERPLUS8.names):
        return None
    columns = [FERPLUS8.names.index(name) for name in labels.names]
    shares, some = shares_of(np.maximum(votes, 0), columns)
    if len(shares) < MIN_VOTED or not len(trained) or not trained.any(0).all():
        return None
    logits = logits[some][:, columns]
    temperature = round(fit_vote_temperature([(logits, shares, None)]), 3)
    winners = pluralities(votes[some][:, columns])
    clear = winners >= 0
    if not clear.any():
        return None
    scores = calibrated(logits, temperature)[clear]
    threshold = fit_threshold(scores, winners[clear], target=TARGET_ACCURACY, risk=TARGET_RISK)
    return VoteCalibration(
        temperature=temperature,
        threshold=round(threshold, 4),
        prior=natural_prior(trained, FERPLUS8),
        fitted_on=f"{len(shares):,} faces of the validation split and their votes",
    )
