"""Moving images as they come: from a camera, a stream, or a clip that replaces one.

One thread takes frames and keeps the newest only; whoever reads takes it when ready for it. So the
image never lags behind by more than the reading of one frame, however slow that is.
"""

import errno
import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from pyojeong.core.addresses import is_address, without_password
from pyojeong.core.errors import VideoUnreadable
from pyojeong.core.face import Face, FrameResult, Image
from pyojeong.core.file_kinds import CLIPS
from pyojeong.core.file_search import identity, is_file
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.stream.frame_reader import FrameReader
from pyojeong.stream.scene_cuts import is_cut
from pyojeong.stream.smooth import Trailing
from pyojeong.stream.source import THUMB_HW, Clip, Frame
from pyojeong.stream.track import Tracker

_SHORTEST_LOOP_S = 0.5
"""One pass of a clip that is shown in a loop takes at least so long."""
_FORMATS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}


def kind_of_source(source: str) -> str:
    """Return what a source names: ``"camera"``, ``"stream"`` or ``"clip"``.

    Elsewhere than on Linux cameras have names: there, a name without an ending of clips and without
    a folder is a camera, unless it is a file.
    """
    if is_address(source):
        return "stream"
    if source.isdigit() or source.startswith("/dev/"):
        return "clip" if is_file(source) else "camera"
    path, platform = Path(source), str(sys.platform)
    if identity(path) or platform.startswith("linux"):
        return "clip"
    return "clip" if path.suffix.lower() in CLIPS.suffixes or path.name != source else "camera"


class PixelFrame:
    """A frame whose pixels are there already; offers what ``stream.source.Frame`` offers.

    Args:
        pixels: uint8 (H, W, 3) RGB.
    """

    def __init__(self, pixels: Image) -> None:
        self._pixels = pixels

    def pixels(self) -> Image:
        """Return uint8 (H, W, 3) RGB."""
        return self._pixels

    def thumbnail(self) -> NDArray[np.float32]:
        """Luma (18, 32) in 0..255."""
        height, width = THUMB_HW
        small = cv2.resize(self._pixels, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32)


@dataclass(frozen=True, slots=True)
class Moment:
    """A frame at the time it came.

    Attributes:
        index: Its number since the start; numbers that are missing were passed over.
        time_s: Seconds since the start.
        taken_s: ``time.monotonic()`` when it was there.
        frame: Its pixels.
        clock_s: What the camera's ``clock`` showed when it was there; None = there is none.
    """

    index: int
    time_s: float
    taken_s: float
    frame: Frame | PixelFrame
    clock_s: float | None = None


class Camera:
    """The newest frame of a camera, a stream or a clip; a context manager.

    Args:
        source: Number or path of a camera (``"0"``, ``"/dev/video0"``), a stream's address
            (``rtsp://``, ``http://``), or a clip.
        size_wh: Asked of a camera; it may give another.
        rate: Frames a second asked of a camera; clips run at their own times.
        loop: Start a clip again when it is over.

    Attributes:
        name: The source; an address without its password.
        kind: ``"camera"``, ``"stream"`` or ``"clip"``.
        error: Why there are no more images; "" = a clip is over, or it was closed.
        clock: A second clock, in seconds, which is read for every frame as it comes; set it before
            the camera is entered.

    Raises:
        VideoUnreadable: When there is no such camera, it is taken, nothing answers at the
            address, or the clip is missing or could not be read.
    """

    def __init__(
        self,
        source: str,
        *,
        size_wh: tuple[int, int] = (640, 480),
        rate: int = 30,
        loop: bool = False,
    ) -> None:
        self.kind = kind_of_source(source)
        there = identity(source) is not None  # a file may have any name
        self.name = source if there else without_password(source)
        self.error = ""
        self.clock: Callable[[], float] | None = None
        self._source = source
        self._loop = loop and self.kind == "clip"
        self._wanted = (size_wh, rate)
        self._clip = self._open()
        # Files that a server sends come as fast as the network is; live images at their own pace.
        stated = self._clip.facts.duration_s
        self._paced = self.kind == "clip" or (self.kind == "stream" and bool(stated))
        self._newest: Moment | None = None
        self._ended = self._stop = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._take, name="pyojeong-camera", daemon=True)

    def _open(self) -> Clip:
        named = self.kind != "stream" and not (self.kind == "camera" and self._source.isdigit())
        other = _other_than_file(self._source) if named else ""
        if other:
            raise VideoUnreadable(
                f"{self.name}: is a {other}; --source takes a clip, a camera's number or a "
                "stream's address (rtsp://, http://)"
            )
        if self.kind == "clip":
            if identity(self._source) is None:
                raise VideoUnreadable(
                    f"{self.name}: no such file; --source takes a clip, a camera's number or a "
                    "stream's address (rtsp://, http://)"
                )
            return Clip(self._source)
        if self.kind == "stream":
            return Clip(self._source, address=True)
        device = self._source
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
        if not self._thread.is_alive():  # else it waits for a server, and ends with the program
            self._clip.close()

    def _take(self) -> None:
        started = time.monotonic()
        index = 0
        try:
            while True:
                began, first_s, last_s, frames = time.monotonic(), None, 0.0, 0
                for frame in self._clip:
                    last_s, frames = frame.time_s, frames + 1
                    first_s = last_s if first_s is None else first_s
                    if self._paced and not self._sleep_until(began + last_s - first_s):
                        return
                    if self._stop:
                        return
                    now, clock = time.monotonic(), self.clock
                    clock_s = None if clock is None else clock()
                    self._publish(Moment(index, now - started, now, frame, clock_s))
                    index += 1
                self.error = self._clip.error
                if not self._loop:
                    return
                # The last frame is shown for its time, and a single image is not opened again
                # and again.
                shown_s = last_s - (first_s or 0.0) + 1 / (self._clip.facts.rate or 25)
                if not self._sleep_until(began + max(shown_s, _SHORTEST_LOOP_S)):
                    return
                self._clip.close()
                self._clip = self._open()
        except VideoUnreadable as error:
            self.error = str(error)
        finally:
            if self.kind != "clip" and not self._stop:
                why = "connection lost?" if self.kind == "stream" else "unplugged?"
                over = self.kind == "stream" and self._paced and not self.error
                self.error = self.error or ("" if over else f"gives no more images ({why})")
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _sleep_until(self, moment: float) -> bool:
        """Wait until ``time.monotonic()`` shows this; returns False when closed before."""
        with self._changed:
            left = max(moment - time.monotonic(), 0)
            return not self._changed.wait_for(lambda: self._stop, timeout=left)

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


def _other_than_file(path: str) -> str:
    """Return what a path is that may never give an image, or "" for all others."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - Path raises for long names
    except (OSError, ValueError):
        return ""
    kinds = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFDIR: "folder"}
    return kinds.get(stat.S_IFMT(mode), "")


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
