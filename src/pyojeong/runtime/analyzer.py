"""``Analyzer``: find the faces of images and classify their expressions."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.calibration import Prior, estimate_prior
from pyojeong.core.errors import BadArray, ModelError, PriorInvalid
from pyojeong.core.face import Detector, Expression, Face, FrameResult, Image
from pyojeong.image.files import load_image
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.detection.any_rotation import AnyRotation
from pyojeong.runtime.detection.registry import build_detector
from pyojeong.runtime.eyes import Eyes
from pyojeong.zoo import SHORT_NAMES, Entry, cards, find, flags_outside

RETIRED = ("default-vggface2", "columns-m-fer2013-fer7.vggface2-v1")
"""Models of earlier versions."""

ENVIRONMENT = "PYOJEONG_MODEL"
"""Environment variable with the id or path that ``model="default"`` stands for instead."""


def find_classifier(name: str, *, allow: str | Iterable[str] | None = None) -> Entry:
    """Return the zoo entry of a classifier.

    Args:
        name: Id, path of a card or ONNX file, or one of ``SHORT_NAMES``. What ``"default"`` means
            may be set by the environment variable ``PYOJEONG_MODEL``.
        allow: Licence flags, or patterns such as ``"data:*"``, that its card may carry; a string
            names several between commas. None = any.

    Raises:
        ModelUnknown: With the nearest names.
        ModelError: When the card carries another flag, or the model was part of earlier versions.
    """
    if name == "default":
        name = os.environ.get(ENVIRONMENT) or name
    if name in RETIRED:
        raise ModelError(
            f"model {name!r} is no longer part of pyojeong: use 'default', which is better on "
            "photographs, or install an earlier version"
        )
    entry = find(SHORT_NAMES.get(name, name), kind="classifier")
    if allow is None:
        return entry
    if isinstance(allow, str):
        allow = [part.strip() for part in allow.split(",")]
    allow = [flag for flag in allow if flag]
    outside = flags_outside(entry.card, allow)
    if outside:
        fitting = [
            i
            for i, e in cards().items()
            if e.card.kind == "classifier" and not flags_outside(e.card, allow)
        ]
        raise ModelError(
            f"model {entry.card.id!r} carries the licence flags {', '.join(outside)}, which are "
            f"not among the allowed ones ({', '.join(allow) or 'none'}). Models that may be used: "
            f"{', '.join(fitting) or 'none'}"
        )
    return entry


class Analyzer:
    """Finds faces and reads their expressions; may be used from many threads at once.

    Models are loaded when the object is made, from files inside the package: nothing is ever
    downloaded.

    Args:
        model: Id of a classifier, path of a card or ONNX file, ``"default"``, or
            ``"default-fer2013"``, which learned from FER2013 alone and is smaller and faster.
        detector: ``"auto"``, ``"fast"`` (misses most faces narrower than a seventh of the image),
            ``"mtcnn"``, ``"centerface"`` or ``"blazeface"``, or an object with ``id`` and
            ``detect``.
        min_face: Smallest face to find, as the box's shorter side in pixels; None = the
            detector's own default: faces 24 pixels high, or a hundredth of the image's shorter
            side if that is more, with ``"auto"``.
        any_rotation: Also find faces on their side and upside down; four times as slow.
        threads: Threads inside each network; None = the number of CPUs, at most 4.
        views: How many views of each face are read and averaged: 1, 2 (with its mirror image) or
            10 (both also moved to four corners). More are more accurate and so many times slower.
        allow: Licence flags, or patterns such as ``"data:*"``, that the classifier's card may
            carry; a string names several between commas, ``""`` allows none. None = any.
        eyes: Also measure where heads point and what eyes do; about half as much again to do.
        labels: ``"fer7"`` (seven labels), or ``"ferplus8"`` (also contempt); None = seven, or the
            labels of a model that learned others.
        prior: Base rates that the answers assume: ``"natural"`` (mostly neutral and happy, as web
            photographs are), ``"balanced"`` (each label as often, as in posed or selected sets),
            ``"between"``, or label -> share; None = the default that the model's card states.
        threshold: Answers whose best score is below it are ``unclear``, in [0, 1]; 0 = always
            answer; None = the one that the model's card states.
        output: ``"auto"``: the share of people who would give each label, where the model learned
            votes. ``"fer2013"``: the label that FER2013 would give, for benchmarks; ``"labels"``:
            the label that the training data of a model without votes would give.

    Raises:
        ModelUnknown: When model or detector do not exist; the message suggests near names.
        ModelError: When the model's card carries a licence flag that is not allowed.
        ModelMismatch: When the model does not have the output or the labels that are asked for.
        InputError: When ``threshold`` is no number from 0 to 1.
        PriorInvalid: When ``prior`` names an unknown label, lacks one, or does not sum to 1.
        ModelCorrupt: When a weight file is damaged or was swapped.

    Example:
        >>> from pyojeong import Analyzer
        >>> result = Analyzer().analyze("photo.jpg")    # doctest: +SKIP
        >>> result.faces[0].expression.top              # doctest: +SKIP
        ('happy', 0.97)
    """

    def __init__(  # noqa: PLR0913 - the public options, all but one keyword-only
        self,
        model: str = "default",
        *,
        detector: str | Detector = "auto",
        min_face: int | None = None,
        any_rotation: bool = False,
        threads: int | None = None,
        views: int = 1,
        allow: str | Iterable[str] | None = None,
        eyes: bool = False,
        labels: str | None = None,
        prior: Prior | None = None,
        threshold: float | None = None,
        output: str = "auto",
    ) -> None:
        threads = _threads(threads)
        entry = find_classifier(model, allow=allow)
        self.classifier = Classifier.open(
            entry,
            threads=threads,
            views=views,
            output=output,
            labels=labels,
            prior=prior,
            threshold=threshold,
        )
        if isinstance(detector, str):
            detector = build_detector(
                detector, min_face=min_face, threads=threads, any_rotation=any_rotation
            )
        elif any_rotation:
            detector = AnyRotation(detector)
        self.detector = detector
        self._searched = {"min_face": min_face, "any_rotation": any_rotation}
        self.eyes = Eyes(threads=threads) if eyes else None

    @property
    def model_ids(self) -> tuple[str, ...]:
        """Ids of detector and classifier, then of the networks that measure eyes."""
        more = () if self.eyes is None else self.eyes.model_ids
        return (self.detector.id, self.classifier.card.id, *more)

    @property
    def settings(self) -> dict[str, Any]:
        """Everything of this analyzer that decides its answers, JSON types.

        Results that are kept lie beside it, so that those of other settings are not taken for
        them. The number of threads decides nothing.
        """
        card = self.classifier.card
        return {
            "models": list(self.model_ids),
            "weights": card.sha256,
            "card": hashlib.sha256(card.to_json().encode()).hexdigest()[:16],
            "answers": self.classifier.head.to_dict(),
            "views": self.classifier.views,
            **self._searched,
        }

    def analyze(self, image: Any) -> FrameResult:
        """Read one image.

        Args:
            image: Path, encoded bytes, PIL image, or uint8 array (H, W, 3) RGB or (H, W) gray.

        Returns:
            The faces, largest first; none is a normal answer.

        Raises:
            ImageUnreadable: When a file or bytes could not be decoded.
            BadArray: When an array has the wrong dtype or shape.
        """
        return self.analyze_batch([image])[0]

    def analyze_batch(self, images: Iterable[Any]) -> list[FrameResult]:
        """Read several images; the same answers as ``analyze`` on each, in order.

        Faces of all images go through the classifier together.
        """
        loaded = [load_image(image) for image in images]
        return self.analyze_frames([(image, name, 0, 0.0) for image, name in loaded])

    def analyze_frames(self, frames: Sequence[tuple[Image, str, int, float]]) -> list[FrameResult]:
        """Read decoded frames.

        Args:
            frames: (uint8 (H, W, 3) RGB, source, index, time in seconds) of each.
        """
        found = [(image, self.detector.detect(image)) for image, *_ in frames]
        expressions = iter(self.classifier.expressions(self.classifier.face_outputs(found)))
        results = []
        for (image, source, index, time_s), (_, faces) in zip(frames, found, strict=True):
            done = tuple(self._finished(image, face, next(expressions)) for face in faces)
            size = (image.shape[1], image.shape[0])
            results.append(FrameResult(source, index, time_s, size, done, self.model_ids))
        return results

    def read_faces(self, image: Image, faces: Sequence[Face]) -> tuple[Face, ...]:
        """Read faces that were already found, in order.

        Args:
            image: uint8 (H, W, 3) RGB.
            faces: Their places in it.
        """
        expressions = self.classifier.expressions(self.classifier.face_outputs([(image, faces)]))
        pairs = zip(faces, expressions, strict=True)
        return tuple(self._finished(image, face, expression) for face, expression in pairs)

    def _finished(self, image: Image, face: Face, expression: Expression) -> Face:
        if self.eyes is None:
            return replace(face, expression=expression)
        pose, eyes = self.eyes.measure(image, face)
        return replace(face, expression=expression, pose=pose, eyes=eyes)

    def detect(self, image: Any) -> tuple[Face, ...]:
        """Find only the faces of an image, largest first."""
        return self.detector.detect(load_image(image)[0])

    def classify(self, crops: Iterable[NDArray[np.uint8]]) -> list[Expression]:
        """Read faces that are already cut out.

        Args:
            crops: uint8 images of one face each, filled by the face as FER2013's are; (H, W)
                gray or (H, W, 3) RGB, of any sizes. An array (N, H, W) or (N, H, W, 3) works too.

        Returns:
            One expression per crop, in order.

        Raises:
            BadArray: When a crop has the wrong dtype or shape.
        """
        if isinstance(crops, np.ndarray) and crops.ndim not in {3, 4}:
            raise BadArray(
                "crops",
                expected="a list of images, or (N, H, W) or (N, H, W, 3)",
                got=str(crops.shape),
                cure="Wrap a single crop in a list.",
            )
        return self.classifier.expressions(self.classifier.crop_outputs(crops))

    def estimate_prior(self, results: Iterable[FrameResult]) -> dict[str, float]:
        """Estimate the base rates of a folder or clip from this analyzer's own answers.

        Expectation maximisation of Saerens et al. 2002; see ``core.calibration.estimate_prior``.
        Nothing is changed: pass what is returned as ``prior`` to another analyzer. At least 50
        faces are needed, better some hundred; frames of one person are not different faces.

        Args:
            results: Frames that this analyzer, or one with the same model and prior, has read.

        Returns:
            Label -> share, sum 1.

        Raises:
            PriorInvalid: When there are fewer than 50 faces, results are of another model or assume
                other base rates than this analyzer's, or the model does not state any.
        """
        head, model = self.classifier.head, self.classifier.card.id
        rows = []
        for result in results:
            if result.model_ids and model not in result.model_ids:
                raise PriorInvalid(
                    f"{result.source}: was read with {', '.join(result.model_ids)}, not with "
                    f"{model}: read the images with this analyzer"
                )
            for face in result.faces:
                if face.expression is None:
                    continue
                if (face.expression.prior, face.expression.label_set) != (
                    head.prior,
                    head.label_set,
                ):
                    raise PriorInvalid(
                        f"{result.source}: answers assume the base rates "
                        f"{face.expression.prior or 'of an unknown prior'!r} of "
                        f"{face.expression.label_set.id}, this analyzer's assume {head.prior!r} "
                        f"of {head.label_set.id}: read the images with this analyzer"
                    )
                rows.append(face.expression.scores)
        if head.shares is None:
            raise PriorInvalid(
                f"model {self.classifier.card.id!r} does not say which base rates it was "
                "calibrated to: export it again with this version of pyojeong"
            )
        scores = np.stack(rows) if rows else np.zeros((0, len(head.label_set)))
        shares = estimate_prior(scores, head.shares)
        return dict(zip(head.label_set.names, map(float, shares), strict=True))


def _threads(threads: int | None) -> int:
    if threads is None:
        return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4, 4)
    if threads < 1:
        raise BadArray("threads", expected="at least 1", got=str(threads))
    return threads
