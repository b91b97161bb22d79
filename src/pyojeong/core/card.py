"""Model cards: the data needed to use a weight file.

A card is a JSON file beside the weights, and the same JSON is embedded in the ONNX metadata. An
unknown key is an error, so that a card written by a newer version is never half understood.
"""

import json
import re
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pyojeong.core.calibration import BETWEEN, PRIORS
from pyojeong.core.checksums import KEY, ChecksumDiffers, checked, with_checksum
from pyojeong.core.errors import LabelUnknown, ModelMismatch, PyojeongError
from pyojeong.core.feature import FEATURES, Feature, HogVector, check_fits, feature_from_dict
from pyojeong.core.labels import LabelSet, label_set
from pyojeong.core.typed import from_json_types, schema_of

CARD_VERSION = 1
_MOST_PIXELS = 4096
_MOST = 1e3
_PREPROCESS_RANGES = {
    "mean": (-_MOST, _MOST),
    "std": (1e-6, _MOST),
    "center_fraction": (1e-3, _MOST),
    "margin": (-0.9, _MOST),
    "box_scale": (1e-3, _MOST),
    "box_shift_y": (-_MOST, _MOST),
}
_CARD_RANGES = {"logit_scale": (1e-6, _MOST), "logit_offset": (-_MOST, _MOST)}
_LONGEST_ID = 80
_ID = re.compile(r"[^\s;/\\]+")


Kind = Literal["classifier", "detector", "landmarks", "checker"]
"""Task of a network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocess:
    """Conversion of a face to the network's input; performed by ``pyojeong.image.preprocess``.

    The input frame is the unit square: (0, 0) is its top-left corner, (1, 1) its bottom-right.

    Attributes:
        size_hw: Height and width of the input tensor, in pixels.
        color: ``"gray"`` (one channel, ITU-R BT.601 luma) or ``"rgb"`` (three).
        mean: Per colour channel, subtracted after the division by 255 or after the feature.
        std: Per colour channel, the divisor applied after that.
        center_fraction: For faces that are already cropped: the share of the crop's side that
            fills the input (44/48 = a 44-pixel centre crop of 48).
        template: Positions of the five landmarks of a detected face in the input frame, as
            fractions (right eye, left eye, nose, right and left mouth corner); None = use the box.
        margin: Extra margin around the template: the face is scaled by 1 / (1 + margin).
        box_scale: Without landmarks: side of the square around the box's centre, as a multiple of
            the longer side of the box.
        box_shift_y: Shift of that square downwards, as a multiple of the box's height.
        feature: Feature computed from the gray pixels, or None for the pixels themselves.
    """

    size_hw: tuple[int, int]
    color: Literal["gray", "rgb"]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    center_fraction: float = 1.0
    template: tuple[tuple[float, float], ...] | None = None
    margin: float = 0.0
    box_scale: float = 1.0
    box_shift_y: float = 0.0
    feature: Feature | None = None

    def __post_init__(self) -> None:
        channels = self.color_channels
        if len(self.mean) != channels or len(self.std) != channels:
            raise ModelMismatch(
                f"preprocess: color {self.color!r} needs {channels} means and deviations, got "
                f"{len(self.mean)} and {len(self.std)}"
            )
        if self.template is not None and len(self.template) != 5:
            raise ModelMismatch(f"preprocess: a template has 5 points, got {len(self.template)}")
        if min(self.std) <= 0 or self.center_fraction <= 0 or self.box_scale <= 0:
            raise ModelMismatch("preprocess: std, center_fraction and box_scale must be positive")
        _check_ranges("preprocess", asdict(self), _PREPROCESS_RANGES)
        if self.template is not None:
            if not all(abs(v) <= _MOST for point in self.template for v in point):
                raise ModelMismatch(f"preprocess: template points must lie in ±{_MOST:g}")
            if any(max(axis) - min(axis) < 1e-3 for axis in zip(*self.template, strict=True)):
                raise ModelMismatch("preprocess: the points of a template must not coincide")
        if not all(1 <= side <= _MOST_PIXELS for side in self.size_hw):
            raise ModelMismatch(
                f"preprocess: size_hw must be 1 to {_MOST_PIXELS} pixels, got {self.size_hw}"
            )
        if self.feature is not None:
            if self.color != "gray":
                raise ModelMismatch(
                    f'feature {self.feature.name!r} works on gray images: set color = "gray"'
                )
            check_fits(self.feature, self.size_hw)

    @property
    def color_channels(self) -> int:
        """Number of image channels: 1 (gray) or 3 (RGB)."""
        return 1 if self.color == "gray" else 3

    @property
    def channels(self) -> int:
        """Number of input channels: the image channels, and one for a feature vector."""
        return self.color_channels + isinstance(self.feature, HogVector)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Create from JSON types.

        Raises:
            ModelMismatch: When a key is unknown or a value has the wrong type or is out of range.
        """
        return from_json_types(cls, data, "preprocess", {"feature": feature_from_dict})


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteCalibration:
    """Conversion of the vote head's logits to the share of people who would choose each label.

    Attributes:
        temperature: Divisor of the vote head's logits before the softmax.
        balanced_temperature: The same for scores that assume equal base rates; for base rates in
            between see ``core.calibration.prior_temperature``. None = always ``temperature``.
        between: Weight of equal base rates in the base rates called ``"between"``, in [0, 1].
        threshold: Faces whose best score is below it are reported as unclear.
        prior: Label -> share, for every label of the vote head: the base rates that the
            probabilities are calibrated to. They are called ``"natural"``.
        default_prior: Base rates that scores assume unless others are given; a name from
            ``core.calibration.PRIORS``.
        fitted_on: One sentence on the votes that this calibration was fitted to.
    """

    temperature: float
    threshold: float
    prior: dict[str, float]
    default_prior: str = "natural"
    fitted_on: str = ""
    balanced_temperature: float | None = None
    between: float = BETWEEN

    def __post_init__(self) -> None:
        _check_temperature(self.temperature, "vote_calibration")
        if self.balanced_temperature is not None:
            _check_temperature(
                self.balanced_temperature, "vote_calibration", "balanced_temperature"
            )
        for name in ("threshold", "between"):
            if not 0 <= getattr(self, name) <= 1:
                raise ModelMismatch(
                    f"vote_calibration: {name} must lie in [0, 1], got {getattr(self, name)}"
                )
        if self.default_prior not in PRIORS:
            raise ModelMismatch(
                f"vote_calibration: default_prior must be one of {', '.join(PRIORS)}, got "
                f"{self.default_prior!r}"
            )


def _without_checksum(data: Any) -> Any:
    if not isinstance(data, dict):
        return data
    try:
        return checked(data)
    except (ChecksumDiffers, UnicodeError):  # UnicodeError: half a character has no digest
        raise ModelMismatch(
            f"card: it is damaged or was edited: its {KEY} differs. If you edited it, remove the "
            f'line "{KEY}" to accept it as it is; otherwise copy the file again'
        ) from None


def _check_ranges(
    what: str, values: dict[str, Any], ranges: dict[str, tuple[float, float]]
) -> None:
    for name, (low, high) in ranges.items():
        value = values[name]
        numbers = value if isinstance(value, tuple | list) else [] if value is None else [value]
        if not all(low <= number <= high for number in numbers):
            raise ModelMismatch(f"{what}: {name} must lie in [{low:g}, {high:g}], got {value}")


def _check_version(version: int) -> None:
    if version < 1:
        raise ModelMismatch(f"card: card_version must be at least 1, got {version}")
    if version > CARD_VERSION:
        raise ModelMismatch(
            f"card has version {version}, this pyojeong reads {CARD_VERSION}: upgrade"
        )


def _check_temperature(temperature: float, what: str, name: str = "temperature") -> None:
    if not 1e-3 <= temperature <= 1e3:
        raise ModelMismatch(
            f"{what}: {name} must be positive, from 0.001 to 1000, got {temperature}"
        )


def _check_prior(prior: dict[str, float], labels: LabelSet, what: str) -> None:
    """Refuse base rates with missing or unknown labels, or that do not sum to 1."""
    values = [prior.get(name, 0.0) for name in labels.names]
    if set(prior) != set(labels.names) or not all(isfinite(v) and v > 0 for v in values):
        raise ModelMismatch(
            f"{what}: expected a positive share for each of {', '.join(labels.names)}, got {prior}"
        )
    if abs(sum(values) - 1) > 1e-3:
        raise ModelMismatch(f"{what}: the shares must sum to 1, they sum to {sum(values):g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """Description of a model: its files, input, calibration, accuracy, licence and limits.

    Attributes:
        id: ``family-size-data-labels.tag``; never parsed, never reused.
        kind: ``"classifier"`` (facial expressions), ``"detector"`` (faces), ``"landmarks"`` (points
            of a face) or ``"checker"`` (faults of an image).
        file: Name of the ONNX file, in the same folder as the card.
        sha256: SHA-256 digest of that file.
        description: Description of the model in one sentence.
        labels: Id of the label set (classifiers).
        votes: Id of the label set of the second output, if there is one: logits of the shares of
            votes of several annotators.
        vote_calibration: Calibration of that output, whose scores are then the default; None =
            scores come from the first output.
        preprocess: Conversion of faces to the input (classifiers).
        temperature: Divisor of the logits before the softmax.
        logit_scale: Factor per class after that (vector scaling), or None for 1.
        logit_offset: Offset added per class after that, or None for 0.
        threshold: Faces whose best score is below it are reported as unclear.
        prior: Label -> share: the base rates that the first output is calibrated to, or None if
            they are not known.
        variant: Id of the model with the same weights in another number format (int8 or float16);
            which of the two is faster depends on the CPU. "" if there is none.
        license: Licence of the weights.
        license_flags: Machine-readable restrictions, for example ``"data:research-only"``.
        source: Origin of the weights.
        training: Experiment, data, split hashes, commit (classifiers).
        metrics: Measured figures with intervals (classifiers).
        limits: Sentences about conditions that the model was not tested for.
    """

    id: str
    kind: Kind
    file: str
    sha256: str
    description: str
    labels: str | None = None
    votes: str | None = None
    vote_calibration: VoteCalibration | None = None
    preprocess: Preprocess | None = None
    temperature: float = 1.0
    logit_scale: tuple[float, ...] | None = None
    logit_offset: tuple[float, ...] | None = None
    threshold: float = 0.0
    prior: dict[str, float] | None = None
    variant: str = ""
    license: str = ""
    license_flags: tuple[str, ...] = ()
    source: str = ""
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    card_version: int = CARD_VERSION

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            kinds = ", ".join(get_args(Kind))
            raise ModelMismatch(f"card: kind must be one of {kinds}, got {self.kind!r}")
        _check_version(self.card_version)
        if not _ID.fullmatch(self.id) or not self.id.isprintable() or len(self.id) > _LONGEST_ID:
            raise ModelMismatch(
                f"card: id must be at most {_LONGEST_ID} characters without spaces, semicolons, "
                f"slashes and control characters, got {self.id!r}"
            )
        self._check_labels()
        _check_temperature(self.temperature, "card")
        _check_ranges(
            "card",
            {"logit_scale": self.logit_scale, "logit_offset": self.logit_offset},
            _CARD_RANGES,
        )
        if not 0 <= self.threshold <= 1:
            raise ModelMismatch(f"card: threshold must lie in [0, 1], got {self.threshold}")
        for vector in (self.logit_scale, self.logit_offset):
            if vector is not None and len(vector) != len(self.label_set):
                raise ModelMismatch(
                    f"card: vector scaling needs {len(self.label_set)} numbers, got {len(vector)}"
                )
        if self.prior is not None:
            _check_prior(self.prior, self.label_set, "card: prior")
        if self.vote_calibration is not None:
            if self.votes is None:
                raise ModelMismatch("card: vote_calibration without votes")
            _check_prior(
                self.vote_calibration.prior, label_set(self.votes), "card: vote_calibration.prior"
            )

    def _check_labels(self) -> None:
        for name in filter(None, (self.labels, self.votes)):
            try:
                label_set(name)
            except LabelUnknown as error:
                raise ModelMismatch(f"card: labels or votes: {error}") from error

    @property
    def label_set(self) -> LabelSet:
        """Label set of the classifier.

        Raises:
            ModelMismatch: When the card has no labels.
        """
        if self.labels is None:
            raise ModelMismatch(f"model {self.id!r} has no labels: it is a {self.kind}")
        return label_set(self.labels)

    def to_json(self) -> str:
        """Return the card as indented JSON with a final newline."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    def to_file_text(self) -> str:
        """Return the content of a card file: the JSON of ``to_json`` with a checksum."""
        data = with_checksum(json.loads(self.to_json()))
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse a card; a card without a checksum is accepted unchecked.

        Raises:
            ModelMismatch: When the text is not JSON, a key is unknown or missing, or the checksum
                does not match.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelMismatch(f"card is not JSON: {error}") from error
        data = _without_checksum(data)
        if isinstance(data, dict) and "twin" in data:
            twin = data.pop("twin")  # the name of ``variant`` in cards of earlier versions
            if data.setdefault("variant", twin) != twin:
                raise ModelMismatch("card: variant and twin, its earlier name, differ")
        if isinstance(data, dict) and isinstance(data.get("card_version"), int):
            _check_version(data["card_version"])
        builders = {
            "preprocess": Preprocess.from_dict,
            "vote_calibration": lambda v: from_json_types(VoteCalibration, v, "vote_calibration"),
        }
        return from_json_types(cls, data, "card", builders)

    @staticmethod
    def read(path: Path) -> "ModelCard":
        """Read a card file; see ``from_json``. The same content gives the same object."""
        try:
            return _parsed(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ModelMismatch(f"card {path} could not be read: {error}") from error
        except PyojeongError as error:
            raise ModelMismatch(f"{path}: {error}") from error


@lru_cache(maxsize=64)
def _parsed(text: str) -> ModelCard:
    """Parse each text once: to open an Analyzer reads every bundled card four times."""
    return ModelCard.from_json(text)


def card_schema() -> dict[str, Any]:
    """Return the JSON Schema of cards (docs/card.schema.json)."""
    features = [schema_of(kind) for kind in FEATURES.values()]
    for name, schema in zip(FEATURES, features, strict=True):
        schema["properties"]["name"] = {"const": name}
        schema["required"] = ["name"]
    nothing = {"type": "null"}
    preprocess = schema_of(Preprocess, {"feature": {"anyOf": [*features, nothing]}})
    votes = schema_of(VoteCalibration)
    nested = {
        "preprocess": {"anyOf": [preprocess, nothing]},
        "vote_calibration": {"anyOf": [votes, nothing]},
    }
    card = schema_of(ModelCard, nested)
    card["properties"][KEY] = {
        "type": "string",
        "description": "Of all other keys, written by export; cards without it are taken as is.",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Model card of pyojeong",
        **card,
    }


if __name__ == "__main__":
    print(json.dumps(card_schema(), indent=1))  # noqa: T201 - docs/card.schema.json
