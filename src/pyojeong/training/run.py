"""A run folder, and what lies in it.

``experiment.toml`` (complete, nothing inherited), ``environment.json`` (versions, precision, data),
``curves.jsonl`` (one line per epoch), ``checkpoints/last.ckpt`` and ``best.ckpt``, ``done.json``
once the last epoch is over (with digests of the files before: ``core.run_files``), ``result.json``
once it is measured or has failed for good. A folder without ``done.json`` is unfinished; the same
command resumes it from the last whole epoch.

A packed run holds ``weights.safetensors`` instead of checkpoints: it can teach, start other runs
and be exported, but not be resumed.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.errors import ExperimentError
from pyojeong.core.json_record import read_record
from pyojeong.core.run_files import WEIGHTS, changed_run_file_words, changed_run_files
from pyojeong.evaluation.test_split_guard import scored_uses_of_run, uses_of_run
from pyojeong.training.experiment import Experiment
from pyojeong.training.lightning_module import Classify
from pyojeong.training.weight_digests import check_digest


def read_curves(file: Path) -> list[dict[str, Any]]:
    """Return the epochs of a run so far; an unfinished last line is ignored."""
    if not file.exists():
        return []
    rows = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            rows.append(json.loads(line))
        except (ValueError, RecursionError):
            break
    return rows


def write_text(path: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    with atomic_write(path, "w") as file:
        file.write(text)


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder.

    Attributes:
        folder: Where everything of the run lies.
    """

    folder: Path

    @property
    def last(self) -> Path:
        """Checkpoint of the last whole epoch."""
        return self.folder / "checkpoints" / "last.ckpt"

    @property
    def best(self) -> Path:
        """Checkpoint of the epoch with the best accuracy on Split.VALID."""
        return self.folder / "checkpoints" / "best.ckpt"

    @property
    def packed(self) -> Path:
        """Weights of a packed run, which has no checkpoints."""
        return self.folder / WEIGHTS

    @property
    def result_weights(self) -> Path:
        """The file that the run's result is read from: a checkpoint, or packed weights."""
        return self.picked if self.picked.exists() else self.packed

    @property
    def done(self) -> bool:
        """True when the last epoch is over."""
        return (self.folder / "done.json").exists()

    @property
    def test_split_uses(self) -> list[dict[str, Any]]:
        """Every use of the test split with this run's weights."""
        return uses_of_run(self.folder)

    @property
    def scored_uses(self) -> list[dict[str, Any]]:
        """Uses of the test split whose figures were recorded in full, with these."""
        return scored_uses_of_run(self.folder)

    @property
    def experiment(self) -> Experiment:
        """What was run.

        Raises:
            ExperimentError: When the folder is no run folder.
        """
        file = self.folder / "experiment.toml"
        if file.exists():
            self.check_files(file.name)
        try:
            return Experiment.from_toml(file.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, ExperimentError) as error:
            raise ExperimentError(
                f"{file}: {error}; restore it from a copy, or remove {self.folder} and train again"
            ) from error
        except OSError as error:
            raise ExperimentError(
                f"{self.folder} is not a run folder: it has no experiment.toml "
                f"({error.strerror}); `pyojeong train` prints the folder that it wrote"
            ) from error

    @property
    def picked(self) -> Path:
        """The checkpoint that is the run's result, as its recipe says."""
        return self.last if self.experiment.recipe.pick == "last" else self.best

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, precision and data of the run."""
        if (self.folder / "experiment.toml").exists():
            self.check_files("environment.json")
        return self._read("environment.json", keys=("manifest", "precision"))

    @property
    def summary(self) -> dict[str, Any]:
        """What ``done.json`` says: the picked epoch, its figures, and the pictures."""
        return self._read("done.json", keys=("epoch", "valid_accuracy"))

    def check_files(self, *names: str) -> None:
        """Compare the files that a finished run rests on with what they were at its end.

        Args:
            names: Of which files; none = of all.

        Raises:
            ExperimentError: When one was changed; it is named, with the cure. Runs of earlier
                versions do not say how they were.
        """
        file = self.folder / "done.json"
        if not file.exists():
            return
        cure = f"restore it from a copy, or remove {self.folder} and train again"
        for name in changed_run_files(self.folder, read_record(file, cure=cure)):
            if not names or name in names:
                raise ExperimentError(changed_run_file_words(self.folder, name))

    def _read(self, name: str, *, keys: tuple[str, ...] = ()) -> dict[str, Any]:
        file = self.folder / name
        if not (self.folder / "experiment.toml").exists():
            raise ExperimentError(
                f"{self.folder} is not a run folder: it has no experiment.toml; "
                "choose another folder"
            )
        cure = f"restore it from a copy, or remove {self.folder} and train again"
        return read_record(file, cure=cure, keys=keys)


def load_best(run: Run, *, num_classes: int) -> Classify:
    """Return the checkpoint with the best accuracy on Split.VALID, in evaluation mode.

    Raises:
        ExperimentError: When the run has no checkpoint yet.
    """
    return _load(run, run.best, num_classes)


def load_picked(run: Run, *, num_classes: int) -> Classify:
    """Return the run's result (best or last checkpoint, by its recipe), in evaluation mode.

    Raises:
        ExperimentError: When the run has no checkpoint yet.
    """
    return _load(run, run.picked, num_classes)


def load_last(run: Run, *, num_classes: int) -> Classify:
    """Return the checkpoint of the last epoch, which nothing was chosen by, in evaluation mode.

    Raises:
        ExperimentError: When the run has no checkpoint yet.
    """
    return _load(run, run.last, num_classes)


def mean_weights(states: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Return the mean of several nets' weights: a uniform soup.

    It is a good net when they went on from the same weights (Wortsman et al., ICML 2022, arXiv
    2203.05482), and costs no more than one. Counters are taken from the first.
    """
    first, *_ = states
    return {
        key: torch.stack([state[key] for state in states]).mean(0)
        if value.is_floating_point()
        else value
        for key, value in first.items()
    }


def read_checkpoint(checkpoint: Path) -> dict[str, Any]:
    """Return a checkpoint's tensors and plain values; nothing in it is executed.

    Raises:
        ExperimentError: When it is damaged, or holds other objects.
    """
    check_digest(checkpoint)
    try:
        state = dict(torch.load(checkpoint, map_location="cpu", weights_only=True))
        state["state_dict"] = dict(state["state_dict"])
    except Exception as error:  # the unpickler raises whatever it stumbles over
        first = str(error).partition("\n")[0][:200]
        raise ExperimentError(
            f"{checkpoint}: is damaged, or holds more than tensors and plain values and is not "
            f"read, because that could run code ({type(error).__name__}: {first}); remove the run "
            "folder and train again"
        ) from error
    return state


def _load(run: Run, checkpoint: Path, num_classes: int) -> Classify:
    packed = run.folder / WEIGHTS
    if not checkpoint.exists() and not packed.exists():
        raise ExperimentError(f"{run.folder} has no checkpoint yet: train it first")
    task = run.experiment.build_task(num_classes=num_classes)
    if not checkpoint.exists():
        check_digest(packed)
        with _weights_fit(packed):
            weights = {
                k: v.float() if v.dtype == torch.float16 else v
                for k, v in load_file(packed).items()
            }
            task.model.load_state_dict(weights)
            task.scored.load_state_dict(weights)
        task.eval()
        return task
    state = read_checkpoint(checkpoint)["state_dict"]
    with _weights_fit(checkpoint):
        task.load_state_dict(state)
    task.eval()
    return task


@contextmanager
def _weights_fit(file: Path) -> Iterator[None]:
    """Turn what a damaged or foreign file of weights causes into one line."""
    try:
        yield
    except (RuntimeError, SafetensorError, OSError, TypeError, AttributeError) as error:
        first = " ".join(str(error).split())[:200]
        raise ExperimentError(
            f"{file}: its weights are damaged or are not those of the experiment beside them: "
            f"{first}"
        ) from error
