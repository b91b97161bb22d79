"""A model on whole photographs with labels: detector, alignment and net together.

An image in which no face is found counts as wrong. Several faces: the largest is meant, as
``analyze`` puts it first.
"""

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import DataError
from pyojeong.core.face import Face
from pyojeong.core.labels import LabelSet
from pyojeong.datasets.fingerprint import pixels_of
from pyojeong.datasets.named_files import leads_out
from pyojeong.datasets.readers import READERS, detect_layout
from pyojeong.datasets.samples import Sample, Split
from pyojeong.evaluation.accuracy.voted import VOTES, read_voted_photographs
from pyojeong.image.preprocess import Pixels, to_gray
from pyojeong.metrics import (
    accuracy,
    balanced_accuracy,
    bootstrap,
    confusion,
    ece,
    recalls,
)
from pyojeong.runtime.analyzer import Analyzer

LEGEND = "legend.csv"
_LONGEST_NAME = 4096

Tick = Callable[[int], None]

SIDES_PX = (48, 96)
"""Faces are distinguished by the shorter side of their box: below, between, from there on."""

TURNS = (0.15, 0.35)
"""And by the nose's distance from the middle between the eyes, in units of the eyes' distance:
about 0.35 at 30 degrees of yaw."""


def read_photographs(folder: Path, labels: LabelSet) -> list[Sample]:
    """Labelled photographs in a folder; labels that the set does not have are left out.

    ``votes.csv`` beside ``images/`` (labels on which the annotators agree, see ``voted``), else
     ``legend.csv`` (image, emotion), else a layout that ``pyojeong data import`` knows.

    Raises:
        DataError: When there are none, one is there twice, or ``legend.csv`` is damaged or names
            files outside of ``images/``.
    """
    if (folder / VOTES).is_file():
        samples = [
            Sample(label=p.agreed, split=Split.TEST, path=str(p.path), source=p.path.name)
            for p in read_voted_photographs(folder)
            if p.agreed
        ]
    elif (folder / LEGEND).is_file():
        samples = list(_read_legend(folder / LEGEND))
    else:
        samples = list(READERS[detect_layout(folder)](folder))
    known = [s for s in samples if _has(labels, s.label)]
    if not known:
        raise DataError(f"{folder}: no photograph has a label of {', '.join(labels.names)}")
    named = Counter(os.path.normpath(s.path) for s in known if s.path is not None)
    for path, count in named.items():
        if count > 1:
            raise DataError(f"{folder}: {path} is there {count} times: keep one of its rows")
    return known


def _read_legend(file: Path) -> Iterator[Sample]:
    """Yield the photographs of ``legend.csv``; their names stay below ``images/``."""
    images = file.with_name("images")
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            for number, row in enumerate(csv.DictReader(stream), start=2):
                name, label = row["image"], row["emotion"]
                too_long = max(len(name or ""), len(label or "")) > _LONGEST_NAME
                if not name or not label or too_long or leads_out(images, name):
                    got = f"{name!r}, {label!r}"
                    got = f"{got[:60]}..." if too_long else got
                    raise DataError(
                        f"{file}, line {number}: expected the name of a file in images/ and its "
                        f"emotion, got {got}; correct the row, or remove it"
                    )
                path = str(images / name)
                yield Sample(label=label, split=Split.TEST, path=path, source=name)
    except (OSError, KeyError, ValueError, csv.Error) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{file} could not be read as columns image, emotion in UTF-8: {error!r}"
        ) from error


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: could not be read: {error.strerror or error}") from error


def digest_of_pictures(pictures: Iterable[tuple[Path | bytes, str]]) -> str:
    """Return a digest of photographs and what is said of each, independent of their order.

    Raises:
        DataError: When one could not be read.
    """
    digests = []
    for picture, said in pictures:
        data = picture if isinstance(picture, bytes) else _bytes_of(picture)
        digests.append(hashlib.sha256(said.encode() + b"\0" + data).hexdigest())
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()


def _has(labels: LabelSet, name: str) -> bool:
    try:
        labels.index(name)
    except DataError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Read:
    """What was read from N photographs.

    Attributes:
        scores: float64 (N, K + 1); the last column is 1 where no face was found.
        cut_out: float64 (N, K): the whole image taken as the face.
        gray: float64 (N, K + 1): as ``scores``, colours taken away first.
        labels: int64 (N,).
        side_px: float64 (N,), shorter side of the face's box; NaN = none found.
        turn: float64 (N,), see ``TURNS``; NaN = no face or no landmarks.
    """

    scores: NDArray[np.float64]
    cut_out: NDArray[np.float64]
    gray: NDArray[np.float64]
    labels: NDArray[np.int64]
    side_px: NDArray[np.float64]
    turn: NDArray[np.float64]


def read_all(analyzer: Analyzer, samples: Sequence[Sample], tick: Tick = lambda _: None) -> Read:
    """Analyze every photograph, as it is and in gray, and classify it as a cut-out face."""
    labels = analyzer.classifier.label_set
    n, k = len(samples), len(labels)
    scores, gray = np.zeros((n, k + 1)), np.zeros((n, k + 1))
    cut_out = np.zeros((n, k))
    side_px, turn = np.full(n, np.nan), np.full(n, np.nan)
    for i, sample in enumerate(samples):
        image = pixels_of(sample)
        scores[i], face = _largest(analyzer, image)
        gray[i], _ = _largest(analyzer, np.repeat(to_gray(image)[..., None], 3, axis=2))
        cut_out[i] = analyzer.classify([image])[0].scores
        if face is not None:
            side_px[i] = min(face.box.width, face.box.height)
            turn[i] = turned(face)
        tick(1)
    truth = np.array([labels.index(s.label) for s in samples])
    return Read(scores, cut_out, gray, truth, side_px, turn)


def _largest(analyzer: Analyzer, image: Pixels) -> tuple[NDArray[np.float64], Face | None]:
    k = len(analyzer.classifier.label_set)
    row = np.zeros(k + 1)
    faces = analyzer.analyze(image).faces
    if not faces or faces[0].expression is None:
        row[k] = 1
        return row, None
    row[:k] = faces[0].expression.scores
    return row, faces[0]


def turned(face: Face) -> float:
    """Return how far a head is turned aside, see ``TURNS``; NaN without landmarks.

    The nose tip's distance from the middle between the eyes, along the line through them.
    """
    if face.landmarks is None:
        return float("nan")
    right, left, nose = face.landmarks.points[:3].astype(np.float64)
    across = left - right
    distance = float(np.linalg.norm(across)) + 1e-6
    return abs(float((nose - (right + left) / 2) @ (across / distance))) / distance


def photograph_figures(read: Read, labels: LabelSet, *, rounds: int = 1000) -> dict[str, Any]:
    """Return figures with 95 % intervals, and the same for faces of different sizes and turns."""
    found = ~np.isnan(read.side_px)
    out: dict[str, Any] = {
        "n": len(read.labels),
        "found": int(found.sum()),
        "analyze": _figures(read.scores, read.labels, labels, rounds),
        "classify": _figures(read.cut_out, read.labels, labels, rounds),
        "analyze_in_gray": _figures(read.gray, read.labels, labels, rounds),
    }
    if found.any():
        scores = read.scores[found][:, :-1]
        out["ece_of_found"] = bootstrap(ece, scores, read.labels[found], rounds=rounds).to_dict()
    slices = {
        "face, px": _parts(read.side_px, SIDES_PX, "{:.0f}"),
        "turned": _parts(read.turn, TURNS, "{:.2f}"),
    }
    out["slices"] = {
        name: {
            level: {
                "n": int(here.sum()),
                "accuracy": bootstrap(
                    accuracy, read.scores[here], read.labels[here], rounds=rounds
                ).to_dict(),
            }
            for level, here in parts.items()
            if here.any()
        }
        for name, parts in slices.items()
    }
    return out


def _figures(
    scores: NDArray[np.float64], truth: NDArray[np.int64], labels: LabelSet, rounds: int
) -> dict[str, Any]:
    names = labels.names
    out: dict[str, Any] = {
        name: bootstrap(metric, scores, truth, rounds=rounds).to_dict()
        for name, metric in (("accuracy", accuracy), ("balanced_accuracy", balanced_accuracy))
    }
    values = recalls(scores, truth)[: len(names)]
    out["recall"] = {
        name: None if np.isnan(value) else round(float(value), 4)
        for name, value in zip(names, values, strict=True)
    }
    out["confusion"] = confusion(scores, truth)[: len(names)].tolist()
    return out


def _parts(
    values: NDArray[np.float64], borders: tuple[float, float], form: str
) -> dict[str, NDArray[np.bool_]]:
    low, high = borders
    a, b = form.format(low), form.format(high)
    return {
        f"below {a}": values < low,
        f"{a} to {b}": (values >= low) & (values < high),
        f"from {b}": values >= high,
    }
