"""Frames and sound into an MP4 that browsers play (H.264, 4:2:0, AAC), through PyAV.

While it grows the file is fragmented, so that what is there can be played even if the disk fills
up; when it is finished its index is put in front, and only then does it take its name.
"""

import errno
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from pyojeong.core.atomic_write import output_errors
from pyojeong.core.errors import MissingExtra, OutputError
from pyojeong.core.face import Image

_TICKS = 90_000
_COPIED = ("aac", "mp3", "mp3float", "ac3", "eac3", "opus")
_GROWING = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


class ClipFile:
    """An H.264 file; a context manager. An exception leaves nothing, unless the disk is full.

    Args:
        path: The finished file.
        size_wh: Width and height of the frames; odd sizes get a black line more.
        rate: About how many frames a second there will be; every frame has its own time.
        sound_of: Clip whose sound is kept; None = silent.
        start_s: Time of that clip which becomes the file's zero.

    Raises:
        OutputError: When the file could not be written. On a full disk what was written can be
            played and is called ``<name>.incomplete.mp4``.
        MissingExtra: When PyAV is not installed.
    """

    def __init__(
        self,
        path: Path,
        size_wh: tuple[int, int],
        *,
        rate: float = 25.0,
        sound_of: Path | None = None,
        start_s: float = 0.0,
    ) -> None:
        try:
            import av
        except ModuleNotFoundError as error:
            raise MissingExtra("writing clips", "video") from error
        self._av = av
        self.path = path
        self._growing = path.with_name(f".{path.name}.growing.mp4")
        self._start_s = start_s
        self._last = -1
        self._size = (size_wh[0] + size_wh[0] % 2, size_wh[1] + size_wh[1] % 2)
        with output_errors(self.path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._out = av.open(str(self._growing), "w", format="mp4", options=_GROWING)
        shown = Fraction(min(max(rate, 1.0), 240.0)).limit_denominator(1001)
        self._stream: Any = self._out.add_stream("libx264", rate=shown)
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, _TICKS)
        # Without B-frames the first frame stands at zero in a fragmented file too.
        self._stream.options = {"crf": "21", "preset": "veryfast", "bf": "0"}
        self._sound = None if sound_of is None else _Sound(av, sound_of, self._out, start_s)

    def write(self, image: Image, time_s: float) -> None:
        """Append a frame.

        Args:
            image: uint8 (H, W, 3) RGB of the size that was announced.
            time_s: Its time in the clip that it comes from.
        """
        height, width = image.shape[:2]
        if (width, height) != self._size:
            pad = ((0, self._size[1] - height), (0, self._size[0] - width), (0, 0))
            image = np.pad(image, pad)
        frame = self._av.VideoFrame.from_ndarray(image, format="rgb24")
        ticks = max(round((time_s - self._start_s) * _TICKS), self._last + 1)
        self._last = ticks
        frame.pts, frame.time_base = ticks, Fraction(1, _TICKS)
        with output_errors(self.path):
            for packet in self._stream.encode(frame):
                self._out.mux(packet)
            if self._sound is not None:
                self._sound.until(time_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._give_up(keep=isinstance(error, OutputError))

    def close(self) -> None:
        """Finish the file and give it its name."""
        with output_errors(self.path):
            for packet in self._stream.encode(None):
                self._out.mux(packet)
            if self._sound is not None:
                self._sound.until(self._start_s + self._last / _TICKS)
                self._sound.close()
            self._out.close()
            self._index_first()

    def _index_first(self) -> None:
        """Copy into a file with its index in front; with no room for that, keep the other."""
        done = self.path.with_name(f".{self.path.name}.done.mp4")
        try:
            with (
                self._av.open(str(self._growing)) as source,
                self._av.open(
                    str(done), "w", format="mp4", options={"movflags": "faststart"}
                ) as out,
            ):
                streams = {s.index: out.add_stream_from_template(s) for s in source.streams}
                for packet in source.demux():
                    if packet.dts is not None:
                        packet.stream = streams[packet.stream.index]
                        out.mux(packet)
            self._growing.unlink()
        except OSError as error:
            done.unlink(missing_ok=True)
            if error.errno != errno.ENOSPC:
                raise
            done = self._growing
        done.replace(self.path)

    def _give_up(self, *, keep: bool) -> None:
        try:
            if self._sound is not None:
                self._sound.close()
            self._out.close()
        except OSError:
            pass  # the disk is full: what was written stays as it is
        if keep and self._growing.exists():
            self._growing.replace(self.path.with_suffix(".incomplete.mp4"))
        else:
            self._growing.unlink(missing_ok=True)


class _Sound:
    """The sound of a clip, packet by packet beside the images; copied where MP4 can hold it."""

    def __init__(self, av: Any, clip: Path, out: Any, start_s: float) -> None:
        self._out = out
        self._start_s = start_s
        self._source = av.open(str(clip), metadata_errors="ignore")
        streams = self._source.streams.audio
        self._items: Iterator[Any] = iter(())
        self._encoder: Any = None
        self._next: Any = None
        if not streams:
            return
        source = streams[0]
        if source.codec_context.name in _COPIED:
            self._stream = out.add_stream_from_template(source)
            self._items = (p for p in self._source.demux(source) if p.dts is not None)
        else:
            rate = source.codec_context.sample_rate or 44_100
            self._encoder = self._stream = out.add_stream("aac", rate=rate)
            self._items = self._source.decode(source)
        self._advance()

    def _advance(self) -> None:
        try:
            self._next = next(self._items, None)
        except OSError:  # damaged sound ends there
            self._next = None

    def until(self, time_s: float) -> None:
        """Write what sounds up to this time of the clip."""
        while self._next is not None:
            item = self._next
            at = float(item.pts * item.time_base) if item.pts is not None else self._start_s
            if at > time_s:
                return
            if at >= self._start_s:
                self._write(item)
            self._advance()

    def _write(self, item: Any) -> None:
        shift = round(self._start_s / item.time_base)
        item.pts -= shift
        if self._encoder is None:
            item.dts -= shift
            item.stream = self._stream
            self._out.mux(item)
        else:
            self._encode(item)

    def _encode(self, frame: Any) -> None:
        for packet in self._encoder.encode(frame):
            self._out.mux(packet)

    def close(self) -> None:
        """Flush the encoder and let go of the clip."""
        if self._encoder is not None:
            self._encode(None)
        self._source.close()
