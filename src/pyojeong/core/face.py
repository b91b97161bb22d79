"""The ground types: what was seen in one picture, as frozen data that knows nobody.

Coordinates are pixels of the original frame; the origin is the top-left corner of the top-left
pixel, so a W x H frame spans 0..W and 0..H and the centre of its first pixel is (0.5, 0.5).
Right and left are always the subject's own.
"""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.errors import BadArray
from pyojeong.core.labels import LabelSet, label_set

SCHEMA_VERSION = 1
"""Written into every table and JSON line; raised when a field changes its meaning."""

Image = NDArray[np.uint8]
"""uint8 (H, W, 3), RGB."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels; ``x2, y2`` are exclusive and any side may leave the frame."""

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
        """The four numbers in the order x1, y1, x2, y2."""
        return (self.x1, self.y1, self.x2, self.y2)


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """Five points of a face.

    Attributes:
        points: float32 (5, 2) pixels: the subject's right eye, left eye, nose tip, right mouth
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
    """Calibrated scores of one face.

    Attributes:
        scores: float32 (K,), in the order of ``label_set``, sum 1.
        label_set: Names of the K columns.
        threshold: The card's threshold: below it the answer counts as unclear.
    """

    scores: NDArray[np.float32]
    label_set: LabelSet
    threshold: float = 0.0

    def __post_init__(self) -> None:
        scores = np.asarray(self.scores, np.float32).copy()
        k = len(self.label_set)
        if scores.shape != (k,) or not (scores >= 0).all() or abs(scores.sum() - 1) > 1e-3:
            raise BadArray(
                "Expression.scores",
                expected=f"({k},) scores in [0, 1] with sum 1",
                got=f"shape {scores.shape}, sum {float(scores.sum()):.4f}",
            )
        scores.setflags(write=False)
        object.__setattr__(self, "scores", scores)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Expression)
            and self.label_set == other.label_set
            and self.threshold == other.threshold
            and np.array_equal(self.scores, other.scores)
        )

    def __hash__(self) -> int:
        return hash((self.scores.tobytes(), self.label_set, self.threshold))

    @property
    def top(self) -> tuple[str, float]:
        """The best label and its score."""
        i = int(self.scores.argmax())
        return self.label_set.names[i], float(self.scores[i])

    @property
    def unclear(self) -> bool:
        """True when the best score is below the card's threshold."""
        return float(self.scores.max()) < self.threshold

    @property
    def label(self) -> str:
        """The best label, or ``"unclear"``."""
        return "unclear" if self.unclear else self.top[0]

    def as_dict(self) -> dict[str, float]:
        """Label -> score."""
        return dict(zip(self.label_set.names, map(float, self.scores), strict=True))


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a frame. Fields that were not measured are None, never NaN.

    Attributes:
        box: Where the face is, in frame pixels.
        score: The detector's own confidence in [0, 1].
        landmarks: Five points, when the detector gives them.
        expression: Calibrated scores, when a classifier ran.
        track_id: Stable number of a person in a clip; None in photographs.
    """

    box: Box
    score: float
    landmarks: Landmarks | None = None
    expression: Expression | None = None
    track_id: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; ``from_dict`` is its inverse."""
        out: dict[str, Any] = {
            "box": [float(v) for v in self.box.xyxy],
            "score": float(self.score),
        }
        if self.landmarks is not None:
            out["landmarks"] = self.landmarks.points.astype(float).tolist()
        if self.expression is not None:
            e = self.expression
            out["expression"] = {
                "label": e.label,
                "top": e.top[0],
                "unclear": e.unclear,
                "scores": e.as_dict(),
                "label_set": e.label_set.id,
                "threshold": float(e.threshold),
            }
        if self.track_id is not None:
            out["track_id"] = int(self.track_id)
        return out

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Build a face from ``to_dict``'s output."""
        landmarks = data.get("landmarks")
        e = data.get("expression")
        expression = None
        if e is not None:
            names = label_set(e["label_set"])
            scores = np.array([e["scores"][n] for n in names.names], np.float32)
            expression = Expression(scores, names, e["threshold"])
        return cls(
            box=Box(*data["box"]),
            score=data["score"],
            landmarks=None if landmarks is None else Landmarks(np.array(landmarks, np.float32)),
            expression=expression,
            track_id=data.get("track_id"),
        )


@dataclass(frozen=True, slots=True)
class FrameResult:
    """Everything read from one picture or video frame; ``faces=()`` is a normal answer.

    Attributes:
        source: Where the frame came from (a path, or ``"<array>"``).
        index: Number of the frame in its source; 0 for a photograph.
        time_s: Seconds from the container's clock; 0.0 for a photograph.
        size_wh: Width and height of the frame in pixels, as it is meant to be seen.
        faces: The faces, largest first.
        model_ids: The models that took part, detector first.
    """

    source: str
    index: int
    time_s: float
    size_wh: tuple[int, int]
    faces: tuple[Face, ...] = ()
    model_ids: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; ``from_dict`` is its inverse."""
        return {
            "schema": SCHEMA_VERSION,
            "source": self.source,
            "index": int(self.index),
            "time_s": float(self.time_s),
            "size_wh": [int(v) for v in self.size_wh],
            "model_ids": list(self.model_ids),
            "faces": [face.to_dict() for face in self.faces],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Build a result from ``to_dict``'s output."""
        width, height = data["size_wh"]
        return cls(
            source=data["source"],
            index=data["index"],
            time_s=data["time_s"],
            size_wh=(width, height),
            faces=tuple(Face.from_dict(f) for f in data["faces"]),
            model_ids=tuple(data["model_ids"]),
        )


class Detector(Protocol):
    """What every face detector offers. Implementations are thread-safe."""

    @property
    def id(self) -> str:
        """The detector's model id."""

    def detect(self, image: Image, /) -> tuple[Face, ...]:
        """Faces of ``image`` (uint8 (H, W, 3) RGB), largest first, without expressions."""


class Sink(Protocol):
    """Something that results are written to; used as a context manager."""

    def write(self, result: FrameResult, /) -> None:
        """Take one frame's result."""

    def close(self) -> None:
        """Finish the file: afterwards it is whole and under its final name."""
