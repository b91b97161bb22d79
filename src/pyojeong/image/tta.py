"""Several views of one face, whose answers are averaged ("test-time augmentation").

A view is a matrix over the network's input: composed with the face's own matrix, so that the
image is still sampled once.
"""

import numpy as np

from pyojeong.core.errors import BadArray
from pyojeong.image.preprocess import Matrix

COUNTS = (1, 2, 10)
"""Numbers of views: the face alone; with its mirror image; both also moved to four corners."""

_SHIFT = 1 / 24  # two of FER2013's 48 pixels: ten crops of 44, as the field makes them


def view_matrices(size_hw: tuple[int, int], count: int) -> list[Matrix]:
    """Return the views of an input of ``size_hw``; the first is the face as it is.

    Raises:
        BadArray: When ``count`` is none of ``COUNTS``.
    """
    if count not in COUNTS:
        raise BadArray("views", expected=f"one of {COUNTS}", got=str(count))
    h, w = size_hw
    shifts = [(0.0, 0.0)]
    if count == 10:
        shifts += [(x * _SHIFT * w, y * _SHIFT * h) for x in (-1, 1) for y in (-1, 1)]
    out = []
    for dx, dy in shifts:
        out.append(np.array([[1, 0, dx], [0, 1, dy]], np.float64))
        if count > 1:
            out.append(np.array([[-1, 0, w - dx], [0, 1, dy]], np.float64))
    return out


def seen_through(view: Matrix, matrix: Matrix) -> Matrix:
    """Return the face's matrix followed by the view."""
    out = view[:, :2] @ matrix
    out[:, 2] += view[:, 2]
    return np.asarray(out, np.float64)
