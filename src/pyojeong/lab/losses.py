"""Losses on logits."""

import torch
import torch.nn.functional as F
from torch import Tensor


def smoothed_cross_entropy(logits: Tensor, labels: Tensor, *, smoothing: float) -> Tensor:
    """Cross-entropy against (1 - s) * one-hot + s / K (Szegedy et al. 2016, section 7).

    Args:
        logits: (N, K).
        labels: int64 (N,).
        smoothing: s in [0, 1).
    """
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


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
