"""Frames of a clip, each with its own time stamp, upright, in square pixels.

Index and time are the container's: every decoded frame is counted, and ``time_s`` is its
presentation time, with variable frame rates, B-frames, edit lists and late starts as they are; it
never runs backwards. A clip that breaks off gives what can be decoded and says so in
``Clip.error``.
"""

from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import MissingExtra, VideoUnreadable
from pyojeong.core.face import Image
from pyojeong.image.files import MAX_PIXELS
from pyojeong.stream.clock import FrameClock

THUMB_HW = (18, 32)
"""Size of the gray thumbnails that scene cuts are found with."""


def _av() -> Any:
    try:
        import av
    except ModuleNotFoundError as error:
        raise MissingExtra("reading clips", "video") from error
    av.logging.set_level(None)  # its messages are in exceptions too
    return av


class Frame:
    """One decoded frame; its pixels are converted when they are asked for.

    Attributes:
        index: Its number in the clip, from 0.
        time_s: Its presentation time in seconds, by the container's clock.
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
    """

    codec: str
    frames: int | None
    duration_s: float | None
    rate: float | None
    audio: bool
    high_range: bool


class Clip:
    """A clip on disk, read once from its beginning; a context manager.

    Args:
        path: The file, or with ``device`` the name of a camera.
        device: Kind of camera (libavdevice's name of it, such as ``"v4l2"``); None = a file.
        options: For the camera: ``video_size``, ``framerate``.

    Attributes:
        name: The file's name, as it was given.
        facts: What the container says of the image stream.
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
        options: dict[str, str] | None = None,
    ) -> None:
        av = _av()
        self.name = str(path)
        self.error = ""
        self._next = 0
        self._torn = self._damaged = False
        self._reached_s = 0.0
        empty = False
        try:
            empty = Path(path).is_file() and not Path(path).stat().st_size
            # The prefix keeps "12:30.mp4" from being taken for an address.
            opened = f"file:{self.name}" if device is None else self.name
            self._container = av.open(
                opened, format=device, options=options or {}, metadata_errors="ignore"
            )
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise VideoUnreadable(f"{self.name}: {error.strerror}") from error
        except (av.FFmpegError, OSError, ValueError) as error:
            why = "is empty" if empty else f"is no clip that can be read ({_reason(error)})"
            if device is None and _lacks_index(Path(path)):
                why = "its index is missing: it was cut off, or is still being written"
            raise VideoUnreadable(f"{self.name}: {why}") from error
        try:
            self._stream = self._picture_stream()
            self.facts = self._stated()
            ratio = self._stream.sample_aspect_ratio
        except BaseException:
            self._container.close()
            raise
        self.pixel_shape = float(ratio) if ratio and Fraction(1, 4) <= ratio <= 4 else 1.0
        self._stream.thread_type = "AUTO" if device is None else "SLICE"  # which does not lag
        self._clock = FrameClock(self.facts.rate)
        self._angle: float | None = None
        self.turn: tuple[int, ...] = ()
        self._frames = self._decoded()
        self.colors = av.video.reformatter.VideoReformatter()
        self.thumbs = av.video.reformatter.VideoReformatter()

    def _picture_stream(self) -> Any:
        kind = self._container.format.name
        if kind.endswith("_pipe") or kind == "image2":
            raise VideoUnreadable(
                f"{self.name}: is an image ({kind.removesuffix('_pipe')}), not a clip; read it "
                "with `pyojeong analyze`"
            )
        streams = [
            s
            for s in self._container.streams.video
            if not s.disposition & s.disposition.attached_pic
        ]
        if not streams:
            sound = " (it holds sound only)" if self._container.streams.audio else ""
            raise VideoUnreadable(f"{self.name}: has no images{sound}")
        stream = streams[0]
        if getattr(stream, "codec_context", None) is None:
            raise VideoUnreadable(
                f"{self.name}: its codec is not known here; convert it, for example to H.264"
            )
        return stream

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

    def _decoded(self) -> Generator[Frame]:
        av = _av()
        reason = ""
        try:
            for packet in self._packets():
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    self._damaged = True
                    continue
                for raw in frames:
                    self._see_turn(raw)
                    yield Frame(self, raw, self._next, self._clock(raw))
                    self._next += 1
        except (av.FFmpegError, OSError) as error:
            reason = _reason(error)
        reason = reason or self._shortage()
        if self._next == 0:
            why = reason or ("it is damaged" if self._damaged else "there is none")
            raise VideoUnreadable(f"{self.name}: not one frame can be decoded ({why})")
        if reason:
            self.error = f"breaks off after frame {self._next - 1} ({reason})"
        elif self._damaged:
            self.error = "is damaged: frames are missing"

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
        for packet in self._container.demux(self._stream, *self._container.streams.audio):
            stamp = packet.dts if packet.pts is None else packet.pts
            if packet.size and stamp is not None and packet.time_base is not None:
                end = float((stamp + (packet.duration or 0)) * packet.time_base)
                self._reached_s = max(self._reached_s, end)
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
        promised = self._promised_s()
        if promised - self._reached_s > max(0.5, 2 / (self.facts.rate or 25)):
            return f"at {self._reached_s:.1f} s; its header says {promised:.1f} s"
        return ""

    def _promised_s(self) -> float:
        """Return the time at which sound and images end by the header; 0 when it does not say."""
        if self._container.format.name == "avi":  # its length was measured, its frames are stated
            return (self.facts.frames or 0) / (self.facts.rate or 25)
        ends = [
            float(((s.start_time or 0) + s.duration) * s.time_base)
            for s in (self._stream, *self._container.streams.audio)
            if s.duration is not None and s.time_base is not None
        ]
        return max(ends, default=(self._container.duration or 0) / 1e6)

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


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)


def _lacks_index(path: Path) -> bool:
    """Return whether a file is an MP4 or MOV without its ``moov`` box."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, 2)
            place, first = 0, True
            while place + 8 <= end:
                file.seek(place)
                head = file.read(16)
                size, kind = int.from_bytes(head[:4], "big"), head[4:8]
                if first and kind not in {b"ftyp", b"wide", b"mdat"}:
                    return False
                if kind == b"moov":
                    return False
                if size == 1:
                    size = int.from_bytes(head[8:16], "big")
                first, place = False, place + max(size, 8) if size else end
            return not first
    except OSError:
        return False
