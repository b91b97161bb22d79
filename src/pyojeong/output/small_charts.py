"""Small charts that stand side by side: lines over time, and means with their spread.

Lines and dots of one person have the colour, dash and shape of the person's number, as in
``output.charts``: ``KINDS`` people are distinguished.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.texts import Texts, english
from pyojeong.output.charts import KINDS, Drawing, mark, text
from pyojeong.output.escaping import escaped
from pyojeong.output.timeline_svg import (
    WIDTH,
    Span,
    clock,
    mark_lanes,
    mark_shades,
    pieces,
    pooled,
    text_width,
    time_axis,
)

SMALL = 252
"""Width of a small chart in pixels."""
DOTS = 340
"""Width of a chart of means."""


@dataclass(frozen=True, slots=True)
class TimeLine:
    """One person's values over time.

    Attributes:
        kind: Number of its colour.
        times: (B,) centres of the bins in seconds.
        values: (B,), NaN = not measured.
        bin_s: Width of a bin.
    """

    kind: int
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    bin_s: float


@dataclass(frozen=True, slots=True)
class _SmallSpan(Span):
    """Times over the width of a small chart."""

    @property
    def left(self) -> float:
        """Where times begin, in pixels."""
        return 22.0


def people_key(names: Sequence[str], width: int) -> Drawing:
    """Return the colours of people with their names, in as many rows as it takes."""
    out: list[str] = []
    x, y = 0.0, 12.0
    for kind, name in enumerate(names):
        wide = 56 + text_width(name)
        if x + wide > width and x > 0:
            x, y = 0.0, y + 18
        out.append(f'<path class="k{kind % KINDS}" d="M{x} {y - 4}L{x + 26} {y - 4}"/>')
        out.append(mark(kind % KINDS, x + 13, y - 4))
        out.append(text(x + 33, y, name, kind="ink"))
        x += wide
    return Drawing(width, int(y + 8), out)


def draw_small(
    title: str,
    span: Span,
    lines: Sequence[TimeLine],
    *,
    low: float = 0.0,
    high: float = 1.0,
) -> Drawing:
    """Draw lines over time under a title; coded events are shaded."""
    place = _SmallSpan(span.start_s, span.end_s, SMALL, span.marks, span.say)
    top, bottom = 20.0, 76.0
    out = [text(0, 11, title, kind="ink")]
    coarse = [_pooled(line) for line in lines]
    out += _plot(place, coarse, (low, high), (top, bottom))
    out.append(text(place.left, bottom + 14, clock(span.start_s)))
    out.append(text(place.right, bottom + 14, clock(span.end_s), anchor="end"))
    return Drawing(SMALL, 94, out)


def draw_wide(
    span: Span,
    lines: Sequence[TimeLine],
    *,
    low: float,
    high: float,
) -> Drawing:
    """Draw lines over time in the width of a timeline, with coded events above them."""
    out, tall = mark_lanes(span, 2.0)
    top = tall + 8
    bottom = top + 130
    shown = lines if span.width >= WIDTH else [_pooled(line) for line in lines]
    out += _plot(span, shown, (low, high), (top, bottom))
    return Drawing(span.width, int(bottom + 26), [*out, *time_axis(span, bottom)])


def _pooled(line: TimeLine) -> TimeLine:
    times, values, bin_s = pooled(line.times, line.values[:, None], line.bin_s)
    return TimeLine(line.kind, times, values[:, 0], bin_s)


def _plot(
    span: Span,
    lines: Sequence[TimeLine],
    limits: tuple[float, float],
    place: tuple[float, float],
) -> list[str]:
    (low, high), (top, bottom) = limits, place

    def at(value: float) -> float:
        share = (value - low) / (high - low)
        return bottom - (bottom - top) * min(max(share, 0.0), 1.0)

    out = mark_shades(span, top, bottom)
    for value in dict.fromkeys((low, *([0.0] if low < 0 < high else []), high)):
        y = at(value)
        out.append(
            f'<line class="axis" x1="{span.left}" x2="{span.right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        out.append(text(span.left - 5, y + 4, f"{value:g}", anchor="end"))
    for line in lines:
        for piece in pieces(np.isfinite(line.values), line.times, line.bin_s):
            points = [(span.x(line.times[i]), at(float(line.values[i]))) for i in piece]
            if len(points) == 1:
                (x, y) = points[0]
                points = [(x - 1, y), (x + 1, y)]
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
            out.append(f'<path class="k{line.kind % KINDS} thin" d="M{path}"/>')
    return out


@dataclass(frozen=True, slots=True)
class Dot:
    """A mean with its spread.

    Attributes:
        kind: Number of the person's colour.
        mean: In [0, 1].
        spread: Drawn on both sides of the mean, within [0, 1].
    """

    kind: int
    mean: float
    spread: float


def draw_dots(
    title: str,
    note: str,
    rows: Sequence[tuple[str, Sequence[Dot]]],
    *,
    say: Texts | None = None,
) -> Drawing:
    """Draw means with their spread on a scale from 0 to 1: a row per name, a dot per person.

    Args:
        title: What the means are of.
        note: Under it.
        rows: (name, dots) of every measure.
        say: Messages in the language of the drawing; None = English.
    """
    say = say or english()
    left = 16 + 1.15 * max((text_width(name) for name, _ in rows), default=0.0)
    right = DOTS - 10.0
    out = [text(0, 11, _shortened(title, DOTS), kind="ink strong"), text(0, 26, note)]
    y = top = 36.0

    def at(value: float) -> float:
        return left + (right - left) * min(max(value, 0.0), 1.0)

    body: list[str] = []
    for name, dots in rows:
        tall = max(10 * len(dots), 10) + 6
        body.append(text(left - 8, y + tall / 2 + 4, name, anchor="end"))
        for i, dot in enumerate(dots):
            row_y = y + 8 + 10 * i
            low, high = at(dot.mean - dot.spread), at(dot.mean + dot.spread)
            numbers = {"mean": f"{dot.mean:.2f}", "spread": f"{dot.spread:.2f}"}
            hint = escaped(say("dot", name=name, **numbers))
            body.append(
                f'<g><line class="k{dot.kind % KINDS} whisker" x1="{low:.1f}" x2="{high:.1f}" '
                f'y1="{row_y:.1f}" y2="{row_y:.1f}"/>{mark(dot.kind % KINDS, at(dot.mean), row_y)}'
                f"<title>{hint}</title></g>"
            )
        y += tall
    for value in (0.0, 0.5, 1.0):
        out.append(
            f'<line class="axis" x1="{at(value):.1f}" x2="{at(value):.1f}" y1="{top}" y2="{y}"/>'
        )
        anchor = "end" if value == 1 else "middle"
        out.append(text(at(value) + (4 if value == 1 else 0), y + 14, f"{value:g}", anchor=anchor))
    return Drawing(DOTS, int(y + 20), [*out, *body])


def _shortened(words: str, room: float) -> str:
    if text_width(words) <= room:
        return words
    while words and text_width(words) > room - 12:
        words = words[:-1]
    return f"{words.rstrip()}\u2026"
