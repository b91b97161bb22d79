"""Frame results of made-up people."""

import numpy as np

from pyojeong.core.eyes import EyeSignals, HeadPose
from pyojeong.core.face import Box, Expression, Face, FrameResult
from pyojeong.core.labels import FER7


def expression(label, score=0.7, threshold=0.5):
    scores = np.full(7, (1 - score) / 6, np.float32)
    scores[FER7.names.index(label)] = score
    return Expression(scores, FER7, threshold)


def face(label="happy", track=1, score=0.7, openness=None, x=0.0, **more):
    eyes = None if openness is None else EyeSignals(openness=(openness, openness))
    return Face(
        Box(x, 0, x + 50, 60),
        0.9,
        expression=expression(label, score),
        track_id=track,
        eyes=eyes,
        **more,
    )


def frames(length, made, rate=25.0):
    """Results of frames 0..length-1; ``made(index)`` gives a frame's faces."""
    return [
        FrameResult("clip.mp4", i, i / rate, (640, 360), tuple(made(i)), ("a", "b"))
        for i in range(length)
    ]


__all__ = ["HeadPose", "expression", "face", "frames"]
