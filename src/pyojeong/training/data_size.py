"""Settings that depend on how many samples there are.

A recipe states epochs, batch size and learning rate for the data set it was made for. With a
hundredth of the samples the same epochs are a hundredth of the steps, and nothing is learned.
"""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

from pyojeong.core.errors import DataError
from pyojeong.datasets.samples import Split, read_manifest
from pyojeong.training.recipe import Recipe

MIN_STEPS = 1000
"""Steps that the commands take at least, unless epochs are given."""

SMALLEST_BATCH = 16
"""Below this, batch norms measure too little."""

_BATCHES = 16
"""Batches of an epoch that a small data set is divided into, if the batch size allows it."""


ROUGH = 30
"""With fewer validation images than this, commands say that the accuracy is rough."""


def require_classes(manifest: Path) -> None:
    """Check that there is something to learn and to validate on.

    Raises:
        DataError: When the training images are of fewer than two classes, or a split is empty.
    """
    counts: dict[Split, Counter[str]] = {Split.TRAIN: Counter(), Split.VALID: Counter()}
    for sample in read_manifest(manifest, splits=list(counts), images=False):
        counts[sample.split][sample.label] += 1
    train, valid = (sum(counts[split].values()) for split in (Split.TRAIN, Split.VALID))
    if not train or not valid:
        raise DataError(
            f"{train:,} training and {valid:,} validation images: training needs both; a folder's "
            "class gets validation images from 10 different images on, and `pyojeong data split` "
            "makes new splits"
        )
    if len(counts[Split.TRAIN]) < 2:
        (only,) = counts[Split.TRAIN]
        raise DataError(
            f"all {train:,} training images are {only!r}: training needs two classes or more"
        )


def fit_to_size(recipe: Recipe, samples: int, *, min_steps: int) -> Recipe:
    """Return a recipe that takes at least ``min_steps`` steps; one that does so stays as it is.

    The batch size becomes a power of two near a sixteenth of the samples, at least 16 and at most
    the recipe's own. The learning rate follows it by the square root, with SGD in proportion
    (Malladi et al. 2022, arXiv 2205.10287; Goyal et al. 2017, arXiv 1706.02677), and epochs are
    added until there are enough steps; frozen epochs grow in proportion.

    Args:
        recipe: The settings as given.
        samples: Of an epoch.
        min_steps: 0 = leave the recipe as it is.
    """
    if recipe.epochs * max(samples // recipe.batch_size, 1) >= min_steps:
        return recipe
    wanted = 2 ** int(math.log2(max(samples // _BATCHES, 1)))
    batch = min(recipe.batch_size, max(wanted, SMALLEST_BATCH))
    power = 1.0 if recipe.optimizer == "sgd" else 0.5
    steps = max(samples // batch, 1)
    epochs = max(recipe.epochs, math.ceil(min_steps / steps))
    epochs = math.ceil(epochs / recipe.validate_every) * recipe.validate_every
    return replace(
        recipe,
        batch_size=batch,
        lr=recipe.lr * (batch / recipe.batch_size) ** power,
        epochs=epochs,
        frozen_epochs=round(recipe.frozen_epochs * epochs / recipe.epochs),
    )
