"""Which samples an epoch shows: shares of several data sets, and rare expressions more often.

A table that ``pyojeong data merge`` made holds several data sets; a sample's ``source`` begins with
the name of its own. Without ``[sampling]`` an epoch shows every sample once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import ExperimentError
from pyojeong.training.fields import check_ranges

_RANGES = {"shares": (0, 1), "faces": (0, 100_000_000), "balance": (0, 1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """What an epoch is drawn from.

    Attributes:
        shares: Data set (the first part of the samples' ``source``) -> share of an epoch's faces.
            Data sets that are not named are not shown. Empty = as many of each as there are.
        faces: Faces of an epoch; 0 = as many as there are samples.
        balance: Within a data set, a face is drawn in proportion to the mean of frequency **
            -balance over its votes, frequency being the label's share of all votes there; 0 = all
            alike, 1 = all labels alike. Without votes, its label counts. One number for all data
            sets, or one for each that is named.
        unlabeled: Data sets whose labels the classifier does not learn, only their votes.
    """

    shares: dict[str, float] = field(default_factory=dict)
    faces: int = 0
    balance: float | dict[str, float] = 0.0
    unlabeled: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_ranges(self, _RANGES, "[sampling]")
        if self.shares and not abs(sum(self.shares.values()) - 1) <= 1e-6:
            raise ExperimentError(f"[sampling] shares must sum to 1, got {self.shares}")

    @property
    def shows_each_once(self) -> bool:
        """True when an epoch shows every sample once."""
        return not (self.shares or self.faces or self.balance)

    def check(self, origins: Sequence[str]) -> None:
        """Check that the data sets that are named are there.

        Raises:
            ExperimentError: When one is not.
        """
        known = sorted(set(origins))
        powers = self.balance if isinstance(self.balance, dict) else {}
        for name in (*self.shares, *powers, *self.unlabeled):
            if name not in known:
                raise ExperimentError(
                    f"[sampling]: no sample comes from {name!r}; the table holds {', '.join(known)}"
                )

    def rows(
        self, origins: Sequence[str], targets: NDArray[np.floating], *, seed: int, epoch: int
    ) -> NDArray[np.int64] | None:
        """Return the samples of an epoch, in no particular order; None = each once.

        Within an epoch a sample is shown as often as expected, rounded down or up.

        Args:
            origins: The data set of each of N samples.
            targets: (N, K), shares of labels of each sample; rows sum to 1.
            seed: The experiment's.
            epoch: From 0.
        """
        if self.shows_each_once:
            return None
        names = np.asarray(origins)
        total = self.faces or len(names)
        weights = np.zeros(len(names))
        shares = self.shares or {name: float((names == name).mean()) for name in set(origins)}
        for name, share in shares.items():
            here = names == name
            power = self.balance
            if isinstance(power, dict):
                power = power.get(name, 0.0)
            weights[here] = share * _balanced(targets[here], power)
        expected = weights / weights.sum() * total
        rng = np.random.default_rng([seed, epoch, 20261129])
        order = rng.permutation(len(names))
        # Systematic sampling: one offset for all, so that the numbers add up.
        ends = np.floor(np.cumsum(expected[order]) + rng.random() + 1e-9).astype(np.int64)
        counts = np.diff(ends, prepend=0)
        return np.asarray(np.repeat(order, counts)[:total], np.int64)


EACH_ONCE = Sampling()


def _balanced(targets: NDArray[np.floating], power: float) -> NDArray[np.float64]:
    """Return weights (N,) with sum 1."""
    frequency = targets.sum(0) / max(targets.sum(), 1e-9)
    rarity = np.where(frequency > 0, np.maximum(frequency, 1e-9) ** -power, 0)
    weights = targets @ rarity
    return np.asarray(weights / weights.sum(), np.float64)
