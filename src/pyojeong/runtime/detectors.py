"""The detectors by name. A new detector is one file and one line here."""

from collections.abc import Callable
from typing import Any

from pyojeong.core.errors import BadArray, ModelUnknown
from pyojeong.core.face import Detector
from pyojeong.runtime.blazeface import BlazeFace
from pyojeong.runtime.centerface import CenterFace
from pyojeong.runtime.centerface_onet import CenterFaceOnet
from pyojeong.runtime.mtcnn import Mtcnn

DETECTORS: dict[str, Callable[..., Detector]] = {
    "auto": CenterFaceOnet,
    "mtcnn": Mtcnn,
    "centerface": CenterFace,
    "blazeface": BlazeFace,
}
"""Name -> class; every one takes the keywords ``min_face``, ``score_threshold``, ``threads``."""


def build_detector(name: str, *, min_face: int | None = None, threads: int = 1) -> Detector:
    """A detector by its name in ``DETECTORS``.

    Args:
        name: ``"auto"`` is the one that was chosen by measurement (docs/benchmarks/detectors.md).
        min_face: Shorter side of the smallest face wanted, in pixels; None = the detector's own.
        threads: Threads inside one run of a network.

    Raises:
        ModelUnknown: When there is no such detector; the message suggests similar names.
        BadArray: When ``min_face`` or ``threads`` is below 1.
        ModelCorrupt: When a bundled weight file is damaged.
    """
    if name not in DETECTORS:
        raise ModelUnknown(name, DETECTORS, kind="detector")
    options: dict[str, Any] = {"threads": threads}
    if min_face is not None:
        if min_face < 1:
            raise BadArray("min_face", expected="at least 1 pixel", got=str(min_face))
        options["min_face"] = min_face
    return DETECTORS[name](**options)
