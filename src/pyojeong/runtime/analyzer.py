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
    """Face detector and expression classifier. Thread-safe.

    Models are loaded on construction, from files in the package; nothing is downloaded.

    Args:
        model: Id of a classifier, path of a card or ONNX file, ``"default"``, or
            ``"default-fer2013"``, which was trained on FER2013 only and is smaller and faster.
        detector: ``"auto"``, ``"fast"`` (misses most faces narrower than a seventh of the image),
            another name from ``list_detectors``, or an object with ``id`` and ``detect``.
        min_face: Smallest face to find, as the shorter side of its box in pixels. None = the
            default of the detector; for ``"auto"``, faces that are 24 pixels high, or a hundredth
            of the shorter side of the image if that is more.
        any_rotation: Also find faces that are sideways or upside down; takes four times as long.
        threads: Number of threads inside each network; None = the number of CPUs, at most 4.
        views: Number of views of each face to average: 1, 2 (with the mirror image) or 10 (both
            also shifted to four corners). More views are more accurate and proportionally slower.
        allow: Licence flags, or patterns such as ``"data:*"``, that the card of the classifier may
            carry, as an iterable or separated by commas; ``""`` allows none. None = any.
        eyes: Also measure head pose and eyes; takes about half as much time again.
        action_units: Also measure action units, and head pose and eyes with the same network. In
            photographs, each face is averaged with its mirror image, so that both sides are
            treated alike; in clips it is not, for speed.
        blendshapes: Also return the 52 blendshapes that the action units are computed from.
        labels: ``"fer7"`` (seven labels) or ``"ferplus8"`` (also contempt). None = ``"fer7"``, or
            the label set of a model with other labels.
        prior: Base rates that the scores assume: ``"natural"`` (mostly neutral and happy, as in
            web photographs), ``"balanced"`` (equal, as in posed or selected sets), ``"between"``,
            or a mapping label -> share. None = the default of the model's card.
        threshold: Faces whose best score is below it are ``unclear``, in [0, 1]; 0 = always give
            a label. None = the threshold of the model's card.
        device: ``"auto"`` (the best device of the installed onnxruntime, else the CPU), ``"cpu"``,
            ``"cuda"``, ``"coreml"``, ``"directml"``, or a list of onnxruntime providers. Results
            are identical to the last bit only on the CPU.
        output: ``"auto"``: the share of people who would choose each label, if the model was
            trained on votes. ``"fer2013"``: the label in FER2013, for benchmarks. ``"labels"``:
            the label in the training data, of a model without votes.

    Raises:
        ModelUnknown: When the model or detector does not exist; the message suggests similar names.
        ModelError: When the model's card carries a licence flag that is not allowed.
        ModelMismatch: When the model does not have the requested output or labels.
        InputError: When ``threshold`` is not a number from 0 to 1.
        PriorInvalid: When ``prior`` has an unknown or missing label, or does not sum to 1.
        ModelCorrupt: When a weight file is damaged or is another file.
        DeviceUnavailable: When ``device`` is unknown, or not available in onnxruntime.

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
        """Keyword arguments that create an equal analyzer, also in another process."""
        return dict(self._given)

    @property
    def model_ids(self) -> tuple[str, ...]:
        """Ids of the detector, the classifier, and the networks for eyes and action units.

        On devices other than the CPU, the last item is device and provider: ``"cuda:CUDA"``.
        """
        measuring = self.face_measures or self.eyes
        more = () if measuring is None else measuring.model_ids
        where = () if self.device.is_cpu else (self.device.id,)
        return (self.detector.id, self.classifier.card.id, *more, *where)

    @property
    def measures(self) -> tuple[str, ...]:
        """Fields of ``Face`` that are measured in addition to expression, pose and eyes."""
        return tuple(name for name in ("action_units", "blendshapes") if self._given[name])

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that determine the results, as JSON types.

        They are stored with results, to detect results of other settings. The number of threads is
        not among them.
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
        """Analyze one image.

        Args:
            image: Path, encoded bytes, binary file, data URL, PIL image, torch tensor, or uint8
                array (H, W, 3) RGB or (H, W) gray; see ``pyojeong.load_image``.

        Returns:
            The result with the faces, largest first; empty if no face was found.

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
        """Analyze several images in order, with the same results as ``analyze`` for each.

        The faces of all images are classified in batches, and all images are in memory at once.
        For many files use ``analyze_files``.

        Args:
            images: Images, each as for ``analyze``.
            on_error: ``"raise"``: raise the first error. ``"keep"``: an image that could not be
                read gives a result without faces whose ``error`` is the reason.

        Raises:
            ImageUnreadable: With ``"raise"``, when an image could not be decoded.
            BadArray: With ``"raise"``, when an array could not be used; in any case, when
                ``images`` is a single image.
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
        """Analyze decoded frames.

        Args:
            frames: (image, source, index, time in seconds) of each frame; images are uint8
                (H, W, 3) RGB.
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
        """Return faces that were already detected, with expressions and measures, in order.

        Faces of clips are analyzed with this method.

        Args:
            image: uint8 (H, W, 3) RGB.
            faces: Faces in this image, from a detector.
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
        """Detect the faces of an image, largest first, without expressions.

        Args:
            image: Image, as for ``analyze``.
        """
        return self.detector.detect(load_image(image))

    def classify(self, crops: Iterable[NDArray[np.uint8]]) -> list[Expression]:
        """Classify faces that are already cropped.

        Args:
            crops: Images of one face each, which fills the image as in FER2013: uint8 (H, W) gray
                or (H, W, 3) RGB, of any size, or any input of ``analyze``. Also an array
                (N, H, W) or (N, H, W, 3), or a single crop (H, W), (H, W, 1) or (H, W, 3).

        Returns:
            One expression per crop, in order; also a list for a single crop.

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
        """Estimate the base rates of a set of images or a clip from its results.

        Uses the expectation maximisation of Saerens et al. (2002); see
        ``core.calibration.estimate_prior``. The analyzer is not changed: pass the returned value
        as ``prior`` to a new analyzer. At least 50 faces are required, and some hundreds are
        recommended; frames of the same person are not independent faces.

        Args:
            results: Results of this analyzer, or of one with the same model and prior.

        Returns:
            Mapping label -> share; the shares sum to 1.

        Raises:
            PriorInvalid: When there are fewer than 50 faces, the results are from another model or
                assume other base rates than this analyzer, or the model's card has none.
        """
        return prior_of(results, self.classifier)


def _made_again(kind: type[Analyzer], options: dict[str, Any]) -> Analyzer:
    return kind(**options)


def _failed(name: str, error: Exception) -> FrameResult:
    return FrameResult(name, 0, 0.0, (0, 0), error=str(error))


def _name_of(image: Any) -> str:
    """Return a name for an input that is not a readable image."""
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
