"""Several views of a face, averaged; figures of them never mix with those of single views.

Yu and Zhang average the class responses of random perturbations of a face (2015, section 3.3); how
many is not known. A mirrored pair is the cheapest form.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pyojeong.core.calibration import softmax
from pyojeong.core.card import Preprocess
from pyojeong.training.data.augment import Augment, Draws
from pyojeong.training.data.datamodule import FaceDataset
from pyojeong.training.data.faces import Faces

PERTURBED = Augment(perturb=True, flip=0.5)
"""The perturbation that the net of Yu and Zhang was trained on."""

_BATCH = 128


def averaged_views(
    net: nn.Module,
    faces: Faces,
    pre: Preprocess,
    *,
    augment: Augment = PERTURBED,
    count: int = 20,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return mean probabilities (N, K) over ``count`` random views of every face.

    Args:
        net: (N, C, H, W) -> logits (N, K), in evaluation mode.
        faces: N faces.
        pre: The net's preprocessing.
        augment: What the views differ by.
        count: Views per face.
        seed: Of the views.
    """
    total: NDArray[np.float64] | None = None
    for view in range(count):
        draws = Draws(augment, len(faces), seed=seed, epoch=view)
        data = FaceDataset(faces, pre, draws)
        rows = []
        with torch.inference_mode():
            for start in range(0, len(data), _BATCH):
                batch = data.__getitems__(list(range(start, min(start + _BATCH, len(data)))))
                rows.append(net(batch.inputs).float().numpy())
        scores = np.empty((len(faces), rows[0].shape[1]))
        scores[draws.order] = softmax(np.concatenate(rows))  # the draws shuffle
        total = scores if total is None else total + scores
    assert total is not None  # noqa: S101
    return total / count
