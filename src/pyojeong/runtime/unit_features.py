"""What action units are read from: the points of a face without its pose, and its blendshapes.

The mesh with 478 points is turned to look straight ahead by its own pose, and scaled by the points
that hardly move. Features come in a right, a left and a middle part; those of the left are
mirrored, so that both sides look alike and one network serves both.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.action_units import BLENDSHAPES
from pyojeong.runtime.head_pose import POINTS, rotation_of

Floats = NDArray[np.float64]

BLENDSHAPE_POINTS = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65,
    66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136,
    144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168,
    172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276,
    282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318,
    321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380,
    381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466,
    468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
)  # fmt: skip
"""Points that the blendshape network reads, in its order."""

PAIRS = (
    # brows
    (55, 285), (107, 336), (65, 295), (66, 296), (52, 282), (105, 334), (53, 283), (63, 293),
    (46, 276), (70, 300),
    # eyes, lids, below the eyes
    (33, 263), (133, 362), (159, 386), (158, 385), (160, 387), (145, 374), (153, 380), (144, 373),
    (161, 388), (157, 384), (154, 381), (163, 390), (27, 257), (29, 259), (28, 258), (23, 253),
    (110, 339), (22, 252), (112, 341), (119, 348), (120, 349), (118, 347), (117, 346),
    # cheeks and folds
    (50, 280), (205, 425), (36, 266), (101, 330), (187, 411), (207, 427), (216, 436), (206, 426),
    (203, 423), (212, 432), (57, 287),
    # nose
    (64, 294), (48, 278), (129, 358), (98, 327), (97, 326), (49, 279), (198, 420), (114, 343),
    (193, 417), (122, 351),
    # lips
    (61, 291), (78, 308), (40, 270), (37, 267), (39, 269), (185, 409), (146, 375), (91, 321),
    (181, 405), (84, 314), (82, 312), (81, 311), (80, 310), (87, 317), (178, 402), (88, 318),
    (191, 415), (95, 324),
    # chin and jaw
    (43, 273), (202, 422), (106, 335), (182, 406), (204, 424), (83, 313), (194, 418), (32, 262),
    (140, 369), (176, 400), (148, 377), (172, 397), (136, 365),
)  # fmt: skip
"""Points of the mesh on the subject's right and left."""
MIDDLE = (0, 11, 12, 13, 14, 15, 16, 17, 18, 200, 199, 175, 152, 4, 1, 2, 164, 6, 168, 8, 9, 195,
          5, 151)  # fmt: skip
"""Points of the middle line."""

_RIGHT, _LEFT = (np.array(side) for side in zip(*PAIRS, strict=True))
_MIRROR = np.array([-1.0, 1.0, 1.0])
_SIDEWAYS = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
_SHAPES_RIGHT = [i for i, n in enumerate(BLENDSHAPES) if n.endswith("Right") and n not in _SIDEWAYS]
_SHAPES_LEFT = [BLENDSHAPES.index(f"{BLENDSHAPES[i][:-5]}Left") for i in _SHAPES_RIGHT]
_SHAPES_MIDDLE = [
    i
    for i, name in enumerate(BLENDSHAPES)
    if name not in {*_SIDEWAYS, "_neutral"} and not name.endswith(("Left", "Right"))
]


def _mirror_name(name: str) -> str:
    if name.endswith("Left"):
        return f"{name[:-4]}Right"
    return f"{name[:-5]}Left" if name.endswith("Right") else name


MIRRORED_BLENDSHAPES = [BLENDSHAPES.index(_mirror_name(name)) for name in BLENDSHAPES]
"""Position of each blendshape in a mirrored image."""


@dataclass(frozen=True, slots=True)
class UnitFeatures:
    """Features of one face.

    Attributes:
        right: Of the subject's right side, (n,).
        left: Of the left side, mirrored, (n,).
        middle: Of the middle line, (m,).
        yaw_rad: How far the head is turned.
    """

    right: Floats
    left: Floats
    middle: Floats
    yaw_rad: float

    @property
    def rows(self) -> NDArray[np.float32]:
        """float32 (2, 2 n + m): as each side sees the face; own side, other side, middle."""
        sides = ((self.right, self.left), (self.left, self.right))
        rows = [np.concatenate([own, other, self.middle]) for own, other in sides]
        return np.stack(rows).astype(np.float32)


def features_of(
    points: NDArray[np.floating],
    blendshapes: NDArray[np.floating],
    rotation: Floats | None = None,
) -> UnitFeatures:
    """Return the features of a face.

    Args:
        points: (478, 3) of an upright crop, in its pixels.
        blendshapes: (52,) in the order of ``BLENDSHAPES``.
        rotation: ``rotation_of(points)``, where it is known.
    """
    points = np.asarray(points, np.float64)
    rotation = rotation_of(points) if rotation is None else rotation
    still = points[list(POINTS)]
    centre = still.mean(0)
    size = np.sqrt(((still - centre) ** 2).sum() / len(POINTS))
    ahead = (points - centre) @ rotation / max(float(size), 1e-6)
    middle = ahead[list(MIDDLE)][:, 1:]  # a middle line lies at x = 0
    return UnitFeatures(
        np.concatenate([ahead[_RIGHT].ravel(), blendshapes[_SHAPES_RIGHT]]),
        np.concatenate([(ahead[_LEFT] * _MIRROR).ravel(), blendshapes[_SHAPES_LEFT]]),
        np.concatenate([middle.ravel(), blendshapes[_SHAPES_MIDDLE]]),
        float(np.arcsin(np.clip(rotation[2, 0], -1, 1))),
    )
