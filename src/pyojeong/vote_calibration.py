"""Fit how a vote head's logits become the share of people who would give each label.

NumPy only. Votes are (N, V) in the order of the head's label set; ``shares_of`` brings them to
rows that sum to 1 over the labels of the answers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.calibration import (
    BETWEEN,
    PRIORS,
    calibrated,
    log_prior_ratio,
    prior_shares,
    prior_temperature,
)
from pyojeong.core.card import VoteCalibration
from pyojeong.core.errors import DataError
from pyojeong.core.labels import LabelSet
from pyojeong.metrics import (
    best_temperature,
    cross_entropy,
    fit_vote_temperature,
    widest_threshold,
)

FOLDS = 5

Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class VotedFaces:
    """A vote head's answers on faces whose votes are known.

    Attributes:
        logits: (N, K) of the labels of the answers.
        shares: (N, K) votes, rows sum to 1.
        agreed: int (N,), the label that annotators agree on; -1 = they do not.
        groups: Names (N,): faces of one person share theirs. Folds never divide a group.
    """

    logits: Floats
    shares: Floats
    agreed: NDArray[np.integer]
    groups: Sequence[str]

    def __len__(self) -> int:
        return len(self.logits)

    def __getitem__(self, rows: NDArray[np.bool_]) -> "VotedFaces":
        groups = [g for g, kept in zip(self.groups, rows, strict=True) if kept]
        return VotedFaces(self.logits[rows], self.shares[rows], self.agreed[rows], groups)


def shares_of(
    votes: NDArray[Any], columns: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return votes of some columns as shares with sum 1, and which rows have any.

    Args:
        votes: (N, V), counts or weights of at least 0.
        columns: The K columns that are kept.

    Returns:
        float64 (M, K) of the M rows with a vote among those columns, and bool (N,).
    """
    kept = np.asarray(votes, np.float64)[:, list(columns)]
    some = kept.sum(1) > 0
    return kept[some] / kept[some].sum(1, keepdims=True), some


def pluralities(votes: NDArray[Any]) -> NDArray[np.int64]:
    """Return the column with the most votes (N,); -1 = two share the lead, or no votes."""
    votes = np.asarray(votes)
    single = (votes == votes.max(1, keepdims=True)).sum(1) == 1
    return np.where(single & (votes.max(1) > 0), votes.argmax(1), -1).astype(np.int64)


def natural_prior(votes: Floats, labels: LabelSet) -> dict[str, float]:
    """Return label -> mean share of the votes (N, V) of a data set, its base rates.

    Raises:
        DataError: When a label got no vote at all.
    """
    shares, _ = shares_of(votes, range(len(labels)))
    means = shares.mean(0) if len(shares) else np.zeros(len(labels))
    if not (means > 0).all():
        absent = [n for n, m in zip(labels.names, means, strict=True) if m <= 0]
        raise DataError(f"no votes for {', '.join(absent)}: base rates need some for every label")
    return rounded_shares(means, labels)


def rounded_shares(weights: NDArray[Any], labels: LabelSet) -> dict[str, float]:
    """Return label -> share of weights (K,), to six decimals, none of them 0, with sum 1."""
    rounded = np.maximum(np.round(weights / weights.sum(), 6), 1e-6)
    rounded[rounded.argmax()] += 1 - rounded.sum()
    return dict(zip(labels.names, (round(float(m), 6) for m in rounded), strict=True))


@dataclass(frozen=True, slots=True)
class VoteFit:
    """What is fitted on votes.

    Attributes:
        temperature: See ``VoteCalibration``.
        balanced_temperature: Likewise.
        between: Likewise.
        prior: Name of the default base rates.
        threshold: See ``VoteCalibration``.
    """

    temperature: float
    balanced_temperature: float
    between: float = BETWEEN
    prior: str = "natural"
    threshold: float = 0.0

    def scores(
        self, logits: Floats, labels: LabelSet, natural: Floats, *, prior: str | None = None
    ) -> NDArray[np.float64]:
        """Return the scores (N, K) of logits under named base rates; None = the default ones."""
        _, stated = prior_shares(prior or self.prior, labels, natural, between=self.between)
        temperature = prior_temperature(
            self.temperature, self.balanced_temperature, stated, natural
        )
        return calibrated(logits, temperature, None, log_prior_ratio(stated, natural))


def fit_votes(
    natural_faces: VotedFaces,
    photographs: VotedFaces,
    labels: LabelSet,
    natural: Floats,
    *,
    target: float,
) -> VoteFit:
    """Fit temperatures, default base rates and threshold.

    The temperature for natural base rates has the least cross-entropy to the votes of both sets,
    which weigh the same. That for equal base rates has the least to the photographs' votes, under
    equal base rates and under those half way, together. The weight of equal base rates in
    ``"between"`` and the default are those that are right most often on photographs with an agreed
    label, and the threshold is the lowest one above which ``target`` of those are right.

    Args:
        natural_faces: Faces of the kind the head learned from.
        photographs: Unfamiliar photographs.
        labels: The K labels.
        natural: Base rates (K,) of the head's training votes.
        target: Share of the answers that shall be right on these photographs.
    """
    sets = [(f.logits, f.shares, None) for f in (natural_faces, photographs)]
    first = round(fit_vote_temperature(sets), 3)

    def loss(temperature: float) -> float:
        fit = VoteFit(first, temperature)
        return sum(
            cross_entropy(
                fit.scores(photographs.logits, labels, natural, prior=prior), photographs.shares
            )
            for prior in ("between", "balanced")
        )

    fit = VoteFit(first, round(best_temperature(loss), 3))
    agreed = photographs[photographs.agreed >= 0]

    def right(fit: VoteFit) -> float:
        scores = fit.scores(agreed.logits, labels, natural)
        return float((scores.argmax(1) == agreed.agreed).mean())

    steps = [right(replace(fit, between=float(b), prior="between")) for b in _BETWEEN]
    # The mean of neighbours: single photographs shall not decide.
    smooth = [np.mean(steps[i - 1 : i + 2]) for i in range(1, len(steps) - 1)]
    fit = replace(fit, between=float(_BETWEEN[1 + int(np.argmax(smooth))]))
    fit = max((replace(fit, prior=prior) for prior in PRIORS), key=right)
    scores = fit.scores(agreed.logits, labels, natural)
    threshold = widest_threshold(scores, agreed.agreed, target=target)
    # Rounded down, so that the least confident of those faces is still answered.
    return replace(fit, threshold=float(np.floor(threshold * 1e4) / 1e4))


_BETWEEN = np.arange(1, 10) / 10


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """Scores of faces that took no part in their own calibration.

    Attributes:
        scores: float64 (N, K).
        answered: bool (N,): the best score reaches its fold's threshold.
        fits: One per fold.
    """

    scores: NDArray[np.float64]
    answered: NDArray[np.bool_]
    fits: tuple[VoteFit, ...]


def cross_fit(
    natural_faces: VotedFaces,
    photographs: VotedFaces,
    labels: LabelSet,
    natural: Floats,
    *,
    target: float,
    seed: int = 0,
) -> CrossFitted | None:
    """Return what ``fit_votes`` gives each fifth of the people when it is fitted without them.

    None when there are fewer people than folds, or a fold leaves no agreed photograph to fit on.
    """
    folds = list(_folds(photographs.groups, seed))
    agreed = photographs.agreed >= 0
    if len(folds) < FOLDS or not all((agreed & ~held).any() for held in folds):
        return None
    scores = np.zeros((len(photographs), len(labels)))
    answered = np.zeros(len(photographs), bool)
    fits = []
    for held in folds:
        fit = fit_votes(natural_faces, photographs[~held], labels, natural, target=target)
        scores[held] = fit.scores(photographs.logits[held], labels, natural)
        answered[held] = scores[held].max(1) >= fit.threshold
        fits.append(fit)
    return CrossFitted(scores, answered, tuple(fits))


def _folds(groups: Sequence[str], seed: int) -> Iterator[NDArray[np.bool_]]:
    names = sorted(set(groups))
    numbers = np.random.default_rng(seed).permutation(len(names)) % FOLDS
    fold_of = dict(zip(names, numbers, strict=True))
    folds = np.array([fold_of[g] for g in groups])
    for number in range(FOLDS):
        if (folds == number).any():
            yield folds == number


def to_calibration(fit: VoteFit, natural: dict[str, float], fitted_on: str) -> VoteCalibration:
    """Return what the card keeps of a fit."""
    return VoteCalibration(
        temperature=fit.temperature,
        balanced_temperature=fit.balanced_temperature,
        between=fit.between,
        threshold=fit.threshold,
        prior=natural,
        default_prior=fit.prior,
        fitted_on=fitted_on,
    )
