"""The default detector: CenterFace glances at the whole image, MTCNN's O-net looks closer.

CenterFace (Xu et al. 2019, arXiv:1911.03599) runs on a small copy of the image (192 x 192 pixels
for a 512-pixel photograph, 128 x 128 to 480 x 480 for others) and proposes even what it doubts.
O-net, the last network of MTCNN (Zhang et al. 2016, arXiv:1604.02878), sees every proposal at full
resolution and decides; box, score and landmarks are its own. What CenterFace is sure of stays even
when O-net does not know it (lying or very wide faces), with CenterFace's box, score and landmarks.
A small image in which nothing was found is looked at once more, larger.
``docs/benchmarks/detectors.md`` has the figures for each of these choices.
"""

from collections.abc import Sequence

import numpy as np

from pyojeong.core.face import Face, Image
from pyojeong.image.boxes import iou, square
from pyojeong.image.files import check_image
from pyojeong.runtime.detection.centerface import CenterFace
from pyojeong.runtime.detection.mtcnn import Onet
from pyojeong.runtime.detection.proposals import Candidates

GLANCE_SIZES = (128, 480)
"""Input sizes of CenterFace: that of photographs below 360 pixels, and that of the largest ones."""
GLANCE_FACE = 25
"""Between the two it grows with the image, so that faces of this many pixels are still seen."""
MAX_PROPOSALS = 64
SURE = 0.65
SECOND_LOOK = 192
"""Where a smaller copy showed no face, one of this size is looked at too: lying faces need it."""
_BELOW = 0.05  # CenterFace's int8 scores against its float32 ones
_OVERLAP = 0.4
_FAR, _HINT = 0.12, 0.3
"""``follow``: a face moved by more of its width, and seen at least so well, is looked at again."""


class CenterFaceOnet:
    """CenterFace proposes, O-net decides; thread-safe.

    Args:
        min_face: Smallest face to look for, in pixels (shorter side of the box): large values make
            it faster, small ones slower. None = whatever is seen at the size of the glance.
        score_threshold: Least probability of O-net; raises ``sure`` with it.
        threads: Threads inside one run.
        size: Input size of CenterFace when ``min_face`` is None; None = it grows with the image
            within ``GLANCE_SIZES``; see ``CenterFace``.
        proposal_threshold: Least score of CenterFace for a second look.
        sure: Score of CenterFace from which a face stays although O-net rejects it.
    """

    id = "centerface-onet.3"

    def __init__(
        self,
        *,
        min_face: int | None = None,
        score_threshold: float = 0.7,
        threads: int = 1,
        size: int | None = None,
        proposal_threshold: float = 0.12,
        sure: float = SURE,
    ) -> None:
        self._min_face = min_face or 0
        self._score_threshold = score_threshold
        self._sure = max(sure, score_threshold - _BELOW)
        self._second_look = min_face is None and size is None
        self._glance = CenterFace(
            min_face=min_face or GLANCE_FACE,
            score_threshold=proposal_threshold,
            threads=threads,
            size=None if min_face else size,
            size_range=(160, 640) if min_face else GLANCE_SIZES,
        )
        self._onet = Onet(threads=threads)

    def detect(self, image: Image, /) -> tuple[Face, ...]:
        """Return the faces of ``image`` (uint8 (H, W, 3) RGB) with landmarks, largest first.

        Raises:
            BadArray: When it is not such an array.
        """
        image = check_image(image)
        found = self._decide(image, self._glance.candidates(image))
        if not len(found) and self._second_look and self._glance.size_for(image) < SECOND_LOOK:
            found = self._decide(image, self._glance.candidates(image, size=SECOND_LOOK))
        return found.faces()

    def _decide(self, image: Image, proposed: Candidates) -> Candidates:
        """O-net's opinion of what was proposed."""
        proposed = proposed.take(np.arange(min(len(proposed), MAX_PROPOSALS)))
        refined = self._onet.refine(image, square(proposed.boxes))
        known = refined.scores >= self._score_threshold
        sure = ~known & (proposed.scores >= self._sure)
        found = Candidates(
            np.concatenate([refined.boxes[known], proposed.boxes[sure]]),
            np.concatenate([refined.scores[known], proposed.scores[sure]]),
            np.concatenate([refined.points[known], proposed.points[sure]]),
        )
        return found.suppress(_OVERLAP).at_least(self._min_face)

    def follow(self, image: Image, faces: Sequence[Face], /) -> tuple[Face | None, ...]:
        """Return the same faces a moment later; O-net searches only where they were.

        Args:
            image: uint8 (H, W, 3) RGB, a frame near the one that ``faces`` were found in.
            faces: Of the earlier (or later) frame.

        Returns:
            For every face the one that is there now, or None when O-net sees none or two became
            one. Whoever gets a None should ``detect``.
        """
        if not faces:
            return ()
        image = check_image(image)
        boxes = np.array([face.box.xyxy for face in faces], np.float64)
        found = self._onet.refine(image, square(boxes))
        moved = np.abs(found.boxes - boxes).max(1) / np.maximum(boxes[:, 2] - boxes[:, 0], 1.0)
        far = np.flatnonzero((moved > _FAR) & (found.scores >= _HINT))
        if len(far):  # the face lies off the centre of what O-net saw: look again
            again = self._onet.refine(image, square(found.boxes[far]))
            found.boxes[far], found.scores[far] = again.boxes, again.scores
            found.points[far] = again.points
        kept = found.scores >= self._score_threshold
        for i in np.flatnonzero(kept):
            better = found.scores > found.scores[i]
            better[:i] |= found.scores[:i] == found.scores[i]
            rivals = np.flatnonzero(kept & better)
            if len(rivals) and iou(found.boxes[i : i + 1], found.boxes[rivals]).max() > _OVERLAP:
                kept[i] = False
        return tuple(
            found.take(np.array([i])).faces()[0] if kept[i] else None for i in range(len(faces))
        )
