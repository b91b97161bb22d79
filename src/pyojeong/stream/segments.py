"""A clip in segments: each begins with a key frame, on which faces are searched for again.

Which frames are key frames depends on the clip alone (every ``detect_every``-th frame, and the
first of every scene), and a frame's answer depends on itself and its key frame alone. That is why
stride, batches and threads cannot change what is said of a frame.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import BadArray
from pyojeong.core.face import Image
from pyojeong.stream.scene_cuts import is_cut
from pyojeong.stream.source import Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which frames of a clip are read.

    Attributes:
        stride: Every so many frames, counted from the clip's first.
        fps: At most so many frames per second of the clip: the first frame of every 1/fps
            seconds. None = no limit. Not together with a stride.
        start_s: Frames before this time, counted from the clip's beginning, are left out; 0 =
            none.
        end_s: Frames from this time on are left out; None = none.
        detect_every: Faces are searched for again every so many frames; between them they are
            followed.
    """

    stride: int = 1
    fps: float | None = None
    start_s: float = 0.0
    end_s: float | None = None
    detect_every: int = 5

    def __post_init__(self) -> None:
        for name in ("stride", "detect_every"):
            if getattr(self, name) < 1:
                raise BadArray(name, expected="at least 1", got=str(getattr(self, name)))
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise BadArray("fps", expected="more than 0", got=str(self.fps))
        if self.fps is not None and self.stride != 1:
            raise BadArray("fps", expected="no stride beside it", got=f"stride {self.stride}")
        if not 0 <= self.start_s < float("inf"):
            raise BadArray("start", expected="a time from 0 on", got=f"{self.start_s:g}")
        if self.end_s is not None and not self.start_s < self.end_s < float("inf"):
            raise BadArray(
                "end", expected=f"later than the start ({self.start_s:g} s)", got=f"{self.end_s:g}"
            )

    def early(self, time_s: float) -> bool:
        """Return whether a time comes before the start."""
        return self.start_s > 0 and time_s < self.start_s


@dataclass(slots=True)
class Segment:
    """A key frame and the frames up to the next one that are to be read.

    Attributes:
        index: The key frame's number in the clip.
        time_s: Its time.
        key: Its pixels.
        cut: Whether a scene begins with it.
        frames: (index, time in seconds, pixels) of what is to be read, in order; the key frame is
            among them when it was selected.
    """

    index: int
    time_s: float
    key: Image
    cut: bool
    frames: list[tuple[int, float, Image]] = field(default_factory=list)


def segments(frames: Iterable[Frame], selection: Selection, *, first: int = 0) -> Iterator[Segment]:
    """Yield the segments of a clip, in order.

    Args:
        frames: Every frame of the clip, from the first.
        selection: Which of them are read.
        first: Segments whose key frame comes before this number are passed over, unread; a
            resumed run gives the key frame that it goes on from.
    """
    before: NDArray[np.float32] | None = None
    chosen = _Chosen(selection)
    current: Segment | None = None
    key = 0
    for frame in frames:
        if selection.end_s is not None and frame.time_s >= selection.end_s:
            break
        thumb = frame.thumbnail()
        cut = before is not None and is_cut(before, thumb)
        before = thumb
        wanted = chosen(frame)
        if frame.index == 0 or cut or frame.index - key >= selection.detect_every:
            if current is not None:
                yield current
            key, current = frame.index, None
        if key < first or selection.early(frame.time_s):
            continue
        if current is None:  # at the key frame, or where the start lies within the segment
            current = Segment(frame.index, frame.time_s, frame.pixels(), cut)
        if wanted:
            pixels = current.key if frame.index == current.index else frame.pixels()
            current.frames.append((frame.index, frame.time_s, pixels))
    if current is not None:
        yield current


class _Chosen:
    """Whether a frame is to be read; asked in order."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._slot: int | None = None

    def __call__(self, frame: Frame) -> bool:
        s = self._selection
        if s.early(frame.time_s):
            return False
        if s.fps is None:
            return frame.index % s.stride == 0
        slot = int(np.floor(frame.time_s * s.fps + 1e-6))
        if self._slot is not None and slot <= self._slot:
            return False
        self._slot = slot
        return True
