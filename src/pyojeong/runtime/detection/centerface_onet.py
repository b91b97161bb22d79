"""The default detector: CenterFace glances at the whole image, MTCNN's O-net looks closer.

Small faces are proposed by a network of ours on larger copies (``small_faces``).

CenterFace (Xu et al. 2019, arXiv:1911.03599) runs on a small copy of the image (192 x 192 pixels
for a 512-pixel photograph, 128 x 128 to 480 x 480 for others) and proposes even what it doubts.
O-net, the last network of MTCNN (Zhang et al. 2016, arXiv:1604.02878), sees every proposal at full
resolution and decides; box, score and landmarks are its own. Where its score is below 0.99 and the
face does not fill the image, it looks three times more, at tighter squares: stones and galaxies
that it took for a face at first are rejected. What CenterFace is sure of stays even when O-net does
not know it (lying or very wide faces), with CenterFace's box, score and landmarks.
An image in which nothing was found is looked at once more: a small one larger, for lying faces, and
a large one smaller, for a face that fills it. A small face is reported
when O-net and the network that proposed it agree: when their scores have a mean of 0.78.
``docs/benchmarks/detectors.md`` has the figures for each of these choices.
"""

import math
from collections.abc import Sequence

import numpy as np

from pyojeong.core.face import Face, Image
from pyojeong.image.boxes import iou, square
from pyojeong.image.files import check_image
from pyojeong.runtime.detection.centerface import CenterFace
from pyojeong.runtime.detection.onet_judge import OVERLAP, OnetJudge
from pyojeong.runtime.detection.proposals import Candidates
from pyojeong.runtime.detection.small_faces import SmallFaces
from pyojeong.runtime.devices import CPU_DEVICE, Device

GLANCE_SIZES = (128, 480)
"""Input sizes of CenterFace: that of photographs below 360 pixels, and that of the largest ones."""
GLANCE_FACE = 25
"""Between the two it grows with the image, so that faces of this many pixels are still seen."""
SURE = 0.65
SECOND_LOOK, CLOSE_UP_LOOK = 192, 128
"""Where a smaller copy showed no face, one of the first size is looked at too: lying faces need it.
Where a larger copy showed none, one of the second size: a face may fill the whole image."""
_BELOW = 0.05  # CenterFace's int8 scores against its float32 ones
MIN_FACE = 24
MIN_FACE_SHARE = 1 / 100
"""Height of the smallest face that is looked for, unless stated: in pixels, and as a share of the
image's shorter side; the larger of the two."""
_WIDTH_SHARE = 0.8  # of a face's height, at least
_GLANCED = 40.0
"""Faces of this width, in the pixels of CenterFace's copy, need no other network."""
_AGREED = 0.78
_LEAST_SMALL = 0.5


class CenterFaceOnet:
    """CenterFace proposes, O-net decides; thread-safe.

    Args:
        min_face: Smallest face to look for, in pixels (shorter side of the box): large values make
            it faster, small ones slower; smaller faces are not reported. None = faces 24 pixels
            high, or a hundredth of the image's shorter side if that is more, and whatever smaller
            ones are seen.
        small_faces: False: CenterFace alone proposes; it misses most faces below 40 pixels of a
            512-pixel image, and ever larger ones in larger images.
        score_threshold: Least probability of O-net; raises ``sure`` with it.
        threads: Threads inside one run.
        device: Where networks run.
        size: Input size of CenterFace when ``min_face`` is None; None = it grows with the image
            within ``GLANCE_SIZES``; see ``CenterFace``.
        proposal_threshold: Least score of CenterFace for a second look.
        sure: Score of CenterFace from which a face stays although O-net rejects it.
    """

    def __init__(  # noqa: PLR0913 - options, all keyword-only
        self,
        *,
        min_face: int | None = None,
        small_faces: bool = True,
        score_threshold: float = 0.7,
        threads: int = 1,
        device: Device = CPU_DEVICE,
        size: int | None = None,
        proposal_threshold: float = 0.12,
        sure: float = SURE,
    ) -> None:
        self.id = "centerface-onet.7" if small_faces else "centerface-onet.6"
        self._min_face = min_face or 0
        self._score_threshold = score_threshold
        self._sure = max(sure, score_threshold - _BELOW)
        self._size = size
        self._glance = CenterFace(
            min_face=min_face or GLANCE_FACE,
            score_threshold=proposal_threshold,
            threads=threads,
            device=device,
            size=None if min_face else size,
            size_range=(160, 640) if min_face else GLANCE_SIZES,
        )
        self._judge = OnetJudge(
            score_threshold=score_threshold, sure=self._sure, threads=threads, device=device
        )
        self._small = (
            SmallFaces(score_threshold=_LEAST_SMALL, threads=threads, device=device)
            if small_faces
            else None
        )

    def detect(self, image: Image, /) -> tuple[Face, ...]:
        """Return the faces of ``image`` (uint8 (H, W, 3) RGB) with landmarks, largest first.

        Raises:
            BadArray: When it is not such an array.
        """
        image = check_image(image)
        found = self._judge.decide(image, self._glance.candidates(image)).at_least(self._min_face)
        if not len(found) and (size := self._second_look(image)):
            found = self._judge.decide(image, self._glance.candidates(image, size=size)).at_least(
                self._min_face
            )
        if self._small is not None:
            found = self._with_small(image, found, self._small)
        return found.faces()

    def _second_look(self, image: Image) -> int | None:
        """Return the size of another look at an image that showed no face, if there is one."""
        if self._size is not None:
            return None
        if self._glance.size_for(image) >= SECOND_LOOK:
            return CLOSE_UP_LOOK
        return None if self._min_face else SECOND_LOOK

    def _with_small(self, image: Image, found: Candidates, small: SmallFaces) -> Candidates:
        """Add the small faces to those that were found."""
        height = self._min_face / _WIDTH_SHARE
        if not height:
            height = max(MIN_FACE, MIN_FACE_SHARE * min(image.shape[:2]))
        scale = self._glance.size_for(image) / math.sqrt(image.shape[0] * image.shape[1])
        if _WIDTH_SHARE * height * scale >= _GLANCED:
            return found
        proposed = small.candidates(image, narrowest=_WIDTH_SHARE * height, widest=_GLANCED / scale)
        if len(found) and len(proposed):
            new = iou(proposed.boxes, found.boxes).max(axis=1) < OVERLAP
            proposed = proposed.take(new)
        refined = self._judge.refine(image, square(proposed.boxes))
        agreed = (refined.scores + proposed.scores) / 2 >= _AGREED
        agreed &= refined.scores >= self._score_threshold - _BELOW
        agreed &= self._judge.confirmed(image, refined, agreed)
        both = [found, refined.take(agreed)]
        return (
            Candidates(
                np.concatenate([c.boxes for c in both]),
                np.concatenate([c.scores for c in both]),
                np.concatenate([c.points for c in both]),
            )
            .suppress(OVERLAP)
            .at_least(self._min_face)
        )

    def follow(self, image: Image, faces: Sequence[Face], /) -> tuple[Face | None, ...]:
        """Return the same faces a moment later; see ``OnetJudge.follow``."""
        return self._judge.follow(image, faces)


def fast(
    *,
    min_face: int | None = None,
    score_threshold: float = 0.7,
    threads: int = 1,
    device: Device = CPU_DEVICE,
) -> CenterFaceOnet:
    """Return the detector without the search for small faces: about 2.5 times as fast.

    It misses half of the faces below 80 pixels of a 512-pixel image; the limit grows with the
    image.

    Args:
        min_face: As for ``CenterFaceOnet``.
        score_threshold: Least probability of O-net.
        threads: Threads inside one run.
        device: Where networks run.
    """
    return CenterFaceOnet(
        min_face=min_face,
        score_threshold=score_threshold,
        threads=threads,
        device=device,
        small_faces=False,
    )
