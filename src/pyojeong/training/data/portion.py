"""Which part of the training split a training uses: folds, the first samples, a fixed subset."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from pyojeong.core.errors import DataError
from pyojeong.datasets.samples import Sample


@dataclass(frozen=True, slots=True)
class Fold:
    """One part of the training split that is kept out of a training.

    Attributes:
        index: Which part, from 0.
        count: Of how many.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count or self.count < 2:
            raise DataError(f"fold {self.index} of {self.count}: need at least 2, counted from 0")

    def holds(self, sample: Sample) -> bool:
        """Return whether the sample is in this part; equal images and groups are never divided."""
        key = sample.group or sample.content_hash
        data = key.encode() if key else sample.image or (sample.path or "").encode()
        digest = hashlib.sha256(b"pyojeong fold\0" + data).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index


def stratified(samples: Iterable[Sample], count: int) -> list[Sample]:
    """``count`` samples in the classes' proportions, the same whenever the data are the same.

    Every class is ordered by a digest of its images; a smaller subset lies within a larger one,
    but for rounding. The samples keep their order.

    Raises:
        DataError: When there are fewer samples.
    """
    everything = list(samples)
    if not 0 < count <= len(everything):
        raise DataError(f"subset = {count}: the training split has {len(everything)} samples")
    by_label: dict[str, list[tuple[bytes, int]]] = {}
    for row, sample in enumerate(everything):
        data = sample.image or (sample.path or "").encode()
        digest = hashlib.sha256(b"pyojeong subset\0" + data).digest()
        by_label.setdefault(sample.label, []).append((digest, row))
    # Largest remainders, so that the counts add up.
    exact = {k: len(v) * count / len(everything) for k, v in by_label.items()}
    take = {k: int(v) for k, v in exact.items()}
    for label in sorted(exact, key=lambda k: (take[k] - exact[k], k))[: count - sum(take.values())]:
        take[label] += 1
    rows = [row for k, v in by_label.items() for _, row in sorted(v)[: take[k]]]
    return [everything[row] for row in sorted(rows)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """Which part of the training split is used; all of it by default.

    Attributes:
        without: This part is kept out.
        limit: Only the first samples of what is left (smoke tests).
        subset: Only so many samples (see ``stratified``).
    """

    without: Fold | None = None
    limit: int | None = None
    subset: int | None = None

    def of(self, samples: Iterable[Sample]) -> Iterable[Sample]:
        """Return the samples of this part, in their order."""
        fold = self.without
        if fold is not None:
            samples = (s for s in samples if not fold.holds(s))
        if self.limit is not None:
            samples = (s for _, s in zip(range(self.limit), samples, strict=False))
        return samples if self.subset is None else stratified(samples, self.subset)


WHOLE = Portion()
"""All of the training split."""
