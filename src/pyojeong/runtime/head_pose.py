"""Where a head points, from the points of its face.

The points of FaceMesh that hardly move with the expression are laid onto the mean shape of many
heads (Kabsch 1976, "A solution for the best rotation to relate two sets of vectors"); the rotation
that fits best is the pose. The mean shape, ``head_shape.csv``, was measured on rendered heads with
known poses by ``benchmarks/eyes/measure.py``, so that its axes are a head's own and zero is looking
straight ahead; right and left were made equal.
"""

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.eyes import HeadPose

Floats = NDArray[np.float64]

PAIRS = (
    (33, 263), (133, 362), (234, 454), (127, 356), (93, 323), (21, 251), (54, 284), (103, 332),
    (67, 297), (109, 338), (50, 280), (117, 346), (118, 347), (116, 345), (48, 278), (98, 327),
    (46, 276), (70, 300), (143, 372), (111, 340),
)  # fmt: skip
"""Points of the right and the left half: eye corners, temples, cheeks, nostrils, forehead."""
MIDDLE = (168, 6, 197, 195, 5, 4, 1, 10, 151, 9, 8, 2)
"""Points of the middle line: nose and forehead."""
POINTS = tuple(i for pair in PAIRS for i in pair) + MIDDLE
"""What is laid onto the mean shape: all of them, in this order."""


@cache
def head_shape() -> Floats:
    """Return the mean shape: float64 (52, 3), centred, root mean square 1.

    x points to the image's right, y down, z away from the camera, for a head that looks into it.
    """
    text = (files("pyojeong.runtime") / "head_shape.csv").read_text(encoding="utf-8")
    rows = [line.split(",") for line in text.splitlines()[1:]]
    assert tuple(int(row[0]) for row in rows) == POINTS  # noqa: S101 - written together
    return np.array([row[1:] for row in rows], np.float64)


def centred(points: NDArray[np.floating]) -> Floats:
    """Return the used points of meshes (..., 468, 3), centred, with root mean square 1."""
    used = np.asarray(points, np.float64)[..., POINTS, :]
    used = used - used.mean(-2, keepdims=True)
    size = np.sqrt((used**2).sum((-1, -2), keepdims=True) / len(POINTS))
    return np.asarray(used / np.maximum(size, 1e-9))


def rotation_of(points: NDArray[np.floating], shape: Floats | None = None) -> Floats:
    """Return the rotation (3, 3) that turns the mean shape into a mesh (468, 3)."""
    shape = head_shape() if shape is None else shape
    u, _, vt = np.linalg.svd(shape.T @ centred(points))
    sign = np.sign(np.linalg.det(u @ vt))
    return np.asarray(vt.T @ np.diag([1.0, 1.0, sign]) @ u.T)


def pose_of(rotation: Floats) -> HeadPose:
    """Yaw, pitch and roll of a rotation: pitch about the head's own axis, then yaw, then roll."""
    return HeadPose(
        yaw_rad=float(np.arcsin(np.clip(rotation[2, 0], -1, 1))),
        pitch_rad=float(np.arctan2(rotation[2, 1], rotation[2, 2])),
        roll_rad=float(np.arctan2(rotation[1, 0], rotation[0, 0])),
    )


def rotation_from(pose: HeadPose) -> Floats:
    """Return the inverse of ``pose_of``."""
    (sy, sp, sr), (cy, cp, cr) = (
        f([pose.yaw_rad, pose.pitch_rad, pose.roll_rad]) for f in (np.sin, np.cos)
    )
    yaw = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(roll @ yaw @ pitch)
