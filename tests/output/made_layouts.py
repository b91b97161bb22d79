"""Results of a made-up clip with two people, for the layouts of other tools."""

from dataclasses import replace

import numpy as np

from pyojeong.core.action_units import ACTION_UNITS, SIDED_UNITS, ActionUnits, Blendshapes
from pyojeong.core.eyes import EyeSignals, HeadPose
from pyojeong.core.face import Box, Expression, Face, FrameResult
from pyojeong.core.labels import FER7, FERPLUS8

NAME = "수업 1, day 2\tx.mp4"
BARE = Face(Box(10, 20, 60, 90), 0.9, track_id=2)
"""A face of which nothing else was measured."""


def units(**known):
    """Action units by number, ``AU12=0.5``; all others are 0."""
    values = dict.fromkeys(ACTION_UNITS, 0.0) | known
    return ActionUnits(tuple(values.values()), (None,) * len(SIDED_UNITS), (None,) * 11)


def expression(labels=FER7, **shares):
    rest = (1 - sum(shares.values())) / (len(labels) - len(shares))
    scores = np.array([shares.get(name, rest) for name in labels.names], np.float32)
    return Expression(scores, labels, 0.3, "between")


def whole(**other):
    """A face on which everything was measured."""
    return replace(
        BARE,
        track_id=1,
        expression=expression(happy=0.5, sad=0.25),
        pose=HeadPose(0.25, -0.125, 0.0625),
        eyes=EyeSignals((0.75, 0.25), (0.125, 0.25)),
        blendshapes=Blendshapes(tuple(i / 64 for i in range(52))),
        action_units=units(AU1=0.05, AU4=0.1, AU6=0.2, AU7=0.4, AU12=0.7, AU25=0.9, AU43=0.5),
        **other,
    )


def frame(index, *faces, source=NAME):
    return FrameResult(source, index, index / 25, (640, 360), faces, ("det.1", "net.1"))


def clip():
    """Nobody, then both people, then the second one alone."""
    second = replace(BARE, expression=expression(FERPLUS8, contempt=0.25))
    second = replace(second, action_units=replace(units(), intensities=(None,) * 18))
    return [frame(0), frame(1, whole(), BARE), frame(2, second)]


def photographs():
    """Three images, one of which could not be read."""
    face = replace(whole(), track_id=None)
    broken = FrameResult("b, c.jpg", 0, 0.0, (0, 0), error="b, c.jpg: no such file")
    return [
        FrameResult("가.jpg", 0, 0.0, (64, 48), (face, replace(face, pose=None)), ("det.1",)),
        broken,
        FrameResult("d.jpg", 0, 0.0, (64, 48)),
    ]
