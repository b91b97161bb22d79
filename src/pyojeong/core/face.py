"""Result types: the faces of one image, as immutable data without identities.

Coordinates are pixels of the original frame; the origin is the top-left corner of the top-left
pixel, so a W x H frame spans 0..W and 0..H and the centre of its first pixel is (0.5, 0.5).
Right and left are always the subject's own.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.action_units import ActionUnits, Blendshapes
from pyojeong.core.errors import BadArray
from pyojeong.core.eyes import EyeSignals, HeadPose
from pyojeong.core.labels import LabelSet, label_set
from pyojeong.core.value_checks import check_count, check_number

SCHEMA_VERSION = 4
"""Version stored in every table and JSON line; increased when a field changes its meaning.

2: scores are shares of people, for the base rates in the new field ``prior``. Tables of schema 1
are read with ``prior=""``. 3: images that could not be read have an ``error``. 4: valence, action
units and blendshapes.
"""

UNPLEASANT = ("sad", "angry", "fear", "disgust")
"""Negative labels in ``Expression.valence``."""

Image = NDArray[np.uint8]
"""uint8 (H, W, 3), RGB."""


def _deprecated(old: str, new: str) -> None:
    warnings.warn(f"{old} is now called {new}", DeprecationWarning, stacklevel=3)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels; ``x2, y2`` are exclusive, and it may extend beyond the frame."""

    x1: float
    y1: float
    x2: float
    y2: float

    def __post_init__(self) -> None:
        values = (self.x1, self.y1, self.x2, self.y2)
        if not all(np.isfinite(values)) or self.x2 < self.x1 or self.y2 < self.y1:
            raise BadArray("Box", expected="finite x1 <= x2 and y1 <= y2", got=str(values))

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.y2 - self.y1

    @property
    def xyxy(self) -> tuple[float, float, float, float]:
        """Coordinates in the order x1, y1, x2, y2."""
        return (self.x1, self.y1, self.x2, self.y2)


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """Five landmarks of a face.

    Attributes:
        points: float32 (5, 2), in pixels: the subject's right eye, left eye, nose tip, right mouth
            corner, left mouth corner.
    """

    points: NDArray[np.float32]

    def __post_init__(self) -> None:
        points = np.asarray(self.points, np.float32)
        if points.shape != (5, 2) or not np.isfinite(points).all():
            raise BadArray("Landmarks", expected="finite float (5, 2)", got=f"{points.shape}")
        points = points.copy()
        points.setflags(write=False)
        object.__setattr__(self, "points", points)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Landmarks) and np.array_equal(self.points, other.points)

    def __hash__(self) -> int:
        return hash(self.points.tobytes())


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """Scores of one face: the calibrated share of people who would choose each label.

    With ``output="fer2013"``, or with a model trained without votes, the scores are the calibrated
    probabilities of the labels in the training data.

    Attributes:
        scores: float32 (K,), in the order of ``label_set``; they sum to 1.
        label_set: Names of the K labels.
        threshold: Threshold in [0, 1]; the label is unclear if the best score is below it.
        prior: Base rates that the scores assume: ``"natural"``, ``"between"``, ``"balanced"``, or
            ``"angry=0.1 happy=0.3 ..."``; prefixed with ``"fer2013 "`` or ``"labels "`` for scores
            of that output; "" if not known (tables of schema 1, older models).
    """

    scores: NDArray[np.float32]
    label_set: LabelSet
    threshold: float = 0.0
    prior: str = ""

    def __post_init__(self) -> None:
        scores = np.asarray(self.scores, np.float32).copy()
        k = len(self.label_set)
        if scores.shape != (k,) or not (scores >= 0).all() or abs(scores.sum() - 1) > 1e-3:
            raise BadArray(
                "Expression.scores",
                expected=f"({k},) scores in [0, 1] with sum 1",
                got=f"shape {scores.shape}, sum {float(scores.sum()):.4f}",
            )
        check_number("Expression.threshold", self.threshold, 0, 1)
        if not isinstance(self.prior, str):
            raise BadArray("Expression.prior", expected="text", got=repr(self.prior))
        scores.setflags(write=False)
        object.__setattr__(self, "scores", scores)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Expression)
            and self.label_set == other.label_set
            and self.threshold == other.threshold
            and self.prior == other.prior
            and np.array_equal(self.scores, other.scores)
        )

    def __hash__(self) -> int:
        return hash((self.scores.tobytes(), self.label_set, self.threshold, self.prior))

    @property
    def top(self) -> tuple[str, float]:
        """Label with the highest score, and that score."""
        i = int(self.scores.argmax())
        return self.label_set.names[i], float(self.scores[i])

    @property
    def unclear(self) -> bool:
        """Whether the best score is below ``threshold``."""
        return float(self.scores.max()) < self.threshold

    @property
    def label(self) -> str:
        """Label with the highest score, or ``"unclear"``."""
        return "unclear" if self.unclear else self.top[0]

    @property
    def valence(self) -> float:
        """Valence in [-1, 1]: score of happy minus the largest of sad, angry, fear and disgust.

        FaceReader uses the same definition. Valence describes how pleasant an expression looks,
        not what a person feels.
        """
        return _valence(self.by_label())

    def by_label(self) -> dict[str, float]:
        """Return a dictionary from label to score."""
        return dict(zip(self.label_set.names, self.scores.tolist(), strict=True))

    def as_dict(self) -> dict[str, float]:
        """Return the result of ``by_label``; deprecated."""
        _deprecated("Expression.as_dict", "Expression.by_label")
        return self.by_label()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; ``from_dict`` is its inverse."""
        scores = self.by_label()
        top, best = self.top
        unclear = best < self.threshold
        return {
            "label": "unclear" if unclear else top,
            "top": top,
            "unclear": unclear,
            "scores": scores,
            "valence": _valence(scores),
            "label_set": self.label_set.id,
            "threshold": float(self.threshold),
            "prior": self.prior,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Create an expression from the output of ``to_dict``."""
        names = label_set(data["label_set"])
        scores = np.array([data["scores"][n] for n in names.names], np.float32)
        return cls(scores, names, data["threshold"], data.get("prior") or "")


def _valence(scores: dict[str, float]) -> float:
    return scores["happy"] - max(scores[name] for name in UNPLEASANT)


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a frame. Fields that were not measured are None, never NaN.

    Attributes:
        box: Bounding box, in pixels of the frame.
        score: Confidence of the detector, in [0, 1].
        landmarks: Five landmarks, if the detector returns them.
        expression: Calibrated scores, if a classifier was run.
        track_id: Number of the person, constant within a clip; None in photographs.
        pose: Head pose, if measured.
        eyes: Openness, gaze and irises, if measured; its fields may be None.
        smoothed: Expression smoothed over time, if requested; ``expression`` is not smoothed.
        baseline_delta: Scores minus the scores of this person's neutral face, in the order of the
            label set, if a baseline was given; they sum to 0.
        luma: Mean luma of the face region in [0, 1], if measured.
        blendshapes: Scores of 52 blendshapes, if measured.
        action_units: Intensities of action units, if measured; its fields may be None.
    """

    box: Box
    score: float
    landmarks: Landmarks | None = None
    expression: Expression | None = None
    track_id: int | None = None
    pose: HeadPose | None = None
    eyes: EyeSignals | None = None
    smoothed: Expression | None = None
    baseline_delta: tuple[float, ...] | None = None
    luma: float | None = None
    blendshapes: Blendshapes | None = None
    action_units: ActionUnits | None = None

    def __post_init__(self) -> None:
        check_number("Face.score", self.score, 0, 1)
        if self.track_id is not None:
            check_count("Face.track_id", self.track_id)
        if self.luma is not None:
            check_number("Face.luma", self.luma, 0, 1)
        for value in self.baseline_delta or ():
            check_number("Face.baseline_delta", value, -1, 1)

    @property
    def change(self) -> tuple[float, ...] | None:
        """Deprecated alias of ``baseline_delta``."""
        _deprecated("Face.change", "Face.baseline_delta")
        return self.baseline_delta

    @property
    def light(self) -> float | None:
        """Deprecated alias of ``luma``."""
        _deprecated("Face.light", "Face.luma")
        return self.luma

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; ``from_dict`` is its inverse."""
        out: dict[str, Any] = {
            "box": [float(v) for v in self.box.xyxy],
            "score": float(self.score),
        }
        for name, as_json in _PLAIN:
            value = getattr(self, name)
            if value is not None:
                out[name] = as_json(value)
        return out

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Create a face from the output of ``to_dict``; names of schema 1 are accepted."""
        landmarks = data.get("landmarks")
        delta = data.get("baseline_delta", data.get("change"))
        expression, smoothed = data.get("expression"), data.get("smoothed")
        pose, eyes = data.get("pose"), data.get("eyes")
        shapes, units = data.get("blendshapes"), data.get("action_units")
        return cls(
            box=Box(*data["box"]),
            score=data["score"],
            landmarks=None if landmarks is None else Landmarks(np.array(landmarks, np.float32)),
            expression=None if expression is None else Expression.from_dict(expression),
            track_id=data.get("track_id"),
            pose=None if pose is None else HeadPose.from_dict(pose),
            eyes=None if eyes is None else EyeSignals.from_dict(eyes),
            smoothed=None if smoothed is None else Expression.from_dict(smoothed),
            baseline_delta=None if delta is None else tuple(map(float, delta)),
            luma=data.get("luma", data.get("light")),
            blendshapes=None if shapes is None else Blendshapes.from_dict(shapes),
            action_units=None if units is None else ActionUnits.from_dict(units),
        )


_PLAIN: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("landmarks", lambda landmarks: landmarks.points.tolist()),
    ("expression", Expression.to_dict),
    ("track_id", int),
    ("pose", HeadPose.to_dict),
    ("eyes", EyeSignals.to_dict),
    ("smoothed", Expression.to_dict),
    ("baseline_delta", lambda delta: [float(v) for v in delta]),
    ("luma", float),
    ("blendshapes", dict),
    ("action_units", ActionUnits.to_dict),
)
"""Optional field of a face -> function that converts it to plain JSON types."""


@dataclass(frozen=True, slots=True)
class FrameResult:
    """The result for one image or video frame; ``faces`` is empty if no face was found.

    Attributes:
        source: Path of the image or clip, or a name such as ``"<array>"``.
        index: Number of the frame in the clip, from 0; 0 for a photograph.
        time_s: Time from the beginning of the clip, in seconds; 0.0 for a photograph.
        size_wh: Width and height of the frame in pixels, after rotation to the upright
            orientation; (0, 0) if it could not be read.
        faces: Faces, largest first.
        model_ids: Ids of the models used, detector first.
        error: Reason why the source could not be read; "" if it was read.
        preview: Small JPEG copy of the image for notebooks, of single images that were not files.
            It is not written to tables and is ignored in comparisons.
    """

    source: str
    index: int
    time_s: float
    size_wh: tuple[int, int]
    faces: tuple[Face, ...] = ()
    model_ids: tuple[str, ...] = ()
    error: str = ""
    preview: bytes | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_count("FrameResult.index", self.index)
        check_number("FrameResult.time_s", self.time_s, 0)
        for value in self.size_wh:
            check_count("FrameResult.size_wh", value)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; ``from_dict`` is its inverse."""
        out: dict[str, Any] = {
            "schema": SCHEMA_VERSION,
            "source": self.source,
            "index": int(self.index),
            "time_s": float(self.time_s),
            "size_wh": None if self.error else [int(v) for v in self.size_wh],
            "model_ids": list(self.model_ids),
            "faces": [face.to_dict() for face in self.faces],
        }
        if self.error:
            out["error"] = self.error
        return out

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Create a result from the output of ``to_dict``."""
        error = data.get("error") or ""
        width, height = (0, 0) if error and data["size_wh"] is None else data["size_wh"]
        return cls(
            source=data["source"],
            index=data["index"],
            time_s=data["time_s"],
            size_wh=(width, height),
            faces=tuple(Face.from_dict(f) for f in data["faces"]),
            model_ids=tuple(data["model_ids"]),
            error=error,
        )

    def to_records(self) -> list[dict[str, Any]]:
        """Return one flat dictionary per face; see ``pyojeong.to_records``.

        A frame without faces gives one record with empty face columns.
        """
        # Imported by name: this package is the lowest and must not know the tables.
        records = import_module("pyojeong.output.records").to_records(self)
        return list(records)

    def _repr_html_(self) -> str:
        """Return the HTML for notebooks: the image with its faces, and their scores as bars."""
        return str(import_module("pyojeong.output.notebook").result_html(self))
