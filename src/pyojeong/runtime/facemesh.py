"""FaceMesh: points of a face in three dimensions, and whether there is a face at all.

There are two networks: 468 points at 192 pixels, and, at more than three times the time, 478 points
at 256 pixels, of which the last ten are the irises; its lids and lips move more freely. Kartynnik,
Ablavatski, Grishchenko and Grundmann 2019, "Real-time Facial Surface Geometry from Monocular Video
on Mobile GPUs", arXiv:1907.06724; Google's weights (MediaPipe). The networks want an upright square
crop of 1.5 times the face's box.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.face import Box, Image
from pyojeong.image.preprocess import apply, invert, warp
from pyojeong.runtime.devices import CPU_DEVICE, Device
from pyojeong.runtime.session import Session, SessionLike
from pyojeong.zoo import find

MODEL = "facemesh-192-468.google"
IRIS_MODEL = "facemesh-256-478.google"
SIDES = {False: 192, True: 256}
"""Input size of the networks with 468 and with 478 points."""
_POINTS = {False: 468, True: 478}
BOX_SCALE = 1.5

RIGHT_EYE = (33, 133)
"""Points of the subject's right eye: outer and inner corner."""
LEFT_EYE = (263, 362)
"""Points of the subject's left eye: outer and inner corner."""
MOUTH = (61, 291)
"""Right and left corner of the mouth."""
_CHIN, _FOREHEAD, _NOSE = 152, 10, 1


@dataclass(frozen=True, slots=True)
class Mesh:
    """The points of one face.

    Attributes:
        points: float32 (468 or 478, 3): x and y in frame pixels, z in the same unit, negative
            towards the camera.
        presence: Probability in [0, 1] that the crop shows a face.
        crop: The points in pixels of the upright crop that the network saw, same shape.
        pixels: That crop, uint8 (192 or 256, same, 3) RGB.
    """

    points: NDArray[np.float32]
    presence: float
    crop: NDArray[np.float32]
    pixels: NDArray[np.uint8]

    @property
    def turn_rad(self) -> tuple[float, float, float]:
        """Yaw, pitch, roll of the head against the camera, in radians.

        Yaw is positive when the subject turns to their left (the nose moves right in the image),
        pitch is positive when they look down, roll is positive when the head tilts clockwise in
        the image.
        """
        right = self.points[list(RIGHT_EYE)].mean(0)
        left = self.points[list(LEFT_EYE)].mean(0)
        across = (left - right).astype(np.float64)
        down = (self.points[_CHIN] - self.points[_FOREHEAD]).astype(np.float64)
        roll = float(np.arctan2(across[1], across[0]))
        cos, sin = np.cos(-roll), np.sin(-roll)
        level_down = np.array([cos * down[0] - sin * down[1], sin * down[0] + cos * down[1]])
        yaw = float(np.arctan2(across[2], np.hypot(across[0], across[1])))
        pitch = float(np.arctan2(down[2], level_down[1]))
        return yaw, pitch, roll


class FaceMesh:
    """Fits the mesh to one face at a time; thread-safe.

    Args:
        threads: Threads inside one run.
        device: Where networks run.
        session: The network; None = the bundled one.
        irises: The network with 478 points instead of the one with 468.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        device: Device = CPU_DEVICE,
        session: SessionLike | None = None,
        irises: bool = False,
    ) -> None:
        self._side, self._count = SIDES[irises], _POINTS[irises]
        shape = (None if irises else 1, self._side, self._side, 3)
        model = find(IRIS_MODEL if irises else MODEL)
        self._session = session or Session(model, threads=threads, device=device, inputs=[shape])

    @property
    def id(self) -> str:
        """The model's id."""
        return self._session.id

    def fit(self, image: Image, box: Box, *, roll_rad: float = 0.0) -> Mesh:
        """Return the mesh of the face in ``box``.

        Args:
            image: uint8 (H, W, 3) RGB.
            box: The face, in pixels; may leave the image.
            roll_rad: How far the head is tilted clockwise, if that is known: the network, which
                expects upright faces, sees it turned back.
        """
        (mesh,) = self._fit(image, box, roll_rad, views=1)
        return mesh

    def fit_with_mirror(
        self, image: Image, box: Box, *, roll_rad: float = 0.0
    ) -> tuple[Mesh, Mesh]:
        """Return the mesh of the face, and the mesh of its mirror image.

        ``crop`` of the second holds the points of the mirrored crop, ``points`` their places in
        the image that was given: its right eye lies on the subject's left one. Needs the network
        with 478 points.
        """
        mesh, mirrored = self._fit(image, box, roll_rad, views=2)
        return mesh, mirrored

    def _fit(self, image: Image, box: Box, roll_rad: float, *, views: int) -> list[Mesh]:
        side = BOX_SCALE * max(box.x2 - box.x1, box.y2 - box.y1)
        scale = self._side / max(side, 1e-3)
        cos, sin = scale * np.cos(roll_rad), scale * np.sin(roll_rad)
        turn = np.array([[cos, sin], [-sin, cos]])
        centre = np.array([(box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2])
        matrix = np.column_stack([turn, self._side / 2 - turn @ centre])
        crop = np.asarray(warp(image, matrix, (self._side, self._side)), np.uint8)
        seen = np.stack([crop, crop[:, ::-1]][:views])
        raw, logits = self._session.run(seen.astype(np.float32) / np.float32(255))[:2]
        meshes = []
        read = zip(raw.reshape(views, -1, 3), logits.reshape(views), seen, strict=True)
        for view, (points, logit, pixels) in enumerate(read):
            level = points.astype(np.float64)
            if view == 1:
                level[:, 0] = self._side - level[:, 0]
            placed = np.column_stack([apply(invert(matrix), level[:, :2]), level[:, 2] / scale])
            presence = 1 / (1 + np.exp(-float(np.clip(logit, -50, 50))))
            meshes.append(
                Mesh(placed.astype(np.float32), presence, points.astype(np.float32), pixels)
            )
        return meshes
