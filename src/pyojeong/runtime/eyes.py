"""Eyes and head of one face: how open they are, where they look, where the head points.

FaceMesh gives the head's pose and the corners of the eyes; Google's iris network (Ablavatski et al.
2020, "Real-time Pupil Tracking from Monocular Video for Digital Puppetry", arXiv:2006.11341) then
sees each eye in a crop of 64 pixels and returns the contour of its lids and its iris. The network
was made for the subject's right eye; the left one is mirrored.

Openness is the mean gap between the lids over the eye's width, between the gaps of closed and of
open eyes. Gaze comes from where the iris lies against the corners of the eye: a ball of a certain
size and place, in iris diameters (irises are 11.7 mm wide in nearly everybody), is turned until its
iris lies there, given how the head is turned. All constants were measured on rendered heads; what
errors remain on other heads is in ``docs/benchmarks/eyes.md``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.eyes import EyeSignals, HeadPose, Pair
from pyojeong.core.face import Face, Image
from pyojeong.image.preprocess import Matrix, apply, invert, warp
from pyojeong.runtime.cut_off import eyes_cut_off
from pyojeong.runtime.devices import CPU_DEVICE, Device
from pyojeong.runtime.facemesh import LEFT_EYE, RIGHT_EYE, FaceMesh, Mesh
from pyojeong.runtime.head_pose import pose_of, rotation_of
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

OUTER, INNER = 0, 8
LOWER, UPPER = (3, 4, 5), (11, 12, 13)
"""Points of the contour: the corners, and the middle of each lid."""

CLOSED_GAP, OPEN_GAP = 0.05, 0.34
"""Gap between the lids over the eye's width, of closed and of open eyes."""
GAZE_OPENNESS = 0.25
"""Eyes that are less open show too little of the iris."""


@dataclass(frozen=True, slots=True)
class EyeBall:
    """What turns under the lids, in iris diameters.

    Attributes:
        radius: Distance of the iris from the eyeball's centre.
        centre: Of the eyeball against the middle of the corners: towards the nose, down, and back
            into the head.
    """

    radius: float
    centre: tuple[float, float, float]


BALL = EyeBall(radius=0.625, centre=(0.017, -0.124, 0.582))


@dataclass(frozen=True, slots=True)
class SeenEye:
    """One eye.

    Attributes:
        openness: In [0, 1].
        iris: Its centre, (2,) frame pixels.
        diameter: Of the iris, frame pixels.
        middle: Of the corners, (2,) frame pixels.
    """

    openness: float
    iris: NDArray[np.float64]
    diameter: float
    middle: NDArray[np.float64]


class Eyes:
    """Measures head pose and eyes of faces; thread-safe.

    Args:
        threads: Threads inside one run.
        device: Where networks run.
        mesh: FaceMesh; None = the bundled one.
        iris: The iris network; None = the bundled one.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        device: Device = CPU_DEVICE,
        mesh: FaceMesh | None = None,
        iris: SessionLike | None = None,
    ) -> None:
        self._mesh = mesh or FaceMesh(threads=threads, device=device)
        shape = (None, SIDE, SIDE, 3)
        self._iris = iris or Session(find(MODEL), threads=threads, device=device, inputs=[shape])

    @property
    def model_ids(self) -> tuple[str, str]:
        """Ids of both networks."""
        return self._mesh.id, self._iris.id

    def measure(self, image: Image, face: Face) -> tuple[HeadPose | None, EyeSignals]:
        """Return pose and eyes of a face; None or an empty ``EyeSignals`` where not measurable.

        Args:
            image: uint8 (H, W, 3) RGB.
            face: From a detector.
        """
        mesh = self._mesh.fit(image, face.box, roll_rad=roll_of(face))
        if mesh.presence < PRESENCE:
            return None, EyeSignals()
        rotation = rotation_of(mesh.points)
        pose = pose_of(rotation)
        turned = abs(pose.yaw_rad) > MAX_YAW_RAD
        if turned or eyes_cut_off(mesh.points, (image.shape[1], image.shape[0])):
            return pose, EyeSignals()
        return pose, self._signals(image, mesh, rotation)

    def _signals(self, image: Image, mesh: Mesh, rotation: NDArray[np.float64]) -> EyeSignals:
        corners = [mesh.points[list(pair), :2].astype(np.float64) for pair in (RIGHT_EYE, LEFT_EYE)]
        if min(float(np.hypot(*(b - a))) for a, b in corners) < MIN_EYE:
            return EyeSignals()
        matrices = [_crop_matrix(c, mirrored=i == 1) for i, c in enumerate(corners)]
        crops = np.stack([warp(image, m, (SIDE, SIDE)) for m in matrices])
        contours, irises = self._iris.run(crops.astype(np.float32) / np.float32(255))
        right, left = (
            _eye(c.reshape(-1, 3)[:, :2], i.reshape(-1, 3)[:, :2], m)
            for c, i, m in zip(contours, irises, matrices, strict=True)
        )
        openness = (right.openness, left.openness)
        return EyeSignals(
            openness=openness,
            gaze_rad=gaze_of(right, left, rotation, BALL)
            if min(openness) >= GAZE_OPENNESS
            else None,
            iris=np.stack([right.iris, left.iris]).astype(np.float32),
            iris_diameter=(right.diameter, left.diameter),
        )


def roll_of(face: Face) -> float:
    """Return how far a head is tilted clockwise, from the eyes that the detector saw.

    0 without them.
    """
    if face.landmarks is None:
        return 0.0
    across = face.landmarks.points[1] - face.landmarks.points[0]
    return float(np.arctan2(across[1], across[0]))


def _crop_matrix(corners: NDArray[np.float64], *, mirrored: bool) -> Matrix:
    """Frame -> crop: the outer corner left of the inner one and level, whichever eye it is."""
    outer, inner = corners
    across = inner - outer
    scale = SIDE / (CROP_SCALE * max(float(np.hypot(*across)), 1e-3))
    if mirrored:  # the subject's left eye has its outer corner on the right of the image
        across = np.array([-across[0], across[1]])
    angle = -np.arctan2(across[1], across[0])
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    if mirrored:
        turn = turn @ np.diag([-1.0, 1.0])
    centre = (outer + inner) / 2
    return np.column_stack([turn, np.array([SIDE / 2, SIDE / 2]) - turn @ centre])


def _eye(contour: NDArray[np.floating], iris: NDArray[np.floating], matrix: Matrix) -> SeenEye:
    """Return one eye from the network's points in crop pixels."""
    outer, inner = contour[OUTER].astype(np.float64), contour[INNER].astype(np.float64)
    across = inner - outer
    width = max(float(np.hypot(*across)), 1e-3)
    along = across / width
    down = np.array([-along[1], along[0]])
    gap = float(np.mean((contour[list(LOWER)] - contour[list(UPPER)]) @ down)) / width
    openness = float(np.clip((gap - CLOSED_GAP) / (OPEN_GAP - CLOSED_GAP), 0, 1))
    across_iris = np.hypot(*(iris[1] - iris[3])) + np.hypot(*(iris[2] - iris[4]))
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    points = np.stack([iris[0].astype(np.float64), (outer + inner) / 2])
    centre, middle = apply(invert(matrix), points)
    return SeenEye(openness, centre, max(float(across_iris) / 2, 1e-3) / scale, middle)


def gaze_of(right: SeenEye, left: SeenEye, rotation: NDArray[np.float64], eyeball: EyeBall) -> Pair:
    """Return (yaw, pitch) relative to the head: the mean direction of both eyes."""
    size = (right.diameter + left.diameter) / 2
    inwards, down, back = eyeball.centre
    total = np.zeros(3)
    for eye, side in ((right, 1.0), (left, -1.0)):
        ball = rotation @ np.array([side * inwards, down, back])
        across = ((eye.iris - eye.middle) / size - ball[:2]) / eyeball.radius
        across *= min(1.0, 0.99 / max(float(np.hypot(*across)), 1e-9))
        towards = -np.sqrt(1 - float(across @ across))
        total += rotation.T @ np.array([across[0], across[1], towards])
    x, y, z = total / np.linalg.norm(total)
    return float(np.arctan2(x, -z)), float(np.arcsin(np.clip(y, -1, 1)))
