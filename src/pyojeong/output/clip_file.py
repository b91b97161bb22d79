"""Frames and sound into an MP4 that browsers play (H.264, 4:2:0, AAC), through PyAV.

While it grows the file is fragmented, so that what is there can be played even if the disk fills
up; when it is finished its index is put in front, and only then does it take its name.
"""

import errno
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from pyojeong.core.atomic_write import output_errors
from pyojeong.core.errors import MissingExtra, OutputError
from pyojeong.core.face import Image
from pyojeong.output.sound import Sound

_TICKS = 90_000
_GROWING = {"movflags": "frag_keyframe+delay_moov+default_base_moof"}
"""The index waits for the first packets: else a late first frame would move to zero."""


class ClipFile:
    """An H.264 file; a context manager. An exception leaves nothing, unless the disk is full.

    Args:
        path: The finished file.
        size_wh: Width and height of the frames; odd sizes get a black line more.
        rate: About how many frames a second there will be; every frame has its own time.
        sound_of: Clip whose sound is kept, encoded again as AAC; None = silent. Sound that could
            not be kept is left out, see ``note``.
        start_s: Time of the frames that becomes the file's zero.
        clock_start_s: What the clock of ``sound_of`` shows where the times of the frames are 0.

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
        clock_start_s: float = 0.0,
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
            # The prefix keeps folders such as "12:30" from being taken for an address.
            growing = f"file:{self._growing}"
            self._out = av.open(growing, "w", format="mp4", options=_GROWING)
        shown = Fraction(min(max(rate, 1.0), 240.0)).limit_denominator(1001)
        self._stream: Any = self._out.add_stream("libx264", rate=shown)
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, _TICKS)
        # Without B-frames a file that was cut short on a full disk keeps its times too.
        self._stream.options = {"crf": "21", "preset": "veryfast", "bf": "0"}
        self._sound: Sound | None = None
        if sound_of is not None:
            self._sound = Sound(av, sound_of, self._out, clock_start_s + start_s)

    @property
    def note(self) -> str:
        """Why sound is missing, in whole or in part; "" = it is all there, or none was asked."""
        return "" if self._sound is None else self._sound.note

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
                self._sound.until(time_s - self._start_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._give_up(keep=isinstance(error, OutputError))
            return
        try:
            self.close()
        except BaseException as failure:
            self._give_up(keep=isinstance(failure, OutputError))
            raise

    def close(self) -> None:
        """Finish the file and give it its name."""
        with output_errors(self.path):
            for packet in self._stream.encode(None):
                self._out.mux(packet)
            if self._sound is not None:
                self._sound.until(self._last / _TICKS)
                self._sound.close()
            self._out.close()
            self._index_first()

    def _index_first(self) -> None:
        """Copy into a file with its index in front; with no room for that, keep the other."""
        done = self.path.with_name(f".{self.path.name}.done.mp4")
        try:
            with (
                self._av.open(f"file:{self._growing}") as source,
                self._av.open(
                    f"file:{done}", "w", format="mp4", options={"movflags": "faststart"}
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
                self._sound.close(flush=keep)
            self._out.close()
        except (OSError, ValueError, self._av.FFmpegError):
            pass  # the disk is full, for example: what was written stays as it is
        if keep and self._growing.exists():
            self._growing.replace(self.path.with_suffix(".incomplete.mp4"))
        else:
            self._growing.unlink(missing_ok=True)
