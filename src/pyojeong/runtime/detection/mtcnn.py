"""MTCNN: three networks, each looking closer at what the one before proposed.

Zhang, Zhang, Li and Qiao 2016, "Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks", IEEE Signal Processing Letters 23(10), arXiv:1604.02878; weights of the
facenet lineage. P-net slides over an image pyramid, R-net and O-net judge and correct the boxes it
proposes, each in one batch, and O-net adds five landmarks. Differences from the paper: crops at the
image's edge repeat its border pixels instead of black ones, very large images are shrunk first,
and at most ``MAX_CELLS`` cells of a level and ``MAX_PROPOSALS`` boxes go on, so that no image
takes forever.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import BadArray
from pyojeong.core.face import Face, Image
from pyojeong.image.boxes import nms, square
from pyojeong.image.canvas import Canvas, scaled
from pyojeong.image.files import check_image
from pyojeong.image.preprocess import warp
from pyojeong.runtime.detection.proposals import Candidates
from pyojeong.runtime.devices import CPU_DEVICE, Device
from pyojeong.runtime.session import Session, SessionLike
from pyojeong.zoo import find

PNET = "mtcnn-12-pnet.facenet"
RNET = "mtcnn-24-rnet.facenet"
ONET = "mtcnn-48-onet.facenet"
MAX_PROPOSALS = 512
MAX_CELLS = 4096

_CELL = 12  # P-net's field of view, in pixels
_STRIDE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Least face probabilities after each network, in [0, 1]."""

    pnet: float = 0.6
    rnet: float = 0.7
    onet: float = 0.7


class Onet:
    """MTCNN's third network alone: judges boxes and gives them landmarks; thread-safe.

    Args:
        threads: Threads inside one run.
        device: Where networks run.
        session: The network; None = the bundled one.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        device: Device = CPU_DEVICE,
        session: SessionLike | None = None,
    ) -> None:
        shape = (None, 48, 48, 3)
        self._session = session or Session(
            find(ONET), threads=threads, device=device, inputs=[shape]
        )

    def refine(self, image: Image, boxes: NDArray[np.floating]) -> Candidates:
        """Corrected boxes, face probabilities and five landmarks of (N, 4) boxes, in one batch.

        Args:
            image: uint8 (H, W, 3) RGB.
            boxes: Squares around possible faces, in pixels; may leave the image.
        """
        if not len(boxes):
            return Candidates.none()
        crops = _crops(image, boxes, 48)
        shifts, landmarks, probability = self._session.run(crops)
        size = boxes[:, 2:] - boxes[:, :2]
        fractions = landmarks.reshape(-1, 2, 5).transpose(0, 2, 1)  # (N, 5, 2)
        points = boxes[:, None, :2] + fractions * size[:, None]
        return Candidates(_corrected(boxes, shifts), probability[:, 1].astype(np.float64), points)


class Mtcnn:
    """The MTCNN detector; thread-safe.

    Args:
        min_face: Smallest face to look for, in pixels; time grows with 1 / min_face squared.
        score_threshold: Least probability of the last network; None = that of ``thresholds``.
        threads: Threads inside one run.
        device: Where networks run.
        factor: Size of each level of the pyramid against the one before.
        thresholds: Least probabilities of the three networks.
        max_side: Images with a longer side are shrunk to it first.
    """

    id = "mtcnn.facenet"

    def __init__(
        self,
        *,
        min_face: int = 40,
        score_threshold: float | None = None,
        threads: int = 1,
        device: Device = CPU_DEVICE,
        factor: float = 0.709,
        thresholds: Thresholds | None = None,
        max_side: int = 1280,
    ) -> None:
        if not 0.1 <= factor <= 0.95:
            raise BadArray("factor", expected="0.1 to 0.95", got=str(factor))
        limits = thresholds or Thresholds()
        self._onet_threshold = limits.onet if score_threshold is None else score_threshold
        self._pnet_threshold, self._rnet_threshold = limits.pnet, limits.rnet
        self._min_face, self._factor, self._max_side = max(min_face, 1), factor, max_side
        self._pnet = Session(
            find(PNET), threads=threads, device=device, inputs=[(1, None, None, 3)]
        )
        self._rnet = Session(find(RNET), threads=threads, device=device, inputs=[(None, 24, 24, 3)])
        self._onet = Onet(threads=threads, device=device)

    def detect(self, image: Image, /) -> tuple[Face, ...]:
        """Return the faces of ``image`` (uint8 (H, W, 3) RGB) with landmarks, largest first.

        Raises:
            BadArray: When it is not such an array.
        """
        image = check_image(image)
        canvas = scaled(image, min(1.0, self._max_side / max(image.shape)))
        proposed = self._propose(canvas.pixels, max(self._min_face * canvas.scale_xy[0], _CELL))
        found = self._refine(canvas.pixels, proposed)
        found = self._onet.refine(canvas.pixels, square(found.boxes))
        found = found.take(found.scores >= self._onet_threshold)
        found = found.suppress(0.7, over_smaller=True)
        boxes, points = canvas.to_frame(found.boxes), canvas.to_frame(found.points)
        return Candidates(boxes, found.scores, points).at_least(self._min_face).faces()

    def _propose(self, pixels: Image, min_face: float) -> Candidates:
        """Stage 1: boxes from every level of the pyramid."""
        levels = [
            _pnet_boxes(self._pnet.run(_normalised(level.pixels)), level, self._pnet_threshold)
            for level in _pyramid(pixels, min_face, self._factor)
        ]
        if not levels:
            return Candidates.none(0)
        boxes = np.concatenate([level.boxes for level in levels])
        scores = np.concatenate([level.scores for level in levels])
        found = Candidates(boxes, scores, np.zeros((len(scores), 0, 2))).suppress(0.7)
        return found.take(np.arange(min(len(found), MAX_PROPOSALS)))

    def _refine(self, pixels: Image, proposed: Candidates) -> Candidates:
        """Stage 2: one batch of all proposals."""
        if not len(proposed):
            return proposed
        boxes = square(proposed.boxes)
        shifts, probability = self._rnet.run(_crops(pixels, boxes, 24))
        scores = probability[:, 1].astype(np.float64)
        found = Candidates(_corrected(boxes, shifts), scores, proposed.points)
        return found.take(scores >= self._rnet_threshold).suppress(0.7)


def _pyramid(pixels: Image, min_face: float, factor: float) -> Iterator[Canvas]:
    """Ever smaller copies of an image, until P-net's cell no longer fits."""
    scale = _CELL / min_face
    while round(min(pixels.shape[:2]) * scale) >= _CELL:
        yield scaled(pixels, scale)
        scale *= factor


def _pnet_boxes(outputs: list[NDArray[np.float32]], level: Canvas, threshold: float) -> Candidates:
    """Cells of one level that look like faces, corrected, without overlaps, in image pixels."""
    shifts, probability = outputs  # (1, w, h, 4), (1, w, h, 2)
    columns, rows = np.nonzero(probability[0, :, :, 1] >= threshold)
    scores = probability[0, columns, rows, 1].astype(np.float64)
    best = np.argsort(-scores, kind="stable")[:MAX_CELLS]
    columns, rows, scores = columns[best], rows[best], scores[best]
    corner = np.stack([columns, rows], 1) * float(_STRIDE)
    boxes = level.to_frame(np.concatenate([corner, corner + _CELL], 1))
    keep = nms(boxes, scores, threshold=0.5)
    boxes = _corrected(boxes[keep], shifts[0, columns, rows][keep])
    return Candidates(boxes, scores[keep], np.zeros((len(keep), 0, 2)))


def _corrected(boxes: NDArray[np.floating], shifts: NDArray[np.floating]) -> NDArray[np.float64]:
    """Boxes moved by a network's shifts, which are fractions of the box's width and height."""
    size = boxes[:, 2:] - boxes[:, :2]
    moved = boxes + shifts * np.concatenate([size, size], 1)
    return np.concatenate([moved[:, :2], np.maximum(moved[:, 2:], moved[:, :2])], 1)


def _crops(pixels: Image, boxes: NDArray[np.floating], side: int) -> NDArray[np.float32]:
    """Square boxes cut out and scaled to the input of R-net or O-net, (N, side, side, 3)."""
    patches = []
    for x1, y1, x2, _ in boxes:
        scale = side / max(x2 - x1, 1e-3)
        matrix = np.array([[scale, 0, -scale * x1], [0, scale, -scale * y1]])
        patches.append(warp(pixels, matrix, (side, side)))
    return _normalised(np.stack(patches))


def _normalised(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return uint8 (N, H, W, 3) or (H, W, 3) -> float32 (N, W, H, 3) in [-1, 1].

    The networks were made in MATLAB, whose arrays are column-major: they see images transposed.
    """
    batch = pixels if pixels.ndim == 4 else pixels[None]
    batch = batch.transpose(0, 2, 1, 3)
    return np.ascontiguousarray((batch.astype(np.float32) - 127.5) / 128)
