"""What the layouts of other tools take from a face, in their axes and on their scales.

Every conversion of a sign stands here or in the module of its layout, and in docs/layouts.md. Our
own signs are those of ``core.eyes``.
"""

from dataclasses import dataclass

import numpy as np

from pyojeong.core.eyes import HeadPose
from pyojeong.core.face import Face
from pyojeong.output.rows import FORMATS
from pyojeong.runtime.head_pose import rotation_from

Triple = tuple[float, float, float]

USUAL_OPENNESS = 0.6
"""Openness from which on eyes count as open: their closure is 0 there and 1 when they are shut."""
HALF_CLOSED = 0.5
"""Closure from which on eyes count as closed: half of the way, as for ``stream.blinks``."""


def number(value: float | None) -> str:
    """Return a measured number as text; empty when there is none."""
    return "" if value is None else FORMATS["float32"](value)


def unit(face: Face, name: str) -> float | None:
    """Return the intensity of an action unit in [0, 1]; None when it was not measured."""
    return None if face.action_units is None else face.action_units[name]


def reaches(intensity: float, least: float) -> bool:
    """Return whether an intensity, which has 32 bits, is at least so much."""
    return bool(np.float32(intensity) >= np.float32(least))


def closure_of_openness(openness: float) -> float:
    """Return how far an eye is closed, in [0, 1], from its openness."""
    return 1.0 - min(openness / USUAL_OPENNESS, 1.0)


def closure(face: Face) -> float | None:
    """Return how far both eyes are closed, in [0, 1]: AU43, else from their openness."""
    measured = unit(face, "AU43")
    if measured is not None:
        return measured
    if face.eyes is None or face.eyes.openness is None:
        return None
    return closure_of_openness(sum(face.eyes.openness) / 2)


def openface_angles(pose: HeadPose) -> Triple:
    """Return OpenFace's pose_Rx, pose_Ry, pose_Rz in radians.

    Its axes are x to the right of the image, y down, z away from the camera; R = Rx Ry Rz. So Rx is
    positive when the subject looks down and Rz when the head tilts clockwise in the image, as here;
    Ry is positive when the nose moves left in the image, against ``HeadPose.yaw_rad``.
    """
    r = rotation_from(pose)
    return (
        float(np.arctan2(-r[1, 2], r[2, 2])),
        float(np.arcsin(np.clip(r[0, 2], -1, 1))),
        float(np.arctan2(-r[0, 1], r[0, 0])),
    )


@dataclass(frozen=True, slots=True)
class CameraGaze:
    """Where both eyes look, against the camera: the gaze in the head, turned with the head.

    Attributes:
        direction: Unit vector: x to the right of the image, y down, z away from the camera.
    """

    direction: Triple

    @property
    def openface_angles(self) -> tuple[float, float]:
        """OpenFace's gaze_angle_x and gaze_angle_y in radians.

        Positive when the subject looks to their left (the image's right), and down.
        """
        x, y, z = self.direction
        return float(np.arctan2(x, -z)), float(np.arctan2(y, -z))

    @property
    def yaw_pitch(self) -> tuple[float, float]:
        """Yaw and pitch in radians, with the signs of ``core.eyes``."""
        x, y, z = self.direction
        return float(np.arctan2(x, -z)), float(np.arcsin(np.clip(y, -1, 1)))


def camera_gaze(face: Face) -> CameraGaze | None:
    """Return where a face's eyes look; None when gaze or head pose was not measured."""
    if face.pose is None or face.eyes is None or face.eyes.gaze_rad is None:
        return None
    yaw, pitch = face.eyes.gaze_rad
    in_head = [np.cos(pitch) * np.sin(yaw), np.sin(pitch), -np.cos(pitch) * np.cos(yaw)]
    x, y, z = rotation_from(face.pose) @ np.array(in_head)
    return CameraGaze((float(x), float(y), float(z)))
