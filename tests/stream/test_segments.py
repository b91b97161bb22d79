"""What is read of a clip, and with which key frame: the same however much of it is asked for."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyojeong.core.errors import BadArray
from pyojeong.stream.segments import Selection, segments
from tests.stream.made import scene

SCENES = [scene(seed, 18, 32)[..., 0].astype(np.float32) for seed in (1, 2)]


class Made:
    """A frame with a number in its pixels; counts what is asked of it."""

    def __init__(self, index, time_s, thumb=SCENES[0]):
        self.index, self.time_s, self._thumb = index, time_s, thumb
        self.converted = 0

    def thumbnail(self):
        return self._thumb

    def pixels(self):
        self.converted += 1
        return np.full((1, 1, 3), self.index, np.uint8)


def clip(number, *, cuts=(), step=0.04, start=0.0):
    return [Made(i, start + i * step, SCENES[sum(c <= i for c in cuts) % 2]) for i in range(number)]


@st.composite
def clips(draw):
    """Up to 60 frames with distances of any length, and scenes that change anywhere."""
    number = draw(st.integers(0, 60))
    distances = draw(st.lists(st.integers(0, 12), min_size=number, max_size=number))
    times = (draw(st.integers(-20, 100)) + np.cumsum([0, *distances])) / 100
    cuts = draw(st.sets(st.integers(1, 60), max_size=4))
    which = [sum(c <= i for c in cuts) % 2 for i in range(number)]
    return [Made(i, float(times[i]), SCENES[which[i]]) for i in range(number)]


def again(frames):
    return [Made(f.index, f.time_s, f._thumb) for f in frames]


@st.composite
def selections(draw, start=None, detect_every=None):
    options = {"start_s": 0.0 if start is None else draw(start)}
    options["detect_every"] = detect_every or draw(st.integers(1, 12))
    if draw(st.booleans()):
        options["fps"] = draw(st.sampled_from([0.5, 1, 3, 10, 24.97, 1000]))
    else:
        options["stride"] = draw(st.integers(1, 20))
    if draw(st.booleans()):
        options["end_s"] = options["start_s"] + draw(st.integers(1, 300)) / 100
    return Selection(**options)


def read(frames, selection, **options):
    return list(segments(again(frames), selection, **options))


def plain(parts):
    """Everything that is in segments, in a shape that can be compared."""
    return [
        (
            s.index,
            s.time_s,
            int(s.key[0, 0, 0]),
            s.cut,
            [(i, t, int(p[0, 0, 0])) for i, t, p in s.frames],
        )
        for s in parts
    ]


def wanted(frames, selection):
    """The numbers that a selection means, counted in the simplest way."""
    inside = []
    for f in frames:
        if selection.end_s is not None and f.time_s >= selection.end_s:
            break
        if selection.start_s == 0 or f.time_s >= selection.start_s:
            inside.append(f)
    if selection.fps is None:
        return [f.index for f in inside if f.index % selection.stride == 0]
    slots = {}
    for f in inside:
        slots.setdefault(np.floor(f.time_s * selection.fps + 1e-6), f.index)
    return sorted(slots.values())


STARTS = st.integers(0, 200).map(lambda v: v / 100)


@given(clips(), selections(start=STARTS))
def test_every_frame_that_was_asked_for_comes_once_and_in_order(frames, selection):
    parts = read(frames, selection)
    got = [frame for part in parts for frame in part.frames]
    assert [index for index, _, _ in got] == wanted(frames, selection)
    for index, time_s, pixels in got:
        assert time_s == frames[index].time_s
        assert (pixels == index).all()
    for part in parts:
        assert (part.key == part.index).all()
        assert part.time_s == frames[part.index].time_s
        last = max((index for index, _, _ in part.frames), default=part.index)
        assert part.index <= last < part.index + selection.detect_every
    assert [part.index for part in parts] == sorted({part.index for part in parts})


@given(clips(), st.data(), st.integers(1, 12))
def test_the_key_frame_of_a_frame_does_not_depend_on_the_selection(frames, data, every):
    whole = read(frames, Selection(detect_every=every))
    key_of = {index: part.index for part in whole for index, _, _ in part.frames}
    facts = {part.index: (part.time_s, part.cut) for part in whole}
    assert list(key_of) == [f.index for f in frames]
    for part in read(frames, data.draw(selections(detect_every=every))):
        assert facts[part.index] == (part.time_s, part.cut)
        for index, _, _ in part.frames:
            assert key_of[index] == part.index


@given(clips(), st.data(), st.integers(1, 12), STARTS)
def test_nor_does_it_with_a_later_start(frames, data, every, start):
    whole = read(frames, Selection(detect_every=every, start_s=start))
    key_of = {index: part.index for part in whole for index, _, _ in part.frames}
    for part in read(frames, data.draw(selections(start=st.just(start), detect_every=every))):
        for index, _, _ in part.frames:
            assert key_of[index] == part.index


@given(clips(), selections(start=STARTS))
def test_a_resumed_run_gives_exactly_the_tail(frames, selection):
    whole = plain(read(frames, selection))
    for place, (index, *_) in enumerate(whole):
        assert plain(read(frames, selection, first=index + 1)) == whole[place + 1 :]
    assert plain(read(frames, selection, first=0)) == whole
    assert read(frames, selection, first=10_000) == []


@given(clips(), st.integers(1, 12))
def test_every_scene_begins_with_a_key_frame(frames, every):
    parts = read(frames, Selection(detect_every=every))
    cuts = {b.index for a, b in pairwise(frames) if a._thumb is not b._thumb}
    assert {part.index for part in parts if part.cut} == cuts
    assert all(0 < later.index - part.index <= every for part, later in pairwise(parts))


def test_golden():
    parts = read(clip(12, cuts=[7]), Selection(stride=3, detect_every=5))
    assert [(p.index, p.cut, [f[0] for f in p.frames]) for p in parts] == [
        (0, False, [0, 3]),
        (5, False, [6]),
        (7, True, [9]),
    ]
    parts = read(clip(30), Selection(fps=5, start_s=0.5, end_s=1.0, detect_every=10))
    assert [(p.index, [f[0] for f in p.frames]) for p in parts] == [(13, [13, 15]), (20, [20])]


def test_clocks_that_begin_below_zero_lose_no_frame():
    frames = clip(10, start=-0.2)
    assert [f[0] for p in read(frames, Selection()) for f in p.frames] == list(range(10))
    assert read(frames, Selection(fps=25))[0].frames[0][0] == 0
    assert read(frames, Selection(start_s=0.01))[0].index == 6


def test_a_frame_rate_above_the_clips_reads_every_frame():
    for step in (1 / 24, 1 / 25, 1001 / 30000, 1 / 60):
        frames = clip(200, step=step)
        got = [f[0] for p in read(frames, Selection(fps=1 / step)) for f in p.frames]
        assert got == list(range(200))


def test_segments_do_not_read_ahead():
    asked = []

    def frames():
        for frame in clip(100):
            asked.append(frame)
            yield frame

    parts = segments(frames(), Selection(detect_every=10))
    assert asked == []
    for number in range(1, 4):
        next(parts)
        assert len(asked) == 10 * number + 1  # the frame after it ends a segment
    parts.close()
    assert len(asked) == 31


def test_the_end_is_not_read_past():
    asked = []

    def frames():
        for frame in clip(100):
            asked.append(frame.index)
            yield frame

    list(segments(frames(), Selection(end_s=0.4)))
    assert len(asked) == 11


def test_only_what_is_read_is_converted_and_once():
    frames = clip(40)
    list(segments(frames, Selection(stride=7, detect_every=10, start_s=0.2, end_s=1.4)))
    read_or_key = {7, 14, 21, 28} | {5, 10, 20, 30}
    assert {f.index for f in frames if f.converted} == read_or_key
    assert max(f.converted for f in frames) == 1
    frames = clip(40)
    list(segments(frames, Selection(detect_every=10), first=20))
    assert [f.converted for f in frames] == [0] * 20 + [1] * 20


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"stride": 0}, "stride: expected at least 1, got 0"),
        ({"detect_every": -1}, "detect_every: expected at least 1"),
        ({"fps": 0}, "fps: expected more than 0"),
        ({"fps": float("nan")}, "fps: expected more than 0"),
        ({"fps": float("inf")}, "fps: expected more than 0"),
        ({"fps": 5, "stride": 2}, "no stride beside it, got stride 2"),
        ({"start_s": -1}, "start: expected a time from 0 on"),
        ({"start_s": float("nan")}, "start: expected a time from 0 on"),
        ({"start_s": 3, "end_s": 3}, r"later than the start \(3 s\), got 3"),
        ({"end_s": float("nan")}, "later than the start"),
    ],
)
def test_impossible_selections(options, says):
    with pytest.raises(BadArray, match=says):
        Selection(**options)
