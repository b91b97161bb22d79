"""An image under examination: decoded once, its faces looked at once, for all checks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from pyojeong.core.errors import ImageUnreadable
from pyojeong.curate.face_inspection import FaceFacts
from pyojeong.datasets.fingerprint import pixels_of
from pyojeong.datasets.samples import Sample
from pyojeong.image.preprocess import Pixels, to_gray

Examine = Callable[[Pixels], FaceFacts]


@dataclass
class DecodedImage:
    """One row of a manifest and what has been computed about it.

    Attributes:
        row: Row number in the manifest.
        sample: The row.
        examine: ``Examiner.examine``; may be left out where no check needs faces.
    """

    row: int
    sample: Sample
    examine: Examine | None = field(default=None, repr=False)

    @cached_property
    def image(self) -> Pixels | None:
        """uint8 (H, W, 3) RGB, or None when the file could not be decoded."""
        try:
            return pixels_of(self.sample)
        except ImageUnreadable:
            return None

    @cached_property
    def gray(self) -> Pixels | None:
        """uint8 (H, W), or None."""
        return None if self.image is None else to_gray(self.image)

    @cached_property
    def facts(self) -> FaceFacts | None:
        """What was seen of its faces, or None."""
        if self.image is None or self.examine is None:
            return None
        return self.examine(self.image)

    @cached_property
    def face_gray(self) -> Pixels | None:
        """uint8 (h, w): the best face as far as it lies in the image; the whole without one."""
        if self.gray is None or self.facts is None or not self.facts.faces:
            return self.gray
        box = self.facts.box
        height, width = self.gray.shape[:2]
        x1, y1 = max(int(box.x1), 0), max(int(box.y1), 0)
        x2, y2 = min(round(box.x2), width), min(round(box.y2), height)
        part = self.gray[y1:y2, x1:x2]
        return part if min(part.shape) >= 8 else self.gray
