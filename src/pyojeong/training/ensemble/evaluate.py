"""Ensembles of finished runs: weights and figures on Split.VALID, and one use of the test split.

Its file is the record: who takes part at which temperature and with which weight, how many views
of each face are averaged, and what came out, with digests of the members' weights and of the data,
and a checksum. A record of an earlier version lacks them; one without temperatures was made with
none (1). A use of the test split is noted there and could not be repeated.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import ExperimentError
from pyojeong.core.json_record import read_record, write_record
from pyojeong.core.one_writer import one_writer
from pyojeong.core.output_files import require_new
from pyojeong.core.result_key import differences
from pyojeong.core.result_key import summary as summed
from pyojeong.datasets.samples import (
    Split,
    manifest_id,
    manifest_labels,
    read_manifest,
    split_hash,
)
from pyojeong.evaluation.test_split_guard import record_use
from pyojeong.image.tta import COUNTS, view_matrices
from pyojeong.metrics import summary
from pyojeong.training.data.faces import load_faces
from pyojeong.training.ensemble.member import Tick, open_member, require_distinct
from pyojeong.training.ensemble.weights import combine, fit_temperatures, fit_weights, temper
from pyojeong.training.run import Run
from pyojeong.zoo import digest

_VERSION = 1
_CURE = "restore it from a copy, or fit the ensemble again into another file"


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
        ExperimentError: When a run is unfinished, two have the same name, or the record was scored
            on the test split.
        BadArray: When there are no such views.
        OutputError: When the file is there and no record.
    """
    view_matrices((1, 1), views)
    require_distinct(runs)
    with one_writer(file):
        require_new(file, unless=lambda data: b'"members"' in data)  # a record grows
        if file.exists() and "test" in _read(file):
            raise ExperimentError(
                f"{file} has had its use of the test split: weights that are fitted again could be "
                "chosen by it; give another file"
            )
        record = _fit(runs, manifest, views, tick)
        write_record(file, record, indent=1)
    return record


def _fit(runs: Sequence[Run], manifest: Path, views: int, tick: Tick) -> dict[str, Any]:
    made_of = _made_of(runs, manifest)
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
        **made_of,
    }
    record["valid"] = _figures(record, responses, labels, manifest, Split.VALID)
    return record


def _made_of(runs: Sequence[Run], manifest: Path) -> dict[str, Any]:
    """Return digests of the members' weights and of the data."""
    weights = {}
    for run in runs:
        if not run.done:
            raise ExperimentError(f"{run.folder} is not finished: train it to the end first")
        name = run.experiment.name
        if not run.result_weights.is_file():
            raise ExperimentError(f"{run.folder} has no weights: restore them, or train it again")
        weights[name] = digest(run.result_weights)
    return {"weights_sha256": weights, "manifest_id": manifest_id(manifest)}


def _require_same(record: dict[str, Any], runs: Sequence[Run], manifest: Path, file: Path) -> None:
    """Refuse other runs, weights or data than those that a record was fitted on.

    Raises:
        ExperimentError: When they differ; with what differs.
    """
    names = [run.experiment.name for run in runs]
    if names != list(record["members"]):
        raise ExperimentError(f"{file} is of {', '.join(record['members'])}: give these runs")
    now = _made_of(runs, manifest)
    said = {key: record[key] for key in now if key in record}
    found = differences(said, {key: now[key] for key in said})
    known = record["valid"]["split_sha256"]
    here = {
        split_hash(read_manifest(manifest, splits=[Split.VALID]), by_path=by_path)
        for by_path in ((False,) if "manifest_id" in record else (False, True))
    }
    if known not in here:
        found.append("the valid split was another")
    if found:
        raise ExperimentError(
            f"{file} was fitted on other weights or data: {summed(found)}; give those, or fit "
            "the ensemble again into another file"
        )


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
        _require_same(record, runs, manifest, file)
        responses, labels = _responses(runs, manifest, Split.TEST, record["views"], tick)
        record["test"] = _figures(record, responses, labels, manifest, Split.TEST)
        name = file.stem
        record_use(manifest, purpose="experiments ensemble", model=name, figures=record["test"])
        record["test_look"] = datetime.now(UTC).isoformat(timespec="seconds")
        write_record(file, record, indent=1)
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
    """Return a record that was checked.

    Raises:
        ExperimentError: When it is damaged or says what could not be.
    """
    record = read_record(file, cure=_CURE, keys=["members", "views", "valid"])
    try:
        members, warmth = record["members"], record.get("temperatures")
        shares = [float(share) for share in members.values()]
        right = bool(members) and all(math.isfinite(s) and s >= 0 for s in shares)
        right = right and sum(shares) > 0 and record["views"] in COUNTS
        if warmth is not None:
            right = right and list(warmth) == list(members)
            right = right and all(math.isfinite(t) and t > 0 for t in warmth.values())
        right = right and isinstance(record["valid"]["split_sha256"], str)
    except (AttributeError, KeyError, TypeError, ValueError):
        right = False
    if not right:
        raise ExperimentError(f"{file}: is no record of an ensemble that could be used; {_CURE}")
    return record
