"""Eyes from the mesh with 478 points: openness, gaze and irises without a second network.

On the rendered heads that ``runtime/eyes.py`` is measured on, gaze and openness are as good as with
the iris network; irises are less exact. ``docs/benchmarks/eyes_mesh.md`` has the figures.
"""

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.eyes import EyeSignals, Pair
from pyojeong.runtime.eyes import GAZE_OPENNESS, MIN_EYE, EyeBall, SeenEye, gaze_of
from pyojeong.runtime.facemesh import LEFT_EYE, RIGHT_EYE

CLOSED_GAP, OPEN_GAP = 0.03, 0.33
"""Gap between the lids over the eye's width, of closed and of open eyes."""
BALL = EyeBall(radius=0.714, centre=(0.013, -0.131, 0.569))

_LIDS = (((160, 159, 158), (144, 145, 153)), ((387, 386, 385), (373, 374, 380)))
"""Upper and lower lid of the right and of the left eye."""
_LID_POINTS = [
    *RIGHT_EYE, *_LIDS[0][0], *_LIDS[0][1], *LEFT_EYE, *_LIDS[1][0], *_LIDS[1][1],
]  # fmt: skip
_TOWARDS_RIGHT = np.array([[1.0], [-1.0]])
_IRISES = (468, 473)
"""First of the five points of each iris: the centre, then its rim."""


def eyes_of_mesh(
    points: NDArray[np.floating], rotation: NDArray[np.float64], openness: Pair
) -> EyeSignals:
    """Return what the eyes do; empty when they are too small.

    Args:
        points: (478, 3), in frame pixels.
        rotation: The head's, from ``head_pose.rotation_of(points)``.
        openness: From ``openness_of``.
    """
    corners = [points[list(pair), :2].astype(np.float64) for pair in (RIGHT_EYE, LEFT_EYE)]
    if min(float(np.hypot(*(b - a))) for a, b in corners) < MIN_EYE:
        return EyeSignals()
    right, left = (_eye(points, openness[side], side, corners[side]) for side in range(2))
    return EyeSignals(
        openness=openness,
        gaze_rad=gaze_of(right, left, rotation, BALL) if min(openness) >= GAZE_OPENNESS else None,
        iris=np.stack([right.iris, left.iris]).astype(np.float32),
        iris_diameter=(right.diameter, left.diameter),
    )


def openness_of(upright: NDArray[np.floating]) -> Pair:
    """Return how open the right and the left eye are, 0 to 1.

    Args:
        upright: (478, 3) in pixels of an upright crop.
    """
    xy = upright[_LID_POINTS, :2].astype(np.float64).reshape(2, 8, 2)
    # Towards the right of the image: outer to inner corner of the right eye, inner to outer left.
    across = (xy[:, 1] - xy[:, 0]) * _TOWARDS_RIGHT
    width = np.maximum(np.sqrt((across**2).sum(1)), 1e-3)
    down = np.stack([-across[:, 1], across[:, 0]], axis=1) / width[:, None]
    apart = (xy[:, 5:] - xy[:, 2:5]).mean(1)
    gap = (apart * down).sum(1) / width
    right, left = np.clip((gap - CLOSED_GAP) / (OPEN_GAP - CLOSED_GAP), 0, 1)
    return float(right), float(left)


def _eye(
    points: NDArray[np.floating], openness: float, side: int, corners: NDArray[np.float64]
) -> SeenEye:
    first = _IRISES[side]
    iris = points[first : first + 5, :2].astype(np.float64)
    diameter = (np.hypot(*(iris[1] - iris[3])) + np.hypot(*(iris[2] - iris[4]))) / 2
    return SeenEye(openness, iris[0], max(float(diameter), 1e-3), corners.mean(0))
