"""Eyes and head of one face: how open they are, where they look, where the head points.

FaceMesh gives the head's pose and the corners of the eyes; Google's iris network (Ablavatski et al.
2020, "Real-time Pupil Tracking from Monocular Video for Digital Puppetry", arXiv:2006.11341) then
sees each eye in a crop of 64 pixels and returns the contour of its lids and its iris. The network
was made for one eye; the other is mirrored.

Openness is the mean gap between the lids over the eye's width, between the measured gaps of closed
and of open eyes. Gaze is where the iris lies between the corners, taken as a turn of an eyeball
whose size follows from the iris (irises are 11.7 mm wide in nearly everybody, eyeballs 24). Both
constants and the errors that remain come from rendered heads: ``docs/benchmarks/eyes.md``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.eyes import EyeSignals, HeadPose, Pair
from pyojeong.core.face import Face, Image
from pyojeong.image.preprocess import Matrix, apply, invert, warp
from pyojeong.runtime.facemesh import LEFT_EYE, RIGHT_EYE, FaceMesh, Mesh
from pyojeong.runtime.session import Session, SessionLike
from pyojeong.zoo import find

MODEL = "iris-64-eye.google"
SIDE = 64
CROP_SCALE = 2.3
"""Side of an eye's crop, in distances between the eye's corners."""

PRESENCE = 0.5
"""FaceMesh's least probability of a face."""
MIN_EYE = 8.0
"""Narrower eyes (pixels between the corners) are not judged."""
MAX_YAW_RAD = 0.87
"""Heads turned further show one eye only."""

_OUTER, _INNER = 8, 0
_LOWER, _UPPER = (3, 4, 5), (11, 12, 13)
"""Points of the contour: the corners, and the middle of each lid."""

CLOSED_GAP, OPEN_GAP = 0.07, 0.33
"""Gap between the lids over the eye's width, of closed and of open eyes."""
GAZE_OPENNESS = 0.25
"""Eyes that are less open show too little of the iris."""
EYEBALL = 24.0 / 11.7 / 2
"""Radius of an eyeball in iris diameters."""


@dataclass(frozen=True, slots=True)
class _Eye:
    openness: float
    iris: NDArray[np.float64]  # (2,) frame pixels
    diameter: float  # frame pixels
    offset: NDArray[np.float64]  # (2,) iris from the middle of the corners, in iris diameters


class Eyes:
    """Measures head pose and eyes of faces; thread-safe.

    Args:
        threads: Threads inside one run.
        mesh: FaceMesh; None = the bundled one.
        iris: The iris network; None = the bundled one.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        mesh: FaceMesh | None = None,
        iris: SessionLike | None = None,
    ) -> None:
        self._mesh = mesh or FaceMesh(threads=threads)
        shape = (None, SIDE, SIDE, 3)
        self._iris = iris or Session(find(MODEL), threads=threads, inputs=[shape])

    @property
    def model_ids(self) -> tuple[str, str]:
        """Ids of both networks."""
        return self._mesh.id, self._iris.id

    def measure(self, image: Image, face: Face) -> tuple[HeadPose | None, EyeSignals]:
        """Pose and eyes of one face; None, or an empty ``EyeSignals``, for what cannot be told.

        Args:
            image: uint8 (H, W, 3) RGB.
            face: From a detector.
        """
        mesh = self._mesh.fit(image, face.box)
        if mesh.presence < PRESENCE:
            return None, EyeSignals()
        pose = HeadPose(*mesh.turn_rad)
        if abs(pose.yaw_rad) > MAX_YAW_RAD:
            return pose, EyeSignals()
        return pose, self._signals(image, mesh)

    def _signals(self, image: Image, mesh: Mesh) -> EyeSignals:
        corners = [mesh.points[list(pair), :2].astype(np.float64) for pair in (RIGHT_EYE, LEFT_EYE)]
        if min(float(np.hypot(*(b - a))) for a, b in corners) < MIN_EYE:
            return EyeSignals()
        matrices = [_crop_matrix(c, mirrored=i == 0) for i, c in enumerate(corners)]
        crops = np.stack([warp(image, m, (SIDE, SIDE)) for m in matrices])
        contours, irises = self._iris.run(crops.astype(np.float32) / np.float32(255))
        right, left = (
            _eye(c.reshape(-1, 3)[:, :2], i.reshape(-1, 3)[:, :2], m)
            for c, i, m in zip(contours, irises, matrices, strict=True)
        )
        openness = (right.openness, left.openness)
        return EyeSignals(
            openness=openness,
            gaze_rad=_gaze(right, left) if min(openness) >= GAZE_OPENNESS else None,
            iris=np.stack([right.iris, left.iris]).astype(np.float32),
            iris_diameter=(right.diameter, left.diameter),
        )


def _crop_matrix(corners: NDArray[np.float64], *, mirrored: bool) -> Matrix:
    """Frame -> crop: the outer corner right of the inner one and level, whichever eye it is."""
    outer, inner = corners
    across = outer - inner
    scale = SIDE / (CROP_SCALE * float(np.hypot(*across)))
    if mirrored:  # the subject's right eye has its outer corner on the left of the picture
        across = np.array([-across[0], across[1]])
    angle = -np.arctan2(across[1], across[0])
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    if mirrored:
        turn = turn @ np.diag([-1.0, 1.0])
    centre = (outer + inner) / 2
    return np.column_stack([turn, np.array([SIDE / 2, SIDE / 2]) - turn @ centre])


def _eye(contour: NDArray[np.floating], iris: NDArray[np.floating], matrix: Matrix) -> _Eye:
    """One eye from the network's points in crop pixels."""
    outer, inner = contour[_OUTER].astype(np.float64), contour[_INNER].astype(np.float64)
    across = outer - inner
    width = max(float(np.hypot(*across)), 1e-3)
    along = across / width
    down = np.array([-along[1], along[0]])
    gap = float(np.mean((contour[list(_LOWER)] - contour[list(_UPPER)]) @ down)) / width
    openness = float(np.clip((gap - CLOSED_GAP) / (OPEN_GAP - CLOSED_GAP), 0, 1))
    across_iris = np.hypot(*(iris[1] - iris[3])) + np.hypot(*(iris[2] - iris[4]))
    diameter = max(float(across_iris) / 2, 1e-3)
    away = iris[0] - (outer + inner) / 2
    offset = np.array([away @ along, away @ down]) / diameter
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    centre = apply(invert(matrix), iris[:1].astype(np.float64))[0]
    return _Eye(openness, centre, diameter / scale, offset)


def _gaze(right: _Eye, left: _Eye) -> Pair:
    """(yaw, pitch) relative to the head, the mean of both eyes."""
    # In its crop an eye's outer side is on the right, so the right eye's x is mirrored.
    x = (left.offset[0] - right.offset[0]) / 2 / EYEBALL
    y = (left.offset[1] + right.offset[1]) / 2 / EYEBALL
    return float(np.arcsin(np.clip(x, -1, 1))), float(np.arcsin(np.clip(y, -1, 1)))
