"""Frame results of made-up people, and a clip of a real one."""

import av
import numpy as np

from pyojeong.core.eyes import EyeSignals
from pyojeong.core.face import Box, Expression, Face, FrameResult
from pyojeong.core.labels import FER7
from pyojeong.image.files import read_image
from pyojeong.runtime.golden import PICTURES


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


def make_clip(path, frames=30, rate=25, **options):
    """The bundled astronaut, wandering about in snow (so that every frame weighs something)."""
    rng = np.random.default_rng(0)
    face = read_image(PICTURES / "astronaut.jpg")[:300, 100:400]
    with av.open(str(path), "w", options=options) as out:
        stream = out.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 400, 320, "yuv420p"
        for i in range(frames):
            canvas = np.repeat(rng.integers(60, 120, (320, 400, 1), np.uint8), 3, 2)
            x = 2 * i % 100
            canvas[10:310, x : x + 300] = face
            for packet in stream.encode(av.VideoFrame.from_ndarray(canvas, format="rgb24")):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return path
