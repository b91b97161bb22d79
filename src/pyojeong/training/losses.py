"""Losses on logits."""

import torch
import torch.nn.functional as F
from torch import Tensor


def smoothed_cross_entropy(
    logits: Tensor, labels: Tensor, *, smoothing: float, weights: Tensor | None = None
) -> Tensor:
    """Cross-entropy against (1 - s) * one-hot + s / K (Szegedy et al. 2016, section 7).

    Args:
        logits: (N, K).
        labels: int64 (N,).
        smoothing: s in [0, 1).
        weights: (K,) weight per class, or None for 1.
    """
    return F.cross_entropy(logits, labels, weight=weights, label_smoothing=smoothing)


def vote_cross_entropy(logits: Tensor, votes: Tensor) -> Tensor:
    """Cross-entropy against vote shares (Barsoum et al. 2016, 4.4); rows without votes left out.

    Args:
        logits: (N, K).
        votes: float (N, K); rows sum to 1, or to 0 where there are no usable votes.

    Returns:
        Mean over the rows that have votes; 0 when none has.
    """
    used = votes.sum(1) > 0
    per_row = -(votes * F.log_softmax(logits, dim=1)).sum(1)
    return torch.where(used, per_row, 0).sum() / used.sum().clamp(min=1)


def categorical_hinge(scores: Tensor, labels: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """max(0, 1 + largest wrong score - right score), as Keras defines it.

    The largest wrong score is at least 0, because Keras multiplies scores by one minus the
    one-hot label: below that the loss differs from Crammer and Singer's.

    On probabilities a uniform answer costs exactly 1 and a perfect one 0: the gradient through the
    softmax is small there, which is where two of the students' runs ended (1.003 and 1.004).

    Args:
        scores: (N, K), logits or probabilities.
        labels: int64 (N,).
        weights: (K,) weight per class, or None for 1.
    """
    right = F.one_hot(labels, scores.shape[1]).to(scores.dtype)
    positive = (right * scores).sum(1)
    negative = ((1 - right) * scores).amax(1)
    return _mean((1 + negative - positive).relu(), labels, weights)


def focal(logits: Tensor, labels: Tensor, *, gamma: float, weights: Tensor | None = None) -> Tensor:
    """-(1 - p)^gamma log p of the right class (Lin et al. 2017, arXiv 1708.02002, equation 4).

    Args:
        logits: (N, K).
        labels: int64 (N,).
        gamma: 0 gives the cross-entropy.
        weights: (K,) weight per class, or None for 1.
    """
    log_p = F.log_softmax(logits, dim=1).gather(1, labels[:, None])[:, 0]
    return _mean(-((1 - log_p.exp()) ** gamma) * log_p, labels, weights)


def _mean(losses: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """Weighted mean, divided by the sum of the weights as ``F.cross_entropy`` does."""
    if weights is None:
        return losses.mean()
    used = weights[labels]
    return (losses * used).sum() / used.sum()


def distillation(student: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    """T^2 KL(teacher || student) of softened answers (Hinton et al. 2015, arXiv 1503.02531, 2).

    Args:
        student: Logits (N, K).
        teacher: Logits (N, K); no gradient flows to them.
        temperature: T > 0.
    """
    soft = F.log_softmax(student / temperature, dim=1)
    target = F.log_softmax(teacher.detach() / temperature, dim=1)
    loss = F.kl_div(soft, target, reduction="batchmean", log_target=True)
    return loss * temperature**2


def label_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    kind: str,
    smoothing: float = 0.0,
    gamma: float = 2.0,
    weights: Tensor | None = None,
) -> Tensor:
    """Return the loss of that name (``recipe.LOSSES``) on logits (N, K) and int64 labels (N,)."""
    if kind == "hinge":
        return categorical_hinge(logits, labels, weights=weights)
    if kind == "softmax-hinge":
        return categorical_hinge(logits.softmax(1), labels, weights=weights)
    if kind == "focal":
        return focal(logits, labels, gamma=gamma, weights=weights)
    return smoothed_cross_entropy(logits, labels, smoothing=smoothing, weights=weights)
