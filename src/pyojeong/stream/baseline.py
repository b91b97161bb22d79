"""Measures against a person's own neutral face: scores, action units, activation."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.action_units import ACTION_UNITS, ActionUnits, Intensities
from pyojeong.core.face import Face, FrameResult
from pyojeong.runtime.face_measures import reliable_units

_LEAST_UNITS = 3
"""Activation needs at least so many reliable units."""


@dataclass(frozen=True, slots=True)
class NeutralFace:
    """What a person's neutral face measures.

    Attributes:
        scores: float64 (K,), sum 1.
        units: Intensities in the order of ``ACTION_UNITS``; None = not measured.
    """

    scores: NDArray[np.float64]
    units: Intensities | None = None

    @classmethod
    def of(cls, face: Face) -> "NeutralFace | None":
        """Return the measures of one face; None without an expression."""
        if face.expression is None:
            return None
        units = None if face.action_units is None else face.action_units.intensities
        return cls(face.expression.scores.astype(np.float64), units)


class _Mean:
    def __init__(self) -> None:
        self.scores: NDArray[np.float64] | None = None
        self._sums = np.zeros(len(ACTION_UNITS))
        self._counts = np.zeros(len(ACTION_UNITS))

    def add(self, neutral: NeutralFace) -> None:
        self.scores = neutral.scores if self.scores is None else self.scores + neutral.scores
        if neutral.units is not None:
            values = np.array([np.nan if v is None else v for v in neutral.units])
            self._counts += np.isfinite(values)
            self._sums += np.nan_to_num(values)

    def mean(self) -> NeutralFace:
        assert self.scores is not None  # noqa: S101 - made with its first face
        pairs = zip(self._sums, self._counts, strict=True)
        units = tuple(float(total / count) if count else None for total, count in pairs)
        known = any(v is not None for v in units)
        return NeutralFace(self.scores / self.scores.sum(), units if known else None)


def neutral_of(
    results: Iterable[FrameResult], start_s: float, end_s: float
) -> dict[int, NeutralFace]:
    """Return the mean measures of every track within a time in which faces were neutral.

    Args:
        results: Frames in order of time.
        start_s: Begin of that time.
        end_s: Its end, exclusive.

    Returns:
        Track -> its neutral face.
    """
    means: dict[int, _Mean] = {}
    for result in results:
        if not start_s <= result.time_s < end_s:
            continue
        for face in result.faces:
            neutral = NeutralFace.of(face)
            if face.track_id is not None and neutral is not None:
                means.setdefault(face.track_id, _Mean()).add(neutral)
    return {track: mean.mean() for track, mean in means.items()}


def lacks_units(neutral: NeutralFace) -> bool:
    """Return whether no action unit was measured of a neutral face."""
    return neutral.units is None or all(value is None for value in neutral.units)


def changed(
    results: Iterable[FrameResult],
    neutral: dict[int, NeutralFace],
    default: NeutralFace | None = None,
) -> Iterator[FrameResult]:
    """Yield the frames with changes from a neutral face.

    ``Face.baseline_delta`` is the change of the scores; ``ActionUnits.baseline_deltas`` and
    ``activation`` are those of the units.

    Args:
        results: Frames.
        neutral: From ``neutral_of``.
        default: For tracks that are not in it, for example from an image; None = no change is
            given for them.
    """
    for result in results:
        yield replace(result, faces=tuple(_changed(f, neutral, default) for f in result.faces))


def _changed(face: Face, neutral: dict[int, NeutralFace], default: NeutralFace | None) -> Face:
    own = default if face.track_id is None else neutral.get(face.track_id, default)
    if own is None:
        return face
    if face.action_units is not None and own.units is not None:
        face = replace(face, action_units=_changed_units(face.action_units, own.units))
    if face.expression is None:
        return face
    scores = face.expression.scores.astype(np.float64)
    delta = scores / scores.sum() - own.scores / own.scores.sum()
    return replace(face, baseline_delta=tuple(map(float, delta)))


def _changed_units(units: ActionUnits, neutral: Intensities) -> ActionUnits:
    pairs = zip(units.intensities, neutral, strict=True)
    deltas = tuple(None if a is None or b is None else a - b for a, b in pairs)
    by_name = dict(zip(ACTION_UNITS, deltas, strict=True))
    changes = [abs(d) for name in reliable_units() if (d := by_name[name]) is not None]
    activation = float(np.mean(changes)) if len(changes) >= _LEAST_UNITS else None
    return replace(units, baseline_deltas=deltas, activation=activation)
