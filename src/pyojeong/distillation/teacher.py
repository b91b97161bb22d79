"""Soft labels: finished runs answer together to fixed views of the training faces."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import ExperimentError
from pyojeong.core.labels import FERPLUS8, LabelSet
from pyojeong.datasets.samples import Split, manifest_labels, read_manifest, split_hash
from pyojeong.training.data.augment import Augment, Draws
from pyojeong.training.data.datamodule import FaceDataset
from pyojeong.training.data.faces import Faces, load_faces
from pyojeong.training.ensemble.member import Member, Tick, open_member, require_distinct
from pyojeong.training.ensemble.weights import fit_temperatures, fit_weights, temper
from pyojeong.training.run import Run
from pyojeong.training.soft_labels import SoftLabels, in_steps


def teach(
    runs: list[Run],
    manifest: Path,
    augment: Augment,
    *,
    views: int = 8,
    seed: int = 0,
    weights: list[float] | None = None,
    tick: Tick = lambda _: None,
) -> SoftLabels:
    """Let finished runs answer together to several views of every training face.

    Args:
        runs: The teachers; each looks through its own preprocessing.
        manifest: The data set; Split.TRAIN is answered, Split.VALID fits the weights.
        augment: The changes the views are drawn from; the student's must be the same.
        views: How many views of each face.
        seed: Of the views.
        weights: One per run, not negative; None = those with the greatest likelihood on
            Split.VALID, of answers at temperatures fitted there too (single run: 1, as it is).
        tick: Called with progress; ``answers_needed`` says of how much.

    Raises:
        ExperimentError: When a run is unfinished, two have the same name, or weights do not fit.
    """
    require_distinct(runs)
    labels = manifest_labels(manifest)
    teachers = [open_member(run, classes=len(labels)) for run in runs]
    digest = split_hash(read_manifest(manifest, splits=[Split.TRAIN]))
    shares, temperatures = _shares(teachers, manifest, labels, weights, tick)
    faces = {gray: _faces(manifest, Split.TRAIN, labels, gray=gray) for gray in _tones(teachers)}
    count = len(next(iter(faces.values())))
    cached = np.zeros((views, count, len(labels)), np.uint8)
    voted = np.zeros((count, len(FERPLUS8)))
    voting = sum(s for t, s in zip(teachers, shares, strict=True) if t.model.vote_head is not None)
    for view in range(views):
        mixed = np.zeros((count, len(labels)))
        for teacher, share, warmth in zip(teachers, shares, temperatures, strict=True):
            own = faces[teacher.pre.color == "gray"]
            draws = Draws(augment, count, seed=seed, epoch=view)
            answers, votes = teacher.both_answers(FaceDataset(own, teacher.pre, draws), tick)
            mixed[draws.order] += share * temper(answers[None], np.array([warmth]))[0]
            if votes is not None and share > 0:
                voted[draws.order] += share / voting / views * votes
        cached[view] = in_steps(mixed)
    named = {t.name: round(float(w), 4) for t, w in zip(teachers, shares, strict=True)}
    facts = {
        "teachers": named,
        "temperatures": dict(zip(named, temperatures.round(4).tolist(), strict=True)),
        "augment": json.loads(json.dumps(asdict(augment))),
        "seed": seed,
        "labels": labels.id,
        "split_sha256": digest,
    }
    return SoftLabels(cached, facts, in_steps(voted) if voting > 0 else None)


def answers_needed(runs: list[Run], manifest: Path, views: int) -> int:
    """Return the number of answers of ``teach``, with those that fit several runs' weights."""
    train, valid = (
        sum(1 for _ in read_manifest(manifest, splits=[split]))
        for split in (Split.TRAIN, Split.VALID)
    )
    return len(runs) * (train * views + (valid if len(runs) > 1 else 0))


def _tones(teachers: list[Member]) -> set[bool]:
    return {teacher.pre.color == "gray" for teacher in teachers}


def _faces(manifest: Path, split: Split, labels: LabelSet, *, gray: bool) -> Faces:
    return load_faces(read_manifest(manifest, splits=[split]), labels, gray=gray)


def _shares(
    teachers: list[Member],
    manifest: Path,
    labels: LabelSet,
    weights: list[float] | None,
    tick: Tick,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights that sum to one, and temperatures; fitted on Split.VALID when none are given."""
    as_they_are = np.ones(len(teachers))
    if weights is not None:
        given = np.asarray(weights, np.float64)
        finite = math.isfinite(sum(weights))
        if len(given) != len(teachers) or not finite or (given < 0).any() or given.sum() <= 0:
            raise ExperimentError(
                f"weights: expected {len(teachers)} finite numbers that are not negative and not "
                f"all 0, got {weights}"
            )
        return np.asarray(given / given.sum(), np.float64), as_they_are
    if len(teachers) == 1:
        return np.ones(1), as_they_are
    responses = np.stack(list(_on_valid(teachers, manifest, labels, tick)))
    truth = _faces(manifest, Split.VALID, labels, gray=True).labels
    temperatures = fit_temperatures(responses, truth)
    return fit_weights(temper(responses, temperatures), truth), temperatures


def _on_valid(
    teachers: list[Member], manifest: Path, labels: LabelSet, tick: Tick
) -> Iterator[NDArray[np.float64]]:
    for teacher in teachers:
        faces = _faces(manifest, Split.VALID, labels, gray=teacher.pre.color == "gray")
        yield teacher.answers(FaceDataset(faces, teacher.pre), tick)
