"""Read the faces of a frame: detect or follow them, classify them, measure them.

The video pipeline and the live session both read frames here; it keeps no state, so that an answer
is a function of its frame and of the faces that are followed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.face import Face, FrameResult, Image
from pyojeong.core.protocols import TrackingDetector
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.stream.track import appearance_descriptor, mean_luma

Descriptor = NDArray[np.float32]

_NEAR = 0.8
"""A face belongs to one of a neighbouring frame within so many face sizes."""


@dataclass(frozen=True, slots=True)
class FoundFaces:
    """Where the faces of a frame are.

    Attributes:
        faces: Largest first, without expressions.
        parents: For each, its position among the faces that were followed; None = a new one.
        detected: The whole frame was searched.
    """

    faces: tuple[Face, ...]
    parents: tuple[int | None, ...]
    detected: bool


class FrameReader:
    """Detects, follows, classifies and measures faces; may be used from many threads at once.

    Args:
        analyzer: Its detector, classifier and measurements.
    """

    def __init__(self, analyzer: Analyzer) -> None:
        self._analyzer = analyzer

    def detect(self, pixels: Image) -> FoundFaces:
        """Search a whole frame, uint8 (H, W, 3) RGB."""
        faces = self._analyzer.detector.detect(pixels)
        return FoundFaces(faces, (None,) * len(faces), detected=True)

    def follow(self, pixels: Image, known: Sequence[Face]) -> FoundFaces:
        """Find the faces of a neighbouring frame again; when one is lost, search the whole frame.

        Args:
            pixels: uint8 (H, W, 3) RGB.
            known: Faces of the neighbouring frame.
        """
        detector = self._analyzer.detector
        if known and isinstance(detector, TrackingDetector):
            there = detector.follow(pixels, known)
            if all(face is not None for face in there):
                pairs = [(face, i) for i, face in enumerate(there) if face is not None]
                pairs.sort(key=lambda pair: -pair[0].box.width * pair[0].box.height)
                faces = tuple(face for face, _ in pairs)
                return FoundFaces(faces, tuple(i for _, i in pairs), detected=False)
        faces = detector.detect(pixels)
        return FoundFaces(faces, nearest(faces, known), detected=True)

    def describe(self, pixels: Image, faces: Sequence[Face]) -> tuple[Descriptor, ...]:
        """Return the appearance descriptor of each face."""
        return tuple(appearance_descriptor(pixels, face.box) for face in faces)

    def read(
        self, pixels: Image, faces: Sequence[Face], descriptors: Sequence[Descriptor]
    ) -> tuple[Face, ...]:
        """Return the faces with expression, luma and, if the analyzer measures them, eyes."""
        read = self._analyzer.read_faces(pixels, faces)
        pairs = zip(read, descriptors, strict=True)
        return tuple(replace(face, luma=mean_luma(descriptor)) for face, descriptor in pairs)

    def result(
        self, source: str, index: int, time_s: float, pixels: Image, faces: tuple[Face, ...]
    ) -> FrameResult:
        """Return the result of a frame."""
        size = (pixels.shape[1], pixels.shape[0])
        return FrameResult(source, index, time_s, size, faces, self._analyzer.model_ids)


def nearest(faces: Sequence[Face], known: Sequence[Face]) -> tuple[int | None, ...]:
    """Return for every face the position of the known face that it most likely is, or None.

    Every known face is given away once; closest pairs come first.
    """
    ranked = sorted(
        (distance, i, j)
        for i, face in enumerate(faces)
        for j, other in enumerate(known)
        if (distance := _distance(face, other)) <= _NEAR
    )
    places: dict[int, int] = {}
    for _, i, j in ranked:
        if i not in places and j not in places.values():
            places[i] = j
    return tuple(places.get(i) for i in range(len(faces)))


def _distance(a: Face, b: Face) -> float:
    """Return the distance of the centres, in face sizes; infinite for faces of another size."""
    size = ((a.box.width + a.box.height) + (b.box.width + b.box.height)) / 4
    ratio = max(a.box.width, 1e-3) / max(b.box.width, 1e-3)
    if not 0.5 < ratio < 2:
        return float("inf")
    x = (a.box.x1 + a.box.x2 - b.box.x1 - b.box.x2) / 2
    y = (a.box.y1 + a.box.y2 - b.box.y1 - b.box.y2) / 2
    return float(np.hypot(x, y)) / max(size, 1e-3)
