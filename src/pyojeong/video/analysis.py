"""Analysis of clips from Python, with the options of ``pyojeong video``."""

import json
import os
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pyojeong.core.calibration import PRIORS
from pyojeong.core.errors import (
    BadArray,
    InputError,
    ModelError,
    PyojeongError,
    VideoTruncated,
    VideoTruncatedWarning,
    VideoUnreadable,
)
from pyojeong.core.face import Expression, FrameResult, Image
from pyojeong.core.labels import FER7
from pyojeong.core.video_result import VideoResult
from pyojeong.output.records import frames_of
from pyojeong.output.tables import TABLE_READERS
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.runtime.classifier_names import find_classifier
from pyojeong.runtime.output_head import OutputHead
from pyojeong.stream.baseline import NeutralFace
from pyojeong.stream.clip_input import clip_on_disk
from pyojeong.stream.segments import Selection
from pyojeong.stream.source import Clip
from pyojeong.video.clip_writing import ClipResult
from pyojeong.video.coded_events.epoch import Epoch, EventList
from pyojeong.video.coded_events.reading import EventSource
from pyojeong.video.epochs import read_epochs
from pyojeong.video.measured_epochs import MeasuredEpochs
from pyojeong.video.options import ENDINGS, EPOCHS, VideoOptions
from pyojeong.video.process import read_clip
from pyojeong.video.render import card_in_words, cut_face, picture_frames, settings_in_words
from pyojeong.video.report import ReportFacts
from pyojeong.video.report import write_report as write_page
from pyojeong.video.summary import Event, Summary

_KINDS = tuple(ENDINGS)


def analyze_video(
    analyzer: Analyzer,
    source: Any,
    *,
    out: str | os.PathLike[str] | None,
    eyes: bool | None,
    progress: Any,
    on_truncated: Literal["raise", "warn", "ignore"],
    **options: Any,
) -> VideoResult:
    """Read a clip; see ``Analyzer.analyze_video``, which has the defaults."""
    if on_truncated not in {"raise", "warn", "ignore"}:
        raise BadArray(
            "on_truncated", expected="'raise', 'warn' or 'ignore'", got=repr(on_truncated)
        )
    if eyes is not None and eyes != analyzer.options["eyes"]:
        analyzer = type(analyzer)(**{**analyzer.options, "eyes": eyes})
    coded = _events(*(options.pop(key) for key in ("events", "event_window_s", "observation")))
    wanted = _options(analyzer, written=out is not None, **options)
    tell = {} if progress is None else {"progress": progress}
    with clip_on_disk(source) as (path, name):
        in_memory = name != str(path)
        if coded is not None:
            wanted = replace(wanted, events=coded.of(path.name))
        if out is not None and in_memory:
            raise InputError(f"{name}: results in a folder need a clip with a path: save it")
        with ExitStack() as stack:
            folder = out
            if folder is None:
                temporary = tempfile.TemporaryDirectory(prefix="pyojeong-video-")
                folder = stack.enter_context(temporary)
            try:
                outcome = read_clip(path, Path(folder), analyzer, wanted, **tell)
            except VideoUnreadable as error:
                raise type(error)(str(error).replace(str(path), name)) from None
            video = _collected(outcome, name)
        video = replace(
            video,
            **_in_words(path, analyzer, wanted),
            folder=Path(out) if out is not None else None,
        )
    if video.error:
        words = f"{name}: {video.error}"
        if on_truncated == "raise":
            raise VideoTruncated(words, frames=len(video))
        if on_truncated == "warn":
            warnings.warn(VideoTruncatedWarning(words), stacklevel=3)
    return video


def _events(events: Any, window_s: float | None, observation: str | None) -> EventSource | None:
    """Return coded events from a file or a list."""
    if events is None:
        if window_s is not None or observation is not None:
            raise InputError("event_window_s and observation: need events=")
        return None
    if isinstance(events, str | os.PathLike):
        return EventSource.from_file(Path(events), observation=observation, window_s=window_s)
    if observation is not None:
        raise InputError("observation: needs events= with a file of BORIS")
    return EventSource.from_list(events, window_s=window_s)


def _in_words(path: Path, analyzer: Analyzer, options: VideoOptions) -> dict[str, Any]:
    """Return settings and model as the report says them."""
    with Clip(path) as clip:
        settings = settings_in_words(options, clip.facts)
    head = analyzer.classifier.head
    model = card_in_words(analyzer.classifier.card, head.to_dict())
    return {"settings": settings, "model": model}


def _options(  # noqa: PLR0913 - options, all but one keyword-only
    analyzer: Analyzer,
    *,
    written: bool,
    baseline: Any,
    formats: Sequence[str],
    layouts: Sequence[str],
    aggregate: bool,
    start_s: float,
    end_s: float | None,
    stride: int,
    fps: float | None,
    detect_every: int,
    jobs: int,
    **others: Any,
) -> VideoOptions:
    unknown = [name for name in formats if name not in _KINDS]
    if isinstance(formats, str) or unknown:
        raise BadArray("formats", expected=f"a list of {', '.join(_KINDS)}", got=repr(formats))
    if isinstance(layouts, str):
        raise BadArray("layouts", expected="a list of names", got=repr(layouts))
    if jobs < 1:
        raise BadArray("jobs", expected="at least 1", got=str(jobs))
    span, neutral = baseline_of(analyzer, baseline)
    selection = Selection(
        stride=stride, fps=fps, start_s=start_s, end_s=end_s, detect_every=detect_every
    )
    if not written:  # the frames come back through the table that keeps everything
        if others["annotate"]:
            raise InputError("annotate: needs out=, the folder that gets annotated.mp4")
        if layouts:
            raise InputError(
                "layouts: needs out=, the folder that gets the files; or use to_layout"
            )
        others = {**others, "report": False, "excel": False}
        formats = ("json",)
    elif not formats and not aggregate:
        raise BadArray("formats", expected="at least one table", got="none",
                       cure="Use aggregate=True to keep no frames.")  # fmt: skip
    return VideoOptions(
        selection=selection,
        formats=() if aggregate else tuple(dict.fromkeys(formats)),
        layouts=tuple(dict.fromkeys(layouts)),
        baseline_s=span,
        baseline=None if neutral is None else tuple(map(float, neutral.scores)),
        baseline_units=None if neutral is None else neutral.units,
        aggregate=aggregate,
        workers=jobs,
        **{**others, "pictures": others["pictures"] and not aggregate},
    )


def baseline_of(
    analyzer: Analyzer, baseline: Any
) -> tuple[tuple[float, float] | None, NeutralFace | None]:
    """Return a span of time, or a neutral face.

    Raises:
        InputError: When it is neither, or the image shows no face.
    """
    if baseline is None:
        return None, None
    if isinstance(baseline, Expression):
        return None, NeutralFace(baseline.scores.astype(np.float64))
    if isinstance(baseline, tuple | list):
        numbers = len(baseline) == 2 and all(
            isinstance(t, int | float | np.number) for t in baseline
        )
        if not numbers or not 0 <= baseline[0] < baseline[1]:
            raise InputError(
                f"baseline {baseline!r}: expected (start, end) in seconds, the end behind the "
                "start, or an image"
            )
        return (float(baseline[0]), float(baseline[1])), None
    faces = analyzer.analyze(baseline).faces
    neutral = NeutralFace.of(faces[0]) if faces else None
    name = f" {baseline}" if isinstance(baseline, str | os.PathLike) else ""
    if len(faces) > 1:
        raise InputError(
            f"baseline{name}: {len(faces)} faces in this image: cut out the one that is meant"
        )
    if neutral is None:
        raise InputError(f"baseline{name}: no face in this image")
    return None, neutral


def _collected(outcome: ClipResult, name: str) -> VideoResult:
    """Return what lies in a folder of results."""
    frames: tuple[FrameResult, ...] = ()
    for kind in ("json", "parquet", "csv"):
        table = outcome.folder / f"results.{ENDINGS[kind]}"
        if table.is_file():
            frames = tuple(replace(frame, source=name) for frame in TABLE_READERS[kind](table))
            break
    epochs = outcome.folder / EPOCHS
    return VideoResult(
        source=name,
        frames=frames,
        summary=json.loads((outcome.folder / "summary.json").read_text(encoding="utf-8")),
        notes=outcome.notes,
        error=outcome.error,
        failed=outcome.failed,
        folder=outcome.folder,
        epochs=read_epochs(epochs) if epochs.is_file() else [],
    )


def write_report(
    results: Iterable[FrameResult],
    path: str | os.PathLike[str],
    *,
    hold_s: float = 0.5,
    pictures: bool = True,
    clip: str | os.PathLike[str] | None = None,
    lang: str = "en",
) -> Path:
    """Write an HTML report of a clip: shares of time, timelines, events, data quality.

    Args:
        results: Frames of one clip, in order and with numbered people, from ``read_video`` or
            ``Analyzer.analyze_video``.
        path: Path of the HTML file; an existing file is replaced.
        hold_s: Minimum duration of an event, in seconds.
        pictures: Show key frames, if the clip can be read again.
        clip: Current path of the clip; None = the path in the results.
        lang: Language of the report, ``"en"`` or ``"ko"``; results do not depend on it.

    Returns:
        The path.

    Raises:
        BadArray: When there are no results, or they are from several clips or photographs.
        InputError: When the language is unknown.
        OutputError: When the file could not be written.

    Example:
        >>> from pyojeong import read_video, write_report
        >>> write_report(read_video("clip.mp4"), "report.html").name
        'report.html'
    """
    frames = tuple(frames_of(results))
    _check_frames(frames)
    sets = (f.expression.label_set for r in frames for f in r.faces if f.expression is not None)
    labels = next(sets, FER7)
    summary = Summary(labels, hold_s=hold_s)
    known = results if isinstance(results, VideoResult) else None
    epochs = MeasuredEpochs(labels, None if known is None else _events_of(known))
    for frame in frames:
        summary.add(frame)
        epochs.add(frame)
    summary.finish()
    epochs.finish()
    source = Path(frames[0].source if clip is None else clip)
    facts = ReportFacts(
        clip=str(source),
        settings=(known and known.settings) or _settings_of(frames),
        card=(known and known.model) or _card_of(frames),
        decoded=frames[-1].index + 1,
        error=known.error if known else "",
        pictures=_key_pictures(source, summary, frames) if pictures else (),
        epochs=epochs,
        lang=lang,
    )
    return write_page(Path(path), summary, facts)


def _events_of(video: VideoResult) -> EventList | None:
    """Return the coded events that the epochs of a clip are about."""
    if not video.epochs:
        return None
    known = video.summary.get("epochs", {})
    keys = ("label", "start_s", "end_s", "tier", "modifier")
    epochs = dict.fromkeys(Epoch(*(row[key] for key in keys)) for row in video.epochs)
    return EventList(known.get("file", ""), tuple(epochs), tuple(known.get("notes", ())))


def _check_frames(frames: Sequence[FrameResult]) -> None:
    """Refuse what is not the frames of one clip in their order."""
    cure = "Pass what read_video or Analyzer.analyze_video return."
    if not frames:
        raise BadArray("results", expected="at least one frame", got="none", cure=cure)
    if len({frame.source for frame in frames}) > 1:
        raise BadArray("results", expected="frames of one clip", got="of several", cure=cure)
    times = [frame.time_s for frame in frames]
    if any(after <= before for before, after in pairwise(times)):
        raise BadArray("results", expected="frames in order", got="others", cure=cure)
    if any(face.track_id is None for frame in frames for face in frame.faces):
        raise BadArray(
            "results", expected="faces with track_id", got="those of photographs", cure=cure
        )


def _key_pictures(
    source: Path, summary: Summary, frames: Sequence[FrameResult]
) -> list[tuple[Event, Image]]:
    """Return the faces of the longest events, where the clip can be read; else none."""
    wanted = picture_frames(summary, iter(frames))
    known = {frame.index: frame for frame in frames if frame.index in wanted}
    found: list[tuple[Event, Image]] = []
    try:
        with Clip(source) as clip:
            for frame in clip:
                if frame.index in known:
                    pixels = frame.pixels()
                    if (pixels.shape[1], pixels.shape[0]) != tuple(known[frame.index].size_wh):
                        return []  # another clip
                    result = known.pop(frame.index)
                    found += [(e, cut_face(pixels, result, e)) for e in wanted[frame.index]]
                if not known:
                    break
    except PyojeongError:
        return []  # bytes, or a clip that has moved
    return sorted(found, key=lambda pair: (pair[0].start_s, pair[0].track_id))


def _settings_of(frames: Sequence[FrameResult]) -> dict[str, Any]:
    """Return what frames themselves say of how they were made."""
    faces = [face for frame in frames for face in frame.faces]
    smoothed = any(face.smoothed is not None for face in faces)
    out = {"times": "from the clip's beginning"}
    out["models"] = ", ".join(frames[0].model_ids) or "not known"
    out["smoothing"] = "scores are smoothed" if smoothed else "none"
    if any(face.baseline_delta is not None for face in faces):
        out["own neutral face"] = "differences from it are in the results"
    return out


def _card_of(frames: Sequence[FrameResult]) -> dict[str, Any]:
    """Return what is known of the model and its answers, for the report."""
    ids = frames[0].model_ids
    expressions = (f.expression for r in frames for f in r.faces if f.expression is not None)
    first = next(expressions, None)
    out: dict[str, Any] = {"id": ids[1] if len(ids) > 1 else "not known"}
    with suppress(ModelError):  # a model that is not here
        card = find_classifier(out["id"]).card
        out |= {"what": card.description, "licence": " ".join((card.license, *card.license_flags))}
        out["limits"] = " ".join(card.limits)
        if first is not None and first.prior in PRIORS:
            head = OutputHead.of(
                card, labels=first.label_set.id, prior=first.prior, threshold=first.threshold
            )
            return card_in_words(card, head.to_dict())
    if first is not None:
        out["unclear below"] = f"{first.threshold:.2f}"
        if first.prior:
            out["base rates"] = first.prior
    return out
