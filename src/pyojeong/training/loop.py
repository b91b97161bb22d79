"""Training an experiment in its run folder, or resuming it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pyojeong.core.atomic_write import remove_stale
from pyojeong.core.errors import ExperimentError
from pyojeong.core.inputs import InputCounts
from pyojeong.core.json_record import write_record
from pyojeong.core.one_writer import one_writer
from pyojeong.core.run_files import KEY, WEIGHTS_KEY, digests_of_run, digests_of_weights
from pyojeong.training.data.datamodule import FaceData
from pyojeong.training.data.portion import Fold, Portion
from pyojeong.training.data_size import require_classes
from pyojeong.training.experiment import Experiment
from pyojeong.training.fitting import (
    SILENT,
    TrainingCallbacks,
    build_data,
    fit_recipe_to_size,
    fit_run,
)
from pyojeong.training.lightning_module import MONITOR
from pyojeong.training.processes import (
    all_processes,
    fit_in_processes,
    fit_job,
    wait_for_all,
)
from pyojeong.training.run import Run, read_curves, write_text
from pyojeong.training.run_identity import (
    check_same_run,
    devices_of,
    note_training_images,
    settle_environment,
)
from pyojeong.training.start import accuracy_before
from pyojeong.training.weight_digests import settle_digest
from pyojeong.training.world import world


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
    devices: int | None = None,
    watch: TrainingCallbacks = SILENT,
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
        devices: Processes that share every batch, on this machine; None = as the run was begun, 1
            for a new one. Under torchrun its processes are meant.
        watch: Who gets reports of what happens.

    Returns:
        The finished run; under torchrun, in other processes than the first, its folder.

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
    portion = Portion(without=without, limit=limit, subset=experiment.subset)
    job = _job_of(run, manifest, runs, portion, watch)
    if world().rank > 0:
        return _join_first(run, job)
    asked: dict[str, Any] = {"limit": limit, "min_steps": min_steps, "device": device}
    asked["devices"] = _processes(devices)
    check_same_run(run, experiment, manifest, runs=runs, **asked)
    if not run.done:
        with _begun(run, manifest), all_processes():
            settle_environment(run, experiment, manifest, runs=runs, **asked)
            write_text(run.folder / "experiment.toml", text)
            _fit(run, experiment, manifest, runs, portion, job, watch)
    return run


def _fit(
    run: Run,
    experiment: Experiment,
    manifest: Path,
    runs: Path,
    portion: Portion,
    job: dict[str, Any],
    watch: TrainingCallbacks,
) -> None:
    """Fit a settled run here, or in as many processes as it was begun with."""
    environment = run.environment
    if watch.started is not None:
        watch.started(environment)
    note_training_images(run, manifest)
    wait_for_all()  # the others decode their shares, too
    data = build_data(experiment, manifest, portion)
    job["min_steps"] = _min_steps(environment, portion.limit)
    experiment = fit_recipe_to_size(experiment, data, job["min_steps"], watch)
    if world().size == 1 and devices_of(environment) > 1:
        fit_in_processes(run, job, devices_of(environment), watch)
    else:
        fit_run(run, experiment, data, runs, environment, watch)
    _finish(run, experiment, data)
    wait_for_all()


def _job_of(
    run: Run, manifest: Path, runs: Path, portion: Portion, watch: TrainingCallbacks
) -> dict[str, Any]:
    """Return what ``fit_job`` is given in other processes, but for ``min_steps``."""
    fold = portion.without
    return {
        "run": str(run.folder),
        "manifest": str(manifest),
        "runs": str(runs),
        "limit": portion.limit,
        "fold": fold and (fold.index, fold.count),
        "logger": watch.logger,
    }


def _processes(devices: int | None) -> int | None:
    """Return how many processes are asked for.

    Raises:
        ExperimentError: When torchrun has started another number of them.
    """
    started = world().size
    if started > 1 and devices not in {None, started}:
        raise ExperimentError(
            f"--devices {devices}: torchrun has started {started} processes; leave it out"
        )
    return started if started > 1 else devices


def _join_first(run: Run, job: dict[str, Any]) -> Run:
    """Be another process of torchrun than the first, which settles the run."""
    if not run.done:
        with all_processes():
            wait_for_all()
            steps = _min_steps(run.environment, job["limit"])
            fit_job({**job, "min_steps": steps, "logger": None}, lambda _: None)
            wait_for_all()
    return run


def _min_steps(environment: dict[str, Any], limit: int | None) -> int:
    return 0 if limit is not None else int(environment.get("min_steps", 0))


@contextmanager
def _begun(run: Run, manifest: Path) -> Iterator[None]:
    """Hold the run folder, which is made if the data can be learned from."""
    require_classes(manifest)
    with one_writer(run.folder, folder=True):
        remove_stale(run.last.parent)
        yield


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


def _picked_line(run: Run, experiment: Experiment) -> dict[str, Any]:
    rows = [row for row in read_curves(run.folder / "curves.jsonl") if MONITOR in row]
    if experiment.recipe.pick == "last":
        return rows[-1]
    return max(rows, key=lambda row: float(row[MONITOR]))
