"""What a training starts from: a finished run, or a model that is shipped."""

from pathlib import Path

import torch

from pyojeong.core.errors import ExperimentError, ModelUnknown
from pyojeong.core.json_record import read_record, write_record
from pyojeong.core.run_files import BEFORE
from pyojeong.training.data.datamodule import FaceData
from pyojeong.training.lightning_module import Classify
from pyojeong.training.onnx_warm_start import start_from_model
from pyojeong.training.run import Run, load_picked
from pyojeong.zoo import SHORT_NAMES, find

_MEASURED = 1024
"""Faces on which the batch norms of a shipped model are measured."""


@torch.no_grad()
def note_accuracy_before(run: Run, task: Classify, data: FaceData, runs: Path) -> None:
    """Write how often a shipped model is right on the validation split before it is trained on.

    Nothing for trainings that start from fresh weights or from another run.
    """
    file, start = run.folder / BEFORE, run.experiment.start
    if file.exists() or start is None or Run(runs / start).done:
        return
    task.eval()
    hits = [
        task.model(batch.inputs.contiguous(memory_format=task.layout))[0].argmax(1) == batch.labels
        for batch in data.val_dataloader()
    ]
    task.train()
    right = float(torch.cat(hits).float().mean())
    write_record(file, {"valid_accuracy": round(right, 6)}, indent=None)


def start_weights(task: Classify, name: str, data: FaceData, runs: Path) -> None:
    """Give a task the weights of a finished run, or of a model that is shipped.

    Raises:
        ExperimentError: When there is neither, with the nearest names.
    """
    run = Run(runs / name)
    if run.done:
        start = load_picked(run, num_classes=len(data.label_set))
        task.model.load_state_dict(start.scored.state_dict())
        return
    if run.folder.is_dir():
        raise ExperimentError(f"start = {name!r}: {run.folder} is not a finished run")
    try:
        entry = find(SHORT_NAMES.get(name, name), kind="classifier")
    except ModelUnknown as error:
        raise ExperimentError(
            f"start = {name!r}: {run.folder} is not a finished run, and no model has that id. "
            f"{error}"
        ) from error
    count = min(len(data.train), _MEASURED)
    faces = data.epoch(0).__getitems__(list(range(count))).inputs
    start_from_model(task.model, entry, faces, labels=data.label_set)


def accuracy_before(run: Run) -> float | None:
    """Return what ``note_accuracy_before`` wrote; None = nothing."""
    file = run.folder / BEFORE
    if not file.exists():
        return None
    cure = "remove it, then give the same command again: the figure is left out"
    return float(read_record(file, cure=cure, keys=["valid_accuracy"])["valid_accuracy"])
