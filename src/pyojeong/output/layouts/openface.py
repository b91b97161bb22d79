"""The CSV file of OpenFace 2 (Baltrusaitis et al. 2018).

What is not measured is empty. Photographs are numbered as OpenFace numbers the images of a folder;
a second table, ``ImageList``, says which number is which file.
"""

from collections.abc import Iterator
from pathlib import Path

from pyojeong.core.face import Face, FrameResult
from pyojeong.core.output_names import as_unicode
from pyojeong.output.layouts.sink import Cells, LayoutSink
from pyojeong.output.layouts.values import (
    HALF_CLOSED,
    camera_gaze,
    closure,
    number,
    openface_angles,
    reaches,
    unit,
)
from pyojeong.output.rows import FORMATS

SCALE = 5.0
"""Intensity 1 in OpenFace's columns ``_r``, where 1 is the least that counts as present."""
PRESENT = 0.2
"""Intensity from which on a unit counts as present (``_c``): 1 on OpenFace's scale."""

_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
_MEASURED = (1, 2, 4, 5, 6, 7, 9, 12, 14, 15, 17, 20, 23, 25, 26)
_EYE_POINTS, _POINTS, _MODES = 56, 68, 34


def _numbered(names: str, count: int) -> Iterator[str]:
    return (f"{name}_{at}" for name in names.split() for at in range(count))


COLUMNS = (
    *("frame", "face_id", "timestamp", "confidence", "success"),
    *(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"),
    *("gaze_angle_x", "gaze_angle_y"),
    *_numbered("eye_lmk_x eye_lmk_y eye_lmk_X eye_lmk_Y eye_lmk_Z", _EYE_POINTS),
    *(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"),
    *_numbered("x y X Y Z", _POINTS),
    *("p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty"),
    *_numbered("p", _MODES),
    *(f"AU{unit:02}_r" for unit in _UNITS),
    *(f"AU{unit:02}_c" for unit in sorted({*_UNITS, 28})),
)
"""OpenFace's columns in order."""


class OpenFaceSink(LayoutSink):
    """One row for each face of a frame, or one without a face; a space follows each comma above.

    Args:
        target: The file.
        photographs: Frames are images, numbered as they come, without a time.
    """

    def __init__(self, target: Path, *, photographs: bool) -> None:
        self._photographs = photographs
        self._cells = Cells(COLUMNS)
        self._frames = 0
        super().__init__(target, ", ".join(COLUMNS) + "\n")

    def _text(self, result: FrameResult) -> str:
        self._frames += 1
        count = self._frames if self._photographs else result.index + 1
        frame = {"frame": str(count), "success": "0"}
        if not self._photographs:
            frame["timestamp"] = FORMATS["float"](result.time_s)
        if not result.faces:
            return self._cells.line(frame)
        return "".join(
            self._cells.line({**frame, **_values(face, place)})
            for place, face in enumerate(result.faces)
        )


def _values(face: Face, place: int) -> dict[str, str]:
    out = {
        "face_id": str(place if face.track_id is None else face.track_id),
        "confidence": FORMATS["float"](face.score),
        "success": "1",
    }
    gaze = camera_gaze(face)
    if gaze is not None:
        both = dict(zip("xyz", map(number, gaze.direction), strict=True))
        out |= {f"gaze_{eye}_{axis}": text for eye in (0, 1) for axis, text in both.items()}
        out["gaze_angle_x"], out["gaze_angle_y"] = map(number, gaze.openface_angles)
    if face.pose is not None:
        angles = map(number, openface_angles(face.pose))
        out |= dict(zip(("pose_Rx", "pose_Ry", "pose_Rz"), angles, strict=True))
    for name in _MEASURED:
        out |= _unit_cells(name, unit(face, f"AU{name}"), PRESENT)
    return out | _unit_cells(45, closure(face), HALF_CLOSED)


def _unit_cells(name: int, intensity: float | None, present: float) -> dict[str, str]:
    if intensity is None:
        return {}
    present_text = "1" if reaches(intensity, present) else "0"
    return {f"AU{name:02}_r": number(SCALE * intensity), f"AU{name:02}_c": present_text}


class ImageList(LayoutSink):
    """Which number is which photograph: ``frame, file, error``."""

    def __init__(self, target: Path) -> None:
        self._frames = 0
        super().__init__(target, "frame,file,error\n")

    def _text(self, result: FrameResult) -> str:
        self._frames += 1
        file, error = (FORMATS["text"](as_unicode(t)) for t in (result.source, result.error))
        return f"{self._frames},{file},{error}\n"
