"""What detectors and writers of results offer, as protocols: a class needs no common ancestor."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from pyojeong.core.face import Face, FrameResult, Image


class Detector(Protocol):
    """What every face detector offers. Implementations are thread-safe."""

    @property
    def id(self) -> str:
        """The detector's model id."""

    def detect(self, image: Image, /) -> tuple[Face, ...]:
        """Return the faces of a uint8 (H, W, 3) RGB image, largest first, without expressions."""


@runtime_checkable
class TrackingDetector(Detector, Protocol):
    """A detector that can also look for known faces only, which takes a fraction of the time."""

    def follow(self, image: Image, faces: Sequence[Face], /) -> tuple[Face | None, ...]:
        """Return where ``faces`` of a neighbouring frame are now, in order; None = lost."""


class Sink(Protocol):
    """Something that results are written to; used as a context manager."""

    def write(self, result: FrameResult, /) -> None:
        """Take one frame's result."""

    def close(self) -> None:
        """Finish the file: afterwards it is whole and under its final name."""
