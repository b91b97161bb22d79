"""Frames of a clip, each with its own time stamp, upright, in square pixels.

Index and time are the container's: every decoded frame is counted, and ``time_s`` is its
presentation time, with variable frame rates, B-frames and edit lists as they are; it always
increases, also where files were joined. Times count from the clip's beginning, whatever its clock
shows there (``ClipFacts.start_s``). A clip that breaks off gives what can be decoded and says so in
``Clip.error``.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.addresses import without_password
from pyojeong.core.errors import VideoUnreadable
from pyojeong.core.face import Image
from pyojeong.image.files import MAX_PIXELS
from pyojeong.stream.animation import PillowAnimation, open_animation
from pyojeong.stream.clock import FrameClock
from pyojeong.stream.ends import lacks_end
from pyojeong.stream.opening import (
    import_av,
    open_address,
    open_device,
    open_file,
    reason,
)
from pyojeong.stream.picture_stream import choose_picture_stream, clip_start
from pyojeong.stream.shortage import Coverage

THUMB_HW = (18, 32)
"""Size of the gray thumbnails that scene cuts are found with."""
_JOINED = frozenset({"mpegts", "mpeg"})
"""Kinds of file that stay readable when they are put one behind the other."""


class Frame:
    """One decoded frame; its pixels are converted when they are asked for.

    Attributes:
        index: Its number in the clip, from 0.
        time_s: Its presentation time in seconds, from the clip's beginning.
    """

    __slots__ = ("_clip", "_raw", "_turn", "index", "time_s")

    def __init__(self, clip: "Clip", raw: Any, index: int, time_s: float) -> None:
        self._clip = clip
        self._turn = clip.turn
        self._raw = raw
        self.index = index
        self.time_s = time_s

    def thumbnail(self) -> NDArray[np.float32]:
        """Luma (18, 32) in 0..255, as stored (not turned)."""
        height, width = THUMB_HW
        small = self._clip.thumbs.reformat(
            self._raw, width=width, height=height, format="gray8", interpolation="AREA"
        )
        return np.asarray(small.to_ndarray(), np.float32)

    def pixels(self) -> Image:
        """Return uint8 (H, W, 3) RGB, turned upright, in square pixels.

        Raises:
            VideoUnreadable: When the frame is too large.
        """
        raw, height = self._raw, self._raw.height
        width = max(round(raw.width * self._clip.pixel_shape), 1)
        if width * height > MAX_PIXELS:
            raise VideoUnreadable(
                f"{self._clip.name}: frames of {width} x {height} pixels are too large"
            )
        picture = self._clip.colors.reformat(raw, width=width, height=height, format="rgb24")
        return np.ascontiguousarray(_upright(picture.to_ndarray(), self._turn))


def _upright(picture: Image, turn: tuple[int, ...]) -> Image:
    """Return an image turned and mirrored as a display matrix says; () = as it is stored."""
    if not turn:
        return picture
    # A point (x, y) of the stored image belongs at (a x + c y, b x + d y).
    a, b, _, c, d = turn
    if abs(b) > abs(a):
        picture, a, d = picture.transpose(1, 0, 2), c, b
    return picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFacts:
    """What a container says of its image stream before anything is decoded.

    Attributes:
        codec: Name of the codec.
        frames: Number of frames; None = not stated.
        duration_s: Length in seconds; None = not stated.
        rate: Mean frames per second; None = not stated.
        audio: Whether there is sound.
        high_range: Whether brightness is coded for HDR screens (PQ or HLG); it is read as it is.
        start_s: What the container's clock shows at the clip's beginning, in seconds.
    """

    codec: str
    frames: int | None
    duration_s: float | None
    rate: float | None
    audio: bool
    high_range: bool
    start_s: float = 0.0


class Clip:
    """A clip on disk, read once from its beginning; a context manager.

    Args:
        path: The file; with ``device`` the name of a camera, with ``address`` that of a stream.
        device: Kind of camera (libavdevice's name of it, such as ``"v4l2"``); None = a file.
        address: ``path`` is the address of a stream (RTSP, HTTP).
        name: What it is called in messages; "" = as ``path``.
        options: For the camera: ``video_size``, ``framerate``.

    Attributes:
        name: The file's name, as it was given; an address without its password.
        facts: What the container says of the image stream.
        notes: Lines about choices that were made, such as which of several streams is read; after
            the last frame also about times that jump.
        pixel_shape: Width of a stored pixel over its height; 1 when it is not stated.
        turn: First five numbers of the current frame's display matrix; () = upright.
        error: After the last frame: where the clip breaks off, or that it is damaged; "" when
            all is well.

    Raises:
        VideoUnreadable: When it is missing, no clip, has no image stream, or an unknown codec.
        MissingExtra: When PyAV is not installed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        device: str | None = None,
        address: bool = False,
        name: str = "",
        options: dict[str, str] | None = None,
    ) -> None:
        av = import_av()
        self._path = str(path)
        self.name = name or (without_password(str(path)) if address else str(path))
        self.error = ""
        self.notes: tuple[str, ...] = ()
        self._next = 0
        self._torn = self._damaged = self._whole = False
        self._corrupt = 0  # packets that the container marks
        self._last_s = self._begin_s = 0.0
        self._first_s: float | None = None
        self._start = Fraction(0)
        self._angle: float | None = None
        self.pixel_shape = 1.0
        self.turn: tuple[int, ...] = ()
        self._animation = None if device or address else open_animation(path)
        if self._animation is not None:
            self._container: Any = self._animation
            self.facts = _animation_facts(self._animation)
        else:
            if device is not None:
                self._container = open_device(self._path, device, options or {})
            else:
                self._container = open_address(str(path)) if address else open_file(path, self.name)
            self._choose(frame_threads=device is None and not address)
        joined = self._animation is None and self._container.format.name in _JOINED
        self._clock = FrameClock(self.facts.rate, self._start, joined=joined)
        self._frames = self._decoded()
        self.colors = av.video.reformatter.VideoReformatter()
        self.thumbs = av.video.reformatter.VideoReformatter()

    def _choose(self, *, frame_threads: bool) -> None:
        """Take the image stream and what the container says of it."""
        try:
            self._stream, note = choose_picture_stream(self._container, self.name)
            self._start = clip_start(self._container, self._stream)
            self.facts = self._stated()
            if self._stream.duration is not None and self._stream.start_time is not None:
                begin = self._stream.start_time * self._stream.time_base - self._start
                self._begin_s = float(begin)  # what is stated is the length of the images
            ratio = self._stream.sample_aspect_ratio
        except BaseException:
            self._container.close()
            raise
        self.notes = (note,) if note else ()
        self.pixel_shape = float(ratio) if ratio and Fraction(1, 4) <= ratio <= 4 else 1.0
        self._coverage = Coverage(self._container, self._stream, self.facts.rate)
        self._stream.thread_type = "AUTO" if frame_threads else "SLICE"  # which does not lag

    def _stated(self) -> ClipFacts:
        stream, container = self._stream, self._container
        seconds = None
        if stream.duration is not None and stream.time_base is not None:
            seconds = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            seconds = container.duration / 1e6
            if container.format.name.startswith("matroska"):  # there it is counted from 0
                seconds -= (container.start_time or 0) / 1e6
        transfer = int(getattr(stream.codec_context, "color_trc", 0) or 0)
        return ClipFacts(
            codec=stream.codec_context.name,
            frames=stream.frames or None,
            duration_s=seconds,
            rate=float(stream.average_rate) if stream.average_rate else None,
            audio=bool(container.streams.audio),
            high_range=transfer in {16, 18},  # SMPTE 2084 (PQ), ARIB B67 (HLG)
            start_s=float(self._start),
        )

    @property
    def decoded(self) -> int:
        """Number of frames that were decoded so far."""
        return self._next

    def __iter__(self) -> Iterator[Frame]:
        """Yield all frames that are left, in order of presentation.

        Raises:
            VideoUnreadable: When not a single frame can be decoded.
        """
        return self._frames

    @property
    def length_s(self) -> float:
        """Length in seconds: as the container states it, or what was decoded if that is more."""
        return max((self.facts.duration_s or 0.0) + self._begin_s, self._last_s)

    @property
    def first_s(self) -> float | None:
        """Time of the first frame, which may come after the sound; None before it is read."""
        return self._first_s

    def _decoded(self) -> Generator[Frame]:
        av = import_av()
        why = ""
        try:
            for raw in self._raw_frames(av):
                self._see_turn(raw)
                self._last_s = self._clock(raw)
                if self._first_s is None:
                    self._first_s = self._last_s
                yield Frame(self, raw, self._next, self._last_s)
                self._next += 1
        except (av.FFmpegError, OSError) as error:
            why = reason(error)
        why = why or ("" if self._animation else self._shortage())
        if note := self._clock.note():
            self.notes = (*self.notes, note)
        if self._next == 0:
            why = why or ("it is damaged" if self._damaged else "there is none")
            raise VideoUnreadable(f"{self.name}: not one frame can be decoded ({why})")
        if why:
            self.error = f"breaks off after frame {self._next - 1} ({why})"
        elif not self._animation and (lost_s := self._coverage.undecoded_s()):
            self.error = f"is damaged: its last {lost_s:.2f} s could not be decoded"
        elif self._damaged or self._corrupt > len(self._clock.joints):
            # Where transport streams are joined, one packet does not follow on the last one.
            self.error = "is damaged: frames are missing or damaged"

    def _raw_frames(self, av: Any) -> Iterator[Any]:
        """Yield PyAV's frames; damaged packets are passed over and remembered."""
        if self._animation is not None:
            yield from self._animation.decoded(av)
            return
        for packet in self._packets():
            frames: Iterable[Any] = ()
            self._corrupt += packet.is_corrupt
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                self._damaged = True
            for frame in frames:
                # A stream that was joined late begins with frames whose references are missing.
                self._damaged |= bool(frame.is_corrupt and self._whole)
                self._whole |= not frame.is_corrupt
                self._coverage.add_frame(frame)
                yield frame

    def _see_turn(self, raw: Any) -> None:
        """Take the display matrix of the first frame, and again when the angle changes.

        A frame whose side data were asked for is freed by the garbage collector alone (PyAV 18):
        a hundred frames would wait for it.
        """
        angle = raw.rotation
        if angle != self._angle:
            self._angle = angle
            matrix = raw.side_data.get("DISPLAYMATRIX")
            data = () if matrix is None else np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
            self.turn = tuple(data)

    def _packets(self) -> Iterator[Any]:
        """Coded images; the last one is left out when the file's end tore it.

        A torn one would cost the frames before it, how many depends on the number of threads.
        """
        held = None
        others = self._container.streams
        for packet in self._container.demux(self._stream, *others.audio, *others.subtitles):
            self._coverage.add_packet(packet)
            if packet.stream is not self._stream or not (packet.size or packet.dts is None):
                continue
            if held is not None and packet.size:
                yield held
            elif held is not None:
                self._torn = True
            held = packet if packet.is_corrupt else None
            if held is None:
                yield packet

    def _shortage(self) -> str:
        """Why the frames end before the container says, or ""."""
        if self._torn:
            return "the file ends within a frame"
        if short := self._coverage.shortage(float(self._start)):
            return short
        ended = not lacks_end(self._path, self._container.format.name)
        return "" if ended else "the end of the file is missing"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; there are no frames after that."""
        self._frames.close()
        with suppress(Exception):
            self._container.close()


def _animation_facts(animation: PillowAnimation) -> ClipFacts:
    return ClipFacts(
        codec=animation.codec,
        frames=animation.frames,
        duration_s=None,  # known when all frames were read
        rate=None,
        audio=False,
        high_range=False,
    )
