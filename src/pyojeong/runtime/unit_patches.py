"""What the appearance part of the action units' network sees: each half of an upright gray face.

Points say where brows and lips are; wrinkles of the nose, crow's feet and bulges of the chin are in
the pixels alone. A face is turned and scaled so that its eyes and the base of its nose lie where
they lie in all faces. The left half is mirrored, so that one network serves both.
"""

import numpy as np
from numpy.typing import NDArray

from pyojeong.image.preprocess import invert, similarity, to_gray

CHIP = 96
"""Side of the aligned face in pixels: from the hairline to the chin."""
HALF = 64
"""Width of a half: its own side and 16 pixels beyond the middle, for what happens between the
brows and in the middle of the lips."""

_EYES = ((33, 133), (362, 263))
"""Corners of the subject's right and left eye."""
_NOSE_BASE = 2
_PLACES = np.array([[30.0, 32.0], [66.0, 32.0], [48.0, 59.0]])
"""Where the middles of both eyes and the base of the nose come to lie."""


def chip_of(
    crop: NDArray[np.uint8], points: NDArray[np.floating], *, margin: int = 0
) -> NDArray[np.float32]:
    """Return the aligned gray face of a crop.

    Pixels are not rounded and their places are exact, unlike those of ``preprocess.warp``: a face
    and its mirror image shall give the same units.

    Args:
        crop: uint8 (H, W, 3) RGB.
        points: (478, 3) of the mesh, in pixels of the crop.
        margin: So many pixels more on every side.

    Returns:
        float32 (96 + 2 margin, 96 + 2 margin), 0 to 255.
    """
    eyes = [points[list(pair), :2].mean(0) for pair in _EYES]
    matrix = similarity(np.array([*eyes, points[_NOSE_BASE, :2]]), _PLACES + margin)
    (a, b, dx), (c, d, dy) = invert(matrix)
    place = np.arange(CHIP + 2 * margin) + 0.5
    x = a * place + b * place[:, None] + dx - 0.5
    y = c * place + d * place[:, None] + dy - 0.5
    return _sampled(to_gray(crop), x, y)


def _sampled(
    gray: NDArray[np.uint8], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return what lies between four pixels each; beyond the border, the border."""
    height, width = gray.shape
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    left, top = np.minimum(x.astype(np.intp), width - 2), np.minimum(y.astype(np.intp), height - 2)
    right_share, low_share = x - left, y - top
    at = top * width + left
    flat = gray.ravel().astype(np.float64)
    upper = flat[at] + (flat[at + 1] - flat[at]) * right_share
    lower = flat[at + width] + (flat[at + width + 1] - flat[at + width]) * right_share
    return np.asarray(upper + (lower - upper) * low_share, np.float32)


def halves_of(chip: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the subject's right half and the mirrored left half of a chip.

    Args:
        chip: (96, 96), 0 to 255.

    Returns:
        float32 (2, 1, 96, 64), 0 to 255.
    """
    halves = np.stack([chip[:, :HALF], chip[:, ::-1][:, :HALF]])
    return halves[:, None].astype(np.float32)
