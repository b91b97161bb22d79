"""Faces of a split in memory: images, labels, votes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import DataError
from pyojeong.core.labels import FERPLUS8, LabelSet
from pyojeong.datasets.picture_files import decoded
from pyojeong.datasets.samples import Sample
from pyojeong.image.preprocess import Pixels, to_gray


@dataclass(frozen=True, slots=True)
class Faces:
    """A split in memory.

    Attributes:
        images: uint8 images, (H, W) or (H, W, 3), of any sizes.
        labels: int64 (N,), positions in the label set; -1 = not to be learnt.
        votes: float32 (N, 8), vote shares in the order of FERPLUS8; zero rows = no usable votes.
        origins: The first part of the sample's source, which names its data set in a merged
            table; "" = the source has one part only.
        kept: int64 (N,), positions among the samples that were given: those of pictures that could
            not be decoded are missing.
        given: Number of samples that were given.
    """

    images: Sequence[Pixels]
    labels: NDArray[np.int64]
    votes: NDArray[np.float32]
    origins: list[str] = field(default_factory=list)
    kept: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    given: int = 0

    def __len__(self) -> int:
        return len(self.images)


def vote_shares(votes: tuple[int, ...] | None) -> NDArray[np.float32]:
    """FER+ counts of ten columns -> shares of the eight expressions.

    Rows without votes, or where "unknown" or "not a face" has at least half of the votes, give
    zeros. Single votes are dropped as noise first, as FER+'s authors do (unless nothing is left).
    """
    zeros = np.zeros(len(FERPLUS8), np.float32)
    if votes is None:
        return zeros
    counts = np.asarray(votes, np.float32)
    if counts[8:].sum() * 2 >= max(float(counts.sum()), 1.0):
        return zeros
    kept = np.where(counts[:8] > 1, counts[:8], 0)
    kept = kept if kept.sum() > 0 else counts[:8]
    return kept / kept.sum() if kept.sum() > 0 else zeros


def label_targets(votes: NDArray[np.floating], labels: Sequence[int]) -> NDArray[np.float64]:
    """Return votes (N, 8), and where a row has none, all of them for its label."""
    single = np.eye(votes.shape[1])[list(labels)]
    return np.where(votes.any(1, keepdims=True), votes, single)


def origin_of(source: str) -> str:
    """Return the first part of a sample's source, "" when there is one part only."""
    first, slash, _ = source.partition("/")
    return first if slash else ""


def load_faces(samples: Iterable[Sample], labels: LabelSet, *, gray: bool) -> Faces:
    """Decode samples into memory; missing and broken ones are left out, with a warning.

    Raises:
        DataError: When there is none, or a whole folder is missing.
    """
    images: list[Pixels] = []
    targets: list[int] = []
    votes: list[NDArray[np.float32]] = []
    origins: list[str] = []
    kept: list[int] = []
    given = 0

    def counted() -> Iterator[Sample]:
        nonlocal given
        for sample in samples:
            given += 1
            yield sample

    for position, sample, image in decoded(counted()):
        kept.append(position)
        origins.append(origin_of(sample.source))
        images.append(to_gray(image) if gray else image)
        targets.append(labels.index(sample.label))
        votes.append(vote_shares(sample.votes))
    if not images:
        raise DataError(
            "no image of a split could be decoded: training needs train and valid; "
            "`pyojeong data curate --checks unreadable` lists the files"
        )
    labels_of = np.array(targets, np.int64)
    return Faces(images, labels_of, np.stack(votes), origins, np.array(kept), given)
