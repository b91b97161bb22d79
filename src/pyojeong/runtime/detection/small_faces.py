"""Proposals of small faces: a network of ours over an image pyramid, an octave a level.

It proposes, and leaves the decision to another network: see ``centerface_onet``. How it was
trained: ``research/face_proposals_training.py``.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from pyojeong.core.face import Image
from pyojeong.image.canvas import scaled
from pyojeong.image.preprocess import Pixels, to_gray
from pyojeong.runtime.detection.proposals import Candidates
from pyojeong.runtime.devices import CPU_DEVICE, Device
from pyojeong.runtime.session import Session, SessionLike
from pyojeong.zoo import find

MODEL = "proposals-any-photos.v1"
STRIDE = 4
NARROWEST, WIDEST = 9.5, 22.0
"""Widths of the faces that one level shows, in its pixels."""
_UNIT = 14.0  # widths and heights are logarithms over this
_LEAST_SIDE = 16
_LARGEST_SCALE = 1.5
_STRIP_PIXELS = 600_000
_SEEN = 32  # pixels beyond a cell that its answer depends on; a test compares


class SmallFaces:
    """The network on as many levels as needed; thread-safe.

    Args:
        score_threshold: Least score of a proposal, in [0, 1].
        threads: Threads inside one run.
        device: Where networks run.
        session: The network; None = the bundled one.
    """

    def __init__(
        self,
        *,
        score_threshold: float = 0.3,
        threads: int = 1,
        device: Device = CPU_DEVICE,
        session: SessionLike | None = None,
    ) -> None:
        shape = (None, 1, None, None)
        self._session = session or Session(
            find(MODEL), threads=threads, device=device, inputs=[shape]
        )
        self._score_threshold = score_threshold

    def candidates(self, image: Image, *, narrowest: float, widest: float) -> Candidates:
        """Return boxes and scores in frame pixels, best first.

        Args:
            image: uint8 (H, W, 3) RGB.
            narrowest: Width of the smallest face that is looked for, in pixels.
            widest: Larger faces need not be found.
        """
        level = scaled_gray(to_gray(image), min(NARROWEST / narrowest, _LARGEST_SCALE))
        boxes, scores = [], []
        while True:
            scale_xy = level.shape[1] / image.shape[1], level.shape[0] / image.shape[0]
            found, score = self._look(level)
            boxes.append(found / np.array(scale_xy * 2))
            scores.append(score)
            if WIDEST / min(scale_xy) >= widest or min(level.shape) < 2 * _LEAST_SIDE:
                break
            level = scaled_gray(level, 0.5)
        every = np.concatenate(scores)
        return Candidates(np.concatenate(boxes), every, np.zeros((len(every), 0, 2))).suppress(0.4)

    def _look(self, level: Pixels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return boxes in the pixels of a level (N, 4), and scores (N,)."""
        pad_y, pad_x = (-n % STRIDE for n in level.shape)
        if pad_y or pad_x:
            level = np.pad(level, ((0, pad_y), (0, pad_x)), mode="edge")
        return decode(self._maps(level), self._score_threshold)

    def _maps(self, level: Pixels) -> NDArray[np.float32]:
        """Return the network's maps (5, h, w) of a level, in strips where it is large.

        A large level would take 100 MB at once. Strips overlap by what the network sees beyond a
        cell, so that the maps are those of the whole level.
        """
        height, width = level.shape
        rows = max(_STRIP_PIXELS // width // STRIDE, 8 * _SEEN // STRIDE) * STRIDE
        parts = []
        for top in range(0, height, rows):
            first, last = max(top - _SEEN, 0), min(top + rows + _SEEN, height)
            part = level[first:last][None, None].astype(np.float32)
            (maps,) = self._session.run(part)
            start = (top - first) // STRIDE
            parts.append(maps[0][:, start : start + min(rows, height - top) // STRIDE])
        return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]


def scaled_gray(gray: Pixels, scale: float) -> Pixels:
    """Return a gray image resized by a factor."""
    return gray if scale == 1 else scaled(gray, scale).pixels


def decode(
    maps: NDArray[np.float32], threshold: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the peaks of the score as boxes.

    Args:
        maps: (5, h, w): logit, offsets of the centre x and y in cells, logarithms of width and
            height over 14 pixels.
        threshold: Least score.

    Returns:
        Boxes (N, 4) in pixels, and scores (N,).
    """
    logit = maps[0]
    least = float(np.log(threshold / (1 - threshold)))
    peaks = (logit >= least) & (logit >= cv2.dilate(logit, np.ones((3, 3), np.uint8)))
    rows, columns = np.nonzero(peaks)
    logits, dx, dy, width, height = maps[:, rows, columns].astype(np.float64)
    x, y = (columns + 0.5 + dx) * STRIDE, (rows + 0.5 + dy) * STRIDE
    half_w, half_h = (np.exp(np.clip(v, -3, 3)) * _UNIT / 2 for v in (width, height))
    boxes = np.stack([x - half_w, y - half_h, x + half_w, y + half_h], 1)
    return boxes, 1 / (1 + np.exp(-logits))
