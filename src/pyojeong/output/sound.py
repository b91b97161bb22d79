"""The sound of a clip, decoded and encoded again as AAC beside the images of another file.

Every kind of sound takes the same way: copied packets of AC-3, WMA or AAC from transport streams
do not fit into MP4, and gaps in the source would shift what follows. Sound that fails is left out,
with a line, and never stops the images.
"""

import ctypes
import errno
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

_RATES = (8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""Sample rates that are kept; others become the next higher one, at most the last."""
_GAP_S = 0.1
"""Holes longer than this are filled with silence, so that what follows stays in time."""
_SILENCE = 1024
_BACK_S, _AHEAD_S = 0.5, 10.0
"""Steps of time back and ahead by more than this are joints of files (``stream.clock``)."""
_JOINED = frozenset({"mpegts", "mpeg"})
_DISK = frozenset({errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG, errno.EROFS})


class Sound:
    """A clip's sound on its way into another file.

    Args:
        av: The module of that name.
        clip: The clip.
        out: PyAV's container that it is written to; its streams are added, nothing is written.
        zero_s: Time of the clip's own clock that becomes the file's zero.

    Attributes:
        note: Why sound is missing, in whole or in part; "" = it is all there.
    """

    def __init__(self, av: Any, clip: Path, out: Any, zero_s: float) -> None:
        self._av = av
        self._out = out
        self._zero_s = zero_s
        self._written = 0
        self._next: tuple[float, Any] | None = None
        self._source: Any = None
        self._encoder: Any = None
        self.note = ""
        try:
            self._begin(clip)
        except (self._av.FFmpegError, OSError, ValueError) as error:
            self._stop(f"has no sound: that of the clip could not be read ({_reason(error)})")

    def _begin(self, clip: Path) -> None:
        # The prefix keeps "12:30.mp4" from being taken for an address.
        self._source = self._av.open(f"file:{clip}", metadata_errors="ignore")
        streams = self._source.streams
        source = streams.best("audio") if streams.audio else None
        if source is None or getattr(source, "codec_context", None) is None:
            known = "its codec is not known here" if streams.audio else "there is none"
            self._stop(f"has no sound: {known}")
            return
        channels, own_order = _channels(source.codec_context)
        if own_order:  # no frame of it may be decoded
            self._stop(f"has no sound: sound of {channels} channels is not taken over")
            return
        self._frames = self._decoded(source)
        self._next = next(self._frames, None)
        if self._next is None:
            self._stop("has no sound: that of the clip could not be decoded")
            return
        first = self._next[1]
        self._rate = next((r for r in _RATES if r >= first.sample_rate), _RATES[-1])
        self._layout = "mono" if first.layout.nb_channels == 1 else "stereo"
        self._encoder = self._out.add_stream("aac", rate=self._rate)
        self._encoder.layout = self._layout
        self._encoder.codec_context.time_base = Fraction(1, self._rate)
        self._resampler: Any = None
        self._format: tuple[Any, ...] = ()

    def _decoded(self, source: Any) -> Iterator[tuple[float, Any]]:
        """Yield times of the clip's clock and frames; damaged packets are passed over.

        Where files were joined, times go on from the frame before, as those of the images do.
        """
        following = float((source.start_time or 0) * source.time_base)
        joined, shift_s = self._source.format.name in _JOINED, 0.0
        for packet in self._source.demux(source):
            frames: Any = ()
            try:
                frames = packet.decode()
            except self._av.error.InvalidDataError:
                continue
            for frame in frames:
                if not frame.samples or not frame.sample_rate:
                    continue
                stated = None if frame.pts is None else float(frame.pts * frame.time_base)
                at = following if stated is None else stated + shift_s
                if at - following < -_BACK_S or (joined and at - following > _AHEAD_S):
                    shift_s, at = shift_s + following - at, following
                following = at + frame.samples / frame.sample_rate
                yield at, frame

    def until(self, time_s: float) -> None:
        """Write what sounds up to this time of the file.

        Raises:
            OSError: When the disk is full or fails.
        """
        try:
            while self._next is not None and self._next[0] - self._zero_s <= time_s:
                self._write(*self._next)
                self._next = next(self._frames, None)
        except (self._av.FFmpegError, OSError, ValueError) as error:
            if getattr(error, "errno", None) in _DISK:
                raise
            self._stop(f"has no sound from {time_s:.1f} s on ({_reason(error)})")

    def _write(self, at_s: float, frame: Any) -> None:
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._format:  # it may change within a transport stream
            self._format = kind
            self._resampler = self._av.AudioResampler(
                format="fltp", layout=self._layout, rate=self._rate
            )
        frame.pts = None  # numbers of the source would be taken for positions in the result
        place = round((at_s - self._zero_s) * self._rate)
        for part in self._resampler.resample(frame):
            samples = part.to_ndarray()
            if place < 0:  # before the zero of the file
                samples = samples[:, -place:]
                place = min(place + part.samples, 0)
            if not samples.shape[1]:
                continue
            if place - self._written > _GAP_S * self._rate:
                self._fill(place - self._written)
            self._encode(samples)
            place = self._written

    def _fill(self, samples: int) -> None:
        channels = 1 if self._layout == "mono" else 2
        while samples > 0:
            part = min(samples, _SILENCE)
            self._encode(np.zeros((channels, part), np.float32))
            samples -= part

    def _encode(self, samples: Any) -> None:
        frame = self._av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples, np.float32), format="fltp", layout=self._layout
        )
        frame.sample_rate = self._rate
        frame.pts, frame.time_base = self._written, Fraction(1, self._rate)
        self._written += frame.samples
        for packet in self._encoder.encode(frame):
            self._out.mux(packet)

    def _stop(self, note: str) -> None:
        self.note = self.note or note
        self._next = None

    def close(self, *, flush: bool = True) -> None:
        """Let go of the clip, after what the encoder still holds was written.

        Raises:
            OSError: When the disk is full or fails.
        """
        try:
            if self._encoder is not None and flush:
                if not self._written:  # a stream without a packet is no valid file
                    self._fill(_SILENCE)
                for packet in self._encoder.encode(None):
                    self._out.mux(packet)
        except (self._av.FFmpegError, OSError, ValueError) as error:
            if getattr(error, "errno", None) in _DISK:
                raise
            self._stop(f"lacks the end of its sound ({_reason(error)})")
        finally:
            if self._source is not None:
                self._source.close()


def _channels(codec_context: Any) -> tuple[int, bool]:
    """Return the number of channels, and whether they have an order of their own.

    PyAV's layout of such an order shares memory with its codec context or frame, and both free it,
    which ends the process. So the one that is made here is never freed.
    """
    layout = codec_context.layout
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    return layout.nb_channels, " channels (" in layout.name


def _reason(error: BaseException) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split())
