"""Whether a run folder belongs to what is asked for: the same experiment, data and size.

A run is resumed, or its result returned, only when everything that made it is the same. Otherwise
the differences are named and nothing is touched.
"""

import platform
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray

from pyojeong.core.array_files import UNREADABLE_ARRAY
from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.errors import ExperimentError
from pyojeong.core.json_record import write_record
from pyojeong.core.result_key import differences, summary
from pyojeong.core.run_files import BEFORE, TRAIN_IMAGES
from pyojeong.datasets.samples import Sample, Split, manifest_content, manifest_id, read_rows
from pyojeong.training.devices import choose_training_device
from pyojeong.training.experiment import Experiment
from pyojeong.training.precision import PRECISIONS, choose_precision
from pyojeong.training.run import Run
from pyojeong.training.start_files import start_digests

IMAGES = TRAIN_IMAGES
"""Digests of the images that a run learns from."""


def check_same_run(  # noqa: PLR0913 - what train() was asked for
    run: Run,
    experiment: Experiment,
    manifest: Path,
    *,
    runs: Path,
    limit: int | None = None,
    min_steps: int | None = None,
    device: str = "auto",
    devices: int | None = None,
) -> None:
    """Compare an existing run folder with what is asked for; a new folder fits everything.

    Args:
        run: The folder.
        experiment: What shall be trained.
        manifest: On which data.
        runs: Folder of run folders; runs that the experiment starts from lie there.
        limit: As for ``training.loop.train``.
        min_steps: Likewise; None = as the run has it.
        device: Likewise; "auto" = as the run has it.
        devices: Likewise; None = as the run has it.

    Raises:
        ExperimentError: When something differs; up to three differences are named. Also when a file
            of a finished run was changed, or the folder holds files of one without its experiment.
    """
    if not (run.folder / "experiment.toml").exists():
        if run.done:
            raise ExperimentError(
                f"{run.folder / 'done.json'}: was not written by a training: the folder has no "
                "experiment.toml. Choose another folder with --runs, or remove this one"
            )
        _require_begun_by_nobody(run)
        return
    found = _settings(run.experiment, experiment)
    if (run.folder / "environment.json").exists():
        environment = run.environment
        found += _starts(environment, experiment, start_digests(experiment, runs))
        found += _data(environment, manifest, limit=limit, min_steps=min_steps)
        if device not in {"auto", device_of(environment)}:
            found.append(f"device was {device_of(environment)}, is {device}")
        if devices not in {None, devices_of(environment)}:
            found.append(f"devices was {devices_of(environment)}, is {devices}")
    if found:
        raise ExperimentError(
            f"{run.folder} holds another run of that name: {summary(found)}. "
            "Choose another folder with --runs, or remove this one"
        )
    run.check_files()


def _require_begun_by_nobody(run: Run) -> None:
    """Refuse a folder with files of a training whose experiment is gone.

    A new training would go on from them. ``environment.json`` is written before the experiment.

    Raises:
        ExperimentError: When there is such a file; it is named.
    """
    files = (run.last, run.best, run.packed, run.folder / "curves.jsonl", run.folder / BEFORE)
    found = next((file for file in (*files, run.folder / IMAGES) if file.exists()), None)
    if found is not None:
        raise ExperimentError(
            f"{found}: is of a training whose experiment.toml is gone; restore that from a copy, "
            "choose another folder with --runs, or remove this one"
        )


def _settings(before: Experiment, now: Experiment) -> list[str]:
    lines = differences(asdict(before), asdict(now))
    return [line for line in lines if not line.startswith("about")]


def _starts(
    environment: dict[str, Any], experiment: Experiment, now: dict[str, str]
) -> Iterator[str]:
    """Yield what a run starts from when its file has other contents than when it was begun."""
    before = environment.get("start_files", {})  # runs of earlier versions lack it
    words = {
        "start": experiment.start,
        "pretrained": experiment.pretrained_path or experiment.pretrained,
        "[recipe] teacher": experiment.recipe.teacher,
        "[recipe] soft_labels": experiment.recipe.soft_labels,
    }
    for name, digest in now.items():
        if before.get(name, digest) != digest:
            given = f"{name} {words[name]}" if name in words else name
            yield (f"{given} was another file (sha256 {before[name][:12]}..., is {digest[:12]}...)")


def require_same_data(run: Run, manifest: Path) -> None:
    """Refuse data that a run was not trained on.

    Raises:
        ExperimentError: When they differ; with what differs. Runs of earlier versions say less.
    """
    found = list(_other_data(run.environment, manifest))
    if found:
        raise ExperimentError(
            f"{run.folder} was trained on other data than {manifest}: {summary(found)}. "
            "Give the data set that it was trained on"
        )


def _other_data(environment: dict[str, Any], manifest: Path) -> Iterator[str]:
    before, now = data_name(environment["manifest"]), data_name(manifest.name)
    if before != now:
        yield f"the data were {before}, are {now}"
    elif environment.get("manifest_id") != manifest_id(manifest):
        yield f"the images, labels or splits of {now} were others (--map and --groups count)"
    elif environment.get("manifest_content", content := manifest_content(manifest)) != content:
        yield f"the votes, groups or decisions of {now} were others"


def _data(
    environment: dict[str, Any], manifest: Path, *, limit: int | None, min_steps: int | None
) -> Iterator[str]:
    yield from _other_data(environment, manifest)
    if "limit" not in environment:  # a run of an earlier version
        return
    if environment["limit"] != limit:
        yield f"limit was {environment['limit']}, is {limit}"
    if min_steps is not None and environment["min_steps"] != min_steps:
        yield f"min_steps was {environment['min_steps']}, is {min_steps}"


def device_of(environment: dict[str, Any]) -> str:
    """Return the device that a run was begun on; those of earlier versions were on the CPU."""
    return str(environment.get("device", "cpu"))


def devices_of(environment: dict[str, Any]) -> int:
    """Return how many processes a run was begun with."""
    return int(environment.get("devices", 1))


def data_name(table: str) -> str:
    """Return what users call a data set, by the name of its table.

    Tables of folders are kept in the cache under the folder's name and a digest.
    """
    return re.sub(r"-[0-9a-f]{16}\.parquet$", "", table)


def note_training_images(run: Run, manifest: Path) -> None:
    """Write which images the training split holds: the first 64 bits of their digests."""
    rows = read_rows(manifest, splits=[Split.TRAIN], images=False)
    with atomic_write(run.folder / IMAGES, "wb") as file:
        np.save(file, _digests(sample for _, sample in rows))


def images_trained_on(run: Run, manifest: Path, split: Split) -> tuple[int, int] | None:
    """Return how many images of a split a run has learned from, and how many it has.

    None when the run does not say: packed runs and those of earlier versions.
    """
    file = run.folder / IMAGES
    if not file.exists():
        return None
    run.check_files(IMAGES)
    samples = [s for _, s in read_rows(manifest, splits=[split], images=False)]
    try:
        known = set(np.load(file, allow_pickle=False).tolist())
    except UNREADABLE_ARRAY as error:
        raise ExperimentError(
            f"{file}: is damaged ({' '.join(str(error).split())[:200]}); remove it, and leaks are "
            "no longer counted"
        ) from error
    return sum(d in known for d in _digests(samples).tolist()), len(samples)


def _digests(samples: Iterable[Sample]) -> NDArray[np.uint64]:
    found = (int(s.content_hash[:16], 16) for s in samples if s.content_hash)
    return np.array(sorted(found), np.uint64)


def settle_environment(  # noqa: PLR0913 - as above
    run: Run,
    experiment: Experiment,
    manifest: Path,
    *,
    runs: Path,
    limit: int | None,
    min_steps: int | None,
    device: str = "auto",
    devices: int | None = None,
) -> dict[str, Any]:
    """Return the run's environment; it is settled, precision included, when the run begins.

    Raises:
        DeviceUnavailable: When torch cannot use the device here.
        ExperimentError: When the device lacks the precision that the experiment names.
    """
    if (run.folder / "experiment.toml").exists():
        choose_training_device(device_of(run.environment))
        return run.environment
    device = choose_training_device(device)
    timings: dict[str, float] = {}
    name = experiment.precision
    if name == "auto":
        net = experiment.build_net(num_classes=7)
        shape = (experiment.preprocess.channels, *experiment.preprocess.size_hw)
        size = {"batch_size": experiment.recipe.batch_size}
        name, timings = choose_precision(net, shape, **size, device=device)
    elif PRECISIONS[name].autocast is torch.float16 and device != "cuda":
        raise ExperimentError(  # Lightning would take bfloat16 in its place
            f"precision {name!r} needs a CUDA device and the training is on {device}: set "
            'precision = "auto"'
        )
    environment = {
        "manifest": manifest.name,
        "manifest_id": manifest_id(manifest),
        "manifest_content": manifest_content(manifest),
        "start_files": start_digests(experiment, runs),
        "limit": limit,
        "min_steps": min_steps or 0,
        "device": device,
        **({"devices": devices} if devices not in {None, 1} else {}),
        "precision": name,
        "precision_ms_per_step": timings,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "lightning": L.__version__,
        "python": platform.python_version(),
    }
    write_record(run.folder / "environment.json", environment)
    return environment
