"""Which parts of a face the border of the image cuts off.

FaceMesh places points behind the border, and invents what it does not see there: the lips of a face
that is cut off at the nose are those of a neutral face. A part counts as cut off when one of a few
points at its edge is outside. On photographs that were cropped on purpose, units of the mouth were
wrong by up to 0.95 before; where the crop leaves the points inside, units still shift, mostly by
less than 0.1, at most by 0.3.
"""

import numpy as np
from numpy.typing import NDArray

EYES = (159, 386, 33, 263, 27, 257)
"""Points about both eyes: the middle of the upper lids, the outer corners, and above the lids."""
_PARTS: tuple[tuple[tuple[str, ...], tuple[int, ...]], ...] = (
    (("AU1", "AU2", "AU4"), (151, 105, 334, 46, 276)),
    (("AU5", "AU7", "AU43"), EYES),
    (("AU6",), (50, 280, 117, 346, *EYES)),
    (("AU9",), (1, 4, 9, 48, 278)),
    (
        ("AU12", "AU14", "AU15", "AU17", "AU20", "AU23", "AU24", "AU25", "AU26", "AU27"),
        (18, 61, 291),
    ),
)
"""Action units -> points of the mesh that must be inside the image."""


def units_cut_off(points: NDArray[np.floating], size_wh: tuple[int, int]) -> frozenset[str]:
    """Return the action units whose part of the face is not whole in the image.

    Args:
        points: (468 or 478, 3), in frame pixels.
        size_wh: Of the image.
    """
    outside = _outside(points, size_wh)
    if not outside.any():
        return frozenset()
    return frozenset(unit for units, at in _PARTS if outside[list(at)].any() for unit in units)


def eyes_cut_off(points: NDArray[np.floating], size_wh: tuple[int, int]) -> bool:
    """Return whether the border cuts off an eye; arguments as for ``units_cut_off``."""
    return bool(_outside(points[list(EYES)], size_wh).any())


def _outside(points: NDArray[np.floating], size_wh: tuple[int, int]) -> NDArray[np.bool_]:
    beyond: NDArray[np.bool_] = (points[:, :2] < 0) | (points[:, :2] > np.array(size_wh))
    return beyond[:, 0] | beyond[:, 1]
