"""Clips, each into a folder of its own: what the local engine and each worker of Ray do."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pyojeong.core.errors import InputError, OutputBusy, message_of
from pyojeong.distributed.ray_engine import enter_folder
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.video.checkpoint import FolderTaken
from pyojeong.video.clip_writing import ClipResult
from pyojeong.video.coded_events.reading import EventSource
from pyojeong.video.options import DONE, VideoOptions
from pyojeong.video.process import Progress, read_clip
from pyojeong.video.result_folders import choose_folder, is_reserved

_MOST_CHOICES = 50


def read_into_own_folder(
    clip: Path,
    first: str,
    out: Path,
    analyzer: Analyzer,
    options: VideoOptions,
    *,
    progress: Progress = lambda _time, _frames: None,
    say: Callable[[str], None] = lambda _line: None,
) -> ClipResult:
    """Read a clip; where another process takes its folder, choose again.

    Args:
        clip: The clip.
        first: The name that its folder has when nothing else is there.
        out: The folder of all results.
        analyzer: Reads frames.
        options: What is done.
        progress: Called with the progress.
        say: Called with a line when the folder has another name.

    Raises:
        InputError: When the clip could not be read, or there is no folder for its results.
    """
    for _ in range(_MOST_CHOICES):
        folder = choose_folder(clip, first, out)
        if folder.name != first and not (folder / DONE).exists():
            why = "is the name of a table" if is_reserved(first) else "has other results"
            say(f"{out / first} {why}: those of {clip} go to {folder}")
        try:
            return read_clip(clip, folder, analyzer, options, progress=progress)
        except (FolderTaken, OutputBusy):
            time.sleep(0.1)  # the other process writes down whose folder it is
    raise InputError(f"{clip}: no folder for its results in {out}; choose another --out folder")


@dataclass(frozen=True, slots=True)
class ClipTasks:
    """Makes the function that a worker process calls for each clip.

    Attributes:
        out: The folder of all results, which every machine sees.
        options: Of the analyzer, for ``Analyzer``.
        video: What is done with each clip.
        events: Coded events; None = there are none.
        working_folder: What paths of clips are relative to.
    """

    out: Path
    options: dict[str, Any]
    video: VideoOptions
    events: EventSource | None
    working_folder: Path

    def __call__(self) -> "ClipWorker":
        """Return what does the tasks, in the process of a worker."""
        enter_folder(self.working_folder)
        return ClipWorker(self, Analyzer(**{**self.options, "threads": 1}))


@dataclass(slots=True)
class ClipWorker:
    """Holds one analyzer; reads one clip a task."""

    tasks: ClipTasks
    analyzer: Analyzer
    lines: list[str] = field(default_factory=list)

    def __call__(self, task: dict[str, Any]) -> dict[str, Any]:
        """Read the clip that a task names; whatever is wrong with it is part of the answer."""
        clip, tasks = Path(task["clip"]), self.tasks
        self.lines = []
        answer: dict[str, Any] = {"clip": task["clip"]}
        try:
            events = None if tasks.events is None else tasks.events.of(clip.name)
            options = replace(tasks.video, events=events, workers=1)
            outcome = read_into_own_folder(
                clip, task["first"], tasks.out, self.analyzer, options, say=self.lines.append
            )
        except Exception as error:  # whatever it is, the other clips are read
            return {**answer, "error": message_of(task["clip"], error), "lines": self.lines}
        return {**answer, "outcome": _plain(outcome), "lines": self.lines}


def _plain(outcome: ClipResult) -> dict[str, Any]:
    names = ("frames", "people", "error", "again", "removed", "notes", "failed")
    return {"folder": str(outcome.folder), **{name: getattr(outcome, name) for name in names}}


def result_of(answer: dict[str, Any]) -> ClipResult | str:
    """Return what became of a clip by a worker's answer: its result, or its error."""
    if "error" in answer:
        return str(answer["error"])
    known = dict(answer["outcome"])
    for name in ("removed", "notes", "failed"):
        known[name] = tuple(known[name])
    return ClipResult(**{**known, "folder": Path(known["folder"])})
