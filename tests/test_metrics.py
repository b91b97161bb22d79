"""Scores against known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyojeong.core.errors import BadArray
from pyojeong.metrics import (
    _chance,
    accuracy,
    answered,
    balanced_accuracy,
    bootstrap,
    confusion,
    divergence,
    ece,
    ece_by_chance,
    fit_temperature,
    fit_threshold,
    macro_f1,
    nll,
    reliability,
    risk_coverage,
    softmax,
    summary,
)

P = np.array([[0.8, 0.1, 0.1], [0.4, 0.5, 0.1], [0.2, 0.2, 0.6], [0.1, 0.7, 0.2]])
Y = np.array([0, 0, 2, 1])


def test_known_answers() -> None:
    assert accuracy(P, Y) == 0.75
    assert balanced_accuracy(P, Y) == pytest.approx((0.5 + 1 + 1) / 3)
    assert confusion(P, Y).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert macro_f1(P, Y) == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert nll(P, Y) == pytest.approx(-np.log([0.8, 0.4, 0.6, 0.7]).mean())


def test_ece_by_hand() -> None:
    # bins of width 1/15: 0.8 (right), 0.5 (wrong), 0.6 (right), 0.7 (right): one sample each
    assert ece(P, Y) == pytest.approx((0.2 + 0.5 + 0.4 + 0.3) / 4)
    sure = np.array([[1.0, 0.0]] * 10)
    assert ece(sure, np.zeros(10, int)) == 0
    assert ece(sure, np.ones(10, int)) == 1
    assert ece(sure, np.array([0] * 7 + [1] * 3)) == pytest.approx(0.3)


def test_absent_classes_are_left_out() -> None:
    assert balanced_accuracy(P[:2], Y[:2]) == 0.5


@given(st.floats(0.3, 4.0))
def test_temperature_is_recovered(true: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 5))
    cumulative = softmax(logits, true).cumsum(1)
    labels = (rng.random((4000, 1)) > cumulative).sum(1).clip(max=4)
    assert fit_temperature(logits, labels) == pytest.approx(true, rel=0.15)


def made_answers(seed: int, count: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Two-class probabilities that are true: an answer is right as often as it says."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.5, 1, count)
    labels = (rng.random(count) > confidence).astype(int)
    return np.stack([confidence, 1 - confidence], 1), labels


def test_threshold_keeps_its_promise_on_other_samples() -> None:
    """Above c the true share of right answers is (1 + c) / 2: 85 % are right from 0.7 on."""
    found = [fit_threshold(*made_answers(s), target=0.85, risk=0.05) for s in range(200)]
    assert np.mean(np.array(found) < 0.7) <= 0.09  # 5 % and three standard errors
    assert np.mean(found) < 0.76  # and hardly more is held back than necessary
    threshold = fit_threshold(*made_answers(1), target=0.85, risk=0.05)
    share, right = answered(*made_answers(1), threshold=threshold)
    assert right >= 0.85
    assert 0.4 < share < 0.6


def test_threshold_of_answers_that_are_all_or_none_good_enough() -> None:
    p, labels = made_answers(1)
    assert fit_threshold(p, labels, target=0.5, risk=0.05) == 0.0
    threshold = fit_threshold(p, 1 - labels, target=0.85, risk=0.05)
    assert answered(p, labels, threshold=threshold)[0] == pytest.approx(0.1)


@pytest.mark.parametrize(("count", "hits"), [(1, 0), (1, 1), (9, 7), (1200, 1040)])
def test_binomial_tail_is_that_of_drawn_numbers(count: int, hits: int) -> None:
    drawn = np.random.default_rng(0).binomial(count, 0.85, 200_000)
    assert _chance(count, hits, 0.85) == pytest.approx(np.mean(drawn >= hits), abs=0.005)


def test_bootstrap_interval_covers_and_shrinks() -> None:
    rng = np.random.default_rng(2)
    p = np.tile([[0.9, 0.1]], (4000, 1))
    y = (rng.random(4000) > 0.7).astype(int)
    few, many = (bootstrap(accuracy, p[:n], y[:n], rounds=300) for n in (400, 4000))
    assert few.low < few.value < few.high
    assert many.high - many.low == pytest.approx(2 * 1.96 * np.sqrt(0.7 * 0.3 / 4000), rel=0.2)
    assert few.high - few.low > 2 * (many.high - many.low)
    assert bootstrap(accuracy, p, y, rounds=50) == bootstrap(accuracy, p, y, rounds=50)


def test_summary_has_everything() -> None:
    out = summary(P, Y, ("a", "b", "c"), threshold=0.55, rounds=20)
    assert out["n"] == 4
    assert out["accuracy"]["value"] == 0.75
    assert out["answered"] == {"share": 0.75, "accuracy": 1.0}
    assert out["recall"] == {"a": 0.5, "b": 1.0, "c": 1.0}


@pytest.mark.parametrize(("p", "y"), [(P[0], Y), (P, Y[:2]), (P[:0], Y[:0])])
def test_wrong_shapes_are_refused(p: np.ndarray, y: np.ndarray) -> None:
    with pytest.raises(BadArray):
        accuracy(p, y)


def test_softmax_rows_sum_to_one_even_for_huge_logits() -> None:
    out = softmax(np.array([[1e4, 0, -1e4], [3, 3, 3]]))
    np.testing.assert_allclose(out.sum(1), 1)
    np.testing.assert_allclose(out[1], 1 / 3)


def test_interval_of_ece_holds_the_truth_of_a_calibrated_model() -> None:
    rng = np.random.default_rng(3)
    confidence = rng.uniform(0.5, 1, 3000)
    p = np.stack([confidence, 1 - confidence], 1)
    y = (rng.random(3000) > confidence).astype(int)
    found = bootstrap(ece, p, y, rounds=200)
    assert 0 <= found.low <= found.value  # percentiles of resampled sets would all lie above it
    assert found.high < 0.03


def test_interval_of_ece_reaches_up_to_the_value() -> None:
    """A calibrated model on few samples: its error is noise, and the reflection ends below it."""
    below = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        p = rng.dirichlet(np.ones(3), 300)
        y = np.array([rng.choice(3, p=row) for row in p])
        found = bootstrap(ece, p, y, rounds=100)
        assert 0 <= found.low <= found.value <= found.high
        below += found.high == found.value
    assert below  # without the rule some of these would fail


def test_reliability_sums_up_to_ece() -> None:
    rng = np.random.default_rng(4)
    p = softmax(rng.normal(0, 1.5, (800, 7)))
    y = rng.integers(0, 7, 800)
    bins = reliability(p, y)
    gap = sum(b["n"] * abs(b["confidence"] - b["accuracy"]) for b in bins) / 800
    assert gap == pytest.approx(ece(p, y), abs=1e-5)
    assert sum(b["n"] for b in bins) == 800


def test_risk_coverage_by_hand() -> None:
    # surest first: 0.8 right, 0.7 right, 0.6 right, 0.5 wrong
    found = risk_coverage(P, Y)
    assert found["area"] == pytest.approx(0.25 / 4, abs=1e-5)
    assert found["points"][14] == [0.75, 0.0]
    assert found["points"][-1] == [1.0, 0.25]


def test_divergence_is_zero_only_from_itself() -> None:
    assert divergence(P, P) == pytest.approx(0)
    sure = np.array([[1.0, 0, 0]])
    assert divergence(P[:1], sure) == pytest.approx(-np.log(0.8))
    assert divergence(P[:1][:, ::-1], P[:1]) > 0.5


def test_chance_alone_gives_the_calibration_error_of_a_calibrated_model() -> None:
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.ones(7) / 3, 3000)
    shown = [ece(p, (rng.random((len(p), 1)) > p.cumsum(1)).sum(1).clip(max=6)) for _ in range(200)]
    chance = ece_by_chance(p)
    assert chance["mean"] == pytest.approx(np.mean(shown), rel=0.05)
    assert 0.9 < np.mean(np.array(shown) <= chance["high"]) < 0.99
    assert ece_by_chance(np.tile(p, (9, 1)))["mean"] < chance["mean"] / 2  # more faces, less chance


def test_sure_answers_leave_nothing_to_chance() -> None:
    assert ece_by_chance(np.eye(7)) == {"mean": 0, "high": 0}
