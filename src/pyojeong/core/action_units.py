"""Facial action units and blendshapes of one face, as immutable data.

Units are numbered as in the Facial Action Coding System (Ekman and Friesen 1978; Ekman, Friesen and
Hager 2002). Right and left are the subject's own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from pyojeong.core.errors import BadArray

ACTION_UNITS: Mapping[str, str] = {
    "AU1": "inner brow raiser",
    "AU2": "outer brow raiser",
    "AU4": "brow lowerer",
    "AU5": "upper lid raiser",
    "AU6": "cheek raiser",
    "AU7": "lid tightener",
    "AU9": "nose wrinkler",
    "AU12": "lip corner puller",
    "AU14": "dimpler",
    "AU15": "lip corner depressor",
    "AU17": "chin raiser",
    "AU20": "lip stretcher",
    "AU23": "lip tightener",
    "AU24": "lip pressor",
    "AU25": "lips part",
    "AU26": "jaw drop",
    "AU27": "mouth stretch",
    "AU43": "eyes closed",
}
"""Measured action units and their names in the Facial Action Coding System."""

SIDED_UNITS = ("AU2", "AU4", "AU5", "AU6", "AU7", "AU9", "AU12", "AU14", "AU15", "AU20", "AU43")
"""Action units that are also measured for the right and left side separately."""

BLENDSHAPES = (
    "_neutral",
    *(
        f"brow{name}"
        for name in ("DownLeft", "DownRight", "InnerUp", "OuterUpLeft", "OuterUpRight")
    ),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight"),
    *(
        f"eye{name}{side}"
        for name in ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
        for side in ("Left", "Right")
    ),
    *("jawForward", "jawLeft", "jawOpen", "jawRight"),
    *("mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight"),
    *("mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft"),
    *("mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper"),
    *("mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight"),
    *("mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight"),
    *("noseSneerLeft", "noseSneerRight"),
)
"""Names of the blendshapes, in the order of MediaPipe's network."""

Intensities = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Blendshapes(Mapping[str, float]):
    """Scores of 52 blendshapes of a face, by name: ``face.blendshapes["jawOpen"]``.

    Attributes:
        scores: Scores in [0, 1], in the order of ``BLENDSHAPES``.
    """

    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        scores = tuple(float(np.float32(v)) for v in self.scores)
        if len(scores) != len(BLENDSHAPES) or not all(0 <= v <= 1 for v in scores):
            raise BadArray("Blendshapes", expected="52 scores in [0, 1]", got=str(scores)[:80])
        object.__setattr__(self, "scores", scores)

    def __getitem__(self, name: str) -> float:
        return self.scores[_POSITIONS[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(BLENDSHAPES)

    def __len__(self) -> int:
        return len(BLENDSHAPES)

    @classmethod
    def from_dict(cls, data: Mapping[str, float]) -> Self:
        """Create blendshapes from a mapping name -> score."""
        return cls(tuple(data[name] for name in BLENDSHAPES))


_POSITIONS = {name: at for at, name in enumerate(BLENDSHAPES)}


class _OfSides(dict[str, float | None]):
    """Unit -> value; the error for a unit without sides lists the units with sides."""

    def __missing__(self, name: str) -> float | None:
        raise KeyError(f"{name!r}: the units with sides are {', '.join(SIDED_UNITS)}")


@dataclass(frozen=True, slots=True)
class ActionUnits(Mapping[str, float | None]):
    """Intensities of the action units of a face, by name: ``face.action_units["AU12"]``.

    Intensities are in [0, 1]: 0 = absent, 1 = maximal; None if a unit could not be measured. The
    intensity of a unit with sides is the mean of both sides.

    Attributes:
        intensities: Intensity of each unit, in the order of ``ACTION_UNITS``.
        right_intensities: Intensities of the subject's right side, in the order of ``SIDED_UNITS``.
        left_intensities: Intensities of the subject's left side, in the order of ``SIDED_UNITS``.
        baseline_deltas: Intensities minus the intensities of this person's neutral face, in
            [-1, 1], in the order of ``ACTION_UNITS``; None without a baseline.
        activation: Mean absolute change of the reliable units from the baseline, in [0, 1]; None
            without a baseline.
    """

    intensities: Intensities
    right_intensities: Intensities
    left_intensities: Intensities
    baseline_deltas: Intensities | None = None
    activation: float | None = None

    def __post_init__(self) -> None:
        for name, length, least in (
            ("intensities", len(ACTION_UNITS), 0),
            ("right_intensities", len(SIDED_UNITS), 0),
            ("left_intensities", len(SIDED_UNITS), 0),
            ("baseline_deltas", len(ACTION_UNITS), -1),
        ):
            values = getattr(self, name)
            if values is None:
                continue
            values = tuple(None if v is None else float(np.float32(v)) for v in values)
            if len(values) != length or any(v is not None and not least <= v <= 1 for v in values):
                raise BadArray(
                    f"ActionUnits.{name}",
                    expected=f"{length} numbers in [{least}, 1]",
                    got=str(values),
                )
            nothing = name == "baseline_deltas" and all(v is None for v in values)
            object.__setattr__(self, name, None if nothing else values)
        if self.activation is not None:
            if not 0 <= self.activation <= 1:
                raise BadArray(
                    "ActionUnits.activation", expected="0 to 1", got=str(self.activation)
                )
            object.__setattr__(self, "activation", float(np.float32(self.activation)))

    def __getitem__(self, name: str) -> float | None:
        try:
            return self.intensities[_UNIT_POSITIONS[name]]
        except KeyError:
            raise KeyError(f"{name!r}: the units are {', '.join(ACTION_UNITS)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(ACTION_UNITS)

    def __len__(self) -> int:
        return len(ACTION_UNITS)

    @property
    def right(self) -> dict[str, float | None]:
        """Intensity of the subject's right side by unit, for units with sides."""
        return _OfSides(zip(SIDED_UNITS, self.right_intensities, strict=True))

    @property
    def left(self) -> dict[str, float | None]:
        """Intensity of the subject's left side by unit, for units with sides."""
        return _OfSides(zip(SIDED_UNITS, self.left_intensities, strict=True))

    @property
    def asymmetry(self) -> dict[str, float | None]:
        """Left minus right intensity by unit, in [-1, 1], for units with sides."""
        pairs = zip(self.left_intensities, self.right_intensities, strict=True)
        values = [None if a is None or b is None else a - b for a, b in pairs]
        return _OfSides(zip(SIDED_UNITS, values, strict=True))

    @property
    def baseline_delta(self) -> dict[str, float | None] | None:
        """Change from the person's neutral face by unit; None without a baseline."""
        if self.baseline_deltas is None:
            return None
        return dict(zip(ACTION_UNITS, self.baseline_deltas, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; ``from_dict`` is its inverse."""
        out: dict[str, Any] = {
            "intensity": dict(self),
            "right": dict(self.right),
            "left": dict(self.left),
        }
        if self.baseline_deltas is not None:
            out["baseline_delta"] = self.baseline_delta
        if self.activation is not None:
            out["activation"] = self.activation
        return out

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Create action units from the output of ``to_dict``."""
        delta = data.get("baseline_delta")
        return cls(
            _in_order(data["intensity"], ACTION_UNITS),
            _in_order(data.get("right") or {}, SIDED_UNITS),
            _in_order(data.get("left") or {}, SIDED_UNITS),
            None if delta is None else _in_order(delta, ACTION_UNITS),
            data.get("activation"),
        )


_UNIT_POSITIONS = {name: at for at, name in enumerate(ACTION_UNITS)}


def _in_order(by_name: Mapping[str, float | None], names: Any) -> Intensities:
    return tuple(by_name.get(name) for name in names)
