"""What is done with a clip, as data."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from pyojeong.core.action_units import Intensities
from pyojeong.core.errors import InputError
from pyojeong.core.texts import require_language
from pyojeong.output.layouts.registry import layout_named, names_of_clip
from pyojeong.stream.segments import Selection
from pyojeong.video.coded_events.epoch import EventList

ENDINGS = {"json": "jsonl", "csv": "csv", "parquet": "parquet"}
"""Kind of table -> ending of its file."""

DONE = "done.json"
"""File in a clip's folder: its results are complete, and what they were made with."""
CHECKPOINT = ".reading.jsonl"
"""File in a clip's folder while it is read."""
EPOCHS = "epochs.csv"
"""What was measured in coded events: a row per epoch and person."""

OUTPUTS = (
    *(f"results.{ending}" for ending in ENDINGS.values()),
    "summary.json",
    "report.html",
    "annotated.mp4",
    "annotated.incomplete.mp4",
    "annotated.vtt",
    "events.vtt",
    "events.eaf",
    "events.tsv",
    EPOCHS,
)
"""Every file of results that may lie in a clip's folder, beside those of layouts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoOptions:
    """What is done with a clip.

    Attributes:
        selection: Which frames are read.
        formats: Tables that are written: keys of ``SINKS``.
        layouts: Layouts of other tools that are written: keys of ``LAYOUTS``.
        smooth_s: Standard deviation of the smoothing in seconds; None = none.
        baseline_s: Time in which everybody kept a neutral face: (start, end); None = none.
        baseline: Scores of a neutral face, for people who have none in ``baseline_s``.
        baseline_units: Action units of that face, in the order of ``ACTION_UNITS``.
        annotate: Write the annotated clip.
        report: Write the report.
        images: Show key frames in the report.
        aggregate: Keep only shares, events and counts: no row per frame, no image.
        hold_s: Shortest event.
        events: Coded events, measured in ``epochs.csv``; None = none.
        excel: Write CSV tables for spreadsheets; see ``output.spreadsheet``.
        lang: Language of the report: one of ``core.texts.LANGUAGES``.
        workers: Threads that read.
    """

    selection: Selection = field(default_factory=Selection)
    formats: tuple[str, ...] = ("parquet",)
    layouts: tuple[str, ...] = ()
    smooth_s: float | None = None
    baseline_s: tuple[float, float] | None = None
    baseline: tuple[float, ...] | None = None
    baseline_units: Intensities | None = None
    annotate: bool = False
    report: bool = True
    pictures: bool = True
    aggregate: bool = False
    hold_s: float = 0.5
    events: EventList | None = None
    excel: bool = False
    lang: str = "en"
    workers: int = 2

    def __post_init__(self) -> None:
        if self.smooth_s is not None and not 0 < self.smooth_s < math.inf:
            raise InputError(
                f"smoothing: expected a positive number of seconds, got {self.smooth_s}"
            )
        if not 0 <= self.hold_s < math.inf:
            raise InputError(f"hold: expected a number of seconds from 0 on, got {self.hold_s}")
        if self.baseline_s is not None and not all(map(math.isfinite, self.baseline_s)):
            raise InputError(f"baseline: expected a time with its end, got {self.baseline_s}")
        require_language(self.lang)
        for name in self.layouts:
            layout_named(name)
        if self.aggregate and (self.annotate or self.formats or self.layouts):
            raise InputError(
                "aggregate keeps no frames: not together with tables, layouts or an annotated clip"
            )

    @property
    def outputs(self) -> frozenset[str]:
        """Names of the files that these options ask for, whoever is in the clip."""
        names = {"summary.json", "events.vtt", "events.eaf", "events.tsv"}
        names |= set() if self.events is None else {EPOCHS}
        names |= {f"results.{ENDINGS[name]}" for name in self.formats}
        names |= {"report.html"} if self.report else set()
        if self.annotate:
            names |= {"annotated.mp4", "annotated.incomplete.mp4"}
            names |= {"annotated.vtt"} if self.selection.start_s else set()
        return frozenset(names)

    def outputs_with(self, people: Iterable[int]) -> frozenset[str]:
        """Return the names of all files that these options ask for.

        Args:
            people: Numbers of the people in the clip.
        """
        return self.outputs | set(names_of_clip(self.layouts, people))
