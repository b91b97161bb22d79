"""What was read from one clip, as a sequence of frames."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, overload

from pyojeong.core.face import FrameResult


@dataclass(frozen=True, slots=True)
class VideoResult(Sequence[FrameResult]):
    """The frames of one clip with what they come to; ``len``, indexing and iteration give frames.

    Attributes:
        source: The clip, as it was named.
        frames: One result per frame that was read, in order; empty with ``aggregate``.
        summary: Numbers per person, events, blinks and quality, as in ``summary.json``.
        notes: Lines about choices that were made, and about what lacks something.
        error: Where the clip breaks off, or that it is damaged; "" = it was read to its end.
        failed: Lines about files beside the results that could not be written.
        folder: Where results were written; None = nowhere.
        settings: What decided the results, in the words of the report.
        model: What is known of the model and its answers, in the words of the report.
        epochs: With ``events``: a row per coded event and person, as in ``epochs.csv``; None = not
            measured. ``pandas.DataFrame(video.epochs)`` makes a table of them.

    Example:
        >>> from pyojeong import Analyzer, to_dataframe
        >>> video = Analyzer(threads=1).analyze_video("clip.mp4")
        >>> to_dataframe(video).time_s.is_monotonic_increasing
        True
    """

    source: str
    frames: tuple[FrameResult, ...]
    summary: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str = ""
    failed: tuple[str, ...] = ()
    folder: Path | None = None
    settings: dict[str, Any] = field(default_factory=dict, compare=False)
    model: dict[str, Any] = field(default_factory=dict, compare=False)
    epochs: list[dict[str, Any]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[FrameResult]:
        return iter(self.frames)

    @overload
    def __getitem__(self, at: int) -> FrameResult: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[FrameResult, ...]: ...
    def __getitem__(self, at: int | slice) -> FrameResult | tuple[FrameResult, ...]:
        return self.frames[at]

    def __repr__(self) -> str:
        people = len(self.people)
        return f"VideoResult({self.source!r}, {len(self)} frames, {people} people)"

    @property
    def people(self) -> list[dict[str, Any]]:
        """Per person: seconds seen, share of time by answer, blinks; as in ``summary.json``."""
        return list(self.summary.get("people", ()))

    @property
    def events(self) -> list[dict[str, Any]]:
        """Answers that one face gave without a break: track, label, start, end, surest frame."""
        return list(self.summary.get("events", ()))

    def write_report(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write the report page; see ``pyojeong.write_report``."""
        written = import_module("pyojeong.video.analysis").write_report(self, path, **options)
        return Path(written)
