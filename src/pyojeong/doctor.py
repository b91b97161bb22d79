"""Self-examination of an installation: does it compute here what it computed when it was made?"""

import io
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from PIL import Image as PilImage

from pyojeong._version import __version__
from pyojeong.core.errors import PyojeongError
from pyojeong.core.labels import FER7, FER2013_TO_FER7
from pyojeong.image.boxes import iou
from pyojeong.image.files import decode_image
from pyojeong.image.preprocess import to_gray
from pyojeong.runtime.analyzer import Analyzer
from pyojeong.runtime.classifier import Classifier
from pyojeong.runtime.classifier_names import ENVIRONMENT, find_classifier
from pyojeong.runtime.detection.registry import DETECTORS
from pyojeong.runtime.golden import GOLDEN_ANSWER, GOLDEN_PICTURE, golden_logits, read_golden
from pyojeong.runtime.session import Session
from pyojeong.zoo import DEFAULT_MODEL, Entry, cards, find, variant_of, verify

LOGIT_TOLERANCE = 0.02
SCORE_TOLERANCE = 0.03

_CLEARLY = 0.95
"""A model's variant must take less than this share of its time to be recommended."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's outcome."""

    what: str
    ok: bool
    detail: str


def examine() -> Iterator[CheckResult]:
    """Run all checks, one finding each; an unexpected error is a failed check."""
    for what, check in DIAGNOSTICS.items():
        try:
            ok, detail = check()
        except (PyojeongError, OSError, ValueError) as error:
            ok, detail = False, str(error)
        yield CheckResult(what, ok, detail)


def _versions() -> tuple[bool, str]:
    parts = [f"pyojeong {__version__}", f"Python {platform.python_version()}", platform.machine()]
    for name in ("numpy", "onnxruntime", "opencv-python-headless", "pillow"):
        try:
            parts.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            parts.append(f"{name} (not from its own package)")
    return True, ", ".join(parts)


def _weights() -> tuple[bool, str]:
    entries = cards().values()
    for entry in entries:
        verify(entry)
    size = sum(entry.weights.stat().st_size for entry in entries) / 1e6
    return True, f"{len(entries)} files match the digests on their cards, {size:.1f} MB"


def _colours() -> tuple[bool, str]:
    buffer = io.BytesIO()
    PilImage.new("RGB", (2, 2), (200, 50, 10)).save(buffer, "PNG")
    pixel = decode_image(buffer.getvalue())[0, 0]
    gray = int(to_gray(np.full((1, 1, 3), (200, 50, 10), np.uint8))[0, 0])
    ok = tuple(map(int, pixel)) == (200, 50, 10) and abs(gray - 90) <= 1
    return ok, f"red stays first, luma of (200, 50, 10) is {gray}"


def _labels() -> tuple[bool, str]:
    entry = find(DEFAULT_MODEL, kind="classifier")
    written = Session(entry).metadata.get("pyojeong.labels", "")
    ok = written == ",".join(entry.card.label_set.names) == ",".join(FER7.names)
    ok = ok and [FER7.names[i] for i in FER2013_TO_FER7][4:] == ["sad", "surprise", "neutral"]
    return ok, f"file, card and code agree on {written or 'nothing'}"


def _golden_vectors() -> tuple[bool, str]:
    entry = find(DEFAULT_MODEL, kind="classifier")
    stored = read_golden(entry.folder, entry.card.id)
    ours = golden_logits(Classifier.open(entry))
    worst = float(np.abs(stored - ours).max())
    return worst <= LOGIT_TOLERANCE, f"logits within {worst:.1e} of the stored ones"


def _golden_picture() -> tuple[bool, str]:
    wanted = json.loads(GOLDEN_ANSWER.read_text(encoding="utf-8"))
    result = Analyzer(DEFAULT_MODEL, threads=1).analyze(GOLDEN_PICTURE)
    if len(result.faces) != 1 or result.faces[0].expression is None:
        return False, f"expected one face on {GOLDEN_PICTURE.name}, found {len(result.faces)}"
    face = result.faces[0]
    assert face.expression is not None  # noqa: S101 - checked above, for the type checker
    overlap = float(iou(np.array([face.box.xyxy]), np.array([wanted["box"]]))[0, 0])
    label, score = face.expression.top
    ok = overlap > 0.8 and label == wanted["top"] and abs(score - wanted["score"]) < SCORE_TOLERANCE
    return (
        ok,
        f"{GOLDEN_PICTURE.name}: {label} {score:.3f} (stored {wanted['top']} {wanted['score']})",
    )


def _detectors() -> tuple[bool, str]:
    counts = {
        name: len(Analyzer(detector=name, threads=1).detect(GOLDEN_PICTURE)) for name in DETECTORS
    }
    return all(n == 1 for n in counts.values()), f"faces found, one expected: {counts}"


def _faster_form() -> tuple[bool, str]:
    used = find_classifier("default")
    variant = variant_of(used)
    forms = [used] if variant is None else [used, variant]
    ms = _ms_per_face(forms)
    times = ", ".join(f"{i} {value:.2f} ms" for i, value in ms.items())
    detail = f"one face on one thread: {times}"
    if variant is not None:
        if ms[variant.card.id] < _CLEARLY * ms[used.card.id]:
            detail += f". Faster here: set {ENVIRONMENT}={variant.card.id}, or pass it as model"
        else:
            detail += f". {used.card.id} is the right one here"
    return True, detail


def _ms_per_face(entries: list[Entry], *, rounds: int = 5, faces: int = 15) -> dict[str, float]:
    """Least of the rounds' medians per model, the models in turns."""
    crop = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)
    readers = {entry.card.id: Classifier.open(entry, threads=1) for entry in entries}
    medians: dict[str, list[float]] = {i: [] for i in readers}
    for number in range(rounds + 1):
        for i, reader in readers.items():
            times = []
            for _ in range(faces):
                started = time.perf_counter()
                reader.crop_logits([crop])
                times.append(time.perf_counter() - started)
            if number:  # the first round warms up
                medians[i].append(statistics.median(times))
    return {i: min(values) * 1e3 for i, values in medians.items()}


DIAGNOSTICS: dict[str, Callable[[], tuple[bool, str]]] = {
    "versions": _versions,
    "weight files": _weights,
    "colour order": _colours,
    "label order": _labels,
    "golden vectors": _golden_vectors,
    "reference image": _golden_picture,
    "detectors": _detectors,
    "faster form": _faster_form,
}
