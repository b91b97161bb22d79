"""Measures of a face beside its expression: pose, eyes, blendshapes, action units.

Blendshapes and action units come from FaceMesh's larger network and MediaPipe's blendshape network
(Google, Apache-2.0); action units from a small network of ours that learned from rendered heads
whose units are known (``benchmarks/action_units``). Its card says how well each unit was measured.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.action_units import (
    ACTION_UNITS,
    BLENDSHAPES,
    SIDED_UNITS,
    ActionUnits,
    Blendshapes,
    Intensities,
)
from pyojeong.core.card import ModelCard
from pyojeong.core.errors import InputError
from pyojeong.core.eyes import EyeSignals, HeadPose, Pair
from pyojeong.core.face import Face, Image
from pyojeong.runtime.cut_off import eyes_cut_off, units_cut_off
from pyojeong.runtime.devices import CPU_DEVICE, Device
from pyojeong.runtime.eyes import MAX_YAW_RAD, MIN_EYE, PRESENCE, roll_of
from pyojeong.runtime.facemesh import LEFT_EYE, RIGHT_EYE, FaceMesh, Mesh
from pyojeong.runtime.head_pose import pose_of, rotation_of
from pyojeong.runtime.mesh_eyes import eyes_of_mesh, openness_of
from pyojeong.runtime.session import Session
from pyojeong.runtime.unit_features import BLENDSHAPE_POINTS, MIRRORED_BLENDSHAPES, features_of
from pyojeong.runtime.unit_patches import CHIP, HALF, chip_of, halves_of
from pyojeong.zoo import find

BLENDSHAPE_MODEL = "blendshapes-146-52.google"
UNIT_MODEL = "units-mesh-anny.v2"
GRADES = ("good", "fair", "weak")
"""How well a unit is measured, on the card of the units' network."""

_UNITS = tuple(ACTION_UNITS)
_SIDED = [_UNITS.index(name) for name in SIDED_UNITS]
_POINTS = list(BLENDSHAPE_POINTS)
_CLOSED = _UNITS.index("AU43")
_SHUT_BELOW = 0.5
"""AU43 is at least how far the openness of an eye lies below this, as a share of it."""
_NOTHING = ActionUnits(
    (None,) * len(ACTION_UNITS), (None,) * len(SIDED_UNITS), (None,) * len(SIDED_UNITS)
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of one face; the fields of ``Face`` of the same names."""

    pose: HeadPose | None
    eyes: EyeSignals
    blendshapes: Blendshapes | None
    action_units: ActionUnits


class FaceMeasures:
    """Measures pose, eyes, blendshapes and action units of faces; thread-safe.

    Args:
        threads: Threads inside one run.
        device: Where networks run.
    """

    def __init__(self, *, threads: int = 1, device: Device = CPU_DEVICE) -> None:
        self._mesh = FaceMesh(threads=threads, device=device, irises=True)
        shape = (1, len(BLENDSHAPE_POINTS), 2)
        self._shapes = Session(
            find(BLENDSHAPE_MODEL), threads=threads, device=device, inputs=[shape]
        )
        # Two halves of 96 x 64 pixels are not worth a device.
        self._units = Session(
            find(UNIT_MODEL), threads=1, inputs=[(None, None), (None, 1, CHIP, HALF)]
        )

    @property
    def model_ids(self) -> tuple[str, ...]:
        """Ids of the networks."""
        return self._mesh.id, self._shapes.id, self._units.id

    def measure(self, image: Image, face: Face, *, mirror: bool = True) -> Measured:
        """Return what can be measured of a face.

        Args:
            image: uint8 (H, W, 3) RGB.
            face: From a detector.
            mirror: Also read the mirror image of the face, and average: right and left are then
                treated alike, at twice the time.
        """
        roll_rad = roll_of(face)
        meshes: tuple[Mesh, ...]
        if mirror:
            meshes = self._mesh.fit_with_mirror(image, face.box, roll_rad=roll_rad)
        else:
            meshes = (self._mesh.fit(image, face.box, roll_rad=roll_rad),)
        mesh = meshes[0]
        if np.mean([each.presence for each in meshes]) < PRESENCE:
            return Measured(None, EyeSignals(), None, _NOTHING)
        # The crop is upright: its head is turned like the frame's but for the known tilt.
        rotations = [rotation_of(each.crop) for each in meshes]
        rotation = _tilt(roll_rad) @ rotations[0]
        pose = pose_of(rotation)
        shapes = [self.blendshapes(each) for each in meshes]
        mean = np.mean([s if i == 0 else s[MIRRORED_BLENDSHAPES] for i, s in enumerate(shapes)], 0)
        size_wh = image.shape[1], image.shape[0]
        unseen = frozenset().union(*(units_cut_off(each.points, size_wh) for each in meshes))
        named = None if unseen else Blendshapes(tuple(np.clip(mean, 0, 1)))
        tilts = zip((_tilt(roll_rad), _tilt(-roll_rad)), rotations, strict=False)
        if np.mean([abs(pose_of(tilt @ each).yaw_rad) for tilt, each in tilts]) > MAX_YAW_RAD:
            return Measured(pose, EyeSignals(), named, _NOTHING)
        lids = [openness_of(each.crop) for each in meshes]
        eyes = EyeSignals()
        if not any(eyes_cut_off(each.points, size_wh) for each in meshes):
            # In a mirror image, the right eye is the subject's left.
            right, left = np.mean([v if i == 0 else v[::-1] for i, v in enumerate(lids)], axis=0)
            eyes = eyes_of_mesh(mesh.points, rotation, (float(right), float(left)))
        if min(map(_smallest_eye, meshes)) < MIN_EYE:
            return Measured(pose, eyes, named, _NOTHING)
        seen = zip(meshes, shapes, rotations, strict=True)
        feed = {
            "features": np.concatenate([features_of(m.crop, s, r).rows for m, s, r in seen]),
            "halves": np.concatenate([halves_of(chip_of(m.pixels, m.crop)) for m in meshes]),
        }
        return Measured(pose, eyes, named, _without(self._read_units(feed, lids), unseen))

    def blendshapes(self, mesh: Mesh) -> NDArray[np.float32]:
        """Return the blendshapes of a mesh with 478 points, float32 (52,)."""
        points = mesh.crop[None, _POINTS, :2].astype(np.float32)
        (scores,) = self._shapes.run(points)
        return np.asarray(scores, np.float32).reshape(len(BLENDSHAPES))

    def _read_units(self, feed: dict[str, NDArray[np.float32]], lids: list[Pair]) -> ActionUnits:
        """Return the units of a face from one or two views, and from their lids."""
        (raw,) = self._units.run(feed)
        sides = np.clip(raw.astype(np.float64), 0, 1).reshape(len(lids), 2, len(_UNITS))
        # Lids that touch are shut, whatever the network says.
        shut = np.clip(1 - np.array(lids) / _SHUT_BELOW, 0, 1)
        sides[..., _CLOSED] = np.maximum(sides[..., _CLOSED], shut)
        # In a mirror image, the right side is the subject's left.
        right, left = np.mean([v if i == 0 else v[::-1] for i, v in enumerate(sides)], axis=0)
        whole = (right + left) / 2
        return ActionUnits(tuple(whole), tuple(right[_SIDED]), tuple(left[_SIDED]))


def _without(units: ActionUnits, unseen: frozenset[str]) -> ActionUnits:
    """Return the units without those that are not seen."""
    if not unseen:
        return units

    def kept(values: Intensities, names: Iterable[str]) -> Intensities:
        pairs = zip(values, names, strict=True)
        return tuple(None if name in unseen else value for value, name in pairs)

    return ActionUnits(
        kept(units.intensities, _UNITS),
        kept(units.right_intensities, SIDED_UNITS),
        kept(units.left_intensities, SIDED_UNITS),
    )


def _tilt(roll_rad: float) -> NDArray[np.float64]:
    """Return the rotation (3, 3) by which a crop was turned upright."""
    cos, sin = np.cos(roll_rad), np.sin(roll_rad)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def _smallest_eye(mesh: Mesh) -> float:
    widths = [mesh.points[a, :2] - mesh.points[b, :2] for a, b in (RIGHT_EYE, LEFT_EYE)]
    return min(float(np.hypot(*width)) for width in widths)


@cache
def unit_card() -> ModelCard:
    """Return the card of the units' network."""
    return find(UNIT_MODEL).card


def action_unit_grade(unit: str) -> str:
    """Return the measurement quality of an action unit: ``"good"``, ``"fair"`` or ``"weak"``.

    Args:
        unit: Name of an action unit, for example ``"AU12"``.

    Raises:
        InputError: When the action unit is not measured.

    Example:
        >>> import pyojeong
        >>> pyojeong.action_unit_grade("AU12")
        'good'
    """
    if unit not in ACTION_UNITS:
        raise InputError(f"{unit!r}: the units are {', '.join(ACTION_UNITS)}")
    return str(unit_card().metrics["units"][unit]["grade"])


def reliable_units() -> tuple[str, ...]:
    """Return the units that count for ``activation``: those of grade good or fair."""
    return tuple(unit for unit in ACTION_UNITS if action_unit_grade(unit) != "weak")
