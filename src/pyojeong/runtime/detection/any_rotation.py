"""Faces that lie on their side or upside down: any detector, on the four turns of an image."""

import numpy as np

from pyojeong.core.face import Box, Face, Image, Landmarks
from pyojeong.core.protocols import Detector
from pyojeong.image.boxes import nms

_OVERLAP = 0.4
_ROLLED = 0.5
"""What the score loses for eyes at a right angle: detectors also see lying faces, but badly."""


class AnyRotation:
    """A detector that looks at an image and its turns by 90, 180 and 270 degrees.

    It takes four times as long, and has no ``follow``.

    Args:
        detector: What looks.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    @property
    def id(self) -> str:
        """The detector's id, and that images are turned."""
        return f"{self._detector.id}+any-rotation"

    def detect(self, image: Image, /) -> tuple[Face, ...]:
        """Return the faces of all turns of ``image`` (uint8 (H, W, 3) RGB), largest first.

        Of faces that several turns show, the one that is upright there is kept. Landmarks keep
        their meaning: the right eye is the subject's.

        Raises:
            BadArray: When it is not such an array.
        """
        height, width = image.shape[:2]
        found: list[Face] = []
        order: list[float] = []
        for quarter in range(4):
            turned = np.ascontiguousarray(np.rot90(image, quarter))
            for face in self._detector.detect(turned):
                found.append(_turned_back(face, quarter, (width, height)))
                order.append(face.score - _ROLLED * _roll(face) / 90)
        if not found:
            return ()
        boxes = np.array([face.box.xyxy for face in found])
        kept = nms(boxes, np.array(order), threshold=_OVERLAP)
        return tuple(
            sorted(
                (found[i] for i in kept), key=lambda f: (-f.box.width * f.box.height, f.box.xyxy)
            )
        )


def _roll(face: Face) -> float:
    """Return how far the eyes are from level, in degrees, 0 to 180; 0 without landmarks."""
    if face.landmarks is None:
        return 0.0
    across = face.landmarks.points[1] - face.landmarks.points[0]
    return float(abs(np.degrees(np.arctan2(across[1], across[0]))))


def _turned_back(face: Face, quarter: int, size_wh: tuple[int, int]) -> Face:
    """Return a face of an image that was turned by quarters of a circle, counterclockwise."""
    box = np.array(face.box.xyxy).reshape(2, 2)
    corners = _points_back(box, quarter, size_wh)
    low, high = corners.min(0), corners.max(0)
    landmarks = face.landmarks
    if landmarks is not None:
        landmarks = Landmarks(_points_back(landmarks.points, quarter, size_wh).astype(np.float32))
    return Face(Box(*map(float, (*low, *high))), face.score, landmarks)


def _points_back(
    points: "np.ndarray[tuple[int, ...], np.dtype[np.floating]]",
    quarter: int,
    size_wh: tuple[int, int],
) -> "np.ndarray[tuple[int, ...], np.dtype[np.floating]]":
    """Return (N, 2) points x, y in the image before it was turned."""
    width, height = size_wh
    x, y = points[:, 0], points[:, 1]
    back = {0: (x, y), 1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}
    return np.stack(back[quarter], 1)
