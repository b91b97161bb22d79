"""Finished runs that answer together: as teachers of a student, or as an ensemble."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pyojeong.core.calibration import softmax
from pyojeong.core.card import Preprocess
from pyojeong.core.errors import ExperimentError
from pyojeong.image.preprocess import Matrix
from pyojeong.image.tta import view_matrices
from pyojeong.training.data.datamodule import FaceDataset
from pyojeong.training.data.faces import Faces
from pyojeong.training.lightning_module import HeadedNet
from pyojeong.training.run import Run, load_picked

_BATCH = 256

Tick = Callable[[int], None]
"""Called with the number of answers that were just given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One of several nets.

    Attributes:
        name: Of its experiment.
        model: Its net with both heads, in evaluation mode.
        pre: What it looks through.
        channels_last: Memory layout it was trained in.
    """

    name: str
    model: HeadedNet
    pre: Preprocess
    channels_last: bool

    def answers(self, data: FaceDataset, tick: Tick) -> NDArray[np.float64]:
        """Return probabilities (N, K) in the data's order."""
        return self.both_answers(data, tick)[0]

    @torch.inference_mode()
    def both_answers(
        self, data: FaceDataset, tick: Tick
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return probabilities of labels (N, K) and of votes (N, 8), None without a vote head."""
        rows: list[NDArray[np.float32]] = []
        voted: list[NDArray[np.float32]] = []
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        for start in range(0, len(data), _BATCH):
            batch = data.__getitems__(list(range(start, min(start + _BATCH, len(data)))))
            logits, votes = self.model(batch.inputs.contiguous(memory_format=layout))
            rows.append(logits.float().numpy())
            if votes is not None:
                voted.append(votes.float().numpy())
            tick(len(batch.labels))
        return softmax(np.concatenate(rows)), softmax(np.concatenate(voted)) if voted else None

    def through_views(self, faces: Faces, count: int, tick: Tick) -> NDArray[np.float64]:
        """Return probabilities (N, K) of unchanged faces, averaged over ``count`` views of each."""
        views: list[Matrix] = view_matrices(self.pre.size_hw, count)
        parts = [self.answers(FaceDataset(faces, self.pre, view=view), tick) for view in views]
        return np.asarray(np.mean(parts, axis=0), np.float64)


def open_member(run: Run, *, classes: int) -> Member:
    """Return a finished run's net.

    Raises:
        ExperimentError: When the run is not finished.
    """
    if not run.done:
        raise ExperimentError(f"{run.folder} is not finished: train it to the end first")
    task = load_picked(run, num_classes=classes)
    channels_last = run.environment["precision"].endswith("channels-last")
    if channels_last:
        task.scored.to(memory_format=torch.channels_last)
    experiment = run.experiment
    model: HeadedNet = task.scored  # type: ignore[assignment]
    return Member(
        name=experiment.name, model=model, pre=experiment.preprocess, channels_last=channels_last
    )


def require_distinct(runs: Sequence[Run]) -> None:
    """Refuse runs of the same name: what is made of their answers knows them by it.

    Raises:
        ExperimentError: When two have the same; with both folders.
    """
    seen: dict[str, Path] = {}
    for run in runs:
        name = run.experiment.name
        if name in seen:
            raise ExperimentError(
                f"two runs are called {name}: {seen[name]} and {run.folder}; give each run once, "
                "and train runs that answer together under names of their own"
            )
        seen[name] = run.folder
