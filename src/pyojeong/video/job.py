"""One clip from file to results: read, resumable; then everything that is written, made anew.

Reading goes into a ledger. When the clip is over, tables, report, annotated clip and the rest are
made from it in one go, under their final names only when they are whole, and the ledger is removed.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong._version import __version__
from pyojeong.core.errors import InputError
from pyojeong.core.face import FrameResult, Sink
from pyojeong.image.files import whole_file
from pyojeong.output.tables import SINKS, require
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.stream.pipeline import read_frames
from pyojeong.stream.segments import Selection
from pyojeong.stream.smooth import changed, neutral_of, smoothed
from pyojeong.stream.source import Clip, ClipFacts
from pyojeong.stream.track import Tracker
from pyojeong.video.ledger import Ending, Ledger, fingerprint
from pyojeong.video.showing import show
from pyojeong.video.summary import Summary

ENDINGS = {"json": "jsonl", "csv": "csv", "parquet": "parquet"}
DONE = "done.json"
LEDGER = ".reading.jsonl"

Progress = Callable[[float, int], None]
"""Called now and then with the clip's time in seconds and the number of frames read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoOptions:
    """What is done with a clip.

    Attributes:
        selection: Which frames are read.
        formats: Tables that are written: keys of ``SINKS``.
        smooth_s: Standard deviation of the smoothing in seconds; None = none.
        baseline_s: Time in which everybody kept a neutral face: (start, end); None = none.
        baseline: Scores of a neutral face, for people who have none in ``baseline_s``.
        annotate: Write the annotated clip.
        report: Write the report.
        pictures: Show key frames in the report.
        aggregate: Keep only shares, events and counts: no row per frame, no picture.
        hold_s: Shortest event.
        workers: Threads that read.
    """

    selection: Selection = field(default_factory=Selection)
    formats: tuple[str, ...] = ("parquet",)
    smooth_s: float | None = None
    baseline_s: tuple[float, float] | None = None
    baseline: tuple[float, ...] | None = None
    annotate: bool = False
    report: bool = True
    pictures: bool = True
    aggregate: bool = False
    hold_s: float = 0.5
    workers: int = 2

    def __post_init__(self) -> None:
        if self.smooth_s is not None and not self.smooth_s > 0:
            raise InputError(
                f"smoothing: expected a positive number of seconds, got {self.smooth_s}"
            )
        if self.aggregate and (self.annotate or self.formats):
            raise InputError(
                "aggregate keeps no frames: not together with tables or an annotated clip"
            )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a clip.

    Attributes:
        folder: Where the results are.
        frames: Frames that were read.
        people: Number of tracks.
        complaint: Why decoding stopped early; "" = it did not.
        again: The results were there already.
    """

    folder: Path
    frames: int
    people: int
    complaint: str = ""
    again: bool = False


def read_clip(
    path: Path,
    folder: Path,
    analyzer: Analyzer,
    options: VideoOptions,
    *,
    progress: Progress = lambda _time, _frames: None,
) -> Outcome:
    """Read a clip, or go on reading it, and write everything that was asked for.

    Args:
        path: The clip.
        folder: Gets the results; made when it is missing.
        analyzer: Reads frames.
        options: What is done.
        progress: Told how far it is.

    Raises:
        VideoUnreadable: When the clip cannot be read at all.
        OutputError: When something cannot be written; reading goes on from there the next time.
        MissingExtra: When a table needs what is not installed.
    """
    require(options.formats)
    with Clip(path) as clip:
        facts = clip.facts
        about = _about(path, analyzer, options)
        before = _read_done(folder, about)
        if before is not None:
            return replace(before, again=True)
        with Ledger(folder / LEDGER, about["reading"]) as ledger:
            (folder / DONE).unlink(missing_ok=True)
            ending = _read(clip, analyzer, options, ledger, progress)
            outcome = _write(path, folder, analyzer, options, (ledger, ending, facts))
    with whole_file(folder / DONE, "w") as file:
        told = {
            "frames": outcome.frames,
            "people": outcome.people,
            "decoded": ending.frames,
            "complaint": ending.complaint,
        }
        done = {"about": about, "outcome": told, "path": str(path), "facts": asdict(facts)}
        file.write(json.dumps(done, indent=1) + "\n")
    ledger.remove()
    return outcome


def _about(path: Path, analyzer: Analyzer, options: VideoOptions) -> dict[str, Any]:
    """Everything that decides the results; the part that decides what is read stands apart."""
    wanted = asdict(options)
    reading = {
        "clip": fingerprint(path),
        "models": list(analyzer.model_ids),
        "answers": analyzer.classifier.head.to_dict(),
        "selection": wanted.pop("selection"),
        "version": __version__,
    }
    wanted.pop("workers")
    about = {"reading": reading, "writing": wanted}
    return json.loads(json.dumps(about))  # type: ignore[no-any-return]


def _read_done(folder: Path, about: dict[str, Any]) -> Outcome | None:
    try:
        data = json.loads((folder / DONE).read_text(encoding="utf-8"))
        if {k: v for k, v in data["about"].items() if k != "forgotten"} != about:
            return None
        told = data["outcome"]
        return Outcome(folder, told["frames"], told["people"], told["complaint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read(
    clip: Clip,
    analyzer: Analyzer,
    options: VideoOptions,
    ledger: Ledger,
    progress: Progress,
) -> Ending:
    """Fill the ledger from where it ends."""
    key, state, ending = ledger.last()
    if ending is not None:
        return ending
    tracker = None if state is None else Tracker.from_dict(state)
    frames = 0
    chunks = read_frames(
        clip,
        analyzer,
        Path(clip.name).name,
        selection=options.selection,
        workers=options.workers,
        tracker=tracker,
        after=key,
    )
    for chunk in chunks:
        ledger.add(chunk)
        frames += len(chunk.results)
        if chunk.results:
            progress(chunk.results[-1].time_s, frames)
    ending = Ending(clip.decoded, clip.complaint)
    ledger.finish(ending)
    return ending


def _results(
    ledger: Ledger, options: VideoOptions, labels: tuple[str, ...]
) -> Iterator[FrameResult]:
    """The frames with what is computed over time."""
    results = ledger.results()
    if options.baseline_s is not None or options.baseline is not None:
        neutral: dict[int, NDArray[np.float64]] = {}
        if options.baseline_s is not None:
            neutral = neutral_of(ledger.results(), *options.baseline_s)
        default = None if options.baseline is None else np.asarray(options.baseline)
        if default is not None and len(default) != len(labels):
            raise InputError(f"baseline: expected {len(labels)} scores, got {len(default)}")
        results = changed(results, neutral, default)
    return results if options.smooth_s is None else smoothed(results, options.smooth_s)


def _write(
    path: Path,
    folder: Path,
    analyzer: Analyzer,
    options: VideoOptions,
    read: tuple[Ledger, Ending, ClipFacts],
) -> Outcome:
    """Everything that is made from the ledger."""
    ledger, ending, facts = read
    labels = analyzer.classifier.label_set
    summary = Summary(labels, hold_s=options.hold_s)

    def results() -> Iterator[FrameResult]:
        return _results(ledger, options, labels.names)

    with ExitStack() as stack:
        sinks: list[Sink] = [
            stack.enter_context(
                SINKS[name](folder / f"results.{ENDINGS[name]}", labels=labels, timeline=True)
            )
            for name in options.formats
        ]
        for result in results():
            for sink in sinks:
                sink.write(result)
            summary.add(result)
    summary.finish()
    model = analyzer.classifier
    answers = model.head.to_dict()
    with whole_file(folder / "summary.json", "w") as file:
        file.write(json.dumps({**summary.to_dict(), "answers": answers}, indent=1) + "\n")
    show(path, folder, (model.card, answers), options, (summary, results, ending, facts))
    return Outcome(folder, summary.frames, len(summary.people), ending.complaint)
