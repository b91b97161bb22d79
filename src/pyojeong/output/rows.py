"""The schema of CSV and Parquet tables: a frame as flat rows, and flat rows as frames."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from pyojeong.core.errors import DataError, LabelUnknown, PyojeongError
from pyojeong.core.eyes import EyeSignals, HeadPose
from pyojeong.core.face import SCHEMA_VERSION, Box, Expression, Face, FrameResult, Landmarks
from pyojeong.core.labels import LabelSet, label_set

Row = list[Any]
"""One value per column; None = empty."""

_POINTS = ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")
_LANDMARKS = tuple(f"{point}_{axis}" for point in _POINTS for axis in "xy")
_HEAD = ("head_yaw_rad", "head_pitch_rad", "head_roll_rad")
_OPENNESS = ("right_openness", "left_openness")
_GAZE = ("gaze_yaw_rad", "gaze_pitch_rad")
_IRIS = ("right_iris_x", "right_iris_y", "left_iris_x", "left_iris_y")
_IRIS_DIAMETER = ("right_iris_diameter", "left_iris_diameter")
_LATER = {"prior"}
"""Columns that tables of schema 1 lack; they are read as empty."""


def columns(labels: LabelSet, *, timeline: bool = False) -> dict[str, str]:
    """Names of the columns in order -> text, int, float, float32 or bool.

    Args:
        labels: One column ``score_<label>`` for each of these.
        timeline: Also what only clips, or eyes, have: smoothed scores, change against the
            person's own neutral face, head pose, eyes.
    """
    frame = {"source": "text", "index": "int", "time_s": "float", "width": "int", "height": "int"}
    face = {"face": "int", "track_id": "int"}
    face |= dict.fromkeys(("box_x1", "box_y1", "box_x2", "box_y2", "score"), "float")
    face |= dict.fromkeys(_LANDMARKS, "float32")
    face |= {"label": "text", "unclear": "bool", "top": "text", "top_score": "float32"}
    face |= dict.fromkeys((f"score_{name}" for name in labels.names), "float32")
    more = timeline_columns(labels) if timeline else {}
    last = {"threshold": "float", "prior": "text", "label_set": "text"}
    return frame | face | more | last | {"model_ids": "text", "schema": "int"}


def timeline_columns(labels: LabelSet) -> dict[str, str]:
    """The columns that a table has only on request; see ``columns``."""
    more = {"smooth_label": "text", "smooth_unclear": "bool"}
    more |= dict.fromkeys((f"smooth_{name}" for name in labels.names), "float32")
    more |= dict.fromkeys((f"change_{name}" for name in labels.names), "float")
    more |= {"light": "float", "head_valid": "bool"} | dict.fromkeys(_HEAD, "float")
    more |= {"eyes_valid": "bool"} | dict.fromkeys(_OPENNESS, "float")
    more |= {"gaze_valid": "bool"} | dict.fromkeys(_GAZE, "float")
    return more | dict.fromkeys(_IRIS, "float32") | dict.fromkeys(_IRIS_DIAMETER, "float")


def kinds_of(header: Sequence[str]) -> dict[str, str]:
    """The columns of a table that is read, like ``columns``; further ones are left out.

    Raises:
        DataError: When columns are missing.
    """
    names = tuple(name[len("score_") :] for name in header if name.startswith("score_"))
    labels = LabelSet("", names)
    timeline = bool(names) and all(name in header for name in timeline_columns(labels))
    kinds = columns(labels, timeline=timeline) if names else {"score_<label>": ""}
    missing = [name for name in kinds if name not in header]
    if set(missing) - _LATER:
        raise DataError(f"it is not a table of results: no column {', '.join(missing)}")
    return {name: kind for name, kind in kinds.items() if name not in missing}


def rows(result: FrameResult, labels: LabelSet, *, timeline: bool = False) -> Iterator[Row]:
    """One row per face; one row with empty face columns when there is none.

    Args:
        result: The frame.
        labels: The table's label set.
        timeline: See ``columns``.

    Raises:
        LabelUnknown: When a face's scores belong to another label set.
        DataError: When a model id is empty or holds a semicolon, which separates ids here.
    """
    if any(not i or ";" in i for i in result.model_ids):
        raise DataError(f"model ids must not be empty or hold a semicolon: {result.model_ids}")
    # Names of files that are not valid Unicode carry lone surrogates, which UTF-8 cannot.
    source = result.source.encode("utf-8", "backslashreplace").decode("utf-8")
    head: Row = [source, result.index, result.time_s, *result.size_wh]
    tail: Row = [";".join(result.model_ids), SCHEMA_VERSION]
    if not result.faces:
        empty = len(columns(labels, timeline=timeline)) - len(head) - len(tail)
        yield [*head, *[None] * empty, *tail]
    for number, face in enumerate(result.faces):
        points: Row = [None] * len(_LANDMARKS)
        if face.landmarks is not None:
            points = face.landmarks.points.ravel().tolist()
        seen = [number, face.track_id, *face.box.xyxy, face.score]
        answer = _scores(face.expression, labels)
        more = _timeline(face, labels) if timeline else []
        yield [*head, *seen, *points, *answer[:-3], *more, *answer[-3:], *tail]


def _timeline(face: Face, labels: LabelSet) -> Row:
    smooth: Row = [None] * (len(labels) + 2)
    if face.smoothed is not None:
        smooth = [face.smoothed.label, face.smoothed.unclear, *face.smoothed.scores.tolist()]
    change: Row = [None] * len(labels) if face.change is None else list(face.change)
    pose, eyes = face.pose, face.eyes
    head: Row = [None] * len(_HEAD)
    if pose is not None:
        head = [pose.yaw_rad, pose.pitch_rad, pose.roll_rad]
    tried = pose is not None or eyes is not None
    openness: Row = [None, None]
    gaze: Row = [None, None]
    iris: Row = [None] * 4
    diameter: Row = [None, None]
    valid: Row = [pose is not None if tried else None, None, None]
    if eyes is not None:
        valid[1:] = [eyes.openness is not None, eyes.gaze_rad is not None]
        openness = list(eyes.openness or openness)
        gaze = list(eyes.gaze_rad or gaze)
        iris = iris if eyes.iris is None else eyes.iris.ravel().tolist()
        diameter = list(eyes.iris_diameter or diameter)
    answer = [*smooth, *change, face.light]
    looks = [valid[0], *head, valid[1], *openness, valid[2], *gaze]
    return [*answer, *looks, *iris, *diameter]


def _scores(expression: Expression | None, labels: LabelSet) -> Row:
    if expression is None:
        return [None] * (len(labels) + 7)
    if expression.label_set != labels:
        raise LabelUnknown(
            f"scores of label set {expression.label_set.id!r} in a table of {labels.id!r}: open "
            "the table with labels=... of the model"
        )
    e = expression
    return [e.label, e.unclear, *e.top, *e.scores.tolist(), e.threshold, e.prior, e.label_set.id]


def frames(table: Iterable[dict[str, Any]]) -> Iterator[FrameResult]:
    """The inverse of ``rows``: column -> value of successive rows, gathered to frames.

    Raises:
        DataError: When columns are missing, values cannot be, or the faces of a frame are not in
            their order (a sorted or filtered table).
    """
    head: dict[str, Any] = {}
    faces: list[Face] = []
    for number, row in enumerate(table, start=1):
        try:
            face = row["face"]
            if row["schema"] > SCHEMA_VERSION:
                raise DataError(f"schema {row['schema']}: written by a newer pyojeong")
            if not face:  # the first of a frame (0), or none (None)
                if head:
                    yield _frame(head, faces)
                head, faces = row, []
            elif not head or face != len(faces):
                raise DataError(f"face {face} does not follow face {len(faces) - 1}")
            if face is not None:
                faces.append(_face(row))
        except (KeyError, TypeError, ValueError, PyojeongError) as error:
            raise DataError(f"row {number} is not a face of a frame ({error})") from error
    if head:
        yield _frame(head, faces)


def _frame(row: dict[str, Any], faces: list[Face]) -> FrameResult:
    return FrameResult(
        source=row["source"],
        index=row["index"],
        time_s=row["time_s"],
        size_wh=(row["width"], row["height"]),
        faces=tuple(faces),
        model_ids=tuple(row["model_ids"].split(";")) if row["model_ids"] else (),
    )


def _face(row: dict[str, Any]) -> Face:
    landmarks = expression = smoothed = None
    if row[_LANDMARKS[0]] is not None:
        points = np.array([row[name] for name in _LANDMARKS], np.float32)
        landmarks = Landmarks(points.reshape(5, 2))
    if row["label_set"]:
        labels = label_set(row["label_set"])
        scores = np.array([row[f"score_{name}"] for name in labels.names], np.float32)
        prior = row.get("prior") or ""
        expression = Expression(scores, labels, row["threshold"], prior)
        if row.get("smooth_label"):
            scores = np.array([row[f"smooth_{name}"] for name in labels.names], np.float32)
            smoothed = Expression(scores, labels, row["threshold"], prior)
    return Face(
        box=Box(row["box_x1"], row["box_y1"], row["box_x2"], row["box_y2"]),
        score=row["score"],
        landmarks=landmarks,
        expression=expression,
        track_id=row["track_id"],
        pose=HeadPose(*(row[name] for name in _HEAD)) if row.get("head_valid") else None,
        eyes=_eyes(row),
        smoothed=smoothed,
        change=_change(row),
        light=row.get("light"),
    )


def _eyes(row: dict[str, Any]) -> EyeSignals | None:
    if row.get("eyes_valid") is None:
        return None

    def pair(names: Sequence[str]) -> tuple[float, float] | None:
        first, second = (row[name] for name in names)
        return None if first is None else (first, second)

    iris = None
    if row[_IRIS[0]] is not None:
        iris = np.array([row[name] for name in _IRIS], np.float32).reshape(2, 2)
    return EyeSignals(pair(_OPENNESS), pair(_GAZE), iris, pair(_IRIS_DIAMETER))


def _change(row: dict[str, Any]) -> tuple[float, ...] | None:
    values = [value for name, value in row.items() if name.startswith("change_")]
    return None if not values or values[0] is None else tuple(values)


def _quoted(text: str) -> str:
    if any(c in text for c in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _float32(value: float) -> str:
    """The shortest decimals that give the same float32 again, also when read as a double."""
    short = str(np.float32(value))
    return short if np.float32(float(short)) == value else repr(float(value))


FORMATS: dict[str, Callable[[Any], str]] = {
    "text": _quoted,
    "int": lambda value: str(int(value)),
    "float": lambda value: repr(float(value)),
    "float32": _float32,
    "bool": lambda value: "true" if value else "false",
}
"""Kind of column -> how a value that is not None becomes a CSV field."""

PARSERS: dict[str, Callable[[str], Any]] = {
    "text": str,
    "int": int,
    "float": float,
    "float32": float,
    "bool": {"true": True, "false": False, "TRUE": True, "FALSE": False}.__getitem__,
}
"""Kind of column -> how a CSV field that is not empty becomes a value."""
