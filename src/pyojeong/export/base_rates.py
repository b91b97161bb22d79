"""The votes that a training shows: their mean shares are the base rates that a vote head learns."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.labels import FERPLUS8
from pyojeong.datasets.samples import Sample, Split, read_manifest
from pyojeong.training.data.faces import label_targets, origin_of, vote_shares
from pyojeong.training.data.sampling import EACH_ONCE, Sampling

_EPOCHS = 4


def votes_shown(manifest: Path, sampling: Sampling = EACH_ONCE) -> NDArray[np.float64]:
    """Return the votes (M, 8) of the faces that a training shows, as often as it shows them.

    Args:
        manifest: The table that was trained on.
        sampling: Of the experiment. Where every sample is shown once, the votes are counts; else
            they are the shares that were learned from.
    """
    samples = list(read_manifest(manifest, splits=[Split.TRAIN], images=False))
    if sampling.shows_each_once:
        counts = [s.votes[: len(FERPLUS8)] for s in samples if s.votes is not None]
        return np.array(counts, np.float64).reshape(-1, len(FERPLUS8))
    votes = np.array([vote_shares(s.votes) for s in samples], np.float64)
    targets = label_targets(votes, [_position(s) for s in samples])
    origins = [origin_of(s.source) for s in samples]
    shown = [sampling.rows(origins, targets, seed=0, epoch=e) for e in range(_EPOCHS)]
    return np.concatenate([votes[rows] for rows in shown if rows is not None])


def _position(sample: Sample) -> int:
    return FERPLUS8.names.index(sample.label) if sample.label in FERPLUS8.names else 0
