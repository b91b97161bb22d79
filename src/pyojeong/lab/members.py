"""Finished runs that answer together: as teachers of a student, or as an ensemble."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pyojeong.core.card import Preprocess
from pyojeong.core.errors import ExperimentError
from pyojeong.evaluate import softmax
from pyojeong.image.preprocess import Matrix
from pyojeong.image.views import view_matrices
from pyojeong.lab.datamodule import FaceDataset, Faces
from pyojeong.lab.run import Run, load_picked

_BATCH = 256

Tick = Callable[[int], None]
"""Called with the number of answers that were just given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One of several nets.

    Attributes:
        name: Of its experiment.
        net: (N, C, H, W) -> logits (N, K), in evaluation mode.
        pre: What it looks through.
        channels_last: Memory layout it was trained in.
    """

    name: str
    net: torch.nn.Module
    pre: Preprocess
    channels_last: bool

    @torch.inference_mode()
    def answers(self, data: FaceDataset, tick: Tick) -> NDArray[np.float64]:
        """Probabilities (N, K) in the data's order."""
        rows = []
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        for start in range(0, len(data), _BATCH):
            batch = data.__getitems__(list(range(start, min(start + _BATCH, len(data)))))
            rows.append(self.net(batch.inputs.contiguous(memory_format=layout)).float().numpy())
            tick(len(batch.labels))
        return softmax(np.concatenate(rows))

    def through_views(self, faces: Faces, count: int, tick: Tick) -> NDArray[np.float64]:
        """Probabilities (N, K) of unchanged faces, averaged over ``count`` views of each."""
        views: list[Matrix] = view_matrices(self.pre.size_hw, count)
        parts = [self.answers(FaceDataset(faces, self.pre, view=view), tick) for view in views]
        return np.asarray(np.mean(parts, axis=0), np.float64)


def open_member(run: Run, *, classes: int) -> Member:
    """A finished run's net.

    Raises:
        ExperimentError: When the run is not finished.
    """
    if not run.done:
        raise ExperimentError(f"{run.folder} is not finished: train it before it answers")
    task = load_picked(run, num_classes=classes)
    channels_last = run.environment["precision"].endswith("channels-last")
    if channels_last:
        task.scored.to(memory_format=torch.channels_last)
    experiment = run.experiment
    net: torch.nn.Module = task.scored.net  # type: ignore[assignment]
    return Member(
        name=experiment.name, net=net, pre=experiment.preprocess, channels_last=channels_last
    )
