"""Targets for the action units of real faces, whose units nobody coded."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.action_units import ACTION_UNITS, BLENDSHAPES
from pyojeong.runtime.unit_features import MIDDLE, PAIRS, features_of

Floats = NDArray[np.float64]
UNITS = tuple(ACTION_UNITS)
_PRESENCE = 0.5
_BOTH = [n[:-5] for n in BLENDSHAPES if n.endswith("Right") and n not in {"jawRight", "mouthRight"}]
_SINGLE = [
    n for n in BLENDSHAPES
    if not n.endswith(("Left", "Right")) and n != "_neutral"
]  # fmt: skip
SIDE_NAMES = [f"{right}{axis}" for right, _ in PAIRS for axis in "xyz"] + _BOTH
"""Names of the features of one side: point and axis, or blendshape."""
MIDDLE_NAMES = [f"m{point}{axis}" for point in MIDDLE for axis in "yz"] + _SINGLE
NAMES = SIDE_NAMES + MIDDLE_NAMES


@dataclass(frozen=True)
class Faces:
    """Faces that ``extract.py`` read, and what ``appearance.py`` sees in them.

    Attributes:
        names: (n,).
        points: (n, 2 views, 478, 3).
        blendshapes: (n, 2 views, 52).
        seen: What the halves look like, (n, 2 sides, numbers).
        votes: Logits of votes by region, (n, 2 sides, 4, 8).
    """

    names: NDArray[np.str_]
    points: NDArray[np.float32]
    blendshapes: NDArray[np.float32]
    seen: NDArray[np.float32]
    votes: NDArray[np.float32]

    @staticmethod
    def read(file: Path, look: Callable[[NDArray[np.uint8]], tuple[Any, Any]]) -> "Faces":
        """Return the faces of a file, without those that are hardly one."""
        with np.load(file, allow_pickle=False) as stored:
            there = stored["presence"] >= _PRESENCE
            parts = (stored[k][there] for k in ("names", "points", "blendshapes"))
            return Faces(*parts, *look(stored["chips"][there]))

    def where(self, chosen: NDArray[np.bool_]) -> "Faces":
        """Return some of the faces."""
        return Faces(*(getattr(self, f.name)[chosen] for f in fields(self)))

    @cached_property
    def _rows(self) -> Floats:
        return np.array(
            [
                [features_of(p, s).rows for p, s in zip(points, shapes, strict=True)]
                for points, shapes in zip(self.points, self.blendshapes, strict=True)
            ]
        )

    @cached_property
    def yaw_rad(self) -> Floats:
        """How far heads are turned to their left, (n,)."""
        seen = zip(self.points[:, 0], self.blendshapes[:, 0], strict=True)
        return np.array([features_of(points, shapes).yaw_rad for points, shapes in seen])

    def rows(self, view: int) -> Floats:
        """Return what the network is shown of a view: (n, 2 sides, features)."""
        # The right side of the mirrored view is the subject's left.
        seen = self.seen if view == 0 else self.seen[:, ::-1]
        return np.concatenate([self._rows[:, view], seen], axis=-1)

    @cached_property
    def by_side(self) -> Floats:
        """Features (n, 2 sides, len(NAMES)), of both views: own side and middle."""
        n = len(SIDE_NAMES)
        own = self._rows[..., :n]
        middle = self._rows[..., 2 * n :]
        both = np.concatenate([own, middle], axis=-1)
        # The right side of the mirrored view is the subject's left.
        return np.asarray((both[:, 0] + both[:, 1, ::-1]) / 2)


def _points(numbers: Sequence[int]) -> list[str]:
    return [f"{number}{axis}" for number in numbers for axis in "xy"]


def _heights(numbers: Sequence[int]) -> list[str]:
    return [f"m{number}y" for number in numbers]


_BROW = (55, 107, 65, 66, 52, 105, 53, 63, 46, 70)
_LIDS = (159, 158, 160, 145, 153, 144, 161, 157, 154, 163)
_UNDER = (23, 110, 22, 112, 119, 120, 118, 117)
_NOSE = (64, 48, 129, 98, 97, 49, 198, 114, 193, 122)
_LIPS = (61, 78, 40, 37, 39, 185, 146, 91, 181, 84, 82, 81, 80, 87, 178, 88, 191, 95)
_LIP_MIDDLE = (0, 11, 12, 13, 14, 15, 16, 17)
_MOUTH = [*_points(_LIPS), *_heights(_LIP_MIDDLE), "mouthPress", "mouthRollUpper",
          "mouthRollLower", "mouthPucker", "mouthClose"]  # fmt: skip

_BROWS = [*_points((*_BROW, 159, 145, 133, 193)), *_heights((9, 8, 168)), "browDown", "eyeSquint",
          "eyeWide", "browOuterUp", "browInnerUp"]  # fmt: skip

REGIONS: dict[str, tuple[list[str], str, tuple[str, ...]]] = {
    "AU1": (_BROWS, "surprise", ()),
    "AU2": (_BROWS, "surprise", ()),
    "AU4": (_BROWS, "angry", ("neutral", "surprise", "happy")),
    "AU6": ([*_points((*_UNDER, *_LIDS, 33, 133)), "eyeSquint", "cheekSquint"], "happy", ()),
    "AU7": (
        [*_points((*_LIDS, *_UNDER, 33, 133)), "eyeSquint", "eyeWide"],
        "angry", ("surprise", "neutral", "happy"),
    ),
    "AU9": (
        [*_points((*_NOSE, 55, 107)), *_heights((9, 8, 168, 6, 195, 0, 164, 2)), "noseSneer",
         "mouthUpperUp", "browDown"],
        "disgust", (),
    ),
    "AU15": (
        [*_points((61, 78, 146, 91, 57, 43, 212, 202)), "mouthFrown"],
        "sad", ("neutral", "happy", "angry", "surprise"),
    ),
    "AU23": (_MOUTH, "angry", ("neutral",)),
    "AU24": (_MOUTH, "angry", ("neutral",)),
}  # fmt: skip
"""Unit -> features of one region, the expression that shows it, and the others (all
of them, where none are named)."""

NAMED = {
    "AU1": ("browInnerUp", 0.6), "AU2": ("browOuterUp", 0.5), "AU4": ("browDown", 0.3),
    "AU5": ("eyeWide", 1.0), "AU7": ("eyeSquint", 0.5), "AU12": ("mouthSmile", 1.0),
    "AU15": ("mouthFrown", 0.5), "AU17": ("mouthShrugLower", 1.0),
    "AU20": ("mouthStretch", 1.0), "AU24": ("mouthPress", 0.5), "AU26": ("jawOpen", 1.0),
}  # fmt: skip
"""Unit -> the blendshape of the same movement, and how much it counts; the rest is the region's."""

REGION_NAMES = ("brows", "lids", "nose", "mouth")

LOOKS: dict[str, tuple[str, dict[str, float], tuple[str, ...]]] = {
    "AU1": (
        "brows", {"surprise": 1, "sad": 1, "fear": 1}, ("neutral", "happy", "angry", "disgust"),
    ),
    "AU2": ("brows", {"surprise": 1}, ("neutral", "happy", "angry", "sad", "disgust")),
    "AU4": (
        "brows", {"angry": 1, "disgust": 0.7, "sad": 0.5, "fear": 0.3},
        ("neutral", "happy", "surprise"),
    ),
    "AU5": ("lids", {"surprise": 1, "fear": 1}, ("neutral", "happy", "sad", "disgust")),
    "AU6": ("lids", {"happy": 1}, ("neutral", "surprise", "sad", "angry", "disgust", "fear")),
    "AU7": ("lids", {"angry": 1, "disgust": 1}, ("neutral", "surprise", "sad")),
    "AU9": ("nose", {"disgust": 1}, ("neutral", "happy", "surprise", "sad", "angry", "fear")),
    "AU15": ("mouth", {"sad": 1}, ("neutral", "happy", "angry", "surprise")),
    "AU17": (
        "mouth", {"sad": 1, "angry": 1, "disgust": 1}, ("neutral", "happy", "surprise", "fear"),
    ),
    "AU20": ("mouth", {"fear": 1}, ("neutral", "surprise", "sad", "angry")),
    "AU23": ("mouth", {"angry": 1}, ("neutral", "happy", "surprise", "sad")),
    "AU24": ("mouth", {"angry": 1}, ("neutral", "happy", "surprise", "sad")),
}  # fmt: skip
"""Unit -> the region whose pixels show it, the expressions that hold it (how often, after Ekman and
Friesen's prototypes), and those without it."""

LOOK_SHARE = {"AU1": 0.55, "AU4": 0.6, "AU5": 0.3, "AU9": 0.6, "AU17": 0.3, "AU20": 0.3}
"""How much of a unit's target its pixels make; half where nothing is said."""

VOTES = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")


def real_targets(
    sources: Sequence[Faces], votes: Sequence[Floats], classifier: Callable[..., Any]
) -> Iterator[tuple[Faces, Floats, Floats]]:
    """Yield faces, targets (n, 2 sides, units) and weights (n, units) of each source.

    Args:
        sources: Faces.
        votes: Votes (n, 8) of each source; zero where nobody voted.
        classifier: ``sklearn.linear_model.LogisticRegression``.
    """
    scaled = []
    for faces in sources:
        whole = faces.by_side.mean(1)
        scaled.append((whole.mean(0), whole.std(0) + 1e-6))
    shares = [v / np.maximum(v.sum(1, keepdims=True), 1e-9) for v in votes]
    directions = {
        unit: _direction(sources, scaled, shares, rule, classifier)
        for unit, rule in REGIONS.items()
    }
    for faces, scale, share in zip(sources, scaled, shares, strict=True):
        neutral = share[:, 0] >= 0.6
        targets = np.zeros((len(faces.names), 2, len(UNITS)))
        weights = np.ones((len(faces.names), len(UNITS)))
        for at, unit in enumerate(UNITS):
            values = _unit_target(unit, faces, scale, directions, neutral, share)
            if values is None:
                weights[:, at] = 0
            else:
                targets[:, :, at] = values
        yield faces, targets, weights


def _direction(
    sources: Sequence[Faces],
    scaled: Sequence[tuple[Floats, Floats]],
    shares: Sequence[Floats],
    rule: tuple[list[str], str, tuple[str, ...]],
    classifier: Callable[..., Any],
) -> tuple[list[int], Floats]:
    """Return the features of a region, and the weights that tell an expression from others."""
    names, positive, negatives = rule
    columns = [NAMES.index(name) for name in names]
    others = [VOTES.index(n) for n in negatives or [v for v in VOTES if v != positive]]
    features, yes, no = [], [], []
    for faces, (mean, spread), share in zip(sources, scaled, shares, strict=True):
        features.append(((faces.by_side.mean(1) - mean) / spread)[:, columns])
        yes.append(share[:, VOTES.index(positive)])
        no.append(share[:, others].sum(1))
    x, p, n = np.concatenate(features), np.concatenate(yes), np.concatenate(no)
    weights = np.r_[p / p.sum(), n / n.sum()] * len(x)
    labels = np.r_[np.ones(len(x)), np.zeros(len(x))]
    fitted = classifier(C=0.01, max_iter=500).fit(np.r_[x, x], labels, sample_weight=weights)
    return columns, np.asarray(fitted.coef_[0])


def _unit_target(
    unit: str,
    faces: Faces,
    scale: tuple[Floats, Floats],
    directions: dict[str, tuple[list[int], Floats]],
    neutral: NDArray[np.bool_],
    share: Floats,
) -> Floats | None:
    """Return a unit of both sides (n, 2), or None when real faces do not teach it."""
    gaps = _gaps(unit, faces)
    if gaps is not None:
        return gaps
    parts: list[tuple[float, Floats]] = []
    named, weight = NAMED.get(unit, ("", 0.0))
    if named:
        values = without_yaw(faces.by_side[..., NAMES.index(named)], faces.yaw_rad)
        top = float(np.quantile(values, 0.995))
        parts.append((weight, _intensity(values, neutral, rest=0.5, top=top)))
    if unit in REGIONS:
        columns, direction = directions[unit]
        values = ((faces.by_side - scale[0]) / scale[1])[..., columns] @ direction
        values = without_yaw(values, faces.yaw_rad)
        shown = share[:, VOTES.index(REGIONS[unit][1])] >= 0.5
        top = np.quantile(values.mean(1)[shown], 0.95)
        parts.append((1 - weight, _intensity(values, neutral, rest=0.5, top=float(top))))
    points = sum(w * v for w, v in parts) / sum(w for w, _ in parts) if parts else None
    if unit not in LOOKS:
        return points
    shares = LOOK_SHARE.get(unit, 0.5)
    seen = looks_like(unit, faces)
    shown = sum(share[:, VOTES.index(n)] for n in LOOKS[unit][1]) >= 0.5
    top = float(np.quantile(seen.mean(1)[shown], 0.9))
    pixels = _intensity(seen, neutral, rest=0.5, top=top)
    return pixels if points is None else np.asarray((1 - shares) * points + shares * pixels)


def looks_like(unit: str, faces: Faces) -> Floats:
    """Return (n, 2): log odds that a region's pixels show an expression that holds a unit."""
    region, positive, negative = LOOKS[unit]
    logits = faces.votes[:, :, REGION_NAMES.index(region)].astype(np.float64)
    odds = np.exp(logits - logits.max(-1, keepdims=True))
    yes = sum(w * odds[..., VOTES.index(n)] for n, w in positive.items())
    no = sum(odds[..., VOTES.index(n)] for n in negative)
    return np.asarray(np.log(yes + 1e-6) - np.log(no + 1e-6))


def without_yaw(values: Floats, yaw_rad: Floats) -> Floats:
    """Return values (n, 2) without what the head's turn explains of them.

    The mesh guesses the far side of a turned head. What its right and left differ by in proportion
    to the turn, over many faces, is no asymmetry, and what both rise by with the turn is no unit.
    """
    turned = yaw_rad - yaw_rad.mean()
    apart = values[:, 0] - values[:, 1]
    slope = float(turned @ (apart - apart.mean()) / (turned @ turned))
    far = np.abs(yaw_rad) - np.abs(yaw_rad).mean()
    mean = values.mean(1)
    rise = float(far @ (mean - mean.mean()) / (far @ far))
    sides = np.stack([yaw_rad, -yaw_rad], axis=1) * slope / 2
    return np.asarray(values - sides - rise * far[:, None])


def _intensity(values: Floats, neutral: NDArray[np.bool_], *, rest: float, top: float) -> Floats:
    """Return values (n, 2) as intensities: 0 at a quantile of neutral faces, 1 at ``top``."""
    low = float(np.quantile(values.mean(1)[neutral], rest))
    return np.asarray(np.clip((values - low) / max(top - low, 1e-6), 0, 1))


def _gaps(unit: str, faces: Faces) -> Floats | None:
    """Return units that gaps between lips or lids show, (n, 2)."""
    points = faces.points[:, 0].astype(np.float64)

    def apart(upper: int, lower: int) -> Floats:
        return np.asarray(np.linalg.norm(points[:, upper, :2] - points[:, lower, :2], axis=1))

    if unit in {"AU25", "AU27"}:
        eyes = apart(33, 263)
        gap = apart(13, 14) / eyes
        low, high = (0.015, 0.135) if unit == "AU25" else (0.30, 0.62)
        value = np.clip((gap - low) / (high - low), 0, 1)
        return np.asarray(np.stack([value, value], axis=1))
    if unit == "AU43":
        sides = []
        for outer, inner, lids in (
            (33, 133, ((160, 144), (159, 145), (158, 153))),
            (263, 362, ((387, 373), (386, 374), (385, 380))),
        ):
            gap = np.mean([apart(a, b) for a, b in lids], axis=0) / apart(outer, inner)
            sides.append(np.clip((0.21 - gap) / 0.13, 0, 1))
        return np.asarray(np.stack(sides, axis=1))
    return None
