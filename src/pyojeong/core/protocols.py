"""Protocols of detectors and result writers; implementations need no common base class."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from pyojeong.core.face import Face, FrameResult, Image


class Detector(Protocol):
    """Interface of a face detector. Implementations must be thread-safe."""

    @property
    def id(self) -> str:
        """Model id of the detector."""

    def detect(self, image: Image, /) -> tuple[Face, ...]:
        """Return the faces of an image, largest first, without expressions.

        Args:
            image: uint8 (H, W, 3) RGB.
        """


@runtime_checkable
class TrackingDetector(Detector, Protocol):
    """A detector that can also track known faces, which is faster than detecting them."""

    def follow(self, image: Image, faces: Sequence[Face], /) -> tuple[Face | None, ...]:
        """Return the faces at their positions in this image, in the same order; None if lost.

        Args:
            image: uint8 (H, W, 3) RGB.
            faces: Faces in a neighbouring frame.
        """


class Sink(Protocol):
    """Interface of a result writer, used as a context manager."""

    def write(self, result: FrameResult, /) -> None:
        """Write the result of one frame."""

    def close(self) -> None:
        """Finish the file; afterwards it is complete and has its final name."""
