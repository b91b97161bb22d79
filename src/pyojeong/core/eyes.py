"""Head pose and eye signals, as immutable data; angles are in radians.

Right and left are the subject's own. Signs of the angles:

- yaw is positive when the subject turns to their left (the nose, or the iris, moves right in the
  image);
- pitch is positive when they look down;
- roll is positive when the head tilts clockwise in the image.

In a mirrored image, yaw, gaze yaw and roll change their sign, and right and left are swapped.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import BadArray
from pyojeong.core.value_checks import check_angle, check_number

Pair = tuple[float, float]
"""Right, left; or yaw, pitch."""


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Orientation of a head relative to the camera, in radians.

    Attributes:
        yaw_rad: Turn, in [-pi, pi]; positive to the subject's left.
        pitch_rad: Nod, in [-pi, pi]; positive downwards.
        roll_rad: Tilt, in [-pi, pi]; positive clockwise in the image.
    """

    yaw_rad: float
    pitch_rad: float
    roll_rad: float

    def __post_init__(self) -> None:
        for name in ("yaw_rad", "pitch_rad", "roll_rad"):
            check_angle(f"HeadPose.{name}", getattr(self, name))

    def to_dict(self) -> dict[str, float]:
        """Return plain JSON types; ``from_dict`` is its inverse."""
        return {k: float(getattr(self, k)) for k in ("yaw_rad", "pitch_rad", "roll_rad")}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Create a pose from the output of ``to_dict``."""
        return cls(**{k: float(data[k]) for k in ("yaw_rad", "pitch_rad", "roll_rad")})


@dataclass(frozen=True, slots=True, eq=False)
class EyeSignals:
    """Openness, gaze and irises of the eyes of one face; None if not measurable.

    Attributes:
        openness: (right, left) openness of the lids, in [0, 1]: 0 closed, 1 wide open.
        gaze_rad: (yaw, pitch) of the gaze relative to the head, in radians; None if an eye is
            closed, turned away or too small.
        iris: float32 (2, 2): centres of the right and the left iris, in pixels of the frame.
        iris_diameter: (right, left) diameter of the irises, in pixels of the frame; a real iris
            measures about 11.7 mm.
    """

    openness: Pair | None = None
    gaze_rad: Pair | None = None
    iris: NDArray[np.float32] | None = None
    iris_diameter: Pair | None = None

    def __post_init__(self) -> None:
        for name in ("openness", "gaze_rad", "iris_diameter"):
            value = getattr(self, name)
            if value is not None and len(value) != 2:
                raise BadArray(f"EyeSignals.{name}", expected="two numbers", got=str(value))
        for openness in self.openness or ():
            check_number("EyeSignals.openness", openness, 0, 1)
        for angle in self.gaze_rad or ():
            check_angle("EyeSignals.gaze_rad", angle)
        for diameter in self.iris_diameter or ():
            check_number("EyeSignals.iris_diameter", diameter, 0)
        if self.iris is not None:
            iris = np.asarray(self.iris, np.float32).copy()
            if iris.shape != (2, 2) or not np.isfinite(iris).all():
                raise BadArray("EyeSignals.iris", expected="finite (2, 2)", got=str(iris.shape))
            iris.setflags(write=False)
            object.__setattr__(self, "iris", iris)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EyeSignals) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(str(self.to_dict()))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; fields that are None are omitted."""
        out: dict[str, Any] = {}
        for name in ("openness", "gaze_rad", "iris_diameter"):
            value = getattr(self, name)
            if value is not None:
                out[name] = [float(v) for v in value]
        if self.iris is not None:
            out["iris"] = self.iris.astype(float).tolist()
        return out

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Create eye signals from the output of ``to_dict``."""
        pairs = {
            name: (float(data[name][0]), float(data[name][1]))
            for name in ("openness", "gaze_rad", "iris_diameter")
            if name in data
        }
        iris = np.array(data["iris"], np.float32) if "iris" in data else None
        return cls(**pairs, iris=iris)
