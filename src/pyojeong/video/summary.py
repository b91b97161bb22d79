"""What a clip comes to: shares of time, events, blinks and the quality of the data, in one pass.

Everything is counted while frames go by; the memory it takes does not grow with the clip, except
for a few numbers per event and per track.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.action_units import ACTION_UNITS
from pyojeong.core.face import Expression, Face, FrameResult
from pyojeong.core.labels import LabelSet
from pyojeong.stream.blinks import BlinkCounter, Closure

LOW_LIGHT = 0.22
"""Faces whose mean luma is below this are counted as badly lit."""
PROFILE_RAD = 0.6
"""Heads turned by more are counted as turned away."""
SMALL = 40.0
"""Faces whose shorter side has fewer pixels are counted as small."""
BINS = 480
"""A timeline is drawn from at most so many bins."""
_JOIN_S = 1.0
"""Two frames of a track further apart than this leave a hole between them."""
CHARTED = 12
"""So many people, those seen longest, get timelines."""
_GONE_S = 10.0
"""People who were not seen for so long get a new number."""
_ROOM = 32
"""A timeline that runs out of bins gets so many more."""


@dataclass(frozen=True, slots=True)
class Event:
    """An answer that one person's face gave without a break.

    Attributes:
        track_id: Whose face.
        label: The label, or ``"unclear"``.
        start_s: Begin.
        end_s: End.
        best_s: The time of its surest frame.
        score: The best score on that frame.
    """

    track_id: int
    label: str
    start_s: float
    end_s: float
    best_s: float
    score: float

    @property
    def length_s(self) -> float:
        """How long, in seconds."""
        return self.end_s - self.start_s


@dataclass(slots=True)
class _Run:
    label: str
    start_s: float
    best_s: float
    score: float


class Timeline:
    """Means of several numbers over time in at most ``BINS`` bins whose width doubles as needed.

    Room is made while bins are filled: a clip with many cuts has hundreds of people, each of them
    seen for a few seconds.
    """

    def __init__(self, width: int, *, start_s: float) -> None:
        self._start_s = start_s
        self.bin_s = 1 / 32
        self._sums = np.zeros((0, width), np.float32)
        self._counts = np.zeros((0, width), np.int32)

    def add(self, time_s: float, values: NDArray[np.floating]) -> None:
        """Take numbers of one frame; NaN = not measured."""
        place = max(int((time_s - self._start_s) / self.bin_s), 0)
        while place >= BINS:
            self._sums, self._counts = _paired(self._sums), _paired(self._counts)
            self.bin_s *= 2
            place = int((time_s - self._start_s) / self.bin_s)
        if place >= len(self._sums):
            rows = min(place + _ROOM, BINS)
            self._sums, self._counts = _longer(self._sums, rows), _longer(self._counts, rows)
        known = np.isfinite(values)
        self._sums[place, known] += values[known]
        self._counts[place, known] += 1

    def clear(self) -> None:
        """Forget everything."""
        self._sums, self._counts = self._sums[:0].copy(), self._counts[:0].copy()

    def means(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centres of the bins in seconds (B,), and means (B, width) with NaN where nothing was."""
        used = np.flatnonzero(self._counts.any(1))
        last = int(used[-1]) + 1 if len(used) else 0
        with np.errstate(invalid="ignore", divide="ignore"):
            means = self._sums[:last].astype(np.float64) / self._counts[:last]
        centres = self._start_s + (np.arange(last) + 0.5) * self.bin_s
        return np.asarray(centres, np.float64), means


def _longer(array: NDArray[Any], rows: int) -> NDArray[Any]:
    return np.concatenate([array, np.zeros((rows - len(array), array.shape[1]), array.dtype)])


def _paired(array: NDArray[Any]) -> NDArray[Any]:
    """Return sums of two bins each."""
    even = _longer(array, len(array) + len(array) % 2)
    return np.asarray(even[0::2] + even[1::2])


MEASURES = ("valence", *ACTION_UNITS, "activation")
"""What a track's timeline of measures holds."""
EYE_COLUMNS = ("openness", "gaze_yaw", "gaze_pitch", "head_yaw", "head_pitch")
"""What a track's eye timeline holds; angles in degrees."""


@dataclass(slots=True)
class Person:
    """What is known of one track.

    Attributes:
        track_id: Its number.
        first_s: First time it was seen.
        last_s: Last time.
        frames: Frames with this face.
        seconds: Time it was seen, without holes.
        label_s: Seconds per label, "unclear" apart.
        scores: Timeline of the scores (K columns); empty for those of whom ``CHARTED`` others
            were seen longer.
        eyes: Timeline of ``EYE_COLUMNS``, likewise.
        measures: Timeline of ``MEASURES``, likewise.
        blinks: Counts closures.
        eye_frames: Frames on which openness was measured.
        gaze_frames: Frames on which gaze was.
    """

    track_id: int
    first_s: float
    scores: Timeline
    eyes: Timeline
    measures: Timeline
    blinks: BlinkCounter
    last_s: float = 0.0
    frames: int = 0
    seconds: float = 0.0
    label_s: Counter[str] = field(default_factory=Counter)
    eye_frames: int = 0
    gaze_frames: int = 0
    held: str | None = None


def _measures(face: Face, shown: Expression) -> NDArray[np.float64]:
    """Return the values of ``MEASURES`` for one face; NaN = not measured."""
    row = np.full(len(MEASURES), np.nan)
    row[0] = shown.valence
    if face.action_units is not None:
        units = face.action_units
        found = (*units.intensities, units.activation)
        row[1:] = [np.nan if value is None else value for value in found]
    return row


class Summary:
    """Counts frames as they go by.

    Args:
        labels: The classifier's label set.
        hold_s: Events shorter than this are not listed.
        use_smoothed: Judge by the smoothed scores where there are any.
        names: Number of a person -> name.
    """

    def __init__(
        self,
        labels: LabelSet,
        *,
        hold_s: float = 0.5,
        use_smoothed: bool = True,
        names: Mapping[int, str] | None = None,
    ) -> None:
        self.labels = labels
        self.names = dict(names or {})
        self.hold_s = hold_s
        self._use_smoothed = use_smoothed
        self.people: dict[int, Person] = {}
        self.events: list[Event] = []
        self.closures: list[Closure] = []
        self.frames = 0
        self.first_s: float | None = None
        self.last_s = 0.0
        self.quality: Counter[str] = Counter()
        self.most_faces = 0
        self._runs: dict[int, _Run] = {}
        self.eyes_measured = False
        self.units_measured = False
        self._drawn: list[int] = []

    def add(self, result: FrameResult) -> None:
        """Take the next frame."""
        if self.first_s is None:
            self.first_s = result.time_s
        self.frames += 1
        self.last_s = result.time_s
        self.most_faces = max(self.most_faces, len(result.faces))
        self._judge(result)
        for face in result.faces:
            if face.track_id is not None and face.expression is not None:
                self._take(face, result.time_s)

    def _judge(self, result: FrameResult) -> None:
        """Count what makes a frame worth less."""
        faces = result.faces
        self.quality["frames without a face"] += not faces
        self.quality["faces"] += len(faces)
        for face in faces:
            self.quality["low light"] += face.luma is not None and face.luma < LOW_LIGHT
            self.quality["turned away"] += (
                face.pose is not None and abs(face.pose.yaw_rad) > PROFILE_RAD
            )
            self.quality["small"] += min(face.box.width, face.box.height) < SMALL
            self.quality["unclear"] += face.expression is not None and face.expression.unclear
            if face.action_units is not None:
                self.units_measured = True
                known = any(value is not None for value in face.action_units.intensities)
                self.quality["units not measured"] += not known
            if face.eyes is not None:
                self.eyes_measured = True
                self.quality["eyes not measured"] += face.eyes.openness is None

    def _take(self, face: Face, time_s: float) -> None:
        assert face.track_id is not None and face.expression is not None  # noqa: S101, PT018
        shown = face.expression
        if self._use_smoothed and face.smoothed is not None:
            shown = face.smoothed
        person = self.people.get(face.track_id)
        if person is None:
            self._make_room(time_s)
            self._drawn.append(face.track_id)
            person = self.people[face.track_id] = Person(
                track_id=face.track_id,
                first_s=time_s,
                last_s=time_s,
                scores=Timeline(len(self.labels), start_s=time_s),
                eyes=Timeline(len(EYE_COLUMNS), start_s=time_s),
                measures=Timeline(len(MEASURES), start_s=time_s),
                blinks=BlinkCounter(face.track_id),
            )
        passed = time_s - person.last_s
        if passed > _JOIN_S:
            self._end_run(face.track_id, person.last_s)
        elif person.held is not None:
            person.seconds += passed
            person.label_s[person.held] += passed  # type: ignore[assignment]
        person.held = shown.label
        person.last_s = time_s
        person.frames += 1
        person.scores.add(time_s, shown.scores)
        person.measures.add(time_s, _measures(face, shown))
        self._eyes(person, face, time_s)
        self._follow_run(face.track_id, shown, time_s)

    def _make_room(self, time_s: float) -> None:
        """Drop timelines of ended tracks that are not among the longest.

        Durations never shrink: an ended track with ``CHARTED`` longer ones will not be drawn.
        """
        self._drawn.sort(key=lambda i: (-self.people[i].seconds, i))
        kept = self._drawn[:CHARTED]
        for number in self._drawn:
            person = self.people[number]
            if time_s - person.last_s > _GONE_S:
                person.blinks.forget(time_s)
        for number in self._drawn[CHARTED:]:
            person = self.people[number]
            if time_s - person.last_s > _GONE_S:
                person.scores.clear()
                person.eyes.clear()
                person.measures.clear()
            else:
                kept.append(number)
        self._drawn = kept

    def _eyes(self, person: Person, face: Face, time_s: float) -> None:
        row = np.full(len(EYE_COLUMNS), np.nan)
        if face.eyes is not None:
            if face.eyes.openness is not None:
                row[0] = sum(face.eyes.openness) / 2
                person.eye_frames += 1
            if face.eyes.gaze_rad is not None:
                row[1:3] = np.degrees(face.eyes.gaze_rad)
                person.gaze_frames += 1
            closure = person.blinks.add(time_s, face.eyes.openness)
            if closure is not None:
                self.closures.append(closure)
        if face.pose is not None:
            row[3:] = np.degrees([face.pose.yaw_rad, face.pose.pitch_rad])
        person.eyes.add(time_s, row)

    def _follow_run(self, track: int, shown: Expression, time_s: float) -> None:
        score = shown.top[1]
        run = self._runs.get(track)
        if run is None or run.label != shown.label:
            self._end_run(track, time_s)
            self._runs[track] = _Run(shown.label, time_s, time_s, score)
        elif score > run.score:
            run.best_s, run.score = time_s, score

    def _end_run(self, track: int, time_s: float) -> None:
        run = self._runs.pop(track, None)
        if run is not None and time_s - run.start_s >= self.hold_s:
            self.events.append(Event(track, run.label, run.start_s, time_s, run.best_s, run.score))

    def finish(self) -> "Summary":
        """End what is still going on; call once, after the last frame."""
        for track in list(self._runs):
            self._end_run(track, self.people[track].last_s)
        still = (person.blinks.finish() for person in self.people.values())
        self.closures += [closure for closure in still if closure is not None]
        self.events.sort(key=lambda e: (e.start_s, e.track_id))
        self.closures.sort(key=lambda c: (c.start_s, c.track_id))
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain JSON types: per person, events, blinks, quality."""
        blinks: dict[int, list[Closure]] = defaultdict(list)
        for closure in self.closures:
            blinks[closure.track_id].append(closure)
        return {
            "frames": self.frames,
            "from_s": self.first_s or 0.0,
            "to_s": self.last_s,
            "people": [self._person(p, blinks[p.track_id]) for p in self.people.values()],
            "events": [
                {
                    "track_id": e.track_id,
                    "label": e.label,
                    "start_s": round(e.start_s, 3),
                    "end_s": round(e.end_s, 3),
                    "best_s": round(e.best_s, 3),
                    "score": round(e.score, 4),
                }
                for e in self.events
            ],
            "quality": dict(self.quality),
        }

    def _person(self, person: Person, closures: list[Closure]) -> dict[str, Any]:
        names = [*self.labels.names, "unclear"]
        total = person.seconds or 1.0
        own = [c for c in closures if c.blink]
        minutes = person.blinks.measured_s / 60
        return {
            "track_id": person.track_id,
            **({"name": self.names[person.track_id]} if person.track_id in self.names else {}),
            "first_s": round(person.first_s, 3),
            "last_s": round(person.last_s, 3),
            "frames": person.frames,
            "seconds": round(person.seconds, 3),
            "share": {name: round(person.label_s[name] / total, 4) for name in names},
            "blinks": len(own) if person.eye_frames else None,
            "blinks_per_minute": round(len(own) / minutes, 2) if minutes > 0 else None,
            "eyes_closed_s": (
                round(sum(c.length_s for c in closures), 3) if person.eye_frames else None
            ),
            "eyes_measured": round(person.eye_frames / person.frames, 4),
            "gaze_measured": round(person.gaze_frames / person.frames, 4),
        }
