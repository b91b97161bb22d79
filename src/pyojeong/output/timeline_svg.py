"""Expressions over time: a timeline of shares, lines below each other, bands of events; as SVG.

Colours are those of the annotated images (``output.media.COLORS``), so that happy is the same
yellow everywhere. Holes in the data are holes in the image.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.texts import Texts, english
from pyojeong.output.charts import Drawing
from pyojeong.output.drawing import Color
from pyojeong.output.escaping import escaped
from pyojeong.output.media import COLORS

WIDTH = 1080
SLIM = 352
"""Width of the drawings for narrow screens."""
LEFT, RIGHT = 64.0, 8.0
_SLIM_LEFT = 52.0
_COARSE = 130
"""Drawings for narrow places have at most so many points."""
_LANES = 3
_EDGE_ROOM = 16
_LETTER = 6.0
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
class Mark:
    """A coded event in a drawing.

    Attributes:
        label: Written where there is room.
        number: Of its label; written where the label has no room.
        start_s: Begin.
        end_s: End.
    """

    label: str
    number: int
    start_s: float
    end_s: float

    def hint(self, say: Texts) -> str:
        """Return what is shown on hovering."""
        return f"{self.label}, {say('span', start=clock(self.start_s), end=clock(self.end_s))}"


@dataclass(frozen=True, slots=True)
class Span:
    """The times that a drawing shows, its width, and the coded events in it.

    Attributes:
        start_s: First time.
        end_s: Last time.
        width: Of the drawing, in pixels.
        marks: Coded events, in order of time.
        say: Messages in the language of the drawing.
    """

    start_s: float
    end_s: float
    width: int = WIDTH
    marks: Sequence[Mark] = ()
    say: Texts = field(default_factory=english)

    @property
    def left(self) -> float:
        """Where times begin, in pixels."""
        return LEFT if self.width >= WIDTH else _SLIM_LEFT

    @property
    def right(self) -> float:
        """Where they end."""
        return self.width - RIGHT

    def x(self, time_s: float) -> float:
        """Return where a time lies, in pixels."""
        length = max(self.end_s - self.start_s, 1e-6)
        return self.left + (self.right - self.left) * (time_s - self.start_s) / length


def mark_lanes(span: Span, y: float) -> tuple[list[str], float]:
    """Return events as labelled bars, those at the same time below one another, and their height.

    What has no room in three lanes is not drawn.
    """
    out: list[str] = []
    lanes = lanes_of(span.marks)
    for mark, lane in zip(span.marks, lanes, strict=True):
        if lane is None:
            continue
        x1 = span.x(mark.start_s)
        x2 = max(span.x(mark.end_s) - 1, x1 + 1)
        top = y + 17 * lane
        words = _fitting(mark, x2 - x1 - 6)
        place = f'x="{x1 + 3:.1f}"'
        if words == str(mark.number):
            place = f'x="{(x1 + x2) / 2:.1f}" text-anchor="middle"'
        inside = f'<text class="ink" {place} y="{top + 11.5}">{escaped(words)}</text>'
        out.append(
            f'<g><rect class="epoch" x="{x1:.1f}" y="{top}" width="{x2 - x1:.1f}" height="15" '
            f'rx="2"/>{inside if words else ""}<title>{escaped(mark.hint(span.say))}</title></g>'
        )
    return out, 17.0 * (max((lane for lane in lanes if lane is not None), default=-1) + 1)


def lanes_of(marks: Iterable[Mark]) -> list[int | None]:
    """Return the lane of every event; None = three that began earlier take them all."""
    ends: list[float] = []
    out: list[int | None] = []
    for mark in marks:
        lane = next((i for i, end in enumerate(ends) if end <= mark.start_s), len(ends))
        out.append(lane if lane < _LANES else None)
        if lane < _LANES:
            ends[lane : lane + 1] = [mark.end_s]
    return out


def _fitting(mark: Mark, room: float) -> str:
    """Return the label, its beginning, its number, or nothing."""
    wide = text_width(mark.label)
    if wide <= room:
        return mark.label
    number = str(mark.number)
    if room >= 5 * _LETTER:
        kept = mark.label
        while kept and text_width(kept) > room - _LETTER:
            kept = kept[:-1]
        return f"{kept.rstrip()}\u2026"
    return number if text_width(number) <= room + 5 else ""


def text_width(words: str) -> float:
    """Return the width of a text of 11 px, roughly: letters of East Asia are twice as wide."""
    return sum(2 * _LETTER if c >= "\u1100" else _LETTER for c in words)


def mark_shades(span: Span, top: float, bottom: float) -> list[str]:
    """Return shades behind lines where events are."""
    return [
        f'<rect class="shade" x="{span.x(m.start_s):.1f}" y="{top}" '
        f'width="{max(span.x(m.end_s) - span.x(m.start_s), 0.8):.1f}" height="{bottom - top}">'
        f"<title>{escaped(m.hint(span.say))}</title></rect>"
        for m in span.marks
    ]


def _edges(span: Span, top: float, bottom: float) -> list[str]:
    """Return lines where events begin and end, over areas that a shade would not show on.

    There are none where they would hide what is below.
    """
    times = sorted({t for m in span.marks for t in (m.start_s, m.end_s)})
    if len(times) * _EDGE_ROOM > span.width:
        return []
    return [
        f'<line class="edge" x1="{span.x(t):.1f}" x2="{span.x(t):.1f}" y1="{top}" y2="{bottom}"/>'
        for t in times
    ]


def time_axis(span: Span, y: float) -> list[str]:
    """Return a line with times under it."""
    steps = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
    length = span.end_s - span.start_s
    room = max((span.right - span.left) / 84, 1)
    step = next((s for s in steps if length / s <= room), steps[-1])
    out = [f'<line class="axis" x1="{span.left}" x2="{span.right}" y1="{y}" y2="{y}"/>']
    first = int(np.ceil(span.start_s / step - 1e-9))
    for i in range(first, int(np.floor(span.end_s / step + 1e-9)) + 1):
        x = span.x(i * step)
        out.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + 4}"/>')
        anchor = "end" if x > span.width - 24 else "middle"
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
    if span.width < WIDTH:
        times, scores, bin_s = pooled(times, scores, bin_s)
    out, top = _key(names, span)
    lanes, tall = mark_lanes(span, top)
    out += lanes
    if lanes:
        place = f'x="{span.left - 8}" y="{top + 11.5}" text-anchor="end"'
        out.append(f"<text {place}>{span.say('chart.coded')}</text>")
    top += tall + (4 if lanes else 0)
    for piece in pieces(np.isfinite(scores[:, 0]), times, bin_s):
        below = np.zeros(len(piece))
        at = times[piece]
        xs = [span.x(t) for t in (at[0] - bin_s / 2, *at, at[-1] + bin_s / 2)]
        for k, name in enumerate(names):
            above = below + scores[piece, k]
            path = _band(xs, _ended(below), _ended(above), top, height)
            title = f"<title>{escaped(span.say.label(name))}</title>"
            series = f'data-series="{escaped(name)}"'
            out.append(f'<path {series} d="{path}" fill="{color_of(name)}">{title}</path>')
            below = above
    y = top + height
    out += _edges(span, top, y)
    for share, words in ((0.0, "100 %"), (0.5, "50 %"), (1.0, "0 %")):
        edge = top + share * height + 4
        out.append(f'<text x="{span.left - 8}" y="{edge:.1f}" text-anchor="end">{words}</text>')
    y += 6
    for label, start, end, hint in bands:
        x1, x2 = span.x(start), span.x(end)
        out.append(
            f'<rect x="{x1:.1f}" y="{y}" width="{max(x2 - x1, 1.2):.1f}" height="12" '
            f'fill="{color_of(label)}"><title>{escaped(hint)}</title></rect>'
        )
    place = f'x="{span.left - 8}" y="{y + 10}" text-anchor="end"'
    out.append(f"<text {place}>{span.say('chart.answer')}</text>")
    return Drawing(span.width, int(y + 40), [*out, *time_axis(span, y + 16)])


def _key(names: Sequence[str], span: Span) -> tuple[list[str], float]:
    """Return colours and their names, in as many rows as it takes, and where these end."""
    out, x, y = [], span.left, 3.0
    for name in (*names, "unclear"):
        shown = span.say.label(name)
        wide = 26 + 6.4 / _LETTER * text_width(shown)
        if x + wide > span.width and x > span.left:
            x, y = span.left, y + 17
        out.append(f'<rect x="{x}" y="{y}" width="11" height="11" rx="2" fill="{color_of(name)}"/>')
        out.append(f'<text x="{x + 16}" y="{y + 9.5}">{escaped(shown)}</text>')
        x += wide
    return out, y + 21


def pooled(
    times: NDArray[np.float64], values: NDArray[np.float64], bin_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return fewer bins of means, for narrow drawings: their centres, values and width.

    Args:
        times: (B,) centres of the bins in seconds.
        values: (B, K), NaN = not measured.
        bin_s: Width of a bin.
    """
    each = -(-len(times) // _COARSE)
    if each <= 1:
        return times, values, bin_s
    rest = -len(times) % each
    full = np.pad(values, ((0, rest), (0, 0)), constant_values=np.nan)
    blocks = full.reshape(-1, each, values.shape[1])
    known = np.isfinite(blocks).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.nansum(blocks, axis=1) / np.where(known, known, np.nan)
    centres = times[0] + ((np.arange(len(blocks)) + 0.5) * each - 0.5) * bin_s
    return centres, means, bin_s * each


def _ended(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([values[:1], values, values[-1:]])


def pieces(
    known: NDArray[np.bool_], times: NDArray[np.float64], bin_s: float
) -> list[NDArray[np.intp]]:
    """Return the bins of every stretch without a hole; less than 0.3 seconds is none."""
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
    span: Span,
    times: NDArray[np.float64],
    traces: Sequence[Trace],
    *,
    bin_s: float,
) -> Drawing:
    """Lines over time, one below the other, each on its own scale; coded events shaded."""
    out: list[str] = []
    y = 16.0
    for trace in traces:
        tall = 54.0
        at_s, values, wide_s = times, trace.values, bin_s
        if span.width < WIDTH:
            at_s, columns, wide_s = pooled(times, trace.values[:, None], bin_s)
            values = columns[:, 0]

        def at(value: float, y: float = y, trace: Trace = trace) -> float:
            share = (value - trace.low) / (trace.high - trace.low)
            return y + 54.0 * (1 - min(max(share, 0.0), 1.0))

        out += mark_shades(span, y, y + tall)
        out.append(
            f'<rect x="{span.left}" y="{y}" width="{span.right - span.left}" height="{tall}" '
            'fill="none" class="axis" stroke-width="1"/>'
        )
        out.append(f'<text class="ink" x="{span.left}" y="{y - 4}">{escaped(trace.label)}</text>')
        for value in (trace.low, trace.high):
            edge = at(value) + (10 if value == trace.high else 0)
            place = f'x="{span.left - 8}" y="{edge:.1f}" text-anchor="end"'
            out.append(f"<text {place}>{value:g}</text>")
        if trace.low < 0 < trace.high:
            out.append(
                f'<line class="axis" x1="{span.left}" x2="{span.right}" y1="{at(0):.1f}" '
                f'y2="{at(0):.1f}"/>'
            )
        for piece in pieces(np.isfinite(values), at_s, wide_s):
            points = [f"{span.x(at_s[i]):.1f} {at(float(values[i])):.1f}" for i in piece]
            out.append(f'<path class="k0" d="M{"L".join(points)}"/>')
        for mark in trace.marks:
            x = span.x(mark)
            out.append(
                f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{y + tall - 10}" '
                f'y2="{y + tall}"><title>{clock(mark)}</title></line>'
            )
        y += tall + 22
    return Drawing(span.width, int(y + 10), [*out, *time_axis(span, y - 14)])
