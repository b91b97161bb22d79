"""Imported pictures in which the face is small: the user is shown how to cut the faces out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from pyojeong.core.errors import ImageUnreadable
from pyojeong.core.protocols import Detector
from pyojeong.datasets.fingerprint import pixels_of
from pyojeong.image.preprocess import Pixels

if TYPE_CHECKING:
    from pyojeong.datasets.samples import Sample

_LEAST_PX = 100
"""Smaller pictures (longer side) are crops already, as FER2013's of 48 px are."""
_MOST_PX = 640
_FILLED = 0.5


@dataclass(frozen=True, slots=True)
class Framing:
    """How large faces are in some pictures.

    Attributes:
        small: Pictures whose largest face is less than half of the picture's shorter side.
        faces: Pictures with a face.
    """

    small: int
    faces: int

    @property
    def loose(self) -> bool:
        """True when the face is small in a tenth of the pictures with one, or more."""
        return self.small >= 2 and 10 * self.small >= self.faces

    def warning(self, cure: str) -> str:
        """Return one sentence that ends in what to do."""
        return (
            f"in {self.small} of {self.faces} pictures looked at the face fills less than half: "
            f"cut the faces out first: {cure}"
        )


def large_enough(samples: "Iterable[Sample]") -> Iterator[Pixels]:
    """Yield pictures that may be photographs, shrunk to 640 pixels; no small or broken ones."""
    for sample in samples:
        try:
            image = pixels_of(sample)
        except ImageUnreadable:
            continue
        if max(image.shape[:2]) >= _LEAST_PX:
            yield _shrunk(image)


def framing_of(pictures: Iterable[Pixels], detector: Detector) -> Framing:
    """Measure the largest face of each picture."""
    shares = [_face_share(picture, detector) for picture in pictures]
    found = [share for share in shares if share is not None]
    return Framing(sum(share < _FILLED for share in found), len(found))


def _shrunk(image: Pixels) -> Pixels:
    height, width = image.shape[:2]
    scale = _MOST_PX / max(height, width)
    if scale >= 1:
        return image
    size_wh = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def _face_share(image: Pixels, detector: Detector) -> float | None:
    """Return the longer side of the largest face by the picture's shorter side; None without."""
    sides = [max(f.box.x2 - f.box.x1, f.box.y2 - f.box.y1) for f in detector.detect(image)]
    return max(sides) / min(image.shape[:2]) if sides else None
