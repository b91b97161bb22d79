"""O-net as a judge: boxes that another network proposed become faces, or do not.

O-net is the last network of MTCNN (Zhang et al. 2016, arXiv:1604.02878). It sees every proposal at
full resolution; box, score and landmarks are its own. Where its score is below 0.99 and the face
does not fill the image, it looks three times more, at tighter squares.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.face import Face, Image
from pyojeong.image.boxes import iou, square
from pyojeong.image.files import check_image
from pyojeong.runtime.detection.mtcnn import Onet
from pyojeong.runtime.detection.proposals import Candidates
from pyojeong.runtime.devices import CPU_DEVICE, Device
from pyojeong.runtime.session import SessionLike

ONET_BATCH = 64
"""Proposals that O-net sees in one run; there may be any number of them."""
OVERLAP = 0.4
_FAR, _HINT = 0.12, 0.3
"""``follow``: a face moved by more of its width, and seen at least so well, is looked at again."""
_CERTAIN, _TIGHTER, _CONFIRMED = 0.99, (0.75, 0.8, 0.87), 0.86
"""Below which score O-net looks again, at which shares of the box, and the mean it must give."""
_FILLS = 1 / 3
"""Share of the image's shorter side from which a face is not looked at again."""


class OnetJudge:
    """Decides about proposals of another network; thread-safe.

    Args:
        score_threshold: Least probability of O-net.
        sure: Score of a proposal from which it stays although O-net rejects it.
        threads: Threads inside one run.
        device: Where O-net runs.
        session: O-net; None = the bundled one.
    """

    def __init__(
        self,
        *,
        score_threshold: float,
        sure: float,
        threads: int = 1,
        device: Device = CPU_DEVICE,
        session: SessionLike | None = None,
    ) -> None:
        self._score_threshold, self._sure = score_threshold, sure
        self._onet = Onet(threads=threads, device=device, session=session)

    def refine(self, image: Image, squares: NDArray[np.floating]) -> Candidates:
        """Return what O-net says of any number of squares, in their order."""
        parts = [
            self._onet.refine(image, squares[start : start + ONET_BATCH])
            for start in range(0, len(squares), ONET_BATCH)
        ]
        if not parts:
            return Candidates.none()
        return Candidates(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.points for part in parts]),
        )

    def confirmed(
        self, image: Image, refined: Candidates, wanted: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Return False where O-net rejects a wanted candidate when it sees its box cut tighter."""
        confirmed = np.ones(len(refined), bool)
        sides = (refined.boxes[:, 2:] - refined.boxes[:, :2]).max(axis=1, initial=0)
        small = sides < _FILLS * min(image.shape[:2])  # others may be faces cut out tightly
        doubtful = np.flatnonzero(wanted & small & (refined.scores < _CERTAIN))
        boxes = refined.boxes[doubtful]
        again = [self.refine(image, square(boxes, scale=scale)).scores for scale in _TIGHTER]
        confirmed[doubtful] = np.mean(again, axis=0) >= _CONFIRMED
        return confirmed

    def decide(self, image: Image, proposed: Candidates) -> Candidates:
        """Return the faces among the proposals, those that overlap a better one left out.

        Proposals that stay although O-net rejects them keep their own box, score and points, of
        which there must be five.
        """
        refined = self.refine(image, square(proposed.boxes))
        known = refined.scores >= self._score_threshold
        known &= self.confirmed(image, refined, known) | (proposed.scores >= self._sure)
        sure = ~known & (proposed.scores >= self._sure)
        found = Candidates(
            np.concatenate([refined.boxes[known], proposed.boxes[sure]]),
            np.concatenate([refined.scores[known], proposed.scores[sure]]),
            np.concatenate([refined.points[known], proposed.points[sure]]),
        )
        return found.suppress(OVERLAP)

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
            if len(rivals) and iou(found.boxes[i : i + 1], found.boxes[rivals]).max() > OVERLAP:
                kept[i] = False
        return tuple(
            found.take(np.array([i])).faces()[0] if kept[i] else None for i in range(len(faces))
        )
