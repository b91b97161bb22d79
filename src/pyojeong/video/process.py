"""Process one clip from file to results; an interrupted run resumes from its checkpoint.

What is read goes into a checkpoint file. When the clip has ended, tables, report, annotated clip
and the rest are written from it, each under its final name only when it is whole, and the
checkpoint is removed. Tables and summary come first; when something beside them fails (the
annotated clip, subtitles, the report), they are there all the same, and the checkpoint stays so
that the same command tries the rest again.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pyojeong._version import __version__
from pyojeong.core.atomic_write import remove_stale
from pyojeong.core.errors import InputError, VideoUnreadable
from pyojeong.core.one_writer import one_writer
from pyojeong.core.output_files import changed_files
from pyojeong.core.result_key import plain
from pyojeong.output.tables import require
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.stream.baseline import neutral_of
from pyojeong.stream.pipeline import no_frames, read_frames
from pyojeong.stream.source import Clip
from pyojeong.stream.track import Tracker
from pyojeong.video.checkpoint import Checkpoint, Ending, fingerprint
from pyojeong.video.clip_writing import ClipResult, write_results
from pyojeong.video.finished import (
    begin_writing,
    earlier_results,
    layout_files,
    made_of,
    others_of,
    require_no_redaction,
    require_no_return,
    require_own,
    why_replaced,
    write_finished,
)
from pyojeong.video.measured_epochs import SLACK_S, require_epochs, span_read
from pyojeong.video.options import CHECKPOINT, DONE, VideoOptions
from pyojeong.video.result_folders import require_free

_CLOCK_S = 0.001
"""A clip whose clock begins this far from zero gets a note."""

Progress = Callable[[float, int], None]
"""Called now and then with the clip's time in seconds and the number of frames read."""


def read_clip(
    path: Path,
    folder: Path,
    analyzer: Analyzer,
    options: VideoOptions,
    *,
    progress: Progress = lambda _time, _frames: None,
) -> ClipResult:
    """Read a clip, or go on reading it, and write everything that was asked for.

    Args:
        path: The clip.
        folder: Gets the results; made when it is missing.
        analyzer: Reads frames.
        options: What is done.
        progress: Called with the progress.

    Raises:
        VideoUnreadable: When the clip could not be read at all, or has no frame in the range.
        InputError: When the time of the baseline holds no face, or no event lies in what is read.
        FolderTaken: When the folder has results of another clip.
        OutputError: When tables or summary could not be written.
        MissingExtra: When a table needs what is not installed.
    """
    require(options.formats)
    with one_writer(folder, folder=True), Clip(path) as clip:
        facts = clip.facts
        require_epochs(options, facts.duration_s and clip.length_s)
        _require_possible_baseline(clip, analyzer, options)
        about = record_of(path, analyzer, options)
        require_free(folder, path)
        earlier = earlier_results(folder)
        require_no_redaction(folder, earlier)
        kept = _kept(folder, earlier, about)
        if kept is not None:
            (folder / CHECKPOINT).unlink(missing_ok=True)  # of a run that was killed at its end
            return kept
        require_no_return(folder, earlier)
        of_layouts = layout_files(folder, options.layouts)  # of people who are not known yet
        others = others_of(folder, earlier, options.outputs)
        require_own(folder, earlier, {*options.outputs, *others, *of_layouts})
        whole = os.path.abspath(path)  # noqa: PTH100 - links stay what they are
        with Checkpoint(folder / CHECKPOINT, about["reading"], clip=whole) as checkpoint:
            require_free(folder, path)  # another process may have finished there meanwhile
            ending = _read_or_leave(clip, folder, analyzer, options, checkpoint, progress)
            remove_stale(folder)
            why = tuple(why_replaced(folder, earlier, about))
            names = options.outputs_with(_people(checkpoint, options))
            others = others_of(folder, earlier, names)
            begin_writing(folder, whole, about["reading"]["clip"], earlier, names)
            outcome = write_results(path, folder, analyzer, options, checkpoint, ending, facts)
            outcome = replace(outcome, notes=(*_notes(clip, ending, options), *outcome.notes))
            for name in others:  # beside the new ones they would be taken for theirs
                (folder / name).unlink()
            made = {"about": about, "path": whole, "facts": asdict(facts)}
            made["card"] = json.loads(analyzer.classifier.card.to_json())
            _write_done(folder, made, outcome, ending, names)
            if not outcome.failed:
                checkpoint.remove()
    return replace(outcome, removed=tuple(others), notes=(*why, *outcome.notes))


def _read_or_leave(
    clip: Clip,
    folder: Path,
    analyzer: Analyzer,
    options: VideoOptions,
    checkpoint: Checkpoint,
    progress: Progress,
) -> Ending:
    """Read the clip; earlier results stay as they are when it, or its baseline, is no use."""
    try:
        ending = _read(clip, analyzer, options, checkpoint, progress)
    except VideoUnreadable:
        if next(checkpoint.results(), None) is None:
            checkpoint.remove()
        raise
    try:
        _require_baseline(clip.name, checkpoint, options)
        if options.events is not None:
            end_s = max(_end_s(checkpoint), clip.facts.duration_s or 0.0)
            require_epochs(options, end_s, exact=True)
    except InputError:
        if (folder / DONE).exists():  # else what was read serves the next command
            checkpoint.remove()
        raise
    return ending


def _kept(folder: Path, earlier: dict[str, Any] | None, about: dict[str, Any]) -> ClipResult | None:
    """Return the results that are there when they are what is asked for, whole and complete."""
    if earlier is None or not made_of(earlier, about):
        return None
    if changed_files(folder, earlier.get("outputs")):
        return None
    outcome = _outcome(folder, earlier)
    # What failed is tried again, from the checkpoint.
    return None if outcome.failed else replace(outcome, again=True)


def _notes(clip: Clip, ending: Ending, options: VideoOptions) -> Iterator[str]:
    """Yield lines about what was chosen for the user."""
    yield from dict.fromkeys((*clip.notes, *ending.notes))
    start_s, end_s, length_s = clip.facts.start_s, options.selection.end_s, clip.length_s
    if abs(start_s) >= _CLOCK_S:
        yield f"its own clock begins at {start_s:.3f} s; times count from the clip's beginning"
    if end_s is not None and length_s and end_s > length_s + 1:
        yield f"--end {end_s:g} s lies behind its end; it is {length_s:.2f} s long"


def _write_done(
    folder: Path,
    made: dict[str, Any],
    outcome: ClipResult,
    ending: Ending,
    names: Iterable[str],
) -> None:
    """Write the file that says what the results belong to."""
    outcome_facts = {
        "frames": outcome.frames,
        "people": outcome.people,
        "decoded": ending.frames,
        "error": ending.error,
        "notes": outcome.notes,
        "failed": outcome.failed,
    }
    write_finished(folder, {**made, "outcome": outcome_facts}, names)


def record_of(path: Path, analyzer: Analyzer, options: VideoOptions) -> dict[str, Any]:
    """Return everything that decides the results.

    The part that decides what is read stands apart.
    """
    wanted = asdict(options)
    reading = {
        "clip": fingerprint(path),
        "times": "from the clip's beginning",  # results of the container's clock are read again
        **analyzer.settings,
        "selection": wanted.pop("selection"),
        "version": __version__,
    }
    wanted.pop("workers")
    # Results of versions without these options stay.
    for name in ("excel", "layouts", "events", "baseline_units"):
        if not wanted[name]:
            del wanted[name]
    if wanted["lang"] == "en" or not wanted["report"]:
        del wanted["lang"]
    return plain({"reading": reading, "writing": wanted})


def _outcome(folder: Path, done: dict[str, Any]) -> ClipResult:
    known = done["outcome"]
    return ClipResult(
        folder,
        known["frames"],
        known["people"],
        known.get("error", known.get("complaint", "")),  # its earlier name
        notes=tuple(known.get("notes", ())),
        failed=tuple(known.get("failed") or ()),
    )


def _read(
    clip: Clip,
    analyzer: Analyzer,
    options: VideoOptions,
    checkpoint: Checkpoint,
    progress: Progress,
) -> Ending:
    """Fill the checkpoint from where it ends."""
    key, state, ending = checkpoint.last()
    if ending is not None:
        return ending
    tracker = None if state is None else Tracker.from_dict(state)
    frames = 0
    chunks = read_frames(
        clip,
        analyzer,
        clip.name,
        selection=options.selection,
        workers=options.workers,
        tracker=tracker,
        after=key,
    )
    for chunk in chunks:
        checkpoint.add(chunk)
        frames += len(chunk.results)
        if chunk.results:
            progress(chunk.results[-1].time_s, frames)
    if not frames and next(checkpoint.results(), None) is None:
        raise no_frames(clip, options.selection)
    ending = Ending(clip.decoded, clip.error, clip.notes)
    checkpoint.finish(ending)
    return ending


def _end_s(checkpoint: Checkpoint) -> float:
    """Return where the last frame that was read ends, as epochs count it."""
    before = last = 0.0
    for n, result in enumerate(checkpoint.results()):
        before, last = last if n else result.time_s, result.time_s
    return last + (last - before)


def _require_possible_baseline(clip: Clip, analyzer: Analyzer, options: VideoOptions) -> None:
    """Refuse a baseline that is of no use whatever the clip shows, before it is read."""
    labels = len(analyzer.classifier.label_set)
    if options.baseline is not None and len(options.baseline) != labels:
        raise InputError(f"baseline: expected {labels} scores, got {len(options.baseline)}")
    length_s = clip.facts.duration_s and clip.length_s
    if options.baseline_s is None or length_s is None:
        return
    start_s, end_s = options.baseline_s
    first_s, limit_s = span_read(options.selection, length_s + SLACK_S)
    if end_s <= first_s or start_s >= limit_s:
        last_s = min(limit_s, length_s)
        raise InputError(
            f"{clip.name}: --baseline {start_s:g}-{end_s:g} s lies outside what is read of the "
            f"clip, {first_s:g} s to {last_s:.2f} s; choose a time within it that shows a face"
        )


def _require_baseline(name: str, checkpoint: Checkpoint, options: VideoOptions) -> None:
    """Refuse a time of the baseline in which nobody was read."""
    if options.baseline_s is None or neutral_of(checkpoint.results(), *options.baseline_s):
        return
    start_s, end_s = options.baseline_s
    times = [result.time_s for result in checkpoint.results()]
    what = "face" if any(start_s <= time_s < end_s for time_s in times) else "frame"
    raise InputError(
        f"{name}: --baseline {start_s:g}-{end_s:g} s holds no {what}: frames were read from "
        f"{min(times):.2f} s to {max(times):.2f} s, counted from the clip's beginning; choose a "
        "time within it that shows a face"
    )


def _people(checkpoint: Checkpoint, options: VideoOptions) -> set[int]:
    """Return the numbers of people, where files are called after them."""
    if not options.layouts:
        return set()
    tracks = {face.track_id for result in checkpoint.results() for face in result.faces}
    return {track for track in tracks if track is not None}
