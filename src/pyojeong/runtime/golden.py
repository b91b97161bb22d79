"""Made-up pictures on which a model's answers are stored beside it (``<id>.golden.npz``).

A model that answers them as it did when it was exported is read with the right weights, the right
preprocessing and a runtime that computes correctly.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import ModelCorrupt
from pyojeong.image.preprocess import Pixels

PICTURES = Path(__file__).parents[1] / "pictures"
"""Bundled photographs; see NOTICE."""

GOLDEN_PICTURE = PICTURES / "astronaut.jpg"
GOLDEN_ANSWER = PICTURES / "astronaut.golden.json"

_GRAY_SHAPES = ((48, 48), (44, 44), (96, 96), (200, 150), (31, 47), (48, 48))


def golden_crops() -> list[Pixels]:
    """Eight pictures of several sizes, gray and RGB: arithmetic patterns, the same everywhere."""
    crops: list[Pixels] = []
    for i, (h, w) in enumerate(_GRAY_SHAPES):
        y, x = np.mgrid[0:h, 0:w].astype(np.int64)
        crops.append(((x * (3 + i) + y * (5 + 2 * i) + (x * y) // (7 + i)) % 256).astype(np.uint8))
    y, x = np.mgrid[0:120, 0:100].astype(np.int64)
    crops.append(np.stack([x * 2, y * 2, (x + y) % 256], -1).astype(np.uint8))
    crops.append(np.full((60, 60, 3), 128, np.uint8))
    return crops


def golden_path(folder: Path, model_id: str) -> Path:
    """Where a model's stored answers lie."""
    return folder / f"{model_id}.golden.npz"


def read_golden(folder: Path, model_id: str) -> NDArray[np.float32]:
    """Stored logits (8, K) of ``golden_crops``.

    Raises:
        ModelCorrupt: When they are missing or cannot be read.
    """
    path = golden_path(folder, model_id)
    try:
        with np.load(path) as stored:
            return np.asarray(stored["logits"], np.float32)
    except (OSError, KeyError, ValueError) as error:
        raise ModelCorrupt(f"golden answers {path} cannot be read: {error}") from error
