"""Plots with matplotlib: scores over time, and one face with its scores."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import BadArray, MissingExtra
from pyojeong.core.face import Expression, Face, FrameResult
from pyojeong.core.file_search import is_file
from pyojeong.image.files import decode_image
from pyojeong.image.sources import load_named
from pyojeong.output.records import frames_of
from pyojeong.output.timeline_svg import color_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HOLE = 3.0
"""Frames further apart than so many times the usual distance leave a hole."""
_LEAST_HOLE_S = 0.3
_ROOM = 0.35
"""Room around a face, as a share of its box."""


def _figure(rows: int, size: tuple[float, float], columns: int = 1) -> "tuple[Figure, Any]":
    """Return a figure and its axes; pyplot is used, so that notebooks show it by themselves."""
    try:
        from matplotlib import pyplot as plt
    except ModuleNotFoundError as error:
        raise MissingExtra("a plot", "plot") from error
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    return figure, axes


def _figure_of(axes: Any) -> "Figure":
    figure: Figure = axes.get_figure()
    return figure


def plot_timeline(
    results: Iterable[FrameResult],
    *,
    tracks: Sequence[int] | None = None,
    smoothed: bool | None = None,
    axes: "Axes | None" = None,
) -> "Figure":
    """Plot the scores of a clip over time, as one stacked area chart per person.

    A band below each chart shows the labels; gray = unclear. Times without a face are left blank.

    Args:
        results: Frames of one clip, in order.
        tracks: Numbers of the people to plot; None = the three people seen longest, or the first of
            them with ``axes``.
        smoothed: Plot ``Face.smoothed``; None = plot it where it is available.
        axes: matplotlib axes to draw one person into; None = a new figure.

    Returns:
        The figure.

    Raises:
        MissingExtra: When matplotlib is not installed.
        BadArray: When no face has an expression, a track is not in the results, several tracks
            are given for one ``axes``, or the results are photographs.

    Example:
        >>> from pyojeong import plot_timeline, read_video
        >>> figure = plot_timeline(read_video("clip.mp4"))
        >>> figure.savefig("timeline.png")
    """
    frames = frames_of(results)
    if len(frames) > 1 and all(frame.index == frame.time_s == 0 for frame in frames):
        raise BadArray("results", expected="frames of a clip", got="photographs")
    people = _people(frames, smoothed=smoothed)
    if not people:
        raise BadArray("results", expected="at least one face with an expression", got="none")
    if tracks is None:
        longest = sorted(people, key=lambda k: (-len(people[k]), -1 if k is None else k))
        chosen: list[int | None] = list(longest[: 1 if axes is not None else 3])
    else:
        chosen = list(tracks)
    absent = [str(track) for track in chosen if track not in people]
    if absent:
        known = ", ".join(map(str, people))
        raise BadArray("tracks", expected=f"some of {known}", got=", ".join(absent))
    if axes is not None:
        if len(chosen) != 1:
            raise BadArray("tracks", expected="one track for one axes", got=str(len(chosen)))
        _draw(axes, chosen[0], people[chosen[0]])
        return _figure_of(axes)
    figure, every = _figure(len(chosen), (9.0, 1.2 + 2.1 * len(chosen)))
    for place, track in zip(every[:, 0], chosen, strict=True):
        _draw(place, track, people[track])
    return figure


_Seen = list[tuple[float, Expression]]


def _people(results: Iterable[FrameResult], *, smoothed: bool | None) -> dict[int | None, _Seen]:
    people: dict[int | None, _Seen] = {}
    for result in results:
        for face in result.faces:
            shown = face.expression
            if smoothed or (smoothed is None and face.smoothed is not None):
                shown = face.smoothed
            if shown is not None:
                people.setdefault(face.track_id, []).append((result.time_s, shown))
    return people


def _draw(axes: "Axes", track: int | None, seen: _Seen) -> None:
    names = seen[0][1].label_set.names
    times = np.array([time_s for time_s, _ in seen])
    scores = np.stack([expression.scores for _, expression in seen])
    colors = [color_of(name) for name in names]
    for piece in _pieces(times):
        at, shares = times[piece], scores[piece].T
        if len(at) == 1:  # an area needs two times
            at, shares = np.array([at[0] - 0.02, at[0] + 0.02]), np.repeat(shares, 2, axis=1)
        axes.stackplot(at, shares, colors=colors, linewidth=0)
        labels = ["unclear" if seen[i][1].unclear else seen[i][1].top[0] for i in piece]
        edges = np.append(at, at[-1] + (at[-1] - at[0]) / max(len(at) - 1, 1))
        for label, start, end in _runs(labels, edges):
            axes.broken_barh([(start, end - start)], (-0.12, 0.09), color=color_of(label))
    axes.set_ylim(-0.14, 1)
    axes.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    axes.margins(x=0)
    axes.set_xlabel("time [s]")
    axes.set_title("one face" if track is None else f"person {track}", loc="left", fontsize=10)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    handles = [axes.fill_between([], [], color=color_of(n), label=n) for n in (*names, "unclear")]
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)


def _pieces(times: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """Return the numbers of the frames of every stretch without a hole."""
    steps = np.diff(times)
    usual = float(np.median(steps)) if len(steps) else 0.0
    breaks = np.flatnonzero(steps > max(_HOLE * usual, _LEAST_HOLE_S)) + 1
    return [piece for piece in np.split(np.arange(len(times)), breaks) if len(piece)]


def _runs(labels: Sequence[str], edges: NDArray[np.float64]) -> Iterable[tuple[str, float, float]]:
    start = 0
    for end in range(1, len(labels) + 1):
        if end == len(labels) or labels[end] != labels[start]:
            yield labels[start], float(edges[start]), float(edges[end])
            start = end


def plot_face(
    result: FrameResult,
    image: Any = None,
    *,
    face: int = 0,
    axes: "Sequence[Axes] | None" = None,
) -> "Figure":
    """Plot one face of an image next to a bar chart of its scores.

    Args:
        result: Result for the image.
        image: The image, as for ``Analyzer.analyze``; None = the file ``result.source``, or the
            small copy in ``result.preview``.
        face: Index in ``result.faces``; 0 is the largest face.
        axes: Two matplotlib axes, for the image and the bars; None = a new figure.

    Returns:
        The figure.

    Raises:
        MissingExtra: When matplotlib is not installed.
        BadArray: When there is no such face, it has no expression, or the image has another size.
        ImageUnreadable: When the image could not be read.

    Example:
        >>> from pyojeong import Analyzer, plot_face
        >>> figure = plot_face(Analyzer().analyze("photo.jpg"))
        >>> figure.savefig("face.png")
    """
    if result.error:
        raise BadArray("result", expected="an image that was read", got=result.error)
    if not 0 <= face < len(result.faces):
        raise BadArray("face", expected=f"0 to {len(result.faces) - 1}", got=str(face),
                       cure="" if result.faces else "No face was found in this image.")  # fmt: skip
    one = result.faces[face]
    expression = one.expression
    if expression is None:
        raise BadArray("face", expected="a face with an expression", got="one that was not read")
    pixels, across = _pixels(result, image)
    figure, places = (None, axes) if axes is not None else _figure(1, (7.0, 2.8), 2)
    left, right = places if axes is not None else places[0]  # type: ignore[misc]
    left.imshow(_cut(pixels, one, across))
    left.set_axis_off()
    _draw_bars(right, expression)
    return _figure_of(right) if figure is None else figure


def _pixels(result: FrameResult, image: Any) -> tuple[NDArray[np.uint8], float]:
    """Return the image and how many of its pixels one of the result's pixels is."""
    if image is None and result.preview:
        small = decode_image(result.preview)
        return small, small.shape[1] / max(result.size_wh[0], 1)
    if image is None and (result.index or result.time_s or not is_file(result.source)):
        raise BadArray(
            "image",
            expected="the image of this result",
            got="none",
            cure="Pass image=: frames of clips and addresses are not read again.",
        )
    pixels, name = load_named(result.source if image is None else image)
    size = (pixels.shape[1], pixels.shape[0])
    if size != tuple(result.size_wh):
        raise BadArray(
            f"image {name}",
            expected="{} x {} pixels as the result says".format(*result.size_wh),
            got="{} x {}".format(*size),
        )
    return pixels, 1.0


def _cut(pixels: NDArray[np.uint8], face: Face, across: float) -> NDArray[np.uint8]:
    b = face.box
    half = max(b.width, b.height) * (0.5 + _ROOM) * across
    cx, cy = (b.x1 + b.x2) / 2 * across, (b.y1 + b.y2) / 2 * across
    x1, y1 = max(round(cx - half), 0), max(round(cy - half), 0)
    return pixels[y1 : max(round(cy + half), y1 + 1), x1 : max(round(cx + half), x1 + 1)]


def _draw_bars(axes: "Axes", expression: Expression) -> None:
    names = expression.label_set.names
    colors = [color_of("unclear" if expression.unclear else name) for name in names]
    places = np.arange(len(names))
    bars = axes.barh(places, expression.scores, color=colors)
    axes.bar_label(bars, [f"{score:.0%}" for score in expression.scores], padding=3)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15)
    axes.set_xticks([])
    top, score = expression.top
    best = f"best: {top} {score:.0%}" if expression.unclear else f"{score:.0%}"
    axes.set_title(f"{expression.label} ({best})", loc="left", fontsize=11)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
