"""BlazeFace, full-range model: the whole image at 192 px, in one glance or two.

Bazarevsky et al. 2019, "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs",
arXiv:1907.05047; the full-range weights are Google's (MediaPipe). Differences from the paper: the
detections that overlap a better one are averaged into it by score, as there, but once and not
iteratively; and where nothing is found, the image is looked at again with a border around it,
because the network hardly sees faces that fill its whole input.

The network gives six key points: right eye, left eye, nose tip, mouth *centre*, right and left ear.
Mouth corners could not be derived from a mouth centre, so its faces have ``landmarks=None``.
"""

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.face import Face, Image
from pyojeong.image.boxes import iou
from pyojeong.image.canvas import fit
from pyojeong.image.files import check_image
from pyojeong.runtime.detection.proposals import Candidates
from pyojeong.runtime.devices import CPU_DEVICE, Device
from pyojeong.runtime.session import Session, SessionLike
from pyojeong.zoo import find

MODEL = "blazeface-192-full.google"
SIDE = 192
GRID = 48
_OVERLAP = 0.3
_ROOM = 2.5  # in the second look the image takes 1 / 2.5 of the input
_FILLS = 0.4  # and only faces of at least this share of its shorter side count
_ANCHORS = (np.stack(np.meshgrid(np.arange(GRID), np.arange(GRID)), -1).reshape(-1, 2) + 0.5) / GRID


class BlazeFace:
    """The BlazeFace detector; thread-safe.

    Args:
        min_face: Faces whose box has a shorter side than this many pixels are left out.
        score_threshold: Faces with a lower score are left out.
        threads: Threads inside one run.
        device: Where networks run.
        second_look: Look again for a face that fills the image, when none was found; doubles the
            time of images without faces.
        session: The network; None = the bundled one.
    """

    def __init__(
        self,
        *,
        min_face: int = 20,
        score_threshold: float = 0.5,
        threads: int = 1,
        device: Device = CPU_DEVICE,
        second_look: bool = True,
        session: SessionLike | None = None,
    ) -> None:
        shape = (1, SIDE, SIDE, 3)
        self._session = session or Session(
            find(MODEL), threads=threads, device=device, inputs=[shape]
        )
        self._min_face = min_face
        self._score_threshold = score_threshold
        self._second_look = second_look

    @property
    def id(self) -> str:
        """The model's id."""
        return self._session.id

    def detect(self, image: Image, /) -> tuple[Face, ...]:
        """Return the faces of ``image`` (uint8 (H, W, 3) RGB), largest first, without landmarks.

        Raises:
            BadArray: When it is not such an array.
        """
        return self.candidates(check_image(image)).at_least(self._min_face).faces()

    def candidates(self, image: Image) -> Candidates:
        """Boxes, scores and six key points in frame pixels, best first; any size of face."""
        found = self._look(image, room=1.0)
        if len(found) or not self._second_look:
            return found
        return self._look(image, room=_ROOM).at_least(_FILLS * min(image.shape[:2]))

    def _look(self, image: Image, *, room: float) -> Candidates:
        canvas = fit(image, (SIDE, SIDE), room=room)
        tensor = canvas.pixels[None].astype(np.float32) / 127.5 - 1  # (1, 192, 192, 3)
        regression, logits = self._session.run(tensor)
        found = _average(_decode(regression[0], logits[0, :, 0], self._score_threshold))
        return Candidates(canvas.to_frame(found.boxes), found.scores, canvas.to_frame(found.points))


def _decode(
    regression: NDArray[np.float32],  # (2304, 16): x, y, w, h and 6 x, y, in input pixels
    logits: NDArray[np.float32],  # (2304,)
    threshold: float,
) -> Candidates:
    """Return detections above the threshold, in input pixels."""
    scores = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -50, 50)))
    chosen = np.flatnonzero(scores >= threshold)
    raw, anchors = regression[chosen].astype(np.float64), _ANCHORS[chosen] * SIDE
    centre, half = raw[:, :2] + anchors, np.maximum(raw[:, 2:4], 0) / 2
    points = raw[:, 4:].reshape(-1, 6, 2) + anchors[:, None]
    return Candidates(np.concatenate([centre - half, centre + half], 1), scores[chosen], points)


def _average(found: Candidates) -> Candidates:
    """Non-maximum suppression that averages what it suppresses, weighted by score."""
    best = found.suppress(_OVERLAP)
    if len(best) == len(found):
        return best
    overlaps = iou(best.boxes, found.boxes)  # (kept, all)
    owner = overlaps.argmax(axis=0)
    weights = np.where(
        (np.arange(len(best))[:, None] == owner) & (overlaps > _OVERLAP), found.scores, 0.0
    )
    weights /= weights.sum(axis=1, keepdims=True)
    points = np.tensordot(weights, found.points, axes=1)
    return Candidates(weights @ found.boxes, best.scores, points)
