"""Line charts and scatter plots as SVG elements, for ``output.page``.

Text is 11 px and is measured roughly, because nothing here knows the reader's font.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pyojeong.output.escaping import escaped

KINDS = 4
"""So many colours and shapes are distinguished; further ones starts again."""

_LETTER = 6.0  # mean width of a letter at 11 px
_LINE = 13.0

Form = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Line:
    """A named line.

    Attributes:
        label: Stands at its end.
        points: (x, y), x rising.
    """

    label: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Spot:
    """A point of a scatter plot.

    Attributes:
        x: Positive; drawn by its logarithm.
        y: Value.
        low: Lower end of its whisker.
        high: Upper end.
        label: Stands beside it where there is room; "" = never.
        hint: Shown on hovering, all of it.
        kind: Number of its colour and shape.
    """

    x: float
    y: float
    low: float
    high: float
    label: str
    hint: str
    kind: int = 0


@dataclass(frozen=True, slots=True)
class Drawing:
    """SVG elements and the size of their canvas in pixels."""

    width: int
    height: int
    elements: list[str]


@dataclass(frozen=True, slots=True)
class _Rect:
    """Where something is drawn, so that labels keep clear of it."""

    x1: float
    y1: float
    x2: float
    y2: float

    def meets(self, other: "_Rect") -> bool:
        return (
            self.x1 < other.x2 and other.x1 < self.x2 and self.y1 < other.y2 and other.y1 < self.y2
        )


def steps(low: float, high: float, *, about: int = 5) -> list[float]:
    """Round numbers that cover [low, high]."""
    span = (high - low) or abs(high) or 1.0
    raw = span / about
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * m for m in (1, 2, 2.5, 5, 10) if unit * m >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]


def log_steps(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten that lie in [low, high]."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [m * 10.0**p for p in powers for m in (1, 2, 5)]
    return [v for v in found if low * 0.999 <= v <= high * 1.001]


def text(x: float, y: float, words: str, *, anchor: str = "start", kind: str = "") -> str:
    """Return one line of text; ``y`` is its base line."""
    extra = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escaped(words)}</text>'


def draw_lines(
    lines: Sequence[Line], *, x_words: str, form: Form, width: int = 352, height: int = 200
) -> Drawing:
    """Lines over whole-numbered steps, each with its label at its end."""
    lines = [line for line in lines if line.points]
    points = [p for line in lines for p in line.points] or [(0.0, 0.0)]
    ticks = steps(min(y for _, y in points), max(y for _, y in points), about=4)
    x_low, x_high = min(x for x, _ in points), max(x for x, _ in points)
    left = 8 + _LETTER * max(len(form(t)) for t in ticks)
    right = width - 10 - _LETTER * max((len(line.label) for line in lines), default=0)
    top, bottom = 10.0, height - 34.0

    def at(x: float, y: float) -> tuple[float, float]:
        share = (x - x_low) / (x_high - x_low) if x_high > x_low else 0.5
        rise = (y - ticks[0]) / (ticks[-1] - ticks[0])
        return left + share * (right - left), bottom - rise * (bottom - top)

    out = []
    for tick in ticks:
        y = at(x_low, tick)[1]
        out.append(
            f'<line class="axis" x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        out.append(text(left - 5, y + 4, form(tick), anchor="end"))
    whole = {x for x in steps(x_low, x_high, about=4) if x_low < x <= x_high and x == int(x)}
    out += [
        text(at(x, ticks[0])[0], bottom + 15, f"{x:g}", anchor="middle")
        for x in sorted(whole | {x_low})
    ]
    out.append(text((left + right) / 2, height - 4, x_words, anchor="middle"))
    ends = _apart([at(*line.points[-1])[1] for line in lines], top, bottom)
    for i, line in enumerate(lines):
        out += _line(line, i % KINDS, [at(*p) for p in line.points], form)
        out.append(text(right + 6, ends[i] + 4, line.label, kind=f"t{i % KINDS}"))
    return Drawing(width, height, out)


def _line(line: Line, kind: int, places: list[tuple[float, float]], form: Form) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    out = [f'<polyline class="k{kind}" points="{path}"/>']
    for (x, y), (px, py) in zip(line.points, places, strict=True):
        hint = escaped(f"{line.label}, {x:g}: {form(y)}")
        out.append(
            f'<circle class="d{kind}" cx="{px:.1f}" cy="{py:.1f}" r="2.2"><title>{hint}</title>'
            "</circle>"
        )
    return out


def _apart(wanted: list[float], top: float, bottom: float) -> list[float]:
    """Heights near the wanted ones, a line of text from each other."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    out = list(wanted)
    for before, after in pairwise(order):
        out[after] = max(out[after], out[before] + _LINE)
    over = max((out[i] for i in order), default=top) - bottom
    if over > 0:
        limit = bottom
        for i in reversed(order):
            out[i] = min(out[i], limit)
            limit = out[i] - _LINE
    return out


def draw_scatter(
    spots: Sequence[Spot],
    *,
    kinds: Sequence[str],
    x_words: str,
    y_words: str,
    forms: tuple[Form, Form],
    width: int = 760,
) -> Drawing:
    """Points with whiskers over a logarithmic axis; labels only where they are free of others.

    Args:
        spots: At least one.
        kinds: Words for every ``kind``, the legend.
        x_words: What x is.
        y_words: What y is.
        forms: How x and y are written.
        width: Of the drawing, in pixels.
    """
    height = 420 if width > 500 else 380
    x_form, y_form = forms
    ticks = steps(min(s.low for s in spots), max(s.high for s in spots), about=7)
    x_low = min(s.x for s in spots) / 1.25
    x_high = max(s.x for s in spots) * 1.25
    left, right = 8 + _LETTER * max(len(y_form(t)) for t in ticks), width - 12.0
    legend, top = _legend(kinds, left, right)
    bottom = height - 36.0

    def at(x: float, y: float) -> tuple[float, float]:
        share = math.log(x / x_low) / math.log(x_high / x_low)
        rise = (y - ticks[0]) / (ticks[-1] - ticks[0])
        return left + share * (right - left), bottom - rise * (bottom - top)

    out = [*legend, text(left, top - 8, y_words)]
    for tick in ticks:
        y = at(x_low, tick)[1]
        out.append(
            f'<line class="axis" x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        out.append(text(left - 5, y + 4, y_form(tick), anchor="end"))
    last = -math.inf
    for tick in log_steps(x_low, x_high):
        x, half = at(tick, ticks[0])[0], _LETTER * len(x_form(tick)) / 2
        if x - half > last and x + half <= width:
            out.append(text(x, bottom + 15, x_form(tick), anchor="middle"))
            last = x + half + 4
    out.append(text((left + right) / 2, height - 4, x_words, anchor="middle"))
    marks = [(spot, *at(spot.x, spot.y)) for spot in spots]
    for spot, x, y in marks:
        out.append(_spot(spot, x, y, at(spot.x, spot.low)[1], at(spot.x, spot.high)[1]))
    out += _labels(marks, _Rect(left, top, width, bottom))
    return Drawing(width, height, out)


def _legend(kinds: Sequence[str], left: float, right: float) -> tuple[list[str], float]:
    """Return marks with words, in as many lines as it takes.

    And where the plot begins below them.
    """
    if len(kinds) < 2:
        return [], 26.0
    out, x, y = [], left, 12.0
    for i, words in enumerate(kinds):
        wide = 14 + _LETTER * len(words) + 16
        if x + wide > right and x > left:
            x, y = left, y + 16
        out += [mark(i % KINDS, x + 5, y - 4), text(x + 14, y, words, kind="ink")]
        x += wide
    return out, y + 32


def mark(kind: int, x: float, y: float) -> str:
    """Return the shape of a kind."""
    if kind == 0:
        return f'<circle class="d0" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
    around = {
        1: ((-4, -4), (4, -4), (4, 4), (-4, 4)),
        2: ((0, -5.5), (5, 4), (-5, 4)),
        3: ((0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)),
    }[kind]
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in around)
    return f'<polygon class="d{kind}" points="{points}"/>'


def _spot(spot: Spot, x: float, y: float, low: float, high: float) -> str:
    kind = spot.kind % KINDS
    whisker = (
        f'<line class="k{kind} whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
    )
    return f"<g>{whisker}{mark(kind, x, y)}<title>{escaped(spot.hint)}</title></g>"


def _labels(marks: Sequence[tuple[Spot, float, float]], frame: _Rect) -> list[str]:
    """Return the labels in the first free place around their points.

    The first kind's best choose first.
    """
    taken = [_Rect(x - 5, y - 5, x + 5, y + 5) for _, x, y in marks]
    out = []
    for spot, x, y in sorted(marks, key=lambda m: (m[0].kind, -m[0].y)):
        wide = _LETTER * len(spot.label)
        if not spot.label:
            continue
        for dx, dy, anchor in _AROUND:
            start = x + dx - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
            box = _Rect(start - 3, y + dy - 10, start + wide + 3, y + dy + 2)
            inside = (
                frame.x1 <= box.x1
                and box.x2 <= frame.x2
                and frame.y1 - 6 <= box.y1
                and box.y2 <= frame.y2
            )
            if inside and not any(box.meets(other) for other in taken):
                taken.append(box)
                out.append(text(x + dx, y + dy, spot.label, anchor=anchor, kind="ink"))
                break
    return out


_AROUND = (
    (8, 4, "start"),
    (-8, 4, "end"),
    (8, -6, "start"),
    (8, 14, "start"),
    (-8, -6, "end"),
    (-8, 14, "end"),
    (0, -10, "middle"),
    (0, 18, "middle"),
)
