"""The detailed log of FaceReader 6.1: tab-separated, one file for each person of a clip.

A frame without this person's face says FIND_FAILED; what was not measured in a face says
FIT_FAILED.
"""

import math
from collections.abc import Iterator
from pathlib import Path

from pyojeong.core.face import Face, FrameResult
from pyojeong.core.output_names import as_unicode
from pyojeong.core.printable import printable
from pyojeong.output.layouts.sink import LayoutSink
from pyojeong.output.layouts.values import (
    HALF_CLOSED,
    closure_of_openness,
    number,
    reaches,
    unit,
)

FIND_FAILED, FIT_FAILED = "FIND_FAILED", "FIT_FAILED"
NOT_ACTIVE = "NotActive"
LEVELS = ((0.9, "E"), (0.7, "D"), (0.4, "C"), (0.2, "B"), (0.1, "A"))
"""Intensity from which on a unit has this letter, the highest first; below: ``NotActive``."""

_EXPRESSIONS = {
    "Neutral": "neutral",
    "Happy": "happy",
    "Sad": "sad",
    "Angry": "angry",
    "Surprised": "surprise",
    "Scared": "fear",
    "Disgusted": "disgust",
    "Contempt": "contempt",
}
_UNITS = {
    1: "Inner Brow Raiser",
    2: "Outer Brow Raiser",
    4: "Brow Lowerer",
    5: "Upper Lid Raiser",
    6: "Cheek Raiser",
    7: "Lid Tightener",
    9: "Nose Wrinkler",
    10: "Upper Lip Raiser",
    12: "Lip Corner Puller",
    14: "Dimpler",
    15: "Lip Corner Depressor",
    17: "Chin Raiser",
    18: "Lip Puckerer",
    20: "Lip Stretcher",
    23: "Lip Tightener",
    24: "Lip Pressor",
    25: "Lips Part",
    26: "Jaw Drop",
    27: "Mouth Stretch",
    43: "Eyes Closed",
}
_TITLE = "Video analysis detailed log"
_NOT_MEASURED = frozenset({10, 18})

COLUMNS = (
    "Video Time",
    *_EXPRESSIONS,
    *("Valence", "Arousal"),
    *(f"{axis} - Head Orientation" for axis in "YXZ"),
    *("Mouth", "Left Eye", "Right Eye", "Left Eyebrow", "Right Eyebrow"),
    *(f"Action Unit {number:02} - {name}" for number, name in _UNITS.items()),
    *("Stimulus", "Event Marker"),
)
"""FaceReader's columns in order."""
_OF_FACE = len(COLUMNS) - 3


class FaceReaderSink(LayoutSink):
    """The log of one person: one row for each frame of the clip.

    Args:
        target: The file.
        person: Number of the person; None = nobody, a log of frames without a face.
        source: The clip.
        rate: Frames a second; None = not known.
    """

    def __init__(
        self, target: Path, *, person: int | None, source: str, rate: float | None
    ) -> None:
        self._person = person
        super().__init__(target, "\n".join(_preamble(source, rate)))

    def _text(self, result: FrameResult) -> str:
        face = None
        if self._person is not None:
            face = next((f for f in result.faces if f.track_id == self._person), None)
        cells = [FIND_FAILED] * _OF_FACE if face is None else list(_cells(face))
        return "\t".join([_clock(result.time_s), *cells, "", ""]) + "\n"


def is_log(path: Path) -> bool:
    """Return whether a file is such a log."""
    try:
        with path.open("rb") as file:
            return file.read(len(_TITLE)) == _TITLE.encode()
    except OSError:
        return False


def _preamble(source: str, rate: float | None) -> list[str]:
    return [
        _TITLE,
        "",
        "Face Model:\tpyojeong",
        "Calibration:\tNone",
        "Start time:\t",
        f"Filename:\t{printable(as_unicode(source))}",
        f"Frame rate:\t{'' if rate is None else f'{rate:.6g}'}",
        "",
        "\t".join(COLUMNS),
        "",
    ]


def _clock(time_s: float) -> str:
    """Return a time as 00:00:00.000."""
    whole, milliseconds = divmod(round(time_s * 1000), 1000)
    minutes, seconds = divmod(whole, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{milliseconds:03}"


def _cells(face: Face) -> Iterator[str]:
    """Yield the cells between the time and the stimulus."""
    scores = {} if face.expression is None else face.expression.by_label()
    for ours in _EXPRESSIONS.values():
        yield number(scores.get(ours)) or FIT_FAILED
    yield FIT_FAILED if face.expression is None else number(face.expression.valence)
    yield FIT_FAILED  # arousal
    yield from _orientation(face)
    yield FIT_FAILED  # mouth
    yield from _eyes(face)
    yield from (FIT_FAILED, FIT_FAILED)  # eyebrows
    for name in _UNITS:
        yield FIT_FAILED if name in _NOT_MEASURED else level(unit(face, f"AU{name}"))


def _orientation(face: Face) -> Iterator[str]:
    """Yield the turn about y (yaw), x (pitch) and z (roll) in degrees, with our own signs."""
    if face.pose is None:
        yield from [FIT_FAILED] * 3
        return
    for angle in (face.pose.yaw_rad, face.pose.pitch_rad, face.pose.roll_rad):
        yield number(math.degrees(angle))


def _eyes(face: Face) -> Iterator[str]:
    """Yield the left and the right eye, the subject's own: Open or Closed."""
    if face.eyes is None or face.eyes.openness is None:
        yield from (FIT_FAILED, FIT_FAILED)
        return
    right, left = face.eyes.openness
    for openness in (left, right):
        yield "Closed" if reaches(closure_of_openness(openness), HALF_CLOSED) else "Open"


def level(intensity: float | None) -> str:
    """Return the letter of an action unit's intensity, A to E."""
    if intensity is None:
        return FIT_FAILED
    return next((letter for least, letter in LEVELS if reaches(intensity, least)), NOT_ACTIVE)
