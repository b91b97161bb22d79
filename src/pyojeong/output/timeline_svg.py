"""Expressions over time: a timeline of shares, lines below each other, bands of events; as SVG.

Colours are those of the annotated images (``output.media.COLORS``), so that happy is the same
yellow everywhere. Holes in the data are holes in the image.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyojeong.output.charts import Drawing
from pyojeong.output.drawing import Color
from pyojeong.output.escaping import escaped
from pyojeong.output.media import COLORS

WIDTH = 1080
LEFT, RIGHT = 64.0, 8.0
UNCLEAR = "#8f959d"
_HOLE_S = 0.3


def css(color: Color) -> str:
    """Return an RGB colour for SVG."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def color_of(label: str) -> str:
    """Return the colour of a label, or of ``"unclear"``."""
    return css(COLORS[label]) if label in COLORS else UNCLEAR


def clock(seconds: float) -> str:
    """Minutes and seconds, with hours when there are any: ``1:02:03`` or ``0:07.5``."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest // 10:02d}"
    return f"{minutes}:{rest // 10:02d}" + (f".{rest % 10}" if rest % 10 else "")


@dataclass(frozen=True, slots=True)
class Span:
    """The times that a drawing shows."""

    start_s: float
    end_s: float

    def x(self, time_s: float) -> float:
        """Return where a time lies, in pixels."""
        length = max(self.end_s - self.start_s, 1e-6)
        return LEFT + (WIDTH - LEFT - RIGHT) * (time_s - self.start_s) / length


def time_axis(span: Span, y: float) -> list[str]:
    """Return a line with times under it."""
    steps = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
    length = span.end_s - span.start_s
    step = next((s for s in steps if length / s <= 12), steps[-1])
    out = [f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>']
    first = int(np.ceil(span.start_s / step - 1e-9))
    for i in range(first, int(np.floor(span.end_s / step + 1e-9)) + 1):
        x = span.x(i * step)
        out.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + 4}"/>')
        anchor = "end" if x > WIDTH - 24 else "middle"
        out.append(
            f'<text x="{x:.1f}" y="{y + 16}" text-anchor="{anchor}">{clock(i * step)}</text>'
        )
    return out


def draw_timeline(
    span: Span,
    times: NDArray[np.float64],
    scores: NDArray[np.float64],
    names: Sequence[str],
    *,
    bin_s: float,
    height: float = 120.0,
    bands: Iterable[tuple[str, float, float, str]] = (),
) -> Drawing:
    """Stacked scores over time, and below them bands of what was answered.

    Args:
        span: Times shown.
        times: (B,) centres of the bins in seconds.
        scores: (B, K), rows sum to 1; NaN = nobody there.
        names: Labels of the K columns; drawn in this order from below.
        bin_s: Width of a bin.
        height: Of the timeline in pixels.
        bands: (label, start, end, hint) of every stretch of one answer.
    """
    top, out = 24.0, _key(names)
    for piece in _pieces(np.isfinite(scores[:, 0]), times, bin_s):
        below = np.zeros(len(piece))
        at = times[piece]
        xs = [span.x(t) for t in (at[0] - bin_s / 2, *at, at[-1] + bin_s / 2)]
        for k, name in enumerate(names):
            above = below + scores[piece, k]
            path = _band(xs, _ended(below), _ended(above), top, height)
            title = f"<title>{escaped(name)}</title>"
            out.append(f'<path d="{path}" fill="{color_of(name)}">{title}</path>')
            below = above
    y = top + height
    for share, words in ((0.0, "100 %"), (0.5, "50 %"), (1.0, "0 %")):
        edge = top + share * height + 4
        out.append(f'<text x="{LEFT - 8}" y="{edge:.1f}" text-anchor="end">{words}</text>')
    y += 6
    for label, start, end, hint in bands:
        x1, x2 = span.x(start), span.x(end)
        out.append(
            f'<rect x="{x1:.1f}" y="{y}" width="{max(x2 - x1, 1.2):.1f}" height="12" '
            f'fill="{color_of(label)}"><title>{escaped(hint)}</title></rect>'
        )
    out.append(f'<text x="{LEFT - 8}" y="{y + 10}" text-anchor="end">answer</text>')
    return Drawing(WIDTH, int(y + 40), [*out, *time_axis(span, y + 16)])


def _key(names: Sequence[str]) -> list[str]:
    """Colours and their names, in one row."""
    out, x = [], LEFT
    for name in (*names, "unclear"):
        out.append(f'<rect x="{x}" y="3" width="11" height="11" rx="2" fill="{color_of(name)}"/>')
        out.append(f'<text x="{x + 16}" y="12.5">{escaped(name)}</text>')
        x += 26 + 6.4 * len(name)
    return out


def _ended(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([values[:1], values, values[-1:]])


def _pieces(
    known: NDArray[np.bool_], times: NDArray[np.float64], bin_s: float
) -> list[NDArray[np.intp]]:
    """Numbers of the bins of every stretch without a hole; less than 0.3 seconds is none."""
    there = np.flatnonzero(known)
    breaks = np.flatnonzero(np.diff(times[there]) > max(1.5 * bin_s, _HOLE_S)) + 1
    return [piece for piece in np.split(there, breaks) if len(piece)]


def _band(
    xs: Sequence[float],
    below: NDArray[np.float64],
    above: NDArray[np.float64],
    top: float,
    height: float,
) -> str:
    up = [f"{x:.1f} {top + height * (1 - v):.1f}" for x, v in zip(xs, above, strict=True)]
    back = [f"{x:.1f} {top + height * (1 - v):.1f}" for x, v in zip(xs, below, strict=True)]
    return "M" + "L".join(up) + "L" + "L".join(reversed(back)) + "Z"


@dataclass(frozen=True, slots=True)
class Trace:
    """One line of ``draw_traces``.

    Attributes:
        label: What it is, with its unit.
        values: (B,), NaN = not measured.
        low: Value at the lower edge.
        high: Value at the upper edge.
        marks: Times that are marked (blinks).
    """

    label: str
    values: NDArray[np.float64]
    low: float
    high: float
    marks: Sequence[float] = ()


def draw_traces(
    span: Span, times: NDArray[np.float64], traces: Sequence[Trace], *, bin_s: float
) -> Drawing:
    """Lines over time, one below the other, each on its own scale."""
    out: list[str] = []
    y = 4.0
    for trace in traces:
        tall = 54.0

        def at(value: float, y: float = y, trace: Trace = trace) -> float:
            share = (value - trace.low) / (trace.high - trace.low)
            return y + 54.0 * (1 - min(max(share, 0.0), 1.0))

        out.append(
            f'<rect x="{LEFT}" y="{y}" width="{WIDTH - LEFT - RIGHT}" height="{tall}" '
            'fill="none" class="axis" stroke-width="1"/>'
        )
        out.append(f'<text class="ink" x="{LEFT + 6}" y="{y + 13}">{escaped(trace.label)}</text>')
        for value in (trace.low, trace.high):
            edge = at(value) + (10 if value == trace.high else 0)
            out.append(f'<text x="{LEFT - 8}" y="{edge:.1f}" text-anchor="end">{value:g}</text>')
        if trace.low < 0 < trace.high:
            out.append(
                f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at(0):.1f}" '
                f'y2="{at(0):.1f}"/>'
            )
        for piece in _pieces(np.isfinite(trace.values), times, bin_s):
            points = [f"{span.x(times[i]):.1f} {at(float(trace.values[i])):.1f}" for i in piece]
            out.append(f'<path class="k0" d="M{"L".join(points)}"/>')
        for mark in trace.marks:
            x = span.x(mark)
            out.append(
                f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{y + tall - 10}" '
                f'y2="{y + tall}"><title>{clock(mark)}</title></line>'
            )
        y += tall + 8
    return Drawing(WIDTH, int(y + 24), [*out, *time_axis(span, y)])
