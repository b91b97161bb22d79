"""Do the answers depend on company? The same faces alone, in batches, in another order."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyojeong.image.preprocess import Pixels
from pyojeong.runtime.classifier import Classifier
from pyojeong.zoo import Entry

SIZES = (1, 7, 64)


def invariance(entry: Entry, crops: Sequence[Pixels], *, seed: int = 0) -> dict[str, Any]:
    """Largest differences of scores against all crops at once on one thread.

    Returns:
        ``faces``; ``batches``: batch size -> difference; ``shuffled``; ``two_threads``; and
        ``other_answers``: how many faces got another best label in any of them.
    """
    classifier = Classifier.open(entry, threads=1)
    whole = classifier.probabilities(classifier.crop_outputs(crops))
    tried = {
        str(size): np.concatenate(
            [
                classifier.probabilities(classifier.crop_outputs(crops[i : i + size]))
                for i in range(0, len(crops), size)
            ]
        )
        for size in SIZES
    }
    order = np.random.default_rng(seed).permutation(len(crops))
    shuffled = np.empty_like(whole)
    shuffled[order] = classifier.probabilities(classifier.crop_outputs([crops[i] for i in order]))
    two = Classifier.open(entry, threads=2)
    threaded = two.probabilities(two.crop_outputs(crops))
    others = [*tried.values(), shuffled, threaded]
    changed = np.any([o.argmax(1) != whole.argmax(1) for o in others], axis=0)

    def apart(scores: np.ndarray) -> float:
        return float(f"{np.abs(scores - whole).max():.1e}")

    return {
        "faces": len(crops),
        "batches": {size: apart(scores) for size, scores in tried.items()},
        "shuffled": apart(shuffled),
        "two_threads": apart(threaded),
        "other_answers": int(changed.sum()),
    }
