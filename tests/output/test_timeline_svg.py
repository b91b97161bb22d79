"""Rivers, traces and strips show the numbers that they are given."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from pyojeong.core.labels import FER7
from pyojeong.output.media import COLORS
from pyojeong.output.timeline_overlay import Row, TimelineOverlay
from pyojeong.output.timeline_svg import (
    LEFT,
    RIGHT,
    SLIM,
    WIDTH,
    Mark,
    Span,
    Trace,
    clock,
    draw_timeline,
    draw_traces,
    lanes_of,
    pooled,
    text_width,
)

NAMES = FER7.names
SPAN = Span(0.0, 10.0)


def svg(drawing):
    text = f'<svg xmlns="http://www.w3.org/2000/svg">{"".join(drawing.elements)}</svg>'
    return ET.fromstring(text)


def scores_of(label, count):
    out = np.zeros((count, 7))
    out[:, NAMES.index(label)] = 1
    return out


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0:00"), (7.5, "0:07.5"), (59.96, "1:00"), (61, "1:01"), (3723, "1:02:03")],
)
def test_clock(seconds, words):
    assert clock(seconds) == words


def test_areas_of_the_river_are_the_shares():
    times = np.arange(10) + 0.5
    scores = np.full((10, 7), 0.05)
    scores[:, 3] = 0.7
    drawing = draw_timeline(SPAN, times, scores, NAMES, bin_s=1.0, height=100)
    root = svg(drawing)
    areas = {}
    for path in root.iter("{http://www.w3.org/2000/svg}path"):
        points = np.array(
            [[float(v) for v in p.split()] for p in re.findall(r"[\d.]+ [\d.]+", path.get("d"))]
        )
        x, y = points.T
        area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
        areas[path[0].text] = area / ((WIDTH - LEFT - RIGHT) * 100)
    assert areas["happy"] == pytest.approx(0.7, abs=0.002)
    assert sum(areas.values()) == pytest.approx(1.0, abs=0.005)


def test_a_hole_stays_a_hole_and_a_missing_bin_does_not():
    times = np.arange(100) / 10 + 0.05
    scores = scores_of("sad", 100)
    scores[40:60] = np.nan  # two seconds
    scores[80] = np.nan  # a tenth of one
    root = svg(draw_timeline(SPAN, times, scores, NAMES, bin_s=0.1))
    pieces = [p for p in root.iter() if p.tag.endswith("path") and p[0].text == "sad"]
    assert len(pieces) == 2


def test_bands_and_marks_lie_where_their_times_are():
    bands = [("happy", 2.0, 4.0, "happy < & >")]
    root = svg(
        draw_timeline(SPAN, np.array([5.0]), scores_of("sad", 1), NAMES, bin_s=1, bands=bands)
    )
    (band,) = [r for r in root.iter() if r.tag.endswith("rect") and len(r)]
    assert float(band.get("x")) == pytest.approx(SPAN.x(2.0), abs=0.1)
    assert float(band.get("width")) == pytest.approx(SPAN.x(4.0) - SPAN.x(2.0), abs=0.2)
    assert band[0].text == "happy < & >"
    trace = Trace("eyes", np.array([0.5]), 0, 1, [7.0])
    root = svg(draw_traces(SPAN, np.array([5.0]), [trace], bin_s=1.0))
    (mark,) = [e for e in root.iter() if e.get("class") == "mark"]
    assert float(mark.get("x1")) == pytest.approx(SPAN.x(7.0), abs=0.1)


def test_nobody_is_an_empty_river():
    drawing = draw_timeline(SPAN, np.zeros(0), np.zeros((0, 7)), NAMES, bin_s=1.0)
    assert not [e for e in svg(drawing).iter() if e.tag.endswith("path")]


def test_the_strip_shows_colours_in_time_and_where_it_is():
    times = np.arange(100) / 10 + 0.05
    scores = np.concatenate([scores_of("sad", 50), scores_of("happy", 50)])
    strip = TimelineOverlay(640, [Row("#1", times, scores)], NAMES, (0.0, 10.0))
    frame = np.full((360, 640, 3), 200, np.uint8)
    shown = strip.under(frame, 10.0)
    assert shown.shape == (360 + strip.height, 640, 3)
    assert strip.height % 2 == 0
    assert (shown[:360] == frame).all()
    row = shown[360 + strip.height // 2]
    assert tuple(row[150]) == COLORS["sad"]
    assert tuple(row[560]) == COLORS["happy"]
    begin = strip.under(frame, 0.0)[360 + strip.height // 2]
    assert begin[560].sum() < row[560].sum()  # still to come: darker
    assert not np.array_equal(strip.under(frame, 3.0), strip.under(frame, 6.0))


def test_a_strip_without_people_and_with_many():
    frame = np.zeros((90, 160, 3), np.uint8)
    assert TimelineOverlay(160, [], NAMES, (0.0, 1.0)).under(frame, 0.5).shape[1] == 160
    rows = [Row(f"#{i}", np.array([0.5]), scores_of("fear", 1)) for i in range(9)]
    tall = TimelineOverlay(160, rows, NAMES, (0.0, 1.0)).height
    assert tall == TimelineOverlay(160, rows[:3], NAMES, (0.0, 1.0)).height


# --- coded events ---

MARKS = (
    Mark("film & more", 1, 0.0, 5.0),
    Mark("말하는 사람이 바뀐다", 2, 2.0, 3.0),
    Mark("c", 3, 2.5, 4.0),
    Mark("d", 4, 2.6, 2.7),
    Mark("film & more", 1, 5.0, 9.0),
)


def test_events_at_one_time_lie_below_one_another():
    assert lanes_of(MARKS) == [0, 1, 2, None, 0]


@pytest.mark.parametrize("width", [WIDTH, SLIM])
def test_labels_of_events_stay_in_their_bars(width):
    span = Span(0.0, 10.0, width, MARKS)
    scores = np.full((10, 7), 1 / 7)
    root = svg(draw_timeline(span, np.arange(10) + 0.5, scores, NAMES, bin_s=1.0))
    ns = "{http://www.w3.org/2000/svg}"
    bars = [g for g in root.iter(f"{ns}g") if g.find(f"{ns}rect").get("class") == "epoch"]
    assert len(bars) == 4
    for bar in bars:
        rect, words = bar.find(f"{ns}rect"), bar.find(f"{ns}text")
        left, wide = float(rect.get("x")), float(rect.get("width"))
        assert left + wide <= span.x(10.0)
        if words is not None:
            half = words.get("text-anchor") == "middle"
            room = text_width(words.text) / (2 if half else 1)
            assert float(words.get("x")) + room <= left + wide
    assert bars[0].find(f"{ns}title").text == "film & more, 0:00 to 0:05"
    for words in root.iter(f"{ns}text"):
        x, room = float(words.get("x")), text_width(words.text)
        start = {"end": x - room, "middle": x - room / 2}.get(words.get("text-anchor"), x)
        assert start >= -1
        assert start + room <= width + 8


def test_lines_of_many_events_do_not_hide_the_areas():
    few = Span(0.0, 10.0, WIDTH, MARKS)
    many = Span(0.0, 10.0, WIDTH, [Mark("a", 1, i / 10, i / 10 + 0.05) for i in range(90)])
    scores = np.full((10, 7), 1 / 7)
    counts = [
        sum("edge" in each for each in draw_timeline(
            span, np.arange(10) + 0.5, scores, NAMES, bin_s=1.0).elements)
        for span in (few, many)
    ]  # fmt: skip
    assert counts == [9, 0]


def test_narrow_drawings_have_the_same_means():
    times, values = np.arange(400) + 0.5, np.sin(np.arange(400.0))[:, None]
    values[100:200] = np.nan
    centres, means, bin_s = pooled(times, values, 1.0)
    assert bin_s == 4
    assert centres[:2].tolist() == [2.0, 6.0]
    assert means[0] == pytest.approx(values[:4].mean())
    assert np.isnan(means[25:50]).all()
    assert np.isfinite(means[:25]).all()
    same = pooled(times[:50], values[:50], 1.0)
    assert same[0] is not None
    assert same[1].shape == (50, 1)
