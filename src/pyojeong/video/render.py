"""What people look at: the report, the annotated clip, and events for annotators' tools."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pyojeong.core.card import ModelCard
from pyojeong.core.face import Face, FrameResult, Image
from pyojeong.output.clip_file import ClipFile
from pyojeong.output.elan import write_eaf
from pyojeong.output.media import annotate
from pyojeong.output.subtitles import Annotation, write_vtt
from pyojeong.output.timeline_overlay import Row, TimelineOverlay
from pyojeong.stream.source import Clip, ClipFacts
from pyojeong.video.checkpoint import Ending
from pyojeong.video.options import VideoOptions
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
    """

    path: Path
    folder: Path
    summary: Summary
    results: Callable[[], Iterator[FrameResult]]
    ending: Ending
    facts: ClipFacts
    card: ModelCard
    answers: dict[str, Any]


_PICTURE_ROOM = 0.35
"""Room around a face in the images of the report, as a share of its box."""


def render(clip: ProcessedClip, options: VideoOptions) -> None:
    """Write the images and pages that the options ask for.

    Raises:
        OutputError: When one of them could not be written.
    """
    path, folder, summary, ending = clip.path, clip.folder, clip.summary, clip.ending
    notes = list(_annotations(summary))
    write_vtt(folder / "events.vtt", notes)
    write_eaf(folder / "events.eaf", notes, media=path)
    wanted: dict[int, list[Event]] = {}
    if options.report and options.pictures and not options.aggregate:
        wanted = _picture_frames(summary, clip.results())
    pictures: list[tuple[Event, Image]] = []
    if wanted or options.annotate:
        pictures = _second_pass(clip, options, wanted)
    if options.report:
        files = {
            "summary.json": "the numbers of this page",
            "events.vtt": "the events as WebVTT",
            "events.eaf": "the events for ELAN",
        }
        endings = {"json": "results.jsonl", "csv": "results.csv", "parquet": "results.parquet"}
        for name in options.formats:
            files[endings[name]] = "one row per frame and face"
        if options.annotate:
            files["annotated.mp4"] = "the clip with boxes, scores and a timeline"
        said = ReportFacts(
            clip=path.name,
            settings=_settings(options, clip.facts),
            card=_card(clip.card, clip.answers),
            decoded=ending.frames,
            error=ending.error,
            pictures=pictures,
            files=files,
        )
        write_report(folder / "report.html", summary, said)


def _annotations(summary: Summary) -> Iterator[Annotation]:
    for e in summary.events:
        yield Annotation(f"person {e.track_id}: expression", e.start_s, e.end_s, e.label)
    for c in summary.closures:
        words = "blink" if c.blink else "eyes closed"
        yield Annotation(f"person {c.track_id}: eyes", c.start_s, c.end_s, words)


def _picture_frames(summary: Summary, results: Iterator[FrameResult]) -> dict[int, list[Event]]:
    """Numbers of the frames that show the longest events at their surest, and which events."""
    longest = sorted(summary.events, key=lambda e: (-e.length_s, e.start_s))[:MOST_PICTURES]
    times: dict[float, list[Event]] = {}
    for event in longest:
        times.setdefault(event.best_s, []).append(event)
    return {r.index: times[r.time_s] for r in results if r.time_s in times}


def _second_pass(
    processed: ProcessedClip, options: VideoOptions, wanted: dict[int, list[Event]]
) -> list[tuple[Event, Image]]:
    """Decode the clip once more: draw on its frames, and keep the faces of the report."""
    path, folder, summary = processed.path, processed.folder, processed.summary
    facts = processed.facts
    pictures: list[tuple[Event, Image]] = []
    coming = processed.results()
    result = next(coming, None)
    with ExitStack() as stack:
        clip = stack.enter_context(Clip(path))
        drawing: _Drawing | None = None
        for frame in clip:
            if result is None:
                break
            if frame.index != result.index:
                continue
            events = wanted.get(result.index, [])
            if events or options.annotate:
                pixels = frame.pixels()
                pictures += [(e, _cut(pixels, _of(result, e))) for e in events]
                if options.annotate:
                    if drawing is None:
                        file = folder / "annotated.mp4"
                        drawing = _Drawing(file, pixels, result, summary, facts, path)
                        stack.enter_context(drawing.file)
                    drawing.write(pixels, result)
            result = next(coming, None)
    return sorted(pictures, key=lambda p: (p[0].start_s, p[0].track_id))


def _of(result: FrameResult, event: Event) -> Face:
    return next(f for f in result.faces if f.track_id == event.track_id)


def _cut(pixels: Image, face: Face) -> Image:
    """Return a square around a face, as far as it lies within the frame."""
    b = face.box
    half = max(b.width, b.height) * (0.5 + _PICTURE_ROOM)
    cx, cy = (b.x1 + b.x2) / 2, (b.y1 + b.y2) / 2
    x1, y1 = max(round(cx - half), 0), max(round(cy - half), 0)
    cut = pixels[y1 : max(round(cy + half), y1 + 1), x1 : max(round(cx + half), x1 + 1)]
    return cut if cut.size else pixels


class _Drawing:
    """The annotated clip while it is written."""

    def __init__(
        self,
        path: Path,
        pixels: Image,
        first: FrameResult,
        summary: Summary,
        facts: ClipFacts,
        source: Path,
    ) -> None:
        height, width = pixels.shape[:2]
        people = sorted(summary.people.values(), key=lambda p: (-p.seconds, p.track_id))
        rows = [Row(f"#{p.track_id}", *p.scores.means()) for p in people[:CHARTED]]
        self._size = (width, height)
        self._overlay = TimelineOverlay(
            width, rows, summary.labels.names, (first.time_s, summary.last_s)
        )
        length = max(summary.last_s - first.time_s, 1e-3)
        self.file = ClipFile(
            path,
            (width, height + self._overlay.height),
            rate=max((summary.frames - 1) / length, 1.0),
            sound_of=source if facts.audio else None,
            start_s=first.time_s,
        )

    def write(self, pixels: Image, result: FrameResult) -> None:
        """Write one frame, with boxes and strip; frames of another size are fitted to the first."""
        shown = annotate(pixels, result, keep_size=True)
        if (shown.shape[1], shown.shape[0]) != self._size:
            shown = np.asarray(
                cv2.resize(shown, self._size, interpolation=cv2.INTER_AREA), np.uint8
            )
        self.file.write(self._overlay.under(shown, result.time_s), result.time_s)


def _settings(options: VideoOptions, facts: ClipFacts) -> dict[str, Any]:
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


def _card(card: ModelCard, answers: dict[str, Any]) -> dict[str, Any]:
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
    out["not tested for"] = " ".join(card.limits)
    return out
