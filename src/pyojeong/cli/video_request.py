"""The options of ``pyojeong video`` as data."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from pyojeong.core.errors import InputError
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.stream.baseline import NeutralFace
from pyojeong.stream.segments import Selection
from pyojeong.video.analysis import baseline_of
from pyojeong.video.coded_events.reading import EventSource
from pyojeong.video.options import VideoOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRequest:
    """The options of ``pyojeong video``; see its help."""

    clips: list[str]
    out: Path
    formats: list[str] = field(default_factory=lambda: ["parquet"])
    layouts: list[str] = field(default_factory=list)
    annotate: bool = False
    report: bool = True
    pictures: bool = True
    aggregate: bool = False
    eyes: bool = True
    measures: tuple[str, ...] = ()
    stride: int = 1
    fps: float | None = None
    start: str | None = None
    end: str | None = None
    detect_every: int = 5
    smooth: float | None = None
    baseline: str | None = None
    hold: float = 0.5
    events: Path | None = None
    event_window: float | None = None
    observation: str | None = None
    excel: bool = False
    lang: str = "en"
    detector: str = "auto"
    model: str = "default"
    min_face: int | None = None
    workers: int = 2
    device: str = "auto"
    allow: str | None = None
    prior: str | None = None
    labels: str | None = None
    threshold: float | None = None
    shard: str | None = None
    engine: str = "local"
    address: str | None = None
    object_store_mb: int | None = None


def seconds_of(text: str) -> float:
    """Return the seconds in ``12.5``, ``1:02`` or ``1:02:03.5``.

    Raises:
        InputError: When it is none of these.
    """
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", text.strip()):
        raise InputError(f"time {text!r}: expected seconds, 1:02 or 1:02:03.5")
    total = 0.0
    for part in text.strip().split(":"):
        total = 60 * total + float(part)
    return total


def make_analyzer(request: VideoRequest) -> Analyzer:
    """Return the analyzer for a request."""
    return Analyzer(
        request.model,
        detector=request.detector,
        min_face=request.min_face,
        threads=1,
        device=request.device,
        allow=request.allow,
        eyes=request.eyes,
        action_units="action_units" in request.measures,
        blendshapes="blendshapes" in request.measures,
        prior=request.prior,
        labels=request.labels,
        threshold=request.threshold,
    )


def make_options(request: VideoRequest, analyzer: Analyzer) -> VideoOptions:
    """Return the options of a request for each clip.

    Raises:
        InputError: When a time or the baseline is not valid.
    """
    start = 0.0 if request.start is None else seconds_of(request.start)
    selection = Selection(
        stride=request.stride,
        fps=request.fps,
        start_s=start,
        end_s=None if request.end is None else seconds_of(request.end),
        detect_every=request.detect_every,
    )
    span, neutral = _baseline(request.baseline, analyzer)
    return VideoOptions(
        selection=selection,
        formats=() if request.aggregate else tuple(dict.fromkeys(request.formats)),
        layouts=tuple(dict.fromkeys(request.layouts)),
        smooth_s=request.smooth,
        baseline_s=span,
        baseline=None if neutral is None else tuple(map(float, neutral.scores)),
        baseline_units=None if neutral is None else neutral.units,
        annotate=request.annotate,
        report=request.report,
        pictures=request.pictures and not request.aggregate,
        aggregate=request.aggregate,
        hold_s=request.hold,
        excel=request.excel,
        lang=request.lang,
        workers=request.workers,
    )


def event_source(request: VideoRequest) -> EventSource | None:
    """Return the coded events of a request.

    Raises:
        InputError: When they could not be used.
    """
    if request.events is None:
        if request.event_window is not None or request.observation is not None:
            raise InputError("--event-window and --observation: need --events FILE")
        return None
    return EventSource.from_file(
        request.events, observation=request.observation, window_s=request.event_window
    )


def _baseline(
    text: str | None, analyzer: Analyzer
) -> tuple[tuple[float, float] | None, NeutralFace | None]:
    """Return a time (``0:00-0:10``), or the neutral face of an image."""
    if text is None or os.path.lexists(text):
        return baseline_of(analyzer, text)
    first, _, last = text.partition("-")
    try:
        span = (seconds_of(first), seconds_of(last))
    except InputError:
        raise InputError(
            f"baseline {text!r}: expected a time with its end, such as 0:00-0:10, in seconds from "
            "the clip's beginning, or an image that is there"
        ) from None
    if span[1] <= span[0]:
        raise InputError(f"baseline {text!r}: its end must lie behind its start")
    return span, None
