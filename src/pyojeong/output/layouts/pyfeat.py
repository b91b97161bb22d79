"""The CSV file of py-feat 2 (Cheong et al. 2023). What is not measured is empty."""

from pathlib import Path

import numpy as np

from pyojeong.core.action_units import BLENDSHAPES
from pyojeong.core.face import Face, FrameResult
from pyojeong.core.output_names import as_unicode
from pyojeong.output.layouts.sink import Cells, LayoutSink
from pyojeong.output.layouts.values import camera_gaze, number, unit
from pyojeong.output.rows import FORMATS

_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)
_MEASURED = (1, 2, 4, 5, 6, 7, 9, 12, 14, 15, 17, 20, 23, 24, 25, 26, 43)
_EMOTIONS = {
    "Neutral": "neutral",
    "Happy": "happy",
    "Sad": "sad",
    "Surprise": "surprise",
    "Fear": "fear",
    "Disgust": "disgust",
    "Anger": "angry",
}

COLUMNS = (
    *("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore"),
    *(f"{axis}_{at}" for axis in "xy" for at in range(68)),
    *("Pitch", "Roll", "Yaw", "X", "Y", "Z"),
    *(f"AU{unit:02}" for unit in _UNITS),
    *_EMOTIONS,
    *("valence", "arousal", "gaze_pitch", "gaze_yaw", "gaze_angle"),
    *(f"Identity_{at}" for at in range(1, 513)),
    *(f"mesh_{axis}_{at}" for axis in "xyz" for at in range(478)),
    *BLENDSHAPES,
    *("FrameHeight", "FrameWidth", "input", "frame", "approx_time", "Identity"),
)
"""py-feat's columns in order."""


class PyFeatSink(LayoutSink):
    """One row for each face of a frame, or one without a face.

    Args:
        target: The file.
        photographs: Frames are images, numbered as they come, without a time.
    """

    def __init__(self, target: Path, *, photographs: bool) -> None:
        self._photographs = photographs
        self._cells = Cells(COLUMNS)
        self._frames = 0
        super().__init__(target, ",".join(COLUMNS) + "\n")

    def _text(self, result: FrameResult) -> str:
        frame = {"input": FORMATS["text"](as_unicode(result.source))}
        frame["frame"] = str(self._frames if self._photographs else result.index)
        self._frames += 1
        if not result.error:
            frame["FrameWidth"], frame["FrameHeight"] = map(str, result.size_wh)
        if not self._photographs:
            minutes, seconds = divmod(int(result.time_s), 60)
            frame["approx_time"] = f"{minutes:02}:{seconds:02}"
        faces = [_values(face) for face in result.faces] or [{}]
        return "".join(self._cells.line({**frame, **face}) for face in faces)


def _values(face: Face) -> dict[str, str]:
    box = face.box
    rect = (box.x1, box.y1, box.width, box.height, face.score)
    out = dict(zip(COLUMNS[:5], map(FORMATS["float"], rect), strict=True))
    if face.pose is not None:
        out["Pitch"] = number(face.pose.pitch_rad)
        out["Roll"] = number(face.pose.roll_rad)
        out["Yaw"] = number(face.pose.yaw_rad)
    out |= {f"AU{name:02}": number(unit(face, f"AU{name}")) for name in _MEASURED}
    if face.expression is not None:
        scores = face.expression.by_label()
        out |= {theirs: number(scores[ours]) for theirs, ours in _EMOTIONS.items()}
        out["valence"] = number(face.expression.valence)
    gaze = camera_gaze(face)
    if gaze is not None:
        yaw, pitch = gaze.yaw_pitch
        out["gaze_pitch"], out["gaze_yaw"] = number(pitch), number(yaw)
        out["gaze_angle"] = number(float(np.arccos(np.clip(np.cos(pitch) * np.cos(yaw), -1, 1))))
    if face.blendshapes is not None:
        out |= {name: number(score) for name, score in face.blendshapes.items()}
    if face.track_id is not None:
        out["Identity"] = str(face.track_id)
    return out
