"""Whether two results differ: a paired bootstrap over the images that both answered.

The interval speaks of other images, not of other seeds: two trainings of one experiment differ
too, and only several seeds per side say by how much.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import ExperimentError

Answers = str | Sequence[str]
"""Positions in the label set, one digit per image; several strings are several seeds."""

ROUNDS = 2000
_SEED = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more often one side is right than the other.

    Attributes:
        points: Difference of the accuracies in percentage points.
        low: Lower bound of its 95 % interval over images.
        high: Upper bound.
        n: Images.
    """

    points: float
    low: float
    high: float
    n: int

    @property
    def clear(self) -> bool:
        """True when the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def compare(one: Answers, other: Answers, labels_true: str, *, rounds: int = ROUNDS) -> Difference:
    """``one`` minus ``other`` on the same images (Efron 1979, paired, percentiles).

    Images are resampled, and each counts with its mean over the seeds of a side. The random
    numbers are the same in every call, so that a comparison can be repeated.

    Args:
        one: Answers of a run, or of the seeds of an experiment.
        other: What it is compared with.
        labels_true: The labels, written as the answers are.
        rounds: Bootstrap rounds.

    Raises:
        ExperimentError: When the strings are not of one length, or there are none.
    """
    truth = _digits(labels_true)
    gain = _hits(one, truth) - _hits(other, truth)  # (N,), in [-1, 1]
    means = _resamples(len(gain), rounds) @ gain / len(gain)
    low, high = np.percentile(means, [2.5, 97.5])
    low, value, high = (100 * float(v) + 0.0 for v in (low, gain.mean(), high))
    return Difference(value, low, high, len(gain))


def compare_by_label(
    one: Answers, other: Answers, labels_true: str, names: Sequence[str], *, rounds: int = ROUNDS
) -> dict[str, Difference]:
    """Return the difference of the recalls of each label that occurs, as ``compare`` does.

    Args:
        one: Answers of a run, or of the seeds of an experiment.
        other: What it is compared with.
        labels_true: The labels, written as the answers are.
        names: The label of each digit.
        rounds: Bootstrap rounds.
    """
    sides = [[side] if isinstance(side, str) else list(side) for side in (one, other)]
    out = {}
    for digit, name in enumerate(names):
        at = [i for i, label in enumerate(labels_true) if label == str(digit)]
        if at:
            mine, theirs = (["".join(text[i] for i in at) for text in side] for side in sides)
            out[name] = compare(mine, theirs, str(digit) * len(at), rounds=rounds)
    return out


@lru_cache(maxsize=1)
def _resamples(n: int, rounds: int) -> NDArray[np.float64]:
    """Return how often each image is drawn in each round (rounds, N); many comparisons share it."""
    rng = np.random.default_rng(_SEED)
    drawn = (np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(rounds))
    return np.stack([counts.astype(np.float64) for counts in drawn])


def _digits(text: str) -> NDArray[np.uint8]:
    try:
        return np.frombuffer(text.encode("ascii"), np.uint8)
    except UnicodeEncodeError as error:
        raise ExperimentError(f"answers are one digit per image: {error}") from error


def _hits(answers: Answers, truth: NDArray[np.uint8]) -> NDArray[np.float64]:
    seeds = [answers] if isinstance(answers, str) else list(answers)
    if not seeds or not len(truth):
        raise ExperimentError("nothing to compare: a side has no run, or there are no images")
    for text in seeds:
        if len(text) != len(truth):
            raise ExperimentError(
                f"these are not the same images: {len(text):,} answers, {len(truth):,} labels"
            )
    right = np.stack([_digits(text) == truth for text in seeds])
    return np.asarray(right.mean(0), np.float64)
