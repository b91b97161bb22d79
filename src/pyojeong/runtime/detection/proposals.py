"""What detectors have in common: arrays of possible faces, and their way into ``Face``."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.face import Box, Face, Landmarks
from pyojeong.image.boxes import nms

Index = NDArray[np.integer] | NDArray[np.bool_] | list[int]


@dataclass(frozen=True, slots=True)
class Candidates:
    """N possible faces.

    Attributes:
        boxes: (N, 4) x1, y1, x2, y2 in pixels.
        scores: (N,) in [0, 1].
        points: (N, K, 2) landmarks in pixels, in the order of the network that gave them.
    """

    boxes: NDArray[np.floating]
    scores: NDArray[np.floating]
    points: NDArray[np.floating]

    @classmethod
    def none(cls, points: int = 5) -> "Candidates":
        """Return no candidates."""
        return cls(np.zeros((0, 4)), np.zeros(0), np.zeros((0, points, 2)))

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, index: Index) -> "Candidates":
        """Return the candidates at these positions (or where a mask is true)."""
        return Candidates(self.boxes[index], self.scores[index], self.points[index])

    def suppress(self, threshold: float, *, over_smaller: bool = False) -> "Candidates":
        """Without those that overlap a better one (see ``pyojeong.image.boxes.nms``)."""
        keep = nms(self.boxes, self.scores, threshold=threshold, over_smaller=over_smaller)
        return self.take(keep)

    def at_least(self, min_face: float) -> "Candidates":
        """Those whose shorter side has at least ``min_face`` pixels."""
        return self.take((self.boxes[:, 2:] - self.boxes[:, :2]).min(axis=1) >= min_face)

    def faces(self) -> tuple[Face, ...]:
        """As faces, largest box first; with landmarks where there are five points."""
        boxes = self.boxes.astype(np.float64)
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        order = np.lexsort((boxes[:, 1], boxes[:, 0], -self.scores, -area))
        five = self.points.shape[1] == 5
        return tuple(
            Face(
                Box(*map(float, boxes[i])),
                float(np.clip(self.scores[i], 0, 1)),
                Landmarks(self.points[i].astype(np.float32)) if five else None,
            )
            for i in order
        )
