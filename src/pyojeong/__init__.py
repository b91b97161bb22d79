"""Pyojeong (표정): analyze the appearance of facial expressions in images and video.

Public names are loaded on first use; importing the package loads none of them.
"""

import os
from importlib import import_module
from typing import Any

from pyojeong._version import __version__ as __version__

# onnxruntime 1.32 keeps a session's id in the temporary folder; nothing is reported from here.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {
    "Analyzer": "pyojeong.runtime.analyzer",
    "VideoResult": "pyojeong.core.video_result",
    "Box": "pyojeong.core.face",
    "Detector": "pyojeong.core.protocols",
    "Expression": "pyojeong.core.face",
    "Face": "pyojeong.core.face",
    "FrameResult": "pyojeong.core.face",
    "Landmarks": "pyojeong.core.face",
    "Sink": "pyojeong.core.protocols",
    "TrackingDetector": "pyojeong.core.protocols",
    "FER7": "pyojeong.core.labels",
    "LabelSet": "pyojeong.core.labels",
    "EyeSignals": "pyojeong.core.eyes",
    "HeadPose": "pyojeong.core.eyes",
    "ModelCard": "pyojeong.core.card",
    "BadArray": "pyojeong.core.errors",
    "DataError": "pyojeong.core.errors",
    "DeviceUnavailable": "pyojeong.core.errors",
    "DeviceWarning": "pyojeong.core.errors",
    "ExperimentError": "pyojeong.core.errors",
    "ImageUnreadable": "pyojeong.core.errors",
    "ImageWarning": "pyojeong.core.errors",
    "InputError": "pyojeong.core.errors",
    "LabelUnknown": "pyojeong.core.errors",
    "ManifestInvalid": "pyojeong.core.errors",
    "MissingExtra": "pyojeong.core.errors",
    "ModelCorrupt": "pyojeong.core.errors",
    "ModelError": "pyojeong.core.errors",
    "ModelMismatch": "pyojeong.core.errors",
    "ModelUnknown": "pyojeong.core.errors",
    "OutputBusy": "pyojeong.core.errors",
    "OutputError": "pyojeong.core.errors",
    "PicturesLeftOut": "pyojeong.core.errors",
    "PriorInvalid": "pyojeong.core.errors",
    "PyojeongError": "pyojeong.core.errors",
    "VideoTruncated": "pyojeong.core.errors",
    "VideoTruncatedWarning": "pyojeong.core.errors",
    "VideoUnreadable": "pyojeong.core.errors",
    "load_image": "pyojeong.image.sources",
    "annotate": "pyojeong.output.media",
    "to_layout": "pyojeong.output.layouts.writing",
    "plot_face": "pyojeong.output.plots",
    "plot_timeline": "pyojeong.output.plots",
    "read_table": "pyojeong.output.records",
    "to_arrow": "pyojeong.output.records",
    "to_csv": "pyojeong.output.records",
    "to_dataframe": "pyojeong.output.records",
    "to_jsonl": "pyojeong.output.records",
    "to_parquet": "pyojeong.output.records",
    "to_records": "pyojeong.output.records",
    "CsvSink": "pyojeong.output.tables",
    "JsonSink": "pyojeong.output.tables",
    "ParquetSink": "pyojeong.output.tables",
    "read_csv": "pyojeong.output.tables",
    "read_json": "pyojeong.output.tables",
    "read_parquet": "pyojeong.output.tables",
    "list_detectors": "pyojeong.runtime.detection.registry",
    "action_unit_grade": "pyojeong.runtime.face_measures",
    "read_video": "pyojeong.stream.pipeline",
    "Net": "pyojeong.training.nets.protocol",
    "write_report": "pyojeong.video.analysis",
    "list_models": "pyojeong.zoo",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - names of a dict, all strings


def __getattr__(name: str) -> Any:
    """Load a public name from the module that defines it (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'pyojeong' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
