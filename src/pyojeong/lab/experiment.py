"""Experiments as data: a frozen ``Experiment`` from TOML, its run folder, and resuming it.

A run folder holds ``experiment.toml`` (as given), ``environment.json`` (versions, precision,
data digest), ``curves.jsonl`` (one line per epoch), ``checkpoints/last.ckpt`` and ``best.ckpt``,
and ``done.json`` once the last epoch is over. A folder without ``done.json`` is unfinished; the
same command resumes it from the last whole epoch.
"""

import json
import logging
import platform
import time
import tomllib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from pyojeong.core.card import Preprocess
from pyojeong.core.errors import ExperimentError
from pyojeong.lab.augment import Augment
from pyojeong.lab.datamodule import FaceData, Fold
from pyojeong.lab.nets.registry import NETS, build_net
from pyojeong.lab.precision import PRECISIONS, Precision, choose_precision
from pyojeong.lab.task import MONITOR, Classify, Recipe

Progress = Callable[[dict[str, Any]], None]
"""Called after every epoch with its line of ``curves.jsonl``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Everything that decides a run's outcome, except the pixels.

    Attributes:
        name: Names the run folder.
        seed: Of weights, order, augmentation and dropout.
        precision: ``"auto"`` (measured at the start), or a key of ``PRECISIONS``.
        net: Key of ``NETS``.
        net_options: Passed to the net's builder.
        preprocess: How faces are fed, in training and ever after.
        augment: Random changes in training.
        recipe: Optimisation.
        start: Name of a finished run in the same folder whose best weights training starts from;
            None = fresh weights.
    """

    name: str
    seed: int = 0
    precision: str = "auto"
    net: str = "se_resnet"
    net_options: dict[str, Any] = field(default_factory=dict)
    preprocess: Preprocess
    augment: Augment = field(default_factory=Augment)
    recipe: Recipe
    start: str | None = None

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Parse an experiment.

        Raises:
            ExperimentError: When a table or key is unknown, missing or of the wrong type.
        """
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ExperimentError(f"experiment is not valid TOML: {error}") from error
        try:
            net = dict(data.pop("net"))
            built = cls(
                net=net.pop("name"),
                net_options=net,
                preprocess=Preprocess.from_dict(data.pop("preprocess")),
                augment=_table(Augment, data.pop("augment", {}), "augment"),
                recipe=_table(Recipe, data.pop("recipe"), "recipe"),
                **data,
            )
        except KeyError as error:
            raise ExperimentError(f"experiment lacks the key {error}") from error
        except TypeError as error:
            raise ExperimentError(f"experiment: {error}") from error
        if built.net not in NETS:
            raise ExperimentError(f"unknown net {built.net!r}; known: {', '.join(sorted(NETS))}")
        if built.precision != "auto" and built.precision not in PRECISIONS:
            raise ExperimentError(f"precision must be auto or one of {', '.join(PRECISIONS)}")
        return built

    def build_task(self, *, num_classes: int, channels_last: bool = False) -> Classify:
        """A freshly initialised task; the weights depend on ``seed`` alone."""
        torch.manual_seed(self.seed)
        net = build_net(
            self.net,
            num_classes=num_classes,
            in_channels=self.preprocess.channels,
            **self.net_options,
        )
        return Classify(net, self.recipe, seed=self.seed, channels_last=channels_last)


def _table(cls: type, data: dict[str, Any], name: str) -> Any:
    known = {f.name for f in fields(cls)}
    unknown = sorted(set(data) - known)
    if unknown:
        raise ExperimentError(f"[{name}] has unknown keys {unknown}; known: {sorted(known)}")
    return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in data.items()})


class _Curves(Callback):  # type: ignore[misc]
    """Appends one line per epoch to ``curves.jsonl``; drops lines that a resume repeats."""

    def __init__(self, file: Path, progress: Progress | None) -> None:
        self.file = file
        self.progress = progress
        self._started = time.monotonic()

    def on_train_epoch_start(self, *_: Any) -> None:
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, *_: Any) -> None:
        epoch = trainer.current_epoch
        metrics = {k: round(float(v), 6) for k, v in trainer.callback_metrics.items()}
        seconds = round(time.monotonic() - self._started, 1)
        line = {"epoch": epoch, **metrics, "epochs": trainer.max_epochs, "seconds": seconds}
        kept = [row for row in read_curves(self.file) if row["epoch"] < epoch]
        _write_text(self.file, "".join(json.dumps(row) + "\n" for row in [*kept, line]))
        if self.progress is not None:
            self.progress(line)


def read_curves(file: Path) -> list[dict[str, Any]]:
    """The epochs of a run so far; an unfinished last line is ignored."""
    if not file.exists():
        return []
    rows = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


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
    def done(self) -> bool:
        """True when the last epoch is over."""
        return (self.folder / "done.json").exists()

    @property
    def experiment(self) -> Experiment:
        """What was run.

        Raises:
            ExperimentError: When the folder is no run folder.
        """
        file = self.folder / "experiment.toml"
        try:
            return Experiment.from_toml(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise ExperimentError(f"{self.folder} is not a run folder: {error}") from error

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, precision and data of the run."""
        text = (self.folder / "environment.json").read_text(encoding="utf-8")
        return dict(json.loads(text))


def run_name(name: str, without: Fold | None = None) -> str:
    """Folder of an experiment's run, relative to the folder of runs."""
    if without is None:
        return name
    return f"{name}-folds/{without.index}-of-{without.count}"


def _prepare(run: Run, text: str, manifest: Path) -> Experiment:
    """Create the folder, or check that it belongs to the same experiment."""
    experiment = Experiment.from_toml(text)
    file = run.folder / "experiment.toml"
    if file.exists():
        if file.read_text(encoding="utf-8") != text:
            raise ExperimentError(
                f"{run.folder} holds another experiment of that name; give the new one another "
                "name, or remove the folder"
            )
        if run.environment["manifest"] != manifest.name:
            raise ExperimentError(f"{run.folder} was started on other data; use another name")
    else:
        run.folder.mkdir(parents=True, exist_ok=True)
    return experiment


def _settle_precision(run: Run, experiment: Experiment, text: str, manifest: Path) -> Precision:
    """Choose the precision once per run and write the environment down."""
    if (run.folder / "experiment.toml").exists():
        return PRECISIONS[run.environment["precision"]]
    timings: dict[str, float] = {}
    name = experiment.precision
    if name == "auto":
        task = experiment.build_task(num_classes=7)
        shape = (experiment.preprocess.channels, *experiment.preprocess.size_hw)
        name, timings = choose_precision(
            task.model.net, shape, batch_size=experiment.recipe.batch_size
        )
    environment = {
        "manifest": manifest.name,
        "precision": name,
        "precision_ms_per_step": timings,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "lightning": L.__version__,
        "python": platform.python_version(),
    }
    _write_text(run.folder / "environment.json", json.dumps(environment, indent=2) + "\n")
    _write_text(run.folder / "experiment.toml", text)
    return PRECISIONS[name]


def train(
    text: str,
    manifest: Path,
    runs: Path,
    *,
    limit: int | None = None,
    without: Fold | None = None,
    started: Progress | None = None,
    progress: Progress | None = None,
) -> Run:
    """Train an experiment, or resume it from its last whole epoch.

    Args:
        text: The experiment, TOML.
        manifest: The data set's Parquet file; only train and valid rows are read.
        runs: Folder of run folders.
        limit: Only the first training samples (smoke tests).
        without: Part of the training split that is kept out; the run folder is then
            ``<name>-folds/<index>-of-<count>``.
        started: Called once with the run's environment (versions, precision, data).
        progress: Called after every epoch.

    Returns:
        The finished run.

    Raises:
        ExperimentError: When the experiment is wrong or the folder belongs to another one.
        DataError: When the data cannot be used.
    """
    run = Run(runs / run_name(Experiment.from_toml(text).name, without))
    experiment = _prepare(run, text, manifest)
    if run.done:
        return run
    precision = _settle_precision(run, experiment, text, manifest)
    if started is not None:
        started(run.environment)
    data = FaceData(
        manifest,
        experiment.preprocess,
        experiment.augment,
        batch_size=experiment.recipe.batch_size,
        seed=experiment.seed,
        limit=limit,
        without=without,
    )
    task = experiment.build_task(
        num_classes=len(data.label_set), channels_last=precision.channels_last
    )
    if experiment.start is not None:
        start = load_best(Run(runs / experiment.start), num_classes=len(data.label_set))
        task.model.load_state_dict(start.scored.state_dict())
    began = time.monotonic()
    resume = str(run.last) if run.last.exists() else None
    with _quiet_lightning():
        trainer = _trainer(run, experiment, precision, progress)
        trainer.fit(task, data, ckpt_path=resume, weights_only=False)
    best = _best_line(run)
    summary = {**best, "seconds_this_session": round(time.monotonic() - began, 1)}
    _write_text(run.folder / "done.json", json.dumps(summary, indent=2) + "\n")
    return run


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Without Lightning's advertisements, and without warnings that do not concern us."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*LeafSpec.* is deprecated")
            warnings.filterwarnings("ignore", message=r".*does not have many workers.*")
            warnings.filterwarnings("ignore", message=r".*The number of training batches.*")
            warnings.filterwarnings("ignore", message=r".*exists and is not empty.*")
            yield
    finally:
        logger.setLevel(level)


def _best_line(run: Run) -> dict[str, Any]:
    return max(read_curves(run.folder / "curves.jsonl"), key=lambda row: row[MONITOR])


def _trainer(
    run: Run, experiment: Experiment, precision: Precision, progress: Progress | None
) -> L.Trainer:
    folder = run.folder / "checkpoints"
    best = ModelCheckpoint(
        folder, filename="best", monitor=MONITOR, mode="max", enable_version_counter=False
    )
    # Lightning's save_last follows save_top_k and would skip epochs that do not improve.
    last = ModelCheckpoint(folder, filename="last", every_n_epochs=1, enable_version_counter=False)
    curves = _Curves(run.folder / "curves.jsonl", progress)
    return L.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=experiment.recipe.epochs,
        precision=precision.lightning,
        gradient_clip_val=experiment.recipe.clip or None,
        callbacks=[curves, best, last],
        logger=False,
        default_root_dir=run.folder,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        deterministic=True,
    )


def load_best(run: Run, *, num_classes: int) -> Classify:
    """The checkpoint with the best accuracy on Split.VALID, in evaluation mode.

    Raises:
        ExperimentError: When the run has no checkpoint yet.
    """
    return _load(run, run.best, num_classes)


def load_last(run: Run, *, num_classes: int) -> Classify:
    """The checkpoint of the last epoch, which nothing was chosen by, in evaluation mode.

    Raises:
        ExperimentError: When the run has no checkpoint yet.
    """
    return _load(run, run.last, num_classes)


def _load(run: Run, checkpoint: Path, num_classes: int) -> Classify:
    if not checkpoint.exists():
        raise ExperimentError(f"{run.folder} has no checkpoint yet: train it first")
    task = run.experiment.build_task(num_classes=num_classes)
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)
    task.load_state_dict(state["state_dict"])
    task.eval()
    return task
