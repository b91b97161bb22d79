"""Which output answers, for which base rates, and that the old output is what it was."""

from dataclasses import replace

import numpy as np
import pytest

import pyojeong
from pyojeong.core.calibration import adjust_prior, softmax
from pyojeong.core.card import ModelCard
from pyojeong.core.errors import ModelMismatch, PriorInvalid
from pyojeong.core.labels import FER7, FERPLUS8
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.runtime.classifier_names import find_classifier
from pyojeong.runtime.golden import GOLDEN_PICTURE
from pyojeong.runtime.output_head import OutputHead

CARD = find_classifier("default").card
RNG = np.random.default_rng(0)
OUTPUTS = [RNG.normal(0, 2, (40, k)).astype(np.float32) for k in (7, 8)]


def shares(prior: dict[str, float]) -> np.ndarray:
    values = np.array([prior[name] for name in FER7.names])
    return values / values.sum()


def test_votes_are_the_default_answer_and_the_card_states_their_base_rates() -> None:
    head = OutputHead.of(CARD)
    votes = CARD.vote_calibration
    assert votes is not None
    assert (head.output, head.label_set, head.prior) == ("votes", FER7, votes.default_prior)
    assert head.threshold == votes.threshold
    columns = [FERPLUS8.names.index(name) for name in FER7.names]
    natural = shares(votes.prior)
    assert votes.balanced_temperature is not None
    assert 0 < votes.between < 1
    temperature = (
        votes.temperature ** (1 - votes.between) * votes.balanced_temperature**votes.between
    )
    plain = softmax(OUTPUTS[1][:, columns] / temperature)
    stated = natural ** (1 - votes.between)
    wanted = adjust_prior(plain, natural, stated / stated.sum())
    np.testing.assert_allclose(head.probabilities(OUTPUTS), wanted, atol=1e-6)


def test_eight_labels_keep_contempt() -> None:
    head = OutputHead.of(CARD, labels="ferplus8", prior="natural")
    assert head.label_set == FERPLUS8
    assert CARD.vote_calibration is not None
    wanted = softmax(OUTPUTS[1] / CARD.vote_calibration.temperature)
    np.testing.assert_allclose(head.probabilities(OUTPUTS), wanted, atol=1e-6)


def test_the_fer2013_output_is_bit_for_bit_what_it_was() -> None:
    head = OutputHead.of(CARD, output="fer2013")
    z = OUTPUTS[0].astype(np.float64) / CARD.temperature
    z = z * np.asarray(CARD.logit_scale) + np.asarray(CARD.logit_offset)
    z = np.exp(z - z.max(1, keepdims=True))
    wanted = (z / z.sum(1, keepdims=True)).astype(np.float32)
    np.testing.assert_array_equal(head.probabilities(OUTPUTS), wanted)
    assert (head.threshold, head.prior) == (CARD.threshold, "fer2013 natural")


def test_the_fer2013_output_can_have_other_base_rates() -> None:
    natural = OutputHead.of(CARD, output="fer2013").probabilities(OUTPUTS)
    balanced = OutputHead.of(CARD, output="fer2013", prior="balanced").probabilities(OUTPUTS)
    assert CARD.prior is not None
    wanted = adjust_prior(natural, shares(CARD.prior), np.full(7, 1 / 7))
    np.testing.assert_allclose(balanced, wanted, atol=1e-6)


def plain_card(**values: object) -> ModelCard:
    return replace(CARD, vote_calibration=None, prior=None, **values)


@pytest.mark.parametrize(
    ("card", "options", "error", "words"),
    [
        (plain_card(votes=None), {"labels": "ferplus8"}, ModelMismatch, "it has no vote head"),
        (plain_card(votes=None), {"output": "votes"}, ModelMismatch, "it has no vote head"),
        (plain_card(), {"output": "votes"}, ModelMismatch, "never calibrated; export it again"),
        (plain_card(), {"prior": "balanced"}, PriorInvalid, "export it again"),
        (CARD, {"output": "fer2013", "labels": "ferplus8"}, ModelMismatch, "leave out output"),
        (CARD, {"output": "best"}, ModelMismatch, "unknown output 'best'"),
        (CARD, {"labels": "fer9"}, ModelMismatch, "expected fer7, ferplus8"),
        (CARD, {"prior": "happy=1"}, PriorInvalid, "no share for angry"),
    ],
)
def test_what_a_model_cannot_answer_is_refused(
    card: ModelCard, options: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        OutputHead.of(card, **options)


def test_the_output_of_labels_has_the_name_of_what_was_learned() -> None:
    bundled = OutputHead.of(CARD, output="labels")
    assert (bundled.output, bundled.prior) == ("fer2013", "fer2013 natural")
    own = replace(plain_card(votes=None), prior=CARD.prior)
    for output in ("auto", "labels", "fer2013"):
        head = OutputHead.of(own, output=output, prior="balanced")
        assert (head.output, head.prior) == ("labels", "labels balanced")


def test_a_model_without_votes_answers_with_its_labels() -> None:
    head = OutputHead.of(plain_card(votes=None))
    assert (head.output, head.prior, head.shares) == ("labels", "", None)
    one_output = [OUTPUTS[0]]
    np.testing.assert_array_equal(
        head.probabilities(one_output), OutputHead.of(CARD, output="fer2013").probabilities(OUTPUTS)
    )


def test_results_state_the_base_rates() -> None:
    for prior, name in ((None, "between"), ("balanced", "balanced")):
        face = Analyzer(threads=1, prior=prior).analyze(GOLDEN_PICTURE).faces[0]
        assert face.expression is not None
        assert face.expression.prior == name
        assert face.to_dict()["expression"]["prior"] == name


def test_base_rates_of_a_folder_are_estimated_and_can_be_used() -> None:
    analyzer = Analyzer(threads=1)
    results = [analyzer.analyze(GOLDEN_PICTURE)]
    found = analyzer.estimate_prior(results * 60)
    assert found["happy"] > 0.94
    assert sum(found.values()) == pytest.approx(1)
    again = Analyzer(threads=1, prior=found).analyze(GOLDEN_PICTURE).faces[0].expression
    assert again is not None
    assert again.prior.startswith("angry=")
    with pytest.raises(PriorInvalid, match="read the images with this analyzer"):
        Analyzer(threads=1, prior="balanced").estimate_prior(results)
    with pytest.raises(PriorInvalid, match="at least 50 faces"):
        analyzer.estimate_prior([])
    other = Analyzer("default-fer2013", threads=1, prior="between")
    with pytest.raises(PriorInvalid, match="was read with"):
        other.estimate_prior(results)
    labels = Analyzer(threads=1, output="fer2013", prior="natural").analyze(GOLDEN_PICTURE)
    with pytest.raises(PriorInvalid, match="fer2013 natural"):
        Analyzer(threads=1, prior="natural").estimate_prior([labels])


def test_priors_of_a_balanced_label_can_change_the_answer() -> None:
    assert issubclass(PriorInvalid, pyojeong.PyojeongError)
    natural = OutputHead.of(CARD, prior="natural").probabilities(OUTPUTS).argmax(1)
    balanced = OutputHead.of(CARD, prior="balanced").probabilities(OUTPUTS).argmax(1)
    rare = FER7.names.index("disgust")
    assert (balanced == rare).sum() > (natural == rare).sum()
