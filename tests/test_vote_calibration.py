"""Fitting on votes: what was put in comes out, and nobody is calibrated on themselves."""

import numpy as np
import pytest

from pyojeong.core.calibration import calibrated, log_prior_ratio, prior_shares, softmax
from pyojeong.core.errors import DataError
from pyojeong.core.labels import FER7, FERPLUS8, LabelSet
from pyojeong.metrics import ece, fit_vote_temperature, macro_auroc, vote_ece, widest_threshold
from pyojeong.vote_calibration import (
    FOLDS,
    VotedFaces,
    cross_fit,
    fit_votes,
    natural_prior,
    pluralities,
    shares_of,
)

NATURAL = np.array([0.1, 0.05, 0.05, 0.3, 0.3, 0.1, 0.1])


def made(n: int, temperature: float, prior: str, seed: int) -> VotedFaces:
    """Faces whose votes are drawn from answers at a temperature under a prior."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 7)) + np.log(NATURAL)
    ratio = log_prior_ratio(prior_shares(prior, FER7, NATURAL)[1], NATURAL)
    truth = calibrated(logits, temperature, None, ratio)
    votes = np.array([rng.multinomial(10, row) for row in truth])
    shares, _ = shares_of(votes, range(7))
    groups = [f"person {i // 3}" for i in range(n)]
    return VotedFaces(logits, shares, pluralities(votes), groups)


def test_the_temperature_of_the_votes_is_found() -> None:
    faces = made(4000, 1.7, "natural", 1)
    found = fit_vote_temperature([(faces.logits, faces.shares, None)])
    assert found == pytest.approx(1.7, rel=0.03)


def test_temperature_and_default_prior_come_out_as_they_were_put_in() -> None:
    for prior in ("natural", "balanced"):
        # `made` adjusts shares without a temperature of its own for other base rates.
        photographs = made(3000, 1.4, prior, 3)
        fit = fit_votes(made(3000, 1.4, "natural", 2), photographs, FER7, NATURAL, target=0.5)
        assert fit.prior == prior
        if prior == "natural":
            assert fit.temperature == pytest.approx(1.4, rel=0.05)
        else:
            assert fit.balanced_temperature == pytest.approx(1.4, rel=0.1)


def test_answers_under_other_base_rates_get_their_own_temperature() -> None:
    """Photographs whose votes are sharper than a mere adjustment makes them."""
    natural_faces = made(3000, 1.3, "natural", 8)
    plain = made(3000, 1.3, "natural", 9)
    sharper = calibrated(plain.logits, 0.9, None, log_prior_ratio(np.full(7, 1 / 7), NATURAL))
    rng = np.random.default_rng(10)
    votes = np.array([rng.multinomial(10, row) for row in sharper])
    photographs = VotedFaces(
        plain.logits, votes / 10, pluralities(votes), [str(i) for i in range(3000)]
    )
    fit = fit_votes(natural_faces, photographs, FER7, NATURAL, target=0.5)
    assert fit.prior == "balanced"
    assert fit.balanced_temperature < fit.temperature
    scores = fit.scores(plain.logits, FER7, NATURAL)
    assert vote_ece(scores, photographs.shares) < 0.03
    before = calibrated(
        plain.logits, fit.temperature, None, log_prior_ratio(np.full(7, 1 / 7), NATURAL)
    )
    assert vote_ece(before, photographs.shares) > 0.05


def test_folds_divide_nobody_and_answer_everybody() -> None:
    faces = made(300, 1.2, "natural", 4)
    natural = made(500, 1.2, "natural", 5)
    held = cross_fit(natural, faces, FER7, NATURAL, target=0.6)
    assert held is not None
    alone = VotedFaces(faces.logits, faces.shares, faces.agreed, ["nobody"] * len(faces))
    assert cross_fit(natural, alone, FER7, NATURAL, target=0.6) is None
    assert len(held.fits) == FOLDS
    np.testing.assert_allclose(held.scores.sum(1), 1)
    # A person's three faces were scored by one fit: the same temperature fits all their scores.
    for start in range(0, 300, 3):
        rows = slice(start, start + 3)
        ways = [
            np.allclose(fit.scores(faces.logits[rows], FER7, NATURAL), held.scores[rows])
            for fit in held.fits
        ]
        assert any(ways)


def test_shares_fold_away_other_columns() -> None:
    shares, some = shares_of(np.array([[2, 1, 1], [0, 0, 5], [0, 3, 0]]), (0, 1))
    np.testing.assert_array_equal(some, [True, False, True])
    np.testing.assert_allclose(shares, [[2 / 3, 1 / 3], [0, 1]])
    np.testing.assert_array_equal(
        pluralities(np.array([[2, 1], [1, 1], [0, 0], [0, 4]])), [0, -1, -1, 1]
    )


def test_base_rates_are_mean_shares() -> None:
    labels = LabelSet("two", ("happy", "neutral"))
    found = natural_prior(np.array([[10, 0], [1, 1], [0, 0]]), labels)
    assert found == {"happy": 0.75, "neutral": 0.25}
    with pytest.raises(DataError, match="no votes for contempt"):
        natural_prior(np.array([[1] * 7 + [0]]), FERPLUS8)


def test_calibrated_shares_have_no_error_and_sharper_ones_do() -> None:
    faces = made(20000, 1.5, "natural", 6)
    right = softmax(faces.logits / 1.5)
    assert vote_ece(right, faces.shares) < 0.01
    assert vote_ece(softmax(faces.logits / 0.7), faces.shares) > 0.1


def test_shares_of_single_votes_are_the_usual_error() -> None:
    rng = np.random.default_rng(7)
    scores = softmax(rng.normal(0, 2, (500, 4)))
    labels = rng.integers(0, 4, 500)
    assert vote_ece(scores, np.eye(4)[labels]) == pytest.approx(ece(scores, labels))


def test_auroc_against_a_known_answer() -> None:
    scores = np.array([0.1, 0.4, 0.35, 0.8])
    both = np.stack([1 - scores, scores], 1)
    assert macro_auroc(both, np.array([0, 0, 1, 1])) == pytest.approx(0.75)
    assert macro_auroc(np.full((4, 2), 0.5), np.array([0, 1, 0, 1])) == pytest.approx(0.5)


def test_the_widest_threshold() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6])
    scores = np.stack([confidence, 1 - confidence], 1)
    right = np.array([0, 1, 0, 0])
    assert widest_threshold(scores, right, target=0.75) == pytest.approx(0.6)
    assert widest_threshold(scores, right, target=0.9) == pytest.approx(0.9)
    assert widest_threshold(scores, 1 - right, target=0.9) == 1.0
    ties = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4]])
    assert widest_threshold(ties, np.array([0, 1, 0]), target=0.88) == 1.0
