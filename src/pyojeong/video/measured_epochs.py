"""The epochs of one clip from its events to ``epochs.csv``, where events were given."""

from pathlib import Path
from typing import Any

from pyojeong.core.face import FrameResult
from pyojeong.core.labels import LabelSet
from pyojeong.stream.segments import Selection
from pyojeong.video.coded_events.epoch import EventList, cut_to
from pyojeong.video.epochs import EpochCounter, write_epochs
from pyojeong.video.options import EPOCHS, VideoOptions
from pyojeong.video.summary import Summary

SLACK_S = 1.0
"""Containers may state a length that is a little too short."""


class MeasuredEpochs:
    """Counts frames in the epochs of a clip; without events it does nothing.

    Args:
        labels: The classifier's label set.
        events: Of the clip; None = none were given.

    Attributes:
        counter: What was counted; None = no events were given.
        events: The epochs; after ``write`` cut to what was read.
    """

    def __init__(self, labels: LabelSet, events: EventList | None) -> None:
        self.events = events
        self.counter = None if events is None else EpochCounter(labels, events.epochs)

    def add(self, result: FrameResult) -> None:
        """Take the next frame."""
        if self.counter is not None:
            self.counter.add(result)

    def finish(self) -> None:
        """Count the last frame; call once."""
        if self.counter is not None:
            self.counter.finish()

    def write(
        self, folder: Path, summary: Summary, options: VideoOptions, length_s: float | None
    ) -> None:
        """Write the table of epochs; call once, after the last frame.

        Args:
            folder: Of the clip's results.
            summary: Of the same frames, finished.
            options: What is done with the clip.
            length_s: The clip's length, as its container states it; None = not stated.

        Raises:
            OutputError: When it could not be written.
        """
        if self.counter is None or self.events is None:
            return
        self.finish()
        start, end = span_read(options.selection, max(self.counter.end_s, length_s or 0.0))
        self.events = cut_to(self.events, start, end)
        rows = self.counter.records(summary, start_s=start, end_s=end)
        write_epochs(folder / EPOCHS, rows, excel=options.excel)

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines about events that were left out, cut or sorted."""
        events = self.events
        if events is None:
            return ()
        return tuple(f"{events.file or 'events'}: {line}" for line in events.notes)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``summary.json`` says of the events; {} without any."""
        events = self.events
        if events is None:
            return {}
        count = len(events.epochs)
        return {"epochs": {"file": events.file, "number": count, "notes": list(events.notes)}}


def span_read(selection: Selection, length_s: float) -> tuple[float, float]:
    """Return the part of a clip that is read."""
    end = length_s if selection.end_s is None else min(length_s, selection.end_s)
    return selection.start_s, end


def require_epochs(options: VideoOptions, length_s: float | None, *, exact: bool = False) -> None:
    """Refuse events of which none lies in what is read of a clip.

    Args:
        options: What is done with the clip.
        length_s: The clip's length; None = not known yet.
        exact: The length is what ``MeasuredEpochs.write`` cuts to: the clip was read.

    Raises:
        InputError: When none does.
    """
    if options.events is None or length_s is None:
        return
    span = span_read(options.selection, length_s + (0.0 if exact else SLACK_S))
    if not any(epoch.within(*span) for epoch in options.events.epochs):
        cut_to(options.events, *span_read(options.selection, length_s))  # raises
