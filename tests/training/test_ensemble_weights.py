"""Learned ensemble weights: known answers, and what must hold for any answers of any nets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pyojeong.core.errors import BadArray, ExperimentError
from pyojeong.training.ensemble.weights import (
    combine,
    fit_temperatures,
    fit_weights,
    loss_of_weights,
    project_to_simplex,
    temper,
)

OBJECTIVES = ("log-likelihood", "hinge")
SEEDS = st.integers(0, 2**32 - 1)


def answers(seed: int, nets: int, samples: int = 60, classes: int = 5):
    """Random nets of different quality: probabilities (K, N, C) and labels (N,)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, samples)
    logits = rng.normal(0, 1, (nets, samples, classes))
    quality = rng.uniform(0, 3, (nets, 1))
    logits[:, np.arange(samples), labels] += quality
    odds = np.exp(logits)
    return odds / odds.sum(2, keepdims=True), labels


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_finds_the_planted_best_net(objective):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 7, 400)
    responses = rng.dirichlet(np.ones(7), (4, 400))
    responses[2] = 0.02
    responses[2, np.arange(400), labels] = 0.88
    # A margin that the best net alone does not reach: within it, the hinge asks for no more.
    weights = fit_weights(responses, labels, objective=objective, margin=1.0)
    assert weights.dtype == np.float64
    np.testing.assert_allclose(weights, [0, 0, 1, 0], atol=1e-3)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("seed", range(6))
def test_two_nets_against_a_grid(objective, seed):
    responses, labels = answers(seed, 2)
    options = {"objective": objective, "ridge": 1e-2, "margin": 0.3}
    first = np.linspace(0, 1, 5001)
    losses = [
        loss_of_weights(np.array([a, 1 - a]), responses, labels, **options) for a in first
    ]  # fmt: skip
    weights = fit_weights(responses, labels, **options)
    assert abs(weights[0] - first[int(np.argmin(losses))]) < 2e-3
    assert loss_of_weights(weights, responses, labels, **options) <= min(losses) + 1e-7


@budget(max_examples=25)
@given(SEEDS, st.integers(1, 6), st.sampled_from(OBJECTIVES), st.sampled_from([0, 1e-3, 0.1]))
def test_on_the_simplex_and_never_worse_than_equal(seed, nets, objective, ridge):
    responses, labels = answers(seed, nets)
    options = {"objective": objective, "ridge": ridge}
    weights = fit_weights(responses, labels, steps=300, **options)
    assert weights.shape == (nets,)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)
    equal = np.full(nets, 1 / nets)
    ours, theirs = (loss_of_weights(w, responses, labels, **options) for w in (weights, equal))
    assert ours <= theirs


@budget(max_examples=10)
@given(SEEDS, st.integers(2, 5), st.sampled_from(OBJECTIVES), st.randoms(use_true_random=False))
def test_nets_in_another_order(seed, nets, objective, random):
    responses, labels = answers(seed, nets)
    order = list(range(nets))
    random.shuffle(order)
    # A strong ridge makes the minimum sharp; without one, nearly equal nets share weight freely.
    options = {"objective": objective, "ridge": 0.1}
    weights = fit_weights(responses, labels, **options)
    other = fit_weights(responses[order], labels, **options)
    np.testing.assert_allclose(other, weights[order], atol=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_no_point_of_a_grid_is_better_for_three_nets(objective):
    responses, labels = answers(9, 3, samples=200)
    weights = fit_weights(responses, labels, objective=objective)
    ours = loss_of_weights(weights, responses, labels, objective=objective)
    for a in np.linspace(0, 1, 41):
        for b in np.linspace(0, 1 - a, 41):
            point = np.array([a, b, max(1 - a - b, 0)])
            assert ours <= loss_of_weights(point, responses, labels, objective=objective) + 1e-7


def test_losses_by_hand():
    responses = np.array([[[0.5, 0.3, 0.2]], [[0.1, 0.8, 0.1]]])
    labels, weights = np.array([0]), np.array([0.75, 0.25])
    q = [0.4, 0.425, 0.175]
    np.testing.assert_allclose(combine(responses, weights)[0], q)
    ridge = 0.1 * (0.75**2 + 0.25**2)
    likelihood = loss_of_weights(weights, responses, labels, ridge=0.1)
    assert likelihood == pytest.approx(-np.log(0.4) + ridge)
    hinge = loss_of_weights(weights, responses, labels, objective="hinge", ridge=0.1, margin=0.5)
    assert hinge == pytest.approx((0.5 + 0.025) + (0.5 - 0.225) + ridge)


@given(arrays(np.float64, st.integers(1, 8), elements=st.floats(-50, 50)))
def test_projection_is_the_nearest_point(v):
    p = project_to_simplex(v)
    assert (p >= 0).all()
    assert p.sum() == pytest.approx(1)
    # Nearest point of a convex set: no corner lies in a direction that makes an acute angle.
    for corner in np.eye(len(v)):
        assert (v - p) @ (corner - p) <= 1e-9
    np.testing.assert_allclose(project_to_simplex(p), p, atol=1e-12)


def test_a_net_that_gives_the_label_no_chance():
    responses = np.zeros((2, 3, 2))
    responses[0, :, 1] = 1
    responses[1] = 0.5
    weights = fit_weights(responses, np.array([0, 0, 0]))
    np.testing.assert_allclose(weights, [0, 1], atol=1e-6)


def test_refuses_what_cannot_be():
    responses, labels = answers(0, 2)
    with pytest.raises(ExperimentError, match=r"'log-likelihood', 'hinge'.*got 'mse'"):
        fit_weights(responses, labels, objective="mse")
    with pytest.raises(BadArray, match=r"responses \(K, N, C\)"):
        fit_weights(responses[0], labels)
    with pytest.raises(BadArray, match="not logits"):
        fit_weights(responses - 1, labels)
    with pytest.raises(BadArray, match=r"0\.\.4"):
        fit_weights(responses, labels + 4)
    with pytest.raises(BadArray, match=r"weights \(K,\)"):
        combine(responses, np.ones(3))
    with pytest.raises(BadArray, match="finite vector"):
        project_to_simplex(np.array([1.0, np.nan]))


def test_a_temperature_undoes_what_made_a_net_unsure():
    rng = np.random.default_rng(5)
    truth = rng.dirichlet(np.ones(7) / 2, 20000)
    labels = (rng.random((len(truth), 1)) > truth.cumsum(1)).sum(1).clip(max=6)
    timid = truth**0.5
    timid /= timid.sum(1, keepdims=True)
    responses = np.stack([truth, timid])
    temperatures = fit_temperatures(responses, labels)
    np.testing.assert_allclose(temperatures, [1, 0.5], rtol=0.03)
    even = temper(responses, temperatures)
    np.testing.assert_allclose(even[0], even[1], atol=0.02)
    np.testing.assert_allclose(temper(responses, np.ones(2)), responses, atol=1e-9)


def test_timid_nets_that_know_more_get_weight_once_they_are_as_sure():
    rng = np.random.default_rng(6)
    labels = rng.integers(0, 7, 4000)
    logits = rng.normal(0, 1, (3, 4000, 7))
    logits[:, np.arange(4000), labels] += np.array([1.5, 1.5, 1.5])[:, None]
    odds = np.exp(logits * np.array([1.6, 0.6, 0.6])[:, None, None])
    responses = odds / odds.sum(2, keepdims=True)
    plain = fit_weights(responses, labels)
    even = fit_weights(temper(responses, fit_temperatures(responses, labels)), labels)
    assert plain.min() < 0.2
    np.testing.assert_allclose(even, 1 / 3, atol=0.08)


def test_temperatures_belong_to_nets():
    with pytest.raises(BadArray, match="temperatures"):
        temper(np.full((2, 3, 4), 0.25), np.ones(3))
