from pyojeong._version import __version__ as __version__
from pyojeong.core.errors import PyojeongError as PyojeongError
from pyojeong.core.eyes import EyeSignals as EyeSignals
from pyojeong.core.eyes import HeadPose as HeadPose
from pyojeong.core.face import Box as Box
from pyojeong.core.face import Expression as Expression
from pyojeong.core.face import Face as Face
from pyojeong.core.face import FrameResult as FrameResult
from pyojeong.core.face import Landmarks as Landmarks
from pyojeong.core.labels import FER7 as FER7
from pyojeong.core.labels import LabelSet as LabelSet
from pyojeong.output.media import annotate as annotate
from pyojeong.runtime.analyzer import Analyzer as Analyzer
from pyojeong.stream.pipeline import read_video as read_video

__all__ = [
    "FER7",
    "Analyzer",
    "Box",
    "Expression",
    "EyeSignals",
    "Face",
    "FrameResult",
    "HeadPose",
    "LabelSet",
    "Landmarks",
    "PyojeongError",
    "__version__",
    "annotate",
    "read_video",
]
