"""Eyes from the mesh with 478 points: openness, gaze and irises without a second network.

On the rendered heads that ``runtime/eyes.py`` is measured on, gaze and openness are as good as with
the iris network; centres of irises are less exact. ``docs/benchmarks/eyes.md`` has the figures.
"""

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.eyes import EyeSignals
from pyojeong.runtime.eyes import GAZE_OPENNESS, MIN_EYE, EyeBall, SeenEye, gaze_of
from pyojeong.runtime.facemesh import LEFT_EYE, RIGHT_EYE

CLOSED_GAP, OPEN_GAP = 0.03, 0.33
"""Gap between the lids over the eye's width, of closed and of open eyes."""
BALL = EyeBall(radius=0.714, centre=(0.013, -0.131, 0.569))

_LIDS = (((160, 159, 158), (144, 145, 153)), ((387, 386, 385), (373, 374, 380)))
"""Upper and lower lid of the right and of the left eye."""
_IRISES = (468, 473)
"""First of the five points of each iris: the centre, then its rim."""


def eyes_of_mesh(
    points: NDArray[np.floating], rotation: NDArray[np.float64], *, upright: NDArray[np.floating]
) -> EyeSignals:
    """Return what the eyes do; empty when they are too small.

    Args:
        points: (478, 3), in frame pixels.
        rotation: The head's, from ``head_pose.rotation_of(points)``.
        upright: The same points in pixels of the upright crop.
    """
    corners = [points[list(pair), :2].astype(np.float64) for pair in (RIGHT_EYE, LEFT_EYE)]
    if min(float(np.hypot(*(b - a))) for a, b in corners) < MIN_EYE:
        return EyeSignals()
    right, left = (_eye(points, upright, side, corners[side]) for side in range(2))
    openness = (right.openness, left.openness)
    return EyeSignals(
        openness=openness,
        gaze_rad=gaze_of(right, left, rotation, BALL) if min(openness) >= GAZE_OPENNESS else None,
        iris=np.stack([right.iris, left.iris]).astype(np.float32),
        iris_diameter=(right.diameter, left.diameter),
    )


def _eye(
    points: NDArray[np.floating],
    upright: NDArray[np.floating],
    side: int,
    corners: NDArray[np.float64],
) -> SeenEye:
    pair = (RIGHT_EYE, LEFT_EYE)[side]
    outer, inner = upright[list(pair), :2].astype(np.float64)
    across = (inner - outer) * (1 if side == 0 else -1)  # towards the right of the image
    width = max(float(np.hypot(*across)), 1e-3)
    down = np.array([-across[1], across[0]]) / width
    upper, lower = (upright[list(lid), :2] for lid in _LIDS[side])
    gap = float(np.mean((lower - upper) @ down)) / width
    openness = float(np.clip((gap - CLOSED_GAP) / (OPEN_GAP - CLOSED_GAP), 0, 1))
    first = _IRISES[side]
    iris = points[first : first + 5, :2].astype(np.float64)
    diameter = (np.hypot(*(iris[1] - iris[3])) + np.hypot(*(iris[2] - iris[4]))) / 2
    return SeenEye(openness, iris[0], max(float(diameter), 1e-3), corners.mean(0))
