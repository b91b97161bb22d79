"""SHA-256 of the files that a training starts from, whatever they are called.

A run is taken up again, or its result returned, only when they are the same: one path or one id
may name other weights later.
"""

from pathlib import Path

from pyojeong.core.errors import ModelError, PyojeongError
from pyojeong.training.experiment import Experiment
from pyojeong.training.members import joins_members
from pyojeong.training.onnx_warm_start import weights_of
from pyojeong.training.pretrained import start_file
from pyojeong.training.run import Run
from pyojeong.zoo import SHORT_NAMES, digest, find


def start_digests(experiment: Experiment, runs: Path) -> dict[str, str]:
    """Return setting -> SHA-256 of the file that it names; files that are not there are left out.

    Args:
        experiment: Its start, pretrained weights, members, teacher and soft labels are read.
        runs: Folder of run folders.
    """
    recipe = experiment.recipe
    files: dict[str, Path | None] = {}
    if experiment.start is not None:
        files["start"] = _start(experiment.start, runs)
    if experiment.pretrained is not None:
        files["pretrained"] = _pretrained(experiment)
    joined = bool(experiment.members) and joins_members(experiment, runs)
    for name in experiment.members:
        files[f"members {name}"] = _result(Run(runs / name.partition("#")[0]), last=not joined)
    if recipe.teacher is not None:
        files["[recipe] teacher"] = _result(Run(runs / recipe.teacher))
    if recipe.soft_labels is not None:
        files["[recipe] soft_labels"] = Path(recipe.soft_labels)
    return {key: digest(file) for key, file in files.items() if file is not None and file.is_file()}


def _start(name: str, runs: Path) -> Path | None:
    run = Run(runs / name)
    if run.done:
        return _result(run)
    try:
        return weights_of(find(SHORT_NAMES.get(name, name), kind="classifier")).weights
    except ModelError:
        return None


def _pretrained(experiment: Experiment) -> Path | None:
    try:
        return start_file(str(experiment.pretrained), path=experiment.pretrained_path)
    except PyojeongError:  # not installed, or not there
        return None


def _result(run: Run, *, last: bool = False) -> Path | None:
    """Return the file that a finished run's weights are read from; None = the run is not there."""
    if not run.done:
        return None
    checkpoint = run.last if last else run.picked
    return checkpoint if checkpoint.exists() else run.packed
