"""What a process of a training does: data, task and trainer of a run, fitted to its end."""

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

from pyojeong.core.errors import ExperimentError, MissingExtra, OutputError
from pyojeong.datasets.samples import Split, read_manifest, split_hash
from pyojeong.training.checkpoint_io import WholeCheckpoints
from pyojeong.training.data.datamodule import FaceData
from pyojeong.training.data.portion import Portion
from pyojeong.training.data_size import fit_to_size
from pyojeong.training.experiment import Experiment
from pyojeong.training.lightning_module import MONITOR, Classify
from pyojeong.training.members import joins_members, trained_members
from pyojeong.training.nets.columns import Columns
from pyojeong.training.precision import PRECISIONS
from pyojeong.training.recipe import Recipe
from pyojeong.training.run import Run, load_picked, mean_weights, read_curves, write_text
from pyojeong.training.run_identity import device_of
from pyojeong.training.soft_labels import SoftLabels
from pyojeong.training.start import note_accuracy_before, start_weights
from pyojeong.training.world import distributed_options, distributed_plugins, world

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


SILENT = TrainingCallbacks()
"""Nobody gets reports."""


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
        if not trainer.is_global_zero:
            return
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


def fit_run(
    run: Run,
    experiment: Experiment,
    data: FaceData,
    runs: Path,
    environment: dict[str, Any],
    watch: TrainingCallbacks,
) -> None:
    """Train a run to its end, from its last whole epoch on.

    Args:
        run: Its folder, held by this process or by the one that started it.
        experiment: What is trained, fitted to the data's size.
        data: From ``build_data``.
        runs: Folder of run folders.
        environment: Of the run.
        watch: Who gets reports, in the first process.

    Raises:
        ExperimentError: When the batches could not be divided among the processes.
        Diverged: When the loss is no longer a number.
        OutputError: When the run folder could not be written.
    """
    size, batch = world().size, experiment.recipe.batch_size
    if batch % size or len(data.train) < size or len(data.valid) < size:
        raise ExperimentError(
            f"[recipe] batch_size {batch} of {len(data.train):,} pictures could not be divided "
            f"among {size} processes: choose a batch size that is a multiple of --devices"
        )
    task = build_task(experiment, data, runs, environment["precision"])
    if size > 1 and task.averaged is not None:
        task.averaged.requires_grad_(False)  # processes exchange the gradients of all others
    if world().rank == 0:
        note_accuracy_before(run, task, data, runs)
    _fit(build_trainer(run, experiment, environment, watch), run, task, data)


def _fit(trainer: L.Trainer, run: Run, task: Classify, data: FaceData) -> None:
    """Train from the last whole epoch on."""
    with quiet_lightning(), _whole_epochs_kept(run):
        resume = str(run.last) if run.last.exists() else None
        trainer.fit(task, data, ckpt_path=resume, weights_only=True)


@contextmanager
def quiet_lightning() -> Iterator[None]:
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


def fit_recipe_to_size(
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


def build_task(experiment: Experiment, data: FaceData, runs: Path, precision: str) -> Classify:
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


def build_data(experiment: Experiment, manifest: Path, portion: Portion) -> FaceData:
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


def build_trainer(
    run: Run, experiment: Experiment, environment: dict[str, Any], watch: TrainingCallbacks
) -> L.Trainer:
    """Return the trainer of a run, which keeps its best and its last epoch."""
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
        **distributed_options(),
        max_epochs=experiment.recipe.epochs,
        check_val_every_n_epoch=experiment.recipe.validate_every,
        precision=PRECISIONS[environment["precision"]].lightning,
        gradient_clip_val=experiment.recipe.clip or None,
        callbacks=[curves, best, last],
        plugins=[WholeCheckpoints(), *distributed_plugins()],
        logger=_logger(watch.logger, run),
        default_root_dir=run.folder,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        # Other devices lack deterministic forms of some operations, and would refuse them.
        deterministic=True if device == "cpu" else "warn",
    )
