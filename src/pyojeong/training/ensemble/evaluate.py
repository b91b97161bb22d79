"""Ensembles of finished runs: weights and figures on Split.VALID, and one use of the test split.

Its file is the record: who takes part at which temperature and with which weight, how many views
of each face are averaged, and what came out. A record without temperatures was made with none (1).
A use of the test split is noted there and could not be repeated.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.errors import ExperimentError
from pyojeong.core.one_writer import one_writer
from pyojeong.core.output_files import require_new
from pyojeong.datasets.samples import Split, manifest_labels, read_manifest, split_hash
from pyojeong.evaluation.test_split_guard import record_use
from pyojeong.image.tta import view_matrices
from pyojeong.metrics import summary
from pyojeong.training.data.datamodule import load_faces
from pyojeong.training.ensemble.member import Tick, open_member
from pyojeong.training.ensemble.weights import combine, fit_temperatures, fit_weights, temper
from pyojeong.training.run import Run

_VERSION = 1


def fit_ensemble(
    runs: Sequence[Run], manifest: Path, file: Path, *, views: int = 1, tick: Tick = lambda _: None
) -> dict[str, Any]:
    """Learn temperatures, then weights, by likelihood on Split.VALID, and write the record.

    Args:
        runs: Finished runs; each sees the faces through its own preprocessing.
        manifest: The data set.
        file: Of the record (JSON).
        views: Of each face, averaged: 1, 2 or 10 (``image.tta``).
        tick: Called with progress.

    Raises:
        ExperimentError: When a run is unfinished, or the record was scored on the test split.
        BadArray: When there are no such views.
    """
    view_matrices((1, 1), views)
    if file.exists() and "test" in _read(file):
        raise ExperimentError(
            f"{file} has had its use of the test split: weights that are fitted again could be "
            "chosen by it; give another file"
        )
    responses, labels = _responses(runs, manifest, Split.VALID, views, tick)
    temperatures = fit_temperatures(responses, labels).round(4)
    weights = fit_weights(temper(responses, temperatures), labels)
    names = [run.experiment.name for run in runs]
    record = {
        "version": _VERSION,
        "members": dict(zip(names, (round(float(w), 4) for w in weights), strict=True)),
        "temperatures": dict(zip(names, temperatures.tolist(), strict=True)),
        "views": views,
        "alone": {
            name: round(float((own.argmax(1) == labels).mean()), 5)
            for name, own in zip(names, responses, strict=True)
        },
    }
    record["valid"] = _figures(record, responses, labels, manifest, Split.VALID)
    _write(file, record)
    return record


def score_test_split(
    runs: Sequence[Run], manifest: Path, file: Path, *, tick: Tick = lambda _: None
) -> dict[str, Any]:
    """Score the recorded ensemble on the test split, once, and note it in the record.

    Raises:
        ExperimentError: When there is no record, other runs are given, or it was scored before.
    """
    with one_writer(file):
        if not file.exists():
            raise ExperimentError(
                f"{file} is not there: run `experiments ensemble` without --score-test first"
            )
        record = _read(file)
        if "test" in record:
            raise ExperimentError(
                f"{file} was scored on the test split on {record['test_look']}. Each ensemble is "
                "scored once: scoring twice would allow choosing by the test split"
            )
        names = [run.experiment.name for run in runs]
        if names != list(record["members"]):
            raise ExperimentError(f"{file} is of {', '.join(record['members'])}: give these runs")
        responses, labels = _responses(runs, manifest, Split.TEST, record["views"], tick)
        record["test"] = _figures(record, responses, labels, manifest, Split.TEST)
        name = file.stem
        record_use(manifest, purpose="experiments ensemble", model=name, figures=record["test"])
        record["test_look"] = datetime.now(UTC).isoformat(timespec="seconds")
        _write(file, record)
    return record


def answers_needed(runs: Sequence[Run], manifest: Path, split: Split, views: int) -> int:
    """Return how many answers the runs give in all."""
    return len(runs) * views * sum(1 for _ in read_manifest(manifest, splits=[split]))


def views_of(file: Path) -> int:
    """Return views of each face in a record; 1 when there is none yet."""
    return int(_read(file)["views"]) if file.exists() else 1


def _responses(
    runs: Sequence[Run], manifest: Path, split: Split, views: int, tick: Tick
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return probabilities (K, N, C) of K runs, and the labels (N,)."""
    labels = manifest_labels(manifest)
    rows = []
    for run in runs:
        member = open_member(run, classes=len(labels))
        samples = read_manifest(manifest, splits=[split])
        faces = load_faces(samples, labels, gray=member.pre.color == "gray")
        rows.append(member.through_views(faces, views, tick))
    return np.stack(rows), faces.labels


def _figures(
    record: dict[str, Any],
    responses: NDArray[np.float64],
    labels: NDArray[np.int64],
    manifest: Path,
    split: Split,
) -> dict[str, Any]:
    known = record.get("temperatures", {})
    temperatures = np.array([known.get(name, 1.0) for name in record["members"]])
    weights = np.array(list(record["members"].values()))
    mixed = combine(temper(responses, temperatures), weights)
    mixed /= mixed.sum(1, keepdims=True)  # the weights are rounded
    figures = summary(mixed, labels, manifest_labels(manifest).names, threshold=0.0)
    figures.pop("answered")
    digest = split_hash(read_manifest(manifest, splits=[split]))
    return {"split": split.value, "split_sha256": digest, **figures}


def _read(file: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ExperimentError(f"{file} is no record of an ensemble: {error}") from error
    return record


def _write(file: Path, record: dict[str, Any]) -> None:
    require_new(file, unless=lambda data: b'"members"' in data)  # a record grows
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(file, "w") as stream:
        stream.write(json.dumps(record, indent=1) + "\n")
