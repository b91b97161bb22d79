"""Whether a clip holds all that its container states: what packets and frames reach.

Image streams have a stated end of their own in MP4 and MOV (duration of the track), in AVI (number
of frames) and in most Matroska and WebM files (the tag ``DURATION``). FLV, and Matroska files
without the tag, state the length of their longest stream. That of other files (transport streams,
GIF, raw streams) is measured or estimated by FFmpeg: they state nothing that could be missed.
"""

from fractions import Fraction
from typing import Any

_FRAMES = 2.5
"""Lengths are rounded, and last frames have no stated duration: fewer frames are no shortage."""
_SOUND_S = 0.1
"""As much more where the length is that of sound, whose packets may have no duration."""
_UNKNOWN = 1 << 30
"""Number of frames in the header of an AVI file that was not finished."""
_STATING = ("mov", "matroska", "avi", "flv", "asf")
_LONGEST_PACKET_S = 2.0
_LATE_S = 0.5
"""Sound that ends so much earlier than stated is a shortage."""


class Coverage:
    """How far the packets and frames of a clip reach on the container's clock, in seconds.

    Args:
        container: PyAV's open container.
        stream: The image stream that is read.
        rate: Its mean frames per second; None = 25.
    """

    def __init__(self, container: Any, stream: Any, rate: float | None) -> None:
        self._container = container
        self._kind = str(container.format.name)
        self._stream = stream
        self._frame_s = 1 / (rate or 25)
        self.reached_s = 0.0
        """End of the last packet, sound and subtitles included."""
        self._images_s = 0.0
        self._last_packet_s: float | None = None
        self._stamps_s: list[float] = []
        self._frames = 0
        self._packets_s: dict[int, tuple[float, float]] = {}

    def add_packet(self, packet: Any) -> None:
        """Count a packet of any stream."""
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is None or packet.time_base is None:
            return
        own = packet.stream is self._stream
        start = float(stamp * packet.time_base)
        end = start + float((packet.duration or 0) * packet.time_base)
        if not packet.duration:
            end += self._frame_s if own else self._step_s(packet.stream.index, start)
        if packet.size:
            self.reached_s = max(self.reached_s, end)
        if own:  # an empty packet repeats the image before it
            self._images_s = max(self._images_s, end)
            if packet.size and not packet.is_discard:
                self._last_packet_s = max(start, self._last_packet_s or start)

    def _step_s(self, stream: int, start: float) -> float:
        """Return how long a packet of sound lasts that does not say so: as the one before it."""
        before, step = self._packets_s.get(stream, (start, 0.0))
        step = start - before if 0 < start - before <= _LONGEST_PACKET_S else step
        self._packets_s[stream] = (start, step)
        return step

    def add_frame(self, raw: Any) -> None:
        """Count a decoded frame."""
        stamp = raw.dts if raw.pts is None else raw.pts
        if stamp is not None and raw.time_base is not None:
            known = [*self._stamps_s, float(stamp * raw.time_base)]
            self._stamps_s = [min(known), max(known)]
            self._frames += 1

    def shortage(self, start_s: float) -> str:
        """Return why there is less than the container states, or "".

        Args:
            start_s: What the container's clock shows at the clip's beginning.
        """
        stated_s, found_s, room_s = self._stated_images_s(), self._images_s, self._room_s()
        if stated_s is None or stated_s - found_s <= room_s:
            others = self._container.streams.audio or self._container.streams.subtitles
            if stated_s is not None or self._kind == "asf":
                room_s = max(room_s, _LATE_S)
            elif others:
                room_s += _SOUND_S
            stated_s, found_s = self._stated_s(), self.reached_s
        if stated_s - found_s <= room_s:
            return ""
        return f"at {found_s - start_s:.2f} s; its header says {stated_s - start_s:.2f} s"

    def undecoded_s(self) -> float:
        """Return how many seconds of images at the end could not be decoded, 0 for none."""
        if self._last_packet_s is None or not self._stamps_s:
            return 0.0
        lost_s = self._last_packet_s - self._stamps_s[-1]
        return lost_s if lost_s > self._room_s() else 0.0

    def _room_s(self) -> float:
        """Return the length that may be missing; the stated rate of live recordings is too high."""
        step_s = 0.0
        if self._frames > 1:
            step_s = (self._stamps_s[-1] - self._stamps_s[0]) / (self._frames - 1)
        return _FRAMES * max(self._frame_s, step_s)

    def _stated_images_s(self) -> float | None:
        """Return the time at which the images end by the header; None when it does not say."""
        stream = self._stream
        if self._kind == "avi":  # its length was measured, its frames are stated
            return stream.frames * self._frame_s if 0 < stream.frames < _UNKNOWN else None
        own = self._kind.startswith("mov")  # elsewhere it is that of the whole file
        if own and stream.duration is not None and stream.time_base is not None:
            return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
        whole_s = (self._container.duration or 0) / 1e6
        tagged_s = _seconds(stream.metadata.get("DURATION", ""))
        if self._kind.startswith("matroska") and tagged_s and tagged_s <= whole_s + _SOUND_S:
            return tagged_s  # a tag of more than the whole is one of another file
        return None

    def _stated_s(self) -> float:
        """Return the time at which sound and images end by the header; 0 when it does not say."""
        if self._kind == "avi" or not self._kind.startswith(_STATING):
            return 0.0
        ends = [
            float(((s.start_time or 0) + s.duration) * s.time_base)
            for s in (self._stream, *self._container.streams.audio)
            if s.duration is not None and s.time_base is not None
        ]
        return max(ends, default=(self._container.duration or 0) / 1e6)


def _seconds(text: str) -> float | None:
    """Return the seconds of ``00:00:02.003000000``; None for text that is no time."""
    try:
        hours, minutes, seconds = text.split(":")
        return float(int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds))
    except ValueError:
        return None
