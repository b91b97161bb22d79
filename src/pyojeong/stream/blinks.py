"""Blinks from the openness of two eyes over time.

What counts as closed depends on what is usual for the person: the median openness of the last ten
seconds with open eyes, but at least 0.6. Eyes close when both fall below half of it, and open when
one rises above 0.7 of it; the two limits keep trembling lids from counting many times. Both eyes
must close (winks are not blinks). Closures of up to 0.5 s are blinks; longer ones are closed eyes.
What is shorter than the distance of two frames is easily missed.
"""

from collections import deque
from dataclasses import dataclass, field

USUAL_S = 10.0
"""The usual openness is that of so many last seconds."""
LEAST_USUAL = 0.6
"""It is at least this much."""
CLOSING, OPENING = 0.5, 0.7
"""Shares of the usual openness below which eyes close, and above which they open again."""
LONGEST_S = 0.5
"""Longer closures are no blinks."""
_GAP_S = 0.25
"""A hole in the measurement of more than this ends a closure; it is no blink then."""


@dataclass(frozen=True, slots=True)
class Closure:
    """Eyes that were closed for a while.

    Attributes:
        track_id: Whose.
        start_s: First frame on which they were.
        end_s: First frame on which they were open again.
    """

    track_id: int
    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """How long, in seconds; right to about a frame."""
        return self.end_s - self.start_s

    @property
    def blink(self) -> bool:
        """Whether it was short enough for a blink."""
        return self.length_s <= LONGEST_S


@dataclass(slots=True)
class BlinkCounter:
    """Finds the closures of one track; frames are given in order of time."""

    track_id: int
    measured_s: float = 0.0
    _usual: deque[tuple[float, float]] = field(default_factory=deque)
    _since_s: float | None = None
    _last_s: float | None = None

    def add(self, time_s: float, openness: tuple[float, float] | None) -> Closure | None:
        """Take one frame; returns a closure that ends with it."""
        if openness is None:
            return None
        gap = 0.0 if self._last_s is None else time_s - self._last_s
        broken = self.finish() if gap > _GAP_S else None
        self.measured_s += gap if gap <= _GAP_S else 0.0
        self._last_s = time_s
        wide, usual = max(openness), self._level(time_s)
        if self._since_s is None:
            if wide < CLOSING * usual:
                self._since_s = time_s
            else:
                self._remember(time_s, wide)
            return broken
        if wide <= OPENING * usual:
            return None
        closure = Closure(self.track_id, self._since_s, time_s)
        self._since_s = None
        self._remember(time_s, wide)
        return closure

    def finish(self) -> Closure | None:
        """End of the track, or a hole: eyes that were closed for longer than a blink count."""
        since, last = self._since_s, self._last_s
        self._since_s = None
        if since is None or last is None or last - since <= LONGEST_S:
            return None
        return Closure(self.track_id, since, last)

    def forget(self, time_s: float) -> None:
        """Let go of what is too old to count at this time."""
        while self._usual and time_s - self._usual[0][0] > USUAL_S:
            self._usual.popleft()

    def _remember(self, time_s: float, wide: float) -> None:
        self._usual.append((time_s, wide))

    def _level(self, time_s: float) -> float:
        """Return the usual openness."""
        self.forget(time_s)
        values = sorted(v for _, v in self._usual)
        return max(values[len(values) // 2], LEAST_USUAL) if values else LEAST_USUAL
