"""The result for one clip, as a sequence of frames."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, overload

from pyojeong.core.face import FrameResult


@dataclass(frozen=True, slots=True)
class VideoResult(Sequence[FrameResult]):
    """Results of one clip: a sequence of its frames, with a summary.

    ``len``, indexing and iteration refer to ``frames``.

    Attributes:
        source: Path or name of the clip, as given.
        frames: One result per analyzed frame, in order; empty with ``aggregate=True``.
        summary: Figures per person, events, blinks and quality, as in ``summary.json``.
        notes: Messages about automatic choices and missing inputs.
        error: Description of where the clip is truncated or damaged; "" if it was read to its end.
        failed: Messages about additional files that could not be written.
        folder: Folder of the written results; None if nothing was written.
        settings: Settings of the analysis, as shown in the report.
        model: Description of the model and its scores, as shown in the report.
        epochs: With ``events``: one row per coded event and person, as in ``epochs.csv``; a value
            is None if it was not measured. ``pandas.DataFrame(video.epochs)`` converts them.

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
        """Figures per person: seconds seen, share of time per label, blinks; see ``summary``."""
        return list(self.summary.get("people", ()))

    @property
    def events(self) -> list[dict[str, Any]]:
        """Intervals in which a face has one label: person, label, start, end, best score."""
        return list(self.summary.get("events", ()))

    def write_report(self, path: str | os.PathLike[str], **options: Any) -> Path:
        """Write the HTML report; see ``pyojeong.write_report`` for the options."""
        written = import_module("pyojeong.video.analysis").write_report(self, path, **options)
        return Path(written)
