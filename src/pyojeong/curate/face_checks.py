"""Checks of faces: is there one, only one, does it look at us, can eyes and mouth be seen."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from pyojeong.curate.base_check import BaseCheck
from pyojeong.curate.decoded_image import DecodedImage
from pyojeong.curate.face_inspection import COVER_MODEL, FaceFacts
from pyojeong.curate.findings import Finding


class _FaceCheck(BaseCheck, ABC):
    """What the checks of this file share.

    Args:
        threshold: From this score on an image is suggested for a decision.
        detector: Key of ``DETECTORS``.
    """

    needs_faces = True

    def __init__(self, *, threshold: float | None = None, detector: str = "auto") -> None:
        super().__init__(threshold=threshold)
        self.detector = detector

    def settings(self) -> dict[str, Any]:
        """Return what decides the scores."""
        return {**super().settings(), "detector": self.detector}

    def check_image(self, picture: DecodedImage) -> Finding:
        """Return the finding for one image; images that could not be decoded score 0 here."""
        facts = picture.facts
        return self.found(picture.row, *((0.0, "") if facts is None else self.judge(facts)))

    @abstractmethod
    def judge(self, facts: FaceFacts) -> tuple[float, str]:
        """Score and reason."""


class NoFace(_FaceCheck):
    """Nothing that detector, O-net and FaceMesh take for a face."""

    name = "no-face"
    states = "there is no face"
    threshold = 0.6

    def judge(self, facts: FaceFacts) -> tuple[float, str]:
        """Return one minus the networks' mean certainty."""
        found = "no face found" if not facts.faces else "hardly a face"
        return 1 - facts.certainty, f"{found} ({facts.certainty:.2f})"


class ManyFaces(_FaceCheck):
    """A second face large enough to be meant."""

    name = "many-faces"
    states = "there is another face as large as the best one"

    def judge(self, facts: FaceFacts) -> tuple[float, str]:
        """Side of the largest other face against the best one, times its probability."""
        sides = [min(f.box.x2 - f.box.x1, f.box.y2 - f.box.y1) for f in facts.faces]
        if len(sides) < 2:
            return 0.0, ""
        largest = max(range(1, len(sides)), key=lambda i: sides[i])
        ratio = min(sides[largest] / max(sides[0], 1e-6), sides[0] / max(sides[largest], 1e-6))
        return ratio * facts.faces[largest].score, f"{len(sides)} faces"


class Turned(_FaceCheck):
    """Profiles, lying heads: one side of the face could not be seen, or it is not upright.

    The nose tip's distance from the middle between the eyes, along the line through them and in
    units of their distance, is 0 from the front and grows past 0.6 in profile; doubt of FaceMesh,
    which knows few profiles, adds to it.
    """

    name = "turned"
    states = "the head is turned to profile or lies on its side"
    threshold = 0.55

    def judge(self, facts: FaceFacts) -> tuple[float, str]:
        """Score from five points and the mesh."""
        right, left, nose = facts.five[0], facts.five[1], facts.five[2]
        across = left - right
        distance = float(np.linalg.norm(across)) + 1e-6
        offset = abs(float((nose - (right + left) / 2) @ (across / distance))) / distance
        roll_deg = abs(float(np.degrees(np.arctan2(across[1], across[0]))))
        score = max(min(offset / 0.6, 1.0), min(roll_deg / 90, 1.0))
        why = f"tilted by {roll_deg:.0f} degrees" if roll_deg / 90 > offset / 0.6 else "turned away"
        return score + 0.3 * (1 - facts.mesh.presence), why


class _Covered(_FaceCheck):
    position = 0
    what = ""

    def settings(self) -> dict[str, Any]:
        """Return what decides the scores."""
        return {**super().settings(), "model": COVER_MODEL}

    def judge(self, facts: FaceFacts) -> tuple[float, str]:
        """Probability of the cover net; see its card."""
        return facts.covered[self.position], f"{self.what} covered"


class EyesCovered(_Covered):
    """Sunglasses, a hand, hair over at least one eye."""

    name = "eyes-covered"
    states = "something is in front of an eye"
    position = 0
    what = "an eye is"


class MouthCovered(_Covered):
    """A hand, a mask, a microphone, food or a cigarette at the mouth."""

    name = "mouth-covered"
    states = "something is in front of the mouth"
    position = 1
    what = "the mouth is"
