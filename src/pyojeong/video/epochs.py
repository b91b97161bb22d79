"""What faces showed during coded events: one row per epoch and person.

A frame belongs to an epoch if ``start <= t < end`` (to a microsecond). It stands for the time until
the next frame that was read, the last one for as long as the one before it: means and shares are
weighted by that, whatever the frame rate. What was not measured on a frame does not count.
"""

import csv
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.action_units import ACTION_UNITS
from pyojeong.core.atomic_write import atomic_write
from pyojeong.core.errors import DataError
from pyojeong.core.face import Face, FrameResult
from pyojeong.core.labels import LabelSet
from pyojeong.output.rows import text_line
from pyojeong.output.spreadsheet import MARK, open_csv, plain_cell
from pyojeong.video.coded_events.epoch import DIGITS, Epoch
from pyojeong.video.summary import Summary

SHOWS = 0.5
"""A unit of this intensity or more counts as shown."""

Numbers = NDArray[np.float64]
_DELTAS = tuple(f"{unit}_delta" for unit in ACTION_UNITS)
_TEXT = ("clip", "label", "tier", "modifier")
_WHOLE = ("track_id", "frames", "blinks")


@dataclass(slots=True)
class Sums:
    """Weighted sums of the measures of one person, over the frames of one epoch.

    Attributes:
        frames: Frames with this face.
        valid_s: Their time.
        unclear_s: Time in which the answer was unclear.
        measured: Frames on which each measure was measured.
        seconds: Time for which it was.
        total: Sum of the values.
        weighted: Sum of value times time.
        squares: Sum of squared value times time.
        low: Least value.
        high: Greatest value.
        shown_s: Time in which a label was the answer, or a unit was shown.
    """

    width: int
    frames: int = 0
    valid_s: float = 0.0
    unclear_s: float = 0.0
    measured: NDArray[np.int64] = field(init=False)
    seconds: Numbers = field(init=False)
    total: Numbers = field(init=False)
    weighted: Numbers = field(init=False)
    squares: Numbers = field(init=False)
    low: Numbers = field(init=False)
    high: Numbers = field(init=False)
    shown_s: Numbers = field(init=False)

    def __post_init__(self) -> None:
        self.measured = np.zeros(self.width, np.int64)
        for name in ("seconds", "total", "weighted", "squares", "shown_s"):
            setattr(self, name, np.zeros(self.width))
        self.low = np.full(self.width, np.inf)
        self.high = np.full(self.width, -np.inf)

    def add(self, seen: "_Seen", weight_s: float) -> None:
        """Take a face that stands for some time."""
        known = np.isfinite(seen.values)
        values = seen.values[known]
        self.frames += 1
        self.valid_s += weight_s
        self.unclear_s += weight_s * seen.unclear
        self.measured[known] += 1
        self.seconds[known] += weight_s
        self.total[known] += values
        self.weighted[known] += weight_s * values
        self.squares[known] += weight_s * values**2
        self.low[known] = np.minimum(self.low[known], values)
        self.high[known] = np.maximum(self.high[known], values)
        self.shown_s[seen.shown] += weight_s

    def join(self, other: "Sums") -> None:
        """Add the sums of another epoch."""
        for name in ("frames", "valid_s", "unclear_s", "measured", "seconds", "total", "weighted"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.squares = self.squares + other.squares
        self.shown_s = self.shown_s + other.shown_s
        self.low = np.minimum(self.low, other.low)
        self.high = np.maximum(self.high, other.high)

    def mean(self, at: int) -> float | None:
        """Return the mean over time of one measure; None = it was not measured."""
        if not self.measured[at]:
            return None
        if self.seconds[at] <= 0:  # a single frame, which stands for no time
            return float(self.total[at] / self.measured[at])
        return float(self.weighted[at] / self.seconds[at])

    def spread(self, at: int) -> float | None:
        """Return the standard deviation over time of one measure; None = it was not measured."""
        mean = self.mean(at)
        if mean is None or self.seconds[at] <= 0:
            return None if mean is None else 0.0
        return math.sqrt(max(float(self.squares[at] / self.seconds[at]) - mean**2, 0.0))

    def share(self, at: int) -> float | None:
        """Return the share of its measured time in which it was shown."""
        return float(self.shown_s[at] / self.seconds[at]) if self.seconds[at] > 0 else None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A face as the sums need it; NaN = not measured."""

    values: Numbers
    shown: list[int]
    unclear: bool


class EpochCounter:
    """Measures the faces of a clip in its epochs, in one pass.

    Args:
        labels: The classifier's label set.
        epochs: In order of time.

    Attributes:
        names: Every measure: ``score_<label>``, ``valence``, units, their changes from the
            baseline, ``activation``, ``openness``.
    """

    def __init__(self, labels: LabelSet, epochs: Sequence[Epoch]) -> None:
        self.labels = labels
        self.epochs = tuple(replace(e, start_s=_at(e.start_s), end_s=_at(e.end_s)) for e in epochs)
        scores = [f"score_{name}" for name in labels.names]
        self.names = (*scores, "valence", *ACTION_UNITS, *_DELTAS, "activation", "openness")
        self._first_unit = len(labels) + 1
        self._sums: list[dict[int, Sums]] = [{} for _ in self.epochs]
        self._begun = 0
        self._open: list[int] = []
        self._waiting: FrameResult | None = None
        self._step_s = 0.0
        self._end_s = 0.0
        self._measured = np.zeros(len(self.names), bool)
        self._nothing = Sums(len(self.names))

    def add(self, result: FrameResult) -> None:
        """Take the next frame."""
        if self._waiting is not None:
            self._step_s = result.time_s - self._waiting.time_s
            self._count(self._waiting, self._step_s)
        self._waiting = result

    def finish(self) -> "EpochCounter":
        """Count the last frame; call once, after it."""
        if self._waiting is not None:
            self._count(self._waiting, self._step_s)
            self._end_s = self._waiting.time_s + self._step_s
        self._waiting = None
        return self

    def _count(self, result: FrameResult, weight_s: float) -> None:
        time_s = _at(result.time_s)
        while self._begun < len(self.epochs) and self.epochs[self._begun].start_s <= time_s:
            self._open.append(self._begun)
            self._begun += 1
        self._open = [i for i in self._open if time_s < self.epochs[i].end_s]
        for face in result.faces:
            if face.track_id is None:
                continue
            seen = self._seen(face)
            self._measured |= np.isfinite(seen.values)
            for i in self._open:
                sums = self._sums[i].setdefault(face.track_id, Sums(len(self.names)))
                sums.add(seen, weight_s)

    def _seen(self, face: Face) -> _Seen:
        values = np.full(len(self.names), np.nan)
        shown: list[int] = []
        unclear = False
        if face.expression is not None:
            values[: len(self.labels)] = face.expression.scores
            values[len(self.labels)] = face.expression.valence
            unclear = face.expression.unclear
            if not unclear:
                shown.append(int(face.expression.scores.argmax()))
        if face.action_units is not None:
            for at, intensity in enumerate(face.action_units.intensities, self._first_unit):
                if intensity is not None:
                    values[at] = intensity
                    if intensity >= SHOWS:
                        shown.append(at)
            changes = face.action_units.baseline_deltas or ()
            for at, change in enumerate(changes, self._first_unit + len(ACTION_UNITS)):
                values[at] = math.nan if change is None else change
            if face.action_units.activation is not None:
                values[-2] = face.action_units.activation
        if face.eyes is not None and face.eyes.openness is not None:
            values[-1] = sum(face.eyes.openness) / 2
        return _Seen(values, shown, unclear)

    @property
    def end_s(self) -> float:
        """Where the last frame ends, once it was counted."""
        return self._end_s

    @property
    def units(self) -> list[str]:
        """The action units that were measured on any frame."""
        return [name for name in ACTION_UNITS if self.measures(name)]

    def measures(self, name: str) -> bool:
        """Return whether a measure was measured on any frame."""
        return bool(self._measured[self.names.index(name)])

    def of_label(self, label: str) -> dict[int, Sums]:
        """Return track -> sums over all epochs of a label."""
        out: dict[int, Sums] = {}
        for epoch, people in zip(self.epochs, self._sums, strict=True):
            if epoch.label == label:
                for track, sums in people.items():
                    out.setdefault(track, Sums(len(self.names))).join(sums)
        return out

    def records(
        self, summary: Summary, *, start_s: float = 0.0, end_s: float = math.inf
    ) -> list[dict[str, Any]]:
        """Return a row per epoch and person of the clip; None = not measured.

        Args:
            summary: Of the same frames, finished: its people and blinks.
            start_s: Epochs are cut to what was read: from here.
            end_s: Up to here; those outside get no row.
        """
        tracks: list[int | None] = [*sorted(summary.people)] or [None]
        blinks: dict[int | None, list[float]] = defaultdict(list)
        for closure in summary.closures:
            if closure.blink:
                blinks[closure.track_id].append(_at(closure.start_s))
        out = []
        for epoch, people in zip(self.epochs, self._sums, strict=True):
            shown = epoch.within(start_s, end_s)
            if shown is None:
                continue
            for track in tracks:
                sums = people.get(track, self._nothing) if track is not None else self._nothing
                inside = sum(epoch.start_s <= t < epoch.end_s for t in blinks[track])
                out.append(self._record(shown, track, sums, inside))
        return out

    def _record(self, epoch: Epoch, track: int | None, sums: Sums, blinks: int) -> dict[str, Any]:
        row: dict[str, Any] = {
            "label": epoch.label,
            "tier": epoch.tier,
            "modifier": epoch.modifier,
            "start_s": _at(epoch.start_s),
            "end_s": _at(epoch.end_s),
            "track_id": track,
            "frames": sums.frames,
            "valid_s": round(sums.valid_s, DIGITS),
        }
        for at, name in enumerate(self.names):
            if name == "valence":
                answered = float(sums.seconds[at])
                share = sums.unclear_s / answered if answered > 0 else None
                row["unclear_share"] = _rounded(share)
            if at < self._first_unit or self.measures(name):
                row |= self._measure(at, name, sums)
        if self.measures("openness"):
            seconds = float(sums.seconds[-1])
            seen = bool(sums.measured[-1])
            row["eyes_measured_s"] = round(seconds, DIGITS)
            row["blinks"] = blinks if seen else None
            row["blinks_per_minute"] = _rounded(60 * blinks / seconds if seconds > 0 else None)
        return row

    def _measure(self, at: int, name: str, sums: Sums) -> dict[str, Any]:
        known = bool(sums.measured[at])
        row = {
            f"{name}_mean": _rounded(sums.mean(at)),
            f"{name}_peak": _rounded(float(sums.high[at]) if known else None),
        }
        if name.startswith("score_") or name in ACTION_UNITS:
            row[f"{name}_share"] = _rounded(sums.share(at))
        else:
            row[f"{name}_low"] = _rounded(float(sums.low[at]) if known else None)
        return row


def _at(time_s: float) -> float:
    """Return a time to a microsecond."""
    return round(time_s, DIGITS)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def without_tracks(
    rows: Sequence[Mapping[str, Any]], tracks: Collection[int]
) -> list[dict[str, Any]]:
    """Return the rows without these people; an epoch that loses all of them keeps an empty row."""
    out: list[dict[str, Any]] = []
    for _, group in _grouped(rows):
        kept = [dict(row) for row in group if row["track_id"] not in tracks]
        if not kept:
            empty = dict.fromkeys(group[0])
            same = ("label", "tier", "modifier", "start_s", "end_s")
            kept = [{**empty, **{key: group[0][key] for key in same}, "frames": 0, "valid_s": 0.0}]
        out += kept
    return out


def _grouped(
    rows: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[int, list[Mapping[str, Any]]]]:
    """Yield the rows of each epoch: people follow one another by number."""
    group: list[Mapping[str, Any]] = []
    number = 0
    for row in rows:
        last = group[-1] if group else None
        same = last is not None and all(
            last[key] == row[key] for key in ("label", "tier", "modifier", "start_s", "end_s")
        )
        if last is not None and not (same and (last["track_id"] or 0) < (row["track_id"] or 0)):
            yield number, group
            group, number = [], number + 1
        group.append(row)
    if group:
        yield number, group


def write_epochs(path: Path, rows: Sequence[Mapping[str, Any]], *, excel: bool = False) -> None:
    """Write the table of epochs.

    Args:
        path: The file.
        rows: From ``EpochCounter.records``; several clips together may differ in their columns.
        excel: For spreadsheets; see ``output.spreadsheet``.

    Raises:
        OutputError: When it could not be written.
    """
    names = list(dict.fromkeys(key for row in rows for key in row))
    with atomic_write(path, "w") as stream:
        stream.write(MARK if excel else "")
        stream.write(text_line(names or ["label"]))
        for row in rows:
            stream.write(text_line([row.get(name) for name in names], excel=excel))


def read_epochs(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a table of epochs; empty cells are None.

    Raises:
        DataError: When it could not be read.
    """
    try:
        with open_csv(path) as (stream, marked):
            return [_parsed(row, marked=marked) for row in csv.DictReader(stream, strict=True)]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise DataError(f"{path}: could not be read: {error}") from error


def _parsed(row: Mapping[str, str], *, marked: bool) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, cell in row.items():
        if key in _TEXT:
            out[key] = plain_cell(cell) if marked else cell
        else:
            out[key] = None if cell == "" else int(cell) if key in _WHOLE else float(cell)
    return out
