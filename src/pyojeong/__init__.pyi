from pyojeong._version import __version__ as __version__
from pyojeong.core.card import ModelCard as ModelCard
from pyojeong.core.errors import BadArray as BadArray
from pyojeong.core.errors import DataError as DataError
from pyojeong.core.errors import DeviceUnavailable as DeviceUnavailable
from pyojeong.core.errors import DeviceWarning as DeviceWarning
from pyojeong.core.errors import ExperimentError as ExperimentError
from pyojeong.core.errors import ImageUnreadable as ImageUnreadable
from pyojeong.core.errors import ImageWarning as ImageWarning
from pyojeong.core.errors import InputError as InputError
from pyojeong.core.errors import LabelUnknown as LabelUnknown
from pyojeong.core.errors import ManifestInvalid as ManifestInvalid
from pyojeong.core.errors import MissingExtra as MissingExtra
from pyojeong.core.errors import ModelCorrupt as ModelCorrupt
from pyojeong.core.errors import ModelError as ModelError
from pyojeong.core.errors import ModelMismatch as ModelMismatch
from pyojeong.core.errors import ModelUnknown as ModelUnknown
from pyojeong.core.errors import OutputBusy as OutputBusy
from pyojeong.core.errors import OutputError as OutputError
from pyojeong.core.errors import PicturesLeftOut as PicturesLeftOut
from pyojeong.core.errors import PriorInvalid as PriorInvalid
from pyojeong.core.errors import PyojeongError as PyojeongError
from pyojeong.core.errors import VideoTruncated as VideoTruncated
from pyojeong.core.errors import VideoTruncatedWarning as VideoTruncatedWarning
from pyojeong.core.errors import VideoUnreadable as VideoUnreadable
from pyojeong.core.eyes import EyeSignals as EyeSignals
from pyojeong.core.eyes import HeadPose as HeadPose
from pyojeong.core.face import Box as Box
from pyojeong.core.face import Expression as Expression
from pyojeong.core.face import Face as Face
from pyojeong.core.face import FrameResult as FrameResult
from pyojeong.core.face import Landmarks as Landmarks
from pyojeong.core.labels import FER7 as FER7
from pyojeong.core.labels import LabelSet as LabelSet
from pyojeong.core.protocols import Detector as Detector
from pyojeong.core.protocols import Sink as Sink
from pyojeong.core.protocols import TrackingDetector as TrackingDetector
from pyojeong.core.video_result import VideoResult as VideoResult
from pyojeong.image.sources import load_image as load_image
from pyojeong.output.layouts.writing import to_layout as to_layout
from pyojeong.output.media import annotate as annotate
from pyojeong.output.plots import plot_face as plot_face
from pyojeong.output.plots import plot_timeline as plot_timeline
from pyojeong.output.records import read_table as read_table
from pyojeong.output.records import to_arrow as to_arrow
from pyojeong.output.records import to_csv as to_csv
from pyojeong.output.records import to_dataframe as to_dataframe
from pyojeong.output.records import to_jsonl as to_jsonl
from pyojeong.output.records import to_parquet as to_parquet
from pyojeong.output.records import to_records as to_records
from pyojeong.output.tables import CsvSink as CsvSink
from pyojeong.output.tables import JsonSink as JsonSink
from pyojeong.output.tables import ParquetSink as ParquetSink
from pyojeong.output.tables import read_csv as read_csv
from pyojeong.output.tables import read_json as read_json
from pyojeong.output.tables import read_parquet as read_parquet
from pyojeong.runtime.analyzer import Analyzer as Analyzer
from pyojeong.runtime.detection.registry import list_detectors as list_detectors
from pyojeong.runtime.face_measures import action_unit_grade as action_unit_grade
from pyojeong.stream.pipeline import read_video as read_video
from pyojeong.training.nets.protocol import Net as Net
from pyojeong.video.analysis import write_report as write_report
from pyojeong.zoo import list_models as list_models

__all__ = [
    "FER7",
    "Analyzer",
    "BadArray",
    "Box",
    "CsvSink",
    "DataError",
    "Detector",
    "DeviceUnavailable",
    "DeviceWarning",
    "ExperimentError",
    "Expression",
    "EyeSignals",
    "Face",
    "FrameResult",
    "HeadPose",
    "ImageUnreadable",
    "ImageWarning",
    "InputError",
    "JsonSink",
    "LabelSet",
    "LabelUnknown",
    "Landmarks",
    "ManifestInvalid",
    "MissingExtra",
    "ModelCard",
    "ModelCorrupt",
    "ModelError",
    "ModelMismatch",
    "ModelUnknown",
    "Net",
    "OutputBusy",
    "OutputError",
    "ParquetSink",
    "PicturesLeftOut",
    "PriorInvalid",
    "PyojeongError",
    "Sink",
    "TrackingDetector",
    "VideoResult",
    "VideoTruncated",
    "VideoTruncatedWarning",
    "VideoUnreadable",
    "__version__",
    "action_unit_grade",
    "annotate",
    "list_detectors",
    "list_models",
    "load_image",
    "plot_face",
    "plot_timeline",
    "read_csv",
    "read_json",
    "read_parquet",
    "read_table",
    "read_video",
    "to_arrow",
    "to_csv",
    "to_dataframe",
    "to_jsonl",
    "to_layout",
    "to_parquet",
    "to_records",
    "write_report",
]
