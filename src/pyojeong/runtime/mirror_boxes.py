"""Places of faces that are the same in an image and in its mirror image.

A detector sees another image in a mirror image, and places its boxes a few pixels elsewhere. The
mean over both is exact: turned around, the image gives the same places, turned around.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.face import Box, Face, Image, Landmarks
from pyojeong.core.protocols import Detector
from pyojeong.image.boxes import iou

_SAME = 0.5
"""Boxes that overlap by so much (intersection over union) are of one face."""
_SIDES = [1, 0, 2, 4, 3]
"""Landmarks of the other side: eyes and corners of the mouth change places."""


def placed_with_mirror(image: Image, faces: Sequence[Face], detector: Detector) -> list[Face]:
    """Return the faces with boxes and landmarks averaged over the image and its mirror image.

    A face that is not found in the mirror image keeps its place.

    Args:
        image: uint8 (H, W, 3) RGB.
        faces: What the detector found in it.
        detector: It looks at the mirror image, too.
    """
    placed = list(faces)
    if not placed:
        return placed
    width = image.shape[1]
    seen = [
        mirrored_face(face, width) for face in detector.detect(np.ascontiguousarray(image[:, ::-1]))
    ]
    if not seen:
        return placed
    overlaps = iou(_boxes(placed), _boxes(seen))
    # The best pairs first, so that the order of neither list decides.
    for at in np.argsort(-overlaps, axis=None, kind="stable"):
        one, other = divmod(int(at), len(seen))
        if overlaps[one, other] < _SAME:
            break
        if np.isnan(overlaps[one, other]):
            continue
        placed[one] = _mean(placed[one], seen[other])
        overlaps[one, :] = overlaps[:, other] = np.nan
    return placed


def _boxes(faces: Sequence[Face]) -> NDArray[np.float64]:
    return np.array([face.box.xyxy for face in faces], np.float64)


def mirrored_face(face: Face, width: int) -> Face:
    """Return where a face is in the mirror image of an image of this width."""
    x1, y1, x2, y2 = face.box.xyxy
    landmarks = face.landmarks
    if landmarks is not None:
        points = landmarks.points[_SIDES].copy()
        points[:, 0] = width - points[:, 0]
        landmarks = Landmarks(points)
    return replace(face, box=Box(width - x2, y1, width - x1, y2), landmarks=landmarks)


def _mean(face: Face, other: Face) -> Face:
    corners = (np.array(face.box.xyxy) + np.array(other.box.xyxy)) / 2
    landmarks = None
    if face.landmarks is not None and other.landmarks is not None:
        points = (face.landmarks.points + other.landmarks.points) / 2
        landmarks = Landmarks(points.astype(np.float32))
    return replace(face, box=Box(*map(float, corners)), landmarks=landmarks)
