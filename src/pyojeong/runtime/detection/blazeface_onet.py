"""The detector of the page in the browser: BlazeFace proposes, O-net decides.

Both networks together are 1.9 MB (0.8 MB gzipped in their web variants). BlazeFace sees the whole
image at 192 px, so small faces are missed. Unlike BlazeFace alone it gives five landmarks, O-net's
own. O-net sees a face twice, since BlazeFace's boxes are not those that it was trained on: the
landmarks come nearer to the default detector's.
"""

from collections.abc import Sequence

import numpy as np

from pyojeong.core.face import Face, Image
from pyojeong.image.boxes import square
from pyojeong.image.files import check_image
from pyojeong.runtime.detection.blazeface import BlazeFace
from pyojeong.runtime.detection.onet_judge import OVERLAP, OnetJudge
from pyojeong.runtime.detection.proposals import Candidates
from pyojeong.runtime.devices import CPU_DEVICE, Device
from pyojeong.runtime.session import SessionLike

_NEVER = 2.0  # BlazeFace has no mouth corners: without O-net's landmarks a face would have none


class BlazeFaceOnet:
    """BlazeFace proposes, O-net decides; thread-safe.

    Args:
        min_face: Faces whose box has a shorter side than this many pixels are left out.
        score_threshold: Least probability of O-net.
        proposal_threshold: Least score of BlazeFace.
        threads: Threads inside one run.
        device: Where networks run.
        sessions: BlazeFace and O-net; None = the bundled ones.
    """

    def __init__(
        self,
        *,
        min_face: int = 20,
        score_threshold: float = 0.7,
        proposal_threshold: float = 0.3,
        threads: int = 1,
        device: Device = CPU_DEVICE,
        sessions: tuple[SessionLike, SessionLike] | None = None,
    ) -> None:
        self.id = "blazeface-onet.1" if sessions is None else "blazeface-onet.1-web"
        glance, onet = sessions or (None, None)
        self._min_face, self._score_threshold = min_face, score_threshold
        self._glance = BlazeFace(
            score_threshold=proposal_threshold, threads=threads, device=device, session=glance
        )
        self._judge = OnetJudge(
            score_threshold=score_threshold,
            sure=_NEVER,
            threads=threads,
            device=device,
            session=onet,
        )

    def detect(self, image: Image, /) -> tuple[Face, ...]:
        """Return the faces of ``image`` (uint8 (H, W, 3) RGB) with landmarks, largest first.

        Raises:
            BadArray: When it is not such an array.
        """
        image = check_image(image)
        proposed = self._glance.candidates(image)
        unknown = np.zeros((len(proposed), 5, 2))
        boxes = Candidates(proposed.boxes, proposed.scores, unknown)
        found = self._judge.decide(image, boxes)
        again = self._judge.refine(image, square(found.boxes))
        better = again.scores >= self._score_threshold
        for old, new in ((found.boxes, again.boxes), (found.points, again.points)):
            old[better] = new[better]
        found.scores[better] = again.scores[better]
        return found.suppress(OVERLAP).at_least(self._min_face).faces()

    def follow(self, image: Image, faces: Sequence[Face], /) -> tuple[Face | None, ...]:
        """Return the same faces a moment later; see ``OnetJudge.follow``."""
        return self._judge.follow(image, faces)
