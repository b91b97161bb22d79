"""What people look at: the report, the annotated clip, and events for annotators' tools."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np

from pyojeong.core.card import ModelCard
from pyojeong.core.face import FrameResult, Image
from pyojeong.core.printable import printable
from pyojeong.output.boris import write_boris
from pyojeong.output.clip_file import ClipFile
from pyojeong.output.elan import write_eaf
from pyojeong.output.layouts.registry import LAYOUTS, default_name, names_of_clip
from pyojeong.output.layouts.writing import write_layout
from pyojeong.output.media import annotate
from pyojeong.output.subtitles import Annotation, write_vtt
from pyojeong.output.timeline_overlay import Row, TimelineOverlay
from pyojeong.stream.source import Clip, ClipFacts
from pyojeong.video.checkpoint import Ending
from pyojeong.video.extras import Extras
from pyojeong.video.measured_epochs import MeasuredEpochs
from pyojeong.video.options import EPOCHS, VideoOptions
from pyojeong.video.report import MOST_PICTURES, ReportFacts, write_report
from pyojeong.video.summary import CHARTED, Event, Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessedClip:
    """What is known of a clip when everything of it was read.

    Attributes:
        path: The clip.
        folder: Gets the files.
        summary: Shares, events, blinks, quality.
        results: Yields its frames; may be called several times.
        ending: How reading ended.
        facts: Of the clip itself.
        card: The classifier's.
        answers: What decided its answers (``OutputHead.to_dict``).
        model_ids: Every network that read the clip.
        epochs: What was measured in coded events.
    """

    path: Path
    folder: Path
    summary: Summary
    results: Callable[[], Iterator[FrameResult]]
    ending: Ending
    facts: ClipFacts
    card: ModelCard
    answers: dict[str, Any]
    model_ids: Sequence[str]
    epochs: MeasuredEpochs


_ANNOTATED = "annotated.mp4"
_IMAGES = "images of report.html"

_PICTURE_ROOM = 0.35
"""Room around a face in the images of the report, as a share of its box."""


def render(clip: ProcessedClip, options: VideoOptions) -> Extras:
    """Write the images and pages that the options ask for; each of them may fail alone.

    Returns:
        What could not be written.
    """
    path, folder, summary = clip.path, clip.folder, clip.summary
    extras = Extras(folder)
    notes = list(_annotations(summary))
    clock = f"Times count from the beginning of {printable(path.name)}."
    with extras.attempt("events.vtt"):
        write_vtt(folder / "events.vtt", notes, note=clock)
    with extras.attempt("events.eaf"):
        write_eaf(folder / "events.eaf", notes, media=path)
    with extras.attempt("events.tsv"):
        write_boris(folder / "events.tsv", notes)
    if options.annotate and options.selection.start_s:
        with extras.attempt("annotated.vtt"):
            _write_shifted(folder / "annotated.vtt", notes, options.selection.start_s)
    _write_layouts(clip, options, extras)
    wanted: dict[int, list[Event]] = {}
    pictures: list[tuple[Event, Image]] = []
    with extras.attempt("report.html"):
        if options.report and options.pictures and not options.aggregate:
            wanted = picture_frames(summary, clip.results())
    if wanted or options.annotate:
        pictures = _second_pass(clip, options, wanted, extras)
    if options.report and "report.html" not in extras.failed:
        with extras.attempt("report.html"):
            said = _report_facts(clip, options, pictures, extras)
            write_report(folder / "report.html", summary, said)
    return extras


def _write_layouts(clip: ProcessedClip, options: VideoOptions, extras: Extras) -> None:
    """Write the results for other tools."""
    for name in options.layouts:
        with extras.attempt(*names_of_clip([name], clip.summary.people)):
            target = clip.folder / default_name(name)
            extras.notes += write_layout(name, clip.results, target, clip=True).notes


def _report_facts(
    clip: ProcessedClip,
    options: VideoOptions,
    pictures: list[tuple[Event, Image]],
    extras: Extras,
) -> ReportFacts:
    files = {
        "summary.json": "the numbers of this page",
        "events.vtt": "the events as WebVTT",
        "events.eaf": "the events for ELAN",
        "events.tsv": "the events for BORIS",
    }
    if options.events is not None:
        files[EPOCHS] = "one row per epoch of the coded events and person"
    endings = {"json": "results.jsonl", "csv": "results.csv", "parquet": "results.parquet"}
    for name in options.formats:
        files[endings[name]] = "one row per frame and face"
    for name in options.layouts:
        for file in names_of_clip([name], clip.summary.people):
            files[file] = f"the same in the layout of {LAYOUTS[name].tool}"
    if options.annotate:
        files["annotated.mp4"] = "the clip with boxes, scores and a timeline"
        if options.selection.start_s:
            files["annotated.vtt"] = "the events in the times of annotated.mp4"
    settings = settings_in_words(options, clip.facts)
    settings["models"] = ", ".join(clip.model_ids)
    if clip.epochs.notes:
        settings["coded events"] = clip.epochs.notes
    for name, why in extras.failed.items():
        settings[f"not written: {name}"] = why
    return ReportFacts(
        clip=clip.path.name,
        settings=settings,
        card=card_in_words(clip.card, clip.answers),
        decoded=clip.ending.frames,
        error=clip.ending.error,
        pictures=pictures,
        files={name: what for name, what in files.items() if name not in extras.failed},
        epochs=clip.epochs,
        lang=options.lang,
        # The clip shows everybody: a report without images does not open it by itself.
        clip_path=beside(clip.path, clip.folder) if options.pictures else "",
    )


_UP = 2
"""A report names its clip where it lies at most so many folders up."""


def beside(path: Path, folder: Path) -> str:
    """Return where a clip lies, seen from a folder, with slashes; "" = too far for a link.

    Paths from farther up would tell where somebody keeps files, and break when they are moved.
    """
    try:
        relative = Path(os.path.relpath(path.resolve(), folder.resolve()))
    except (OSError, ValueError):  # another drive
        return ""
    parts = relative.parts
    return relative.as_posix() if parts.count("..") <= _UP and path.is_file() else ""


def _write_shifted(path: Path, notes: list[Annotation], start_s: float) -> None:
    """Write the events in the times of the annotated clip, which begins with the range."""
    shifted = [replace(n, start_s=n.start_s - start_s, end_s=n.end_s - start_s) for n in notes]
    write_vtt(path, shifted, note="Times count from the beginning of annotated.mp4.")


def _annotations(summary: Summary) -> Iterator[Annotation]:
    for e in summary.events:
        yield Annotation(f"person {e.track_id}: expression", e.start_s, e.end_s, e.label)
    for c in summary.closures:
        words = "blink" if c.blink else "eyes closed"
        yield Annotation(f"person {c.track_id}: eyes", c.start_s, c.end_s, words)


def picture_frames(summary: Summary, results: Iterator[FrameResult]) -> dict[int, list[Event]]:
    """Return numbers of the frames that show the longest events at their surest, and which ones."""
    longest = sorted(summary.events, key=lambda e: (-e.length_s, e.start_s))[:MOST_PICTURES]
    times: dict[float, list[Event]] = {}
    for event in longest:
        times.setdefault(event.best_s, []).append(event)
    return {r.index: times[r.time_s] for r in results if r.time_s in times}


def _second_pass(
    processed: ProcessedClip,
    options: VideoOptions,
    wanted: dict[int, list[Event]],
    extras: Extras,
) -> list[tuple[Event, Image]]:
    """Decode the clip once more: draw on its frames, and keep the faces of the report."""
    pictures: list[tuple[Event, Image]] = []
    coming = processed.results()
    result = next(coming, None)
    names = [_IMAGES] if wanted else []
    names += [_ANNOTATED] if options.annotate else []
    with (
        extras.attempt(*names),
        _Annotator(processed, options, extras) as annotator,
        Clip(processed.path) as clip,
    ):
        for frame in clip:
            if result is None:
                break
            if frame.index != result.index:
                continue
            events = wanted.get(result.index, [])
            if events or annotator.active:
                pixels = frame.pixels()
                pictures += [(e, cut_face(pixels, result, e)) for e in events]
                annotator.add(pixels, result)
            result = next(coming, None)
    return sorted(pictures, key=lambda p: (p[0].start_s, p[0].track_id))


def cut_face(pixels: Image, result: FrameResult, event: Event) -> Image:
    """Return a square around the face of an event, as far as it lies within the frame."""
    face = next(f for f in result.faces if f.track_id == event.track_id)
    b = face.box
    half = max(b.width, b.height) * (0.5 + _PICTURE_ROOM)
    cx, cy = (b.x1 + b.x2) / 2, (b.y1 + b.y2) / 2
    x1, y1 = max(round(cx - half), 0), max(round(cy - half), 0)
    cut = pixels[y1 : max(round(cy + half), y1 + 1), x1 : max(round(cx + half), x1 + 1)]
    return cut if cut.size else pixels


class _Annotator:
    """The annotated clip, if one is asked for; what fails in it does not stop the pass.

    Attributes:
        active: Whether it takes frames.
    """

    def __init__(self, processed: ProcessedClip, options: VideoOptions, extras: Extras) -> None:
        self.active = options.annotate
        self._processed = processed
        self._start_s = options.selection.start_s
        self._extras = extras
        self._drawing: _Drawing | None = None

    def add(self, pixels: Image, result: FrameResult) -> None:
        """Draw on a frame and append it."""
        if not self.active:
            return
        try:
            if self._drawing is None:
                self._drawing = _Drawing(self._processed, pixels, result, self._start_s)
            self._drawing.write(pixels, result)
        except Exception as error:
            self._give_up(error)
            self._extras.add(_ANNOTATED, error)

    def _give_up(self, error: BaseException) -> None:
        self.active = False
        if self._drawing is not None:
            self._drawing.file.__exit__(type(error), error, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if not self.active or self._drawing is None:
            return
        if error is not None:
            self._give_up(error)
            return
        with self._extras.attempt(_ANNOTATED):
            self._drawing.file.__exit__(None, None, None)
            if self._drawing.file.note:
                self._extras.notes.append(f"{_ANNOTATED} {self._drawing.file.note}")


class _Drawing:
    """The annotated clip while it is written."""

    def __init__(
        self, processed: ProcessedClip, pixels: Image, first: FrameResult, start_s: float
    ) -> None:
        height, width = pixels.shape[:2]
        summary, facts = processed.summary, processed.facts
        people = sorted(summary.people.values(), key=lambda p: (-p.seconds, p.track_id))
        rows = [Row(f"#{p.track_id}", *p.scores.means()) for p in people[:CHARTED]]
        self._size = (width, height)
        self._overlay = TimelineOverlay(
            width, rows, summary.labels.names, (first.time_s, summary.last_s)
        )
        length = max(summary.last_s - first.time_s, 1e-3)
        self.file = ClipFile(
            processed.folder / _ANNOTATED,
            (width, height + self._overlay.height),
            rate=max((summary.frames - 1) / length, 1.0),
            sound_of=processed.path if facts.audio else None,
            start_s=start_s,
            clock_start_s=facts.start_s,
        )

    def write(self, pixels: Image, result: FrameResult) -> None:
        """Write one frame, with boxes and strip; frames of another size are fitted to the first."""
        shown = annotate(pixels, result, keep_size=True)
        if (shown.shape[1], shown.shape[0]) != self._size:
            shown = np.asarray(
                cv2.resize(shown, self._size, interpolation=cv2.INTER_AREA), np.uint8
            )
        self.file.write(self._overlay.under(shown, result.time_s), result.time_s)


def settings_in_words(options: VideoOptions, facts: ClipFacts) -> dict[str, Any]:
    """Return what decided the results, as the report says it."""
    s = options.selection
    out: dict[str, Any] = {"codec": facts.codec}
    if facts.high_range:
        out["brightness"] = "coded for HDR screens, read as it is: colours look flat"
    out["frames read"] = (
        f"at most {s.fps:g} a second"
        if s.fps
        else "all"
        if s.stride == 1
        else f"every {s.stride}th"
    )
    if s.start_s or s.end_s is not None:
        out["from, to"] = f"{s.start_s:g} s, {'end' if s.end_s is None else f'{s.end_s:g} s'}"
    out["times"] = "from the clip's beginning"
    if facts.start_s:
        out["times"] += f", where its own clock shows {facts.start_s:.3f} s"
    out["faces searched again"] = f"every {s.detect_every} frames and on scene cuts"
    out["smoothing"] = (
        "none"
        if options.smooth_s is None
        else f"Gaussian, standard deviation {options.smooth_s:g} s, no lag; raw scores are kept too"
    )
    if options.baseline_s is not None:
        out["own neutral face"] = "{:g} to {:g} s".format(*options.baseline_s)
    if options.baseline is not None:
        out["neutral face"] = "from an image"
    return out


def card_in_words(card: ModelCard, answers: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of a model and its answers, as the report says it."""
    out: dict[str, Any] = {"id": card.id, "what": card.description}
    if answers["output"] == "votes":
        out["scores"] = "the share of people who would give each label"
        shares = ", ".join(f"{n} {s:.0%}" for n, s in answers["prior_shares"].items())
        out["base rates"] = f"{answers['prior']}: {shares}"
    else:
        out["output"] = "the labels that the model's training data would give"
    measured, where = card.metrics.get("test", {}), "its test split"
    calibration = "ece"
    if answers["output"] == "votes":
        measured, calibration = card.metrics.get("photographs", {}), "vote_ece"
        where = f"photographs with agreed votes, measured with the prior {measured.get('prior')}"
    for name, words in (("accuracy", f"accuracy on {where}"), (calibration, "calibration error")):
        figure = measured.get(name)
        if figure:
            out[words] = "{:.1%} [{:.1%}, {:.1%}]".format(
                figure["value"], figure["low"], figure["high"]
            )
    out["unclear below"] = f"{answers['threshold']:.2f}"
    out["licence"] = " ".join((card.license, *card.license_flags))
    out["limits"] = " ".join(card.limits)
    return out
