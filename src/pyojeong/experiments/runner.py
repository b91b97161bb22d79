"""Many experiments, one after another or in several processes; nothing runs or counts twice.

A run is claimed by a lock on its folder that dies with the process, so that a killed one leaves no
claim behind. Results are written last and whole: a run folder with ``result.json`` is over, one
without is continued from its last whole epoch.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyojeong.core.errors import ExperimentError, MissingExtra, ModelError, OutputBusy
from pyojeong.core.json_record import write_record
from pyojeong.core.one_writer import one_writer
from pyojeong.experiments.catalogue import Planned
from pyojeong.experiments.measure import describe, measure_run
from pyojeong.experiments.result_files import read_run_result, require_own_copy, result_path
from pyojeong.training.devices import choose_training_device
from pyojeong.training.experiment import Experiment
from pyojeong.training.fitting import Progress, TrainingCallbacks
from pyojeong.training.loop import train
from pyojeong.training.run import Run, read_curves
from pyojeong.training.run_identity import check_same_run

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What happens around a training.

    Attributes:
        keep: Folder that gets a copy of ``result.json`` as ``<name>.json``.
        again: Try a run once more that failed before.
        logger: See ``TrainingCallbacks``.
        limit: As for ``training.loop.train``.
        min_steps: Likewise.
        device: Likewise.
        devices: Likewise.
    """

    keep: Path | None = None
    again: bool = False
    logger: str | None = None
    limit: int | None = None
    min_steps: int | None = None
    device: str = "auto"
    devices: int | None = None


def run_planned(
    planned: Planned,
    manifest: Path,
    runs: Path,
    *,
    options: RunOptions = RunOptions(),
    progress: Progress | None = None,
) -> dict[str, Any] | None:
    """Train, measure and note one run, or take up where it was left.

    Args:
        planned: From the catalogue.
        manifest: The data set's Parquet file.
        runs: Folder of run folders.
        options: What happens around the training.
        progress: Called after every epoch.

    Returns:
        The result, also when the training failed (``status``, ``reason``), or None when another
        process is at it.

    Raises:
        ExperimentError: When the folder holds a run of other settings or data; they are named.
        OutputError: When the copy would replace a file that is no result of that run.
    """
    folder = runs / planned.name
    if options.keep is not None:
        require_own_copy(result_path(options.keep, planned.name), planned.name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with one_writer(folder):
            _check(planned, manifest, runs, options)
            result = _finished(folder, again=options.again)
            if result is None:
                result = _train_and_measure(planned, manifest, runs, options, progress)
                write_record(folder / "result.json", result, indent=1)
    except OutputBusy:
        return None
    if options.keep is not None:
        path = result_path(options.keep, planned.name)
        require_own_copy(path, planned.name)  # not meanwhile either
        path.parent.mkdir(parents=True, exist_ok=True)
        write_record(path, result, indent=1)
    return result


def _check(planned: Planned, manifest: Path, runs: Path, options: RunOptions) -> None:
    """Check an experiment, and that its run folder, if there is one, belongs to it.

    Raises:
        ExperimentError: When one of them is not so.
    """
    check_same_run(
        Run(runs / planned.name),
        Experiment.from_toml(planned.text),
        manifest,
        runs=runs,
        limit=options.limit,
        min_steps=options.min_steps,
        device=options.device,
        devices=options.devices,
    )


def _finished(folder: Path, *, again: bool) -> dict[str, Any] | None:
    if not (folder / "result.json").exists():
        return None
    Run(folder).check_files()
    result = read_run_result(folder)
    if result["status"] == "finished" and not Run(folder).done:
        raise ExperimentError(
            f"{folder / 'result.json'}: the run that it is of is not finished here; remove it, and "
            "the run is measured again"
        )
    return None if again and result["status"] == "failed" else result


def _train_and_measure(
    planned: Planned,
    manifest: Path,
    runs: Path,
    options: RunOptions,
    progress: Progress | None,
) -> dict[str, Any]:
    """Return the result; what goes wrong with the experiment itself becomes a row of the table."""
    run = Run(runs / planned.name)
    try:
        train(
            planned.text,
            manifest,
            runs,
            limit=options.limit,
            min_steps=options.min_steps,
            device=options.device,
            devices=options.devices,
            watch=TrainingCallbacks(epoch=progress, logger=options.logger),
        )
        return measure_run(run, manifest)
    except (ExperimentError, ModelError, MissingExtra) as error:
        run.folder.mkdir(parents=True, exist_ok=True)
        curves = read_curves(run.folder / "curves.jsonl")
        return {
            **describe(run, Experiment.from_toml(planned.text)),
            "status": "failed",
            "reason": str(error),
            "curves": curves,
            "minutes": round(sum(row["seconds"] for row in curves) / 60, 2),
            "environment": run.environment if (run.folder / "environment.json").exists() else None,
        }


def run_all(
    planned: Sequence[Planned],
    manifest: Path,
    runs: Path,
    *,
    options: RunOptions = RunOptions(),
    say: Say = lambda _: None,
    progress: Callable[[Planned, dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:
    """Return all runs, in order; those that another process works at are left to it.

    Raises:
        ExperimentError: When an experiment is wrong in itself, or a run folder belongs to other
            settings or data, before any is run; it is named.
        DeviceUnavailable: When torch cannot use the device here.
    """
    choose_training_device(options.device)
    for plan in planned:
        if options.keep is not None:
            require_own_copy(result_path(options.keep, plan.name), plan.name)
        try:
            _check(plan, manifest, runs, options)
        except ExperimentError as error:
            raise ExperimentError(f"{plan.experiment}: {error}") from error
    results = []
    for plan in planned:

        def show(line: dict[str, Any], plan: Planned = plan) -> None:
            if progress is not None:
                progress(plan, line)

        result = run_planned(plan, manifest, runs, options=options, progress=show)
        if result is None:
            say(f"{plan.name}: another process is at it")
            continue
        results.append(result)
        say(f"{plan.name}: {outcome_text(result)}")
    return results


def outcome_text(result: dict[str, Any]) -> str:
    """Return a result in one line."""
    if result["status"] != "finished":
        return f"failed: {result['reason']}"
    value = result["valid"]["accuracy"]
    return (
        f"valid accuracy {value['value']:.4f} [{value['low']:.4f}, {value['high']:.4f}], "
        f"{result['minutes']:.1f} min"
    )


def unfinished(runs: Path) -> list[Planned]:
    """Run folders that were begun and have no result yet; folds are another command's."""
    found = []
    for file in sorted(runs.rglob("experiment.toml")):
        if (file.parent / "result.json").exists() or "-folds" in str(file.relative_to(runs)):
            continue
        text = file.read_text(encoding="utf-8")
        experiment = Experiment.from_toml(text)
        if file.parent == runs / experiment.name:
            found.append(
                Planned(
                    name=experiment.name,
                    experiment=experiment.name,
                    seed=experiment.seed,
                    text=text,
                )
            )
    return found


def in_processes(arguments: Iterable[str], jobs: int) -> int:
    """Return the same command in several processes of one thread each; returns the worst exit code.

    They share the work through the runs' locks. Each sees every run twice, so that one which was
    taken when it came by is still found when its owner died.
    """
    command = [sys.executable, "-m", "pyojeong", *arguments, "--processes", "1"]
    processes = []
    for _ in range(jobs):
        processes.append(subprocess.Popen(command))  # noqa: S603
        time.sleep(1)
    try:
        return max(process.wait() for process in processes)
    except KeyboardInterrupt:
        for process in processes:
            process.terminate()
        raise
