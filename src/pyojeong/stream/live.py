"""Moving images as they come: from a camera, or from a clip that replaces one.

One thread takes frames and keeps the newest only; whoever reads takes it when ready for it. So the
image never lags behind by more than the reading of one frame, however slow that is.
"""

import errno
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from pyojeong.core.errors import VideoUnreadable
from pyojeong.core.face import Face, FrameResult, Image
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.stream.frame_reader import FrameReader
from pyojeong.stream.scene_cuts import is_cut
from pyojeong.stream.smooth import Trailing
from pyojeong.stream.source import Clip, Frame
from pyojeong.stream.track import Tracker

_FORMATS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame at the time it came.

    Attributes:
        index: Its number since the start; numbers that are missing were passed over.
        time_s: Seconds since the start.
        taken_s: ``time.monotonic()`` when it was there.
        frame: Its pixels.
    """

    index: int
    time_s: float
    taken_s: float
    frame: Frame


class Camera:
    """The newest frame of a camera or of a substitute; a context manager.

    Args:
        source: Number or path of a camera (``"0"``, ``"/dev/video0"``), or a clip.
        size_wh: Asked of a camera; it may give another.
        rate: Frames a second asked of a camera; clips run at their own times.
        loop: Start a clip again when it is over.

    Raises:
        VideoUnreadable: When there is no such camera, it is taken, or the clip could not be read.
    """

    def __init__(
        self,
        source: str,
        *,
        size_wh: tuple[int, int] = (640, 480),
        rate: int = 30,
        loop: bool = False,
    ) -> None:
        self.name = source
        self.is_clip = Path(source).is_file()
        self.error = ""
        self._loop = loop and self.is_clip
        self._wanted = (size_wh, rate)
        self._clip = self._open()
        self._newest: Moment | None = None
        self._ended = self._stop = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._take, name="pyojeong-camera", daemon=True)

    def _open(self) -> Clip:
        if self.is_clip:
            return Clip(self.name)
        device = self.name
        if device.isdigit() and sys.platform.startswith("linux"):
            device = f"/dev/video{device}"
        (width, height), rate = self._wanted
        options = {"video_size": f"{width}x{height}", "framerate": str(rate)}
        kind = _FORMATS.get("linux" if sys.platform.startswith("linux") else sys.platform, "v4l2")
        try:
            return Clip(device, device=kind, options=options)
        except VideoUnreadable as error:
            raise VideoUnreadable(f"camera {self.name}: {_camera_words(error)}") from error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop taking frames and let go of the camera."""
        with self._changed:
            self._stop = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout=2)
        self._clip.close()

    def _take(self) -> None:
        started = time.monotonic()
        index = 0
        try:
            while True:
                offset: float | None = None
                for frame in self._clip:
                    if self.is_clip:  # a substitute runs at its own pace
                        if offset is None:
                            offset = time.monotonic() - started - frame.time_s
                        time.sleep(max(started + offset + frame.time_s - time.monotonic(), 0))
                    if self._stop:
                        return
                    now = time.monotonic()
                    self._publish(Moment(index, now - started, now, frame))
                    index += 1
                self.error = self._clip.error
                if not self._loop:
                    return
                self._clip.close()
                self._clip = self._open()
        except VideoUnreadable as error:
            self.error = str(error)
        finally:
            if not self.is_clip and not self._stop:
                self.error = self.error or "gives no more images (unplugged?)"
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _publish(self, moment: Moment) -> None:
        with self._changed:
            self._newest = moment
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Moment]:
        """Yield the newest frame each time one is asked for, until the camera is closed or ends."""
        last = -1
        while True:
            with self._changed:
                while not self._stop and (self._newest is None or self._newest.index <= last):
                    if self._ended:
                        return
                    self._changed.wait(timeout=0.5)
                if self._stop:
                    return
                moment = self._newest
            assert moment is not None  # noqa: S101 - the loop above waits for one
            last = moment.index
            yield moment


def _camera_words(error: VideoUnreadable) -> str:
    cause = error.__cause__
    number = getattr(cause, "errno", None)
    words: dict[Any, str] = {
        errno.ENOENT: "there is none; is it plugged in? A clip can replace it: --source",
        errno.EBUSY: "is taken by another program: close that and try again",
        errno.EACCES: "no permission; on Linux add yourself to the group 'video'",
        errno.ENODEV: "is no camera, or was unplugged",
        errno.ENOTTY: "is no camera",
    }
    return words.get(number, str(error).partition(": ")[2] or str(error))


class LiveReader:
    """Reads frames one by one as they come: people followed, scores smoothed backwards.

    Args:
        analyzer: Reads frames.
        source: Name in the results.
        tau_s: Time constant of the smoothing, which is also about its lag.
        detect_every: Faces are searched for again after so many frames.
    """

    def __init__(
        self, analyzer: Analyzer, source: str, *, tau_s: float = 0.25, detect_every: int = 5
    ) -> None:
        self._reader = FrameReader(analyzer)
        self._source = source
        self._tracker = Tracker()
        self._smooth = Trailing(tau_s)
        self._every = detect_every
        self._since = 0
        self._known: tuple[Face, ...] = ()
        self._thumb: Any = None

    def read(self, moment: Moment) -> tuple[Image, FrameResult]:
        """Pixels and result of a frame."""
        pixels = moment.frame.pixels()
        thumb = moment.frame.thumbnail()
        cut = self._thumb is not None and is_cut(self._thumb, thumb)
        self._thumb = thumb
        found = self._find(pixels, cut=cut)
        looks = self._reader.describe(pixels, found)
        ids = self._tracker.update(found, looks, moment.time_s, cut=cut)
        read = self._reader.read(pixels, found, looks)
        faces = tuple(replace(f, track_id=n) for f, n in zip(read, ids, strict=True))
        self._known = found
        result = self._reader.result(self._source, moment.index, moment.time_s, pixels, faces)
        return pixels, self._smooth(result)

    def _find(self, pixels: Image, *, cut: bool) -> tuple[Face, ...]:
        self._since += 1
        if cut or not self._known or self._since >= self._every:
            found = self._reader.detect(pixels)
        else:
            found = self._reader.follow(pixels, self._known)
        if found.detected:
            self._since = 0
        return found.faces


@dataclass(slots=True)
class Pace:
    """How fast a live image runs, over the last two seconds or so.

    Attributes:
        fps: Frames read per second.
        latency_ms: From the frame's coming to its answer.
        dropped_frames: Frames that were never read.
    """

    fps: float = 0.0
    latency_ms: float = 0.0
    dropped_frames: int = 0
    _last_s: float | None = None
    _last_index: int = -1

    def add(self, moment: Moment, done_s: float) -> None:
        """Take a frame that was read."""
        latency = 1000 * (done_s - moment.taken_s)
        if self._last_s is None:
            self.latency_ms = latency
        else:
            gap = max(done_s - self._last_s, 1e-4)
            share = float(1 - np.exp(-gap / 0.7))
            self.latency_ms += share * (latency - self.latency_ms)
            self.fps += share * (1 / gap - self.fps) if self.fps else 1 / gap
        self.dropped_frames += moment.index - self._last_index - 1
        self._last_s, self._last_index = done_s, moment.index
