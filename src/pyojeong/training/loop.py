"""Training an experiment in its run folder, or resuming it."""

import json
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from pyojeong.core.atomic_write import remove_stale
from pyojeong.core.errors import ExperimentError, MissingExtra, OutputError
from pyojeong.core.inputs import InputCounts
from pyojeong.core.json_record import write_record
from pyojeong.core.one_writer import one_writer
from pyojeong.core.run_files import KEY, WEIGHTS_KEY, digests_of_run, digests_of_weights
from pyojeong.datasets.samples import Split, read_manifest, split_hash
from pyojeong.training.checkpoint_io import WholeCheckpoints
from pyojeong.training.data.datamodule import FaceData
from pyojeong.training.data.portion import Fold, Portion
from pyojeong.training.data_size import fit_to_size, require_classes
from pyojeong.training.experiment import Experiment
from pyojeong.training.lightning_module import MONITOR, Classify
from pyojeong.training.members import joins_members, trained_members
from pyojeong.training.nets.columns import Columns
from pyojeong.training.precision import PRECISIONS
from pyojeong.training.recipe import Recipe
from pyojeong.training.run import Run, load_picked, mean_weights, read_curves, write_text
from pyojeong.training.run_identity import (
    check_same_run,
    device_of,
    note_training_images,
    settle_environment,
)
from pyojeong.training.soft_labels import SoftLabels
from pyojeong.training.start import accuracy_before, note_accuracy_before, start_weights
from pyojeong.training.weight_digests import settle_digest

Progress = Callable[[dict[str, Any]], None]
"""Called after every epoch with its line of ``curves.jsonl``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingCallbacks:
    """Callbacks of a training run.

    Attributes:
        started: Called once with the run's environment (versions, precision, data).
        fitted: Called with the recipe that is used, when it was changed to fit the data's size.
        epoch: Called after every epoch with its line of ``curves.jsonl``.
        logger: ``"tensorboard"`` or ``"mlflow"``: curves go there as well.
    """

    started: Progress | None = None
    fitted: Callable[[Recipe], None] | None = None
    epoch: Progress | None = None
    logger: str | None = None


class _Curves(Callback):  # type: ignore[misc]
    """Appends one line per epoch to ``curves.jsonl``; drops lines that a resume repeats."""

    def __init__(self, file: Path, progress: Progress | None) -> None:
        self.file = file
        self.progress = progress
        self._started = time.monotonic()
        self._worked = time.process_time()

    def on_train_epoch_start(self, *_: Any) -> None:
        self._started = time.monotonic()
        self._worked = time.process_time()

    def on_train_epoch_end(self, trainer: L.Trainer, *_: Any) -> None:
        epoch = trainer.current_epoch
        metrics = {k: round(float(v), 6) for k, v in trainer.callback_metrics.items()}
        if (epoch + 1) % trainer.check_val_every_n_epoch:  # Lightning repeats the last validation
            metrics = {k: v for k, v in metrics.items() if not k.startswith("valid_")}
        line = {
            "epoch": epoch,
            **metrics,
            "epochs": trainer.max_epochs,
            "seconds": round(time.monotonic() - self._started, 1),
            "cpu_seconds": round(time.process_time() - self._worked, 1),
        }
        kept = [row for row in read_curves(self.file) if row["epoch"] < epoch]
        write_text(self.file, "".join(json.dumps(row) + "\n" for row in [*kept, line]))
        if self.progress is not None:
            self.progress(line)


def run_name(name: str, without: Fold | None = None) -> str:
    """Folder of an experiment's run, relative to the folder of runs."""
    if without is None:
        return name
    return f"{name}-folds/{without.index}-of-{without.count}"


def train(  # noqa: PLR0913 - one for every option of the command
    text: str,
    manifest: Path,
    runs: Path,
    *,
    limit: int | None = None,
    without: Fold | None = None,
    min_steps: int | None = None,
    device: str = "auto",
    watch: TrainingCallbacks = TrainingCallbacks(),
) -> Run:
    """Train an experiment, or resume it from its last whole epoch.

    Args:
        text: The experiment, TOML.
        manifest: The data set's Parquet file; only train and valid rows are read.
        runs: Folder of run folders.
        limit: Only the first training samples (smoke tests).
        without: Part of the training split that is kept out; the run folder is then
            ``<name>-folds/<index>-of-<count>``.
        min_steps: Where epochs and batch size of the recipe give fewer steps with this data, they
            are changed (``data_size.fit_to_size``). Not with a ``limit``, nor where the
            experiment itself states how many samples there are (``subset``, ``[sampling] faces``).
            None = as the run was begun; 0 for a new one.
        device: ``"cpu"``, ``"cuda"``, ``"mps"``, or ``"auto"``: the one that the run was begun on,
            for a new one the best that torch has here. Only the CPU repeats a run to the last bit.
        watch: Who gets reports of what happens.

    Returns:
        The finished run.

    Raises:
        ExperimentError: When the experiment is wrong or the folder belongs to another one.
        Diverged: When the loss is no longer a number; earlier checkpoints stay.
        DataError: When the data could not be used.
        DeviceUnavailable: When torch cannot use the device here.
        MissingExtra: When the logger is not installed.
        OutputError: When the run folder could not be written.
        OutputBusy: When another process trains in it.
    """
    experiment = Experiment.from_toml(text)
    run = Run(runs / run_name(experiment.name, without))
    asked: dict[str, Any] = {"limit": limit, "min_steps": min_steps, "device": device}
    check_same_run(run, experiment, manifest, runs=runs, **asked)
    if run.done:
        return run
    with _begun(run, manifest):
        environment = settle_environment(run, experiment, manifest, runs=runs, **asked)
        write_text(run.folder / "experiment.toml", text)
        _tell_start(run, watch)
        portion = Portion(without=without, limit=limit, subset=experiment.subset)
        data = _build_data(experiment, manifest, portion)
        note_training_images(run, manifest)
        min_steps = 0 if limit is not None else environment.get("min_steps", 0)
        experiment = _fit_to_size(experiment, data, min_steps, watch)
        task = _build_task(experiment, data, runs, environment["precision"])
        note_accuracy_before(run, task, data, runs)
        _fit(_trainer(run, experiment, environment, watch), run, task, data)
        _finish(run, experiment, data)
    return run


@contextmanager
def _begun(run: Run, manifest: Path) -> Iterator[None]:
    """Hold the run folder, which is made if the data can be learned from."""
    require_classes(manifest)
    with one_writer(run.folder, folder=True):
        remove_stale(run.last.parent)
        yield


def _fit(trainer: L.Trainer, run: Run, task: Classify, data: FaceData) -> None:
    """Train from the last whole epoch on."""
    with _quiet_lightning(), _whole_epochs_kept(run):
        resume = str(run.last) if run.last.exists() else None
        trainer.fit(task, data, ckpt_path=resume, weights_only=True)


def _tell_start(run: Run, watch: TrainingCallbacks) -> None:
    if watch.started is not None:
        watch.started(run.environment)


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Run without Lightning's advertisements and advice, which concern no user of a training."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*LeafSpec.* is deprecated")
            # Workers, batches, folders, modules in eval mode (frozen ones are, on purpose) ...
            warnings.filterwarnings("ignore", category=UserWarning, module=r"lightning\.")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _whole_epochs_kept(run: Run) -> Iterator[None]:
    """Say in one line what to do when the run folder could not be written."""
    try:
        yield
    except OSError as error:
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        raise OutputError(
            f"{run.folder}: {cause.strerror or cause}; the last whole epoch is kept: make "
            "room, then give the same command again"
        ) from error


def _finish(run: Run, experiment: Experiment, data: FaceData) -> None:
    for weights in (run.last, run.best):
        if weights.exists():
            settle_digest(weights)
    write_record(run.folder / "done.json", _summary(run, experiment, data))


def _summary(run: Run, experiment: Experiment, data: FaceData) -> dict[str, Any]:
    """Return what ``done.json`` says."""
    counts = np.bincount(data.valid.labels, minlength=1)
    given, read = data.train.given + data.valid.given, len(data.train) + len(data.valid)
    return {
        **_picked_line(run, experiment),
        "valid_accuracy_before": accuracy_before(run),
        "train_samples": len(data.train),
        "valid_samples": len(data.valid),
        "pictures": InputCounts(read=read, failed=given - read).to_dict(),
        "valid_commonest_class": round(float(counts.max() / counts.sum()), 6),
        "recipe": {k: getattr(experiment.recipe, k) for k in ("epochs", "batch_size", "lr")},
        KEY: digests_of_run(run.folder),
        WEIGHTS_KEY: digests_of_weights(run.folder),
    }


def _fit_to_size(
    experiment: Experiment, data: FaceData, min_steps: int, watch: TrainingCallbacks
) -> Experiment:
    """Return the experiment with a recipe that fits the data's size."""
    if experiment.subset is not None or experiment.sampling.faces:
        return experiment  # it states its size itself
    recipe = fit_to_size(experiment.recipe, len(data.train), min_steps=min_steps)
    if recipe != experiment.recipe:
        data.batch_size = recipe.batch_size
        if watch.fitted is not None:
            watch.fitted(recipe)
    return replace(experiment, recipe=recipe)


def _build_task(experiment: Experiment, data: FaceData, runs: Path, precision: str) -> Classify:
    """Return the task with its class weights, starting weights and teacher."""
    classes = len(data.label_set)
    weights = None
    if experiment.recipe.class_weights == "balanced":
        learnt = data.train.labels[data.train.labels >= 0]
        counts = np.bincount(learnt, minlength=classes).clip(min=1)
        weights = torch.tensor(len(learnt) / (classes * counts), dtype=torch.float32)
    net = experiment.build_net(num_classes=classes)
    members = trained_members(experiment, runs, num_classes=classes)
    joined = joins_members(experiment, runs)
    if members and joined:
        net.adopt([model.net for model in members])  # type: ignore[operator]
    task = Classify(
        net,
        experiment.recipe,
        seed=experiment.seed,
        channels_last=PRECISIONS[precision].channels_last,
        class_weights=weights,
    )
    heads = [model.vote_head for model in members if model.vote_head is not None]
    own = task.model.vote_head
    if (
        isinstance(net, Columns)
        and own is not None
        and members
        and joined
        and len(heads) == len(members)
    ):
        net.join_heads(own, heads)
    if members and not joined:
        task.model.load_state_dict(mean_weights([model.state_dict() for model in members]))
    if experiment.start is not None:
        start_weights(task, experiment.start, data, runs)
    if experiment.recipe.teacher is not None:
        teacher = Run(runs / experiment.recipe.teacher)
        if not teacher.done or teacher.experiment.preprocess != experiment.preprocess:
            raise ExperimentError(
                f"[recipe] teacher {experiment.recipe.teacher!r} must be a finished run in {runs} "
                "with the same [preprocess]"
            )
        taught = load_picked(teacher, num_classes=classes).scored.net
        task.learn_from(taught)  # type: ignore[arg-type]
    return task


def _build_data(experiment: Experiment, manifest: Path, portion: Portion) -> FaceData:
    """Return the data, with a teacher's cached answers when the recipe names some."""
    data = FaceData(
        manifest,
        experiment.preprocess,
        experiment.augment,
        batch_size=experiment.recipe.batch_size,
        seed=experiment.seed,
        portion=portion,
        sampling=experiment.sampling,
    )
    name = experiment.recipe.soft_labels
    if name is None:
        return data
    if portion != Portion():
        raise ExperimentError(
            "[recipe] soft_labels belong to the whole training split: not with a subset, a limit "
            "or folds"
        )
    soft = SoftLabels.read(Path(name))
    digest = split_hash(read_manifest(data.manifest, splits=[Split.TRAIN]))
    soft.check(experiment.augment, data.label_set, digest, name)
    data.taught = soft
    data.taught_votes = experiment.recipe.distil_votes
    return data


def _picked_line(run: Run, experiment: Experiment) -> dict[str, Any]:
    rows = [row for row in read_curves(run.folder / "curves.jsonl") if MONITOR in row]
    if experiment.recipe.pick == "last":
        return rows[-1]
    return max(rows, key=lambda row: float(row[MONITOR]))


def _logger(name: str | None, run: Run) -> Any:
    """Lightning's logger of that name, or False for none."""
    if name is None:
        return False
    from lightning.pytorch import loggers

    try:
        if name == "tensorboard":
            return loggers.TensorBoardLogger(run.folder, name="", version="tensorboard")
        if name == "mlflow":
            return loggers.MLFlowLogger(run.folder.name, save_dir=str(run.folder / "mlruns"))
    except ModuleNotFoundError as error:
        raise MissingExtra(f"logging to {name}", name, cure=f"pip install {name}") from error
    raise ExperimentError(f"unknown logger {name!r}: Known: tensorboard, mlflow.")


def _trainer(
    run: Run, experiment: Experiment, environment: dict[str, Any], watch: TrainingCallbacks
) -> L.Trainer:
    device = device_of(environment)
    folder = run.folder / "checkpoints"
    best = ModelCheckpoint(
        folder, filename="best", monitor=MONITOR, mode="max", enable_version_counter=False
    )
    # Lightning's save_last follows save_top_k and would skip epochs that do not improve.
    last = ModelCheckpoint(
        folder,
        filename="last",
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    curves = _Curves(run.folder / "curves.jsonl", watch.epoch)
    return L.Trainer(
        accelerator=device,
        devices=1,
        max_epochs=experiment.recipe.epochs,
        check_val_every_n_epoch=experiment.recipe.validate_every,
        precision=PRECISIONS[environment["precision"]].lightning,
        gradient_clip_val=experiment.recipe.clip or None,
        callbacks=[curves, best, last],
        plugins=[WholeCheckpoints()],
        logger=_logger(watch.logger, run),
        default_root_dir=run.folder,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        # Other devices lack deterministic forms of some operations, and would refuse them.
        deterministic=True if device == "cpu" else "warn",
    )
