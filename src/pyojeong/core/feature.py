"""Features: what is computed from a face's gray pixels before a network sees them.

A feature is data on the model card, ``{"name": "lbp", "method": "ror"}``, so that a network that
was trained on such images is served by the same code as any other. The classes here only say
what is wanted; ``pyojeong.image.descriptors`` computes it.
"""

from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias, get_args

from pyojeong.core.errors import ModelMismatch

LbpMethod: TypeAlias = Literal["default", "ror", "uniform", "var"]
"""Kinds of local binary patterns, named as in scikit-image."""

_MOST_ORIENTATIONS = 180
_MOST_CLIP = 1000
_MOST_PIXELS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Clahe:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld 1994), as OpenCV computes it.

    Attributes:
        clip: Contrast limit, as a multiple of a flat histogram's bin; above 0, at most 1000.
        grid: The image is divided into grid x grid tiles; at least 1.
    """

    name: Literal["clahe"] = field(default="clahe", init=False)
    clip: float = 5.0
    grid: int = 4

    def __post_init__(self) -> None:
        number = isinstance(self.clip, int | float) and not isinstance(self.clip, bool)
        if not number or not 0 < self.clip <= _MOST_CLIP:
            raise ModelMismatch(
                f"feature 'clahe': clip must be above 0 and at most {_MOST_CLIP}, got {self.clip!r}"
            )
        object.__setattr__(self, "clip", float(self.clip))
        _check_whole(self.name, "grid", self.grid, 1, _MOST_PIXELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hog:
    """Histograms of oriented gradients (Dalal & Triggs 2005) drawn as an image.

    Attributes:
        orientations: Bins of the half circle, 1 to 180.
        cell: Side of a square cell in pixels; at least 2.
    """

    name: Literal["hog"] = field(default="hog", init=False)
    orientations: int = 8
    cell: int = 8

    def __post_init__(self) -> None:
        _check_whole(self.name, "orientations", self.orientations, 1, _MOST_ORIENTATIONS)
        _check_whole(self.name, "cell", self.cell, 2, _MOST_PIXELS)


@dataclass(frozen=True, slots=True, kw_only=True)
class HogVector:
    """Histograms of oriented gradients, normalised by blocks, as a vector beside the pixels.

    Attributes:
        orientations: Bins of the half circle, 1 to 180.
        cell: Side of a square cell in pixels; at least 2.
        block: Side of a square block in cells; at least 1. Blocks advance by one cell.
    """

    name: Literal["hog-vector"] = field(default="hog-vector", init=False)
    orientations: int = 9
    cell: int = 8
    block: int = 2

    def __post_init__(self) -> None:
        _check_whole(self.name, "orientations", self.orientations, 1, _MOST_ORIENTATIONS)
        _check_whole(self.name, "cell", self.cell, 2, _MOST_PIXELS)
        _check_whole(self.name, "block", self.block, 1, _MOST_PIXELS)

    def length(self, size_hw: tuple[int, int]) -> int:
        """Return how many numbers an image of that height and width (pixels) gives."""
        rows, cols = (max(side // self.cell - self.block + 1, 0) for side in size_hw)
        return rows * cols * self.block**2 * self.orientations


@dataclass(frozen=True, slots=True, kw_only=True)
class Lbp:
    """Local binary patterns (Ojala et al. 2002) of the eight neighbours at distance one.

    Attributes:
        method: ``"default"`` (256 codes), ``"ror"`` (the same whichever way the neighbourhood is
            turned: 36 codes), ``"uniform"`` (10 codes) or ``"var"`` (variance of the neighbours,
            compressed by a logarithm).
        points: Number of neighbours; only 8.
        radius: Their distance in pixels; only 1.
    """

    name: Literal["lbp"] = field(default="lbp", init=False)
    method: LbpMethod = "default"
    points: int = 8
    radius: int = 1

    def __post_init__(self) -> None:
        methods = get_args(LbpMethod)
        if self.method not in methods:
            raise ModelMismatch(_unknown("feature 'lbp': unknown method", self.method, methods))
        whole = type(self.points) is int and type(self.radius) is int
        if not whole or (self.points, self.radius) != (8, 1):
            raise ModelMismatch(
                f"feature 'lbp': only points = 8 at radius = 1 are supported, got {self.points!r} "
                f"at {self.radius!r}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Equalize:
    """Equalised, freed of a slope of light, unit variance (Yu & Zhang 2015; FER+, 2016)."""

    name: Literal["equalize"] = field(default="equalize", init=False)


Feature: TypeAlias = Clahe | Hog | HogVector | Lbp | Equalize
"""Any of them."""

FEATURES: dict[str, type[Feature]] = {
    "clahe": Clahe,
    "hog": Hog,
    "hog-vector": HogVector,
    "lbp": Lbp,
    "equalize": Equalize,
}
"""Name in JSON -> class."""


def feature_from_dict(data: Any) -> Feature:
    """Build a feature from JSON types: ``{"name": "clahe", "clip": 5, "grid": 4}``.

    Raises:
        ModelMismatch: When there is no name, name or key are unknown, or a value is out of range.
    """
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        raise ModelMismatch(f'feature: expected something like {{"name": "lbp"}}, got {data!r}')
    values = dict(data)
    name = values.pop("name")
    if name not in FEATURES:
        raise ModelMismatch(_unknown("unknown feature", name, tuple(FEATURES)))
    kind = FEATURES[name]
    known = tuple(f.name for f in fields(kind) if f.init)
    for key in values:
        if key not in known:
            raise ModelMismatch(_unknown(f"feature {name!r}: unknown key", key, known))
    return kind(**values)


def feature_to_dict(feature: Feature) -> dict[str, Any]:
    """JSON types of a feature; its name comes first."""
    return asdict(feature)


def check_fits(feature: Feature, size_hw: tuple[int, int]) -> None:
    """Refuse a feature that an input of this size cannot hold.

    Args:
        feature: The feature.
        size_hw: Height and width of the input in pixels.

    Raises:
        ModelMismatch: When tiles, cells or blocks are larger than the input, or when a vector has
            more numbers than the input has pixels; the sizes are named.
    """
    height, width = size_hw
    need = 1
    if isinstance(feature, Clahe):
        need, why = feature.grid, f"{feature.grid} x {feature.grid} tiles"
    elif isinstance(feature, Hog):
        need, why = feature.cell, f"cells of {feature.cell} x {feature.cell}"
    elif isinstance(feature, HogVector):
        need = feature.cell * feature.block
        why = (
            f"blocks of {feature.block} x {feature.block} cells of {feature.cell} x {feature.cell}"
        )
    if min(size_hw) < need:
        raise ModelMismatch(
            f"feature {feature.name!r}: {why} need an input of at least {need} x {need} pixels, "
            f"got {height} x {width}"
        )
    if isinstance(feature, HogVector) and feature.length(size_hw) > height * width:
        raise ModelMismatch(
            f"feature {feature.name!r}: its {feature.length(size_hw)} numbers do not fit into one "
            f"plane of {height} x {width} = {height * width}: use larger cells or smaller blocks"
        )


def _check_whole(
    feature: str, key: str, value: object, least: int, most: int | None = None
) -> None:
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= least
    if not fits or (most is not None and isinstance(value, int) and value > most):
        span = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ModelMismatch(
            f"feature {feature!r}: {key} must be a whole number {span}, got {value!r}"
        )


def _unknown(what: str, name: object, known: tuple[str, ...]) -> str:
    near = get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{what} {name!r}: {hint}Known: {', '.join(known) or 'none'}."
