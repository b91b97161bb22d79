"""Every column of the tables, once: header, writer, reader, documentation and old names.

A column is a path into the JSON form of a frame or face (``FrameResult.to_dict``), or a value that
is computed from it. To add one, add a ``ColumnSpec`` to ``COLUMNS``; nothing else changes.
``python -m pyojeong.output.columns_page`` prints docs/columns.md, with ``--lang ko`` in Korean.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from pyojeong.core.action_units import ACTION_UNITS, BLENDSHAPES, SIDED_UNITS
from pyojeong.core.labels import LABEL_SETS, LabelSet
from pyojeong.output.column_spec import LABEL, POSITION, ColumnSpec, Key, Tree

MEASURES = ("action_units", "blendshapes")
"""Groups of columns that are written only on request."""


def _of_expression(key: str) -> Callable[[Tree], Any]:
    def compute(face: Tree) -> Any:
        expression = face.get("expression")
        if expression is None:
            return None
        return max(expression["scores"].values()) if key == "top_score" else expression[key]

    return compute


def _units_valid(face: Tree) -> bool | None:
    units = face.get("action_units")
    return None if units is None else any(v is not None for v in units["intensity"].values())


def _asymmetry(unit: str) -> Callable[[Tree], float | None]:
    def compute(face: Tree) -> float | None:
        units = face.get("action_units")
        if units is None:
            return None
        left, right = units["left"].get(unit), units["right"].get(unit)
        return None if left is None or right is None else left - right

    return compute


def _head_valid(face: Tree) -> bool | None:
    tried = "pose" in face or "eyes" in face
    return "pose" in face if tried else None


def _eyes_valid(part: str) -> Callable[[Tree], bool | None]:
    return lambda face: None if "eyes" not in face else part in face["eyes"]


def _points(names: Sequence[str], path: str, words: str) -> Iterator[ColumnSpec]:
    for at, name in enumerate(names):
        for axis, letter in enumerate("xy"):
            yield ColumnSpec(
                name=f"{name}_{letter}",
                dtype="float32",
                unit="px",
                path=(*path.split("."), at, axis),
                group="timeline" if path.startswith("eyes") else "face",
                description=words,
            )


_BOX = [
    ColumnSpec(
        name=f"box_{side}",
        dtype="float",
        unit="px",
        path=("box", at),
        required=True,
        description="bounding box of the face; x2 and y2 are exclusive",
    )
    for at, side in enumerate(("x1", "y1", "x2", "y2"))
]

_FRAME = [
    ColumnSpec(
        name="source", dtype="text", group="frame", path=("source",), required=True,
        description="path of the image or clip, as given or found",
    ),
    ColumnSpec(
        name="index", dtype="int", group="frame", path=("index",), required=True,
        description="number of the frame in the clip, from 0; 0 for photographs",
    ),
    ColumnSpec(
        name="time_s", dtype="float", unit="s", group="frame", path=("time_s",), required=True,
        description="time from the beginning of the clip, independent of the clip's own timestamps "
        "(`clock` in summary.json); 0 for photographs",
    ),
    ColumnSpec(
        name="width", dtype="int", unit="px", group="frame", path=("size_wh", 0), required=True,
        description="width of the upright frame; empty: it was not read",
    ),
    ColumnSpec(
        name="height", dtype="int", unit="px", group="frame", path=("size_wh", 1), required=True,
        description="height of the upright frame; empty: it was not read",
    ),
]  # fmt: skip

_FACE = [
    ColumnSpec(
        name="face", dtype="int", path=("face",), required=True,
        description="number of the face in its frame, from 0, largest first; empty: no face",
    ),
    ColumnSpec(
        name="track_id", dtype="int", path=("track_id",),
        description="number of the person in this clip; empty in photographs",
    ),
    *_BOX,
    ColumnSpec(
        name="score", dtype="float", path=("score",), required=True,
        description="confidence of the detector, 0 to 1",
    ),
    *_points(
        ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth"),
        "landmarks",
        "five landmarks; right and left are the subject's own",
    ),
    ColumnSpec(
        name="label", dtype="text", compute=_of_expression("label"),
        description="label with the highest score, or unclear",
    ),
    ColumnSpec(
        name="unclear", dtype="bool", compute=_of_expression("unclear"), missing=False,
        description="whether the highest score is below the threshold; false if there is no face",
    ),
    ColumnSpec(
        name="top", dtype="text", compute=_of_expression("top"),
        description="label with the highest score, also if it is unclear",
    ),
    ColumnSpec(
        name="top_score", dtype="float32", compute=_of_expression("top_score"),
        description="highest score, 0 to 1",
    ),
    ColumnSpec(
        name="score_{label}", dtype="float32", path=("expression", "scores", LABEL), required=True,
        description="share of people who would choose this label, 0 to 1; the scores sum to 1",
    ),
    ColumnSpec(
        name="valence", dtype="float32", since=4, compute=_of_expression("valence"),
        description="valence of the expression, -1 to 1: happy minus the largest of sad, angry, "
        "fear, disgust",
    ),
]  # fmt: skip

_TIMELINE = [
    ColumnSpec(
        name="smooth_label", dtype="text", group="timeline", path=("smoothed", "label"),
        description="`--smooth`: label with the highest smoothed score, or unclear",
    ),
    ColumnSpec(
        name="smooth_unclear", dtype="bool", group="timeline", path=("smoothed", "unclear"),
        missing=False,
        description="`--smooth`: whether the highest smoothed score is below the threshold; false "
        "if there is none",
    ),
    ColumnSpec(
        name="smooth_{label}", dtype="float32", group="timeline",
        path=("smoothed", "scores", LABEL),
        description="`--smooth S`: score averaged over the track with a Gaussian, standard "
        "deviation S seconds",
    ),
    ColumnSpec(
        name="baseline_delta_{label}", dtype="float", group="timeline", since=2,
        path=("baseline_delta", POSITION), old_names=("change_{label}",),
        description="`--baseline`: score minus the score of the person's neutral face, -1 to 1",
    ),
    ColumnSpec(
        name="luma", dtype="float", group="timeline", since=2, path=("luma",),
        old_names=("light",),
        description="mean luma of the face region, 0 to 1; empty for photographs",
    ),
    ColumnSpec(
        name="head_valid", dtype="bool", group="timeline", compute=_head_valid,
        description="whether the head pose was measured; empty: not attempted",
    ),
    *(
        ColumnSpec(
            name=f"head_{key}", dtype="float", unit="rad", group="timeline", path=("pose", key),
            description=words,
        )
        for key, words in (
            ("yaw_rad", "positive when the subject turns to their left"),
            ("pitch_rad", "positive when the subject looks down"),
            ("roll_rad", "positive when the head tilts clockwise in the image"),
        )
    ),
    ColumnSpec(
        name="eyes_valid", dtype="bool", group="timeline", compute=_eyes_valid("openness"),
        description="whether the eyes were measured; empty: not attempted",
    ),
    *(
        ColumnSpec(
            name=f"{side}_openness", dtype="float", group="timeline",
            path=("eyes", "openness", at),
            description="openness of the eye, 0 closed to 1 wide open",
        )
        for at, side in enumerate(("right", "left"))
    ),
    ColumnSpec(
        name="gaze_valid", dtype="bool", group="timeline", compute=_eyes_valid("gaze_rad"),
        description="whether the gaze was measured; empty: not attempted",
    ),
    *(
        ColumnSpec(
            name=f"gaze_{axis}_rad", dtype="float", unit="rad", group="timeline",
            path=("eyes", "gaze_rad", at),
            description=f"gaze relative to the head; positive {towards}",
        )
        for at, (axis, towards) in enumerate(
            (("yaw", "towards the subject's left"), ("pitch", "downwards"))
        )
    ),
    *_points(("right_iris", "left_iris"), "eyes.iris", "centre of the iris"),
    *(
        ColumnSpec(
            name=f"{side}_iris_diameter", dtype="float", unit="px", group="timeline",
            path=("eyes", "iris_diameter", at), description="diameter of the iris",
        )
        for at, side in enumerate(("right", "left"))
    ),
]  # fmt: skip

_ACTION_UNITS = [
    ColumnSpec(
        name="units_valid", dtype="bool", group="action_units", since=4, compute=_units_valid,
        description="whether action units were measured; empty: not attempted",
    ),
    *(
        ColumnSpec(
            name=unit, dtype="float32", group="action_units", since=4,
            path=("action_units", "intensity", unit), description=f"{words}, 0 to 1",
        )
        for unit, words in ACTION_UNITS.items()
    ),
    *(
        ColumnSpec(
            name=f"{unit}_{side}", dtype="float32", group="action_units", since=4,
            path=("action_units", side, unit),
            description=f"{ACTION_UNITS[unit]}, the subject's {side} side, 0 to 1",
        )
        for unit in SIDED_UNITS for side in ("right", "left")
    ),
    *(
        ColumnSpec(
            name=f"{unit}_asymmetry", dtype="float32", group="action_units", since=4,
            compute=_asymmetry(unit), description="left minus right, -1 to 1",
        )
        for unit in SIDED_UNITS
    ),
    *(
        ColumnSpec(
            name=f"{unit}_delta", dtype="float32", group="action_units", since=4,
            path=("action_units", "baseline_delta", unit),
            description="`--baseline`: intensity minus the intensity of the person's neutral face, "
            "-1 to 1",
        )
        for unit in ACTION_UNITS
    ),
    ColumnSpec(
        name="activation", dtype="float32", group="action_units", since=4,
        path=("action_units", "activation"),
        description="`--baseline`: mean absolute change of the reliable units, 0 to 1",
    ),
]  # fmt: skip

_BLENDSHAPES = [
    ColumnSpec(
        name=f"blendshape_{name}", dtype="float32", group="blendshapes", since=4,
        path=("blendshapes", name), description="`--measure blendshapes`: score, 0 to 1",
    )
    for name in BLENDSHAPES
]  # fmt: skip

_END = [
    ColumnSpec(
        name="threshold", dtype="float", path=("expression", "threshold"), required=True,
        description="threshold; a face is unclear if its highest score is below it",
    ),
    ColumnSpec(
        name="prior", dtype="text", path=("expression", "prior"), since=2,
        description="base rates that the scores assume: natural, between, balanced, or shares",
    ),
    ColumnSpec(
        name="label_set", dtype="text", path=("expression", "label_set"), required=True,
        description="fer7 or ferplus8",
    ),
    ColumnSpec(
        name="error", dtype="text", group="frame", since=3, path=("error",),
        description="reason why the file could not be read; empty: it was read",
    ),
    ColumnSpec(
        name="model_ids", dtype="text", group="frame", path=("model_ids",), required=True,
        description="ids of the models, detector first, separated by semicolons",
    ),
    ColumnSpec(
        name="schema", dtype="int", group="frame", path=("schema",), required=True,
        description="version of the table schema",
    ),
]  # fmt: skip

COLUMNS = (*_FRAME, *_FACE, *_TIMELINE, *_ACTION_UNITS, *_BLENDSHAPES, *_END)
"""Every column, in the order of the tables."""


def columns_of(
    labels: LabelSet, *, timeline: bool = True, measures: Collection[str] = ()
) -> list[ColumnSpec]:
    """Return the columns of a table of these labels, in order, one for each label.

    Args:
        labels: The label set.
        timeline: Also those of the group ``timeline``.
        measures: Which of ``MEASURES`` too.
    """
    out: list[ColumnSpec] = []
    groups = {"frame", "face", *measures, *(["timeline"] if timeline else [])}
    for each in COLUMNS:
        if each.group not in groups:
            continue
        if LABEL in each.name:
            out += [each.for_label(name, i) for i, name in enumerate(labels.names)]
        else:
            out.append(each)
    return out


def present(header: Iterable[str]) -> dict[str, ColumnSpec]:
    """Return the name in the file -> column, of the columns that a header holds.

    Old names count.
    """
    names = tuple(header)
    known: dict[str, ColumnSpec] = {}
    for each in columns_of(_labels_of(names), measures=MEASURES):
        for name in (each.name, *each.old_names):
            if name == each.name or each.name not in names:  # a new name wins over an old one
                known.setdefault(name, each)
    return {name: known[name] for name in names if name in known}


def _labels_of(header: Iterable[str]) -> LabelSet:
    """Return the label set of a table: the smallest that has all of the header's labels.

    Other columns that begin with ``score_`` belong to the user.
    """
    names = set(header)
    every = {name for each in LABEL_SETS.values() for name in each.names}
    found = {name for name in every if f"score_{name}" in names}
    return min((s for s in LABEL_SETS.values() if found <= set(s.names)), key=len)


def absent(header: Iterable[str]) -> list[str]:
    """Return the required columns that a header lacks."""
    names = set(header)
    return [c.name for c in columns_of(_labels_of(names)) if c.required and c.name not in names]


def lengths() -> dict[tuple[Key, ...], int]:
    """Return path of a list -> its length, for lists of a fixed length."""
    out: dict[tuple[Key, ...], int] = {}
    for each in COLUMNS:
        for at, key in enumerate(each.path):
            if isinstance(key, int):
                path = each.path[:at]
                out[path] = max(out.get(path, 0), key + 1)
    return out
