"""Calibration: recovers what was done to the logits, and prefers the simpler where it suffices."""

from dataclasses import replace

import numpy as np
import pytest

from pyojeong.core.calibration import softmax
from pyojeong.core.card import ModelCard, Preprocess
from pyojeong.core.errors import ModelMismatch
from pyojeong.core.labels import FER7, FERPLUS8, LabelSet
from pyojeong.export.calibration import (
    calibrate_votes,
    choose_calibration,
    label_shares,
    temperature_scaling,
    vector_scaling,
)
from pyojeong.metrics import ece, nll
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.session import FakeSession

SCALE = np.array([0.5, 1.5, 1.0, 1.0, 2.0, 1.0, 1.0])


def drawn(scale: np.ndarray, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are right once they are multiplied by ``scale``."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (count, 7))
    cumulative = softmax(logits * scale).cumsum(1)
    return logits, (rng.random((count, 1)) > cumulative).sum(1).clip(max=6)


def test_vector_scaling_recovers_the_factors() -> None:
    logits, labels = drawn(SCALE)
    found = vector_scaling(logits, labels)
    np.testing.assert_allclose(found.scale, SCALE, rtol=0.15)
    np.testing.assert_allclose(found.offset, 0, atol=0.15)
    assert ece(found(logits), labels) < ece(temperature_scaling(logits, labels)(logits), labels)


def test_a_factor_that_turns_a_class_round_is_not_chosen() -> None:
    logits, labels = drawn(np.array([1.0, 1.0, -1.5, 1.0, 1.0, 1.0, 1.0]))
    assert min(vector_scaling(logits, labels).scale or ()) < 0
    chosen, figures = choose_calibration(logits, labels)
    assert chosen.scale is None  # a card refuses such a factor, and the export ended there
    assert list(figures) == ["temperature"]


def test_the_better_one_is_chosen_by_cross_validation() -> None:
    logits, labels = drawn(SCALE)
    chosen, figures = choose_calibration(logits, labels)
    assert chosen.scale is not None
    assert figures["vector"]["nll"] < figures["temperature"]["nll"]
    logits, labels = drawn(np.full(7, 0.7), 400)  # a temperature says it all
    chosen, figures = choose_calibration(logits, labels)
    assert chosen.scale is None
    assert chosen.temperature == pytest.approx(1 / 0.7, rel=0.2)


def test_runtime_computes_what_was_fitted() -> None:
    logits, labels = drawn(SCALE, 500)
    fitted = vector_scaling(logits, labels)
    card = ModelCard(
        id="x", kind="classifier", file="x.onnx", sha256="", description="", labels="fer7",
        preprocess=Preprocess(size_hw=(4, 4), color="gray", mean=(0.5,), std=(0.5,)),
        logit_scale=fitted.scale, logit_offset=fitted.offset,
    )  # fmt: skip
    again = ModelCard.from_json(card.to_json())
    assert again == card
    classifier = Classifier(again, FakeSession(lambda _: []))
    scores = classifier.probabilities([logits.astype(np.float32)])
    np.testing.assert_allclose(scores, fitted(logits), atol=1e-5)
    assert nll(scores, labels) == pytest.approx(nll(fitted(logits), labels), abs=1e-4)
    with pytest.raises(ModelMismatch, match="needs 7 numbers, got 2"):
        replace(card, logit_scale=(1.0, 2.0))


def test_a_vote_head_is_calibrated_on_votes() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (1500, 8))
    votes = np.array([rng.multinomial(10, row) for row in softmax(logits / 1.6)])
    votes[0] = -1  # a face without votes
    found = calibrate_votes(logits, votes, votes[1:].astype(float), FER7)
    assert found is not None
    assert found.temperature == pytest.approx(1.6, rel=0.05)
    assert found.default_prior == "natural"
    assert set(found.prior) == set(FERPLUS8.names)
    assert 0 < found.threshold < 1
    assert calibrate_votes(logits[:100], votes[:100], votes[1:].astype(float), FER7) is None
    nobody = votes[1:].astype(float)
    nobody[:, -1] = 0
    assert calibrate_votes(logits, votes, nobody, FER7) is None


def test_base_rates_of_labels() -> None:
    two = LabelSet("two", ("happy", "sad"))
    assert label_shares(np.array([0, 0, 0, 1]), two) == {"happy": 0.75, "sad": 0.25}
    assert label_shares(np.array([0, 0]), two) is None
    three = LabelSet("three", ("happy", "sad", "fear"))
    rare = label_shares(np.array([0, 0, 0, 1]), three)
    assert rare is not None
    assert rare["fear"] == pytest.approx(0.5 / 4.5, abs=1e-3)


def test_few_images_do_not_make_answers_over_sharp() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 7, 49)
    logits = rng.normal(0, 0.3, (49, 7))
    logits[np.arange(49), labels] += 1.5  # all of them right: the best temperature is near 0
    chosen, figures = choose_calibration(logits, labels)
    assert set(figures) == {"temperature"}
    assert chosen.scale is None
    assert 0.2 < chosen.temperature < 1
