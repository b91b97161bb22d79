"""Pyojeong (표정): reads the appearance of facial expressions in images.

Names are loaded when they are first used: importing the package does nothing else.
"""

from importlib import import_module
from typing import Any

from pyojeong._version import __version__ as __version__

_HOMES = {
    "Analyzer": "pyojeong.runtime.analyzer",
    "Box": "pyojeong.core.face",
    "Expression": "pyojeong.core.face",
    "Face": "pyojeong.core.face",
    "FrameResult": "pyojeong.core.face",
    "Landmarks": "pyojeong.core.face",
    "LabelSet": "pyojeong.core.labels",
    "FER7": "pyojeong.core.labels",
    "PyojeongError": "pyojeong.core.errors",
    "EyeSignals": "pyojeong.core.eyes",
    "HeadPose": "pyojeong.core.eyes",
    "annotate": "pyojeong.output.media",
    "read_video": "pyojeong.stream.pipeline",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - names of a dict, all strings


def __getattr__(name: str) -> Any:
    """Load a public name from its home (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'pyojeong' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
