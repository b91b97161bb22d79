"""Losses against their definitions and their degenerate cases."""

import pytest
import torch
import torch.nn.functional as F

from pyojeong.training.losses import (
    categorical_hinge,
    distillation,
    focal,
    label_loss,
    vote_cross_entropy,
)

torch.manual_seed(0)
LOGITS = torch.randn(12, 7) * 2
LABELS = torch.arange(12) % 7


def test_hinge_by_hand() -> None:
    scores = torch.tensor([[3.0, 1.0, -2.0], [-1.0, -3.0, -2.0], [0.2, 0.1, 0.0]])
    labels = torch.tensor([0, 0, 1])
    # 1 + 1 - 3 < 0; wrong scores are all below 0, which Keras counts as 0: 1 + 0 + 1; 1 + 0.2 - 0.1
    assert categorical_hinge(scores[:1], labels[:1]) == 0
    assert categorical_hinge(scores[1:2], labels[1:2]) == pytest.approx(2)
    assert categorical_hinge(scores[2:], labels[2:]) == pytest.approx(1.1)
    assert categorical_hinge(scores, labels) == pytest.approx((0 + 2 + 1.1) / 3)


def test_hinge_on_a_uniform_answer_costs_one() -> None:
    uniform = torch.zeros(5, 7)
    assert label_loss(uniform, LABELS[:5], kind="softmax-hinge") == pytest.approx(1)
    sure = torch.full((1, 7), -50.0).index_fill(1, torch.tensor([3]), 50.0)
    assert label_loss(sure, torch.tensor([3]), kind="softmax-hinge") == pytest.approx(0)
    assert label_loss(sure, torch.tensor([4]), kind="softmax-hinge") == pytest.approx(2)


def test_focal_without_gamma_is_the_cross_entropy() -> None:
    weights = torch.rand(7) + 0.5
    for w in (None, weights):
        expected = F.cross_entropy(LOGITS, LABELS, weight=w)
        torch.testing.assert_close(focal(LOGITS, LABELS, gamma=0.0, weights=w), expected)
    assert focal(LOGITS, LABELS, gamma=2.0) < F.cross_entropy(LOGITS, LABELS)


def test_class_weights_count_as_repeated_samples() -> None:
    repeated = torch.cat([LOGITS, LOGITS[LABELS == 2]]), torch.cat([LABELS, LABELS[LABELS == 2]])
    weights = torch.ones(7).index_fill(0, torch.tensor([2]), 2.0)
    for kind in ("cross-entropy", "hinge", "softmax-hinge", "focal"):
        weighted = label_loss(LOGITS, LABELS, kind=kind, weights=weights)
        torch.testing.assert_close(weighted, label_loss(*repeated, kind=kind))


def test_distillation_is_zero_for_the_teacher_itself_and_has_its_gradient() -> None:
    assert distillation(LOGITS, LOGITS, temperature=3.0) == pytest.approx(0, abs=1e-6)
    assert distillation(LOGITS, LOGITS + 5, temperature=3.0) == pytest.approx(0, abs=1e-5)
    student = torch.randn(12, 7, requires_grad=True)
    distillation(student, LOGITS, temperature=1.0).backward()
    # At T = 1 the gradient of the mean KL is (student's - teacher's probabilities) / N.
    torch.testing.assert_close(student.grad, (student.softmax(1) - LOGITS.softmax(1)).detach() / 12)


def test_distillation_of_a_sharp_teacher_is_the_cross_entropy() -> None:
    sharp = F.one_hot(LABELS, 7) * 200.0
    loss = distillation(LOGITS, sharp, temperature=1.0)
    torch.testing.assert_close(loss, F.cross_entropy(LOGITS, LABELS))


def test_votes_on_one_class_are_labels() -> None:
    votes = F.one_hot(LABELS, 7).float()
    torch.testing.assert_close(vote_cross_entropy(LOGITS, votes), F.cross_entropy(LOGITS, LABELS))
    assert vote_cross_entropy(LOGITS, torch.zeros(12, 7)) == 0
