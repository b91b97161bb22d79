"""The moving timeline under an annotated clip: shares of the whole clip, and where it is now."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.face import Image
from pyojeong.output.drawing import Color, write
from pyojeong.output.media import COLORS

_DARK: Color = (17, 19, 23)
_EMPTY: Color = (38, 41, 47)
_TEXT: Color = (245, 246, 248)
_HOLE_S = 0.3
"""Nothing is drawn further from a measurement than this."""
_PLAYED = 0.45
"""What is still to come is darker by this share."""


@dataclass(frozen=True, slots=True)
class Row:
    """One person's timeline.

    Attributes:
        name: Stands at its left.
        times: (B,) centres of the bins, in seconds.
        scores: (B, K), NaN = not there.
    """

    name: str
    times: NDArray[np.float64]
    scores: NDArray[np.float64]


class TimelineOverlay:
    """Draws the strip once; every frame then copies it and marks the time.

    Args:
        width: Of the frames, in pixels.
        rows: At most three are drawn.
        names: Labels of the K columns.
        span_s: First and last time of the clip.
    """

    def __init__(
        self, width: int, rows: Sequence[Row], names: Sequence[str], span_s: tuple[float, float]
    ) -> None:
        shown = rows[:3]
        self._unit = max(round(width / 40), 14)
        self._left = round(self._unit * 1.6)
        self._span = span_s
        tall = self._unit if len(shown) > 1 else round(1.4 * self._unit)
        gap = max(self._unit // 5, 2)
        height = gap + max(len(shown), 1) * (tall + gap)
        height += height % 2
        self.height = height
        self._picture = np.full((height, width, 3), _DARK, np.uint8)
        for i, row in enumerate(shown):
            top = gap + i * (tall + gap)
            band = self._picture[top : top + tall, self._left : width - gap]
            band[:] = _EMPTY
            self._fill(band, row, names)
            size = 0.62 * self._unit
            write(self._picture, (gap, top + tall / 2 + size / 2.6), row.name, _TEXT, size=size)
        self._right = width - gap

    def _fill(self, band: Image, row: Row, names: Sequence[str]) -> None:
        tall, wide = band.shape[:2]
        start, end = self._span
        if not len(row.times):
            return
        at = start + (np.arange(wide) + 0.5) / wide * (end - start)
        there = np.flatnonzero(np.isfinite(row.scores[:, 0]))
        after = np.searchsorted(row.times[there], at).clip(max=len(there) - 1)
        before = np.maximum(after - 1, 0)
        near = np.where(
            np.abs(row.times[there[after]] - at) < np.abs(row.times[there[before]] - at),
            there[after],
            there[before],
        )
        heights = (np.arange(tall) + 0.5) / tall
        for x in np.flatnonzero(np.abs(row.times[near] - at) <= max(_HOLE_S, (end - start) / wide)):
            scores = row.scores[near[x]]
            which = np.searchsorted(np.cumsum(scores), heights).clip(max=len(names) - 1)
            colors = np.array([COLORS.get(names[k], _EMPTY) for k in which], np.uint8)
            band[::-1, x] = colors

    def under(self, image: Image, time_s: float) -> Image:
        """Return the frame with the strip below it, at a time: uint8 (H + ``height``, W, 3)."""
        start, end = self._span
        share = (time_s - start) / max(end - start, 1e-6)
        x = round(self._left + min(max(share, 0.0), 1.0) * (self._right - self._left - 1))
        strip = self._picture.copy()
        rest = strip[:, x + 1 : self._right]
        rest[:] = (rest * (1 - _PLAYED)).astype(np.uint8)
        strip[:, x : x + 2] = _TEXT
        return np.concatenate([image, strip])
