"""Write the results of one clip from its checkpoint: tables, summary, epochs, and the rest."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.face import FrameResult
from pyojeong.core.protocols import Sink
from pyojeong.output.tables import SINKS
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.stream.baseline import NeutralFace, changed, lacks_units, neutral_of
from pyojeong.stream.smooth import smoothed
from pyojeong.stream.source import ClipFacts
from pyojeong.video.checkpoint import Checkpoint, Ending
from pyojeong.video.measured_epochs import MeasuredEpochs
from pyojeong.video.options import ENDINGS, VideoOptions
from pyojeong.video.render import ProcessedClip, render
from pyojeong.video.summary import Summary

_CLEARLY = 0.5
"""A mean score of a baseline from which on its face looks like that label."""
_NAMED = 5
"""So many people are named in a line; more are counted."""


@dataclass(frozen=True, slots=True)
class ClipResult:
    """What came of a clip.

    Attributes:
        folder: Where the results are.
        frames: Frames that were read.
        people: Number of tracks.
        error: Why decoding stopped early; "" = it did not.
        again: The results were there already.
        removed: Files of an earlier run with other settings that this one did not write again.
        notes: Lines about choices that were made and about what lacks something.
        failed: Lines about files beside the results that could not be written.
    """

    folder: Path
    frames: int
    people: int
    error: str = ""
    again: bool = False
    removed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def results_over_time(
    source: str, checkpoint: Checkpoint, options: VideoOptions
) -> Iterator[FrameResult]:
    """Yield the frames with what is computed over time."""
    results: Iterator[FrameResult]
    results = (replace(result, source=source) for result in checkpoint.results())
    if options.baseline_s is not None or options.baseline is not None:
        neutral, default = _neutral_faces(checkpoint, options)
        results = changed(results, neutral, default)
    return results if options.smooth_s is None else smoothed(results, options.smooth_s)


def _neutral_faces(
    checkpoint: Checkpoint, options: VideoOptions
) -> tuple[dict[int, NeutralFace], NeutralFace | None]:
    """Return the neutral face of each person in the baseline's time, and that of its image."""
    neutral: dict[int, NeutralFace] = {}
    if options.baseline_s is not None:
        neutral = neutral_of(checkpoint.results(), *options.baseline_s)
    if options.baseline is None:
        return neutral, None
    return neutral, NeutralFace(np.asarray(options.baseline), options.baseline_units)


def _baseline_notes(
    checkpoint: Checkpoint,
    options: VideoOptions,
    people: Iterable[int],
    labels: Sequence[str],
    *,
    units: bool,
) -> Iterator[str]:
    """Yield lines about people whose baseline is missing, looks not neutral or lacks units."""
    if options.baseline_s is None and options.baseline is None:
        return
    neutral, default = _neutral_faces(checkpoint, options)
    own = {track: neutral.get(track, default) for track in sorted(people)}
    nobody = [track for track, face in own.items() if face is None]
    if nobody:
        yield f"{_named(nobody)} not in the baseline: without changes from a neutral face"
    looks: dict[str, list[int]] = {}
    for track, face in own.items():
        if face is not None and "neutral" in labels and face.scores.max() >= _CLEARLY:
            looks.setdefault(labels[int(face.scores.argmax())], []).append(track)
    for label in sorted(looks.keys() - {"neutral"}):
        yield (
            f"the face of {_named(looks[label])} looks {label} in the baseline, not neutral: "
            "changes are from that face"
        )
    bare = [track for track, face in own.items() if face is not None and lacks_units(face)]
    if units and bare:
        yield (
            f"no action unit was measured in the baseline of {_named(bare)}: without their changes "
            "and activation"
        )


def _named(tracks: list[int]) -> str:
    more = f" and {len(tracks) - _NAMED:,} more" if len(tracks) > _NAMED else ""
    return f"person {', '.join(map(str, tracks[:_NAMED]))}{more}"


def write_results(
    path: Path,
    folder: Path,
    analyzer: Analyzer,
    options: VideoOptions,
    checkpoint: Checkpoint,
    ending: Ending,
    facts: ClipFacts,
) -> ClipResult:
    """Write everything that is made from the checkpoint."""
    labels = analyzer.classifier.label_set
    summary = Summary(labels, hold_s=options.hold_s)
    epochs = MeasuredEpochs(labels, options.events)

    def results() -> Iterator[FrameResult]:
        # A checkpoint that was begun from another working folder names the clip differently.
        return results_over_time(str(path), checkpoint, options)

    with ExitStack() as stack:
        sinks = _sinks(folder, analyzer, options, stack)
        for result in results():
            for sink in sinks:
                sink.write(result)
            summary.add(result)
            epochs.add(result)
    summary.finish()
    epochs.write(folder, summary, options, facts.duration_s)
    model = analyzer.classifier
    answers = model.head.to_dict()
    write_summary(folder, {**summary.to_dict(), **epochs.to_dict()}, answers, facts, options)
    processed = ProcessedClip(
        path=path,
        folder=folder,
        summary=summary,
        results=results,
        ending=ending,
        facts=facts,
        card=model.card,
        answers=answers,
        model_ids=analyzer.model_ids,
        epochs=epochs,
    )
    extras = render(processed, options)
    with_units = "action_units" in analyzer.measures
    people = summary.people
    notes = _baseline_notes(checkpoint, options, people, labels.names, units=with_units)
    return ClipResult(
        folder,
        summary.frames,
        len(summary.people),
        ending.error,
        notes=(*notes, *epochs.notes, *extras.notes),
        failed=tuple(f"{name}: {why}" for name, why in extras.failed.items()),
    )


def _sinks(folder: Path, analyzer: Analyzer, options: VideoOptions, stack: ExitStack) -> list[Sink]:
    """Open the tables that were asked for."""
    return [
        stack.enter_context(
            SINKS[name](
                folder / f"results.{ENDINGS[name]}",
                labels=analyzer.classifier.label_set,
                timeline=True,
                measures=analyzer.measures,
                excel=options.excel,
            )
        )
        for name in options.formats
    ]


def write_summary(
    folder: Path,
    numbers: dict[str, Any],
    answers: dict[str, Any],
    facts: ClipFacts,
    options: VideoOptions,
) -> None:
    """Write ``summary.json``: the numbers, what decided the answers, and which clock is used.

    Raises:
        OutputError: When it could not be written.
    """
    clock: dict[str, Any] = {
        "zero": "the clip's beginning",
        "container_start_s": round(facts.start_s, 6),
    }
    if options.annotate:
        clock["annotated_start_s"] = options.selection.start_s
    data = {**numbers, "clock": clock, "answers": answers}
    with atomic_write(folder / "summary.json", "w") as file:
        file.write(json.dumps(data, indent=1) + "\n")
