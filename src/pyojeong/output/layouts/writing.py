"""Write results in the layouts of other tools."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from pyojeong.core.action_units import ACTION_UNITS
from pyojeong.core.atomic_write import output_errors, work_folder
from pyojeong.core.errors import DataError, OutputError
from pyojeong.core.face import Face, FrameResult
from pyojeong.output.layouts.facereader import FaceReaderSink
from pyojeong.output.layouts.openface import ImageList, OpenFaceSink
from pyojeong.output.layouts.pyfeat import PyFeatSink
from pyojeong.output.layouts.registry import (
    files_of_clip,
    layout_named,
    list_of_images,
    of_other_people,
    require_photographs,
)
from pyojeong.output.layouts.sink import LayoutSink
from pyojeong.output.records import Results, frames_of

_MOST_NAMED = 5
"""Files of earlier results that are named."""
_MOST_OPEN = 64
"""Files of people that are written at once; more need another pass over the frames."""

MEASURED: dict[str, Callable[[Face], bool]] = {
    "action units": lambda f: (
        f.action_units is not None and any(v is not None for v in f.action_units.values())
    ),
    "expression": lambda f: f.expression is not None,
    "head pose": lambda f: f.pose is not None,
    "eyes": lambda f: f.eyes is not None and f.eyes.openness is not None,
    "gaze": lambda f: f.eyes is not None and f.eyes.gaze_rad is not None,
    "blendshapes": lambda f: f.blendshapes is not None,
}
"""What layouts have columns for -> whether it was measured in a face."""


@dataclass(slots=True)
class Survey:
    """What results hold, as far as layouts need it.

    Attributes:
        sources: Names of the files.
        people: Numbers of people.
        faces: Number of faces.
        unnumbered: Faces without a person's number.
        clip: They are of a clip, not of photographs.
        measured: Part of a face -> in how many faces it was measured.
        contempt: Scores have contempt.
        disorder: Which frame of a clip does not follow the one before it; "" = all do.
    """

    sources: dict[str, None] = field(default_factory=dict)
    people: set[int] = field(default_factory=set)
    faces: int = 0
    unnumbered: int = 0
    clip: bool = False
    measured: Counter[str] = field(default_factory=Counter)
    contempt: bool = False
    disorder: str = ""
    _before: tuple[str, int] | None = None
    _first: tuple[int, float] | None = None
    _last: tuple[int, float] = (0, 0.0)

    def add(self, result: FrameResult) -> None:
        """Take one frame."""
        self.clip = self.clip or result.index > 0 or result.time_s > 0
        before, self._before = self._before, (result.source, result.index)
        if before is not None and before[0] == result.source and before[1] >= result.index:
            self.disorder = self.disorder or f"frame {result.index} behind frame {before[1]}"
        self.sources[result.source] = None
        self._first = self._first or (result.index, result.time_s)
        self._last = (result.index, result.time_s)
        for face in result.faces:
            self.faces += 1
            if face.track_id is None:
                self.unnumbered += 1
            else:
                self.people.add(face.track_id)
                self.clip = True
            for name, was_measured in MEASURED.items():
                self.measured[name] += was_measured(face)
            if face.action_units is not None:
                self.measured.update(u for u, v in face.action_units.items() if v is not None)
            labels = () if face.expression is None else face.expression.label_set.names
            self.contempt = self.contempt or "contempt" in labels

    @property
    def rate(self) -> float | None:
        """Frames a second, as far as their times say."""
        if self._first is None or self._last[1] <= self._first[1]:
            return None
        return (self._last[0] - self._first[0]) / (self._last[1] - self._first[1])

    def require(self, name: str) -> None:
        """Refuse results that a layout has no place for.

        Raises:
            DataError: When it has none.
        """
        layout = layout_named(name)
        if self.clip and self.disorder:
            raise DataError(
                f"{self.disorder}: the frames of a clip are not in order, or are there twice; "
                "convert the table that `pyojeong video` wrote"
            )
        if not self.clip:
            require_photographs(name)
        elif len(self.sources) > 1 and not layout.several_clips:
            raise DataError(
                f"results of {len(self.sources):,} clips: a file in the layout {name} holds one; "
                "convert the folder of each clip, or choose pyfeat"
            )
        if layout.of_person and self.unnumbered:
            raise DataError(
                f"{self.unnumbered:,} faces have no number of a person (track_id), and the layout "
                f"{name} has one file a person: read the clip with `pyojeong video`"
            )

    def notes(self, name: str) -> Iterator[str]:
        """Yield lines about what a layout has columns for and these results lack."""
        layout = layout_named(name)
        lacking = [part for part in layout.needs if not self.measured[part]] if self.faces else []
        if lacking:
            yield (
                f"layout {name}: not measured in these results, so {layout.missing}: "
                f"{', '.join(lacking)}"
            )
        units = [u for u in ACTION_UNITS if not self.measured[u]]
        if units and self.measured["action units"]:
            yield f"layout {name}: not in these results, so {layout.missing}: {', '.join(units)}"
        if name == "pyfeat" and self.contempt:
            yield "layout pyfeat: it has no column for contempt; the other scores are as they were"


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        files: The files.
        notes: Lines about what these results lack.
    """

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def photograph_sinks(name: str, target: Path) -> list[LayoutSink]:
    """Return the open files of a layout for photographs, which come frame by frame.

    Raises:
        DataError: When the layout holds clips only.
        OutputError: When the place could not be written to.
    """
    require_photographs(name)
    if name == "pyfeat":
        return [PyFeatSink(target, photographs=True)]
    table = OpenFaceSink(target, photographs=True)
    return [table, ImageList(list_of_images(target))]


def _plan(name: str, survey: Survey, target: Path) -> dict[Path, Callable[[Path], LayoutSink]]:
    """Return each file -> what opens it."""
    if not survey.clip and layout_named(name).photographs:
        if name == "pyfeat":
            return {target: lambda file: PyFeatSink(file, photographs=True)}
        table = {target: lambda file: OpenFaceSink(file, photographs=True)}
        return {**table, list_of_images(target): ImageList}
    if name == "openface":
        return {target: lambda file: OpenFaceSink(file, photographs=False)}
    if name == "pyfeat":
        return {target: lambda file: PyFeatSink(file, photographs=False)}
    source = next(iter(survey.sources), "")

    def opener(person: int | None) -> Callable[[Path], LayoutSink]:
        return lambda file: FaceReaderSink(file, person=person, source=source, rate=survey.rate)

    files = files_of_clip(name, survey.people, target)
    return {file: opener(person) for file, person in files.items()}


def write_layout(
    name: str,
    frames: Callable[[], Iterable[FrameResult]],
    target: Path,
    *,
    clip: bool | None = None,
    may_replace: Callable[[Sequence[Path]], None] = lambda _: None,
) -> Written:
    """Write results in a layout, all of its files or none.

    Args:
        name: The layout.
        frames: Yields the frames in order; called several times.
        target: The file; see ``files_of_clip`` for those of people.
        clip: They are of a clip; None = as they look.
        may_replace: Called with the files before anything is written; raises to stop it.

    Raises:
        InputError: When there is no such layout.
        DataError: When it has no place for these results.
        OutputError: When a file could not be written.
    """
    layout_named(name)
    survey = Survey()
    for frame in frames():
        survey.add(frame)
    if clip is not None:
        survey.clip = clip
    survey.require(name)
    plan = _plan(name, survey, target)
    files = list(plan)
    may_replace(files)
    for file in files:
        if file.exists() and not file.is_file():
            raise OutputError(f"cannot write {file}: it exists and is not an ordinary file")
    with work_folder(target) as folder:
        for begin in range(0, len(files), _MOST_OPEN):
            with ExitStack() as stack:
                sinks = [
                    stack.enter_context(plan[file](folder / file.name))
                    for file in files[begin : begin + _MOST_OPEN]
                ]
                for frame in frames():
                    for sink in sinks:
                        sink.write(frame)
        for file in files:
            with output_errors(file):
                (folder / file.name).replace(file)
    notes = [*survey.notes(name)]
    if layout_named(name).of_person and (others := of_other_people(files, target)):
        names = ", ".join(file.name for file in others[:_MOST_NAMED])
        more = f" and {len(others) - _MOST_NAMED:,} more" if len(others) > _MOST_NAMED else ""
        notes.append(f"layout {name}: left as they were, of earlier results: {names}{more}")
    return Written(tuple(plan), tuple(notes))


def to_layout(
    results: Results, path: str | os.PathLike[str], *, layout: str = "openface"
) -> list[Path]:
    """Write results in the layout of another tool.

    Values that were not measured are empty, never zero; in FaceReader logs they are
    ``FIT_FAILED``. See docs/layouts.md for columns, units and signs.

    Args:
        results: One frame, or several in order.
        path: Path of the file; an existing file is replaced. The FaceReader layout has one file
            per person: ``log.txt`` becomes ``log_person1.txt``. The OpenFace layout has no column
            for names of photographs: they are written to ``faces_images.csv`` next to
            ``faces.csv``.
        layout: ``"openface"``, ``"pyfeat"`` or ``"facereader"`` (clips only).

    Returns:
        Paths of the written files.

    Raises:
        InputError: When the layout is unknown.
        DataError: When the layout does not support these results (several clips, or photographs).
        OutputError: When a file could not be written.

    Example:
        >>> from pyojeong import Box, Face, FrameResult, to_layout
        >>> face = Face(Box(8, 8, 80, 80), 0.9, track_id=1)
        >>> result = FrameResult("clip.mp4", 0, 0.0, (640, 480), (face,))
        >>> [file.name for file in to_layout(result, "log.txt", layout="facereader")]
        ['log_person1.txt']
    """
    frames = frames_of(results)
    return list(write_layout(layout, lambda: frames, Path(path)).files)
