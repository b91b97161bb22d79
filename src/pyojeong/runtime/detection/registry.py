"""The detectors by name. A new detector is one file in this folder and one line here.

Names alone are read here (for the command line's help); a detector is imported when it is built.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyojeong.core.errors import BadArray, ModelUnknown
from pyojeong.core.registry import Registry, build

if TYPE_CHECKING:  # the command line's help reads the names without NumPy
    from pyojeong.core.protocols import Detector
    from pyojeong.runtime.devices import Device

_HERE = "pyojeong.runtime.detection"

DETECTORS: "Registry[Callable[..., Detector]]" = Registry(
    "detector",
    "pyojeong.detectors",
    {
        "centerface-onet": f"{_HERE}.centerface_onet:CenterFaceOnet",
        "fast": f"{_HERE}.centerface_onet:fast",
        "mtcnn": f"{_HERE}.mtcnn:Mtcnn",
        "centerface": f"{_HERE}.centerface:CenterFace",
        "blazeface": f"{_HERE}.blazeface:BlazeFace",
        "blazeface-onet": f"{_HERE}.blazeface_onet:BlazeFaceOnet",
    },
)
"""Name -> class; every one takes the keywords ``min_face``, ``score_threshold`` and ``threads``.

Those that can run elsewhere than on the CPU also take ``device``."""

DEFAULT = "centerface-onet"
"""What ``"auto"`` stands for, chosen by measurement (docs/benchmarks/detectors.md)."""


def list_detectors() -> list[str]:
    """Return the valid values of ``Analyzer(detector=...)``, including detectors of other packages.

    Example:
        >>> from pyojeong import list_detectors
        >>> list_detectors()[0]
        'auto'
    """
    return ["auto", *DETECTORS]


def build_detector(
    name: str,
    *,
    min_face: int | None = None,
    threads: int = 1,
    any_rotation: bool = False,
    device: "Device | None" = None,
) -> "Detector":
    """Build a detector.

    Args:
        name: A name in ``DETECTORS``, or ``"auto"`` for ``DEFAULT``.
        min_face: Shorter side of the smallest face wanted, in pixels; None = the detector's own.
        threads: Threads inside one run of a network.
        device: Where networks run; None = the CPU.
        any_rotation: Look for faces on their side and upside down, too: four times as slow.

    Raises:
        ModelUnknown: When there is no such detector; the message suggests similar names.
        BadArray: When ``min_face`` or ``threads`` is below 1.
        ModelCorrupt: When a bundled weight file is damaged.
    """
    name = DEFAULT if name == "auto" else name
    if name not in DETECTORS:
        raise ModelUnknown(name, ("auto", *DETECTORS), kind="detector")
    options: dict[str, Any] = {"threads": threads}
    if device is not None and not device.is_cpu:
        options["device"] = device
    if min_face is not None:
        if min_face < 1:
            raise BadArray("min_face", expected="at least 1 pixel", got=str(min_face))
        options["min_face"] = min_face
    detector: Detector = build(DETECTORS, name, options)
    if any_rotation:
        from pyojeong.runtime.detection.any_rotation import AnyRotation

        return AnyRotation(detector)
    return detector
