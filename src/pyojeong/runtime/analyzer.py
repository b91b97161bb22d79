"""``Analyzer``: find the faces of images and classify their expressions."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyojeong.core.calibration import Prior
from pyojeong.core.errors import (
    BadArray,
    InputError,
    without_frames,
)
from pyojeong.core.face import Expression, Face, FrameResult, Image
from pyojeong.core.protocols import Detector
from pyojeong.image.resize import preview_of
from pyojeong.image.sources import image_path, is_one_image, load_image, load_named
from pyojeong.runtime.analyzer_jobs import AnalyzerJobs, OnError, check_on_error
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.classifier_names import find_classifier
from pyojeong.runtime.detection.any_rotation import AnyRotation
from pyojeong.runtime.detection.registry import build_detector
from pyojeong.runtime.eyes import Eyes
from pyojeong.runtime.face_measures import FaceMeasures
from pyojeong.runtime.mirror_boxes import placed_with_mirror
from pyojeong.runtime.prior_estimation import prior_of
from pyojeong.runtime.session import find_device

_LONGEST_NAME = 200


class Analyzer(AnalyzerJobs):
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
        action_units: Also measure action units, and, from the same network, where heads point and
            what eyes do. Faces of photographs are read together with their mirror image, so that
            both sides are treated alike; those of clips are not, for speed.
        blendshapes: Also give the 52 blendshapes that units are read from; same network.
        labels: ``"fer7"`` (seven labels), or ``"ferplus8"`` (also contempt); None = seven, or the
            labels of a model that learned others.
        prior: Base rates that the answers assume: ``"natural"`` (mostly neutral and happy, as web
            photographs are), ``"balanced"`` (each label as often, as in posed or selected sets),
            ``"between"``, or label -> share; None = the default that the model's card states.
        threshold: Answers whose best score is below it are ``unclear``, in [0, 1]; 0 = always
            answer; None = the one that the model's card states.
        device: ``"auto"`` (the best that the installed onnxruntime offers, else the CPU),
            ``"cpu"``, ``"cuda"``, ``"coreml"``, ``"directml"``, or a list of onnxruntime's
            providers. Answers are the same to the last bit on the CPU only.
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
        DeviceUnavailable: When ``device`` is unknown, or onnxruntime does not offer it here.

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
        action_units: bool = False,
        blendshapes: bool = False,
        labels: str | None = None,
        prior: Prior | None = None,
        threshold: float | None = None,
        output: str = "auto",
        device: str | Sequence[str] = "auto",
    ) -> None:
        if allow is not None and not isinstance(allow, str):
            allow = tuple(allow)  # an iterator could be read once only
        if not isinstance(device, str):
            device = tuple(device)
        given = {k: v for k, v in locals().items() if k not in {"self", "__class__"}}
        given["threads"] = threads = _threads(threads)
        entry = find_classifier(model, allow=allow)
        # In another process "default" may mean another model, and the working folder may differ.
        given["model"] = entry.card.id if entry.bundled else str(entry.weights.resolve())
        self._given = given
        self.classifier = Classifier.open(
            entry,
            threads=threads,
            device=find_device(device),
            views=views,
            output=output,
            labels=labels,
            prior=prior,
            threshold=threshold,
        )
        self.device = self.classifier.device  # the CPU, where another one does not start
        if isinstance(detector, str):
            detector = build_detector(
                detector,
                min_face=min_face,
                threads=threads,
                any_rotation=any_rotation,
                device=self.device,
            )
        elif any_rotation:
            detector = AnyRotation(detector)
        self.detector = detector
        self._searched = {"min_face": min_face, "any_rotation": any_rotation}
        self.eyes = None
        self.face_measures = None
        if action_units or blendshapes:
            self.face_measures = FaceMeasures(threads=threads, device=self.device)
        elif eyes:
            self.eyes = Eyes(threads=threads, device=self.device)

    def __repr__(self) -> str:
        return f"Analyzer({', '.join(self.model_ids)}; {self.classifier.head.prior or 'no prior'})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Networks are opened again where the copy arrives: a pool of processes, for example.
        return _made_again, (type(self), self.options)

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments that make the same analyzer, in another process too."""
        return dict(self._given)

    @property
    def model_ids(self) -> tuple[str, ...]:
        """Ids of detector and classifier, then of the networks that measure eyes and units.

        On other devices than the CPU, device and provider come last: ``"cuda:CUDA"``.
        """
        measuring = self.face_measures or self.eyes
        more = () if measuring is None else measuring.model_ids
        where = () if self.device.is_cpu else (self.device.id,)
        return (self.detector.id, self.classifier.card.id, *more, *where)

    @property
    def measures(self) -> tuple[str, ...]:
        """What is measured besides expression, pose and eyes: fields of ``Face``."""
        return tuple(name for name in ("action_units", "blendshapes") if self._given[name])

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
            **({"measures": list(self.measures)} if self.measures else {}),
        }

    def analyze(self, image: Any) -> FrameResult:
        """Read one image.

        Args:
            image: Path, encoded bytes, binary file, data URL, PIL image, torch tensor, or uint8
                array (H, W, 3) RGB or (H, W) gray; see ``pyojeong.load_image``.

        Returns:
            The faces, largest first; none is a normal answer.

        Raises:
            ImageUnreadable: When a file or bytes could not be decoded.
            BadArray: When an array has the wrong dtype or shape.
        """
        pixels, name = load_named(image)
        result = self.analyze_frames([(pixels, name, 0, 0.0)])[0]
        return result if name == image_path(image) else replace(result, preview=preview_of(pixels))

    def analyze_batch(
        self, images: Iterable[Any], *, on_error: OnError = "raise"
    ) -> list[FrameResult]:
        """Read several images; the same answers as ``analyze`` on each, in order.

        Faces of all images go through the classifier together, and all images are in memory at
        once: for many files, ``analyze_files``.

        Args:
            images: Each as ``analyze`` takes it.
            on_error: ``"raise"`` the first error, or ``"keep"``: an image that could not be read
                gives a result without faces whose ``error`` says why.

        Raises:
            ImageUnreadable: With ``"raise"``, when an image could not be decoded.
            BadArray: With ``"raise"``, when an array could not be used.
        """
        check_on_error(on_error)
        if is_one_image(images):
            raise BadArray(
                "images",
                expected="several images",
                got=f"one {type(images).__name__}",
                cure="Wrap it in a list, or use analyze.",
            )
        results: list[FrameResult | None] = []
        frames = []
        for image in images:
            try:
                pixels, name = load_named(image)
            except InputError as error:
                if on_error == "raise":
                    raise
                results.append(_failed(_name_of(image), without_frames(error)))
            else:
                results.append(None)
                frames.append((pixels, name, 0, 0.0))
        read = iter(self.analyze_frames(frames))
        return [next(read) if result is None else result for result in results]

    def analyze_frames(self, frames: Sequence[tuple[Image, str, int, float]]) -> list[FrameResult]:
        """Read decoded frames.

        Args:
            frames: (uint8 (H, W, 3) RGB, source, index, time in seconds) of each.
        """
        found = [(image, self.detector.detect(image)) for image, *_ in frames]
        expressions = iter(self.classifier.expressions(self.classifier.face_outputs(found)))
        results = []
        for (image, source, index, time_s), (_, faces) in zip(frames, found, strict=True):
            seen: Sequence[Face] = faces
            if self.face_measures is not None:
                seen = placed_with_mirror(image, faces, self.detector)
            done = tuple(
                self._finished(image, face, next(expressions), place)
                for face, place in zip(faces, seen, strict=True)
            )
            size = (image.shape[1], image.shape[0])
            results.append(FrameResult(source, index, time_s, size, done, self.model_ids))
        return results

    def read_faces(self, image: Image, faces: Sequence[Face]) -> tuple[Face, ...]:
        """Read faces that were already found, in order; those of clips are read here.

        Args:
            image: uint8 (H, W, 3) RGB.
            faces: Their places in it.
        """
        expressions = self.classifier.expressions(self.classifier.face_outputs([(image, faces)]))
        pairs = zip(faces, expressions, strict=True)
        return tuple(self._finished(image, face, expression, None) for face, expression in pairs)

    def _finished(
        self, image: Image, face: Face, expression: Expression, place: Face | None
    ) -> Face:
        """Return a face with all that is measured; ``place``: where its mirror image is, too."""
        if self.face_measures is not None:
            mirror = place is not None
            seen = self.face_measures.measure(image, place or face, mirror=mirror)
            wanted = {name: getattr(seen, name) for name in self.measures}
            return replace(face, expression=expression, pose=seen.pose, eyes=seen.eyes, **wanted)
        if self.eyes is None:
            return replace(face, expression=expression)
        pose, eyes = self.eyes.measure(image, face)
        return replace(face, expression=expression, pose=pose, eyes=eyes)

    def detect(self, image: Any) -> tuple[Face, ...]:
        """Find only the faces of an image, largest first."""
        return self.detector.detect(load_image(image))

    def classify(self, crops: Iterable[NDArray[np.uint8]]) -> list[Expression]:
        """Read faces that are already cut out.

        Args:
            crops: uint8 images of one face each, filled by the face as FER2013's are; (H, W)
                gray or (H, W, 3) RGB, of any sizes, or whatever ``analyze`` takes. An array
                (N, H, W) or (N, H, W, 3) works too, and one crop by itself: (H, W), (H, W, 1) or
                (H, W, 3).

        Returns:
            One expression per crop, in order; a list also of one.

        Raises:
            BadArray: When a crop has the wrong dtype or shape.
        """
        if isinstance(crops, np.ndarray) and crops.ndim not in {2, 3, 4}:
            raise BadArray(
                "crops",
                expected="a list of images, or (H, W), (H, W, 3), (N, H, W) or (N, H, W, 3)",
                got=str(crops.shape),
            )
        # Three columns are the channels of one crop, not the width of many.
        several = [crops] if is_one_image(crops) else crops
        crops = (c if isinstance(c, np.ndarray) else load_image(c) for c in several)
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
        return prior_of(results, self.classifier)


def _made_again(kind: type[Analyzer], options: dict[str, Any]) -> Analyzer:
    return kind(**options)


def _failed(name: str, error: Exception) -> FrameResult:
    return FrameResult(name, 0, 0.0, (0, 0), error=str(error))


def _name_of(image: Any) -> str:
    """Return a name for something that is no readable image."""
    if isinstance(image, str | os.PathLike):
        name = os.fsdecode(os.fspath(image))
        return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
    return f"<{type(image).__name__}>"


def _threads(threads: int | None) -> int:
    if threads is None:
        return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4, 4)
    if threads < 1:
        raise BadArray("threads", expected="at least 1", got=str(threads))
    return threads
