"""Looks at the faces of an image once, for all checks that need them."""

from dataclasses import dataclass

import numpy as np

from pyojeong.core.face import Box, Face
from pyojeong.core.protocols import Detector
from pyojeong.image.preprocess import Pixels, matrix_for_box, to_gray, to_tensor, warp
from pyojeong.runtime.detection.mtcnn import Onet
from pyojeong.runtime.detection.registry import build_detector
from pyojeong.runtime.facemesh import LEFT_EYE, MOUTH, RIGHT_EYE, FaceMesh, Mesh
from pyojeong.runtime.session import Session
from pyojeong.zoo import find

COVER_MODEL = "cover-48-fer2013.v1"
_NOSE = 1
_SWEEP = (0.4, 0.46, 0.52, 0.6)
"""Half sides of the squares around the image's centre, as shares of its shorter side, that O-net
judges when the image may be nothing but a face."""
_FILLS = 0.35
"""A best face of at least this share of the image's shorter side, or none at all, means that the
image is meant to be one face; then its middle is looked at as well."""
_MIDDLE = 0.45
_UNFOUND = 0.75
"""What the other opinions weigh when the detector found nothing."""
_HALF = np.array([-2.5, -1.5])
"""Logits of the cover net that count as one half, for eyes and mouth: real covers are less plain
than the painted ones it learned from. Chosen on one half of the wild photographs
(docs/benchmarks/curation.md)."""


@dataclass(frozen=True, slots=True)
class FaceFacts:
    """What was seen of an image's faces.

    Attributes:
        faces: All that the detector found, best first.
        box: The best face; where none was found, the middle of the image.
        certainty: Face probability in [0, 1], by O-net or the detector, by FaceMesh on the box and,
            where a face should fill the image, by FaceMesh on its middle.
        mesh: Points fitted to ``box``.
        five: float (5, 2) px: right eye, left eye, nose, right and left mouth corner.
        covered: Scores in [0, 1]: an eye is covered, the mouth is.
    """

    faces: tuple[Face, ...]
    box: Box
    certainty: float
    mesh: Mesh
    five: "np.ndarray[tuple[int, ...], np.dtype[np.floating]]"
    covered: tuple[float, float]


class Examiner:
    """Detector, FaceMesh and cover net in one; thread-safe.

    Args:
        detector: Key of ``DETECTORS``.
        threads: Threads inside one run of a network.
    """

    def __init__(self, *, detector: str = "auto", threads: int = 1) -> None:
        self._detector: Detector = build_detector(detector, threads=threads)
        self._onet = Onet(threads=threads)
        self._mesh = FaceMesh(threads=threads)
        self._cover = Session(find(COVER_MODEL), threads=threads)
        pre = self._cover.card.preprocess
        assert pre is not None  # noqa: S101 - the card is ours
        self._pre = pre

    @property
    def ids(self) -> list[str]:
        """Ids of the networks, for the settings of a check."""
        return [self._detector.id, self._mesh.id, self._cover.id]

    def examine(self, image: Pixels) -> FaceFacts:
        """Look at an image.

        Args:
            image: uint8 (H, W, 3) RGB.
        """
        faces = tuple(sorted(self._detector.detect(image), key=lambda f: -f.score))
        height, width = image.shape[:2]
        shorter = min(height, width)
        centre = np.array([width / 2, height / 2])
        reach = _MIDDLE * shorter
        middle = Box(*(float(v) for v in (*(centre - reach), *(centre + reach))))
        box = faces[0].box if faces else middle
        mesh = self._mesh.fit(image, box)
        opinions = [_soft(mesh.presence)]
        if max(box.x2 - box.x1, box.y2 - box.y1) >= _FILLS * shorter:
            squares = [[*(centre - k * shorter), *(centre + k * shorter)] for k in _SWEEP]
            opinions.append(float(self._onet.refine(image, np.array(squares)).scores.max()))
            opinions.append(_soft(self._mesh.fit(image, middle).presence))
        else:
            opinions += [_soft(mesh.presence), faces[0].score]
        return FaceFacts(
            faces=faces,
            box=box,
            certainty=min(max(float(np.mean(opinions)), 0.0), 1.0) * (1.0 if faces else _UNFOUND),
            mesh=mesh,
            five=_five(faces, mesh),
            covered=self._covered(image, box),
        )

    def _covered(self, image: Pixels, box: Box) -> tuple[float, float]:
        patch = warp(to_gray(image), matrix_for_box(self._pre, box), self._pre.size_hw)
        both = [patch, np.ascontiguousarray(patch[:, ::-1])]
        logits = self._cover.run(to_tensor(self._pre, both))[0].astype(np.float64).mean(0)
        eyes, mouth = 1 / (1 + np.exp(-np.clip(logits - _HALF, -50, 50)))
        return float(eyes), float(mouth)


def _soft(probability: float) -> float:
    """FaceMesh is sure either way; a quarter of its log-odds leaves room for the others."""
    p = min(max(probability, 1e-12), 1 - 1e-12)
    return float(1 / (1 + ((1 - p) / p) ** 0.25))


def _five(
    faces: tuple[Face, ...], mesh: Mesh
) -> "np.ndarray[tuple[int, ...], np.dtype[np.floating]]":
    if faces and faces[0].landmarks is not None:
        return faces[0].landmarks.points
    xy = mesh.points[:, :2]
    return np.stack(
        [
            xy[list(RIGHT_EYE)].mean(0),
            xy[list(LEFT_EYE)].mean(0),
            xy[_NOSE],
            xy[MOUTH[0]],
            xy[MOUTH[1]],
        ]
    )
