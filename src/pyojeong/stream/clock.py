"""Times of decoded frames from the stamps that containers give them."""

from fractions import Fraction
from typing import Any

_ZERO = Fraction(0)


_BACK_FRAMES = 2.5
_BACK_S = 0.1
"""Stamps that run back by no more than this are faulty ones, not a joint."""
_AHEAD_S = 10.0
"""In transport streams a longer step ahead is a joint, as in FFmpeg."""
_LEAST_S = 0.001
"""Time goes on by this at stamps that stand still."""
_NAMED = 3


class FrameClock:
    """Times of frames, asked for in order; they always increase.

    Of the two stamps of a frame the one that ran backwards less often so far is believed, like
    FFmpeg's ``best_effort_timestamp``. Where both do, at joints of files, time goes on with the
    next frame.

    Args:
        rate: Frames per second, for frames without a stamp; None = 25.
        start: What the container's clock shows at the clip's beginning, in seconds; times count
            from there.
        joined: The container may hold joined streams, whose stamps also jump ahead.

    Attributes:
        joints: Times of the frames at which the stamps jump.
    """

    def __init__(
        self, rate: float | None, start: Fraction = _ZERO, *, joined: bool = False
    ) -> None:
        self.joints: list[float] = []
        self._start = start
        self._joined = joined
        self._step = 1 / rate if rate else 0.04
        self._last: dict[str, int] = {}
        self._faults = {"pts": 0, "dts": 0}
        self._shift_s = 0.0
        self._last_s: float | None = None

    def __call__(self, raw: Any) -> float:
        """Time of PyAV's frame ``raw`` in seconds, behind that of the last one."""
        stamp = self._stamp(raw.pts, raw.dts)
        following = 0.0 if self._last_s is None else self._last_s + self._step
        if stamp is None or raw.time_base is None:
            seconds = following
        else:
            seconds = float(stamp * raw.time_base - self._start) + self._shift_s
            if self._last_s is not None and self._jumps(seconds - self._last_s):
                self._shift_s += following - seconds
                seconds = following
                self.joints.append(seconds)
        if self._last_s is not None and seconds <= self._last_s:
            seconds = self._last_s + _LEAST_S
        self._last_s = seconds
        return seconds

    def note(self) -> str:
        """Return a line about the joints, "" without any."""
        if not self.joints:
            return ""
        named = ", ".join(f"{time_s:.2f} s" for time_s in self.joints[:_NAMED])
        more = len(self.joints) - _NAMED
        places = f"{named} and at {more:,} more places" if more > 0 else named
        return (
            f"its time stamps jump at {places} (joined files?): times go on from the frame before"
        )

    def _jumps(self, step_s: float) -> bool:
        back_s = max(_BACK_FRAMES * self._step, _BACK_S)
        return step_s < -back_s or (self._joined and step_s > _AHEAD_S)

    def _stamp(self, pts: int | None, dts: int | None) -> int | None:
        for name, new, other in (("dts", dts, pts), ("pts", pts, dts)):
            if new is not None:
                self._faults[name] += name in self._last and new <= self._last[name]
                self._last[name] = new
            elif other is not None:
                self._last[name] = other
        believed = dts is None or self._faults["pts"] <= self._faults["dts"]
        return pts if believed and pts is not None else dts
