"""Times of decoded frames from the stamps that containers give them."""

from fractions import Fraction
from typing import Any

_ZERO = Fraction(0)


class FrameClock:
    """Times of frames, asked for in order.

    Of the two stamps of a frame the one that ran backwards less often so far is believed, like
    FFmpeg's ``best_effort_timestamp``. Where both do, at joints of transport streams, time goes on.

    Args:
        rate: Frames per second, for frames without a stamp; None = 25.
        start: What the container's clock shows at the clip's beginning, in seconds; times count
            from there.
    """

    def __init__(self, rate: float | None, start: Fraction = _ZERO) -> None:
        self._start = start
        self._step = 1 / rate if rate else 0.04
        self._last: dict[str, int] = {}
        self._faults = {"pts": 0, "dts": 0}
        self._shift_s = 0.0
        self._last_s: float | None = None

    def __call__(self, raw: Any) -> float:
        """Time of PyAV's frame ``raw`` in seconds, never before that of the last one."""
        stamp = self._stamp(raw.pts, raw.dts)
        following = 0.0 if self._last_s is None else self._last_s + self._step
        if stamp is None or raw.time_base is None:
            seconds = following
        else:
            seconds = float(stamp * raw.time_base - self._start) + self._shift_s
            if self._last_s is not None and seconds < self._last_s - 1:
                self._shift_s += following - seconds
                seconds = following
        self._last_s = max(seconds, seconds if self._last_s is None else self._last_s)
        return self._last_s

    def _stamp(self, pts: int | None, dts: int | None) -> int | None:
        for name, new, other in (("dts", dts, pts), ("pts", pts, dts)):
            if new is not None:
                self._faults[name] += name in self._last and new <= self._last[name]
                self._last[name] = new
            elif other is not None:
                self._last[name] = other
        believed = dts is None or self._faults["pts"] <= self._faults["dts"]
        return pts if believed and pts is not None else dts
