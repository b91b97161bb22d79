"""Plots: they show what the results say."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

from pyojeong import Analyzer, load_image, plot_face, plot_timeline
from pyojeong.core.errors import BadArray, MissingExtra
from pyojeong.core.face import Box, Expression, Face, FrameResult
from pyojeong.core.labels import FER7
from pyojeong.runtime.golden import PICTURES

mpl.use("agg")
ASTRONAUT = PICTURES / "astronaut.jpg"


def frame(time_s: float, label: str, track: int | None = 1, threshold: float = 0.0) -> FrameResult:
    scores = np.full(7, 0.05, np.float32)
    scores[FER7.index(label)] = 0.7
    one = Face(Box(0, 0, 8, 8), 0.9, track_id=track, expression=Expression(scores, FER7, threshold))
    return FrameResult("v.mp4", round(25 * time_s), time_s, (64, 48), (one,))


def bands(axes) -> list[tuple[float, float]]:
    found = []
    for each in axes.collections:
        for path in each.get_paths():
            x, y = path.vertices[:, 0], path.vertices[:, 1]
            if len(y) and y.max() < 0:
                found.append((round(float(x.min()), 3), round(float(x.max()), 3)))
    return sorted(found)


def test_a_timeline_has_areas_answers_and_holes() -> None:
    times = [0.0, 0.1, 0.2, 0.3, 2.0, 2.1]
    labels = ["happy", "happy", "sad", "sad", "sad", "sad"]
    figure = plot_timeline([frame(t, n) for t, n in zip(times, labels, strict=True)])
    (axes,) = figure.axes
    assert bands(axes) == [(0.0, 0.2), (0.2, 0.4), (2.0, 2.2)]
    tops = [c.get_paths()[0].vertices[:, 1].max() for c in axes.collections if c.get_paths()]
    stacks = [top for top in tops if top > 0]
    assert len(stacks) == 2 * 7, "seven areas on either side of the hole"
    assert [t.get_text() for t in axes.get_legend().get_texts()] == [*FER7.names, "unclear"]


def test_people_tracks_and_axes() -> None:
    results = [frame(t / 10, "happy", track) for track in (1, 2, 3, 4) for t in range(track)]
    assert [a.get_title(loc="left") for a in plot_timeline(results).axes] == [
        "person 4", "person 3", "person 2",
    ]  # fmt: skip
    assert [a.get_title(loc="left") for a in plot_timeline(results, tracks=[1]).axes] == [
        "person 1"
    ]
    figure, axes = mpl.pyplot.subplots()
    assert plot_timeline(results, axes=axes) is figure
    with pytest.raises(BadArray, match="some of 1, 2, 3, 4, got 9"):
        plot_timeline(results, tracks=[9])
    with pytest.raises(BadArray, match="one track"):
        plot_timeline(results, tracks=[1, 2], axes=axes)
    with pytest.raises(BadArray, match="at least one face"):
        plot_timeline([replace(results[0], faces=())])


def test_smoothed_scores_are_plotted_where_there_are_some() -> None:
    raw = frame(0.0, "sad")
    smooth = replace(raw.faces[0], smoothed=frame(0.0, "happy").faces[0].expression)
    results = [replace(raw, time_s=t / 10, faces=(smooth,)) for t in range(3)]
    for smoothed, top in ((None, "happy"), (True, "happy"), (False, "sad")):
        (axes,) = plot_timeline(results, smoothed=smoothed).axes
        heights = [np.ptp(c.get_paths()[0].vertices[:, 1]) for c in axes.collections[:7]]
        assert FER7.names[int(np.argmax(heights))] == top


@pytest.mark.parametrize("kind", ["file", "given", "preview"])
def test_a_face_stands_beside_its_scores(kind: str) -> None:
    analyzer, pixels = Analyzer(threads=1), load_image(ASTRONAUT)
    if kind == "preview":
        figure = plot_face(analyzer.analyze(pixels))
    else:
        figure = plot_face(analyzer.analyze(ASTRONAUT), pixels if kind == "given" else None)
    left, right = figure.axes
    height, width = left.images[0].get_array().shape[:2]
    assert 0.8 < width / height < 1.25
    assert [t.get_text() for t in right.get_yticklabels()] == list(FER7.names)
    assert [round(bar.get_width(), 2) for bar in right.patches][3] == 1.0
    assert right.get_title(loc="left").startswith("happy")


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    result = Analyzer(threads=1).analyze(ASTRONAUT)
    with pytest.raises(BadArray, match="expected 0 to 0, got 1"):
        plot_face(result, face=1)
    with pytest.raises(BadArray, match="No face"):
        plot_face(replace(result, faces=()))
    with pytest.raises(BadArray, match="512 x 512 pixels"):
        plot_face(result, np.zeros((8, 8, 3), np.uint8))
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"pyojeong\[plot\]"):
        plot_face(result)


def test_what_is_no_clip_and_what_was_not_read() -> None:
    analyzer = Analyzer(threads=1)
    photo = analyzer.analyze(ASTRONAUT)
    with pytest.raises(BadArray, match="frames of a clip, got photographs"):
        plot_timeline([photo, photo])
    with pytest.raises(BadArray, match="a FrameResult or several, got str"):
        plot_timeline("results.csv")  # type: ignore[arg-type]
    with pytest.raises(BadArray, match="no such file"):
        plot_face(FrameResult("a.jpg", 0, 0.0, (0, 0), error="a.jpg: no such file"))
    with pytest.raises(BadArray, match="Pass image="):
        plot_face(frame(0.5, "happy"))
