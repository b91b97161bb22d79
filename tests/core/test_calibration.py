"""Base rates: Bayes' rule by hand, identity where nothing changes, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyojeong.core.calibration import (
    PRIORS,
    adjust_prior,
    calibrated,
    estimate_prior,
    log_prior_ratio,
    parse_prior,
    prior_shares,
    prior_temperature,
    softmax,
)
from pyojeong.core.errors import PriorInvalid
from pyojeong.core.labels import FER7, LabelSet

TWO = LabelSet("two", ("happy", "neutral"))
NATURAL = np.array([0.083, 0.016, 0.037, 0.272, 0.320, 0.146, 0.126])


def test_a_case_by_hand() -> None:
    # 0.6 : 0.4 under 0.75 : 0.25; with equal shares 0.6 / 0.75 : 0.4 / 0.25 = 0.8 : 1.6.
    adjusted = adjust_prior(np.array([[0.6, 0.4]]), np.array([0.75, 0.25]), np.array([0.5, 0.5]))
    np.testing.assert_allclose(adjusted, [[1 / 3, 2 / 3]])


def test_logits_and_probabilities_are_adjusted_alike() -> None:
    logits = np.random.default_rng(1).normal(0, 3, (50, 7))
    _, stated = prior_shares("balanced", FER7, NATURAL)
    ratio = log_prior_ratio(stated, NATURAL)
    assert ratio is not None
    np.testing.assert_allclose(
        calibrated(logits, 1.3, None, ratio),
        adjust_prior(calibrated(logits, 1.3), NATURAL, stated),
        atol=1e-12,
    )


def test_the_same_base_rates_change_nothing() -> None:
    _, natural = prior_shares("natural", FER7, NATURAL)
    assert log_prior_ratio(natural, natural) is None
    scores = softmax(np.random.default_rng(2).normal(0, 3, (20, 7)))
    np.testing.assert_allclose(adjust_prior(scores, natural, natural), scores, atol=1e-15)


@given(
    st.lists(st.floats(-20, 20), min_size=7, max_size=7),
    st.lists(st.floats(0.001, 1), min_size=7, max_size=7),
)
def test_rows_sum_to_one(logits: list[float], weights: list[float]) -> None:
    shares = np.array(weights) / sum(weights)
    out = calibrated(np.array([logits]), 1.0, None, log_prior_ratio(shares, NATURAL))
    assert out.sum() == pytest.approx(1)
    assert (out >= 0).all()


def test_named_base_rates() -> None:
    found = {name: prior_shares(name, FER7, NATURAL) for name in PRIORS}
    assert [name for name, _ in found.values()] == list(PRIORS)
    np.testing.assert_allclose(found["balanced"][1], 1 / 7)
    np.testing.assert_allclose(found["natural"][1], NATURAL / NATURAL.sum())
    between = np.sqrt(NATURAL)
    np.testing.assert_allclose(found["between"][1], between / between.sum())


def test_between_may_lie_nearer_to_one_end() -> None:
    natural = np.array([0.1, 0.05, 0.05, 0.3, 0.3, 0.1, 0.1])
    for weight, wanted in ((0.0, natural), (1.0, np.full(7, 1 / 7)), (0.3, natural**0.7)):
        name, shares = prior_shares("between", FER7, natural, between=weight)
        assert name == "between"
        np.testing.assert_allclose(shares, wanted / wanted.sum())


def test_temperatures_lie_between_those_of_natural_and_equal_base_rates() -> None:
    natural = np.array([0.5, 0.3, 0.15, 0.05])
    equal = np.full(4, 0.25)
    between = np.sqrt(natural * equal)
    for stated, wanted in (
        (natural, 1.2),
        (equal, 0.8),
        (between / between.sum(), np.sqrt(1.2 * 0.8)),
        (natural**2 / (natural**2).sum(), 1.2),  # still farther from equal ones
    ):
        assert prior_temperature(1.2, 0.8, stated, natural) == pytest.approx(wanted)
    without = np.array([0.5, 0.3, 0.2, 0.0])
    assert 0.8 <= prior_temperature(1.2, 0.8, without, natural) <= 1.2
    assert prior_temperature(1.2, 0.8, equal, equal) == 1.2


def test_a_share_of_zero_takes_a_label_away() -> None:
    _, stated = prior_shares({"happy": 0.0, "neutral": 1.0}, TWO, np.array([0.5, 0.5]))
    out = calibrated(np.array([[9.0, 0.0]]), 1.0, None, log_prior_ratio(stated, [0.5, 0.5]))
    np.testing.assert_array_equal(out, [[0, 1]])


def test_stated_shares_are_named_in_the_results_and_can_be_given_again() -> None:
    name, shares = prior_shares("neutral=0.7,happiness=0.3", TWO, np.array([0.5, 0.5]))
    assert name == "happy=0.3 neutral=0.7"
    np.testing.assert_allclose(shares, [0.3, 0.7])
    again, same = prior_shares(name, TWO, np.array([0.5, 0.5]))
    assert again == name
    np.testing.assert_array_equal(same, shares)


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        ("ballanced", "unknown prior 'ballanced': expected natural, between, balanced"),
        ("", "unknown prior"),
        ('{"happy": 0.5', "not a JSON object"),
        ({"happy": 0.5, "bored": 0.5}, "unknown label 'bored'"),
        ({"happy": 1.0}, "no share for neutral"),
        ({"happy": -0.5, "neutral": 1.5}, "'happy' must be a number of at least 0"),
        ({"happy": float("nan"), "neutral": 1.0}, "must be a number"),
        ({"happy": "lots", "neutral": 1.0}, "must be a number"),
        ({"happy": 0.5, "neutral": 0.8}, "they sum to 1.3. Divide each by 1.3"),
        ({"happy": 0.0, "neutral": 0.0}, "at least one share must be above 0"),
        ({"happy": 0.5, "joy": 0.2, "neutral": 0.3}, "'happy' is named twice"),
        ("happy=0.5,happy=0.5", "'happy' is named twice"),
        ("happy=half,neutral=0.5", "expected label=share"),
        ("happy=0.5,neutral", "expected label=share"),
        ([0.5, 0.5], "expected natural, between, balanced or label -> share, got a list"),
    ],
)
def test_other_base_rates_are_refused(prior: object, words: str) -> None:
    with pytest.raises(PriorInvalid, match=words):
        prior_shares(prior, TWO, np.array([0.5, 0.5]))


def test_text_of_shares() -> None:
    assert parse_prior("happy=0.3, neutral=.7") == {"happy": 0.3, "neutral": 0.7}
    assert parse_prior('{"happy": 0.3, "neutral": 0.7}') == {"happy": 0.3, "neutral": 0.7}
    assert prior_shares(" Balanced ", TWO, np.array([0.3, 0.7]))[0] == "balanced"
    shares = {"happy": 0.32, "neutral": 0.69}  # rounded to whole percents
    assert prior_shares(shares, TWO, np.array([0.3, 0.7]))[1].sum() == pytest.approx(1)


def test_base_rates_are_estimated_from_answers() -> None:
    rng = np.random.default_rng(3)
    known, truth = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.2, 0.7])
    labels = rng.choice(3, 4000, p=truth)
    centres = np.array([[0.0, 0.0], [2.5, 0.0], [0.0, 2.5]])
    points = centres[labels] + rng.normal(0, 1, (4000, 2))
    # The posterior of a model that was calibrated to ``known``, by Bayes' rule.
    density = np.exp(-((points[:, None] - centres) ** 2).sum(2) / 2) * known
    found = estimate_prior(density / density.sum(1, keepdims=True), known)
    np.testing.assert_allclose(found, truth, atol=0.02)
    assert found.sum() == pytest.approx(1)


def test_a_label_that_is_absent_is_not_ruled_out() -> None:
    found = estimate_prior(np.tile([0.99, 0.01], (60, 1)), np.array([0.5, 0.5]))
    assert found[1] == pytest.approx(0.5 / 60, rel=0.02)


def test_estimates_of_nothing_are_refused() -> None:
    with pytest.raises(PriorInvalid, match="at least 50 faces"):
        estimate_prior(np.zeros((0, 2)), np.array([0.5, 0.5]))
    with pytest.raises(PriorInvalid, match="zero shares"):
        estimate_prior(np.full((50, 2), 0.5), np.array([0.0, 1.0]))
